"""A batch as a prompt; the wording is in `reviewer/prompts/`, one folder a version."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from jinja2 import PackageLoader, StrictUndefined
from jinja2.sandbox import SandboxedEnvironment

from reviewer.core.chunks import Batch
from reviewer.core.diff import readable
from reviewer.core.findings import TOOL_NAME

VERSION = "v1"

_TEMPLATES = SandboxedEnvironment(
    loader=PackageLoader("reviewer", f"prompts/{VERSION}"),
    undefined=StrictUndefined,
    autoescape=False,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True, slots=True)
class Prompt:
    """`system` is the same for every batch, so that it can be cached; `user` holds the untrusted text."""

    version: str
    system: str
    user: str


def build(batch: Batch) -> Prompt:
    """The prompt for a batch. Text that is no Unicode is shown with replacement characters."""
    chunks = [
        {
            "path": _attribute(chunk.path),
            "change": chunk.file.status.value,
            "part": chunk.part,
            "parts": chunk.parts,
            "text": readable(chunk.text()),
        }
        for chunk in batch.chunks
    ]
    user = _TEMPLATES.get_template("user.md.j2")
    return Prompt(
        version=VERSION,
        system=_TEMPLATES.get_template("system.md.j2").render(tool=TOOL_NAME),
        user=user.render(chunks=chunks, fence=_fence(batch), tool=TOOL_NAME),
    )


def _fence(batch: Batch) -> str:
    """A name for the fence that the fenced text does not hold, and that its author can't foresee to hold."""
    texts = [chunk.path + "\0" + chunk.text() for chunk in batch.chunks]
    whole = "\0".join(texts).encode("utf-8", "surrogateescape")
    name = hashlib.sha256(whole).hexdigest()[:16]
    while name.encode() in whole:
        name = hashlib.sha256(name.encode()).hexdigest()[:16]
    return name


def _attribute(path: str) -> str:
    """A path that can't leave its quotes or its line."""
    kept = (c if c.isprintable() and c not in '"<>' else "\ufffd" for c in readable(path))
    return "".join(kept)
