"""A batch as a prompt; the wording is in `reviewer/prompts/`, one folder a version."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from typing import Any

from jinja2 import BaseLoader, PackageLoader, StrictUndefined
from jinja2.meta import find_referenced_templates, find_undeclared_variables
from jinja2.sandbox import SandboxedEnvironment
from pydantic import BaseModel, ConfigDict

from reviewer.core.batches import Batch
from reviewer.core.chunks import Chunk
from reviewer.core.diff import FileChange, readable, shown_path
from reviewer.core.examples import MOST, Example, read_examples, select
from reviewer.core.findings import TOOL_NAME, tool_schema
from reviewer.core.headers import FileStatus
from reviewer.core.tokens import size

VERSION = "v1"


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
    """What a model reads, in the order of what changes least.

    Attributes:
        version: of the wording, with a digest.
        system: the same for every batch, so that it can be cached.
        examples: the same for all batches with the same choice, so that it can be cached too; "": none.
        user: the untrusted text.
    """

    version: str
    system: str
    examples: str
    user: str

    @property
    def size(self) -> int:
        """Bytes that a model reads, the tool's included."""
        return size(self.system) + size(self.examples) + size(self.user) + _tool_size()


def build(batch: Batch) -> Prompt:
    """The prompt for a batch. Text that is no Unicode is shown with replacement characters."""
    lines = [(chunk.path, chunk.changed_lines) for chunk in batch.chunks]
    return Prompt(
        version=edition(),
        system=_wording().render("system.md.j2", tool=TOOL_NAME),
        examples=_examples(select(_wording().examples, lines)),
        user=_user(batch.chunks),
    )


@cache
def edition() -> str:
    """The version and a digest of its wording: an answer to other words is another answer."""
    return f"{VERSION}-{_wording().digest()}"


@dataclass(frozen=True, slots=True)
class Overhead:
    """Bytes of a prompt that are no diff, at most: once a call, and once more round each chunk but for its
    path.
    """

    call: int
    chunk: int


@cache
def overhead() -> Overhead:
    """The overhead, measured by rendering a prompt without chunks, with an empty one, and with all examples
    that could be chosen.
    """
    file = FileChange("", None, FileStatus.MODIFIED, (), None)
    chunk = Chunk("", file, part=9_999, parts=9_999, pieces=(), tokens=0)
    without = Prompt("", _wording().render("system.md.j2", tool=TOOL_NAME), "", _user(())).size
    choices = (some for count in range(MOST + 1) for some in combinations(_wording().examples, count))
    return Overhead(
        call=without + max(size(_examples(choice)) for choice in choices),
        chunk=size(_user((chunk,))) - size(_user(())),
    )


class _Manifest(BaseModel):
    """`prompt.toml`: by template, what each of its variables holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    templates: dict[str, dict[str, str]]


class Wording:
    """One version: its templates, which use exactly the variables that its manifest declares, and examples.

    Args:
        loader: gives `prompt.toml`, `*.j2` and `examples/*.toml`.

    Raises:
        ValueError: a template or a variable of one is not declared, or is declared and not there; or an
            example is wrong.
    """

    def __init__(self, loader: BaseLoader) -> None:
        self._templates = SandboxedEnvironment(
            loader=loader,
            undefined=StrictUndefined,
            autoescape=False,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._sources = {
            name: loader.get_source(self._templates, name)[0]
            for name in sorted(loader.list_templates())
            if name.endswith((".j2", ".toml"))
        }
        self._manifest = _Manifest.model_validate(tomllib.loads(self._sources.get("prompt.toml", "")))
        self._check()
        self.examples = read_examples(
            {
                name.removeprefix("examples/").removesuffix(".toml"): text
                for name, text in self._sources.items()
                if name.startswith("examples/")
            }
        )

    def _check(self) -> None:
        found = {name for name in self._sources if name.endswith(".j2")}
        _refuse_difference("prompt.toml", "the template", self._manifest.templates, found)
        for name, declared in self._manifest.templates.items():
            parsed = self._templates.parse(self._sources[name], name)
            for other in find_referenced_templates(parsed):
                raise ValueError(f"{name} draws in {other!r}, whose variables nobody would see")
            _refuse_difference(name, "the variable", declared, find_undeclared_variables(parsed))

    def render(self, name: str, **given: object) -> str:
        """A template with its variables.

        Raises:
            ValueError: these are not exactly the declared ones.
        """
        if name not in self._manifest.templates:
            raise ValueError(f"no template {name} is declared in prompt.toml")
        _refuse_difference(name, "the variable", self._manifest.templates[name], given)
        return self._templates.get_template(name).render(given)

    def digest(self) -> str:
        """Of all that a model reads but the change: the sources, the examples as rendered, and the tool."""
        shown = [chunk.text() for example in self.examples for chunk in example.chunks]
        whole = json.dumps([self._sources, shown, tool()], sort_keys=True)
        return hashlib.sha256(whole.encode()).hexdigest()[:8]


def _refuse_difference(where: str, what: str, declared: Iterable[str], found: Iterable[str]) -> None:
    for name in sorted(set(found) - set(declared)):
        raise ValueError(f"{where}: {what} {name!r} is not declared in prompt.toml")
    for name in sorted(set(declared) - set(found)):
        raise ValueError(f"{where}: {what} {name!r} is declared in prompt.toml, but is not there")


def load(version: str) -> Wording:
    """A version of the wording.

    Raises:
        ValueError: it is not what its manifest says.
    """
    return Wording(PackageLoader("reviewer", f"prompts/{version}"))


@cache
def _wording() -> Wording:
    return load(VERSION)


@cache
def _tool_size() -> int:
    return size(json.dumps(tool()))


@cache
def _examples(chosen: tuple[Example, ...]) -> str:
    if not chosen:
        return ""
    shown = [
        {
            "chunks": [_block(chunk, chunk.text(), "example") for chunk in example.chunks],
            "report": example.report,
        }
        for example in chosen
    ]
    return _wording().render("examples.md.j2", examples=shown, tool=TOOL_NAME)


def _user(chunks: tuple[Chunk, ...]) -> str:
    texts = [chunk.text() for chunk in chunks]
    fence = _fence(chunks, texts)
    blocks = [_block(chunk, text, fence) for chunk, text in zip(chunks, texts, strict=True)]
    return _wording().render("user.md.j2", chunks=blocks, tool=TOOL_NAME)


def _block(chunk: Chunk, text: str, fence: str) -> str:
    return _wording().render(
        "chunk.md.j2",
        fence=fence,
        path=shown_path(chunk.path),
        change=chunk.file.status.value,
        part=chunk.part,
        parts=chunk.parts,
        text=readable(text),
    )


def _fence(chunks: Iterable[Chunk], texts: Iterable[str]) -> str:
    """A name for the fence that the fenced text does not hold, and that its author can't foresee to hold."""
    fenced = [f"{chunk.path}\0{text}" for chunk, text in zip(chunks, texts, strict=True)]
    whole = "\0".join(fenced).encode("utf-8", "surrogateescape")
    return absent(_digest(whole), whole)


def absent(name: str, text: bytes) -> str:
    """`name`, or a digest that follows from it, whichever `text` does not hold."""
    while name.encode() in text:
        name = _digest(name.encode())
    return name


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()[:16]
