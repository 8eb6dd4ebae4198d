"""Streams over real HTTP: what a client is sent, and how it goes on."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import pytest
from httpx_sse import ServerSentEvent, aconnect_sse
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from reviewer.core.audience import EVERYTHING, Audience, Sight
from reviewer.core.events import Event, FindingMade, ReviewCancelled, ReviewQueued, Subject
from reviewer.store.database import Database
from reviewer.store.feed import PostgresFeed
from reviewer.store.hub import Hub
from tests.store.test_feed import finding
from webhooks.access.keys import Keys
from webhooks.api.metrics import Metrics
from webhooks.callers import Caller
from webhooks.middleware import refusal_as_json
from webhooks.serving import listen, serving
from webhooks.streams.answers import Streams
from webhooks.streams.cursors import Cursors
from webhooks.streams.endpoints import Stream

PATIENCE = 40.0
DAYS = 30
OURS = Subject(review="ours", repository="a/ours", pull_request=1, audience=Audience(installation=1))
OTHER = Subject(review="other", repository="a/other", pull_request=2, audience=Audience(installation=1))
THEIRS = Subject(review="theirs", repository="b/theirs", pull_request=1, audience=Audience(installation=2))


def caller(name: str, sight: Sight) -> Caller:
    return Caller(name, name, sight, sight, None, None, None, b"")


@dataclass
class House:
    """An app with nothing but streams; who calls is said in a header."""

    url: str
    feed: PostgresFeed
    database: Database
    cursors: Cursors
    http: httpx.AsyncClient
    callers: dict[str, Caller]
    stream: Stream
    left: list[str] = field(default_factory=list)

    async def add(self, subject: Subject, *events: Event) -> None:
        async with self.database.connection() as connection:
            await connection.execute(
                "INSERT INTO reviews (id, installation, repository, pull_request, head_sha, title, url)"
                " VALUES (%s, %s, %s, %s, 'a', 't', 'u') ON CONFLICT (id) DO NOTHING",
                (subject.review, subject.audience.installation, subject.repository, subject.pull_request),
            )
        await self.feed.append(subject, list(events))

    @asynccontextmanager
    async def events(
        self, path: str, *, who: str = "one", last: str | None = None
    ) -> AsyncGenerator[AsyncIterator[ServerSentEvent]]:
        """Events of a stream, without what only carries an id or is a comment."""
        headers = {"who": who} | ({"Last-Event-ID": last} if last else {})
        async with asyncio.timeout(PATIENCE):
            async with aconnect_sse(self.http, "GET", self.url + path, headers=headers) as source:
                assert source.response.status_code == 200
                assert source.response.headers["content-type"].startswith("text/event-stream")
                yield (event async for event in source.aiter_sse() if event.data)

    async def all(self, path: str, **options: Any) -> list[ServerSentEvent]:
        """What a stream sends until the server ends it."""
        async with self.events(path, **options) as events:
            return [event async for event in events]

    async def get(self, path: str, who: str = "one", **headers: str) -> httpx.Response:
        return await self.http.get(self.url + path, headers={"who": who, **headers})


@asynccontextmanager
async def house(database: Database, *, per_caller: int = 5, **options: float) -> AsyncGenerator[House]:
    callers = {
        "one": caller("one", Sight(installations=frozenset({1}))),
        "two": caller("two", Sight(installations=frozenset({2}))),
        "operator": caller("operator", EVERYTHING),
    }

    class Gate:
        async def again(self, caller: Caller) -> Caller | None:
            return callers.get(caller.id)

    async with Hub(database.url) as hub:
        feed, cursors = PostgresFeed(database, hub), Cursors(await Keys(database).get("cursors"))
        streams = Streams(feed, Gate(), cursors, Metrics(), per_caller=per_caller, **options)
        stream = Stream(feed, database, cursors, streams, event_days=DAYS)
        left: list[str] = []

        async def everything(request: Request) -> Response:
            return await stream.everything(request, callers[request.headers["who"]])

        async def one_review(request: Request) -> Response:
            return await stream.one_review(request, callers[request.headers["who"]])

        async def attended(request: Request) -> Response:
            review = request.path_params["id"]

            async def leave() -> None:
                left.append(review)

            who = callers[request.headers["who"]]
            return await stream.of_review(who, review, headers={"X-Tokens-Used": "7"}, on_leave=leave)

        async def slow(_: Request) -> Response:
            await asyncio.sleep(0.5)
            return JSONResponse({"slow": True})

        app = Starlette(
            routes=[
                Route("/events", everything),
                Route("/reviews/{id}/events", one_review),
                Route("/attended/{id}", attended, methods=["POST"]),
                Route("/slow", slow),
            ],
            exception_handlers={HTTPException: refusal_as_json},
        )
        app.state.before_stop = stream.close
        async with httpx.AsyncClient(timeout=PATIENCE) as http, serving(app, listen("127.0.0.1", 0)) as url:
            yield House(url, feed, database, cursors, http, callers, stream, left)


@pytest.fixture(name="at")
async def at_(database: Database) -> AsyncIterator[House]:
    async with house(database) as found:
        yield found


def ids(events: list[ServerSentEvent]) -> list[str]:
    return [json.loads(event.data)["finding"]["id"] for event in events if event.event == "finding"]


def findings(first: int, last: int, severity: str = "high") -> list[FindingMade]:
    return [finding(str(number), severity) for number in range(first, last)]


async def take(events: AsyncIterator[ServerSentEvent], count: int) -> list[ServerSentEvent]:
    return [await anext(events) for _ in range(count)]


async def test_curl_reads_a_review_to_its_end(at):
    await at.add(OURS, ReviewQueued(), finding("1"), ReviewCancelled(reason="enough"))
    process = await asyncio.create_subprocess_exec(
        "curl", "-sN", "-H", "who: one", f"{at.url}/reviews/ours/events", stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(PATIENCE):
        out, _ = await process.communicate()

    lines = out.decode().split("\r\n")
    assert [line for line in lines if line.startswith("event: ")] == [
        "event: review.queued",
        "event: finding",
        "event: review.cancelled",
    ]
    assert len([line for line in lines if line.startswith("id: ")]) == 3


async def test_everything_is_told_from_now_on(at):
    await at.add(OURS, finding("1"))
    async with at.events("/events") as events:
        await at.add(OURS, finding("2"))
        (event,) = await take(events, 1)

    assert ids([event]) == ["2"]
    assert event.json()["repository"] == "a/ours"
    assert at.cursors.read(event.id) == await at.feed.newest()


APPEND = """
import asyncio, sys
from pathlib import Path
from reviewer.store.database import open_database
from reviewer.store.feed import Hub, PostgresFeed
from tests.store.test_feed import finding
from tests.streams.test_endpoints import OURS

