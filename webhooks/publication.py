"""A review's findings onto its pull request: each is said once, whatever happened before or meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

import structlog

from reviewer.core.diff import Diff
from reviewer.core.findings import Finding
from reviewer.errors import ForgeRefused
from reviewer.job import Outcome
from webhooks.github.app import AppRoutes
from webhooks.github.client import GitHub
from webhooks.github.comments import Comments
from webhooks.github.reviews import PostedReview, Reviews
from webhooks.intents import Intent, Intents, Making, SaidBefore
from webhooks.lease import Lease, Permit
from webhooks.policy import Rules
from webhooks.publish import checks, marks, plan, render, standing
from webhooks.publish.standing import Standing
from webhooks.publish.values import FileComment, Said, Wave
from webhooks.records import Review
from webhooks.settling import Doubts

MOST_SENDS = 3
"""A wave is sent, and after a refusal sent again at most twice."""

MOST_NOTES = 20
"""Comments marked as gone in one run at most: each is a write, and the next push marks more."""

_log = structlog.get_logger("sluice.publication")


@dataclass(slots=True)
class Publication:
    """What has been published of one review by all its runs.

    Attributes:
        urls: of what this run posted.
        comments: on lines and files.
    """

    lease: Lease
    review: Review
    reread: Callable[[], Awaitable[Diff]]
    ours: tuple[Standing, ...]
    said: tuple[SaidBefore, ...]
    waves: int
    urls: list[str] = field(default_factory=list[str])
    comments: int = 0
    in_summary: int = 0

    @property
    def where(self) -> tuple[int, str, int]:
        """Installation, repository and number, as GitHub's routes want them."""
        return self.review.installation, self.review.repository, self.review.pull_request

    @property
    def shown(self) -> frozenset[str]:
        """Ids of findings that this review has said."""
        return frozenset(each.finding for each in self.said if each.review == self.review.id)

    @property
    def fingerprints(self) -> frozenset[str]:
        """What stands on the pull request, as GitHub shows it and as we remember it: one alone may err."""
        open_ = standing.fingerprints(self.ours)
        gone = {each.fingerprint for each in self.ours} - open_
        return open_ | {each.fingerprint for each in self.said if each.fingerprint not in gone}

    def said_already(self, findings: Sequence[Finding], diff: Diff) -> frozenset[str]:
        """The fingerprints not to be said again, of findings or of what stands.

        What this review has said of one finding hides no other beside it; of one that a later run did not
        find again, it hides the one in its place.
        """
        here = {finding.id for finding in findings}
        elsewhere = {each.fingerprint for each in self.said if each.review != self.review.id}
        beside = {each.fingerprint for each in self.said if each.finding in here} - elsewhere
        ours = [each for each in self.ours if each.fingerprint not in beside]
        repeated = {each.fingerprint for each in findings if standing.repeated(each, ours, self.known, diff)}
        return (self.fingerprints - beside) | repeated

    @property
    def known(self) -> Mapping[str, Said]:
        """What is remembered of each fingerprint."""
        return {each.fingerprint: each for each in self.said}

    def room(self, rules: Rules) -> int:
        """Comments that may still be made."""
        made = [each for each in self.said if each.place != "summary"]
        here = sum(each.review == self.review.id for each in made)
        return max(min(rules.max_comments - here, rules.max_comments_per_pull_request - len(made)), 0)


