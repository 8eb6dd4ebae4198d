from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reviewer import definitions
from reviewer.core.scopes import Scopes
from reviewer.definitions import MOST_FAILURES, Definitions, Spare

SHOP = "class Shop:\n    def pay(self):\n        return 1\n"
HANGS = ("->" * 2_000, "x.tsx")
"""Keeps the parser busy for seconds."""


def name_at(found: Scopes | None, line: int) -> str | None:
    scope = found.around(line) if found else None
    return scope.name if scope else None


PATIENCE = 20.0
LONG = 3_600.0
looks_in_proc = pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks at processes in /proc")


async def until(what: Callable[[], Any]) -> None:
    """Wait for what other processes do."""
    async with asyncio.timeout(PATIENCE):
        while not what():  # noqa: ASYNC110 - it is seen from outside
            await asyncio.sleep(0.01)


async def ready(spare: Spare) -> int:
    """The process that waits, once there is one."""
    await until(lambda: spare._ready)
    assert spare._ready is not None
    return spare._ready.pid


def runs(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}


def parsers() -> set[int]:
    """This process's children that parse."""
    found: set[int] = set()
    for children in Path("/proc/self/task").glob("*/children"):
        for pid in map(int, children.read_text().split()):
            try:
                command = Path(f"/proc/{pid}/cmdline").read_bytes()
            except OSError:
                continue
            if b"reviewer.parser" in command and runs(pid):
                found.add(pid)
    return found


async def test_definitions_come_from_a_process_of_their_own():
    async with Definitions() as reader:
        assert name_at(await reader.read(SHOP, "shop.py"), 3) == "Shop.pay"
        assert name_at(await reader.read("func Pay() {\n\treturn\n}\n", "pay.go"), 2) == "Pay"
        assert await reader.read("whatever", "x.unknown") is None
        assert name_at(await reader.read("# caf\udce9 \0\n" + SHOP, "odd.py"), 4) == "Shop.pay"


async def test_a_text_that_keeps_the_parser_busy_costs_its_time_limit_and_no_more():
    async with Definitions(limit=1.0) as reader:
        await reader.read(SHOP, "shop.py")
        began = time.monotonic()

        assert await reader.read(*HANGS) is None
        assert time.monotonic() - began < 3
        assert name_at(await reader.read(SHOP, "shop.py"), 3) == "Shop.pay"


async def test_a_process_that_dies_is_replaced():
    async with Definitions() as reader:
        await reader.read(SHOP, "shop.py")
        process = reader._process
        assert process is not None
        process.kill()
        await process.wait()

        assert await reader.read(SHOP, "shop.py") is None
        assert name_at(await reader.read(SHOP, "shop.py"), 3) == "Shop.pay"


async def test_after_some_failures_no_more_files_are_tried(monkeypatch):
    monkeypatch.setattr(definitions, "START_SECONDS", 0.0)
    async with Definitions() as reader:
        for _ in range(MOST_FAILURES):
            assert await reader.read(SHOP, "shop.py") is None
        monkeypatch.undo()

        assert await reader.read(SHOP, "shop.py") is None
        assert reader._process is None


