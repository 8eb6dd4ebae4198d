"""What Claude finds in the bundled change, told as slowly as a story wants it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.answers import Answer, Step, Wait
from tests.fakes.shop import findings_in

_LOOK_SECONDS = 0.01


@dataclass
class Claude:
    """A script that tells so many findings in all as it is allowed to, and says when an answer has ended.

    Attributes:
        allowed: findings that may be told, over all answers; None: all.
        kept_back: titles that may not be told, whatever else may.
        told: titles, in the order in which their last character was sent.
        writing: answers that have begun and not ended.
    """

    allowed: int | None = None
    kept_back: frozenset[str] = frozenset()
    told: list[str] = field(default_factory=list[str])
    writing: int = 0

    def answer(self, request: dict[str, Any]) -> Answer:
        """What is found in the part of the change that the request shows."""
        found = list(findings_in(str(request["messages"][0]["content"])))
        return _Slow.of(self, found)

    def may_tell(self, title: str) -> bool:
        """Whether this finding may be told now."""
        return title not in self.kept_back and (self.allowed is None or len(self.told) < self.allowed)

    async def until_told(self, count: int) -> None:
        """Wait until so many findings have been told."""
        while len(self.told) < count:  # noqa: ASYNC110 - a script tells nobody
            await asyncio.sleep(_LOOK_SECONDS)


class _Slow(Answer):
    """An answer that asks before each finding."""

    claude: Claude
    found: list[dict[str, Any]]

    @classmethod
    def of(cls, claude: Claude, found: list[dict[str, Any]]) -> _Slow:
        made = cls(
            text=json.dumps({"findings": found}), input_tokens=2_000 + 40 * len(found), cache_read=1_200
        )
        made.claude, made.found = claude, found
        return made

    def steps(self, request: dict[str, Any]) -> Iterator[Step]:
        """The steps of any answer, with a wait wherever a finding is about to end that may not be told."""
        self.claude.writing += 1
        ends = list(_ends(self.text, self.found))
        sent = 0
        for step in super().steps(request):
            size = _size(step)
            while ends and size and sent + size >= ends[0][0]:
                while not self.claude.may_tell(ends[0][1]):
                    yield Wait(_LOOK_SECONDS)
                self.claude.told.append(ends.pop(0)[1])
            sent += size
            yield step
        self.claude.writing -= 1


def _size(step: Step) -> int:
    """How much of the tool's input a step brings."""
    if not isinstance(step, bytes) or b"input_json_delta" not in step:
        return 0
    return len(json.loads(step.partition(b"data: ")[2])["delta"]["partial_json"])


def _ends(text: str, found: list[dict[str, Any]]) -> Iterator[tuple[int, str]]:
    """After how many characters each finding is complete, and its title."""
    at = 0
    for each in found:
        written = json.dumps(each)
        at = text.index(written, at) + len(written)
        yield at, each["title"]
