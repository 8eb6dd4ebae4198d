"""The check run that shows a review: opened once, kept up to date beside the work, always ended."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Self

import structlog

from reviewer.errors import ForgeRefused, SluiceError
from reviewer.grace import stop
from reviewer.store.database import Database
from webhooks.github.checks import Checks
from webhooks.intents import Intents, Making
from webhooks.lease import Lease, LeaseLost, Permit
from webhooks.publish.annotations import fifties
from webhooks.publish.checks import queued_check
from webhooks.publish.values import AGAIN, STOP, Annotation, CheckOutput
from webhooks.records import Review, close_review, remember_check_run

CHECK_NAME = "Sluice"
INTENT = "check"

_SHOW_SECONDS = 5.0  # GitHub lets an installation write once a second, and has other reviews to show
_STOPPING = [STOP.as_json()]
_AGAIN = [AGAIN.as_json()]

_log = structlog.get_logger("sluice.check")


class CheckRuns:
    """The check runs of reviews."""

    def __init__(
        self, database: Database, intents: Intents, checks: Checks, *, public_url: str | None
    ) -> None:
        self._database = database
        self._intents = intents
        self._checks = checks
        self._public_url = public_url

    def page(self, review: Review) -> str | None:
        """Where people follow a review."""
        return f"{self._public_url}/r/{review.id}" if self._public_url else None

    async def open(self, lease: Lease, review: Review, output: CheckOutput) -> int:
        """The check run's id; it is made if there is none.

        Raises:
            LeaseLost: the run has no say any more.
            ForgeError: see `Intents.once`.
        """
        where = (review.installation, review.repository)

        async def look() -> int | None:
            found = await self._checks.of_commit(*where, review.head_sha, CHECK_NAME)
            return next((each.id for each in found if each.external_id == review.id), None)

        async def send(permit: Permit) -> int:
            return await self._checks.create(
                *where,
                name=CHECK_NAME,
                head_sha=review.head_sha,
                details_url=self.page(review),
                external_id=review.id,
                status="queued",
                output=output.output,
                actions=_STOPPING,
                fence=permit.use,
            )

        made = await self._intents.once(lease, Making(INTENT, look, send))
        async with self._database.connection() as connection:
            await remember_check_run(connection, review.id, made)
        return made

    async def show(self, lease: Lease, review: Review, check_run: int, output: CheckOutput) -> None:
        """Say how the review stands.

        Raises:
            LeaseLost: the run has no say any more.
            ForgeError: GitHub did not take it.
        """
        await self._update(lease, review, check_run, output, conclusion=None)

    async def close(
        self, lease: Lease, review: Review, verdict: CheckOutput, remarks: Sequence[Annotation]
    ) -> None:
        """Bring the check run to the end that the verdict names; a review without one needs no end.

        Raises:
            LeaseLost: as above.
            ForgeError: GitHub could not be asked; somebody has to come again.
        """
        check_run = review.check_run
        try:
            if check_run is None:
                check_run = await self.open(lease, review, verdict)
            found = await self._checks.read(review.installation, review.repository, check_run)
            if not (found.status == "completed" and found.conclusion == verdict.conclusion):
                await self._complete(
                    lease, review, check_run, verdict, fifties(remarks, found.annotations_count)
                )
        except ForgeRefused as error:  # deleted, or no permission: whoever comes again meets the same
            _log.warning("the check run can't be closed", review=review.id, reason=str(error))
        async with self._database.connection() as connection:
            await close_review(connection, review.id)

    async def _complete(
        self,
        lease: Lease,
        review: Review,
        check_run: int,
        verdict: CheckOutput,
        batches: Sequence[Sequence[Annotation]],
    ) -> None:
        conclusion = verdict.conclusion or "neutral"
        try:
            for batch in batches[:-1]:
                await self._update(lease, review, check_run, verdict, conclusion=None, remarks=batch)
            last = batches[-1] if batches else ()
            await self._update(lease, review, check_run, verdict, conclusion=conclusion, remarks=last)
        except ForgeRefused as error:
            if error.status != 422 or not batches:
                raise
            # The table tells what they would have, and an end matters more
            _log.warning("annotations were refused", review=review.id, reason=str(error))
            await self._update(lease, review, check_run, verdict, conclusion=conclusion)

    async def _update(
        self,
        lease: Lease,
        review: Review,
        check_run: int,
        output: CheckOutput,
        *,
        conclusion: str | None,
        remarks: Sequence[Annotation] = (),
    ) -> None:
        await self._checks.update(
            review.installation,
            review.repository,
            check_run,
            status="in_progress" if conclusion is None else "completed",
            output=output.output,
            conclusion=conclusion,
            annotations=[remark.as_json() for remark in remarks],
            actions=_STOPPING if conclusion is None else _AGAIN,
            fence=lease.permit(self._database).use,
        )


class LiveCheck:
    """Shows on GitHub how a run stands, beside it: the newest word at most every few seconds.

    Whatever goes wrong here is logged, and the review goes on: the end of the check run is somebody else's.
    """

    def __init__(self, check_runs: CheckRuns, lease: Lease, review: Review) -> None:
        self._check_runs = check_runs
        self._lease = lease
        self._review = review
        self._check_run = review.check_run
        self._word: CheckOutput | None = None
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name=f"check run of {self._review.id}")
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._task is not None:
            await stop(self._task)

    def say(self, output: CheckOutput) -> None:
        """What is to be shown from now on."""
        self._word = output
        self._news.set()

    async def leave(self, output: CheckOutput) -> None:
        """Say the last word of this run, and wait until it is on GitHub or can't be put there."""
        await self.__aexit__()
        await self._guarded(output)

    async def _run(self) -> None:
        await self._guarded(None)
        while True:
            await self._news.wait()
            self._news.clear()
            await self._guarded(self._word)
            await asyncio.sleep(_SHOW_SECONDS)

    async def _guarded(self, word: CheckOutput | None) -> None:
        """Open the check run if need be, and show a word if there is one."""
        try:
            if self._check_run is None:
                first = queued_check(None)
                self._check_run = await self._check_runs.open(self._lease, self._review, first)
            if word is not None:
                await self._check_runs.show(self._lease, self._review, self._check_run, word)
        except LeaseLost:
            return  # the run itself finds out at its next event
        except SluiceError as error:
            _log.warning("the check run can't be shown", review=self._review.id, reason=str(error))


def verdict_json(verdict: CheckOutput, remarks: Sequence[Annotation] = ()) -> dict[str, Any]:
    """A verdict and its annotations, for the database."""
    return {**verdict.as_record(), "annotations": [remark.as_record() for remark in remarks]}


def verdict_of(record: dict[str, Any]) -> tuple[CheckOutput, tuple[Annotation, ...]]:
    """What `verdict_json` gave."""
    remarks = tuple(Annotation(**remark) for remark in record["annotations"])
    return CheckOutput.from_record(record), remarks