class Publisher:
    """Publishes reviews."""

    def __init__(
        self,
        *,
        intents: Intents,
        github: GitHub,
        rules: Rules,
        notice: str | None,
    ) -> None:
        self._intents = intents
        self._github = github
        self._app = AppRoutes(github)
        self._reviews = Reviews(github)
        self._comments = Comments(github)
        self._doubts = Doubts(intents, self._reviews, self._comments)
        self._rules = rules
        self._notice = notice
        self._login: str | None = None

    async def open(self, lease: Lease, review: Review, reread: Callable[[], Awaitable[Diff]]) -> Publication:
        """Look at what stands on the pull request, and clear up what is in doubt there.

        Args:
            lease: of the run.
            review: of which findings are to be published.
            reread: gives the diff as it is now, should GitHub refuse a place in the one that was reviewed.

        Raises:
            ForgeError: it can't be known, so nothing may be said.
        """
        where = (review.installation, review.repository, review.pull_request)
        login = await self._own_login()
        intents, said = await self._doubts.settle(review, login)
        resolved = {each.fingerprint for each in said if each.settled}
        ours = standing.standing(await self._comments.listing(*where), login, ())
        mine = [each.place for each in said if each.review == review.id]
        return Publication(
            lease=lease,
            review=review,
            reread=reread,
            ours=tuple(
                replace(each, resolved=each.resolved or each.fingerprint in resolved) for each in ours
            ),
            said=tuple(said),
            waves=sum(each.review == review.id and _is_wave(each) for each in intents),
            comments=sum(place != "summary" for place in mine),
            in_summary=mine.count("summary"),
        )

    async def wave(
        self, publication: Publication, findings: Sequence[Finding], diff: Diff, outcome: Outcome | None
    ) -> None:
        """Say what is new among findings; with the outcome, it is the last time.

        Raises:
            ForgeRefused: GitHub takes nothing at all.
            LeaseLost, ForgeError: as for `Intents.once`.
        """
        wave = plan.wave(
            findings,
            said=publication.said_already(findings, diff),
            shown=publication.shown,
            room=publication.room(self._rules),
            last=outcome is not None,
        )
        if wave.comments or wave.in_summary:
            wave = await self._post(publication, wave, outcome)
        refused = [each for each in wave.file_comments if not await self._post_on_file(publication, each)]
        if refused:
            left = Wave((), (), tuple(each.finding for each in refused), 0)
            await self._post(publication, left, outcome)

    async def mark_gone(
        self,
        publication: Publication,
        findings: Sequence[Finding],
        diff: Diff,
        permit: Callable[[], Permit],
    ) -> None:
        """Mark our older comments whose code is gone; a thread is resolved too where the permission allows.

        What can't be marked now is marked by the next review.
        """
        known, review = publication.known, publication.review
        gone = standing.outlived(publication.ours, known, findings, diff)[:MOST_NOTES]
        if not gone:
            return
        threads = await self._threads(review)
        for each in gone:
            if threads.get(each.id, ("", False))[1]:
                continue
            body = render.resolved_note(each.body, review.head_sha)
            await self._comments.edit(
                review.installation, review.repository, each.id, body, fence=permit().use
            )
            if each.id in threads and await self._may_resolve(review):
                await self._comments.resolve_thread(
                    review.installation, threads[each.id][0], fence=permit().use
                )

    async def _post(self, publication: Publication, wave: Wave, outcome: Outcome | None) -> Wave:
        """One review on GitHub; gives the wave as it was taken."""
        for attempt in range(1, MOST_SENDS + 1):
            try:
                await self._post_once(publication, wave, outcome)
            except ForgeRefused as error:
                if error.status != 422 or attempt == MOST_SENDS or checks.is_locked(str(error)):
                    raise
                _log.warning("a review was refused", review=publication.review.id, reason=str(error))
                wave = await self._mended(publication, wave, error, attempt)
            else:
                return wave
        raise AssertionError("a refusal of the last attempt was passed over")

    async def _mended(self, publication: Publication, wave: Wave, error: ForgeRefused, attempt: int) -> Wave:
        """The wave as it may be taken the next time: nothing of it is lost."""
        if "pending review" in str(error).casefold():
            await self._reviews.discard_pending(*publication.where)
            return wave
        mended, culprits = plan.demoted(wave, await publication.reread())
        return mended if culprits and attempt == 1 else plan.without_lines(wave)

    async def _post_once(self, publication: Publication, wave: Wave, outcome: Outcome | None) -> None:
        review, number = publication.review, publication.waves + 1
        mark = marks.review_mark(review.id, number)
        if outcome is None:
            body = render.wave_body(review.id, number, wave, self._notice)
        else:
            body = await asyncio.to_thread(render.review_body, review.id, number, wave, outcome, self._notice)

        async def look() -> int | None:
            found = await self._reviews.listing(*publication.where)
            return next((each.id for each in found if mark in each.body and each.by_bot), None)

        posted: list[PostedReview] = []

        async def send(permit: Permit) -> int:
            made = await self._reviews.create(
                *publication.where,
                commit_id=review.head_sha,
                body=body,
                comments=[comment.as_json() for comment in wave.comments],
                fence=permit.use,
            )
            posted.append(made)
            return made.id

        said = [
            *(Said.of(comment.finding, "line") for comment in wave.comments),
            *(Said.of(finding, "summary") for finding in wave.in_summary),
        ]
        await self._intents.once(publication.lease, Making(f"wave:{number}", look, send, said))
        publication.waves = number
        publication.comments += len(wave.comments)
        publication.in_summary += len(wave.in_summary)
        publication.urls += [made.html_url for made in posted]
        self._remember(publication, said)

    async def _post_on_file(self, publication: Publication, comment: FileComment) -> bool:
        """One comment on a file; False if GitHub does not take it."""
        review = publication.review
        fingerprint, before = comment.finding.fingerprint, {each.id for each in publication.ours}

        async def look() -> int | None:
            found = standing.standing(
                await self._comments.listing(*publication.where), await self._own_login(), ()
            )
            new = (each for each in found if each.id not in before)
            return next((each.id for each in new if each.fingerprint == fingerprint), None)

        async def send(permit: Permit) -> int:
            made = await self._comments.create_on_file(
                *publication.where,
                commit_id=review.head_sha,
                path=comment.path,
                body=comment.body,
                fence=permit.use,
            )
            return made.id

        said = [Said.of(comment.finding, "file")]
        making = Making(f"file:{comment.finding.id}", look, send, said)
        try:
            await self._intents.once(publication.lease, making)
        except ForgeRefused as error:
            if error.status != 422:
                raise
            _log.warning("a comment on a file was refused", review=review.id, reason=str(error))
            return False
        publication.comments += 1
        self._remember(publication, said)
        return True

    def _remember(self, publication: Publication, said: Sequence[Said]) -> None:
        publication.said += tuple(
            SaidBefore(**asdict(each), review=publication.review.id, settled=False) for each in said
        )

    async def _threads(self, review: Review) -> dict[int, tuple[str, bool]]:
        """By the id of its first comment, a thread's id and whether it is resolved; if it can be had."""
        try:
            found = await self._comments.threads(review.installation, review.repository, review.pull_request)
        except ForgeRefused as error:  # an old GitHub Enterprise Server, or one without GraphQL
            _log.info("threads can't be listed", review=review.id, reason=str(error))
            return {}
        return {each.comment_ids[0]: (each.id, each.resolved) for each in found if each.comment_ids}

    async def _may_resolve(self, review: Review) -> bool:
        return (await self._github.permissions(review.installation)).get("contents") == "write"

    async def _own_login(self) -> str:
        if self._login is None:
            self._login = f"{await self._app.slug()}[bot]"
        return self._login


def _is_wave(intent: Intent) -> bool:
    return intent.key.startswith("wave:") and intent.github_id is not None
