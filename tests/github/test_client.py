"""What is sent to GitHub, how often, and to whom."""

from __future__ import annotations

import asyncio
import time

import pytest

from reviewer.errors import ForgeRateLimited, ForgeRefused, ForgeUnavailable
from tests.fakes.clock import jumping
from tests.github.server import TOKENS, Reply, listening, talking
from webhooks.github.kept import KeptAnswers
from webhooks.github.limits import LocalPacing
from webhooks.github.wire import Answer

LIMIT = {"message": "You have exceeded a secondary rate limit."}


def now() -> float:
    return asyncio.get_running_loop().time()


@jumping
async def test_a_read_is_tried_three_times_on_passing_trouble():
    async with talking() as (server, github):
        server.on("GET", "/good", Reply(502), Reply(503), Reply(body=[1]))
        server.on("GET", "/bad", Reply(502))

        assert (await github.read(1, "/good")).json() == [1]
        with pytest.raises(ForgeUnavailable):
            await github.read(1, "/bad")

        assert len(server.called("/bad")) == 3


@jumping
async def test_a_read_waits_once_for_a_limit_that_ends_soon():
    async with talking() as (server, github):
        limit = Reply(403, headers={"retry-after": "30"})
        server.on("GET", "/once", limit, Reply(body=1))
        server.on("GET", "/always", limit)

        assert (await github.read(1, "/once")).json() == 1
        assert now() == pytest.approx(30, abs=1)
        with pytest.raises(ForgeRateLimited):
            await github.read(1, "/always")
        assert len(server.called("/always")) == 2


@jumping
async def test_a_limit_that_lasts_closes_the_gate_of_its_installation_only():
    async with talking() as (server, github):
        server.on("GET", "/", Reply(429, headers={"retry-after": "31"}), Reply(body=1))

        for _ in range(3):
            with pytest.raises(ForgeRateLimited) as error:
                await github.read(1, "/")
            assert error.value.retry_after == pytest.approx(31, abs=1)
        assert len(server.called()) == 1
        assert (await github.read(2, "/")).json() == 1
        assert now() == pytest.approx(0, abs=1)

        await asyncio.sleep(31)
        assert (await github.read(1, "/")).json() == 1


@jumping
async def test_limits_that_name_no_time_are_waited_for_longer_each_time():
    async with talking() as (server, github):
        server.on("POST", "/", Reply(403, LIMIT))
        waits = []
        for _ in range(3):
            with pytest.raises(ForgeRateLimited) as error:
                await github.write(1, "POST", "/")
            waits.append(error.value.retry_after)
            await asyncio.sleep(waits[-1])

        assert waits == [60, 120, 240]
        assert len(server.called()) == 3


@jumping
async def test_after_the_last_request_of_the_hour_nothing_is_sent_until_the_next():
    async with talking() as (server, github):
        headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(time.time()) + 600)}
        server.on("GET", "/", Reply(body=1, headers=headers))

        assert (await github.read(1, "/")).json() == 1
        with pytest.raises(ForgeRateLimited) as error:
            await github.read(1, "/")

        assert error.value.retry_after == pytest.approx(600, abs=3)
        assert len(server.called()) == 1


@jumping
async def test_writes_are_a_second_apart_and_one_at_a_time():
    async with talking(LocalPacing()) as (server, github):
        server.on("POST", "/", Reply(body={}, seconds=0.5))

        await asyncio.gather(*(github.write(1, "POST", "/") for _ in range(4)))

        assert [round(call.at, 1) for call in server.called()] == [0.0, 1.0, 2.0, 3.0]


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE"])
@pytest.mark.parametrize("reply", [Reply(502), Reply(422), Reply(429, headers={"retry-after": "1"})])
def test_a_write_is_sent_once(method, reply):
    @jumping
    async def check():
        async with talking() as (server, github):
            server.on(method, "/", reply)

            with pytest.raises((ForgeUnavailable, ForgeRefused, ForgeRateLimited)):
                await github.write(1, method, "/", {"a": 1})

            assert len(server.called()) == 1

    check()