async def main():
    async with open_database(sys.argv[1], Path("unused")) as database:
        feed = PostgresFeed(database, Hub(sys.argv[1]))
        for number in range(1, 201):
            await feed.append(OURS, [finding(str(number))])

asyncio.run(main())
"""


async def test_a_client_that_is_cut_again_and_again_misses_nothing_that_another_process_says(
    at, database_url
):
    await at.add(OURS, ReviewQueued())
    writer = await asyncio.create_subprocess_exec(sys.executable, "-c", APPEND, database_url)
    last, seen = None, list[str]()
    async with asyncio.timeout(3 * PATIENCE):
        while len(seen) < 200:
            async with at.events("/events?from=start&type=finding", last=last) as events:
                some = await take(events, min(37, 200 - len(seen)))
                seen += ids(some)
                last = some[-1].id
    assert await writer.wait() == 0

    assert seen == [str(number) for number in range(1, 201)]


async def test_a_client_that_was_cut_before_its_first_event_misses_none(at):
    await at.add(OURS, finding("1"))
    async with at.http.stream("GET", f"{at.url}/events", headers={"who": "one"}) as answer:
        lines = answer.aiter_lines()
        where = (await anext(lines)).removeprefix("id: ")
    await at.add(THEIRS, finding("9"))
    await at.add(OURS, finding("2"))

    assert ids(await at.all("/events?follow=false", last=where)) == ["2"]


@pytest.mark.parametrize(
    ("parameters", "wanted"),
    [
        ("", ["1", "2", "3", "4"]),
        ("&repository=a/other", ["4"]),
        ("&pull_request=1", ["1", "2", "3"]),
        ("&review=other", ["4"]),
        ("&severity=low&severity=critical", ["2", "3"]),
        ("&type=review.queued", []),
        ("&repository=b/theirs", []),
        ("&review=theirs", []),
    ],
)
async def test_a_stream_can_be_narrowed(at, parameters, wanted):
    await at.add(THEIRS, ReviewQueued(), finding("9", "low"))
    await at.add(OURS, ReviewQueued(), finding("1"), finding("2", "low"), finding("3", "critical"))
    await at.add(OTHER, finding("4"))

    assert ids(await at.all(f"/events?from=start&follow=false{parameters}")) == wanted


async def test_two_tenants_share_nothing_but_the_server(at):
    async with at.events("/events") as ours, at.events("/events", who="two") as theirs:
        for number in range(1, 21):
            await at.add(OURS if number % 2 else THEIRS, finding(str(number)))
        mine, others = ids(await take(ours, 10)), ids(await take(theirs, 10))

    assert mine == [str(number) for number in range(1, 21, 2)]
    assert others == [str(number) for number in range(2, 21, 2)]
    hidden, missing = await at.get("/reviews/theirs/events"), await at.get("/reviews/none/events")
    assert (hidden.status_code, hidden.content) == (missing.status_code, missing.content)
    assert (missing.status_code, missing.json()) == (404, {"error": "no such review"})


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/events?severity=awful", "no severity is called 'awful'"),
        ("/events?type=review.begun", "no type is called"),
        ("/events?pull_request=x", "pull_request is a whole number from 1"),
        ("/events?pull_request=0", "pull_request is a whole number from 1"),
        ("/events?pull_request=99999999999", "pull_request is a whole number from 1"),
        ("/events?pull_request=" + "9" * 5000, "pull_request is a whole number from 1"),
        ("/events?last_event_id=12", "no id of an event of ours"),
        ("/events?from=yesterday", "from is"),
        ("/events?follow=no", "follow is"),
        ("/events?repository=%00", "zero byte"),
        ("/reviews/ours/events?last_event_id=x", "no id of an event of ours"),
    ],
)
async def test_what_can_not_be_understood_is_said(at, path, words):
    answer = await at.get(path)

    assert answer.status_code == 400
    assert words in answer.json()["error"]


async def test_a_position_is_taken_from_the_query_too(at):
    await at.add(OURS, *findings(1, 4))
    second = (await at.all("/reviews/ours/events?follow=false"))[1]

    assert ids(await at.all(f"/events?follow=false&last_event_id={second.id}")) == ["3"]


async def test_head_is_answered_without_a_stream(at):
    await at.add(OURS, ReviewQueued())
    for path in ("/events", "/reviews/ours/events"):
        answer = await at.http.head(at.url + path, headers={"who": "one"})
        assert (answer.status_code, answer.content) == (200, b"")


async def test_who_comes_back_after_too_long_is_told_first(at):
    await at.add(OURS, ReviewQueued(), finding("1"), ReviewCancelled(reason="old"))
    old = at.cursors.write(1)
    async with at.database.connection() as connection:
        await connection.execute("UPDATE events SET at = now() - interval '31 days'")
        await connection.execute("UPDATE reviews SET created_at = now() - interval '31 days'")
    await at.feed.expire(DAYS, [])
    newest = at.cursors.write(await at.feed.floor())
    await at.add(OTHER, finding("2"))

    first, second = await at.all("/events?follow=false", last=old)
    assert (first.event, first.json()["kept_days"]) == ("stream.expired", DAYS)
    assert ids([second]) == ["2"]
    assert [event.event for event in await at.all("/events?follow=false", last=newest)] == ["finding"]
    assert [event.event for event in await at.all("/events?follow=false&from=start")] == ["finding"]
    gone = await at.get("/reviews/ours/events")
    assert gone.status_code == 410
    assert "expired" in gone.json()["error"]
    assert (await at.get("/reviews/ours/events", who="two")).status_code == 404


async def test_who_has_seen_nothing_yet_has_missed_nothing_that_others_lost(at):
    await at.add(OURS, ReviewQueued(), ReviewCancelled(reason="old"))
    async with at.database.connection() as connection:
        await connection.execute("UPDATE events SET at = now() - interval '31 days'")
    await at.feed.expire(DAYS, [])
    (opening,) = (await at.get("/events?follow=false", who="two")).text.split()[1:]
    await at.add(THEIRS, finding("1"))

    events = await at.all("/events?follow=false", who="two", last=opening)
    assert [event.event for event in events] == ["finding"]


async def test_a_review_that_has_said_nothing_yet_is_waited_for(at):
    await at.add(OURS)
    async with at.events("/reviews/ours/events") as events:
        await at.add(OURS, finding("1"), ReviewCancelled(reason="enough"))
        assert [event.event async for event in events] == ["finding", "review.cancelled"]


async def test_a_caller_has_so_many_streams_and_no_more(at):
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(5):
            await stack.enter_async_context(at.events("/events"))
        refused = await at.get("/events")
        assert refused.status_code == 429
        assert int(refused.headers["Retry-After"]) > 0
        assert "streams of yours" in refused.json()["error"]
        await stack.enter_async_context(at.events("/events", who="two"))
    async with asyncio.timeout(PATIENCE):
        while (await at.get("/events?follow=false")).status_code != 200:  # noqa: ASYNC110 - seen from outside
            await asyncio.sleep(0.02)


async def test_a_right_that_is_narrowed_is_so_at_once_and_one_that_ends_ends_the_stream(database):
    async with house(database, check_seconds=0.1) as at, at.events("/events", who="operator") as events:
        await at.add(OURS, finding("1"))
        assert ids(await take(events, 1)) == ["1"]
        at.callers["operator"] = replace(at.callers["two"], id="operator")
        await asyncio.sleep(0.3)
        await at.add(OURS, finding("2"))
        await at.add(THEIRS, finding("3"))
        assert ids(await take(events, 1)) == ["3"]

        del at.callers["operator"]
        assert [event.event async for event in events] == ["stream.revoked"]


async def test_who_may_see_a_review_no_more_is_told_so_and_not_left_waiting(database):
    async with house(database, check_seconds=0.1) as at:
        await at.add(OURS, finding("1"))
        async with at.events("/reviews/ours/events", who="operator") as events:
            assert ids(await take(events, 1)) == ["1"]
            at.callers["operator"] = replace(at.callers["two"], id="operator")
            assert [event.event async for event in events] == ["stream.revoked"]


async def test_a_stop_says_farewell_and_lets_requests_end(database, caplog):
    async with house(database) as at:
        told = asyncio.create_task(at.all("/events"))
        slow = asyncio.create_task(at.get("/slow"))
        await asyncio.sleep(0.2)  # both are under way, and so the server stops
    last = (await told)[-1]
    assert last.event == "stream.closing"
    assert last.retry is not None
    assert 1_000 <= last.retry <= 3_000
    assert (await slow).json() == {"slow": True}
    assert caplog.records == []


async def test_who_comes_while_the_server_stops_is_sent_away_at_once(at):
    await at.stream.close()

    assert [event.event for event in await at.all("/events")] == ["stream.closing"]


async def test_a_server_stops_soon_though_clients_do_not_read(database, caplog):
    loop = asyncio.get_running_loop()
    async with house(database) as at:
        reader = deaf(at, "/events?from=start")
        await at.add(OURS, *big(0, 600))
        await asyncio.sleep(0.5)
        slow = asyncio.create_task(at.get("/slow"))
        await asyncio.sleep(0.05)
        began = loop.time()
    assert loop.time() - began < 3.0
    assert (await slow).json() == {"slow": True}
    reader.close()
    assert caplog.records == []


def big(first: int, last: int) -> list[FindingMade]:
    """Events that fill every buffer on the way."""
    made = findings(first, last)
    return [FindingMade(finding=each.finding.model_copy(update={"message": "m" * 20_000})) for each in made]


def deaf(at: House, path: str) -> socket.socket:
    """A client that asks, and never reads."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    client.connect(("127.0.0.1", int(at.url.rpartition(":")[2])))
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nwho: one\r\n\r\n".encode())
    return client


