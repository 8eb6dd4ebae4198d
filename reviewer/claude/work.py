"""One batch's state over all its calls: what was told, what was spent, and what could not be reviewed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from reviewer.core.batches import Batch
from reviewer.core.events import Usage
from reviewer.core.findings import ReportedFinding
from reviewer.core.stream import Element, InvalidElement
from reviewer.errors import EngineError
from reviewer.ports import BatchDone, Malformed, Progress, Reported, Retrying, Sample, Task, Tell

PROGRESS_SECONDS = 0.5
_CHARACTERS_PER_TOKEN = 3  # for progress only; usage comes from the server

UNCERTAIN = "calls that ended without telling their usage, each charged at the most it can have cost: {}"


class _Told:
    """What has been told, so that no try repeats it.

    One answer may say two things about one line. A later try that says anything of the same kind about a line
    spoken of before says the same again in other words, unless it has said that in the same words too.
    """

    def __init__(self) -> None:
        self._before: set[tuple[object, ...]] = set()
        self._now: set[tuple[object, ...]] = set()
        self._repeated: set[tuple[object, ...]] = set()
        self._exact: set[tuple[object, ...]] = set()

    def next_try(self) -> None:
        self._before |= self._now
        self._now, self._repeated = set(), set()

    def is_new(self, finding: ReportedFinding) -> bool:
        about = (finding.path, finding.side, finding.line, finding.category)
        exact = (*about, finding.title)
        if exact in self._exact:
            self._repeated.add(about)
            return False
        if about in self._before and about not in self._repeated:
            return False
        self._now.add(about)
        self._exact.add(exact)
        return True


class Work:
    """A batch under review.

    Attributes:
        tries: calls begun so far.
        progress_due: when, by the loop's clock, progress may be told again.
    """

    def __init__(self, task: Task, tell: Tell) -> None:
        self.task = task
        self.tries = 0
        self._tell = tell
        self._began = asyncio.get_running_loop().time()
        self.progress_due = self._began + PROGRESS_SECONDS
        self._told = _Told()
        self._first_token: float | None = None
        self._usage = Usage()
        self._costs: list[float] = []
        self._samples: list[Sample] = []
        self._uncertain = 0
        self._failed: dict[str, EngineError] = {}
        self._by_fallback: set[str] = set()

    def begin_try(self) -> None:
        """Another call begins."""
        self.tries += 1
        self._told.next_try()

    async def report(self, elements: Sequence[Element], source: str) -> None:
        """Tell the findings that are new, and what is none."""
        for element in elements:
            if isinstance(element, InvalidElement):
                await self._tell(Malformed(element.reason))
            elif self._told.is_new(element):
                await self._tell(Reported(element, source))

    async def progress(self, written: int, now: float) -> None:
        """Tell how far the answer is, twice a second at most."""
        self.progress_due = now + PROGRESS_SECONDS
        await self._tell(Progress(written // _CHARACTERS_PER_TOKEN))

    async def again(self, reason: str, model: str, *, wait: float = 0.0) -> None:
        """Tell that `model` is asked once more, and why."""
        await self._tell(Retrying(self.tries, wait, reason, model))

    def wrote(self, now: float) -> None:
        """The first token of a try has come."""
        if self._first_token is None:
            self._first_token = round(now - self._began, 3)

    def spend(self, usage: Usage, cost: float | None, *, certain: bool) -> None:
        """A call has been settled."""
        self._usage += usage
        self._uncertain += not certain
        if cost is not None:
            self._costs.append(cost)

    def learn(self, sample: Sample) -> None:
        """A finished call says what its prompt took."""
        self._samples.append(sample)

    def answered_by_fallback(self, part: Batch) -> None:
        """The fallback model has answered for a part."""
        self._by_fallback.update(chunk.id for chunk in part.chunks)

    def fail(self, part: Batch, error: EngineError) -> None:
        """A part can't be reviewed."""
        self._failed.update((chunk.id, error) for chunk in part.chunks)

    def done(self) -> BatchDone:
        """What became of the batch."""
        notes = (UNCERTAIN.format(self._uncertain),) if self._uncertain else ()
        return BatchDone(
            usage=self._usage,
            cost=sum(self._costs) if self._costs else None,
            time_to_first_token=self._first_token,
            notes=notes,
            samples=tuple(self._samples),
            failed=self._failed,
            by_fallback=frozenset(self._by_fallback),
        )
