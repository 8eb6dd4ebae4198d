"""The state as GitHub's JSON. Only keys that GitHub has; https://docs.github.com/rest."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from webhooks.sandbox.git import Commit, FileChange
from webhooks.sandbox.state import (
    CheckRun,
    DeliveryRecord,
    IssueComment,
    PullRequest,
    Repository,
    Review,
    ReviewComment,
    State,
    User,
)


def time_shape(moment: datetime | None) -> str | None:
    """A time as GitHub writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


def user_shape(state: State, user: User) -> dict[str, Any]:
    """An account."""
    return {
        "login": user.login,
        "id": user.id,
        "type": user.type,
        "html_url": f"{state.url}/{user.login}",
        "site_admin": False,
    }


def repository_shape(state: State, repository: Repository) -> dict[str, Any]:
    """A repository."""
    return {
        "id": repository.id,
        "name": repository.name,
        "full_name": repository.full_name,
        "owner": user_shape(state, state.find_user(repository.owner, "Organization")),
        "private": repository.private,
        "fork": False,
        "default_branch": repository.default_branch,
        "html_url": f"{state.url}/{repository.full_name}",
        "url": f"{state.url}/repos/{repository.full_name}",
        "clone_url": f"{state.url}/{repository.full_name}.git",
    }


def installation_shape(repository: Repository) -> dict[str, Any]:
    """An installation as payloads name it."""
    return {"id": repository.installation_id, "node_id": f"I_{repository.installation_id}"}


def pull_url(state: State, repository: Repository, number: int) -> str:
    """The page of a pull request."""
    return f"{state.url}/{repository.full_name}/pull/{number}"


def pull_shape(state: State, repository: Repository, pull: PullRequest) -> dict[str, Any]:
    """A pull request."""
    where = repository_shape(state, repository)
    owner = user_shape(state, state.find_user(repository.owner, "Organization"))
    return {
        "id": pull.id,
        "number": pull.number,
        "state": pull.state,
        "title": pull.title,
        "body": pull.body,
        "draft": pull.draft,
        "merged": pull.merged,
        "user": user_shape(state, pull.user),
        "html_url": pull_url(state, repository, pull.number),
        "url": f"{state.url}/repos/{repository.full_name}/pulls/{pull.number}",
        "head": {
            "label": f"{repository.owner}:{pull.head_ref}",
            "ref": pull.head_ref,
            "sha": pull.head_sha,
            "repo": where,
            "user": owner,
        },
        "base": {
            "label": f"{repository.owner}:{pull.base_ref}",
            "ref": pull.base_ref,
            "sha": pull.base_sha,
            "repo": where,
            "user": owner,
        },
        "labels": [{"name": name} for name in pull.labels],
        "changed_files": pull.changed_files,
        "additions": pull.additions,
        "deletions": pull.deletions,
        "commits": len(pull.commits),
        "created_at": time_shape(pull.created_at),
        "updated_at": time_shape(pull.updated_at),
    }


def file_shape(change: FileChange, *, patch_line_limit: int) -> dict[str, Any]:
    """A changed file; without `patch` where GitHub leaves it out."""
    shape: dict[str, Any] = {
        "sha": change.sha,
        "filename": change.path,
        "status": change.status,
        "additions": change.additions,
        "deletions": change.deletions,
        "changes": change.additions + change.deletions,
    }
    if change.previous_path is not None:
        shape["previous_filename"] = change.previous_path
    if change.hunks and change.hunks.count(b"\n") <= patch_line_limit:
        shape["patch"] = change.hunks.decode(errors="replace").removesuffix("\n")
    return shape