async def test_a_client_that_does_not_read_holds_nobody_up_and_is_cut_off(database):
    async with house(database, per_caller=1, stall_seconds=0.4) as at:
        reader = deaf(at, "/events?from=start")
        async with asyncio.timeout(PATIENCE):
            while (await at.get("/events?follow=false")).status_code != 429:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.02)
        async with at.events("/events", who="operator") as events:
            await at.add(OURS, *big(0, 600))
            assert ids(await take(events, 600)) == [str(number) for number in range(600)]
        async with asyncio.timeout(PATIENCE):
            while (await at.get("/events?follow=false")).status_code == 429:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.05)
        reader.close()


async def test_a_client_that_reads_late_is_told_everything_once(at):
    loop, told = asyncio.get_running_loop(), b""
    reader = deaf(at, "/events")
    reader.setblocking(False)
    async with asyncio.timeout(PATIENCE):
        told += await loop.sock_recv(reader, 4_096)
        async with at.events("/events", who="operator") as events:
            for first in range(0, 300, 2):
                await at.add(OURS, *big(first, first + 2))
            await take(events, 300)
        while b'"id": "299"' not in told:
            told += await loop.sock_recv(reader, 1_000_000)
    reader.close()
    found = [int(number) for number in re.findall(rb'"finding": {"id": "(\d+)"', told)]
    assert found == list(range(300))