@jumping
async def test_a_refused_token_is_fetched_anew_and_the_request_sent_once_more():
    async with talking() as (server, github):
        bad = Reply(401, {"message": "Bad credentials"})
        server.on("POST", "/once", bad, Reply(body={"id": 7}))
        server.on("POST", "/always", bad)
        fenced: list[int] = []

        async def fence() -> None:
            fenced.append(1)

        assert await github.write(1, "POST", "/once", {"a": 1}, fence=fence) == {"id": 7}
        with pytest.raises(ForgeRefused):
            await github.write(1, "POST", "/always")

        first, second = server.called("/once")
        assert (first.token, second.token) == ("ghs_made_up_1", "ghs_made_up_2")
        assert first.body == second.body == {"a": 1}
        assert len(fenced) == 2
        assert len(server.called("/always")) == 2


@jumping
async def test_requests_whose_token_was_refused_together_fetch_one_token():
    async with talking() as (server, github):
        await github.token(1)
        bad = Reply(401, {"message": "Bad credentials"}, seconds=1)
        server.on("GET", "/", *[bad] * 10, Reply(body=1))

        answers = await asyncio.gather(*(github.read(1, f"/{number}") for number in range(10)))

        assert [answer.json() for answer in answers] == [1] * 10
        assert len(server.called(TOKENS)) == 2


@jumping
async def test_a_late_refusal_of_an_old_token_does_not_drop_the_new_one():
    async with talking() as (server, github):
        bad = {"message": "Bad credentials"}
        server.on("GET", "/", Reply(401, bad, seconds=1), Reply(401, bad, seconds=5), Reply(body=1))

        await asyncio.gather(github.read(1, "/a"), github.read(1, "/b"))

        assert [call.token for call in server.called("/[ab]$")] == [
            "ghs_made_up_1",
            "ghs_made_up_1",
            "ghs_made_up_2",
            "ghs_made_up_2",
        ]


@jumping
async def test_what_has_not_changed_is_not_sent_again():
    async with talking() as (server, github):
        etag = {"etag": '"a"', "x-kind": "old"}
        server.on("GET", "/", Reply(body=[1], headers=etag), Reply(304, headers={"x-kind": "new"}))

        first = await github.read(1, "/x", params={"a": "b"})
        second = await github.read(1, "/x", params={"a": "b"})

        assert (first.json(), second.json(), second.status) == ([1], [1], 200)
        assert second.headers["x-kind"] == "new"
        assert [call.headers.get("If-None-Match") for call in server.called()] == [None, '"a"']


@jumping
@pytest.mark.parametrize("field", [None, "items"])
async def test_a_listing_that_fills_its_last_page_is_read_anew_since_another_page_leaves_it_as_it_is(field):
    def page(*items: int) -> object:
        return list(items) if field is None else {"items": list(items)}

    async with talking() as (server, github):
        first = {"etag": '"a"'}
        more = first | {"link": f'<{server.url}/x?per_page=2&page=2>; rel="next"'}

        async def listed() -> list[int]:
            pages = github.pages(1, "/x", per_page=2, field=field)
            return [item async for found in pages for item in found]

        server.on("GET", "/x", Reply(body=page(1, 2), headers=first), Reply(body=page(1, 2), headers=more))
        server.on("GET", "&page=2", Reply(body=page(3), headers={"etag": '"b"'}))

        assert await listed() == [1, 2]
        assert await listed() == [1, 2, 3]
        await listed()
        asked = [call.headers.get("If-None-Match") for call in server.called()]
        assert asked == [None, None, None, '"a"', '"b"']


@jumping
async def test_an_answer_is_kept_for_its_own_installation_url_and_type_only():
    async with talking() as (server, github):
        server.on("GET", "/", Reply(body=[1], headers={"etag": '"a"'}))
        await github.read(1, "/x", params={"a": "b"})

        await github.read(2, "/x", params={"a": "b"})
        await github.read(1, "/x", params={"a": "c"})
        await github.read(1, "/y", params={"a": "b"})
        await github.read(1, "/x", params={"a": "b"}, accept="text/plain")

        assert [call.headers.get("If-None-Match") for call in server.called()] == [None] * 5


def test_answers_are_kept_up_to_a_number_of_bytes():
    kept = KeptAnswers(most_bytes=100, most_bytes_of_one=40)

    def keep(name: str, size: int) -> None:
        kept.keep((1, name, ""), Answer(200, {"etag": name}, b"x" * size))

    for name in "ab":
        keep(name, 40)
    kept.find((1, "a", ""))
    keep("c", 40)
    keep("big", 41)
    keep("c", 20)
    keep("d", 40)

    assert [name for name in ("a", "b", "c", "big", "d") if kept.find((1, name, ""))] == ["a", "c", "d"]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_write_follows_a_repository_that_has_moved(status):
    @jumping
    async def check():
        async with talking() as (server, github):
            server.on("POST", "/old", Reply(status, headers={"location": "/repositories/1/reviews"}))
            server.on("POST", "/repositories/1", Reply(body={"id": 7}))

            assert await github.write(1, "POST", "/old", {"a": 1}) == {"id": 7}

            old, new = server.called()
            assert (new.method, new.body, new.token) == ("POST", {"a": 1}, old.token)

    check()


