"""Ports for one process without a database."""

from __future__ import annotations

import time
from collections import defaultdict
from datetime import UTC, datetime
from itertools import count

from reviewer.core.budget import Account, Amount, Caps, Payer, Standing, accounts
from reviewer.core.tokens import Calibration, Family
from reviewer.ports import CallRecord, LedgerEntry, Reservation, Sample


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        """The time of day, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that only go forward."""
        return time.monotonic()


class NoLedger:
    """Remembers nothing: on the command line every run is the first."""

    async def find(self, keys: tuple[str, ...], payer: Payer) -> LedgerEntry | None:  # noqa: ARG002 - the port's
        """None."""
        return None

    async def store(self, key: str, entry: LedgerEntry, payer: Payer, repository: str) -> None:
        """Let it go."""


class LocalRates:
    """Remembers as long as the process lives."""

    def __init__(self) -> None:
        self._known: dict[Family, Calibration] = {}

    async def read(self, family: Family) -> Calibration:
        """What this process has seen."""
        return self._known.get(family, Calibration.first(family))

    async def learn(self, sample: Sample) -> None:
        """Take in one more call."""
        known = self._known.get(sample.family, Calibration.first(sample.family))
        self._known[sample.family] = known.learn(sample.size, sample.tokens)


class LocalBudgets:
    """Budgets as long as the process lives, without days.

    Attributes:
        calls: every call that was settled.
    """

    def __init__(self, caps: Caps) -> None:
        self.calls: list[CallRecord] = []
        self._caps = caps
        self._spent: defaultdict[Account, Amount] = defaultdict(Amount)
        self._reserved: defaultdict[Account, Amount] = defaultdict(Amount)
        self._open: set[int] = set()
        self._ids = count(1)

    async def reserve(self, payer: Payer, amount: Amount) -> Reservation:
        """Set a part aside in every scope of the payer, or in none.

        Raises:
            OverBudget: a cap would be exceeded.
        """
        self._caps.require_request(amount)
        for standing in await self.standing(payer):
            standing.require(amount)
        for account in accounts(payer):
            self._reserved[account] += amount
        reservation = Reservation(next(self._ids), payer, amount)
        self._open.add(reservation.id)
        return reservation

    async def settle(self, reservation: Reservation, call: CallRecord) -> None:
        """Put what a call took in place of what was set aside for it; settled again, nothing changes."""
        if reservation.id not in self._open:
            return
        self._open.remove(reservation.id)
        for account in accounts(reservation.payer):
            self._reserved[account] -= reservation.amount
            self._spent[account] += Amount.of(call.usage.total, call.cost)
        self.calls.append(call)

    async def standing(self, payer: Payer) -> tuple[Standing, ...]:
        """Where the payer's budgets stand, in the order of the scopes."""
        return tuple(
            Standing(
                account.scope, self._spent[account], self._reserved[account], self._caps.of(account.scope)
            )
            for account in accounts(payer)
        )


class NoFiles:
    """A diff of which only the text is known."""

    cheap_reads = 0

    async def read(self, path: str) -> bytes | None:  # noqa: ARG002 - the port's signature
        """None."""
        return None
