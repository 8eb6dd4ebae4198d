"""Reviews, their comments and the conversation as GitHub's JSON: https://docs.github.com/rest/pulls/reviews."""

from __future__ import annotations

from typing import Any

from webhooks.sandbox.shapes.accounts import author_shape, time_shape
from webhooks.sandbox.shapes.links import api_url, hrefs, node_id, pull_links, pull_url
from webhooks.sandbox.state import IssueComment, PullRequest, Repository, Review, ReviewComment, State


def review_shape(state: State, repository: Repository, pull: PullRequest, review: Review) -> dict[str, Any]:
    """A review; a pending one has no `submitted_at`."""
    links = pull_links(state, repository, pull.number, pull.head_sha)
    page = f"{links['html']}#pullrequestreview-{review.id}"
    shape: dict[str, Any] = {
        "id": review.id,
        "node_id": node_id("PRR", review.id),
        **author_shape(state, review.user, review.author_association),
        "body": review.body,
        "state": review.state,
        "commit_id": review.commit_id,
        "html_url": page,
        "pull_request_url": links["self"],
        "_links": hrefs({"html": page, "pull_request": links["self"]}),
    }
    if review.submitted_at is not None:
        shape["submitted_at"] = time_shape(review.submitted_at)
    return shape


def comment_shape(
    state: State, repository: Repository, pull: PullRequest, comment: ReviewComment
) -> dict[str, Any]:
    """A comment of a review; only a reply has `in_reply_to_id`."""
    links = pull_links(state, repository, pull.number, pull.head_sha)
    url = f"{api_url(state, repository)}/pulls/comments/{comment.id}"
    page = f"{links['html']}#discussion_r{comment.id}"
    shape: dict[str, Any] = {
        "id": comment.id,
        "node_id": node_id("PRRC", comment.id),
        "pull_request_review_id": comment.review_id,
        **author_shape(state, comment.user, comment.author_association),
        "body": comment.body,
        "path": comment.path,
        "side": comment.side,
        "line": comment.line,
        "original_line": comment.original_line,
        "start_line": comment.start_line,
        "original_start_line": comment.original_start_line,
        "start_side": comment.start_side,
        "position": comment.position,
        "original_position": comment.position or 1,
        "commit_id": comment.commit_id,
        "original_commit_id": comment.original_commit_id,
        "diff_hunk": comment.diff_hunk,
        "subject_type": comment.subject_type,
        "url": url,
        "html_url": page,
        "pull_request_url": links["self"],
        "_links": hrefs({"self": url, "html": page, "pull_request": links["self"]}),
        "created_at": time_shape(comment.created_at),
        "updated_at": time_shape(comment.updated_at),
    }
    if comment.in_reply_to_id is not None:
        shape["in_reply_to_id"] = comment.in_reply_to_id
    return shape


def remark_shape(state: State, repository: Repository, remark: IssueComment) -> dict[str, Any]:
    """A comment of the conversation."""
    issues = f"{api_url(state, repository)}/issues"
    return {
        "id": remark.id,
        "node_id": node_id("IC", remark.id),
        **author_shape(state, remark.user, remark.author_association),
        "body": remark.body,
        "url": f"{issues}/comments/{remark.id}",
        "issue_url": f"{issues}/{remark.number}",
        "html_url": f"{pull_url(state, repository, remark.number)}#issuecomment-{remark.id}",
        "created_at": time_shape(remark.created_at),
        "updated_at": time_shape(remark.updated_at),
    }


def thread_id(root: int) -> str:
    """The node of the thread whose first comment has that number."""
    return node_id("PRRT", root)
