"""Comments across pushes: a comment follows its line, and is outdated once that has left the diff."""

from __future__ import annotations

from collections.abc import Sequence

from webhooks.sandbox import anchors, git
from webhooks.sandbox.diffs import read_diff
from webhooks.sandbox.state import PullRequest, Repository, ReviewComment


async def follow_push(repository: Repository, pull: PullRequest, before: str) -> None:
    """Move the comments of a pull request whose head was `before` to where their lines stand now."""
    await follow(repository, pull, list(pull.comments.values()), before)


async def follow(
    repository: Repository, pull: PullRequest, comments: Sequence[ReviewComment], before: str
) -> None:
    """Move comments that stand on the commit `before` to where their lines stand at the head."""
    hunks = {file.path: anchors.parse_hunks(file.hunks) for file in (await read_diff(repository, pull)).files}
    for comment in comments:
        comment.commit_id = pull.head_sha
        if comment.subject_type == "line" and comment.line is not None:
            await _follow(repository, comment, before, pull.head_sha, hunks.get(comment.path, ()))


async def _follow(
    repository: Repository, comment: ReviewComment, before: str, after: str, hunks: tuple[anchors.Hunk, ...]
) -> None:
    shifts = (
        b"" if before == after else await git.read_shifts(repository.git_dir, before, after, comment.path)
    )
    sides = (comment.start_side or comment.side, comment.side)
    first, last = (
        number if number is None or side == "LEFT" else anchors.carry(number, shifts)
        for side, number in zip(sides, (comment.start_line, comment.line), strict=True)
    )
    gone = last is None or (comment.start_line is not None and first is None)
    place = (
        None
        if gone or last is None
        else anchors.resolve(
            hunks, line=last, side=comment.side, start_line=first, start_side=comment.start_side
        )
    )
    if isinstance(place, anchors.Place):
        comment.line, comment.start_line, comment.position = last, first, place.position
    else:
        comment.line = comment.start_line = comment.position = None