async def test_a_long_replay_lets_others_through_even_when_its_client_has_gone(at):
    async with at.database.connection() as connection:
        await connection.execute(
            "INSERT INTO events (position, review, repository, installation, type, data)"
            " SELECT nextval('event_positions'), 'ours', 'a/ours', 1, 'review.queued', '{}'"
            " FROM generate_series(1, 100000)"
        )
    async with at.events("/events?from=start") as events:
        await take(events, 1_000)
        for _ in range(5):
            assert (await at.get("/reviews/none/events")).status_code == 404
    assert (await at.get("/reviews/none/events")).status_code == 404
    count, end = 0, b""
    headers = {"who": "one"}
    async with at.http.stream("GET", f"{at.url}/events?from=start&follow=false", headers=headers) as answer:
        async for piece in answer.aiter_bytes():
            count += (end + piece).count(b"\r\nevent: ") - end.count(b"\r\nevent: ")
            end = piece[-8:]
    assert count == 100_000


async def test_who_leaves_a_review_before_its_end_is_noticed_and_who_stays_is_not(at):
    await at.add(OURS, finding("1"))
    await at.add(OTHER, ReviewCancelled(reason="enough"))
    async with at.http.stream("POST", f"{at.url}/attended/other", headers={"who": "one"}) as answer:
        assert answer.headers["X-Tokens-Used"] == "7"
        assert "review.cancelled" in (await answer.aread()).decode()
    async with at.http.stream("POST", f"{at.url}/attended/ours", headers={"who": "one"}) as answer:
        await anext(answer.aiter_lines())
    async with asyncio.timeout(PATIENCE):
        while not at.left:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.02)

    assert at.left == ["ours"]


async def test_who_is_sent_away_by_a_stop_has_not_left(at):
    await at.add(OURS, finding("1"))
    async with at.http.stream("POST", f"{at.url}/attended/ours", headers={"who": "one"}) as answer:
        await at.stream.close()
        assert "stream.closing" in (await answer.aread()).decode()

    assert at.left == []
