"""News of what the app wrote itself; GitHub delivers them like any other."""

from __future__ import annotations

import asyncio
from typing import Any

from webhooks.sandbox import payloads
from webhooks.sandbox.deliveries import deliver
from webhooks.sandbox.state import (
    CheckRun,
    IssueComment,
    PullRequest,
    Repository,
    Review,
    ReviewComment,
    State,
)


def tell_review(
    state: State, repository: Repository, pull: PullRequest, review: Review, comments: list[ReviewComment]
) -> None:
    """Tell of a submitted review and of each of its comments."""
    if state.echo and review.state != "PENDING":
        _tell(state, "pull_request_review", payloads.of_review(state, repository, pull, review))
        for comment in comments:
            tell_comment(state, repository, pull, comment, "created")


def tell_comment(
    state: State, repository: Repository, pull: PullRequest, comment: ReviewComment, action: str
) -> None:
    """Tell of a comment on the diff."""
    if state.echo:
        payload = payloads.of_comment(state, repository, pull, comment, action)
        _tell(state, "pull_request_review_comment", payload)


def tell_remark(
    state: State, repository: Repository, pull: PullRequest, remark: IssueComment, action: str
) -> None:
    """Tell of a comment in the conversation."""
    if state.echo:
        _tell(state, "issue_comment", payloads.of_remark(state, repository, pull, remark, action))


def tell_check(state: State, repository: Repository, check: CheckRun, action: str) -> None:
    """Tell of a check run that was created or completed."""
    if state.echo:
        payload = payloads.of_check(state, repository, check, action, sender=state.bot)
        _tell(state, "check_run", payload)


def tell_thread(
    state: State, repository: Repository, pull: PullRequest, root: int, *, resolved: bool
) -> None:
    """Tell of a thread that was resolved or opened again."""
    if state.echo:
        payload = payloads.of_thread(state, repository, pull, root, resolved=resolved, sender=state.bot)
        _tell(state, "pull_request_review_thread", payload)


def _tell(state: State, event: str, payload: dict[str, Any]) -> None:
    async def later() -> None:
        await deliver(state, event, payload)

    task = asyncio.create_task(later(), name=f"a delivery of {event}")
    state.tasks.add(task)
    task.add_done_callback(state.tasks.discard)
