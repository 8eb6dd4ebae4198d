"""One pull request's run, in plain order: read what is wanted, review, publish, close."""

from __future__ import annotations

from dataclasses import dataclass, replace

import structlog

from reviewer import pipeline
from reviewer.core.budget import Payer
from reviewer.core.events import (
    Event,
    ReviewFailed,
    ReviewPostponed,
    ReviewPublished,
    ReviewSuperseded,
    Subject,
)
from reviewer.core.plan import Limits
from reviewer.core.routing import Models
from reviewer.core.tokens import Estimator
from reviewer.errors import BadInput, EngineError, ForgeError, SluiceError
from reviewer.job import Job, Outcome, Ports
from reviewer.store.database import Database
from reviewer.store.feed import PostgresFeed
from reviewer.wiring import Reviewer
from webhooks.attempts import Again, Attempt
from webhooks.github.diffs import PullDiffs
from webhooks.github.pulls import HeadFiles, PullRequest, Pulls
from webhooks.publish import plan, render
from webhooks.publish.render import CheckOutput
from webhooks.records import (
    Review,
    open_review,
    remember_check_run,
    remember_github_review,
    settle_model,
    settle_rate,
    unfinished_reviews,
    wanted_head,
)

CHECK_NAME = "Sluice"

_log = structlog.get_logger("sluice.review")


@dataclass(frozen=True, slots=True)
class _Run:
    review: Review
    subject: Subject
    check: int | None


def _subject(review: Review) -> Subject:
    return Subject(
        review=review.id,
        repository=review.repository,
        pull_request=review.pull_request,
        head_sha=review.head_sha,
    )


