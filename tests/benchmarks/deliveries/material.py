"""Signed deliveries of pushes to pull requests, of the shape and size of GitHub's own (16 to 25 KB)."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

SECRET = "a made-up webhook secret"
PULLS = 200
INSTALLATIONS = 20

_API = "https://api.github.com"
_WEB = "https://github.com"
_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
_SHORTEST_TEXT, _TEXT_STEPS, _TEXT_STEP = 100, 9, 500
_USER_PATHS = """
followers following{/other_user} gists{/gist_id} starred{/owner}{/repo} subscriptions orgs repos
events{/privacy} received_events
"""
_REPOSITORY_PATHS = """
forks keys{/key_id} collaborators{/collaborator} teams hooks issues/events{/number} events assignees{/user}
branches{/branch} tags git/blobs{/sha} git/tags{/sha} git/refs{/sha} git/trees{/sha} statuses/{sha} languages
stargazers contributors subscribers subscription commits{/sha} git/commits{/sha} comments{/number}
issues/comments{/number} contents/{+path} compare/{base}...{head} merges {archive_format}{/ref} downloads
issues{/number} pulls{/number} milestones{/number} notifications{?since,all,participating} labels{/name}
releases{/id} deployments
"""
_PULL_PATHS = "commits comments reviews files merge requested_reviewers statuses issue"
_OF_USER, _OF_REPOSITORY, _OF_PULL = (
    tuple(paths.split()) for paths in (_USER_PATHS, _REPOSITORY_PATHS, _PULL_PATHS)
)


@dataclass(frozen=True, slots=True)
class Pull:
    """A pull request that is pushed to."""

    index: int

    @property
    def installation(self) -> int:
        """Its installation, from 1."""
        return self.index % INSTALLATIONS + 1

    @property
    def repository(self) -> str:
        """Each installation has one."""
        return f"octo-{self.installation:02}/shop-{self.installation:02}"

    @property
    def number(self) -> int:
        """Its number there, from 1."""
        return self.index // INSTALLATIONS + 1


@dataclass(frozen=True, slots=True)
class Delivery:
    """A push: number `number` of a run; pull requests take turns.

    Attributes:
        run: 1-based; what a later run tells is newer.
    """

    run: int
    number: int

    @property
    def guid(self) -> str:
        """A redelivery carries the same."""
        return str(UUID(bytes=hashlib.sha256(f"guid {self.run} {self.number}".encode()).digest()[:16]))

    @property
    def pull(self) -> Pull:
        """What is pushed to."""
        return Pull(self.number % PULLS)

    @property
    def head_sha(self) -> str:
        """The head after the push."""
        return _sha(f"head {self.run} {self.number}")


def body(delivery: Delivery) -> bytes:
    """The payload as it is sent."""
    pull, moment = delivery.pull, _BEGAN + timedelta(days=delivery.run, seconds=delivery.number)
    owner = _user(pull.repository.partition("/")[0], "Organization")
    payload = {
        "action": "synchronize",
        "number": pull.number,
        "pull_request": _pull_request(delivery, owner, moment.strftime("%Y-%m-%dT%H:%M:%SZ")),
        "before": _sha(f"head {delivery.run} {delivery.number - PULLS}"),
        "after": delivery.head_sha,
        "repository": _repository(pull, owner),
        "organization": owner,
        "installation": {"id": pull.installation, "node_id": f"MDIzOk{pull.installation:020}"},
        "sender": _user("octocat", "User"),
    }
    return json.dumps(payload, separators=(",", ":")).encode()


def headers(delivery: Delivery, raw: bytes) -> dict[str, str]:
    """GitHub's headers, with the signature of the body."""
    signature = hmac.new(SECRET.encode(), raw, hashlib.sha256).hexdigest()
    return {
        "Accept": "*/*",
        "Content-Type": "application/json",
        "User-Agent": "GitHub-Hookshot/0000000",
        "X-GitHub-Delivery": delivery.guid,
        "X-GitHub-Event": "pull_request",
        "X-GitHub-Hook-ID": "1",
        "X-GitHub-Hook-Installation-Target-ID": "1",
        "X-GitHub-Hook-Installation-Target-Type": "integration",
        "X-Hub-Signature-256": f"sha256={signature}",
    }


