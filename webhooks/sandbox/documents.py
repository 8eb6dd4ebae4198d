"""GraphQL documents as far as the sandbox understands them: fields, their arguments, and what they ask for.

Aliases, fragments and directives are not understood, and refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\.\.\.|[{}()\[\]:!=@$]|-?\d+|\w+|#[^\n]*|[\s,]+|.')
_LITERALS: Mapping[str, Any] = {"true": True, "false": False, "null": None}


class BadDocument(Exception):
    """A document that can't be read; the message is for people."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a document, with the fields asked of it."""

    name: str
    arguments: Mapping[str, Any]
    fields: tuple[Field, ...] = ()

    def get(self, name: str) -> Field | None:
        """The field of that name, if it is asked for."""
        return next((each for each in self.fields if each.name == name), None)


@dataclass(frozen=True, slots=True)
class Document:
    """One operation: `query` or `mutation`."""

    kind: str
    root: Field


def parse(text: str, variables: Mapping[str, Any]) -> Document:
    """Read a document of one operation.

    Raises:
        BadDocument: it is none, or more than the sandbox understands.
    """
    reader = _Reader([token for token in _TOKEN.findall(text) if not re.match(r"[\s,#]", token)], variables)
    return reader.document()


@dataclass(slots=True)
class _Reader:
    tokens: list[str]
    variables: Mapping[str, Any]
    at: int = field(default=0)

    def document(self) -> Document:
        kind = "query"
        if self._peek() != "{":
            kind = self._take()
            if kind not in {"query", "mutation"}:
                raise BadDocument(f"Expected one of query, mutation, actual: {kind!r}")
            while self._peek() != "{":
                self._skip()
        root = Field(kind, {}, self._fields())
        if self.at != len(self.tokens):
            raise BadDocument(f"Unexpected {self._peek()!r} behind the operation")
        return Document(kind, root)

    def _skip(self) -> None:
        """Pass over the operation's name, or the types of its variables."""
        if self._take() == "(":
            while self._take() != ")":
                pass

    def _fields(self) -> tuple[Field, ...]:
        self._take("{")
        found: list[Field] = []
        while self._peek() != "}":
            name = self._take()
            if not re.fullmatch(r"[A-Za-z_]\w*", name):
                raise BadDocument(f"Expected a field, actual: {name!r}")
            arguments = self._object("(", ")") if self._peek() == "(" else {}
            found.append(Field(name, arguments, self._fields() if self._peek() == "{" else ()))
        self._take("}")
        return tuple(found)

    def _object(self, opening: str, closing: str) -> dict[str, Any]:
        self._take(opening)
        found: dict[str, Any] = {}
        while self._peek() != closing:
            name = self._take()
            self._take(":")
            found[name] = self._value()
        self._take(closing)
        return found

    def _value(self) -> Any:
        if self._peek() == "{":
            return self._object("{", "}")
        word = self._take()
        if word == "$":
            return self.variables.get(self._take())
        if word.startswith('"') or re.fullmatch(r"-?\d+", word):
            return json.loads(word)
        return _LITERALS.get(word, word)

    def _peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def _take(self, expected: str | None = None) -> str:
        token = self._peek()
        if not token or (expected is not None and token != expected):
            raise BadDocument(f"Expected {expected or 'more'}, actual: {token or 'the end'!r}")
        self.at += 1
        return token
