"""A batch as a prompt; the wording is in `reviewer/prompts/`, one folder a version."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import PackageLoader, StrictUndefined
from jinja2.sandbox import SandboxedEnvironment

from reviewer.core.batches import Batch
from reviewer.core.chunks import Chunk
from reviewer.core.diff import FileChange, readable, shown_path
from reviewer.core.findings import TOOL_NAME, tool_schema
from reviewer.core.headers import FileStatus
from reviewer.core.tokens import size

VERSION = "v1"

_LOADER = PackageLoader("reviewer", f"prompts/{VERSION}")
_TEMPLATES = SandboxedEnvironment(
    loader=_LOADER, undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True
)


@cache
def tool() -> dict[str, Any]:
    """The tool by which a model reports, without what only some models take."""
    return {
        "name": TOOL_NAME,
        "description": "Report every finding of this review in one call; none is an empty list.",
        "input_schema": tool_schema(),
    }


@dataclass(frozen=True, slots=True)
class Prompt:
    """`system` is the same for every batch, so that it can be cached; `user` holds the untrusted text."""

    version: str
    system: str
    user: str

    @property
    def size(self) -> int:
        """Bytes that a model reads, the tool's included."""
        return size(self.system) + size(self.user) + _tool_size()


def build(batch: Batch) -> Prompt:
    """The prompt for a batch. Text that is no Unicode is shown with replacement characters."""
    chunks = [
        {
            "path": shown_path(chunk.path),
            "change": chunk.file.status.value,
            "part": chunk.part,
            "parts": chunk.parts,
            "text": readable(chunk.text()),
        }
        for chunk in batch.chunks
    ]
    user = _TEMPLATES.get_template("user.md.j2")
    return Prompt(
        version=edition(),
        system=_TEMPLATES.get_template("system.md.j2").render(tool=TOOL_NAME),
        user=user.render(chunks=chunks, fence=_fence(batch), tool=TOOL_NAME),
    )


@cache
def edition() -> str:
    """The version and a digest of its wording: an answer to other words is another answer."""
    texts = [_LOADER.get_source(_TEMPLATES, name)[0] for name in sorted(_LOADER.list_templates())]
    whole = "\0".join([*texts, json.dumps(tool(), sort_keys=True)])
    return f"{VERSION}-{hashlib.sha256(whole.encode()).hexdigest()[:8]}"


@dataclass(frozen=True, slots=True)
class Overhead:
    """Bytes of a prompt that are no diff: once a call, and once more round each chunk but for its path."""

    call: int
    chunk: int


@cache
def overhead() -> Overhead:
    """The overhead, measured by rendering a prompt without chunks and one with an empty chunk."""
    file = FileChange("", None, FileStatus.MODIFIED, (), None)
    chunk = Chunk("", file, part=9_999, parts=9_999, pieces=(), tokens=0)
    without = build(Batch("", ())).size
    return Overhead(without, build(Batch("", (chunk,))).size - without)


@cache
def _tool_size() -> int:
    return size(json.dumps(tool()))


def _fence(batch: Batch) -> str:
    """A name for the fence that the fenced text does not hold, and that its author can't foresee to hold."""
    texts = [chunk.path + "\0" + chunk.text() for chunk in batch.chunks]
    whole = "\0".join(texts).encode("utf-8", "surrogateescape")
    name = hashlib.sha256(whole).hexdigest()[:16]
    while name.encode() in whole:
        name = hashlib.sha256(name.encode()).hexdigest()[:16]
    return name
