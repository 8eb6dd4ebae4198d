"""What a review may cost: amounts, caps, and who pays."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum

from reviewer.errors import OverBudget

MICROS = 1_000_000
"""Money is counted in whole millionths of a US dollar: sums of floats drift, and a cap must not."""


class Scope(StrEnum):
    """What a cap bounds; the text is for people."""

    REQUEST = "one request"
    REVIEW = "one review"
    INSTALLATION = "the installation's day"
    API_KEY = "the API key's day"

    @property
    def daily(self) -> bool:
        """Whether it starts anew at midnight UTC."""
        return self in {Scope.INSTALLATION, Scope.API_KEY}

    @property
    def setting(self) -> str:
        """The settings that bound it, but for `_TOKENS` or `_USD`."""
        return f"BUDGET_{self.name}_DAY" if self.daily else f"BUDGET_{self.name}"


@dataclass(frozen=True, slots=True)
class Amount:
    """Tokens of any kind, and money in millionths of a US dollar."""

    tokens: int = 0
    micros: int = 0

    @classmethod
    def of(cls, tokens: int, usd: float | None) -> Amount:
        """From a price in USD, rounded up; None, an unknown price, counts as nothing."""
        return cls(tokens, 0 if usd is None else math.ceil(round(usd * MICROS, 3)))

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.tokens + other.tokens, self.micros + other.micros)

    def __sub__(self, other: Amount) -> Amount:
        return Amount(self.tokens - other.tokens, self.micros - other.micros)


@dataclass(frozen=True, slots=True)
class Cap:
    """The most that may be spent; None is no bound."""

    tokens: int | None = None
    micros: int | None = None

    def holds(self, amount: Amount) -> bool:
        """Whether so much is within the cap."""
        return (self.tokens is None or amount.tokens <= self.tokens) and (
            self.micros is None or amount.micros <= self.micros
        )


@dataclass(frozen=True, slots=True)
class Caps:
    """One cap for each scope."""

    request: Cap = field(default_factory=Cap)
    review: Cap = field(default_factory=Cap)
    installation_day: Cap = field(default_factory=Cap)
    api_key_day: Cap = field(default_factory=Cap)

    def of(self, scope: Scope) -> Cap:
        """The cap of one scope."""
        match scope:
            case Scope.REQUEST:
                return self.request
            case Scope.REVIEW:
                return self.review
            case Scope.INSTALLATION:
                return self.installation_day
            case Scope.API_KEY:
                return self.api_key_day

    def require_request(self, wanted: Amount) -> None:
        """Hold one request against its cap, whatever else is spent.

        Raises:
            OverBudget: it is too large.
        """
        Standing(Scope.REQUEST, Amount(), Amount(), self.request).require(wanted)


@dataclass(frozen=True, slots=True)
class Payer:
    """Whose budgets a review draws on; days are UTC.

    Attributes:
        review: the review's id.
        installation: the tenant; None on the command line.
        api_key: name of the caller's key, for a review that was asked for with one.
    """

    review: str
    installation: int | None = None
    api_key: str | None = None

    @property
    def tenant(self) -> str:
        """Whose finished work may be used again: nobody reads what another has bought."""
        if self.api_key is not None:
            return f"key {self.api_key}"
        return "nobody" if self.installation is None else tenant_of(self.installation)


def tenant_of(installation: int) -> str:
    """The tenant that an installation is."""
    return f"installation {installation}"


@dataclass(frozen=True, slots=True)
class Account:
    """Where a payer's spending adds up; that of a daily scope is another one each day."""

    scope: Scope
    owner: str


def accounts(payer: Payer) -> tuple[Account, ...]:
    """The accounts of a payer, in the order of the scopes."""
    owned = [Account(Scope.REVIEW, payer.review)]
    if payer.installation is not None:
        owned.append(Account(Scope.INSTALLATION, str(payer.installation)))
    if payer.api_key is not None:
        owned.append(Account(Scope.API_KEY, payer.api_key))
    return tuple(owned)


@dataclass(frozen=True, slots=True)
class Standing:
    """How much of a budget is spent, and how much set aside for calls under way."""

    scope: Scope
    spent: Amount
    reserved: Amount
    cap: Cap

    def require(self, wanted: Amount) -> None:
        """Hold what is wanted against what is left.

        Raises:
            OverBudget: it is too much; the message says what helps.
        """
        if not self.cap.holds(self.spent + self.reserved + wanted):
            raise OverBudget(self._refusal(wanted), scope=self.scope)

    def _refusal(self, wanted: Amount) -> str:
        taken = self.spent + self.reserved
        facts: list[str] = []
        settings: list[str] = []
        if not Cap(tokens=self.cap.tokens).holds(taken + wanted):
            figures = (self.cap.tokens or 0, self.spent.tokens, self.reserved.tokens, wanted.tokens)
            facts.append(self._fact("tokens", *(f"{figure:,}" for figure in figures)))
            settings.append(f"{self.scope.setting}_TOKENS")
        if not Cap(micros=self.cap.micros).holds(taken + wanted):
            figures = (self.cap.micros or 0, self.spent.micros, self.reserved.micros, wanted.micros)
            facts.append(self._fact("USD", *(_usd(figure) for figure in figures)))
            settings.append(f"{self.scope.setting}_USD")
        help_ = f"{' and '.join(settings)} {'raises' if len(settings) == 1 else 'raise'} it"
        if self.scope.daily:
            help_ = f"it starts anew at midnight UTC, and {help_}"
        return f"the budget of {self.scope} is too small: {', and '.join(facts)}; {help_}"

    def _fact(self, unit: str, cap: str, spent: str, reserved: str, wanted: str) -> str:
        if self.scope is Scope.REQUEST:
            return f"{wanted} {unit} are wanted and {cap} allowed"
        return f"of {cap} {unit} {spent} are spent and {reserved} set aside, and {wanted} more are wanted"


def _usd(micros: int) -> str:
    """At least the cents, and no zeros behind them."""
    whole, _, parts = f"{micros / MICROS:,.6f}".partition(".")
    return f"{whole}.{parts.rstrip('0').ljust(2, '0')}"