class PullReviews:
    """Reviews pull requests."""

    def __init__(
        self,
        *,
        database: Database,
        feed: PostgresFeed,
        pulls: Pulls,
        diffs: PullDiffs,
        reviewer: Reviewer,
        ports: Ports,
        public_url: str | None,
        postpone_seconds: float,
    ) -> None:
        self._database = database
        self._feed = feed
        self._pulls = pulls
        self._diffs = diffs
        self._reviewer = reviewer
        self._ports = ports
        self._public_url = public_url
        self._postpone_seconds = postpone_seconds

    async def run(self, repository: str, number: int, attempt: Attempt) -> None:
        """Review the newest wanted head of a pull request.

        Raises:
            Again: it failed in a way that may pass, and this was not the last attempt.
        """
        async with self._database.connection() as connection:
            head = await wanted_head(connection, repository, number)
            if head is None:
                return
            review = await open_review(connection, head)
        if review.github_review is not None:
            return
        await self._end_older(review)
        subject = _subject(review)
        check = review.check_run
        try:
            if check is None:
                check = await self._open_check(review)
            await self._review(_Run(review, subject, check), attempt)
        except Again:
            raise
        except SluiceError as error:
            await self._give_up(_Run(review, subject, check), error, attempt)
        except Exception as error:  # noqa: BLE001 - the job's boundary: the review ends, whatever happens
            _log.exception("review failed by a fault of Sluice", review=review.id)
            fault = SluiceError(f"a fault of Sluice itself ({type(error).__name__}); its log says more")
            await self._give_up(_Run(review, subject, check), fault, attempt)

    async def _end_older(self, newest: Review) -> None:
        """End what older heads of the pull request have left unfinished, such as a postponed review."""
        async with self._database.connection() as connection:
            older = await unfinished_reviews(connection, newest)
        for review in older:
            subject = _subject(review)
            run = _Run(review, subject, review.check_run)
            try:
                await self._close_check(run, render.superseded_check(newest.head_sha))
            except ForgeError as error:
                _log.warning("an older check run could not be closed", review=review.id, reason=str(error))
            await self._say(subject, ReviewSuperseded(by=newest.head_sha))

    async def _review(self, run: _Run, attempt: Attempt) -> None:
        review = run.review
        outcome = await pipeline.review(await self._job(run), self._ports)
        if outcome.unfinished is not None and not attempt.last:
            await self._postpone(run, outcome, outcome.unfinished, attempt)
        if outcome.unreviewed is not None:
            raise outcome.unreviewed
        pull_request = await self._pull_request(review)
        if pull_request.head_sha != review.head_sha:
            await self._say(run.subject, ReviewSuperseded(by=pull_request.head_sha))
            await self._close_check(run, render.superseded_check(pull_request.head_sha))
            return
        await self._publish(run, outcome)
        notice = self._reviewer.notice
        await self._close_check(run, render.check(outcome, self._page(review), notice))
        await self._say(run.subject, outcome.completed())

    async def _job(self, run: _Run) -> Job:
        """What to review: the diff of the wanted head, by the models that the review has drawn."""
        review = run.review
        pull_request = await self._pull_request(review)
        changes = await self._diffs.read(review.installation, review.repository, pull_request)
        async with self._database.connection() as connection:
            drawn = self._reviewer.models(review.id).main
            models = self._reviewer.with_main(await settle_model(connection, review.id, drawn))
        return Job(
            subject=run.subject,
            diff=changes,
            sources=HeadFiles(self._pulls, review.installation, review.repository, review.head_sha),
            limits=await self._limits(review, models),
            models=models,
            payer=Payer(review.id, review.installation),
            policy=self._reviewer.policy,
            notice=self._reviewer.notice,
            concurrency=self._reviewer.concurrency,
        )

    async def _postpone(self, run: _Run, outcome: Outcome, error: EngineError, attempt: Attempt) -> None:
        """Put the review back into the queue; what is finished is kept, and nothing is published yet."""
        wait = attempt.wait(error, first_for_model=self._postpone_seconds)
        left = len(outcome.errors)
        done = len(outcome.plan.chunks) - left
        _log.warning("review postponed", review=run.review.id, seconds=wait, reason=str(error))
        event = ReviewPostponed(reason=str(error), wait=wait, chunks_done=done, chunks_left=left)
        await self._say(run.subject, event)
        output = render.postponed_check(str(error), wait, done, left)
        try:
            await self._describe_check(run, output)
        except ForgeError as also:
            _log.warning("the check run could not be described", review=run.review.id, reason=str(also))
        raise Again(str(error), wait) from error

    async def _limits(self, review: Review, models: Models) -> Limits:
        """The limits at the rate that calls so far have taught; a review keeps it over all its runs."""
        known = await self._ports.rates.read(self._reviewer.family(models.main))
        async with self._database.connection() as connection:
            rate = await settle_rate(connection, review.id, known.estimator.bytes_per_token)
        return replace(self._reviewer.limits, estimator=Estimator(rate))

    async def _publish(self, run: _Run, outcome: Outcome) -> None:
        """One review on the pull request, once: what stands there is looked at before anything is sent."""
        review = run.review
        where = (review.installation, review.repository, review.pull_request)
        mark = render.review_mark(review.id)
        posted = [p for p in await self._pulls.reviews(*where) if mark in p.body]
        standing = await self._pulls.review_comments(*where)
        said = render.fingerprints_in(c.body for c in standing if not posted or c.review != posted[0].id)
        publication = plan.plan(outcome.findings, said, max_comments=self._reviewer.policy.max_comments)
        if not posted:
            body = render.review_body(review.id, outcome, publication.in_summary, self._reviewer.notice)
            made = await self._pulls.create_review(
                *where, commit_id=review.head_sha, body=body, comments=publication.comments
            )
            posted = [made]
        async with self._database.connection() as connection:
            await remember_github_review(connection, review.id, posted[0].id)
        event = ReviewPublished(
            urls=[posted[0].html_url],
            comments=len(publication.comments),
            in_summary=len(publication.in_summary),
        )
        await self._say(run.subject, event)

    async def _give_up(self, run: _Run, error: SluiceError, attempt: Attempt) -> None:
        if error.retryable and not attempt.last:
            _log.warning("review will be tried again", review=run.review.id, reason=str(error))
            raise Again(str(error), attempt.wait(error, first_for_model=self._postpone_seconds)) from error
        next_ = "Push again when that is mended."
        if isinstance(error, BadInput):
            next_ = "Sluice can't read this change; nothing of it was reviewed."
        _log.error("review failed", review=run.review.id, reason=str(error))
        await self._say(run.subject, ReviewFailed(reason=str(error), next=next_))
        try:
            await self._close_check(run, render.failed_check(str(error), next_))
        except ForgeError as also:
            _log.error("the check run could not be closed", review=run.review.id, reason=str(also))

    async def _open_check(self, review: Review) -> int:
        made = await self._pulls.create_check_run(
            review.installation,
            review.repository,
            name=CHECK_NAME,
            head_sha=review.head_sha,
            details_url=self._page(review),
            external_id=review.id,
        )
        async with self._database.connection() as connection:
            await remember_check_run(connection, review.id, made)
        return made

    async def _describe_check(self, run: _Run, output: CheckOutput) -> None:
        if run.check is not None:
            await self._pulls.describe_check_run(
                run.review.installation,
                run.review.repository,
                run.check,
                title=output.title,
                summary=output.summary,
            )

    async def _close_check(self, run: _Run, output: CheckOutput) -> None:
        if run.check is None or output.conclusion is None:
            return
        await self._pulls.complete_check_run(
            run.review.installation,
            run.review.repository,
            run.check,
            conclusion=output.conclusion,
            title=output.title,
            summary=output.summary,
        )

    async def _pull_request(self, review: Review) -> PullRequest:
        return await self._pulls.pull_request(review.installation, review.repository, review.pull_request)

    async def _say(self, subject: Subject, event: Event) -> None:
        await self._feed.append(subject, [event])

    def _page(self, review: Review) -> str | None:
        return f"{self._public_url}/r/{review.id}" if self._public_url else None
