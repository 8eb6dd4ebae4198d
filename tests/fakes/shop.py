"""What a good reviewer finds in the bundled change."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Fault:
    """A fault of the bundled change: how its line begins, and what is said of it."""

    begins: str
    severity: str
    category: str
    title: str
    message: str
    suggestion: str | None = None


FAULTS = (
    Fault(
        "    return pickle.loads(cookie)",
        "critical",
        "security",
        "A cookie can run any code on the server",
        "`pickle.loads` runs whatever the bytes tell it to, and a cookie is written by the browser.\n\n"
        "Keep the cart as JSON and sign it.",
        "    return json.loads(cookie)",
    ),
    Fault(
        "        stock_ok = reserve(",
        "critical",
        "bug",
        "The coroutine is never awaited, so the stock always seems to suffice",
        "`reserve` is a coroutine function: without `await` its result is a coroutine object, which is true.",
        "        stock_ok = await reserve(stock, line.article, line.pieces)",
    ),
    Fault(
        '        f"SELECT id FROM orders',
        "critical",
        "security",
        "SQL is put together from the customer's name",
        "A name such as `x' OR '1'='1` reads the orders of everybody. Pass it as a parameter.",
    ),
    Fault(
        '    subprocess.run(f"pandoc',
        "critical",
        "security",
        "A customer's name reaches the shell",
        "With `shell=True` a name that holds `; rm -rf ~` is a command. Give a list of arguments.",
    ),
    Fault(
        "    return hashlib.md5(",
        "high",
        "security",
        "Passwords are hashed with unsalted MD5",
        "A stolen table is read in minutes. Use `hashlib.scrypt` with a salt of its own for each password.",
    ),
    Fault(
        "    assert user.id == account.owner",
        "high",
        "security",
        "The check of the owner is gone under `python -O`",
        "Assertions are left out by `-O`; raise an error instead.",
    ),
    Fault(
        "\t\treturn true",
        "high",
        "concurrency",
        "The mutex stays locked after the last piece",
        "This branch returns without `Unlock`; every later call waits for ever. `defer` it after `Lock`.",
    ),
    Fault(
        "    return orders[start : start + PAGE_SIZE - 1]",
        "medium",
        "bug",
        "Each page loses its last order",
        "The end of a slice is not part of it: leave out the `- 1`.",
        "    return orders[start : start + PAGE_SIZE]",
    ),
    Fault(
        "  for (let i = 0; i <= items.length; i++) {",
        "high",
        "bug",
        "The loop reads one item past the end",
        "`items[items.length]` is `undefined`, and its price is `NaN`.",
        "  for (let i = 0; i < items.length; i++) {",
    ),
    Fault(
        "  element.innerHTML = ",
        "high",
        "security",
        "A name can bring a script into the page",
        "Set `textContent`, which takes the name for what it is.",
    ),
    Fault(
        "rm -rf $build_dir/*",
        "critical",
        "bug",
        "Without a second argument this empties the root folder",
        "`$build_dir` is empty then. Stop with `set -u`, and quote the name.",
    ),
)


def findings_in(shown: str) -> Iterator[dict[str, Any]]:
    """The findings on those lines that a prompt shows."""
    for fault in FAULTS:
        line = re.search(rf"^R(\d+) +\+({re.escape(fault.begins)}.*)$", shown, re.MULTILINE)
        if line is None:
            continue
        yield {
            "path": re.findall(r'^<diff-\w+ path="([^"]+)"', shown[: line.start()], re.MULTILINE)[-1],
            "side": "RIGHT",
            "line": int(line[1]),
            "end_line": None,
            "quote": line[2],
            "severity": fault.severity,
            "category": fault.category,
            "title": fault.title,
            "message": fault.message,
            "suggestion": fault.suggestion,
            "confidence": "high",
        }
