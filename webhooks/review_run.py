"""One run of one review: read what is wanted, review it, publish what was found, say how it ended."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import structlog

from reviewer import pipeline
from reviewer.core import merge
from reviewer.core.budget import Payer
from reviewer.core.diff import Diff
from reviewer.core.events import (
    ChunkCompleted,
    ChunkFailed,
    Event,
    FindingMade,
    ReviewFailed,
    ReviewPlanned,
    ReviewPublished,
)
from reviewer.core.findings import Finding, Severity
from reviewer.errors import (
    BadInput,
    EngineError,
    ForgeError,
    ForgeRefused,
    ForgeUnavailable,
    SluiceError,
    StoreUnavailable,
)
from reviewer.grace import beside
from reviewer.job import Job, Outcome, Ports
from reviewer.store.database import Database
from reviewer.store.feed import PostgresFeed
from reviewer.wiring import Reviewer
from webhooks.attempts import Again, Attempt
from webhooks.check_run import CheckRuns, LiveCheck, verdict_json
from webhooks.diffs_kept import KeptDiffs
from webhooks.draws import Draws
from webhooks.github.diffs import PullDiffs
from webhooks.github.pulls import HeadFiles, PullRequest, Pulls
from webhooks.lease import Lease, LeasedFeed, LeaseLost, Permit
from webhooks.news import PullRequestChanged
from webhooks.policy import Rules
from webhooks.publication import Publication, Publisher
from webhooks.publish import checks
from webhooks.publish.annotations import annotate
from webhooks.publish.values import Annotation, CheckOutput
from webhooks.records import Review, end_review, pull_request
from webhooks.wishes import Wishes

_log = structlog.get_logger("sluice.review")


@dataclass(frozen=True, slots=True)
class Means:
    """What runs work with."""

    database: Database
    feed: PostgresFeed
    wishes: Wishes
    pulls: Pulls
    diffs: PullDiffs
    check_runs: CheckRuns
    publisher: Publisher
    reviewer: Reviewer
    ports: Ports
    rules: Rules
    postpone_seconds: float


@dataclass(slots=True)
class _Heard:
    """How far the run has come, by its own events."""

    total: int = 0
    done: set[str] = field(default_factory=set[str])
    findings: list[Finding] = field(default_factory=list[Finding])

    def hear(self, event: Event) -> bool:
        """Take in an event; whether people would see a difference."""
        match event:
            case ReviewPlanned(chunks=chunks):
                self.total = len(chunks)
            case ChunkCompleted(chunk=chunk) | ChunkFailed(chunk=chunk):
                self.done.add(chunk)
            case FindingMade(finding=finding):
                self.findings.append(finding)
            case _:
                return False
        return True

    @property
    def output(self) -> CheckOutput:
        """As the check run shows it."""
        counts = Counter(finding.severity for finding in self.findings)
        worst_first = {severity.value: counts[severity] for severity in Severity}
        return checks.running_check(len(self.done), self.total, worst_first)


class ReviewRun:
    """A run; `perform` it once."""

    def __init__(self, means: Means, review: Review, lease: Lease) -> None:
        self._means = means
        self._review = review
        self._lease = lease
        self._heard = _Heard()
        self._live = LiveCheck(means.check_runs, lease, review)
        self._feed = LeasedFeed(means.database, means.feed, lease, self._hear)

    async def perform(self) -> None:
        """Review the head to the event that ends it.

        Raises:
            Again: it failed in a way that may pass, and this was not the last attempt.
            LeaseLost: something newer is wanted, or another run has taken over.
            StoreUnavailable: nothing can be noted.
        """
        attempt = Attempt(self._review.attempts)
        async with self._live:
            try:
                await self._perform(attempt)
            except StoreUnavailable:
                raise
            except SluiceError as error:
                await self._give_up(error, attempt)

    async def fail(self, reason: str, next_: str) -> None:
        """End the review without a result.

        Raises:
            LeaseLost: as above.
        """
        await self._end(ReviewFailed(reason=reason, next=next_), checks.failed_check(reason, next_))

    async def _perform(self, attempt: Attempt) -> None:
        diff = await self._read_diff()
        await KeptDiffs(self._means.database).keep(self._review.id, diff)
        job = await self._job(diff)
        async with self._publishing(diff):
            outcome = await pipeline.review(job, replace(self._means.ports, feed=self._feed))
        if outcome.unfinished is not None and not attempt.last:
            await self._postpone(outcome, outcome.unfinished, attempt)
        if outcome.unreviewed is not None:
            raise outcome.unreviewed
        rules, url, notice = self._means.rules, self._means.check_runs.page(self._review), self._notice
        try:
            await self._publish(diff, outcome)
        except ForgeRefused as error:
            await self._follow_move()
            reason = str(error)
            verdict = await asyncio.to_thread(checks.unpublished_check, outcome, rules, reason, url, notice)
            next_ = "The findings stand in the check run. " + checks.remedy(reason)
            failed = ReviewFailed(reason=f"the comments could not be posted: {reason}", next=next_)
            await self._end(failed, verdict, self._remarks(outcome))
            return
        # Thousands of findings make long tables
        verdict = await asyncio.to_thread(checks.check, outcome, rules, url, notice)
        await self._end(outcome.completed(), verdict, self._remarks(outcome))

    async def _still_wanted(self) -> PullRequest:
        """The pull request as it stands, if its head is the one under review.

        Raises:
            LeaseLost: it is not.
            Again: GitHub does not show the head yet.
        """
        review, means = self._review, self._means
        pull = await means.pulls.pull_request(review.installation, review.repository, review.pull_request)
        async with means.database.connection() as connection:
            await means.wishes.take(connection, [PullRequestChanged("read", pull.facts, read=True)])
        async with means.database.connection() as connection:
            await self._lease.hold(connection)
        if pull.facts.head_sha != review.head_sha:
            raise ForgeUnavailable(f"GitHub does not show the commit {review.head_sha[:12]} yet")
        return pull

    async def _job(self, diff: Diff) -> Job:
        """What to review, by the models that the review has drawn."""
        review, means = self._review, self._means
        drawn = await Draws(means.database, means.reviewer, means.ports.rates).settled(review.id)
        return Job(
            subject=review.subject,
            diff=diff,
            sources=HeadFiles(means.pulls, review.installation, review.repository, review.head_sha),
            limits=drawn.limits,
            models=drawn.models,
            payer=Payer(review.id, review.installation),
            policy=means.reviewer.policy,
            notice=self._notice,
            concurrency=means.reviewer.concurrency,
        )

    @asynccontextmanager
    async def _publishing(self, diff: Diff) -> AsyncGenerator[None]:
        """Publish what has been found every so often while the block runs, if the rules say so."""
        if not self._means.rules.publish_seconds:
            yield
            return
        async with beside(self._publish_by_and_by(diff), f"publish {self._review.id}"):
            yield

    async def _publish_by_and_by(self, diff: Diff) -> None:
        publication: Publication | None = None
        while True:
            await asyncio.sleep(self._means.rules.publish_seconds)
            try:
                await self._still_wanted()
                publication = publication or await self._open()
                await self._means.publisher.wave(publication, merge.rank(self._heard.findings), diff, None)
            except LeaseLost:
                return  # the run itself finds out at its next event
            except SluiceError as error:
                _log.warning("a wave was not posted", review=self._review.id, reason=str(error))
                publication = None

    async def _publish(self, diff: Diff, outcome: Outcome) -> None:
        """What is new, for the last time; and the marks on what is gone."""
        await self._still_wanted()
        publisher = self._means.publisher
        publication = await self._open()
        await publisher.wave(publication, outcome.findings, diff, outcome)
        event = ReviewPublished(
            urls=publication.urls, comments=publication.comments, in_summary=publication.in_summary
        )
        await self._feed.append(self._review.subject, [event])
        try:
            await publisher.mark_gone(publication, outcome.findings, diff, self._permit)
        except ForgeError as error:
            _log.warning("comments could not be marked", review=self._review.id, reason=str(error))

    async def _open(self) -> Publication:
        return await self._means.publisher.open(self._lease, self._review, self._read_diff)

    async def _read_diff(self) -> Diff:
        """The diff of the head, while it is wanted."""
        pull = await self._still_wanted()
        return await self._means.diffs.read(self._review.installation, self._review.repository, pull)

    def _permit(self) -> Permit:
        return self._lease.permit(self._means.database)

    async def _postpone(self, outcome: Outcome, error: EngineError, attempt: Attempt) -> None:
        """Put the review off; what is finished is kept, and nothing more is published yet."""
        event = attempt.postponement(outcome, error, first_for_model=self._means.postpone_seconds)
        _log.warning("review postponed", review=self._review.id, seconds=event.wait, reason=event.reason)
        await self._feed.append(self._review.subject, [event])
        shown = checks.postponed_check(event.reason, event.wait, event.chunks_done, event.chunks_left)
        await self._live.leave(shown)
        raise Again(event.reason, event.wait) from error

    async def _follow_move(self) -> None:
        """Begin again where the repository belongs to another installation by now: refusals mean nothing."""
        review = self._review
        async with self._means.database.connection() as connection:
            _, known = await pull_request(connection, review.repository_id, review.pull_request)
        if any(each.id == review.id and each.installation != review.installation for each in known):
            raise Again("the repository belongs to another installation now", 0.0)

    async def _give_up(self, error: SluiceError, attempt: Attempt) -> None:
        if isinstance(error, ForgeRefused):
            await self._follow_move()
        if error.retryable and not attempt.last:
            _log.warning("review will be tried again", review=self._review.id, reason=str(error))
            wait = attempt.wait(error, first_for_model=self._means.postpone_seconds)
            raise Again(str(error), wait) from error
        next_ = "Push again when that is mended, or choose `Review again`."
        if isinstance(error, BadInput):
            next_ = "Sluice can't read this change; nothing of it was reviewed."
        _log.error("review failed", review=self._review.id, reason=str(error))
        await self.fail(str(error), next_)

    async def _end(self, event: Event, verdict: CheckOutput, remarks: tuple[Annotation, ...] = ()) -> None:
        async with self._means.database.connection() as connection, connection.pipeline():
            await self._lease.hold(connection)
            await end_review(connection, self._review.id, self._lease.run, verdict_json(verdict, remarks))
            await self._means.feed.append_on(connection, self._review.subject, [event])
            await connection.commit()

    def _remarks(self, outcome: Outcome) -> tuple[Annotation, ...]:
        rules = self._means.rules
        return annotate(outcome.findings, rules.fail_on) if rules.annotations else ()

    def _hear(self, event: Event) -> None:
        if self._heard.hear(event):
            self._live.say(self._heard.output)

    @property
    def _notice(self) -> str | None:
        return self._means.reviewer.notice
