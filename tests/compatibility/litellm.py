"""Real reviews through LiteLLM's proxy: another server that speaks the Messages API.

    python -m tests.compatibility.litellm PROGRAM

where PROGRAM is the proxy's command, in an environment of its own. Prints what was tried, and ends with 1
if anything did not come out as it should. All traffic stays on loopback.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from reviewer.core.findings import TOOL_NAME
from tests.compatibility.proxy import NotRunning, Proxy, chat_completions, running
from tests.fakes.claude import Answer, ScriptedClaude

PROJECT = Path(__file__).parents[2]
SLUICE = (sys.executable, "-c", "from webhooks.cli import main; main()")
REVIEW_SECONDS = 60.0
WHOLE_SECONDS = 400.0

PRICES = [f"    price_{number} = read_price(table, {number})" for number in range(60)]
NEW = ["def total(lines):", "    return sum(lines) / len(lines)", "", "", "def prices(table):", *PRICES]
DIFF = "\n".join(
    [
        "diff --git a/shop/total.py b/shop/total.py",
        "--- a/shop/total.py",
        "+++ b/shop/total.py",
        f"@@ -1,2 +1,{len(NEW)} @@",
        " def total(lines):",
        "-    return sum(lines)",
        *(f"+{line}" for line in NEW[1:]),
        "diff --git a/shop/page.py b/shop/page.py",
        "new file mode 100644",
        "--- /dev/null",
        "+++ b/shop/page.py",
        "@@ -0,0 +1,3 @@",
        "+def page(items, number, size):",
        "+    start = number * size",
        "+    return items[start : start + size + 1]",
        "",
    ]
)
LARGE = DIFF.partition("diff --git a/shop/page.py")[0]
"""One file, for which the window is chosen so that the server is asked to count."""


def finding(path: str, line: int, quote: str, title: str) -> dict[str, Any]:
    kind = {"severity": "high", "category": "bug", "confidence": "high", "side": "RIGHT"}
    rest = {"end_line": None, "suggestion": None, "message": "Made up for this check."}
    return {"path": path, "line": line, "quote": quote, "title": title, **kind, **rest}


FINDINGS = [
    finding("shop/total.py", 2, NEW[1], "No lines divide by zero"),
    finding("shop/page.py", 3, "    return items[start : start + size + 1]", "A page is one too long"),
]
REPORT = json.dumps({"findings": FINDINGS})
PLACES = [("shop/page.py", 3), ("shop/total.py", 2)]


@dataclass(frozen=True)
class Trial:
    """One review: through which model of the proxy, and how it must come out.

    Attributes:
        fails_with: words that the reason must hold; empty: it must succeed.
        tokens: that must be accounted for, at least.
        counts: choose the context window so that the server is asked to count tokens.
    """

    model: str
    what: str
    fails_with: str = ""
    tokens: int = 900
    counts: bool = False

    @property
    def diff(self) -> str:
        return LARGE if self.counts else DIFF


TRIALS = [
    Trial("mock-text", "the proxy's mock: JSON in text, whole"),
    Trial("claude-tool", "Claude behind it: a tool call, streamed"),
    Trial("claude-text", "Claude behind it: JSON in text, streamed"),
    Trial("claude-cut", "Claude behind it: overloaded in mid-stream, once"),
    Trial("chat-tool", "Chat Completions behind it: a tool call"),
    Trial("claude-tool", "tokens counted by Claude behind it", counts=True),
    Trial("mock-text", "tokens counted by the proxy, if at all", counts=True),
    Trial("mock-limited", "the proxy's mock: rate limit", fails_with="rate limit"),
    Trial("mock-broken", "the proxy's mock: internal error", fails_with="internal server error"),
    Trial("no-such-model", "a model the proxy does not have", fails_with="no-such-model"),
]


class Script:
    """What Claude answers behind the proxy, by the model asked."""

    def __init__(self) -> None:
        self._cut = 0

    def __call__(self, body: dict[str, Any]) -> Answer:
        match body["model"]:
            case "made-up-text":
                return Answer(REPORT, as_text=True, stop_reason="end_turn")
            case "made-up-cut" if not self._cut:
                self._cut += 1
                return Answer(REPORT, fail_after=len(REPORT) * 3 // 4)
            case _:
                return Answer(REPORT)


def models(claude: str, chat: str) -> list[dict[str, Any]]:
    """The proxy's configuration; whatever it would ask is on loopback."""

    def model(name: str, upstream: str, base: str, **options: Any) -> dict[str, Any]:
        reached = {"model": upstream, "api_base": base, "api_key": "made-up"}
        return {"model_name": name, "litellm_params": {**reached, **options}}

    mocks = {
        "mock-text": REPORT,
        "mock-limited": "litellm.RateLimitError",
        "mock-broken": "litellm.InternalServerError",
    }
    return [
        *(model(name, "openai/made-up", chat, mock_response=said) for name, said in mocks.items()),
        *(model(f"claude-{how}", f"anthropic/made-up-{how}", claude) for how in ("tool", "text", "cut")),
        model("chat-tool", "hosted_vllm/made-up", chat),
    ]


