"""The process that parses strangers' files: answers questions, one a line, until there are no more.

It imports little, since somebody may wait for it to start. When the process that asks is gone, however it
ended, there are no more questions.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from dataclasses import astuple

from reviewer.core.scopes import Scopes

_MEMORY = 2_000_000_000  # bytes of address space


def main() -> None:
    """Answer what comes in."""
    _limit_memory()
    for line in sys.stdin:
        question = json.loads(line)
        found = Scopes.read(question["text"], question["path"])
        answer = (
            None if found is None else {"scopes": [astuple(s) for s in found.scopes], "outer": found.outer}
        )
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _limit_memory() -> None:
    with suppress(ImportError, ValueError, OSError):  # not every system has limits
        import resource  # noqa: PLC0415 - as above

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))


if __name__ == "__main__":
    main()
