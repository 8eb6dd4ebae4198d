"""Accounts, the app and its installations as GitHub's JSON: https://docs.github.com/rest/apps."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from webhooks.sandbox.shapes.links import node_id, user_links
from webhooks.sandbox.state import Installation, Repository, State, Token, User

SINCE = "2026-01-01T00:00:00Z"
"""When everything began whose beginning the sandbox does not keep."""
EVENTS = (
    "check_run",
    "check_suite",
    "issue_comment",
    "pull_request",
    "pull_request_review",
    "pull_request_review_comment",
    "pull_request_review_thread",
    "repository",
)


def time_shape(moment: datetime | None) -> str | None:
    """A time as GitHub writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


def user_shape(state: State, user: User) -> dict[str, Any]:
    """An account."""
    return {
        "login": user.login,
        "id": user.id,
        "node_id": node_id("U", user.id),
        "gravatar_id": "",
        "type": user.type,
        "site_admin": False,
        **user_links(state, user),
    }


def author_shape(state: State, user: User, association: str) -> dict[str, Any]:
    """Who wrote something, and what they are to its repository."""
    return {"user": user_shape(state, user), "author_association": association}


def permission_shape(state: State, user: User, level: str) -> dict[str, Any]:
    """What somebody may do in a repository."""
    who = {**user_shape(state, user), "role_name": level, "permissions": may_shape(level)}
    return {"permission": level, "role_name": level, "user": who}


def may_shape(level: str) -> dict[str, bool]:
    """A permission as what it permits."""
    rank = ("none", "read", "triage", "write", "maintain", "admin").index(level)
    return {name: rank > at for at, name in enumerate(("pull", "triage", "push", "maintain", "admin"))}


def person_shape(state: State, user: User) -> dict[str, Any]:
    """An account as it reads itself; of a profile the sandbox keeps nothing."""
    unknown = ("name", "company", "location", "email", "hireable", "bio")
    counts = ("public_repos", "public_gists", "followers", "following")
    return {
        **user_shape(state, user),
        "user_view_type": "public",
        "blog": "",
        **dict.fromkeys(unknown, None),
        **dict.fromkeys(counts, 0),
        "created_at": SINCE,
        "updated_at": SINCE,
    }


def app_shape(state: State) -> dict[str, Any]:
    """The app."""
    return {
        "id": state.app_id,
        "client_id": state.client_id,
        "slug": state.slug,
        "node_id": node_id("A", state.app_id),
        "owner": user_shape(state, state.find_user(f"{state.slug}-makers", "Organization")),
        "name": "Sluice",
        "description": None,
        "external_url": state.url,
        "html_url": f"{state.url}/apps/{state.slug}",
        "created_at": SINCE,
        "updated_at": SINCE,
        "permissions": dict(state.permissions),
        "events": list(EVENTS),
    }


def installation_shape(repository: Repository) -> dict[str, Any]:
    """An installation as payloads name it."""
    return {"id": repository.installation_id, "node_id": node_id("I", repository.installation_id)}


def installed_shape(state: State, installation: Installation) -> dict[str, Any]:
    """An installation as the app itself reads it."""
    account, url = installation.account, f"{state.url}/app/installations/{installation.id}"
    suspended, changed = installation.suspended, time_shape(installation.updated_at)
    return {
        "id": installation.id,
        "app_id": state.app_id,
        "app_slug": state.slug,
        "account": user_shape(state, account),
        "target_id": account.id,
        "target_type": account.type,
        "repository_selection": "all",
        "permissions": dict(installation.permissions),
        "events": list(EVENTS),
        "single_file_name": None,
        "access_tokens_url": f"{url}/access_tokens",
        "repositories_url": f"{state.url}/installation/repositories",
        "html_url": f"{state.url}/organizations/{account.login}/settings/installations/{installation.id}",
        "created_at": time_shape(installation.created_at),
        "updated_at": changed,
        "suspended_by": user_shape(state, account) if suspended else None,
        "suspended_at": changed if suspended else None,
    }


def token_shape(token: Token) -> dict[str, Any]:
    """A fresh installation token."""
    return {
        "token": token.text,
        "expires_at": time_shape(token.expires_at),
        "permissions": dict(token.permissions),
        "repository_selection": "all" if token.repository_ids is None else "selected",
    }
