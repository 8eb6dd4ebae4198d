"""Repositories and pull requests as GitHub's JSON: https://docs.github.com/rest/pulls."""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from webhooks.sandbox.shapes.accounts import SINCE, author_shape, time_shape, user_shape
from webhooks.sandbox.shapes.links import api_url, hrefs, node_id, pull_links, repository_links
from webhooks.sandbox.state import PullRequest, Repository, State


def repository_shape(state: State, repository: Repository) -> dict[str, Any]:
    """A repository; what the sandbox does not have is counted as none."""
    has = ("issues", "projects", "wiki", "downloads", "discussions", "pages")
    counts = ("forks", "forks_count", "stargazers_count", "watchers", "watchers_count", "size")
    times = ("created_at", "updated_at", "pushed_at")
    return {
        "id": repository.id,
        "node_id": node_id("R", repository.id),
        "name": repository.name,
        "full_name": repository.full_name,
        "owner": user_shape(state, state.find_user(repository.owner, "Organization")),
        "private": repository.private,
        "visibility": "private" if repository.private else "public",
        "default_branch": repository.default_branch,
        "archived": repository.archived,
        **dict.fromkeys(("fork", "disabled"), False),
        **dict.fromkeys(("description", "homepage", "language", "license", "mirror_url"), None),
        **{f"has_{name}": name == "issues" for name in has},
        **dict.fromkeys(counts, 0),
        **dict.fromkeys(("open_issues", "open_issues_count"), len(repository.pulls)),
        **dict.fromkeys(times, SINCE),
        **repository_links(state, repository),
    }


def full_repository_shape(state: State, repository: Repository) -> dict[str, Any]:
    """A repository as its own route shows it."""
    return {**repository_shape(state, repository), "network_count": 0, "subscribers_count": 0}


def listed_pull_shape(state: State, repository: Repository, pull: PullRequest) -> dict[str, Any]:
    """A pull request as listings show it: without what GitHub would have to work out."""
    links = pull_links(state, repository, pull.number, pull.head_sha)
    page, closed = links["html"], time_shape(pull.closed_at)
    return {
        "id": pull.id,
        "node_id": node_id("PR", pull.id),
        "number": pull.number,
        "state": pull.state,
        "title": pull.title,
        "body": pull.body,
        "draft": pull.draft,
        **author_shape(state, pull.user, pull.author_association),
        "url": links["self"],
        "html_url": page,
        "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch",
        **{f"{name}_url": address for name, address in links.items() if name not in {"self", "html"}},
        "_links": hrefs(links),
        "head": _head_shape(state, repository, pull),
        "base": _side_shape(state, repository, pull.base_ref, pull.base_sha),
        "labels": [label_shape(state, repository, name) for name in pull.labels],
        **dict.fromkeys(("assignee", "milestone", "auto_merge", "merge_commit_sha"), None),
        "locked": pull.locked,
        "active_lock_reason": None,
        "created_at": time_shape(pull.created_at),
        "updated_at": time_shape(pull.updated_at),
        "closed_at": closed,
        "merged_at": closed if pull.merged else None,
    }


def pull_shape(state: State, repository: Repository, pull: PullRequest) -> dict[str, Any]:
    """A pull request."""
    open_ = pull.state == "open"
    seen = [each for each in pull.comments.values() if pull.reviews[each.review_id].state != "PENDING"]
    return {
        **listed_pull_shape(state, repository, pull),
        "merged": pull.merged,
        "merged_by": None,
        "mergeable": open_,
        "mergeable_state": "clean" if open_ else "unknown",
        "maintainer_can_modify": False,
        "comments": len(pull.remarks),
        "review_comments": len(seen),
        "changed_files": pull.changed_files,
        "additions": pull.additions,
        "deletions": pull.deletions,
        "commits": len(pull.commits),
    }


def _side_shape(state: State, repository: Repository, ref: str, sha: str) -> dict[str, Any]:
    """The head or the base of a pull request."""
    return {
        "label": f"{repository.owner}:{ref}",
        "ref": ref,
        "sha": sha,
        "repo": repository_shape(state, repository),
        "user": user_shape(state, state.find_user(repository.owner, "Organization")),
    }


def _head_shape(state: State, repository: Repository, pull: PullRequest) -> dict[str, Any]:
    """The head of a pull request; a fork that was deleted is no repository any more."""
    if pull.fork is None:
        return _side_shape(state, repository, pull.head_ref, pull.head_sha)
    state.find_user(
        pull.fork.partition("/")[0]
    )  # forks are people's, where nothing else is known of the owner
    fork = replace(repository, id=state.fork_id(pull.fork), full_name=pull.fork, pulls={})
    shape = _side_shape(state, fork, pull.head_ref, pull.head_sha)
    return {**shape, "repo": None if pull.fork_gone else {**shape["repo"], "fork": True}}


def label_shape(state: State, repository: Repository, name: str) -> dict[str, Any]:
    """A label."""
    number = zlib.crc32(name.encode())
    return {
        "id": number,
        "node_id": node_id("LA", number),
        "url": f"{api_url(state, repository)}/labels/{quote(name)}",
        "name": name,
        "description": "",
        "color": "ededed",
        "default": False,
    }


def issue_shape(state: State, repository: Repository, pull: PullRequest) -> dict[str, Any]:
    """A pull request as the issue that it also is."""
    shape = listed_pull_shape(state, repository, pull)
    issue = shape["issue_url"]
    same = ("id", "node_id", "number", "title", "body", "state", "draft", "locked", "active_lock_reason")
    told = ("user", "author_association", "labels", "assignee", "milestone", "html_url", "comments_url")
    addresses = ("html_url", "diff_url", "patch_url", "merged_at")
    return {
        **{name: shape[name] for name in (*same, *told, "created_at", "updated_at", "closed_at")},
        "url": issue,
        "repository_url": api_url(state, repository),
        "labels_url": f"{issue}/labels{{/name}}",
        "events_url": f"{issue}/events",
        "comments": len(pull.remarks),
        "pull_request": {"url": shape["url"], **{name: shape[name] for name in addresses}},
    }
