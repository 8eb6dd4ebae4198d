"""Who comes in with what, what they are then, and what a change must carry."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from reviewer.core.audience import EVERYTHING
from reviewer.store.database import Database, open_database
from tests.access.gate import OPERATOR, Gate, bearer, gate, logged_in
from tests.pull_requests import desk, opened
from webhooks.access.credentials import FRESH_SECONDS
from webhooks.access.tokens import LiveToken, Tokens
from webhooks.news import Place, RepositoryMoved
from webhooks.streams.answers import CHECK_SECONDS

SHOP = Place(7, 70, "octo/shop")


@pytest.fixture(name="found")
def found_(database) -> Gate:
    return gate(database)


async def rows(database: Database, sql: str, **values: Any) -> list[tuple[Any, ...]]:
    async with database.connection() as connection:
        cursor = await connection.execute(sql.encode(), values)
        return await cursor.fetchall() if cursor.description else []


async def who(found: Gate, headers: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
    async with found.browser() as tool:
        answer = await tool.get("/who", headers=headers)
        return answer.status_code, answer.json()


async def test_the_operators_token_may_everything(found):
    status, told = await who(found, bearer(OPERATOR))

    assert status == 200
    assert (told["id"], told["api_key"], told["csrf"]) == ("operator", "operator", None)
    assert told["sight"]["everything"] is told["acts"]["everything"] is True


NOTHING_THAT_HOLDS = [
    {},
    bearer(""),
    bearer("wrong"),
    bearer("sluice_000000000000_" + "a" * 43),
    {"Authorization": b"Bearer \xc3\xbc\xff"},
    {"Authorization": "Basic bWFkZTp1cA=="},
    {"Cookie": "sluice=made-up"},
    {"Cookie": "__Host-sluice=made-up"},
]


async def test_who_shows_nothing_that_holds_gets_401_and_what_to_do(found):
    for headers in NOTHING_THAT_HOLDS:
        status, told = await who(found, headers)
        assert status == 401
        assert set(told) == {"error"}
        assert "Authorization: Bearer" in told["error"]


@pytest.mark.parametrize(
    ("wanted", "sight", "acts", "posts", "pays"),
    [
        ({"places": (SHOP,)}, ([], [70], False), ([], [], False), False, None),
        ({"places": (SHOP,), "may_act": True}, ([], [70], False), ([], [70], False), False, None),
        ({"places": (SHOP,), "may_post": True}, ([], [70], True), ([], [], True), True, 7),
        (
            {"places": (SHOP, Place(8, 80, "x/y")), "may_post": True},
            ([], [70, 80], True),
            ([], [], True),
            True,
            None,
        ),
        ({"installations": (7,), "may_act": True}, ([7], [], False), ([7], [], False), False, None),
        ({"may_post": True}, ([], [], True), ([], [], True), True, None),
    ],
)
async def test_a_token_is_a_caller_with_just_what_it_was_made_for(found, wanted, sight, acts, posts, pays):
    made, headers = await found.token(**wanted)
    status, told = await who(found, headers)

    def described(of: dict[str, Any]) -> tuple[Any, Any, bool]:
        assert of["everything"] is False
        return of["installations"], of["repository_ids"], of["api_keys"] == [made]

    assert status == 200
    assert (told["id"], told["name"], told["csrf"]) == (f"token {made}", "ci", None)
    assert (described(told["sight"]), described(told["acts"])) == (sight, acts)
    assert (told["api_key"], told["pays"]) == (made if posts else None, pays)


async def test_a_token_for_everything_sees_all_and_acts_only_when_it_may(found):
    _, headers = await found.token(everything=True)
    _, told = await who(found, headers)

    assert told["sight"]["everything"] is True
    assert told["acts"]["everything"] is False


async def test_with_the_id_of_a_token_and_another_secret_nobody_comes_in(found):
    made, headers = await found.token(everything=True)
    wrong = bearer(f"sluice_{made}_{'a' * 43}")

    assert (await who(found, headers))[0] == 200
    assert (await who(found, wrong))[0] == 401


async def test_a_revoked_token_holds_five_seconds_at_most_and_at_once_no_more_where_it_was_not_seen(
    found, database
):
    made, headers = await found.token(everything=True)
    assert (await who(found, headers))[0] == 200
    assert await found.tokens.revoke(made)

    assert (await who(gate(database), headers))[0] == 401
    assert FRESH_SECONDS <= 5
    found.watch.seconds += FRESH_SECONDS
    assert (await who(found, headers))[0] == 401


async def test_an_expired_token_holds_no_more(found, database):
    made, headers = await found.token(everything=True, expires_at=datetime.now(UTC) + timedelta(hours=1))
    assert (await who(found, headers))[0] == 200
    await rows(database, "UPDATE tokens SET expires_at = now() - interval '1 second'")
    found.watch.seconds += FRESH_SECONDS

    assert (await who(found, headers))[0] == 401
    assert [token.id for token in await found.tokens.all()] == [made]


async def test_a_token_that_ends_in_a_moment_is_not_kept_past_its_end(found, database):
    _, headers = await found.token(everything=True, expires_at=datetime.now(UTC) + timedelta(hours=1))
    await rows(database, "UPDATE tokens SET expires_at = now() + interval '1 second'")
    assert (await who(found, headers))[0] == 200
    await rows(database, "UPDATE tokens SET revoked_at = now()")
    found.watch.seconds += 1

    assert (await who(found, headers))[0] == 401


async def test_a_caller_is_asked_for_again_and_is_gone_when_the_token_is_revoked(found):
    made, headers = await found.token(everything=True)
    caller = await found.credentials.by_bearer(headers["Authorization"].removeprefix("Bearer "))
    assert caller is not None
    assert await found.access.again(caller) == caller
    await found.tokens.revoke(made)
    found.watch.seconds += FRESH_SECONDS

    assert await found.access.again(caller) is None


async def test_the_operator_and_a_logged_in_browser_are_asked_for_again_too(found):
    operator = await found.credentials.by_bearer(OPERATOR)
    assert operator is not None
    assert await found.access.again(operator) == operator
    secret = await found.sessions.of_operator(operator.credential)
    browser = await found.credentials.by_cookie(secret)
    assert browser is not None
    assert await found.access.again(browser) == browser
    assert browser.sight == EVERYTHING
    await found.sessions.end(browser.credential)
    found.watch.seconds += FRESH_SECONDS

    assert await found.access.again(browser) is None


async def test_use_is_noted_once_a_minute(found, database):
    _, headers = await found.token(everything=True)
    assert await rows(database, "SELECT used_at FROM tokens") == [(None,)]
    await who(found, headers)
    ((first,),) = await rows(database, "SELECT used_at FROM tokens")
    assert first is not None
    found.watch.seconds += FRESH_SECONDS
    await who(found, headers)
    assert await rows(database, "SELECT used_at FROM tokens") == [(first,)]

    await rows(database, "UPDATE tokens SET used_at = now() - interval '61 seconds'")
    found.watch.seconds += FRESH_SECONDS
    await who(found, headers)
    ((last,),) = await rows(database, "SELECT used_at FROM tokens")
    assert last > first


async def test_many_requests_at_once_ask_the_database_once(database):
    class Counted(Tokens):
        asked = 0

        async def live(self, token: str) -> LiveToken | None:
            self.asked += 1
            return await super().live(token)

    tokens = Counted(database)
    found = gate(database, tokens=tokens)
    _, headers = await found.token(everything=True)

    assert {status for status, _ in await asyncio.gather(*(who(found, headers) for _ in range(50)))} == {200}
    assert tokens.asked == 1


async def test_without_a_database_the_operator_comes_in_and_others_are_told_to_come_back(postgres):
    async with open_database(postgres, Path("unused")) as opened:
        found = gate(opened)
    assert (await who(found, bearer(OPERATOR)))[0] == 200
    status, told = await who(found, bearer("sluice_000000000000_" + "a" * 43))
    assert status == 503
    assert "error" in told


async def test_a_change_with_a_cookie_needs_what_only_our_pages_know(found):
    async with logged_in(found) as browser:
        csrf = (await browser.get("/who")).json()["csrf"]
        for headers in ({}, {"X-CSRF-Token": ""}, {"X-CSRF-Token": "wrong"}, {"X-CSRF-Token": csrf[:-1]}):
            answer = await browser.post("/who", headers=headers)
            assert answer.status_code == 400
            assert "X-CSRF-Token" in answer.json()["error"]
        assert (await browser.post("/who", data={"csrf": "wrong"})).status_code == 400
        assert (await browser.post("/who", headers={"X-CSRF-Token": csrf})).status_code == 200
        assert (await browser.post("/who", data={"csrf": csrf})).status_code == 200


async def test_what_one_browser_was_told_does_not_serve_another(found):
    async with logged_in(found) as one, logged_in(found) as other:
        csrf = (await one.get("/who")).json()["csrf"]
        assert (await other.post("/who", headers={"X-CSRF-Token": csrf})).status_code == 400


async def test_a_change_with_a_bearer_token_needs_nothing_more(found):
    async with found.browser() as tool:
        assert (await tool.post("/who", headers=bearer(OPERATOR))).status_code == 200


async def test_a_wrong_bearer_token_is_not_made_good_by_a_cookie(found):
    async with logged_in(found) as browser:
        assert (await browser.get("/who")).status_code == 200
        assert (await browser.get("/who", headers=bearer("wrong"))).status_code == 401


@pytest.mark.parametrize("may_act", [False, True])
async def test_a_repository_that_was_given_away_is_out_of_a_tokens_sight_until_it_is_back(
    found, database, may_act
):
    _, headers = await found.token(places=(SHOP, Place(8, 80, "x/y")), may_act=may_act)

    async def sees() -> list[int]:
        found.watch.seconds += FRESH_SECONDS
        _, told = await who(found, headers)
        assert told["acts"]["repository_ids"] == (told["sight"]["repository_ids"] if may_act else [])
        return told["sight"]["repository_ids"]

    assert await sees() == [70, 80], "nothing is known of them yet"
    async with desk(database) as board:
        await board.tell(opened(place=SHOP))
        await board.tell(opened(number=2, place=SHOP))
        assert await sees() == [70, 80]
        for elsewhere in (6, 8):
            await board.tell(RepositoryMoved(Place(elsewhere, 70, "else/shop")))
            assert await sees() == [80]
        await board.tell(RepositoryMoved(SHOP))
        assert await sees() == [70, 80]


async def test_a_token_for_an_installation_sees_what_is_given_to_it_and_no_more_what_left(found, database):
    _, headers = await found.token(installations=(8,), places=(SHOP,))
    async with desk(database) as board:
        await board.tell(opened(place=SHOP))
        await board.tell(RepositoryMoved(Place(8, 70, "else/shop")))
    _, told = await who(found, headers)

    assert (told["sight"]["installations"], told["sight"]["repository_ids"]) == ([8], [])


def test_a_stream_hears_within_seconds_that_its_token_is_revoked():
    assert CHECK_SECONDS + FRESH_SECONDS < 10
