"""Reviews: https://docs.github.com/en/rest/pulls/reviews."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from webhooks.github import people
from webhooks.github.client import GitHub
from webhooks.github.transport import Fence


@dataclass(frozen=True, slots=True)
class PostedReview:
    """A review that stands on a pull request.

    Attributes:
        author: login, which for an app is `<slug>[bot]`.
        state: such as COMMENTED; PENDING ones are shown only to who wrote them.
        commit_id: the head that it was written for; GitHub may have dropped it.
    """

    id: int
    html_url: str
    body: str
    author: str
    by_bot: bool
    state: str
    commit_id: str | None

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> PostedReview:
        """From GitHub's JSON."""
        author, by_bot = people.read(item.get("user"))
        return cls(
            id=int(item["id"]),
            html_url=item["html_url"],
            body=item.get("body") or "",
            author=author,
            by_bot=by_bot,
            state=item.get("state") or "",
            commit_id=item.get("commit_id"),
        )


class Reviews:
    """What Sluice does with reviews."""

    def __init__(self, github: GitHub) -> None:
        self._github = github

    async def listing(self, installation: int, repository: str, number: int) -> list[PostedReview]:
        """All reviews, or an error: never a part.

        https://docs.github.com/en/rest/pulls/reviews#list-reviews-for-a-pull-request
        """
        pages = self._github.pages(installation, _path(repository, number))
        return [PostedReview.of(item) async for page in pages for item in page]

    async def create(
        self,
        installation: int,
        repository: str,
        number: int,
        *,
        commit_id: str,
        body: str,
        comments: Sequence[Mapping[str, Any]],
        fence: Fence | None = None,
    ) -> PostedReview:
        """Post a review that neither approves nor blocks, with comments as GitHub wants them; all or nothing.

        https://docs.github.com/en/rest/pulls/reviews#create-a-review-for-a-pull-request
        """
        made = await self._github.write(
            installation,
            "POST",
            _path(repository, number),
            {
                "commit_id": commit_id,
                "body": body,
                "event": "COMMENT",
                "comments": list(comments),
            },
            fence=fence,
        )
        return PostedReview.of(made)

    async def discard_pending(
        self, installation: int, repository: str, number: int, *, fence: Fence | None = None
    ) -> int:
        """Delete our reviews that were never submitted, which keep GitHub from taking others; gives how many.

        https://docs.github.com/en/rest/pulls/reviews#delete-a-pending-review-for-a-pull-request
        """
        found = await self.listing(installation, repository, number)
        pending = [review.id for review in found if review.state == "PENDING"]
        for review in pending:
            path = f"{_path(repository, number)}/{review}"
            await self._github.write(installation, "DELETE", path, fence=fence)
        return len(pending)


def _path(repository: str, number: int) -> str:
    return f"/repos/{repository}/pulls/{number}/reviews"
