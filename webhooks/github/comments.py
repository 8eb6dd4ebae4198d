"""Comments on the lines and files of a pull request, and their threads.

https://docs.github.com/en/rest/pulls/comments; threads are known to GraphQL only:
https://docs.github.com/en/graphql/reference/objects#pullrequestreviewthread
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reviewer.errors import ForgeRefused, ForgeUnavailable
from webhooks.github import people
from webhooks.github.client import GitHub
from webhooks.github.transport import Fence

_PER_PAGE = 50  # larger pages of comments were seen to end in 502

_THREADS = """
query($owner: String!, $name: String!, $number: Int!, $after: String) {
  repository(owner: $owner, name: $name) {
    pullRequest(number: $number) {
      reviewThreads(first: 50, after: $after) {
        pageInfo { hasNextPage endCursor }
        nodes {
          id
          isResolved
          comments(first: 50) { pageInfo { hasNextPage endCursor } nodes { fullDatabaseId } }
        }
      }
    }
  }
}
"""
_MORE_OF_A_THREAD = """
query($thread: ID!, $after: String) {
  node(id: $thread) {
    ... on PullRequestReviewThread {
      comments(first: 100, after: $after) { pageInfo { hasNextPage endCursor } nodes { fullDatabaseId } }
    }
  }
}
"""
_RESOLVE = """
mutation($thread: ID!) {
  resolveReviewThread(input: {threadId: $thread}) { thread { id isResolved } }
}
"""


@dataclass(frozen=True, slots=True)
class PostedComment:
    """A comment that stands on a pull request.

    Attributes:
        review: id of its review.
        line: None once the code under it has changed, and for a comment on a whole file.
        author: login, which for an app is `<slug>[bot]`.
        in_reply_to: id of the first comment of its thread; None: this is the first.
        subject_type: `line` or `file`.
    """

    id: int
    review: int | None
    path: str
    line: int | None
    body: str
    author: str
    by_bot: bool
    side: str
    original_line: int | None
    in_reply_to: int | None
    subject_type: str
    html_url: str
    commit_id: str

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> PostedComment:
        """From GitHub's JSON."""
        author, by_bot = people.read(item.get("user"))
        return cls(
            id=int(item["id"]),
            review=item.get("pull_request_review_id"),
            path=item["path"],
            line=item.get("line"),
            body=item.get("body") or "",
            author=author,
            by_bot=by_bot,
            side=item.get("side") or "RIGHT",
            original_line=item.get("original_line"),
            in_reply_to=item.get("in_reply_to_id"),
            subject_type=item.get("subject_type") or "line",
            html_url=item.get("html_url") or "",
            commit_id=item.get("commit_id") or "",
        )


@dataclass(frozen=True, slots=True)
class Thread:
    """A conversation on a line or file; `comment_ids` are those of `PostedComment`, oldest first."""

    id: str
    resolved: bool
    comment_ids: tuple[int, ...]


class Comments:
    """What Sluice does with comments."""

    def __init__(self, github: GitHub) -> None:
        self._github = github

    async def listing(self, installation: int, repository: str, number: int) -> list[PostedComment]:
        """All comments on lines and files, or an error: never a part.

        https://docs.github.com/en/rest/pulls/comments#list-review-comments-on-a-pull-request
        """
        pages = self._github.pages(installation, _path(repository, number), per_page=_PER_PAGE)
        return [PostedComment.of(item) async for page in pages for item in page]

    async def create_on_file(
        self,
        installation: int,
        repository: str,
        number: int,
        *,
        commit_id: str,
        path: str,
        body: str,
        fence: Fence | None = None,
    ) -> PostedComment:
        """Comment on a whole file of the diff.

        https://docs.github.com/en/rest/pulls/comments#create-a-review-comment-for-a-pull-request
        """
        asked = {"body": body, "commit_id": commit_id, "path": path, "subject_type": "file"}
        made = await self._github.write(installation, "POST", _path(repository, number), asked, fence=fence)
        return PostedComment.of(made)

    async def edit(
        self,
        installation: int,
        repository: str,
        comment_id: int,
        body: str,
        *,
        fence: Fence | None = None,
    ) -> PostedComment:
        """Give a comment of ours another text.

        https://docs.github.com/en/rest/pulls/comments#update-a-review-comment-for-a-repository
        """
        path = f"/repos/{repository}/pulls/comments/{comment_id}"
        made = await self._github.write(installation, "PATCH", path, {"body": body}, fence=fence)
        return PostedComment.of(made)

    async def threads(self, installation: int, repository: str, number: int) -> list[Thread]:
        """All threads with all their comments, or an error: never a part.

        https://docs.github.com/en/graphql/reference/objects#pullrequestreviewthread
        """
        owner, _, name = repository.partition("/")
        asked: dict[str, Any] = {"owner": owner, "name": name, "number": number, "after": None}
        found: list[Thread] = []
        while True:
            data = await self._github.query(installation, _THREADS, asked)
            page = _within(data, "repository", "pullRequest", "reviewThreads")
            found += [await self._thread(installation, node) for node in page["nodes"]]
            after = _next(page)
            if after is None:
                return found
            asked["after"] = after

    async def resolve_thread(self, installation: int, thread_id: str, *, fence: Fence | None = None) -> None:
        """Mark a thread resolved; GitHub wants `contents: write` for it, and refuses with FORBIDDEN without.

        https://docs.github.com/en/graphql/reference/mutations#resolvereviewthread
        """
        await self._github.query(installation, _RESOLVE, {"thread": thread_id}, fence=fence)

    async def _thread(self, installation: int, node: Mapping[str, Any]) -> Thread:
        page = node["comments"]
        ids = [int(comment["fullDatabaseId"]) for comment in page["nodes"]]
        while (after := _next(page)) is not None:
            data = await self._github.query(
                installation, _MORE_OF_A_THREAD, {"thread": node["id"], "after": after}
            )
            page = _within(data, "node", "comments")
            ids += [int(comment["fullDatabaseId"]) for comment in page["nodes"]]
        return Thread(node["id"], bool(node["isResolved"]), tuple(ids))


def _path(repository: str, number: int) -> str:
    return f"/repos/{repository}/pulls/{number}/comments"


def _next(page: Mapping[str, Any]) -> str | None:
    """The cursor of the page after this one."""
    info = page["pageInfo"]
    if not info["hasNextPage"]:
        return None
    if not info["endCursor"]:
        raise ForgeUnavailable("GitHub's listing of threads breaks off")
    return str(info["endCursor"])


def _within(data: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    found: Any = data
    for name in names:
        found = found.get(name)
        if found is None:
            raise ForgeRefused(f"GitHub's answer has no {name}", status=404, code="NOT_FOUND")
    return found
