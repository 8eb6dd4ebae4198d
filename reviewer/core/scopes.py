r"""Which function or class encloses a line of a source file.

Read by tree-sitter, so a file with errors gives what could be made out round them. The text may be anything a
repository holds: what is no Unicode is replaced before it is parsed, and lines end at "\n" only.

A definition begins with its decorators, attributes or annotations: who changes one of those changes it.

The parser holds the interpreter's lock. An ordinary file takes it milliseconds, but a few kilobytes made
for the purpose keep it busy for minutes, and some of its scanners end the process on text they do not
expect. The limits here keep out what is known; still, text from strangers belongs in a process of its own,
under a time limit. What is read is plain data that travels back.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from ast_grep_py import Pos, SgNode, SgRoot

from reviewer.core.grammars import Form, Grammar, ScopeKind, grammar_for, part

MAX_CHARACTERS = 1_000_000
"""Larger files are not read: ordinary ones take about half a second a million, and a stranger's more."""

MAX_LINE = 5_000
"""Files with a longer line are not read: no person wrote them, and a column takes time by its number."""

MAX_NAME = 80
"""Characters of one part of a name."""

MAX_DEPTH = 20
"""Definitions nested deeper belong to the one at this depth."""

HEADER_LINES = 10
"""At most this many lines are called a definition's header."""

_UNREADABLE = re.compile("[\0\ud800-\udfff]")
# What may stand between a decorator and the definition it belongs to
_GAP = re.compile(r"(?:\s++|//[^\n]*+|#[^\n]*+|export\b|default\b)*+")

_BODY_FIELDS = ("body", "accessors", "match")
_BODY_KINDS = frozenset(
    {
        *("class_body", "enum_class_body", "function_body"),
        *("computed_property", "willset_didset_block", "do_block", "field_declaration_list", "{"),
    }
)
_COMMENTS = frozenset({"comment", "line_comment", "block_comment", "multiline_comment"})


def understands(path: str) -> bool:
    """Whether files of that name are in a language that is known."""
    return grammar_for(path) is not None


@dataclass(frozen=True, slots=True)
class Scope:
    """A definition that encloses lines of a file.

    Attributes:
        name: dotted from the outside in, such as `Shop.pay`.
        first: 1-based number of the line where it begins, decorators included.
        last: 1-based number of its last line.
        signature_last: the last line of its header, which the body follows; at most `first` + 9.
    """

    name: str
    kind: ScopeKind
    first: int
    last: int
    signature_last: int


class Scopes:
    """The definitions of one file; plain data that can travel between processes.

    Attributes:
        scopes: in the order of the text.
        outer: by position, the position of the definition that encloses it, or None.
    """

    __slots__ = ("_firsts", "outer", "scopes")

    def __init__(self, scopes: Sequence[Scope], outer: Sequence[int | None]) -> None:
        self.scopes = tuple(scopes)
        self.outer = tuple(outer)
        self._firsts = [scope.first for scope in scopes]

    @classmethod
    def read(cls, text: str, path: str) -> Scopes | None:
        """The definitions of the file at `path`; None if its language is unknown or its text unfit."""
        grammar = grammar_for(path)
        if grammar is None or not _fit(text, grammar):
            return None
        readable = _UNREADABLE.sub("\ufffd", text)
        root = SgRoot(readable, grammar.language).root()
        reader = _Reader(readable, grammar)
        for node in root.find_all(grammar.query()):
            reader.see(node)
        return cls(reader.scopes, reader.outer) if reader.scopes or root.kind() != "ERROR" else None

    def around(self, line: int) -> Scope | None:
        """The innermost definition that holds the 1-based `line`."""
        index = self._innermost(line)
        return None if index is None else self.scopes[index]

    def chain(self, line: int) -> tuple[Scope, ...]:
        """All definitions that hold the 1-based `line`, outermost first."""
        found: list[Scope] = []
        index = self._innermost(line)
        while index is not None:
            found.append(self.scopes[index])
            index = self.outer[index]
        return tuple(reversed(found))

    def _innermost(self, line: int) -> int | None:
        """Definitions nest and are sorted: it is the last that began by the line, or one round that."""
        index = bisect_right(self._firsts, line) - 1
        inner = index if index >= 0 else None
        while inner is not None and self.scopes[inner].last < line:
            inner = self.outer[inner]
        return inner


