"""What goes over the wire between the app and the sandbox, written down as it passes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

JSON_TYPE = "application/json"


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its answer; media types come without parameters, and of answers only JSON is kept."""

    method: str
    path: str
    query: bytes
    sent_type: str
    sent: bytes
    status: int
    answer_type: str
    answer: bytes

    @property
    def has_json_answer(self) -> bool:
        """Whether the answer is JSON, or nothing at all: what a description of JSON can speak about."""
        return self.answer_type in {JSON_TYPE, ""}

    @property
    def sent_object(self) -> dict[str, Any]:
        """The request's JSON object; empty where it is none."""
        return _as_object(self.sent)

    @property
    def answer_object(self) -> dict[str, Any]:
        """The answer's JSON object; empty where it is none."""
        return _as_object(self.answer)


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that GitHub would not have sent, or not have taken."""

    exchange: Exchange
    side: str
    reason: str

    def __str__(self) -> str:
        told = self.exchange
        return f"{told.method} {told.path} -> {told.status}, {self.side}: {self.reason}"


def _as_object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
