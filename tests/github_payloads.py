"""Payloads as GitHub makes them, cut to what is read and a little around it, for changes by tests."""

from __future__ import annotations

import json
from typing import Any

from webhooks.news import News, Place
from webhooks.payloads import parse
from webhooks.signature import VerifiedBody

HEAD = "a" * 40
BEFORE = "b" * 40
OUR_REVIEW = "0123456789abcdef" * 2
PLACE = Place(installation=7, repository_id=11, repository="octo/shop")
COMMANDERS = frozenset({"OWNER", "MEMBER"})

ANN = {"login": "ann", "type": "User"}
RENOVATE = {"login": "renovate[bot]", "type": "Bot"}
AROUND: dict[str, Any] = {
    "installation": {"id": 7, "node_id": "x"},
    "repository": {"id": 11, "name": "shop", "full_name": "octo/shop", "private": True},
    "sender": ANN,
}
PULL: dict[str, Any] = {
    "number": 3,
    "title": "Add checkout",
    "html_url": "https://github.example/octo/shop/pull/3",
    "state": "open",
    "draft": False,
    "user": ANN,
    "labels": [{"name": "review"}, {"name": "shop"}],
    "head": {"ref": "checkout", "sha": HEAD, "repo": {"id": 11, "full_name": "octo/shop"}},
    "base": {"ref": "main", "sha": BEFORE, "repo": {"id": 11, "full_name": "octo/shop"}},
    "updated_at": "2026-11-24T10:20:30Z",
}
RUN: dict[str, Any] = {
    "head_sha": HEAD,
    "external_id": OUR_REVIEW,
    "app": {"id": 99},
    "pull_requests": [{"number": 3, "base": {"repo": {"id": 11}}}],
}


def pull_request(action: str, *, around: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    return {**AROUND, "action": action, "pull_request": {**PULL, **changes}, **(around or {})}


def check_run(action: str, *, button: str | None = None, **changes: Any) -> dict[str, Any]:
    pressed = {} if button is None else {"requested_action": {"identifier": button}}
    return {**AROUND, "action": action, "check_run": {**RUN, **changes}, **pressed}


def check_suite(action: str, **changes: Any) -> dict[str, Any]:
    suite = {**RUN, **changes}
    del suite["external_id"]
    return {**AROUND, "action": action, "check_suite": suite}


def said(text: str | None, *, by: dict[str, Any] = ANN, association: str = "OWNER") -> dict[str, Any]:
    return {"id": 5, "body": text, "user": by, "author_association": association}


def issue_comment(text: str | None, *, on_pull_request: bool = True, **more: Any) -> dict[str, Any]:
    issue: dict[str, Any] = {"number": 3, "title": "Add checkout", "state": "open"}
    if on_pull_request:
        issue["pull_request"] = {"url": "https://api.github.example/repos/octo/shop/pulls/3"}
    sender = more.get("by", ANN)
    return {**AROUND, "sender": sender, "action": "created", "issue": issue, "comment": said(text, **more)}


def review_comment(text: str | None, **more: Any) -> dict[str, Any]:
    return {**AROUND, "action": "created", "pull_request": PULL, "comment": said(text, **more)}


def review(text: str | None, **more: Any) -> dict[str, Any]:
    return {**AROUND, "action": "submitted", "pull_request": PULL, "review": said(text, **more)}


def thread(action: str, comments: list[dict[str, Any]], sender: dict[str, Any] = ANN) -> dict[str, Any]:
    around = {**AROUND, "sender": sender}
    return {**around, "action": action, "pull_request": PULL, "thread": {"comments": comments}}


def installation(action: str) -> dict[str, Any]:
    return {"action": action, "installation": {"id": 7}, "repositories": [{"id": 11}], "sender": ANN}


def repositories_removed(*ids: int) -> dict[str, Any]:
    return {**installation("removed"), "repositories_removed": [{"id": each} for each in ids]}


def repository(action: str) -> dict[str, Any]:
    return {**AROUND, "action": action}


def read(
    payload: Any,
    event: str,
    *,
    content_type: str = "application/json",
    commanders: frozenset[str] = COMMANDERS,
) -> News:
    """The news of a payload, or of bytes as they are."""
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return parse(VerifiedBody(raw), event=event, content_type=content_type, commanders=commanders)
