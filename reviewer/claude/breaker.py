"""Leaves a model alone that keeps failing, so that a dead provider is not asked by every chunk."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager

from reviewer.errors import EngineError, EnginePaused, NotReported, OverBudget

FAILURES_IN_A_ROW = 8
"""So many passing failures without a success between them pause a model: all tries of some chunks."""

FIRST_PAUSE_SECONDS = 15.0
LONGEST_PAUSE_SECONDS = 240.0


class Breaker:
    """The state of one model: asked freely, paused, or tried by a single call after a pause.

    Args:
        clock: seconds that only go forward.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures = 0
        self._pause = FIRST_PAUSE_SECONDS
        self._until = 0.0
        self._trying = False

    @property
    def paused(self) -> float | None:
        """Seconds for which it is left alone, 0 while a single call may try it; None: it is asked freely."""
        if self._failures < FAILURES_IN_A_ROW:
            return None
        return max(self._until - self._clock(), 0.0)

    @contextmanager
    def call(self) -> Generator[None]:
        """One call to the model within the block.

        Raises:
            EnginePaused: it is not asked.
        """
        trying = self._enter()
        try:
            yield
        except EngineError as error:
            # A final error comes from a provider that is well; words and an empty purse say nothing of it
            if error.retryable:
                self._failed(trying=trying)
            elif not isinstance(error, (NotReported, OverBudget)):
                self._succeeded()
            raise
        else:
            self._succeeded()
        finally:
            if trying:
                self._trying = False

    def _enter(self) -> bool:
        """Whether this call is the one that tries whether the model is back."""
        if self._failures < FAILURES_IN_A_ROW:
            return False
        left = self._until - self._clock()
        if left > 0 or self._trying:
            wait = max(left, 1.0)
            raise EnginePaused(
                f"it failed {self._failures} times in a row and is left alone for {wait:.0f} s",
                retry_after=wait,
            )
        self._trying = True
        return True

    def _failed(self, *, trying: bool) -> None:
        self._failures += 1
        # Calls that were under way when the pause began say nothing new
        if self._failures == FAILURES_IN_A_ROW or trying:
            self._until = self._clock() + self._pause
            self._pause = min(self._pause * 2, LONGEST_PAUSE_SECONDS)

    def _succeeded(self) -> None:
        self._failures, self._pause = 0, FIRST_PAUSE_SECONDS
