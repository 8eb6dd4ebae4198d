from __future__ import annotations

import asyncio

import pytest

from reviewer import grace


async def test_a_task_that_does_not_hear_a_cancellation_is_cancelled_again(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(grace, "DEAF_SECONDS", 0.01)
    heard = 0

    async def deaf() -> None:
        nonlocal heard
        while heard < 2:
            try:
                await asyncio.sleep(3_600)
            except asyncio.CancelledError:
                heard += 1

    task = asyncio.create_task(deaf())
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await grace.stop(task)

    assert task.done()
    assert heard == 2
