"""One measurement in a process of its own: `python -m … WHAT FILE` prints JSON.

Memory is the peak of the whole process less that of one that only holds the diff, so every number stands in a
process that did nothing else.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from unidiff.patch import PatchSet

from reviewer.core import diff
from reviewer.core.plan import Limits, plan
from reviewer.core.policy import Policy
from reviewer.core.routing import Models

RUNS = 3
_LONG = 5_000_000  # bytes up to which a run is so short that more of them are made
LIMITS = Limits(64_000)


def peak() -> int:
    """Bytes resident at most so far; `ru_maxrss` would begin with what the parent process held."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def with_unidiff(raw: bytes) -> dict[str, Any]:
    """Plain unidiff: the diff as text, parsed."""
    files = PatchSet(raw.decode("utf-8", "surrogateescape"))
    return {"files": len(files)}


def with_sluice(raw: bytes) -> dict[str, Any]:
    """The diff parsed, planned, cut into chunks and gathered into batches."""
    planned = plan(diff.parse(raw), Policy(), LIMITS, Models("none"))
    coverage = planned.promised()
    return {
        "files": len(planned.files),
        "chunks": len(planned.chunks),
        "changed": coverage.changed_lines,
        "accounted": coverage.reviewed + sum(coverage.not_reviewed.values()),
    }


WHAT: dict[str, Callable[[bytes], dict[str, Any]]] = {
    "nothing": lambda _: {},
    "unidiff": with_unidiff,
    "sluice": with_sluice,
}


def main() -> None:
    """Measure what the command line names."""
    name, path = sys.argv[1:]
    raw = Path(path).read_bytes()
    work = WHAT[name]
    times: list[float] = []
    told: dict[str, Any] = {}
    high = 0
    for run in range(RUNS if len(raw) > _LONG else 5 * RUNS):
        began = time.perf_counter()
        told = work(raw)
        times.append(time.perf_counter() - began)
        high = high if run else peak()
    sys.stdout.write(json.dumps({**told, "seconds": min(times), "peak": high, "bytes": len(raw)}))


if __name__ == "__main__":
    main()