def commit_shape(state: State, repository: Repository, commit: Commit) -> dict[str, Any]:
    """A commit; its people are no accounts here."""
    git_url = f"{state.url}/repos/{repository.full_name}/git"
    url = f"{state.url}/repos/{repository.full_name}/commits/{commit.sha}"
    people = {
        role: dict(zip(("name", "email", "date"), person, strict=True))
        for role, person in (("author", commit.author), ("committer", commit.committer))
    }
    return {
        "sha": commit.sha,
        "node_id": f"C_{commit.sha}",
        "url": url,
        "html_url": f"{state.url}/{repository.full_name}/commit/{commit.sha}",
        "comments_url": f"{url}/comments",
        "commit": {
            **people,
            "message": commit.message,
            "comment_count": 0,
            "tree": {"sha": commit.tree, "url": f"{git_url}/trees/{commit.tree}"},
            "url": f"{git_url}/commits/{commit.sha}",
        },
        "author": None,
        "committer": None,
        "parents": [{"sha": sha, "url": f"{git_url}/commits/{sha}"} for sha in commit.parents],
    }


def review_shape(state: State, repository: Repository, pull: PullRequest, review: Review) -> dict[str, Any]:
    """A review."""
    page = pull_url(state, repository, pull.number)
    return {
        "id": review.id,
        "user": user_shape(state, review.user),
        "body": review.body,
        "state": review.state,
        "commit_id": review.commit_id,
        "submitted_at": time_shape(review.submitted_at),
        "html_url": f"{page}#pullrequestreview-{review.id}",
        "pull_request_url": f"{state.url}/repos/{repository.full_name}/pulls/{pull.number}",
    }


def comment_shape(
    state: State, repository: Repository, pull: PullRequest, comment: ReviewComment
) -> dict[str, Any]:
    """A comment of a review."""
    page = pull_url(state, repository, pull.number)
    return {
        "id": comment.id,
        "pull_request_review_id": comment.review_id,
        "user": user_shape(state, comment.user),
        "body": comment.body,
        "path": comment.path,
        "side": comment.side,
        "line": comment.line,
        "original_line": comment.original_line,
        "start_line": comment.start_line,
        "original_start_line": comment.original_start_line,
        "start_side": comment.start_side,
        "position": comment.position,
        "commit_id": comment.commit_id,
        "original_commit_id": comment.original_commit_id,
        "diff_hunk": comment.diff_hunk,
        "subject_type": comment.subject_type,
        "in_reply_to_id": comment.in_reply_to_id,
        "html_url": f"{page}#discussion_r{comment.id}",
        "created_at": time_shape(comment.created_at),
        "updated_at": time_shape(comment.updated_at),
    }


def remark_shape(state: State, repository: Repository, remark: IssueComment) -> dict[str, Any]:
    """A comment of the conversation."""
    page = pull_url(state, repository, remark.number)
    return {
        "id": remark.id,
        "user": user_shape(state, remark.user),
        "body": remark.body,
        "html_url": f"{page}#issuecomment-{remark.id}",
        "created_at": time_shape(remark.created_at),
        "updated_at": time_shape(remark.updated_at),
    }


def check_shape(state: State, repository: Repository, check: CheckRun) -> dict[str, Any]:
    """A check run."""
    return {
        "id": check.id,
        "name": check.name,
        "head_sha": check.head_sha,
        "status": check.status,
        "conclusion": check.conclusion,
        "external_id": check.external_id,
        "details_url": check.details_url,
        "started_at": check.started_at,
        "completed_at": check.completed_at,
        "output": {**check.output, "annotations_count": len(check.annotations)},
        "html_url": f"{state.url}/{repository.full_name}/runs/{check.id}",
        "app": {"id": state.app_id, "slug": state.slug},
    }


def delivery_shape(record: DeliveryRecord) -> dict[str, Any]:
    """A delivery as the app may list it."""
    return {
        "id": record.id,
        "guid": record.guid,
        "delivered_at": time_shape(record.delivered_at),
        "redelivery": record.redelivery,
        "duration": record.duration,
        "status": record.status,
        "status_code": record.status_code,
        "event": record.event,
        "action": record.action,
        "installation_id": record.installation_id,
        "repository_id": record.repository_id,
    }
