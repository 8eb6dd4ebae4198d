"""What stories are told with: findings, answers that wait for a word, and looks at what the app has done."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.core.test_stream import finding
from tests.fakes.answers import Answer, Step, Wait
from tests.fakes.claude import ScriptedClaude
from tests.scenarios.app import PATIENCE, Event, World
from webhooks import attempts, check_run, intents, settling
from webhooks.github import limits
from webhooks.sandbox import PullRequest, Repository
from webhooks.sandbox.state import CheckRun

WRONG = finding(
    "It subtracts",
    path="calc.py",
    line=5,
    quote="    return a - b",
    severity="high",
    suggestion="    return a + b",
)
SHELL = finding(
    "Any command runs",
    path="calc.py",
    line=9,
    quote="    subprocess.run(command, shell=True)",
    severity="critical",
)
MORE_NOTES = {"notes.md": "# More notes\n"}


def loads(count: int) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """A file of so many lines, and a finding on each."""
    lines = [f"value_{number} = load({number})" for number in range(1, count + 1)]
    found = [
        finding(f"Load {number}", path="loads.py", line=number, quote=line, severity="medium")
        for number, line in enumerate(lines, start=1)
    ]
    return {"loads.py": "\n".join(lines) + "\n"}, found


class Held(Answer):
    """An answer that stops, after so many whole findings, until it is let go."""

    let_go = False

    @classmethod
    def after(cls, count: int, *findings: dict[str, Any]) -> Held:
        """These findings, of which the first `count` are told before it stops."""
        told = json.dumps({"findings": list(findings[:count])})
        return cls.findings(*findings, chars=None, fail_after=len(told) - 2 if count else 0, failure="stall")  # type: ignore[return-value]

    def steps(self, request: dict[str, Any]) -> Iterator[Step]:
        """As of any answer, but for the silence."""
        for step in super().steps(request):
            if isinstance(step, Wait):
                while not self.let_go:
                    yield Wait(0.02)
            else:
                yield step


def in_turn(*answers: Answer) -> Callable[[dict[str, Any]], Answer]:
    """A script of these answers, and then of nothing found."""
    waiting = iter(answers)
    return lambda _: next(waiting, Answer())


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten what the app waits when something is in doubt or fails."""
    monkeypatch.setattr(attempts, "FIRST_WAIT_SECONDS", 0.1)
    for module in (intents, settling):
        monkeypatch.setattr(module, "SETTLING_SECONDS", 0.2)
    monkeypatch.setattr(check_run, "_SHOW_SECONDS", 0.05)
    monkeypatch.setattr(limits, "FIRST_PENALTY_SECONDS", 0.2)


async def until(seen: Callable[[], object]) -> None:
    """Wait until something is so; a story that hangs is a failure."""
    async with asyncio.timeout(PATIENCE):
        while not seen():  # noqa: ASYNC110 - the fakes tell nobody
            await asyncio.sleep(0.01)


async def asked(claude: ScriptedClaude, times: int = 1) -> None:
    """Wait until the model has been asked so often."""
    await until(lambda: len(claude.requests) >= times)


async def heard(app: World, review: str, type_: str) -> Event:
    """Wait for a review's first event of a type."""
    async with asyncio.timeout(PATIENCE):
        async for event in app.events(f"/reviews/{review}/events"):
            if event.type == type_:
                return event
    raise AssertionError("a stream ended")


async def ended(app: World, repository: Repository) -> Event:
    """The event that ends the newest review, once its check run has ended too."""
    async with asyncio.timeout(PATIENCE):
        while not await reviews(app):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.02)
    events = await app.until_end(await app.newest_review())
    await app.closed(repository)
    return events[-1]


async def reviews(app: World) -> list[dict[str, Any]]:
    """All reviews, newest first."""
    async with app.http.get(f"{app.url}/reviews") as answer:
        return (await answer.json())["reviews"]


def answered(app: World) -> str:
    """What the app said to the newest delivery, for people."""
    record = app.sandbox.state.deliveries[-1]
    assert record.status_code == 202
    said = json.loads(record.response_body)
    return str(said.get("reason") or said.get("ignored"))


def shown(repository: Repository) -> CheckRun:
    """The newest check run."""
    return repository.check_runs[max(repository.check_runs)]


def places(pull: PullRequest) -> list[tuple[str, int | None]]:
    """Where comments stand, in the order they were made."""
    return [(each.path, each.line) for each in pull.comments.values()]


def refused(app: World, status: int = 422) -> list[str]:
    """What the sandbox refused, by the words it gave."""
    return [each.said for each in app.sandbox.state.requests if each.status == status]


def stop_clock(app: World) -> None:
    """From now on all happens in one second of GitHub's."""
    now = app.sandbox.state.clock()
    app.sandbox.state.clock = lambda: now