@looks_in_proc
async def test_the_process_knows_no_secret_and_ends_with_its_reader(monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-made-up")
    async with Definitions() as reader:
        await reader.read(SHOP, "shop.py")
        assert reader._process is not None
        pid = reader._process.pid

        assert b"sk-ant" not in await asyncio.to_thread(Path(f"/proc/{pid}/environ").read_bytes)
    assert not await asyncio.to_thread(Path(f"/proc/{pid}").exists)


async def test_a_reader_that_is_called_off_leaves_no_answer_for_the_next_question():
    async with Definitions(limit=30) as reader:
        await reader.read(SHOP, "shop.py")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await reader.read(*HANGS)

        assert name_at(await reader.read(SHOP, "shop.py"), 3) == "Shop.pay"


async def test_a_review_takes_the_process_that_is_ready_and_another_gets_ready(monkeypatch):
    monkeypatch.setattr(definitions, "PAUSE_SECONDS", 0.0)
    async with Spare() as spare, Definitions(spare) as reader:
        first = await ready(spare)

        assert name_at(await reader.read(SHOP, "shop.py"), 3) == "Shop.pay"
        assert reader._process is not None
        assert reader._process.pid == first
        assert await ready(spare) != first


@looks_in_proc
async def test_the_next_is_not_started_while_the_review_that_took_one_begins(monkeypatch):
    monkeypatch.setattr(definitions, "PAUSE_SECONDS", LONG)
    async with Spare() as spare, Definitions(spare) as reader:
        only = await ready(spare)
        await reader.read(SHOP, "shop.py")
        await reader.read(SHOP, "shop.py")

        assert parsers() == {only}


async def test_reviews_share_no_process_so_that_one_which_hangs_holds_up_nobody(monkeypatch):
    monkeypatch.setattr(definitions, "PAUSE_SECONDS", 0.0)
    async with Spare() as spare, Definitions(spare, limit=LONG) as stuck, Definitions(spare) as other:
        await ready(spare)
        hangs = asyncio.create_task(stuck.read(*HANGS))
        await until(lambda: stuck._process)
        await ready(spare)

        assert name_at(await other.read(SHOP, "shop.py"), 3) == "Shop.pay"
        assert not hangs.done()
        hangs.cancel()
        await asyncio.wait({hangs})


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_spare_that_no_longer_answers_is_no_failure_of_the_review_that_takes_it(fault):
    async with Spare() as spare, Definitions(spare) as reader:
        gone = await ready(spare)
        os.kill(gone, fault)

        assert name_at(await reader.read(SHOP, "shop.py"), 3) == "Shop.pay"
        assert reader._failures == 0
        await until(lambda: not runs(gone))


async def test_a_spare_that_died_while_it_waited_is_replaced(monkeypatch):
    monkeypatch.setattr(definitions, "FAULT_SECONDS", 0.0)
    async with Spare() as spare:
        gone = await ready(spare)
        os.kill(gone, signal.SIGKILL)
        await until(lambda: spare._ready is None or spare._ready.pid != gone)

        assert await ready(spare) != gone


async def test_a_spare_that_could_not_be_started_is_tried_again_and_reviews_go_on(monkeypatch):
    monkeypatch.setattr(definitions, "FAULT_SECONDS", 0.0)
    executable = sys.executable
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    async with Spare() as spare, Definitions(spare) as reader:
        await asyncio.sleep(0.05)
        assert spare._ready is None
        monkeypatch.setattr(sys, "executable", executable)

        assert name_at(await reader.read(SHOP, "shop.py"), 3) == "Shop.pay"
        assert await ready(spare)


@looks_in_proc
async def test_closing_ends_the_spare_and_one_that_is_just_being_started():
    async with Spare() as spare:
        waited = await ready(spare)
    assert not runs(waited)

    async with Spare() as spare:
        await until(parsers)
        assert spare._ready is None
    assert parsers() == set()


@looks_in_proc
async def test_a_close_that_is_called_off_still_ends_the_spare():
    async with Spare() as spare:
        waited = await ready(spare)
        closing = asyncio.create_task(spare.__aexit__())
        await asyncio.sleep(0)
        closing.cancel()
        await asyncio.wait({closing})

        await until(lambda: not runs(waited))


@looks_in_proc
async def test_a_review_called_off_as_it_takes_the_spare_leaves_no_process(monkeypatch):
    monkeypatch.setattr(definitions, "PAUSE_SECONDS", LONG)
    async with Spare() as spare:
        waited = await ready(spare)
        os.kill(waited, signal.SIGSTOP)
        async with Definitions(spare) as reader:
            reading = asyncio.create_task(reader.read(SHOP, "shop.py"))
            await until(lambda: spare._ready is None)
            reading.cancel()
            await asyncio.wait({reading})

            assert not runs(waited)


@looks_in_proc
async def test_a_reading_called_off_twice_still_waits_for_the_end_of_its_process():
    async with Definitions(limit=30) as reader:
        await reader.read(SHOP, "shop.py")
        (process,) = parsers()
        reading = asyncio.create_task(reader.read(*HANGS))
        await asyncio.sleep(0.05)
        reading.cancel()
        await asyncio.sleep(0)
        reading.cancel()
        await asyncio.wait({reading})

        assert not await asyncio.to_thread(Path(f"/proc/{process}").exists)


KEEPS_A_SPARE = """
import asyncio, reviewer.definitions as definitions

async def main():
    async with definitions.Spare() as spare:
        while spare._ready is None:
            await asyncio.sleep(0.01)
        print(spare._ready.pid, flush=True)
        await asyncio.sleep(3600)

asyncio.run(main())
"""


@looks_in_proc
async def test_a_spare_does_not_outlive_the_process_that_keeps_it():
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", KEEPS_A_SPARE, stdout=PIPE)
    assert parent.stdout is not None
    spare = int(await parent.stdout.readline())
    assert runs(spare)

    parent.kill()
    await parent.wait()

    await until(lambda: not runs(spare))
