"""Signed bodies to a closed vocabulary; past this module nobody sees a payload.

Only the fields in use are read, since real payloads differ from every published schema.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import parse_qs

from pydantic import BaseModel, ValidationError

from reviewer.core.diff import readable
from reviewer.errors import BadPayload
from webhooks.signature import VerifiedBody

REVIEWED_ACTIONS = frozenset({"opened", "reopened", "synchronize", "ready_for_review"})


@dataclass(frozen=True, slots=True)
class WantedHead:
    """The head of a pull request that is to be reviewed."""

    installation: int
    repository: str
    number: int
    head_sha: str
    base_ref: str
    title: str
    url: str
    draft: bool


@dataclass(frozen=True, slots=True)
class PullRequestChanged:
    """A pull request has a head that wants a review."""

    action: str
    head: WantedHead


@dataclass(frozen=True, slots=True)
class Ignored:
    """A delivery that asks for nothing; `reason` is for people."""

    reason: str


class _Repository(BaseModel):
    full_name: str


class _Installation(BaseModel):
    id: int


class _Head(BaseModel):
    sha: str


class _Base(BaseModel):
    ref: str


class _PullRequest(BaseModel):
    number: int
    title: str
    html_url: str
    draft: bool = False
    state: str = "open"
    head: _Head
    base: _Base


class _PullRequestPayload(BaseModel):
    action: str
    installation: _Installation | None = None
    repository: _Repository
    pull_request: _PullRequest


def parse(body: VerifiedBody, *, event: str, content_type: str) -> PullRequestChanged | Ignored:
    """What a delivery asks for.

    Raises:
        BadPayload: the body is not the JSON its event promises.
    """
    payload = _decode(body.raw, content_type)
    if event != "pull_request":
        return Ignored(f"nothing is done on the event {event!r}")
    action = payload.get("action")
    if not isinstance(action, str) or action not in REVIEWED_ACTIONS:
        return Ignored(f"nothing is done on the action {action!r} of a pull request")
    try:
        found = _PullRequestPayload.model_validate(payload)
    except ValidationError as error:
        places = ", ".join(".".join(map(str, item["loc"])) for item in error.errors())
        raise BadPayload(f"the payload of {event!r} lacks, or has wrong: {places}") from error
    return _decide(found)


def _decide(found: _PullRequestPayload) -> PullRequestChanged | Ignored:
    pull_request = found.pull_request
    if found.installation is None:
        return Ignored("the delivery comes from a repository's webhook, not from an installation of the app")
    if pull_request.draft:
        return Ignored("a draft is reviewed when it is ready for review")
    if pull_request.state != "open":
        return Ignored("the pull request is closed")
    head = WantedHead(
        installation=found.installation.id,
        repository=found.repository.full_name,
        number=pull_request.number,
        head_sha=pull_request.head.sha,
        base_ref=pull_request.base.ref,
        title=readable(pull_request.title),
        url=pull_request.html_url,
        draft=pull_request.draft,
    )
    return PullRequestChanged(found.action, head)


def _decode(raw: bytes, content_type: str) -> dict[str, Any]:
    try:
        text = raw.decode()
        if content_type.startswith("application/x-www-form-urlencoded"):
            text = parse_qs(text, strict_parsing=True)["payload"][0]
        payload = json.loads(text)
    except (ValueError, KeyError, RecursionError) as error:
        raise BadPayload("the body is no JSON payload") from error
    if not isinstance(payload, dict):
        raise BadPayload("the payload is no JSON object")
    return cast("dict[str, Any]", payload)
