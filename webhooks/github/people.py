"""Accounts in GitHub's JSON."""

from __future__ import annotations

from typing import Any

_GONE = "ghost"


def read(user: Any) -> tuple[str, bool]:
    """Login, and whether GitHub calls the account a bot; one that is no more is GitHub's `ghost`."""
    if not user:
        return _GONE, False
    return str(user["login"]), user.get("type") == "Bot"