@dataclass(frozen=True, slots=True)
class _Open:
    """A definition that the next node may be inside of; `value` is the function or class that it names."""

    end: int
    index: int
    value: SgNode


class _Reader:
    """Makes scopes of nodes that come in the order of the text."""

    def __init__(self, text: str, grammar: Grammar) -> None:
        self.scopes: list[Scope] = []
        self.outer: list[int | None] = []
        self._text = text
        self._grammar = grammar
        self._written = _last_written_lines(text)
        self._open: list[_Open] = []
        self._lead: tuple[int, int] | None = None  # first line, and end in characters

    def see(self, node: SgNode) -> None:
        """Take the next node."""
        place = node.range()
        first = self._first_line(place.start)
        form = self._grammar.forms.get(node.kind())
        if form is None:
            self._lead = (first, place.end.index)
            return
        name = form.name(node)[:MAX_NAME]
        if not name:
            return
        self._lead = None
        if not self._defines(node, form):
            return
        # Where layout closes a definition, its node may reach to the line of what follows
        end = place.end
        last = max(first, self._written[end.line - (end.column == 0 and end.line > first)])
        value = part(node, *form.value) or node
        header = min(max(first, _header_end(value)), last, first + HEADER_LINES - 1)
        self._add(Scope(name, form.kind(node), first + 1, last + 1, header + 1), value, end.index)

    def _first_line(self, start: Pos) -> int:
        """The 0-based line of what begins at `start`, or of what leads it; closes what ended before."""
        open_before = len(self._open)
        while self._open and self._open[-1].end <= start.index:
            self._open.pop()
        # What stands inside a definition leads nothing behind it
        if self._lead is None or len(self._open) < open_before:
            return start.line
        line, end = self._lead
        return line if _GAP.fullmatch(self._text, end, start.index) else start.line

    def _defines(self, node: SgNode, form: Form) -> bool:
        if not self._open:
            return True
        outer = self._open[-1]
        if len(self._open) >= MAX_DEPTH or node == outer.value:
            return False
        return form.inside_functions or self.scopes[outer.index].kind != "function"

    def _add(self, scope: Scope, value: SgNode, end: int) -> None:
        outer = self._open[-1].index if self._open else None
        if outer is not None:
            scope = replace(scope, name=f"{self.scopes[outer].name}.{scope.name}")
        self._open.append(_Open(end, len(self.scopes), value))
        self.scopes.append(scope)
        self.outer.append(outer)


def _fit(text: str, grammar: Grammar) -> bool:
    """Whether the text can be parsed in reasonable time and without harm."""
    if len(text) > MAX_CHARACTERS or any(len(line) > MAX_LINE for line in text.split("\n")):
        return False
    return grammar.refused is None or not grammar.refused(text)


def _header_end(holder: SgNode) -> int:
    """The 0-based line where the header of a function or class ends; its last if it has no body."""
    body = next((found for field in _BODY_FIELDS if (found := holder.field(field))), None)
    children = holder.children()
    if body is None:
        body = next((child for child in children if child.kind() in _BODY_KINDS), None)
    if body is None:
        return holder.range().end.line
    before = [
        child for child in takewhile(lambda child: child != body, children) if child.kind() not in _COMMENTS
    ]
    return (before[-1].range().end if before else body.range().start).line


def _last_written_lines(text: str) -> list[int]:
    """For each 0-based line the number of the last line up to it that is not blank."""
    written = 0
    lines: list[int] = []
    for number, line in enumerate(text.split("\n")):
        if line and not line.isspace():
            written = number
        lines.append(written)
    return lines
