"""GitHub's OpenAPI description as a judge of shapes: which requests and answers it allows."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from jsonschema.exceptions import ValidationError, best_match
from openapi_core import OpenAPI
from openapi_core.datatypes import RequestParameters
from openapi_core.templating.responses.exceptions import ResponseNotFound
from starlette.datastructures import Headers, QueryParams

from tests.contracts.exchanges import JSON_TYPE, Exchange
from tests.corpus import DATA

HOST = "https://api.github.com"
_LONGEST_REASON = 300
# What GitHub has and the description leaves out; all else that it does not know is a mistake of ours
_BEYOND = re.compile(
    r"(GET|POST) /[^/]+/[^/]+\.git/(info/refs|git-upload-pack)"
    r"|GET /repos/[^/]+/[^/]+/check-runs/\d+/annotations"
    r"|GET /repositories/\d+.*"
    r"|POST /graphql"
    r"|GET /[^/]+/[^/]+/pull/\d+"
    r"|GET /login/oauth/authorize|POST /login/oauth/access_token"
)
_NULL: Any = {"type": "object", "nullable": True, "enum": [None]}
# A template's parameter matches one segment; these two take whole paths and branch names with slashes
_SPANNING = re.compile(r"(/repos/[^/]+/[^/]+/(?:contents|compare)/)(.+)")


@functools.cache
def load() -> OpenAPI:
    """The description, read once for the process."""
    return OpenAPI.from_dict(amended(json.loads((DATA / "github-openapi-trimmed.json").read_text())))


def amended(found: dict[str, Any]) -> dict[str, Any]:
    """The description without what GitHub itself does not keep to; keys that it does not name are wrong."""
    schemas = found["components"]["schemas"]
    for name in ("pull-request-review-comment", "review-comment"):
        for place in ("line", "original_line", "position"):
            schemas[name]["properties"][place]["nullable"] = True  # the line has left the diff, or never was
    for name in ("pull-request", "pull-request-simple"):
        head = schemas[name]["properties"]["head"]["properties"]
        head["repo"] = {"oneOf": [head["repo"]], "nullable": True}  # the fork was deleted
    listed = found["paths"]["/app/installations"]["get"]["responses"]["200"]["content"][JSON_TYPE]["schema"]
    account = listed["items"]["properties"]["account"]
    account["anyOf"] = account.pop("allOf")  # a user or an enterprise: nobody is both
    for name in ("basic-error", "validation-error", "validation-error-simple"):
        schemas[name]["additionalProperties"] = True  # refusals say more than is written of them
    parts = list(_parts(found))
    for member in (each for part in parts for each in part.get("allOf", ()) if "properties" in each):
        member.setdefault("additionalProperties", True)  # the other members name the rest
    for part in parts:
        if part.get("nullable") is True:
            _allow_null(part)
        if isinstance(part.get("properties"), dict):
            part.setdefault("additionalProperties", False)
    return found


def _parts(part: Any) -> Iterator[dict[str, Any]]:
    """Everything inside that may be a schema."""
    if isinstance(part, list):
        for each in part:
            yield from _parts(each)
    elif isinstance(part, dict):
        for each in part.values():
            yield from _parts(each)
        yield part


def _allow_null(schema: dict[str, Any]) -> None:
    """Put null among the values of what is said to be nullable: OpenAPI wants it in enums and choices too."""
    for name, null in (("enum", None), ("oneOf", _NULL), ("anyOf", _NULL)):
        if isinstance(schema.get(name), list):
            schema[name] = [*schema[name], null]


@dataclass(slots=True)
class _Request:
    """A request as openapi-core wants to see it."""

    path: str
    method: str
    content_type: str
    body: bytes | None
    parameters: RequestParameters
    host_url: str = HOST

    @classmethod
    def of(cls, exchange: Exchange) -> _Request:
        return cls(
            path=_SPANNING.sub(lambda found: found[1] + quote(found[2], safe=""), exchange.path),
            method=exchange.method.lower(),
            content_type=exchange.sent_type,
            body=exchange.sent or None,
            parameters=RequestParameters(query=QueryParams(exchange.query)),
        )


@dataclass(slots=True)
class _Answer:
    """An answer as openapi-core wants to see it."""

    status_code: int
    content_type: str
    data: bytes
    headers: Headers


def leaves_out(exchange: Exchange) -> bool:
    """Whether the description does not speak about a request that GitHub knows."""
    return _BEYOND.fullmatch(f"{exchange.method} {exchange.path}") is not None


def request_problems(exchange: Exchange) -> list[str]:
    """What is wrong with a request; one to nowhere is wrong."""
    return list(_reasons(load().iter_request_errors(_Request.of(exchange))))


def answer_problems(exchange: Exchange) -> Iterator[str]:
    """What is wrong with the answer to a request whose path is known.

    A refusal or redirect whose status the description does not list has to hold a message, as all have; that
    nothing was modified is said without a word.
    """
    if exchange.status == 304 and not exchange.answer:
        return
    answer = _Answer(exchange.status, exchange.answer_type, exchange.answer, Headers())
    errors = list(load().iter_response_errors(_Request.of(exchange), answer))
    if exchange.status >= 300 and any(isinstance(error, ResponseNotFound) for error in errors):
        errors = []
    if exchange.status == 304:  # no body, and nowhere in the description
        return
    if exchange.status >= 300 and not isinstance(exchange.answer_object.get("message"), str):
        yield "a refusal without a message"
    yield from _reasons(errors)


def _reasons(errors: Iterable[Exception]) -> Iterator[str]:
    for error in errors:
        schema_errors: list[ValidationError] = list(getattr(error.__cause__, "schema_errors", ()))
        for each in schema_errors:
            nearest = best_match([each]) or each
            yield f"{nearest.json_path}: {nearest.message}"[:_LONGEST_REASON]
        if not schema_errors:
            yield f"{error}: {error.__cause__}" if error.__cause__ else str(error)
