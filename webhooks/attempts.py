"""How often a job is tried, and how long it waits in between."""

from __future__ import annotations

from dataclasses import dataclass

from reviewer.core.events import ReviewPostponed
from reviewer.errors import EngineError, SluiceError
from reviewer.job import Outcome

MOST_ATTEMPTS = 6
FIRST_WAIT_SECONDS = 5.0

_GROWTH = 4
LONGEST_WAIT_SECONDS = 3_600.0
LONGEST_NAMED_WAIT_SECONDS = 6 * 3_600.0
"""A server may ask for a year; a person waits for the review."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One run of a job.

    Attributes:
        number: 0-based.
    """

    number: int

    @property
    def last(self) -> bool:
        """Whether there is none after it."""
        return self.number + 1 >= MOST_ATTEMPTS

    def wait(self, error: SluiceError, *, first_for_model: float) -> float:
        """Seconds until the next: four times as long each time, and no shorter than a server asked for.

        Args:
            error: why there must be a next.
            first_for_model: the first for a model; one that three tries could not reach is not back soon.
        """
        first = first_for_model if isinstance(error, EngineError) else FIRST_WAIT_SECONDS
        named: float | None = getattr(error, "retry_after", None)
        own = min(first * _GROWTH**self.number, LONGEST_WAIT_SECONDS)
        return max(own, min(named or 0.0, LONGEST_NAMED_WAIT_SECONDS))

    def postponement(
        self, outcome: Outcome, error: EngineError, *, first_for_model: float
    ) -> ReviewPostponed:
        """What to say when a model can't be had for now; what is finished is kept."""
        left = len(outcome.errors)
        return ReviewPostponed(
            reason=str(error),
            wait=self.wait(error, first_for_model=first_for_model),
            chunks_done=len(outcome.plan.chunks) - left,
            chunks_left=left,
        )


class Again(Exception):
    """The job is to be tried again.

    Attributes:
        wait: seconds until then.
    """

    def __init__(self, message: str, wait: float) -> None:
        super().__init__(message)
        self.wait = wait
