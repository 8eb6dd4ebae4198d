"""Payloads of deliveries, with the fields of GitHub's that somebody reads.

https://docs.github.com/webhooks/webhook-events-and-payloads
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from webhooks.sandbox.shapes import (
    check_shape,
    comment_shape,
    installation_shape,
    installed_shape,
    issue_shape,
    pull_shape,
    remark_shape,
    repository_shape,
    review_shape,
    suite_shape,
    thread_id,
    user_shape,
)
from webhooks.sandbox.shapes.links import node_id
from webhooks.sandbox.state import (
    CheckRun,
    Installation,
    IssueComment,
    PullRequest,
    Repository,
    Review,
    ReviewComment,
    State,
    User,
)

Payload = dict[str, Any]


def _frame(state: State, repository: Repository, action: str, sender: User) -> Payload:
    """What the events of a repository have in common."""
    return {
        "action": action,
        "repository": repository_shape(state, repository),
        "installation": installation_shape(repository),
        "sender": user_shape(state, sender),
    }


def of_pull(
    state: State, repository: Repository, pull: PullRequest, action: str, *, sender: User, **extra: Any
) -> Payload:
    """Of `pull_request`."""
    return {
        **_frame(state, repository, action, sender),
        "number": pull.number,
        "pull_request": pull_shape(state, repository, pull),
        **extra,
    }


def of_remark(
    state: State, repository: Repository, pull: PullRequest, remark: IssueComment, action: str = "created"
) -> Payload:
    """Of `issue_comment`, on a pull request."""
    return {
        **_frame(state, repository, action, remark.user),
        "issue": issue_shape(state, repository, pull),
        "comment": remark_shape(state, repository, remark),
    }


def of_comment(
    state: State, repository: Repository, pull: PullRequest, comment: ReviewComment, action: str = "created"
) -> Payload:
    """Of `pull_request_review_comment`."""
    return {
        **_frame(state, repository, action, comment.user),
        "comment": comment_shape(state, repository, pull, comment),
        "pull_request": pull_shape(state, repository, pull),
    }


def of_thread(
    state: State, repository: Repository, pull: PullRequest, root: int, *, resolved: bool, sender: User
) -> Payload:
    """Of `pull_request_review_thread`."""
    thread = pull.thread(pull.comments[root])
    return {
        **_frame(state, repository, "resolved" if resolved else "unresolved", sender),
        "pull_request": pull_shape(state, repository, pull),
        "thread": {
            "node_id": thread_id(root),
            "comments": [comment_shape(state, repository, pull, each) for each in thread],
        },
    }


def of_check(
    state: State, repository: Repository, check: CheckRun, action: str, *, sender: User, **extra: Any
) -> Payload:
    """Of `check_run`."""
    return {
        **_frame(state, repository, action, sender),
        "check_run": {
            **check_shape(state, repository, check),
            "check_suite": suite_shape(state, repository, check.head_sha),
        },
        **extra,
    }


def of_suite(state: State, repository: Repository, head_sha: str, *, sender: User) -> Payload:
    """Of `check_suite` rerequested."""
    return {
        **_frame(state, repository, "rerequested", sender),
        "check_suite": suite_shape(state, repository, head_sha),
    }


def of_repository(
    state: State, repository: Repository, action: str, *, changes: Payload | None, sender: User
) -> Payload:
    """Of `repository`."""
    payload = _frame(state, repository, action, sender)
    return payload if changes is None else {**payload, "changes": changes}


def of_review(state: State, repository: Repository, pull: PullRequest, review: Review) -> Payload:
    """Of `pull_request_review` submitted."""
    return {
        **_frame(state, repository, "submitted", review.user),
        "review": {**review_shape(state, repository, pull, review), "state": review.state.lower()},
        "pull_request": pull_shape(state, repository, pull),
    }


def of_installation(
    state: State, installation: Installation, action: str, repositories: Sequence[Repository], *, sender: User
) -> Payload:
    """Of `installation`; its repositories are named when it was made or deleted."""
    payload: Payload = {
        "action": action,
        "installation": installed_shape(state, installation),
        "sender": user_shape(state, sender),
    }
    if action in {"created", "deleted"}:
        payload["repositories"] = [_named(each) for each in repositories]
    return payload


def of_selection(
    state: State,
    installation: Installation,
    *,
    added: Sequence[Repository],
    removed: Sequence[Repository],
    sender: User,
) -> Payload:
    """Of `installation_repositories`."""
    return {
        "action": "added" if added else "removed",
        "installation": installed_shape(state, installation),
        "repository_selection": "selected",
        "repositories_added": [_named(each) for each in added],
        "repositories_removed": [_named(each) for each in removed],
        "requester": None,
        "sender": user_shape(state, sender),
    }


def _named(repository: Repository) -> Payload:
    return {
        "id": repository.id,
        "node_id": node_id("R", repository.id),
        "name": repository.name,
        "full_name": repository.full_name,
        "private": repository.private,
    }


def of_authorization(state: State, *, sender: User) -> Payload:
    """Of `github_app_authorization`: a person took back what they gave the app."""
    return {"action": "revoked", "sender": user_shape(state, sender)}
