"""Findings and outcomes made up for tests, and a change with hunks of every kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reviewer.core import diff
from reviewer.core.coverage import Reason
from reviewer.core.diff import Diff
from reviewer.core.events import Usage
from reviewer.core.findings import Finding
from reviewer.core.plan import Limits, plan
from reviewer.core.policy import Policy
from reviewer.core.routing import Models
from reviewer.errors import EngineUnavailable
from reviewer.job import Outcome

PATCHES = {
    "a.py": (
        "@@ -1,4 +1,4 @@\n one\n-two\n+TWO\n three\n four\n@@ -20,4 +20,3 @@\n x\n-gone\n-gone too\n y\n+z\n"
    ),
    "b.py": "@@ -0,0 +1,3 @@\n+a\n+b\n+c\n",
}
TEXT = (
    f"diff --git a/a.py b/a.py\nindex 1111111..2222222 100644\n--- a/a.py\n+++ b/a.py\n{PATCHES['a.py']}"
    "diff --git a/b.py b/b.py\nnew file mode 100644\nindex 0000000..2222222\n--- /dev/null\n+++ b/b.py\n"
    f"{PATCHES['b.py']}"
)
CHANGE = diff.parse(TEXT)
PICTURE = (
    "diff --git a/x.png b/x.png\nindex 1111111..2222222 100644\nBinary files a/x.png and b/x.png differ\n"
)


def finding(number: int = 1, **changes: Any) -> Finding:
    """A finding on line 2 of `a.py`, by number another one."""
    values: dict[str, Any] = {
        "id": f"id{number}",
        "fingerprint": f"{number:024x}",
        "chunk": "c1",
        "source": "made-up-model",
        "verified": True,
        "path": "a.py",
        "side": "RIGHT",
        "line": 2,
        "quote": "TWO",
        "severity": "high",
        "category": "bug",
        "title": f"Title {number}",
        "message": f"Message {number}.",
    }
    return Finding.model_validate({**values, **changes})


def outcome(findings: Sequence[Finding] = (), *, change: Diff = CHANGE, failed: str | None = None) -> Outcome:
    """A review of a change, in which the first chunk may have failed."""
    planned = plan(change, Policy(), Limits(8_000), Models("main", "small"))
    errors = {planned.chunks[0].id: EngineUnavailable(failed)} if failed is not None else {}
    read = {chunk.id for chunk in planned.chunks} - set(errors)
    return Outcome(
        plan=planned,
        findings=tuple(findings),
        dropped={},
        errors=dict(errors),
        coverage=planned.coverage(read, dict.fromkeys(errors, Reason.ENGINE_FAILED)),
        usage=Usage(input=1_200),
        cost=0.0123,
        calls=1,
        time_to_first_token=None,
        seconds=1.0,
        notes=(),
    )
