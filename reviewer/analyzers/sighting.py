"""What an analyzer saw, before anybody asks whether the change under review is to blame."""

from __future__ import annotations

from dataclasses import dataclass

from reviewer.core.findings import Category, Confidence, Severity


@dataclass(frozen=True, slots=True)
class Replacement:
    """Text that takes the place of the whole lines `first..last`, without a newline at its end."""

    first: int
    last: int
    text: str


@dataclass(frozen=True, slots=True)
class Sighting:
    """One rule broken on one line of one file, at the new side's line number.

    Attributes:
        rule: the analyzer and its rule's id, such as `bandit B602`.
        title: one short sentence; never holds a secret.
        message: what goes wrong and what to do; never holds a secret, and does not name the rule.
        link: the rule's documentation, or None.
        replacement: what would mend it without changing what the code is meant to do, or None.
    """

    path: str
    line: int
    rule: str
    severity: Severity
    category: Category
    confidence: Confidence
    title: str
    message: str
    link: str | None = None
    replacement: Replacement | None = None


def is_test(path: str) -> bool:
    """Whether a path is a test's by the usual names, where asserts and made-up passwords belong."""
    *folders, name = path.lower().split("/")
    stem = name.split(".", 1)[0]
    return (
        not {"test", "tests", "testing", "__tests__", "spec", "fixtures", "testdata"}.isdisjoint(folders)
        or stem.startswith("test_")
        or stem.endswith(("_test", "_spec"))
        or ".test." in name
        or ".spec." in name
        or stem == "conftest"
    )
