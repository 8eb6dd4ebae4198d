"""Which model reviews a chunk, and why."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from reviewer.core.chunks import Chunk
from reviewer.core.headers import FileStatus
from reviewer.core.hunks import LineKind
from reviewer.core.kinds import INDENTED, SHELLS, Kind, Syntax, kind_of, syntax_of, words


@dataclass(frozen=True, slots=True)
class Models:
    """The models of one review.

    Attributes:
        main: reviews what is not trivial.
        small: reviews what is; None: there is no such model, and `main` reviews all.
        fallback: takes over a batch that the model it was routed to can't do; None: nobody does.
    """

    main: str
    small: str | None = None
    fallback: str | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """The model that a chunk goes to; `reason` is for people."""

    model: str
    reason: str


class Edit(StrEnum):
    """Why an edit of code is trivial; the text is for people."""

    SPACES = "whitespace only"
    COMMENTS = "comments only"
    TINY = "tiny edit"


MOST_LINES = 10
"""Changed lines, blank ones and comments included, up to which an edit of code can be trivial."""

MOST_CODE_LINES = 3
"""Changed lines of code in it; a line put in place of another counts as two."""

_LONGEST_LINE = 400  # characters; nobody can say at a glance what changed in a longer one


def route(chunk: Chunk, models: Models) -> Route:
    """Documentation, plain configuration and edits that can hardly hold a fault go to the small model."""
    if models.small is None or models.small == models.main:
        return Route(models.main, "the only model")
    kind = kind_of(chunk)
    if kind in {Kind.DOCUMENTATION, Kind.SETTINGS}:
        return Route(models.small, kind.value)
    edit = _trivial(chunk) if kind is Kind.CODE else None
    return Route(models.main, kind.value) if edit is None else Route(models.small, edit.value)


def choose(weights: Mapping[str, float], review: str) -> str:
    """One of the weighted names, always the same for a review.

    Each name draws a number from its own hash with the review's id, scaled by its weight, and the highest
    wins. So the mapping's order and the weights' sum do not matter, and where one weight is raised, reviews
    move to that name only.

    Raises:
        ValueError: a weight is negative or no number, or none is above zero.
    """
    if not all(math.isfinite(weight) and weight >= 0 for weight in weights.values()):
        raise ValueError("a weight must be a number from 0 on")
    drawn = {name: math.log(_drawn(name, review)) / weight for name, weight in weights.items() if weight}
    if not drawn:
        raise ValueError("one weight at least must be above 0")
    return max(sorted(drawn), key=lambda name: drawn[name])


_BITS = 52  # with one half added still exact in a float, so that the draw is never 0 or 1


def _drawn(name: str, review: str) -> float:
    """A number between 0 and 1, both excluded."""
    digest = hashlib.sha256(f"{len(review)}\0{review}{name}".encode("utf-8", "surrogatepass")).digest()
    return ((int.from_bytes(digest[:8]) >> (64 - _BITS)) + 0.5) / 2**_BITS


class _Row(NamedTuple):
    text: str
    comment: bool

    @property
    def blank(self) -> bool:
        return not self.text.strip()


class _Run(NamedTuple):
    """Changed lines with no unchanged one between them."""

    removed: list[_Row]
    added: list[_Row]


def _trivial(chunk: Chunk) -> Edit | None:
    """Why an edit of code is trivial, or None."""
    whole = chunk.parts == 1 and not chunk.trimmed and 0 < chunk.changed_lines <= MOST_LINES
    if not whole or chunk.file.status is FileStatus.CHANGED:
        return None
    syntax = syntax_of(chunk.path)
    runs = list(_runs(chunk, syntax))
    rows = [row for run in runs for side in run for row in side]
    if any(_means_more(row) for row in rows):
        return None
    indented = syntax.extension in INDENTED
    left = [
        (removed, added)
        for run in runs
        if (removed := _code(run.removed, indented=indented))
        != (added := _code(run.added, indented=indented))
    ]
    if not left:
        return Edit.COMMENTS if any(row.comment for row in rows) else Edit.SPACES
    return Edit.TINY if syntax.extension not in SHELLS and _harmless(left) else None


def _harmless(changes: list[tuple[list[str], list[str]]]) -> bool:
    """Whether lines of code in place of others are few, decide nothing and touch nothing of risk."""
    texts = [text for removed, added in changes for text in (*removed, *added)]
    if len(texts) > MOST_CODE_LINES or any(map(_risky, texts)):
        return False
    # What goes without anything in its place may have been a check under any name
    return all(len(removed) <= len(added) or all(map(_IMPORT.match, removed)) for removed, added in changes)


_IMPORT = re.compile(r"\s*(?:import|from|using|use|#include)\b")


def _code(rows: list[_Row], *, indented: bool) -> list[str]:
    """The lines of code, without space that means nothing."""
    kept = [row.text for row in rows if not row.comment and not row.blank]
    return [text.rstrip() if indented else text.strip() for text in kept]


def _runs(chunk: Chunk, syntax: Syntax) -> Iterator[_Run]:
    for hunk in chunk.hunks:
        run = _Run([], [])
        inside = False  # a block comment that an unchanged line has opened
        for line in hunk.lines():
            if line.kind is not LineKind.CONTEXT:
                side = run.added if line.kind is LineKind.ADDED else run.removed
                side.append(_Row(line.text, _is_comment(line.text, syntax, inside=inside)))
                continue
            if any(run):
                yield run
                run = _Run([], [])
            inside = _goes_on(line.text, syntax, inside=inside)
        if any(run):
            yield run


def _goes_on(text: str, syntax: Syntax, *, inside: bool) -> bool:
    """Whether a block comment is open behind an unchanged line."""
    if not syntax.blocks or "*/" in text:
        return False
    return inside or text.lstrip().startswith("/*")


def _is_comment(text: str, syntax: Syntax, *, inside: bool) -> bool:
    """Whether a line is a comment from end to end, and opens or closes none."""
    bare = text.strip()
    if syntax.enclosed and bare.startswith(syntax.enclosed[0]) and bare.endswith(syntax.enclosed[1]):
        inner = bare[len(syntax.enclosed[0]) : -len(syntax.enclosed[1])]
        return len(bare) >= sum(map(len, syntax.enclosed)) and not _toggles(inner)
    begins = bool(syntax.marks) and bare.startswith(syntax.marks)
    return bool(bare) and (begins or inside) and not _toggles(bare)


_TOGGLES = re.compile(r"/\*|\*/|<!--|-->|\{-|-\}|--\[|\(\*|\*\)|#\||\|#|^=(?:begin|end)|<#|#>|\?>")
_QUOTES = ('"""', "'''", "`")


def _toggles(text: str) -> bool:
    """Whether a line may begin or end a comment or string of several lines, and so turn code on or off."""
    return _TOGGLES.search(text) is not None or any(text.count(quote) % 2 for quote in _QUOTES)


# Ends a line for some languages and not for others, shows text in another order, or is no text
_ODD = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")

_PRAGMA = re.compile(
    r"^#!|@ts-|lint|noqa|nosec|nosonar|inspection|pragma|ignore|suppress|disable|coding[:=]|go:|\+build|#cgo"
    r"|#include|webpack|istanbul|sourcemap|rubocop|frozen_string|checkstyle|phpcs|phpstan|psalm|mypy|pyright"
    r"|ruff|yapf|isort|fmt:|type:|/// script|<reference|@jsx|@flow|codeql|semgrep|gitleaks|bandit|sonar"
    r"|shellcheck|clang-format|-\*-|\bvim?:|\[if ",
    re.IGNORECASE,
)


def _means_more(row: _Row) -> bool:
    """Whether a line may mean more than it seems to: whatever it is, its edit is not trivial."""
    text = row.text.removesuffix("\r")
    if len(text) > _LONGEST_LINE or _ODD.search(text) or text.rstrip().endswith("\\"):
        return True
    return _PRAGMA.search(text) is not None if row.comment else _toggles(text)


_PLAIN_STRING = re.compile(r"\"[^\"\\{}$]*\"|'[^'\\{}$]*'")
_STATEMENT = re.compile(r"\b(?:SELECT|INSERT|UPDATE|DELETE|ALTER|CREATE|DROP)\b")
_OPERATOR = re.compile(r"[<>!?&|^~@]|==|:=")

_DECIDES = frozenset((
    "if", "elif", "else", "elsif", "unless", "case", "switch", "match", "when", "cond", "for", "foreach",
    "while", "until", "loop", "do", "break", "continue", "goto", "return", "raise", "throw", "throws",
    "rescue", "try", "except", "catch", "finally", "ensure", "yield", "defer", "with", "assert", "and",
    "or", "not", "in", "is", "xor", "def", "fn", "func", "fun", "function", "sub", "lambda", "class",
    "struct", "interface", "trait", "impl", "enum", "union", "macro", "override", "virtual", "extern", "go",
    "select", "where", "global", "synchronized", "volatile",
))  # fmt: skip

_RISK = frozenset((
    "exec", "eval", "system", "popen", "spawn", "fork", "shell", "sh", "cmd", "command", "compile", "query",
    "execute", "raw", "cursor", "transaction", "commit", "rollback", "lock", "locks", "locked", "unlock",
    "rlock", "mutex", "semaphore", "atomic", "thread", "threads", "async", "await", "race", "delete",
    "deletes", "drop", "remove", "removes", "truncate", "purge", "destroy", "unlink", "rm", "wipe", "erase",
    "clear", "reset", "kill", "free", "malloc", "calloc", "realloc", "memcpy", "strcpy", "sprintf", "alloc",
    "release", "dispose", "close", "flush", "cleanup", "unsafe", "transmute", "pointer", "ptr", "price",
    "prices", "amount", "amounts", "money", "balance", "currency", "tax", "discount", "fee", "cost",
    "total", "cents", "usd", "eur", "payment", "pay", "charge", "refund", "invoice", "interest", "rate",
    "login", "logout", "signin", "admin", "root", "role", "roles", "user", "acl", "grant", "revoke",
    "allow", "deny", "owner", "verify", "verified", "valid", "validate", "validates", "validator", "check",
    "checks", "require", "required", "guard", "enforce", "ensure", "html", "innerhtml", "href", "cors",
    "origin", "csrf", "xss", "redirect", "upload", "url", "uri", "host", "port", "ssl", "tls", "cert",
    "key", "keys", "hash", "hmac", "md5", "sha1", "salt", "nonce", "random", "seed", "pickle", "marshal",
    "yaml", "unserialize", "deserialize", "load", "loads", "open", "chmod", "chown", "sudo", "umask",
    "path", "env", "environ", "setattr", "getattr", "reflect", "proxy", "subproject", "signal", "panic",
    "fatal", "abort", "exit",
))  # fmt: skip
_RISK_STEM = re.compile(
    r"passw|pwd|secret|token|crypt|cipher|credential|auth(?!ors?$)|permi|privil|session|cookie|sql|subprocess"
    r"|unsafe|sanit|escap|apikey|serializ|inject|concurren|parallel"
)


def _risky(text: str) -> bool:
    """Whether a line of code decides something or names something of risk."""
    bare = _PLAIN_STRING.sub('""', text).replace("->", " ")
    if not bare.isascii() or _OPERATOR.search(bare) or not _DECIDES.isdisjoint(words(bare)):
        return True
    if _STATEMENT.search(text):
        return True
    said = words(text)
    return not _RISK.isdisjoint(said) or any(map(_RISK_STEM.search, said))
