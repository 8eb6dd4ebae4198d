"""The description of the HTTP surface, OpenAPI 3.1: put together from tables, served at `/openapi.json`."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from importlib.metadata import version as installed_version
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from webhooks.openapi import events as openapi_events
from webhooks.openapi.answers import REFUSALS, STREAM, Answer
from webhooks.openapi.operations import OPEN, OPERATIONS, SIGNED, Operation
from webhooks.openapi.parts import BODIES, HEADERS, PARAMETERS, SECURITY
from webhooks.openapi.schemas import SCHEMAS, Schema

EVENT_SCHEMAS: Final = "x-event-schemas"
"""At a stream's media type: the schema of each event's `data:`, by its `event:`."""

_ABOUT: Final = """\
Errors are JSON: `{"error": "a sentence that says what to do"}`. What you may
not see does not exist for you: 404. Fields are only ever added, and so are types of events: pass
over what you don't know.

A stream is `text/event-stream`. `event:` is the type, `id:` an opaque position to come back with as
`Last-Event-ID`, `data:` one JSON object, whose schema stands under `x-event-schemas`. A
comment comes every 15 seconds.
"""


def document(version: str, url: str | None) -> dict[str, Any]:
    """The description; `url` is where the app is reached, None: wherever this document was read."""
    paths: dict[str, dict[str, Any]] = {}
    for (method, path), operation in OPERATIONS.items():
        paths.setdefault(path, {})[method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Sluice",
            "version": version,
            "description": f"{_ABOUT}\n{openapi_events.in_words()}\n",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": url or "/"}],
        "tags": [{"name": name} for name in dict.fromkeys(each.tag for each in OPERATIONS.values())],
        "paths": paths,
        "components": {
            "schemas": {**SCHEMAS, **openapi_events.schemas()},
            "parameters": PARAMETERS,
            "requestBodies": BODIES,
            "headers": HEADERS,
            "responses": {_name(status): _response(answer) for status, answer in REFUSALS.items()},
            "securitySchemes": SECURITY,
        },
    }


async def openapi(request: Request) -> Response:  # noqa: ARG001 - Starlette gives it
    """`GET /openapi.json`."""
    return Response(_as_bytes(), media_type="application/json")


@functools.cache
def _as_bytes() -> bytes:
    return json.dumps(document(installed_version("sluice"), None), separators=(",", ":")).encode()


def _operation(operation: Operation) -> dict[str, Any]:
    refusals = sorted({*operation.refuses, *_by_security(operation)} - set(operation.gives))
    answers = {
        **{str(status): _response(answer) for status, answer in operation.gives.items()},
        **{str(status): {"$ref": f"#/components/responses/{_name(status)}"} for status in refusals},
    }
    made: dict[str, Any] = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "security": list(operation.security),
        "responses": dict(sorted(answers.items())),
    }
    if operation.words:
        made["description"] = operation.words
    if operation.parameters:
        made["parameters"] = [{"$ref": f"#/components/parameters/{name}"} for name in operation.parameters]
    if operation.body:
        made["requestBody"] = {"$ref": f"#/components/requestBodies/{operation.body}"}
    return made


def _by_security(operation: Operation) -> tuple[int, ...]:
    """What refuses before the operation is reached: who calls is looked up, and how often."""
    if operation.security in (SIGNED, OPEN):
        return ()
    if {} in operation.security:
        return (429, 503)
    return (401, 429, 503)


def _response(answer: Answer) -> dict[str, Any]:
    made: dict[str, Any] = {"description": answer.words}
    if answer.content:
        made["content"] = {kind: _media(kind, schema) for kind, schema in answer.content.items()}
    if answer.headers or answer.maybe:
        made["headers"] = _headers(answer)
    return made


def _media(kind: str, schema: Schema) -> dict[str, Any]:
    if kind != STREAM:
        return {"schema": schema}
    return {"schema": schema, EVENT_SCHEMAS: openapi_events.by_type()}


def _headers(answer: Answer) -> Mapping[str, Any]:
    certain = {name: {**HEADERS[name], "required": True} for name in answer.headers}
    return certain | {name: {"$ref": f"#/components/headers/{name}"} for name in answer.maybe}


def _name(status: int) -> str:
    return f"Refused{status}"
