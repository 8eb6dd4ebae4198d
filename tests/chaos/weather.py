"""Which trouble comes, from a seed, and how often it came. It decides; others carry it out."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Trouble(StrEnum):
    """What may go wrong; the text is for the table of figures."""

    REFUSED = "GitHub: 502, not acted"
    UNHEARD = "GitHub: acted, then 502"
    LIMITED = "GitHub: secondary limit"
    DISGUISED = "GitHub: limit disguised as 422"
    DROPPED = "GitHub: dropped before acting"
    CUT = "GitHub: acted, then dropped"
    SLOW = "GitHub: slow"
    STALE = "GitHub: stale listing"

    OVERLOADED = "Claude: 529"
    ERROR = "Claude: 500"
    BROKEN = "Claude: cut in mid-stream"
    STALLED = "Claude: stands still"

    LOST = "delivery: lost"
    UNCONFIRMED = "delivery: taken, confirmed to nobody"
    HELD = "delivery: late"
    TWICE = "delivery: twice"
    COPIED = "delivery: twice, under two ids"


GITHUB = (
    Trouble.REFUSED,
    Trouble.UNHEARD,
    Trouble.LIMITED,
    Trouble.DISGUISED,
    Trouble.DROPPED,
    Trouble.CUT,
    Trouble.SLOW,
    Trouble.STALE,
)
CLAUDE = (Trouble.OVERLOADED, Trouble.ERROR, Trouble.BROKEN, Trouble.STALLED)
DELIVERIES = (Trouble.LOST, Trouble.UNCONFIRMED, Trouble.HELD, Trouble.TWICE, Trouble.COPIED)

USUAL: Mapping[Trouble, float] = {
    Trouble.REFUSED: 0.015,
    Trouble.UNHEARD: 0.03,
    Trouble.LIMITED: 0.02,
    Trouble.DISGUISED: 0.01,
    Trouble.DROPPED: 0.015,
    Trouble.CUT: 0.02,
    Trouble.SLOW: 0.05,
    Trouble.STALE: 0.1,
    Trouble.OVERLOADED: 0.06,
    Trouble.ERROR: 0.03,
    Trouble.BROKEN: 0.06,
    Trouble.STALLED: 0.02,
    Trouble.LOST: 0.1,
    Trouble.UNCONFIRMED: 0.08,
    Trouble.HELD: 0.25,
    Trouble.TWICE: 0.1,
    Trouble.COPIED: 0.05,
}
"""The chance of each at one call, with which a review still comes to its end."""


def usual(times: float = 1.0) -> Mapping[Trouble, float]:
    """The usual rates, more or less of them."""
    return {kind: rate * times for kind, rate in USUAL.items()}


@dataclass
class Weather:
    """Draws trouble until it is calm.

    Attributes:
        rates: the chance of each trouble at one call; what is not among them never comes.
        eager: added to the chance of what has never come, so that a short storm has it too.
        came: how often each was drawn.
    """

    seed: int
    rates: Mapping[Trouble, float] = field(default_factory=usual)
    eager: float = 0.0
    came: Counter[Trouble] = field(default_factory=Counter[Trouble])

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)
        self._calm = False

    def calm(self) -> None:
        """From now on nothing goes wrong any more."""
        self._calm = True

    def github(self, *, listing: bool) -> Trouble | None:
        """What happens to a call to GitHub; only a listing can be stale."""
        drawn = self._draw(GITHUB)
        return self._note(None if drawn is Trouble.STALE and not listing else drawn)

    def claude(self) -> Trouble | None:
        """What happens to a request to the model."""
        return self._note(self._draw(CLAUDE))

    def delivery(self) -> Trouble | None:
        """What happens to a delivery on its way."""
        return self._note(self._draw(DELIVERIES))

    def between(self, low: float, high: float) -> float:
        """A number in a range."""
        return self._dice.uniform(low, high)

    def _draw(self, choice: tuple[Trouble, ...]) -> Trouble | None:
        at = self._dice.random()
        for trouble in (kind for kind in choice if kind in self.rates):
            at -= self.rates[trouble] + (0 if self.came[trouble] else self.eager)
            if at < 0:
                return trouble
        return None

    def _note(self, drawn: Trouble | None) -> Trouble | None:
        if drawn is None or self._calm:
            return None
        self.came[drawn] += 1
        return drawn
