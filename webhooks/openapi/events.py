"""The events of a stream as JSON schemas, made from the models that write them.

What has a default may be missing in an event that an older version wrote; fields are only ever added.
"""

from __future__ import annotations

from typing import Any, Final, get_args

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema

from reviewer.core import events
from webhooks.openapi.schemas import SHA, TEXT, TIME, WHOLE, Schema, nullable, record, ref

_REF = "#/components/schemas/{model}"
_COMMON: Final[dict[str, Schema]] = {
    "review": TEXT,
    "repository": TEXT,
    "pull_request": nullable(WHOLE),
    "head_sha": nullable(SHA),
    "at": TIME,
}
_REASON = {"reason": TEXT}
_OF_THE_STREAM: Final[dict[str, tuple[str, Schema]]] = {
    "stream.expired": (
        "StreamExpired",
        record(
            "Events between your position and now are no longer kept; the stream goes on with what is.",
            **_REASON,
            kept_days=WHOLE,
        ),
    ),
    "stream.closing": (
        "StreamClosing",
        record(
            "The server stops. Come back after the `retry` that comes with it, with your last id.", **_REASON
        ),
    ),
    "stream.revoked": (
        "StreamRevoked",
        record("Your access has ended, and with this the stream.", **_REASON),
    ),
}


class _WithoutTitles(GenerateJsonSchema):
    """A field's name is title enough."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic gives it
        return False


def _models() -> tuple[type[BaseModel], ...]:
    return get_args(events.Event)


def _type_of(model: type[BaseModel]) -> str:
    return str(model.model_fields["type"].default)


def events_of_reviews() -> list[str]:
    """The types that a filter may name."""
    return [_type_of(model) for model in _models()]


def by_type() -> dict[str, Schema]:
    """Which schema the `data:` of an event has, by its `event:`."""
    of_reviews = {_type_of(model): ref(model.__name__) for model in _models()}
    return of_reviews | {type_: ref(name) for type_, (name, _) in _OF_THE_STREAM.items()}


def in_words() -> str:
    """Each event in a line of Markdown."""
    lines = [f"- `{_type_of(model)}`: {_line(model.__doc__ or '')}" for model in _models()]
    lines += [f"- `{type_}`: {schema['description']}" for type_, (_, schema) in _OF_THE_STREAM.items()]
    return "\n".join(lines)


def _line(text: str) -> str:
    return " ".join(text.partition("\n\n")[0].split())


def schemas() -> dict[str, Schema]:
    """The schemas of all events, and those they refer to, by name."""
    wanted: list[tuple[type[BaseModel], JsonSchemaMode]] = [(model, "serialization") for model in _models()]
    _, found = models_json_schema(wanted, ref_template=_REF, schema_generator=_WithoutTitles)
    made: dict[str, Schema] = found["$defs"]
    for schema in made.values():
        schema.pop("additionalProperties", None)  # a client has to bear fields that come later
    for model in _models():
        made[model.__name__] = _told(made[model.__name__], terminal=_is_terminal(model))
    return made | dict(_OF_THE_STREAM.values())


def _is_terminal(model: type[BaseModel]) -> bool:
    return _type_of(model) in events.TERMINAL_TYPES


def _told(schema: Schema, *, terminal: bool) -> Schema:
    """The schema of `data:`: the type stands in `event:`, and what all events say comes first."""
    own = {name: of for name, of in schema["properties"].items() if name != "type"}
    return {
        **schema,
        "properties": {**_COMMON, **own},
        "required": [*_COMMON, *schema.get("required", ())],
        "x-terminal": terminal,
    }
