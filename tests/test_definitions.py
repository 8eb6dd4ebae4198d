from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from reviewer import definitions
from reviewer.core.scopes import Scopes
from reviewer.definitions import MOST_FAILURES, Definitions

SHOP = "class Shop:\n    def pay(self):\n        return 1\n"
HANGS = ("->" * 2_000, "x.tsx")
"""Keeps the parser busy for seconds."""


def name_at(found: Scopes | None, line: int) -> str | None:
    scope = found.around(line) if found else None
    return scope.name if scope else None


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


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks at processes in /proc")
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
