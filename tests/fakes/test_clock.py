from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from datetime import timedelta

import aiohttp
import backoff
import pytest
from aiohttp import web

from tests.fakes.clock import EPOCH, LoopClock, jumping, run
from tests.loopback import listening


def now() -> float:
    return asyncio.get_running_loop().time()


@asynccontextmanager
async def served(handler):
    app = web.Application()
    app.router.add_get("/", handler)
    async with listening(app) as url, aiohttp.ClientSession() as http:
        yield http, f"{url}/"


async def in_two_parts(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"one")
    await asyncio.sleep(100)
    await response.write(b"two")
    return response


async def after_a_minute(_: web.Request) -> web.Response:
    await asyncio.sleep(60)
    return web.Response(text="late")


def test_hours_of_sleep_take_no_time_and_are_seen_exactly():
    async def sleep() -> float:
        for _ in range(10):
            await asyncio.sleep(3600.1)
        return now()

    began = time.monotonic()

    assert run(sleep()) == 36_001
    assert time.monotonic() - began < 1


@jumping
async def test_timers_keep_their_order():
    seen: list[tuple[float, float]] = []

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds)
        seen.append((seconds, now()))

    await asyncio.gather(*map(sleep, [5, 0.1, 3600, 5.5, 0]))

    assert seen == [(0, 0), (0.1, 0.1), (5, 5), (5.5, 5.5), (3600, 3600)]


@jumping
async def test_a_silence_between_two_parts_of_an_answer_is_seen_by_the_client():
    async with served(in_two_parts) as (http, url), http.get(url) as answer:
        first, first_at = await answer.content.readany(), now()
        second, second_at = await answer.content.readany(), now()

    assert (first, second) == (b"one", b"two")
    assert (first_at, second_at) == (0, 100)


@jumping
async def test_what_is_under_way_on_loopback_is_not_overtaken_by_timers():
    large = b"x" * 3_000_000

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=large)

    async with served(answer) as (http, url):
        async with asyncio.timeout(0.001):
            bodies = [await (await http.get(url)).read() for _ in range(20)]

    assert bodies == [large] * 20


@jumping
async def test_a_timeout_fires_at_its_time_against_a_silent_server():
    async with served(after_a_minute) as (http, url):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await http.get(url)

        assert now() == 5


@jumping
async def test_a_timer_waits_for_work_in_a_thread():
    fired: list[float] = []
    asyncio.get_running_loop().call_later(3600, lambda: fired.append(now()))

    await asyncio.to_thread(time.sleep, 0.2)

    assert fired == []
    assert now() == 0
    await asyncio.sleep(3601)
    assert fired == [3600]


@jumping
async def test_the_waits_of_backoff_are_seen_exactly():
    asked: list[float] = []

    @backoff.on_exception(backoff.constant, ConnectionError, interval=40, jitter=None, max_tries=3)
    async def fail() -> None:
        asked.append(now())
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await fail()

    assert asked == [0, 40, 80]


@jumping
async def test_the_clock_tells_the_loops_time():
    await asyncio.sleep(90)

    assert LoopClock().monotonic() == 90
    assert LoopClock().now() == EPOCH + timedelta(seconds=90)


@pytest.fixture
def seven():
    return 7


@pytest.mark.parametrize("seconds", [10, 20])
@jumping
async def test_a_jumping_test_gets_its_fixtures_and_parameters(seven, seconds):
    await asyncio.sleep(seconds + seven)

    assert now() == seconds + 7
