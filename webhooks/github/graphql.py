"""What GitHub's GraphQL answers mean: https://docs.github.com/en/graphql. Performs no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from reviewer.errors import ForgeRateLimited, ForgeRefused, ForgeUnavailable
from webhooks.github import wire
from webhooks.github.wire import Answer

_LIMITED = frozenset({"RATE_LIMITED", "RATE_LIMIT"})


def url(base_url: str) -> str:
    """Where GraphQL is, by where REST is; a GitHub Enterprise Server has it beside, not below."""
    base = base_url.rstrip("/")
    return f"{base.removesuffix('/v3')}/graphql" if base.endswith("/api/v3") else f"{base}/graphql"


def is_mutation(document: str) -> bool:
    """Whether a document changes anything."""
    return document.lstrip().startswith("mutation")


def check(answer: Answer, *, now: float, unnamed: float = wire.UNNAMED_SECONDS) -> Mapping[str, Any]:
    """The data of an answer, if all of it came: errors have the status 200 here.

    Raises:
        ForgeRateLimited: with the seconds to wait.
        ForgeUnavailable: it is no GraphQL answer.
        ForgeRefused: in GitHub's words; `code` is the first error's type, such as FORBIDDEN.
    """
    wire.check(answer, now=now, unnamed=unnamed)
    body: Any = answer.json()
    found = cast("dict[str, Any]", body) if isinstance(body, dict) else {}
    errors = cast("list[dict[str, Any]]", found.get("errors") or [])
    words = [str(error.get("message", "no explanation")) for error in errors]
    codes = [str(error.get("type") or "") for error in errors]
    said = "; ".join(words) or str(found.get("message", ""))
    if _LIMITED.intersection(codes) or wire.says_limit(said):
        wait = wire.named_wait(answer, now=now)
        raise ForgeRateLimited(
            f"GitHub answered: {said}", status=answer.status, retry_after=unnamed if wait is None else wait
        )
    if words:
        raise ForgeRefused(
            f"GitHub answered: {said}", status=answer.status, code=codes[0] or None, details=tuple(words)
        )
    if not isinstance(found.get("data"), dict):
        raise ForgeUnavailable("GitHub's answer is no GraphQL", status=answer.status)
    return cast("Mapping[str, Any]", found["data"])
