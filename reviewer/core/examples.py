"""Examples of right reports, and which of them fit a change.

A change is only looked at for the names of its files and how much changed in each: nothing that stands in a
diff or a path gets into the text of an example.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, model_validator

from reviewer.core import diff
from reviewer.core.chunks import Chunk, Measure, split
from reviewer.core.findings import ReportedFinding

MOST = 2
"""Examples that a prompt holds at most."""

GENERAL = "general"
"""What a file is about if nothing else is known of it."""

_WHOLE = Measure(100_000)


class ExampleFinding(ReportedFinding):
    """A finding as an example has it: nothing else may stand in its table, so no name can be misspelt."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Example(BaseModel):
    """A change and what a reviewer should report of it; no findings: nothing.

    Attributes:
        name: of its file.
        languages: for changes in these.
        kinds: for changes in these kinds of file, whatever their language.
        diff: unified, as git prints it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    languages: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    diff: str
    findings: tuple[ExampleFinding, ...] = ()

    @model_validator(mode="after")
    def _is_for_what_is_known(self) -> Self:
        if not self.topics:
            raise ValueError(f"the example {self.name} names no language and no kind of file")
        for named, known in ((self.languages, LANGUAGES), (self.kinds, KINDS)):
            unknown = sorted(set(named) - known)
            if unknown:
                raise ValueError(f"the example {self.name} is for {unknown[0]!r}, which no file is taken for")
        return self

    @property
    def topics(self) -> tuple[str, ...]:
        """What it is for, languages first."""
        return self.languages + self.kinds

    @property
    def chunks(self) -> tuple[Chunk, ...]:
        """Its change, read and cut as every other is."""
        return tuple(chunk for file in diff.parse(self.diff).files for chunk in split(file, _WHOLE))

    @property
    def report(self) -> str:
        """The tool's input, with the fields in the order in which the model is told of them."""
        findings = [finding.model_dump(mode="json") for finding in self.findings]
        return json.dumps({"findings": findings}, ensure_ascii=False)


def read_examples(sources: Mapping[str, str]) -> tuple[Example, ...]:
    """Read the examples of a version, by name.

    Args:
        sources: by name, the TOML text of each.

    Raises:
        ValueError: one can't be read, two are for the same, or none is the general one.
    """
    examples: list[Example] = []
    owners: dict[str, str] = {}
    for name, source in sorted(sources.items()):
        content: dict[str, Any] = tomllib.loads(source)
        example = Example.model_validate({**content, "name": name})
        for topic in example.topics:
            if owners.setdefault(topic, name) != name:
                raise ValueError(f"the examples {owners[topic]} and {name} are both for {topic!r}")
        examples.append(example)
    if GENERAL not in owners:
        raise ValueError(f"no example is of the kind {GENERAL!r}, for files that no other is for")
    return tuple(examples)


def select(examples: Iterable[Example], changed: Iterable[tuple[str, int]]) -> tuple[Example, ...]:
    """The examples that fit most of the changed lines, `MOST` of them at most; by name, so that the same
    choice is the same text.

    Args:
        examples: those of a version, a general one among them.
        changed: path and number of changed lines of each part of the change.
    """
    owners = {topic: example for example in examples for topic in example.topics}
    weights: Counter[str] = Counter()
    for path, lines in changed:
        for name in {owners.get(topic, owners[GENERAL]).name for topic in topics(path)}:
            weights[name] += lines
    best = sorted(weights, key=lambda name: (-weights[name], name))[:MOST]
    named = {example.name: example for example in owners.values()}
    return tuple(named[name] for name in sorted(best))


_EXTENSIONS = {
    "python": "py pyi pyx pyw",
    "javascript": "js jsx mjs cjs vue svelte",
    "typescript": "ts tsx mts cts",
    "go": "go",
    "java": "java",
    "kotlin": "kt kts",
    "c": "c h",
    "c++": "cc cpp cxx hh hpp hxx",
    "rust": "rs",
    "ruby": "rb rake gemspec ru",
    "php": "php phtml",
    "sql": "sql",
    "shell": "sh bash zsh ksh bats",
}
_KINDS = {
    "config": "yml yaml json json5 jsonc toml ini cfg conf properties env tf tfvars hcl dockerfile",
    "docs": "md mdx rst adoc asciidoc txt",
}
LANGUAGES = frozenset(_EXTENSIONS)
"""Languages that files are told by."""
KINDS = frozenset((*_KINDS, "test", GENERAL))
"""Kinds of file."""

_BY_EXTENSION = {
    extension: topic for topic, known in {**_EXTENSIONS, **_KINDS}.items() for extension in known.split()
}
_BY_NAME = (
    (re.compile(r"dockerfile|containerfile|jenkinsfile|makefile|procfile"), "config"),
    (re.compile(r"(?:requirements|constraints).*\.txt$|cmakelists\.txt$"), "config"),
    (re.compile(r"(?:gemfile|rakefile)$"), "ruby"),
    (re.compile(r"(?:readme|changelog|license|contributing)$"), "docs"),
)
_EXTENSION = re.compile(r"\.([a-z0-9]+)[^./]*$")
_TEST_NAME = re.compile(
    r"(?:^|[_.-])(?:tests?|spec|conftest)(?=[_.-])|(?-i:[a-z0-9](?:Tests?|Spec|IT)\.)", re.IGNORECASE
)
_TEST_FOLDERS = frozenset(("test", "tests", "__tests__", "spec", "specs"))


def topics(path: str) -> tuple[str, ...]:
    """What a file of that path is about: its language or kind, and besides whether it is a test."""
    *folders, name = path.split("/")
    topic = _topic(name.lower())
    if topic in _KINDS:
        return (topic,)
    is_test = _TEST_NAME.search(name) is not None or not _TEST_FOLDERS.isdisjoint(folders)
    return (topic, "test") if is_test else (topic,)


def _topic(name: str) -> str:
    for pattern, topic in _BY_NAME:
        if pattern.match(name):
            return topic
    found = _EXTENSION.search(name)
    return _BY_EXTENSION.get(found[1], GENERAL) if found else GENERAL
