"""Findings out of streamed JSON, each at its closing brace.

Fed with pieces of the tool's input as they arrive, cut anywhere. Finds the array of objects by its brackets
and parses one element at a time, so the work is linear in the text and a half-written element is never taken
for a whole one. Text round the JSON, as some servers send instead of a tool call, is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import jiter
from pydantic import ValidationError

from reviewer.core.findings import ReportedFinding

# What can change the scanner's state; all between is skipped by the regular expression engine
_OUTSIDE = re.compile(r'["{}\[\]]')
_IN_STRING = re.compile(r'["\\]')


@dataclass(frozen=True, slots=True)
class InvalidElement:
    """An element that is no finding; `reason` is for people and holds none of the model's text."""

    reason: str


Element = ReportedFinding | InvalidElement
_NONE: Sequence[Element] = ()


class FindingsScanner:
    """Feed it; it gives each element of the findings array once that is complete.

    Attributes:
        seen: elements given so far.
        reported: an array of findings was closed, be it empty.
    """

    def __init__(self) -> None:
        self._stack: list[str] = []
        self._in_string = False
        self._escaped = False
        self._element: list[str] | None = None
        self._element_depth = 0
        self.seen = 0
        self.reported = False

    def feed(self, piece: str) -> Sequence[Element]:
        """The elements that this piece completes."""
        # Most pieces of most answers lie within a string
        if self._in_string and not self._escaped and '"' not in piece and "\\" not in piece:
            if self._element is not None:
                self._element.append(piece)
            return _NONE
        return list(self._scan(piece))

    def close(self) -> list[Element]:
        """What is left at the end: one invalid element if the text ended inside one."""
        if self._element is None:
            return []
        self._element = None
        return [InvalidElement("the answer ended inside a finding")]

    def _scan(self, piece: str) -> Iterator[Element]:
        position = begin = 0
        while position < len(piece):
            if self._in_string:
                position = self._string(piece, position)
                continue
            match = _OUTSIDE.search(piece, position)
            if match is None:
                break
            position = match.end()
            sign = match[0]
            if sign == '"':
                # Quotes outside any bracket are prose round the JSON
                self._in_string = bool(self._stack)
            elif sign in "{[":
                if sign == "{" and self._element is None and self._begins_element():
                    self._element, self._element_depth = [], len(self._stack)
                    begin = match.start()
                self._stack.append(sign)
            elif self._stack:
                self._stack.pop()
                self.reported |= sign == "]" and self._stack in ([], ["{"])
                if self._element is not None and len(self._stack) == self._element_depth:
                    self._element.append(piece[begin:position])
                    text, self._element = "".join(self._element), None
                    self.seen += 1
                    yield _read(text)
        if self._element is not None:
            self._element.append(piece[begin:])

    def _begins_element(self) -> bool:
        """Whether an object that begins here is an element: of a bare array, or of one inside an object."""
        return self._stack in (["["], ["{", "["])

    def _string(self, piece: str, position: int) -> int:
        if self._escaped:
            self._escaped = False
            return position + 1
        match = _IN_STRING.search(piece, position)
        if match is None:
            return len(piece)
        if match[0] == '"':
            self._in_string = False
        else:
            self._escaped = True
        return match.end()


def _read(text: str) -> Element:
    try:
        return ReportedFinding.model_validate(jiter.from_json(_joined(text).encode()))
    except ValidationError as error:
        places = sorted({".".join(map(str, item["loc"])) or "element" for item in error.errors()})
        return InvalidElement(f"off the schema: {', '.join(places)}")
    except ValueError:
        return InvalidElement("no valid JSON")


def _joined(text: str) -> str:
    """The text with the halves of surrogate pairs joined that came in two pieces; lone ones are replaced."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
