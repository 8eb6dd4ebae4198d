"""The JSON that answers hold, as schemas with an example each."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

from reviewer.core.findings import Severity

Schema = dict[str, Any]

TEXT: Final[Schema] = {"type": "string"}
WHOLE: Final[Schema] = {"type": "integer", "minimum": 0}
NUMBER: Final[Schema] = {"type": "number", "minimum": 0}
FLAG: Final[Schema] = {"type": "boolean"}
TIME: Final[Schema] = {"type": "string", "format": "date-time"}
DAY: Final[Schema] = {"type": "string", "format": "date"}
SHA: Final[Schema] = {"type": "string", "description": "of a commit"}


def ref(name: str) -> Schema:
    """The schema of that name."""
    return {"$ref": f"#/components/schemas/{name}"}


def nullable(schema: Schema) -> Schema:
    """The same, or null."""
    if "$ref" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    return {**schema, "type": [schema["type"], "null"]}


def array(items: Schema) -> Schema:
    """A list of such."""
    return {"type": "array", "items": items}


def words(enum: type[StrEnum]) -> Schema:
    """One of an enum's words."""
    return {"type": "string", "enum": [member.value for member in enum]}


def record(description: str, /, *optional: str, **properties: Schema) -> Schema:
    """An object that has all of these fields, save the optional ones, which it may lack."""
    return {
        "type": "object",
        "description": description,
        "properties": properties,
        "required": [name for name in properties if name not in optional],
    }


STATUSES: Final = (
    "queued",
    "running",
    "postponed",
    "completed",
    "failed",
    "superseded",
    "cancelled",
)
_REVIEW_EXAMPLE: Final = {
    "id": "9f0c2a4be1d7",
    "repository": "octo/shop",
    "pull_request": 7,
    "head_sha": "5d3a1f0c9b7e4d2a8c6f1b0e3d5a7c9f2b4d6e8a",
    "title": "Count the stock",
    "url": "https://github.com/octo/shop/pull/7",
    "status": "completed",
    "engine": "claude",
    "model": "claude-sonnet-5-5",
    "findings": 3,
    "by_severity": {"critical": 1, "high": 2, "medium": 0, "low": 0},
    "cost": 0.0431,
    "tokens": 13204,
    "chunks_done": 4,
    "chunks_total": 4,
    "first_finding_seconds": 2.31,
    "created_at": "2026-05-04T10:00:00.000Z",
    "started_at": "2026-05-04T10:00:00.250Z",
    "finished_at": "2026-05-04T10:00:19.804Z",
    "may_act": True,
}
_REVIEW: Final = record(
    "A review as lists show it; `cost` in USD, null where nothing was bought.",
    id=TEXT,
    repository=TEXT,
    pull_request=nullable(WHOLE),
    head_sha=nullable(SHA),
    title=TEXT,
    url=nullable(TEXT),
    status={"type": "string", "enum": list(STATUSES)},
    engine=nullable(TEXT),
    model=nullable(TEXT),
    findings=WHOLE,
    by_severity=record("Findings that stand.", **{severity.value: WHOLE for severity in Severity}),
    cost=nullable(NUMBER),
    tokens=WHOLE,
    chunks_done=WHOLE,
    chunks_total=WHOLE,
    first_finding_seconds=nullable(NUMBER),
    created_at=TIME,
    started_at=nullable(TIME),
    finished_at=nullable(TIME),
    may_act={**FLAG, "description": "whether you may cancel it, or have it run again"},
) | {"examples": [_REVIEW_EXAMPLE]}

