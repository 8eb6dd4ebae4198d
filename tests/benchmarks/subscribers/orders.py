"""What is told to a process that writes events: lines of `COUNT RATE`, each answered when it is done."""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from collections.abc import Awaitable, Callable

from tests.benchmarks.subscribers.readers import say


async def obey(write: Callable[[int], Awaitable[None]]) -> None:
    """Write event after event at the rate that a line names, and answer with the CPU seconds that took."""
    numbers = itertools.count()
    while line := await asyncio.to_thread(sys.stdin.readline):
        count, rate = line.split()
        began, cpu = time.monotonic(), time.process_time()
        for number in range(int(count)):
            await asyncio.sleep(max(0.0, began + number / float(rate) - time.monotonic()))
            await write(next(numbers))
        say(time.process_time() - cpu)
