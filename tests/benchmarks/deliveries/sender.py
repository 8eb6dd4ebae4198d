"""Sends a burst, in a process of its own: `python -m tests.benchmarks.deliveries.sender URL`.

Reads the burst as JSON from its input; prints an answer's times in seconds since the start, and its status,
one a line. No request waits for another.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from dataclasses import asdict, dataclass
from itertools import starmap
from statistics import quantiles

import aiohttp

from tests.benchmarks.deliveries import material
from tests.benchmarks.deliveries.material import Delivery
from tests.benchmarks.deliveries.schedule import Burst, Shot, plan

PATIENCE_SECONDS = 10.0
"""GitHub's own: what is not answered by then has failed."""

_IDLE_SECONDS = 1.5  # a server may close an idle connection after two
_START_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a shot: seconds since the start; status 0: none came."""

    number: int
    due: float
    sent: float
    answered: float
    status: int

    @property
    def milliseconds(self) -> float:
        """From when it was due: what a sender that was late adds counts too."""
        return (self.answered - self.due) * 1e3


@dataclass(frozen=True, slots=True)
class Answers:
    """All of a burst."""

    burst: Burst
    all: tuple[Answer, ...]

    @property
    def acknowledged(self) -> list[Answer]:
        """Those that promise something."""
        return [answer for answer in self.all if 200 <= answer.status < 300]

    @property
    def deliveries(self) -> list[Delivery]:
        """What was acknowledged, each once."""
        numbers = sorted({answer.number for answer in self.acknowledged})
        return [Delivery(self.burst.run, number) for number in numbers]

    @property
    def a_second(self) -> float:
        """Acknowledged, from the first due to the last answer."""
        answered = [answer.answered for answer in self.acknowledged]
        return len(answered) / max(*answered, self.burst.seconds) if answered else 0.0

    @property
    def late(self) -> float:
        """Milliseconds by which the sender itself was late, in 99 of 100 cases at most."""
        return percentile([(answer.sent - answer.due) * 1e3 for answer in self.all], 99)

    def percentile(self, percent: int) -> float:
        """Milliseconds in which so many percent were acknowledged; what was refused never was."""
        taken = [answer.milliseconds for answer in self.acknowledged]
        return percentile(taken + [float("inf")] * (len(self.all) - len(taken)), percent)


def percentile(values: list[float], percent: int) -> float:
    """The value that so many percent of all do not exceed."""
    ordered = sorted(values)
    if ordered[-1] == float("inf"):  # nothing lies between a number and the infinite
        return ordered[-(-len(ordered) * percent // 100) - 1]
    return quantiles(ordered, n=100, method="inclusive")[percent - 1]


def told(milliseconds: float) -> str:
    """As a table shows it."""
    return f"{milliseconds:,.1f}" if milliseconds < float("inf") else "not all answered"


async def send(url: str, burst: Burst) -> Answers:
    """Send from another process."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, url, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate(json.dumps(asdict(burst)).encode())
    if process.returncode:
        raise AssertionError("the sender has failed; its error stands above")
    return Answers(burst, tuple(starmap(Answer, json.loads(out))))


async def _send(url: str, burst: Burst) -> list[Answer]:
    ready: list[tuple[Shot, bytes, dict[str, str]]] = []
    for shot in plan(burst):
        body = material.body(shot.delivery)
        ready.append((shot, body, material.headers(shot.delivery, body)))
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE_SECONDS)
    timeout = aiohttp.ClientTimeout(total=PATIENCE_SECONDS)
    gc.collect()
    gc.freeze()
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        start = time.monotonic() + _START_SECONDS

        async def shoot(shot: Shot, body: bytes, headers: dict[str, str]) -> Answer:
            sent, status = time.monotonic(), 0
            try:
                async with session.post(url, data=body, headers=headers) as answer:
                    await answer.read()
                    status = answer.status
            except (aiohttp.ClientError, TimeoutError):
                pass
            answered = time.monotonic()
            return Answer(shot.delivery.number, shot.at, sent - start, answered - start, status)

        tasks: list[asyncio.Task[Answer]] = []
        for shot, body, headers in ready:
            await asyncio.sleep(start + shot.at - time.monotonic())
            tasks.append(asyncio.create_task(shoot(shot, body, headers)))
        return await asyncio.gather(*tasks)


def main() -> None:
    """Send what the input asks for."""
    answers = asyncio.run(_send(sys.argv[1], Burst(**json.load(sys.stdin))))
    json.dump([[a.number, a.due, a.sent, a.answered, a.status] for a in answers], sys.stdout)


if __name__ == "__main__":
    main()
