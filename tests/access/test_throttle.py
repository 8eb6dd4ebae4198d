"""How often somebody may ask."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from tests.access.gate import OPERATOR, OURS, Watch, bearer, gate
from webhooks.access.throttle import WRONG_TOKENS_A_MINUTE, Window, address_of


async def statuses(browser, headers, times):
    return [(await browser.get("/who", headers=headers)).status_code for _ in range(times)]


async def test_a_caller_may_ask_so_often_a_minute_from_wherever(database):
    found = gate(database, per_minute=3)
    _, headers = await found.token(everything=True)
    async with found.browser() as here, found.browser("192.0.2.2") as there:
        assert await statuses(here, headers, 2) == [200, 200]
        assert await statuses(there, headers, 2) == [200, 429]
        answer = await there.get("/who", headers=headers)
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        assert "at most 3 a minute" in answer.json()["error"]
        assert await statuses(here, bearer(OPERATOR), 1) == [200]


async def test_a_browser_and_a_tool_with_the_same_token_are_the_same_caller(database):
    found = gate(database, per_minute=2)
    _, headers = await found.token(everything=True)
    async with found.browser() as browser:
        form = {"token": headers["Authorization"].removeprefix("Bearer ")}
        await browser.post("/login", data=form, headers=OURS)
        assert await statuses(browser, {}, 1) == [200]
        assert await statuses(browser, headers, 2) == [200, 429]


async def test_who_shows_nothing_may_ask_so_often_from_an_address(database):
    found = gate(database, per_minute=2)
    async with found.browser() as here, found.browser("192.0.2.2") as there:
        assert await statuses(here, {}, 3) == [401, 401, 429]
        assert await statuses(there, {}, 1) == [401]
        assert await statuses(here, bearer(OPERATOR), 1) == [200]


async def test_without_a_bound_only_wrong_tokens_are_counted(database):
    found = gate(database, per_minute=0)
    async with found.browser() as browser:
        assert set(await statuses(browser, {}, 40)) == {401}
        assert set(await statuses(browser, bearer(OPERATOR), 40)) == {200}


async def test_after_thirty_wrong_tokens_an_address_may_not_even_be_right(database):
    found = gate(database)
    _, headers = await found.token(everything=True)
    async with found.browser() as here, found.browser("192.0.2.2") as there:
        assert set(await statuses(here, bearer("wrong"), WRONG_TOKENS_A_MINUTE)) == {401}
        assert await statuses(here, bearer("wrong"), 1) == [429]
        assert await statuses(here, headers, 1) == [429]
        assert await statuses(there, headers, 1) == [200]
        assert await statuses(there, bearer("wrong"), 1) == [401]


async def test_who_has_just_been_right_is_not_shut_out_by_others_at_the_same_address(database):
    found = gate(database)
    _, headers = await found.token(everything=True)
    async with found.browser() as browser:
        assert await statuses(browser, headers, 1) == [200]
        assert set(await statuses(browser, bearer("wrong"), WRONG_TOKENS_A_MINUTE)) == {401}
        assert await statuses(browser, headers, 1) == [200]


@pytest.mark.parametrize(
    ("client", "address"),
    [
        (("192.0.2.1", 1), "192.0.2.1"),
        (("2001:db8:1:2:3:4:5:6", 1), "2001:db8:1:2::/64"),
        (("2001:db8:1:2::", 1), "2001:db8:1:2::/64"),
        (("2001:db8:1:3::1", 1), "2001:db8:1:3::/64"),
        (("::ffff:192.0.2.1", 1), "192.0.2.1"),
        (("fe80::1%eth0", 1), "fe80::/64"),
        (("testclient", 1), "testclient"),
        (None, "unknown"),
    ],
)
def test_of_ipv6_the_network_counts(client, address):
    assert address_of(Request({"type": "http", "client": client})) == address


def test_a_visit_is_forgotten_after_a_minute_and_so_is_who_came():
    watch = Watch()
    window = Window(watch)
    for number in range(80):
        window.note("address", str(number))
        watch.seconds += 0.125
    assert window.wait("address", "0", 1) == 50.0
    assert window.wait("address", "0", 2) == window.wait("login", "0", 1) == 0.0

    watch.seconds += 51.0
    window.note("address", "79")
    assert window.wait("address", "0", 1) == 0.0
    assert len(window) == 71
    assert window.wait("address", "79", 2) == 8.875
