"""What is streamed: arrays of findings as a model writes them, and the diff that they are about."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.fakes.answers import Answer, event

MODEL = "claude-sonnet-5-5"
CHARS = 20
"""Characters of one delta."""

LINES = 400
"""Lines of each file of the change."""


def path(number: int) -> str:
    """The file that stream `number` is about."""
    return f"shop/part_{number:02}/orders.py"


def line(number: int) -> str:
    """A line of such a file, from 1."""
    return f"    total_{number} = sum(order.price for order in orders[{number}:])"


def change(number: int) -> str:
    """A diff that adds such a file."""
    head = f"diff --git a/{path(number)} b/{path(number)}\nnew file mode 100644\n--- /dev/null\n"
    added = "".join(f"+{line(at)}\n" for at in range(1, LINES + 1))
    return f"{head}+++ b/{path(number)}\n@@ -0,0 +1,{LINES} @@\n{added}"


def finding(file: str, at: int) -> dict[str, Any]:
    """A finding of usual length, but for its title."""
    return {
        "path": file,
        "side": "RIGHT",
        "line": at,
        "end_line": None,
        "quote": line(at),
        "severity": "medium",
        "category": "bug",
        "message": f'With {at} orders or fewer the slice is empty and the total is 0, so that "free" orders '
        "are shipped without payment. The caller in `checkout` can't tell this from a real total.",
        "suggestion": f"    if len(orders) <= {at}:\n        raise EmptyOrder\n{line(at)}",
        "confidence": "high",
    }


def findings(size: int) -> list[dict[str, Any]]:
    """As many findings as so many characters begin."""
    found: list[dict[str, Any]] = []
    length = 0
    while length < size:
        at = len(found) + 1
        found.append(finding(path(0), (at - 1) % LINES + 1) | {"title": f"The total of slice {at} can be 0"})
        length += len(json.dumps(found[-1])) + 2
    return found


def findings_text(size: int) -> str:
    """They as the tool's input."""
    return json.dumps({"findings": findings(size)})


def deltas(size: int) -> int:
    """The deltas of such a text."""
    return -(-len(findings_text(size)) // CHARS)


def events(text: str) -> Iterator[bytes]:
    """The message that tells this text, event by event."""
    answer = Answer(text, chars=CHARS, cache_read=0, cache_written=0)
    yield from (step for step in answer.steps({"model": MODEL, "max_tokens": 1}) if isinstance(step, bytes))


def opening() -> list[bytes]:
    """What comes before the first delta."""
    return list(events(""))[:3]


def closing() -> list[bytes]:
    """What comes after the last delta."""
    return list(events(""))[3:]


def delta(text: str) -> bytes:
    """One delta of the tool's input."""
    return event("content_block_delta", index=0, delta={"type": "input_json_delta", "partial_json": text})
