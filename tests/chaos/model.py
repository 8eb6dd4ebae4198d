"""The scripted Claude of a storm: one finding for each plant it is shown, unless trouble comes."""

from __future__ import annotations

import hashlib
import re
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tests.chaos.plan import PLANT
from tests.chaos.weather import Trouble, Weather
from tests.fakes.claude import Answer, ScriptedClaude

STALL_SECONDS = 30.0
"""Longer than any worker of a storm waits for the next word."""

_BLOCK = re.compile(
    r'^<diff-(?P<fence>[0-9a-f]{16}) path="(?P<path>[^"]*)"[^\n]*>\n(?P<text>.*?)\n</diff-(?P=fence)>$',
    re.MULTILINE | re.DOTALL,
)
_ADDED = re.compile(r"^R(?P<line>\d+) *\+(?P<text>.*)$", re.MULTILINE)
_NUMBER = re.compile(r"^[RLC]\d+ *", re.MULTILINE)
_HEADER = re.compile(r"^@@ [^@]* @@", re.MULTILINE)
_CHUNK = re.compile(r"\bchunk ([0-9a-f]{16})\b")
_SEVERITIES = ("critical", "high", "medium", "low")


@dataclass(frozen=True, slots=True)
class Shown:
    """A chunk as a prompt shows it.

    Attributes:
        id: a digest of all that is shown but for line numbers.
    """

    id: str
    path: str
    text: str

    def findings(self) -> Iterator[dict[str, Any]]:
        """What is to be said of it: the chunk's id goes with each finding, and so into the ledger."""
        for row in _ADDED.finditer(self.text):
            for plant in PLANT.findall(row["text"]):
                yield {
                    "path": self.path,
                    "side": "RIGHT",
                    "line": int(row["line"]),
                    "end_line": None,
                    "quote": row["text"],
                    "severity": _SEVERITIES[zlib.crc32(plant.encode()) % len(_SEVERITIES)],
                    "category": "bug",
                    "title": f"PLANT-{plant} divides by the length of an empty list",
                    "message": f"Without values there is nothing to divide by. Seen in chunk {self.id}.",
                    "suggestion": None,
                    "confidence": "high",
                }


def shown_in(request: Mapping[str, Any]) -> list[Shown]:
    """The chunks of a request, without those of its examples."""
    content = request["messages"][0]["content"]
    text = content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
    return [_shown(match["path"], match["text"]) for match in _BLOCK.finditer(text)]


def chunk_named(message: str) -> str | None:
    """The chunk that a finding's message names."""
    found = _CHUNK.search(message)
    return found[1] if found else None


def _shown(path: str, text: str) -> Shown:
    stable = _HEADER.sub("@@", _NUMBER.sub("", text))
    return Shown(hashlib.sha256(f"{path}\0{stable}".encode()).hexdigest()[:16], path, text)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request to the model; `at` is the time of day."""

    worker: str
    at: float
    chunks: tuple[str, ...]
    answer: Answer

    @property
    def whole(self) -> bool:
        """Whether all was said."""
        return self.answer.ended_at is not None and self.answer.status == 200


@dataclass
class Model:
    """Answers all workers, each at a door of its own so that it is known who asks."""

    weather: Weather
    asked: list[Asked] = field(default_factory=list[Asked])

    def door(self, worker: str) -> ScriptedClaude:
        """The server that one worker asks."""
        return ScriptedClaude(partial(self.answer, worker))

    def answer(self, worker: str, request: dict[str, Any]) -> Answer:
        """What a worker is told, written down."""
        shown = shown_in(request)
        answer = self._troubled(Answer.findings(*(found for chunk in shown for found in chunk.findings())))
        self.asked.append(Asked(worker, time.time(), tuple(chunk.id for chunk in shown), answer))
        return answer

    def _troubled(self, answer: Answer) -> Answer:
        between = self.weather.between
        answer.chars, answer.delay, answer.first_token = 60, between(0.03, 0.1), between(0.05, 0.4)
        answer.input_tokens = 1_500
        somewhere = int(between(0, len(answer.text)))
        match self.weather.claude():
            case Trouble.OVERLOADED:
                answer.status, answer.error = 529, "overloaded_error"
            case Trouble.ERROR:
                answer.status, answer.error = 500, "api_error"
            case Trouble.BROKEN:
                answer.failure, answer.fail_after = "cut", somewhere
            case Trouble.STALLED:
                answer.failure, answer.fail_after, answer.stall = "stall", somewhere, STALL_SECONDS
            case _:
                pass
        return answer
