"""What became of what was in doubt: whatever was about to be made on a pull request when something broke."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from reviewer.errors import ForgeUnavailable
from webhooks.github.comments import Comments, PostedComment
from webhooks.github.reviews import PostedReview, Reviews
from webhooks.intents import SETTLING_SECONDS, Intent, Intents, SaidBefore
from webhooks.publish import marks, standing
from webhooks.records import Review

LONGEST_LAG_SECONDS = 600.0
"""What a listing still lacks after so long is not late, but gone."""


class Doubts:
    """Looks on GitHub for what intents without an answer were to make."""

    def __init__(self, intents: Intents, reviews: Reviews, comments: Comments) -> None:
        self._intents = intents
        self._reviews = reviews
        self._comments = comments

    async def settle(self, review: Review, own_login: str) -> tuple[list[Intent], list[SaidBefore]]:
        """All intents of the review's pull request, none in doubt, and what is said on it.

        Raises:
            ForgeUnavailable: GitHub's listing lacks what surely stands there, so it proves nothing.
            ForgeError: GitHub can't be asked.
        """
        where = (review.installation, review.repository, review.pull_request)
        key = (review.repository_id, review.pull_request)
        intents, said = await self._intents.of_pull_request(*key)
        doubtful = [each for each in intents if each.github_id is None]
        if doubtful:
            youngest = min(each.age for each in doubtful)
            await asyncio.sleep(max(SETTLING_SECONDS - youngest, 0.0))
        listed = await self._reviews.listing(*where)
        _require_whole(listed, intents)
        if not doubtful:
            return intents, said
        waves = {
            found: each.id
            for each in listed
            if each.by_bot and each.author == own_login and (found := marks.wave_in(each.body))
        }
        known = {each.github_id for each in intents}
        on_files = {
            each.fingerprint: each.id
            for each in standing.standing(_on_files(await self._comments.listing(*where)), own_login, ())
            # What another intent made, or what was called gone, is another comment that says the same
            if each.id not in known and not marks.is_resolved_note(each.body)
        }
        prints = await self._intents.fingerprints(doubtful)
        for each in doubtful:
            kind, _, name = each.key.partition(":")
            if kind == "wave":
                found = waves.get((each.review, int(name)))
            else:
                found = next(
                    (on_files[p] for p in prints.get((each.review, each.key), ()) if p in on_files), None
                )
            await self._intents.settle(each, found)
        return await self._intents.of_pull_request(*key)


def _on_files(comments: Sequence[PostedComment]) -> list[PostedComment]:
    return [each for each in comments if each.subject_type == "file"]


def _require_whole(listed: Sequence[PostedReview], intents: Sequence[Intent]) -> None:
    """Refuse a listing without reviews that were posted: nobody can delete one through the API."""
    shown = {each.id for each in listed}
    missing = [
        each
        for each in intents
        if each.key.startswith("wave:")
        and each.github_id is not None
        and each.github_id not in shown
        and each.age < LONGEST_LAG_SECONDS
    ]
    if missing:
        raise ForgeUnavailable(
            f"GitHub's list of reviews lacks {len(missing)} that were posted; what it shows proves nothing"
        )
