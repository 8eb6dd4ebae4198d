"""The judge of our own HTTP surface: notes what the app answers, and what its description lacks."""

from __future__ import annotations

import copy
import functools
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from httpx_sse import EventSource
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from webhooks.openapi.document import EVENT_SCHEMAS

_STREAM = "text/event-stream"
_LONGEST = 300
# What the router says by itself: no such route, no such method, a slash too many
_OF_THE_ROUTER = frozenset({404, 405, 307})
_STATIC = re.compile(r"/static/.*")
_PARAMETER = re.compile(r"\\{\w+\\}")


def strict(document: Mapping[str, Any]) -> dict[str, Any]:
    """The description as this version keeps to it: no field more, and none left out that has a default.

    Readers have to bear both, from newer and from older versions.
    """
    made = copy.deepcopy(dict(document))
    for schema in _objects(made["components"]["schemas"]):
        schema.setdefault("additionalProperties", False)
        given = [name for name, of in schema["properties"].items() if "default" in of]
        schema["required"] = [*schema.get("required", ()), *given]
    return made


def _objects(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict):
        if isinstance(part.get("properties"), dict) and part.get("type") == "object":
            yield part
        for each in part.values():
            yield from _objects(each)
    elif isinstance(part, list):
        for each in part:
            yield from _objects(each)


@dataclass(frozen=True, slots=True)
class Told:
    """An answer as it went out."""

    method: str
    path: str
    status: int
    headers: Headers
    body: bytes

    @property
    def media_type(self) -> str:
        """Without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


class ApiJudge:
    """Wraps the app with `judge.over(app)`; judges when asked, so calls wait for nothing.

    Attributes:
        judged: how many answers by `operationId` and status.
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.judged: Counter[tuple[str, int]] = Counter()
        self._document = strict(document)
        self._told: list[Told] = []
        self._offences: set[str] = set()
        # The most literal path first: `/reviews/{id}.sarif` before `/reviews/{id}`
        paths = sorted(self._document["paths"], key=lambda path: -len(re.sub(r"\{\w+\}", "", path)))
        self._paths = [(re.compile(_PARAMETER.sub("[^/]+", re.escape(path))), path) for path in paths]

    def over(self, app: ASGIApp) -> ASGIApp:
        """The app, with all its answers noted."""

        async def noting(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            start: Message = {}
            body: list[bytes] = []

            async def note(message: Message) -> None:
                if message["type"] == "http.response.start":
                    start.update(message)
                body.append(message.get("body", b""))
                await send(message)

            try:
                await app(scope, receive, note)
            finally:
                if start:
                    headers = Headers(raw=start.get("headers", []))
                    told = Told(scope["method"], scope["path"], start["status"], headers, b"".join(body))
                    self._told.append(told)

        return noting

    @property
    def offences(self) -> list[str]:
        """All that the description does not tell, so far."""
        while self._told:
            told = self._told.pop()
            self._offences |= {
                f"{told.method} {told.path} -> {told.status}: {each}"[:_LONGEST] for each in self._judge(told)
            }
        return sorted(self._offences)

    def demand_none(self) -> None:
        """Fail with every offence told, if there is one."""
        assert not self.offences, "\n".join(["our description does not tell of:", *self.offences])

    def _judge(self, told: Told) -> Iterator[str]:
        operation = self._operation(told)
        if operation is None:
            if told.status not in _OF_THE_ROUTER and not _STATIC.fullmatch(told.path):
                yield "there is no such operation"
            return
        answer = self._resolved(operation["responses"].get(str(told.status)))
        if answer is None:
            yield "there is no such answer"
            return
        self.judged[operation["operationId"], told.status] += 1
        for name, header in answer.get("headers", {}).items():
            if self._resolved(header).get("required") and name not in told.headers:
                yield f"the header {name} is missing"
        yield from self._judge_content(told, answer.get("content", {}))

    def _judge_content(self, told: Told, content: Mapping[str, Any]) -> Iterator[str]:
        if told.method == "HEAD":
            return
        if told.media_type not in content:
            if told.body or content:
                yield f"there is no answer of type {told.media_type!r}"
            return
        media = content[told.media_type]
        if told.media_type == _STREAM:
            yield from self._judge_events(told, media[EVENT_SCHEMAS])
        elif told.media_type.endswith("json"):
            yield from self._problems(told.body, media["schema"])

    def _judge_events(self, told: Told, schemas: Mapping[str, Any]) -> Iterator[str]:
        heard = httpx.Response(200, headers={"content-type": _STREAM}, content=told.body)
        for event in EventSource(heard).iter_sse():
            if not event.data:  # a mere position, which browsers tell nobody
                continue
            if event.event not in schemas:
                yield f"there is no event {event.event!r}"
                continue
            if not event.id and not event.event.startswith("stream."):
                yield f"a {event.event} without an id"
            yield from (f"{event.event}: {each}" for each in self._problems(event.data, schemas[event.event]))

    def _problems(self, text: bytes | str, schema: Mapping[str, Any]) -> Iterator[str]:
        try:
            value = json.loads(text)
        except ValueError:
            yield "no JSON"
            return
        for error in self._validator(json.dumps(schema)).iter_errors(value):
            nearest = best_match([error]) or error
            yield f"{nearest.json_path}: {nearest.message}"

    @functools.cache  # noqa: B019 - a judge lives as long as its story
    def _validator(self, schema: str) -> Draft202012Validator:
        whole = {**json.loads(schema), "components": self._document["components"]}
        return Draft202012Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER)

    def _operation(self, told: Told) -> dict[str, Any] | None:
        method = "get" if told.method == "HEAD" else told.method.lower()
        for pattern, path in self._paths:
            if pattern.fullmatch(told.path):
                return self._document["paths"][path].get(method)
        return None

    def _resolved(self, part: Any) -> Any:
        while isinstance(part, dict) and "$ref" in part:
            part = functools.reduce(
                lambda found, name: found[name], part["$ref"].split("/")[1:], self._document
            )
        return part