@dataclass(frozen=True)
class Came:
    """What a review came to; `wrong` is empty if that is as it should be."""

    exit_code: int
    told: str
    tokens: int
    counting: str
    wrong: str


async def attempt(trial: Trial, proxy: Proxy, folder: Path) -> Came:
    """Run the command as a user does, with nothing configured but the proxy."""
    change = folder / "change.diff"
    change.write_text(trial.diff)
    environment = {
        "PATH": os.defpath,
        "HOME": str(folder),
        "PYTHONPATH": str(PROJECT),
        "ANTHROPIC_BASE_URL": proxy.url,
        "ANTHROPIC_API_KEY": proxy.key,
        **dict.fromkeys(("LLM_MODEL", "LLM_SMALL_MODEL", "LLM_FALLBACK_MODEL"), trial.model),
    }
    if trial.counts:
        _, planned, _ = await _sluice("plan", "--json", "--diff", str(change), cwd=folder, env=environment)
        # A file goes into one call up to half the window: just there an estimate is not enough
        environment["LLM_CONTEXT_WINDOW"] = str(2 * json.loads(planned)["totals"]["tokens"])
    logged = proxy.log.stat().st_size
    command = ("review", "--format", "json", "--diff", str(change))
    code, out, err = await _sluice(*command, cwd=folder, env=environment)
    log = proxy.log.read_bytes()[logged:].decode(errors="replace")
    counting = ", ".join(re.findall(r'POST /v1/messages/count_tokens HTTP/1.1" (\d+)', log))
    try:
        answer = json.loads(out)
    except ValueError:
        return Came(code, err.strip()[-300:], 0, counting, "no answer in JSON")
    return _judge(trial, code, answer, counting, err)


async def _sluice(*arguments: str, cwd: Path, env: dict[str, str]) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *SLUICE, *arguments, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), REVIEW_SECONDS)
    except BaseException:
        process.kill()
        await process.wait()
        raise
    return process.returncode or 0, out.decode(), err.decode()


def _judge(trial: Trial, code: int, answer: dict[str, Any], counting: str, err: str) -> Came:
    places = sorted((one["path"], one["line"]) for one in answer["findings"])
    coverage = answer["coverage"]
    tokens = sum(answer["usage"].values())
    reasons = " ".join(sorted(set(answer["failed"].values())))
    expected = [place for place in PLACES if place[0] in trial.diff]
    wrong = {"a traceback": "Traceback" in err, "not asked to count": trial.counts and not counting}
    if trial.fails_with:
        wrong |= {
            "exit code": code != 2,
            "reason": trial.fails_with not in reasons.lower(),
            "coverage": coverage["reviewed"] != 0,
        }
        told = reasons
    else:
        wrong |= {
            "exit code": code != 1,
            "findings": places != expected or not all(one["verified"] for one in answer["findings"]),
            "usage": tokens < trial.tokens,
            "coverage": coverage["reviewed"] != coverage["changed_lines"] or coverage["changed_lines"] == 0,
        }
        told = ", ".join(f"{path}:{line}" for path, line in places)
        told += f"; {coverage['reviewed']} of {coverage['changed_lines']} lines"
        told += "".join(f"; {text}" for text in [*answer["notes"], reasons] if text)
    return Came(code, told, tokens, counting, ", ".join(name for name, is_so in wrong.items() if is_so))


async def main(program: Path) -> int:
    """Start what is needed, try everything, end what was started."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    console = Console(width=150, highlight=False)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("what", "exit", "tokens", "count route", "what Sluice told", ""):
        table.add_column(name, justify="right" if name in {"exit", "tokens"} else "left")
    failed = 0
    async with asyncio.timeout(WHOLE_SECONDS), AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sluice")))
        claude = await stack.enter_async_context(ScriptedClaude(Script(), count=lambda _: 4_000))
        chat = await stack.enter_async_context(chat_completions(TOOL_NAME, REPORT))
        proxy = await stack.enter_async_context(running(program, models(claude.url, chat), folder))
        for trial in TRIALS:
            came = await attempt(trial, proxy, folder)
            failed += bool(came.wrong)
            verdict = f"WRONG: {came.wrong}" if came.wrong else "as it should"
            row = (trial.what, str(came.exit_code), f"{came.tokens:,}", came.counting)
            table.add_row(*row, came.told.partition("\n")[0], verdict)
    console.print(table, markup=False)
    console.print(f"{len(TRIALS) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main(Path(sys.argv[1]).absolute())))
    except NotRunning as error:
        sys.exit(str(error))
