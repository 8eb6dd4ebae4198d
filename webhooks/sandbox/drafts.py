"""Comments on the diff before they stand on it, and what GitHub refuses about them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from webhooks.sandbox import anchors
from webhooks.sandbox.anchors import Hunk, Place, Problem
from webhooks.sandbox.diffs import read_range
from webhooks.sandbox.git import FileChange
from webhooks.sandbox.outdating import follow
from webhooks.sandbox.refusals import Refusal, unprocessable
from webhooks.sandbox.state import PullRequest, Repository, Review, ReviewComment, State

LONGEST_BODY = 65536
IN_REVIEW = frozenset({"path", "body", "position", "line", "side", "start_line", "start_side"})
ALONE = IN_REVIEW | {"commit_id", "subject_type", "in_reply_to"}


async def place_comments(
    state: State, repository: Repository, pull: PullRequest, review: Review, drafts: Sequence[dict[str, Any]]
) -> list[ReviewComment]:
    """Comments of a new review, all of which stand on the diff of its commit.

    One whose line has left the diff since is outdated from the start.

    Raises:
        Refusal: one of them does not stand there.
    """
    diff = await read_range(repository, pull.base_sha, review.commit_id)
    files = {change.path: change for change in diff.files}
    made = [_comment(state, pull, review, draft, files) for draft in drafts]
    if review.commit_id != pull.head_sha:
        await follow(repository, pull, made, review.commit_id)
    return made


def check_draft(fields: Any, keys: frozenset[str]) -> dict[str, Any]:
    """A comment as it was sent, if its fields are what they should be; `keys` may be there."""
    if not isinstance(fields, dict):
        raise Refusal(422, "Invalid request.\n\nEach comment is an object.")
    draft = cast("dict[str, Any]", fields)
    if unknown := draft.keys() - keys:
        raise Refusal(422, f"Invalid request.\n\n{min(unknown)!r} is not a permitted key.")
    for name in ("path", "body"):
        if not isinstance(draft.get(name), str) or not draft[name]:
            raise Refusal(422, f"Invalid request.\n\n{name!r} wasn't supplied.")
    check_body(draft["body"])
    if draft.get("subject_type") == "file":
        return draft
    for name in ("line", "start_line"):
        number = draft.get(name)
        if (number is None and name == "line") or (number is not None and type(number) is not int):
            raise Refusal(422, f"Invalid request.\n\nFor {name!r}, an integer is expected.")
    for name in ("side", "start_side"):
        if draft.get(name, "RIGHT") not in {"RIGHT", "LEFT"}:
            raise Refusal(422, f"Variable ${name} was provided invalid value")
    return draft


def check_body(text: Any) -> str:
    """A text for people, if it is one and not too long."""
    if not isinstance(text, str):
        raise Refusal(422, "Invalid request.\n\n'body' wasn't supplied.")
    if len(text) > LONGEST_BODY:
        raise unprocessable(f"body is too long (maximum is {LONGEST_BODY} characters)")
    return text


def check_open_to_reviews(state: State, pull: PullRequest) -> None:
    """Refuse while the conversation is locked, or an earlier review of the app's still waits."""
    if pull.locked:
        raise unprocessable("lock prevents review")
    if any(each.state == "PENDING" and each.user == state.bot for each in pull.reviews.values()):
        raise unprocessable("User can only have one pending review per pull request")


def _comment(
    state: State, pull: PullRequest, review: Review, draft: dict[str, Any], files: dict[str, FileChange]
) -> ReviewComment:
    change = files.get(draft["path"])
    if change is None:
        raise unprocessable("Path could not be resolved")
    now = state.clock()
    made = ReviewComment(
        id=state.next_id(),
        review_id=review.id,
        path=draft["path"],
        body=draft["body"],
        user=review.user,
        commit_id=pull.head_sha,
        original_commit_id=review.commit_id,
        created_at=now,
        updated_at=now,
        posted=state.ticks(),
    )
    if draft.get("subject_type") == "file":
        made.subject_type = "file"
        return made
    place = _place(anchors.parse_hunks(change.hunks), draft)
    made.side = draft.get("side", "RIGHT")
    made.line = made.original_line = draft["line"]
    made.start_line = made.original_start_line = draft.get("start_line")
    made.start_side = draft.get("start_side")
    made.position, made.diff_hunk = place.position, place.diff_hunk
    return made


def _place(hunks: Sequence[Hunk], fields: dict[str, Any]) -> Place:
    found = anchors.resolve(
        hunks,
        line=fields["line"],
        side=fields.get("side", "RIGHT"),
        start_line=fields.get("start_line"),
        start_side=fields.get("start_side"),
    )
    if isinstance(found, Problem):
        raise unprocessable(found.value)
    return found
