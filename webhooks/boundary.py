"""The jobs' boundary: a run ends its review, whatever happens in it."""

from __future__ import annotations

from typing import Protocol

import structlog

from reviewer.errors import StoreUnavailable
from webhooks.attempts import Again
from webhooks.lease import LeaseLost

MOST_RUNS = 20
"""A review that began so often and never ended takes its workers down."""

_log = structlog.get_logger("sluice.review")


class Run(Protocol):
    """One run of one review."""

    async def perform(self) -> None:
        """Review to the event that ends it."""
        ...

    async def fail(self, reason: str, next_: str) -> None:
        """End the review without a result."""
        ...


async def bounded(run: Run, *, review: str, number: int, next_: str) -> None:
    """Perform a run; a fault of ours ends the review, and so does a review that began too often.

    Args:
        run: not performed yet.
        review: its id.
        number: how many runs of the review have begun, this one included.
        next_: what somebody can do once a fault is mended.

    Raises:
        Again: there must be another run.
        LeaseLost: this one has no say any more.
        StoreUnavailable: nothing can be noted.
    """
    if number > MOST_RUNS:
        await run.fail("it ended its worker again and again", "The log of Sluice says more.")
        return
    try:
        await run.perform()
    except (Again, LeaseLost, StoreUnavailable):
        raise
    except Exception as error:  # noqa: BLE001 - the job's boundary
        _log.exception("review failed by a fault of Sluice", review=review)
        fault = f"a fault of Sluice itself ({type(error).__name__}); its log says more"
        await run.fail(fault, next_)
