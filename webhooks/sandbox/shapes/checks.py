"""Check runs and suites as GitHub's JSON: https://docs.github.com/rest/checks."""

from __future__ import annotations

from typing import Any

from webhooks.sandbox.shapes.accounts import app_shape
from webhooks.sandbox.shapes.links import api_url, node_id, page_url
from webhooks.sandbox.state import CheckRun, Repository, State


def check_shape(state: State, repository: Repository, check: CheckRun) -> dict[str, Any]:
    """A check run."""
    url = f"{api_url(state, repository)}/check-runs/{check.id}"
    return {
        "id": check.id,
        "node_id": node_id("CR", check.id),
        "name": check.name,
        "head_sha": check.head_sha,
        "status": check.status,
        "conclusion": check.conclusion,
        "external_id": check.external_id,
        "details_url": check.details_url,
        "started_at": check.started_at,
        "completed_at": check.completed_at,
        "output": {
            **dict.fromkeys(("title", "summary", "text"), None),
            **check.output,
            "annotations_count": len(check.annotations),
            "annotations_url": f"{url}/annotations",
        },
        "url": url,
        "html_url": f"{page_url(state, repository)}/runs/{check.id}",
        "check_suite": {"id": repository.suite_id(check.head_sha, state.next_id)},
        "app": app_shape(state),
        "pull_requests": named_pulls(state, repository, check.head_sha),
    }


def suite_shape(state: State, repository: Repository, head_sha: str) -> dict[str, Any]:
    """The check suite of a commit; `head_branch` is null where only a fork has the branch."""
    runs = [run for run in repository.check_runs.values() if run.head_sha == head_sha]
    pulls = named_pulls(state, repository, head_sha)
    number = repository.suite_id(head_sha, state.next_id)
    ended = all(run.status == "completed" for run in runs)
    return {
        "id": number,
        "node_id": node_id("CS", number),
        "head_branch": pulls[0]["head"]["ref"] if pulls else None,
        "head_sha": head_sha,
        "status": "completed" if ended else "in_progress",
        "conclusion": runs[-1].conclusion if runs and ended else None,
        "url": f"{api_url(state, repository)}/check-suites/{number}",
        "before": None,
        "after": head_sha,
        "pull_requests": pulls,
        "app": app_shape(state),
        "latest_check_runs_count": len(runs),
    }


def named_pulls(state: State, repository: Repository, head_sha: str) -> list[dict[str, Any]]:
    """The open pull requests of a head, as check runs and suites name them: those of forks are left out."""
    url = api_url(state, repository)
    where = {"id": repository.id, "name": repository.name, "url": url}
    return [
        {
            "id": pull.id,
            "number": pull.number,
            "url": f"{url}/pulls/{pull.number}",
            "head": {"ref": pull.head_ref, "sha": pull.head_sha, "repo": where},
            "base": {"ref": pull.base_ref, "sha": pull.base_sha, "repo": where},
        }
        for pull in repository.pulls.values()
        if pull.head_sha == head_sha and pull.fork is None and pull.state == "open"
    ]