@jumping
async def test_a_write_is_sent_on_once_only():
    async with talking() as (server, github):
        server.on("POST", "/", Reply(301, headers={"location": "/again"}))

        with pytest.raises(ForgeRefused, match="elsewhere again"):
            await github.write(1, "POST", "/old")

        assert len(server.called()) == 2


@jumping
async def test_the_token_goes_to_no_other_host():
    async with listening() as other, talking() as (server, github):
        other.on("GET", "/", Reply(body=[2]))
        away = {"location": f"{other.url}/away"}
        server.on("GET", "/", Reply(302, headers=away))
        server.on("POST", "/", Reply(307, headers=away))
        server.on("GET", "/listed", Reply(body=[1], headers={"link": f'<{other.url}/next>; rel="next"'}))

        assert (await github.read(1, "/")).json() == [2]
        with pytest.raises(ForgeRefused, match="another host"):
            await github.write(1, "POST", "/x")
        with pytest.raises(ForgeRefused, match="another host"):
            [page async for page in github.pages(1, "/listed")]

        assert [(call.method, call.token) for call in other.calls] == [("GET", None)]


@jumping
async def test_a_listing_that_breaks_off_raises():
    async with talking() as (server, github):
        server.on("GET", "/list", Reply(body=[1], headers={"link": f'<{server.url}/two>; rel="next"'}))
        server.on("GET", "/two", Reply(502))
        server.on("GET", "/circle", Reply(body=[1], headers={"link": f'<{server.url}/circle>; rel="next"'}))
        server.on("GET", "/object", Reply(body={"message": "?"}))

        for path in ("/list", "/circle", "/object"):
            with pytest.raises(ForgeUnavailable):
                [page async for page in github.pages(1, path)]


@jumping
async def test_a_listing_goes_on_to_its_last_page():
    async with talking() as (server, github):
        link = {"link": f'<{server.url}/list?page=2>; rel="next", <{server.url}/list?page=9>; rel="last"'}
        server.on("GET", "/list", Reply(body={"of": [1, 2]}, headers=link))
        server.on("GET", "page=2", Reply(body={"of": [3]}))

        pages = [page async for page in github.pages(1, "/list", field="of", params={"x": "y"})]

        assert pages == [[1, 2], [3]]
        assert server.called()[0].path == "/list?per_page=100&x=y"


@jumping
async def test_a_query_is_tried_again_and_a_mutation_sent_once():
    async with talking() as (server, github):
        server.on("POST", "/graphql", Reply(502), Reply(body={"data": {"a": 1}}))
        assert await github.query(1, "query { a }", {"b": 2}) == {"a": 1}
        assert server.called()[-1].body == {"query": "query { a }", "variables": {"b": 2}}

        server.on("POST", "/graphql", Reply(502))
        with pytest.raises(ForgeUnavailable):
            await github.query(1, "\nmutation { a }", {})

        assert len(server.called()) == 3


@jumping
async def test_a_limit_told_by_graphql_closes_the_gate():
    async with talking() as (server, github):
        server.on(
            "POST",
            "/graphql",
            Reply(body={"errors": [{"type": "RATE_LIMITED", "message": "API rate limit"}]}),
        )

        with pytest.raises(ForgeRateLimited):
            await github.query(1, "query { a }", {})
        with pytest.raises(ForgeRateLimited):
            await github.read(1, "/")

        assert len(server.called()) == 1


@jumping
async def test_mutations_are_paced_as_writes_and_queries_are_not():
    async with talking(LocalPacing()) as (server, github):
        server.on("POST", "/graphql", Reply(body={"data": {}}))

        await asyncio.gather(*(github.query(1, "mutation { a }", {}) for _ in range(3)))
        assert [round(call.at) for call in server.called()] == [0, 1, 2]
        await asyncio.gather(*(github.query(1, "query { a }", {}) for _ in range(3)))
        assert now() == pytest.approx(2, abs=0.5)