def _pull_request(delivery: Delivery, owner: dict[str, Any], updated_at: str) -> dict[str, Any]:
    pull = delivery.pull
    url = f"{_API}/repos/{pull.repository}/pulls/{pull.number}"
    page = f"{_WEB}/{pull.repository}/pull/{pull.number}"
    repository, author = _repository(pull, owner), _user("octocat", "User")
    text = _SHORTEST_TEXT + delivery.number % _TEXT_STEPS * _TEXT_STEP
    return {
        "url": url,
        "id": 279_147_437 + pull.index,
        "node_id": f"MDExOlB1bGxSZXF1ZXN0{pull.index}",
        "html_url": page,
        "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch",
        **{f"{name}_url": f"{url}/{name}" for name in _OF_PULL},
        "number": pull.number,
        "state": "open",
        "locked": False,
        "title": f"Count the orders of customer {pull.index} once",
        "user": author,
        "body": ("Orders were counted twice when a customer paid in parts. " * 100)[:text],
        "created_at": _BEGAN.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "updated_at": updated_at,
        "closed_at": None,
        "merged_at": None,
        "merge_commit_sha": _sha(f"merge {delivery.run} {delivery.number}"),
        "assignee": None,
        "assignees": [],
        "requested_reviewers": [],
        "requested_teams": [],
        "labels": [{"id": 1, "url": f"{_API}/repos/{pull.repository}/labels/bug", "name": "bug"}],
        "milestone": None,
        "head": {
            "label": f"{owner['login']}:change-{pull.number}",
            "ref": f"change-{pull.number}",
            "sha": delivery.head_sha,
            "user": owner,
            "repo": repository,
        },
        "base": {
            "label": f"{owner['login']}:main",
            "ref": "main",
            "sha": _sha(f"base {pull.index}"),
            "user": owner,
            "repo": repository,
        },
        "_links": {name: {"href": f"{url}/{name}"} for name in _OF_PULL},
        "author_association": "MEMBER",
        "auto_merge": None,
        "active_lock_reason": None,
        "draft": False,
        "merged": False,
        "mergeable": None,
        "rebaseable": None,
        "mergeable_state": "unknown",
        "merged_by": None,
        "comments": 0,
        "review_comments": 0,
        "maintainer_can_modify": False,
        "commits": 1 + delivery.number // PULLS,
        "additions": 12,
        "deletions": 3,
        "changed_files": 2,
    }


def _user(login: str, kind: str) -> dict[str, Any]:
    url = f"{_API}/users/{login}"
    return {
        "login": login,
        "id": 1_000 + sum(login.encode()),
        "node_id": f"MDQ6VXNlcj{login}",
        "avatar_url": f"https://avatars.githubusercontent.com/u/{sum(login.encode())}?v=4",
        "gravatar_id": "",
        "url": url,
        "html_url": f"{_WEB}/{login}",
        **{f"{name.partition('{')[0]}_url": f"{url}/{name}" for name in _OF_USER},
        "type": kind,
        "site_admin": False,
    }


def _repository(pull: Pull, owner: dict[str, Any]) -> dict[str, Any]:
    url = f"{_API}/repos/{pull.repository}"
    names = {
        name: name.partition("{")[0].strip("/").replace("/", "_") or "archive" for name in _OF_REPOSITORY
    }
    return {
        "id": 186_853_000 + pull.installation,
        "node_id": f"MDEwOlJlcG9zaXRvcnkx{pull.installation}",
        "name": pull.repository.partition("/")[2],
        "full_name": pull.repository,
        "private": True,
        "owner": owner,
        "html_url": f"{_WEB}/{pull.repository}",
        "description": None,
        "fork": False,
        "url": url,
        **{f"{key}_url": f"{url}/{name}" for name, key in names.items()},
        "created_at": "2019-05-15T15:19:25Z",
        "updated_at": "2019-05-15T15:19:27Z",
        "pushed_at": "2026-01-01T15:20:32Z",
        "clone_url": f"{_WEB}/{pull.repository}.git",
        "size": 1_234,
        "stargazers_count": 0,
        "language": "Python",
        "has_issues": True,
        "has_projects": True,
        "has_wiki": True,
        "archived": False,
        "disabled": False,
        "open_issues_count": 10,
        "license": None,
        "default_branch": "main",
        "topics": [],
        "visibility": "private",
        "custom_properties": {},
    }


def _sha(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