_LINE: Final[Schema] = {
    "type": "array",
    "description": "kind, line number in the old file, in the new file, text",
    "prefixItems": [
        {"type": "string", "enum": [" ", "+", "-", "\\"]},
        nullable(WHOLE),
        nullable(WHOLE),
        TEXT,
    ],
    "items": False,
    "minItems": 4,
    "examples": [["+", None, 12, "    return a + b"]],
}
_HUNK: Final = record("Lines that stand together.", header=TEXT, lines=array(_LINE))
_FILE: Final = record(
    "A changed file; `hunks` is null where the diff is too long to be shown at once: ask with `path`.",
    path=TEXT,
    old_path=nullable(TEXT),
    status={**TEXT, "examples": ["added", "modified", "removed", "renamed", "changed"]},
    added=WHOLE,
    removed=WHOLE,
    binary=FLAG,
    hunks={"anyOf": [array(ref("Hunk")), {"type": "null"}]},
)
_USED: Final = record(
    "Used today (UTC), and the most that may be; null: no bound.", used=NUMBER, cap=nullable(NUMBER)
)
_STATUS: Final = record(
    "How things are, as far as you see them.",
    queue=record("Reviews.", waiting=WHOLE, running=WHOLE, postponed=WHOLE),
    model=record(
        "What reviews.",
        engine=TEXT,
        name=nullable(TEXT),
        state={"type": "string", "enum": ["ok", "paused", "none"]},
        detail=nullable(TEXT),
    ),
    github=array(
        record(
            "What GitHub lets one installation do.",
            installation=WHOLE,
            account=nullable(TEXT),
            closed_for_seconds=nullable(NUMBER),
            writes_this_hour=WHOLE,
            writes_per_hour=WHOLE,
        )
    ),
    budgets=array(
        record("A budget of the day.", scope=TEXT, owner=TEXT, tokens=ref("Used"), usd=ref("Used"))
    ),
)
_USAGE: Final = record(
    "What was used, by day (UTC); `cost` in USD. Chunks are bought, or known from before.",
    **{"from": DAY, "to": DAY},
    rows=array(
        record(
            "One model in one repository on one day.",
            day=DAY,
            repository=TEXT,
            model=TEXT,
            calls=WHOLE,
            input=WHOLE,
            cached=WHOLE,
            cache_writes=WHOLE,
            output=WHOLE,
            cost=nullable(NUMBER),
        )
    ),
    chunks=array(record("One day.", day=DAY, bought=WHOLE, known=WHOLE)),
)
_SARIF: Final[Schema] = {
    "type": "object",
    "description": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html",
    "properties": {"version": {"const": "2.1.0"}, "runs": array({"type": "object"})},
    "required": ["version", "runs"],
    "additionalProperties": True,
}

SCHEMAS: Final[dict[str, Schema]] = {
    "Error": record("What went wrong, in a sentence that says what to do.", error=TEXT)
    | {"examples": [{"error": "no such review"}]},
    "OverBudget": record(
        "A refusal; if it comes from a budget, which one, and what the diff was estimated at (cost in USD).",
        "scope",
        "estimated_tokens",
        "estimated_cost",
        error=TEXT,
        scope=TEXT,
        estimated_tokens=WHOLE,
        estimated_cost=NUMBER,
    ),
    "Review": _REVIEW,
    "Reviews": record(
        "A page of reviews, newest first; `next` goes into `before` for the page after it.",
        reviews=array(ref("Review")),
        next=nullable(TEXT),
    ),
    "Cancelled": record("The review is being ended.", review=TEXT, reason=TEXT)
    | {"examples": [{"review": "9f0c2a4be1d7", "reason": "stopped by operator"}]},
    "Again": record(
        "The review that was asked for, or null and why there is none.",
        review=nullable(TEXT),
        reason=nullable(TEXT),
    ),
    "Posted": record("The review that was asked for.", review=TEXT)
    | {"examples": [{"review": "9f0c2a4be1d7"}]},
    "Hunk": _HUNK,
    "ChangedFile": _FILE,
    "Diff": record(
        "The diff that was reviewed; truncated: some files come without their hunks.",
        files=array(ref("ChangedFile")),
        truncated=FLAG,
    ),
    "Sarif": _SARIF,
    "Used": _USED,
    "Status": _STATUS,
    "UsageByDay": _USAGE,
    "Me": record("Who you are.", id=TEXT, name=TEXT, may_post=FLAG, sees_everything=FLAG)
    | {"examples": [{"id": "operator", "name": "operator", "may_post": True, "sees_everything": True}]},
    "Taken": record(
        "What became of a delivery: the review it asked for, why there is none, or why it bears on nothing.",
        "review",
        "reason",
        "ignored",
        review=TEXT,
        reason=TEXT,
        ignored=TEXT,
    ),
}
