"""The ways to GitHub and from it: trouble does what its name says, and is written down as it was."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from tests.chaos import gate as gate_module
from tests.chaos.front import Front
from tests.chaos.gate import Gate
from tests.chaos.weather import Trouble, Weather
from tests.loopback import listening

REVIEWS = "/repos/org1/shop/pulls/7/reviews"


class Listener:
    """Somebody at the other end, who keeps what is posted."""

    def __init__(self):
        self.posted: list[dict] = []
        self.url = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._take)
        async with listening(app) as self.url:
            yield

    async def _take(self, request: web.Request) -> web.Response:
        if request.method == "POST":
            self.posted.append({**await request.json(), "id": len(self.posted) + 1})
            return web.json_response(self.posted[-1], headers={"X-Of": "GitHub"})
        return web.json_response(self.posted)


@pytest.fixture
async def github():
    listener = Listener()
    async with listener.running():
        yield listener


@asynccontextmanager
async def gate_to(listener, rates):
    gate = Gate(listener.url, Weather(1, rates))
    async with gate.running(), aiohttp.ClientSession(gate.url) as session:
        yield gate, session


async def test_in_good_weather_a_call_and_its_answer_pass_unchanged(github):
    async with gate_to(github, {}) as (gate, session):
        async with session.post(REVIEWS, json={"commit_id": "a"}) as answer:
            assert answer.headers["X-Of"] == "GitHub"
            assert await answer.json() == {"commit_id": "a", "id": 1}
        [call] = gate.calls
        assert (call.method, call.path, call.body, call.status) == ("POST", REVIEWS, {"commit_id": "a"}, 200)
        assert call.acted_at is not None


@pytest.mark.parametrize(
    ("trouble", "status"), [(Trouble.REFUSED, 502), (Trouble.LIMITED, 403), (Trouble.DISGUISED, 422)]
)
async def test_a_refused_call_never_reaches_github(github, trouble, status):
    async with gate_to(github, {trouble: 1}) as (gate, session):
        async with session.post(REVIEWS, json={}) as answer:
            assert answer.status == status
        assert gate.calls[0].status is None
    assert github.posted == []


async def test_a_lost_answer_is_one_to_a_call_that_was_acted_on(github):
    async with gate_to(github, {Trouble.UNHEARD: 1}) as (gate, session):
        async with session.post(REVIEWS, json={}) as answer:
            assert answer.status == 502
        assert gate.calls[0].status == 200
    assert len(github.posted) == 1


@pytest.mark.parametrize(("trouble", "acted"), [(Trouble.DROPPED, 0), (Trouble.CUT, 1)])
async def test_a_cut_connection_gives_no_answer(github, trouble, acted):
    async with gate_to(github, {trouble: 1}) as (_, session):
        with pytest.raises(aiohttp.ClientError):
            await session.post(REVIEWS, json={})
    assert len(github.posted) == acted


async def test_a_stale_listing_lacks_what_is_young(github, monkeypatch):
    async with gate_to(github, {Trouble.STALE: 1}) as (gate, session):
        await session.post(REVIEWS, json={})

        async with session.get(REVIEWS) as answer:
            assert await answer.json() == []
        monkeypatch.setattr(gate_module, "STALE_SECONDS", 0.0)
        async with session.get(REVIEWS) as answer:
            assert len(await answer.json()) == 1
        assert [call.trouble for call in gate.calls] == [None, Trouble.STALE, Trouble.STALE]


async def deliver(front):
    async with aiohttp.ClientSession() as session, session.post(front.url, json={}) as answer:
        return answer.status


@asynccontextmanager
async def front_to(*targets, rates):
    front = Front(lambda: targets, Weather(1, rates))
    async with front.running():
        yield front


@pytest.mark.parametrize(
    ("trouble", "status", "taken"),
    [
        (Trouble.LOST, 503, 0),
        (Trouble.UNCONFIRMED, 504, 1),
        (Trouble.TWICE, 200, 2),
        (Trouble.COPIED, 200, 2),
    ],
)
async def test_a_delivery_meets_its_trouble(github, trouble, status, taken, monkeypatch):
    monkeypatch.setattr("tests.chaos.front.LONGEST_DELAY", 0.0)
    async with front_to(github.url, rates={trouble: 1}) as front:
        assert await deliver(front) == status
    assert len(github.posted) == taken


async def test_a_delivery_goes_to_the_worker_that_answers(github):
    async with front_to("http://127.0.0.1:9", github.url, rates={}) as front:
        assert await deliver(front) == 200
        assert front.refused == 0
    assert len(github.posted) == 1


async def test_a_delivery_that_no_worker_answers_has_failed():
    async with front_to("http://127.0.0.1:9", rates={}) as front:
        assert await deliver(front) == 503
        assert front.refused == 1
