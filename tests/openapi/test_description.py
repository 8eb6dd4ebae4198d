"""The description is sound in itself, and tells of the routes that there are."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from starlette.requests import Request
from starlette.routing import Mount, Route

from reviewer.core.events import Event
from tests.scenarios.app import world
from webhooks.openapi.document import EVENT_SCHEMAS, document, openapi
from webhooks.openapi.events import by_type

DOCUMENT = document("1.2.3", "https://sluice.example")


def operations() -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method.upper(), path): operation
        for path, methods in DOCUMENT["paths"].items()
        for method, operation in methods.items()
    }


def test_it_is_openapi_3_1():
    validate(DOCUMENT)

    assert DOCUMENT["openapi"] == "3.1.0"
    assert DOCUMENT["info"]["version"] == "1.2.3"
    assert DOCUMENT["servers"] == [{"url": "https://sluice.example"}]


def test_every_operation_has_a_name_of_its_own():
    names = Counter(operation["operationId"] for operation in operations().values())

    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("name", sorted(DOCUMENT["components"]["schemas"]))
def test_examples_are_what_their_schema_allows(name):
    schema = DOCUMENT["components"]["schemas"][name]
    validator = Draft202012Validator({**schema, "components": DOCUMENT["components"]})
    Draft202012Validator.check_schema(schema)

    for example in schema.get("examples", ()):
        validator.validate(example)


def test_every_event_has_a_schema_and_a_line_in_every_stream():
    made = {model.model_fields["type"].default for model in get_args(Event)}
    streams = [
        answer["content"]["text/event-stream"][EVENT_SCHEMAS]
        for operation in operations().values()
        for answer in operation["responses"].values()
        if "text/event-stream" in answer.get("content", {})
    ]

    assert made | {"stream.expired", "stream.closing", "stream.revoked"} == set(by_type())
    assert streams == [by_type()] * 3
    assert all(f"- `{type_}`: " in DOCUMENT["info"]["description"] for type_ in by_type())


async def test_it_tells_of_the_routes_that_there_are_and_of_no_other(database_url, tmp_path):
    async with world(database_url, tmp_path) as app:
        routes = {
            (method, route.path)
            for route in app.routes
            if isinstance(route, Route)
            for method in (route.methods or set()) - {"HEAD"}
        }
        mounts = [route.path for route in app.routes if isinstance(route, Mount)]

    described = set(operations())
    assert routes - described == set(), "routes that webhooks/openapi/operations.py does not tell of"
    assert described - routes == set(), "operations that have no route"
    assert mounts == ["/static"]


async def test_a_refused_method_is_told_every_method_that_the_path_takes(database_url, tmp_path):
    told: dict[str, set[str]] = {}
    async with world(database_url, tmp_path) as app:
        for path in DOCUMENT["paths"]:
            async with app.http.delete(app.url + path) as answer:
                assert answer.status == 405, path
                told[path] = set(answer.headers["Allow"].split(", ")) - {"HEAD"}

    assert told == {path: {each.upper() for each in methods} for path, methods in DOCUMENT["paths"].items()}


async def test_it_is_served_as_it_is():
    answer = await openapi(Request({"type": "http", "method": "GET", "path": "/openapi.json", "headers": []}))
    served = json.loads(bytes(answer.body))

    assert answer.media_type == "application/json"
    assert served["paths"] == json.loads(json.dumps(DOCUMENT["paths"]))
    assert served["servers"] == [{"url": "/"}]
