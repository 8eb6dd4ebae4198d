"""Browsers that are logged in: how long, as whom, and what GitHub says of them by now."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reviewer.errors import ForgeRateLimited, ForgeUnavailable
from tests.access.gate import OPERATOR, OURS, Gate, gate, logged_in
from tests.access.people import People, repository
from tests.access.test_guard import rows
from tests.pull_requests import desk
from webhooks.access.credentials import FRESH_SECONDS
from webhooks.access.keys import Keys
from webhooks.access.sessions import SESSION_SECONDS, Sessions
from webhooks.access.sights import Sights
from webhooks.access.tokens import digest
from webhooks.github.users import LoginRefused
from webhooks.news import PersonGone

EVERY = 300.0


@pytest.fixture(name="found")
def found_(database) -> Gate:
    return gate(database)


async def status(browser: Any) -> int:
    return (await browser.get("/who")).status_code


async def test_the_cookie_is_hidden_from_scripts_and_the_table_holds_only_its_hash(found, database):
    async with logged_in(found) as browser:
        secret = browser.cookies["sluice"]
        assert len(secret) == 43
        assert await rows(database, "SELECT hash FROM sessions") == [(digest(secret),)]
        assert secret not in str(await rows(database, "SELECT * FROM sessions"))


@pytest.mark.parametrize(
    ("url", "name", "secure"),
    [("http://sluice.example", "sluice", False), ("https://sluice.example", "__Host-sluice", True)],
)
async def test_over_https_nobody_else_can_set_the_cookie(found, url, name, secure):
    async with found.browser(url=url) as browser:
        answer = await browser.post("/login", data={"token": OPERATOR}, headers=OURS)
        first, *flags = answer.headers["set-cookie"].split("; ")
        assert first.startswith(f"{name}=")
        assert {"HttpOnly", "SameSite=lax", "Path=/", f"Max-Age={SESSION_SECONDS}"} <= set(flags)
        assert ("Secure" in flags) is secure
        assert not any(flag.startswith("Domain") for flag in flags)
        assert await status(browser) == 200


async def test_a_session_ends_after_two_weeks_however_much_it_is_used(found, database):
    async with logged_in(found) as browser:
        assert await status(browser) == 200
        await rows(database, "UPDATE sessions SET expires_at = expires_at - interval '14 days'")
        found.watch.seconds += FRESH_SECONDS
        assert await status(browser) == 401


async def test_what_has_ended_is_deleted_at_the_next_login(found, database):
    async with logged_in(found):
        await rows(database, "UPDATE sessions SET expires_at = now()")
    async with logged_in(found):
        assert len(await rows(database, "SELECT 1 FROM sessions")) == 1


async def test_a_session_of_a_token_is_the_tokens_caller_and_ends_with_it(found):
    made, headers = await found.token(installations=(7,))
    async with logged_in(found, headers["Authorization"].removeprefix("Bearer ")) as browser:
        told = (await browser.get("/who")).json()
        assert (told["id"], told["sight"]["installations"]) == (f"token {made}", [7])
        await found.tokens.revoke(made)
        found.watch.seconds += FRESH_SECONDS
        assert await status(browser) == 401


async def test_a_session_of_a_token_ends_when_the_token_expires(found, database):
    _, headers = await found.token(everything=True, expires_at=datetime.now(UTC) + timedelta(hours=1))
    async with logged_in(found, headers["Authorization"].removeprefix("Bearer ")) as browser:
        assert await status(browser) == 200
        await rows(database, "UPDATE tokens SET expires_at = now()")
        found.watch.seconds += FRESH_SECONDS
        assert await status(browser) == 401


async def test_a_session_of_the_operator_ends_when_the_operator_has_another_token(found, database):
    async with logged_in(found) as browser:
        later = gate(database, operator="another made-up token")
        async with later.browser(cookies=browser.cookies) as same:
            assert await status(same) == 401
        assert await status(browser) == 200


async def test_whoever_logs_out_is_out_at_once_and_the_session_is_gone(found, database):
    async with logged_in(found) as browser:
        csrf = (await browser.get("/who")).json()["csrf"]
        cookies = dict(browser.cookies)
        answer = await browser.post("/logout", data={"csrf": csrf})
        assert (answer.status_code, answer.headers["location"]) == (303, "/login")
        assert not browser.cookies
        async with found.browser(cookies=cookies) as thief:
            assert await status(thief) == 401
    assert await rows(database, "SELECT 1 FROM sessions") == []


async def test_another_site_logs_nobody_out(found):
    async with logged_in(found) as browser:
        assert (await browser.post("/logout")).status_code == 400
        assert await status(browser) == 200


async def test_every_login_gives_a_new_cookie_and_ends_the_session_before_it(found, database):
    async with logged_in(found) as browser:
        first = browser.cookies["sluice"]
        await browser.post("/login", data={"token": OPERATOR}, headers=OURS)
        assert browser.cookies["sluice"] != first
        assert await rows(database, "SELECT hash FROM sessions") == [(digest(browser.cookies["sluice"]),)]
        async with found.browser(cookies={"sluice": first}) as other:
            assert await status(other) == 401


async def test_a_cookie_that_was_put_there_before_the_login_is_not_taken_over(found):
    async with found.browser(cookies={"sluice": "planted-before-the-login"}) as browser:
        await browser.post("/login", data={"token": OPERATOR}, headers=OURS)
    async with found.browser(cookies={"sluice": "planted-before-the-login"}) as attacker:
        assert await status(attacker) == 401


async def test_keys_are_the_same_for_all_who_ask_at_once_and_differ_by_name(database):
    together = await asyncio.gather(*(Keys(database).get("grants") for _ in range(8)))

    assert len(set(together)) == 1
    assert len(together[0]) == 32
    assert await Keys(database).get("login") not in together


class Person:
    """Somebody on GitHub who is logged in, and how long ago GitHub was asked."""

    def __init__(self, database: Any, people: People) -> None:
        self.people = people
        self.database = database
        self.sessions = Sessions(database)
        self.secret = ""

    def sights(self) -> Sights:
        return Sights(self.sessions, Keys(self.database), self.people, every=EVERY)

    async def log_in(self) -> None:
        url = self.people.authorize_url(state="", challenge=CHALLENGE, redirect_uri="")
        assert url
        grant = await self.people.redeem("a made-up code", VERIFIER, "")
        self.secret = await self.sights().begin(grant)
        self.people.asked.clear()

    async def age(self, seconds: float) -> None:
        sql = (
            "UPDATE sessions SET seen_at = seen_at - make_interval(secs => %(seconds)s),"
            " asked_at = asked_at - make_interval(secs => %(seconds)s)"
        )
        await rows(self.database, sql, seconds=seconds)

    async def sees(self, sights: Sights | None = None) -> list[int] | None:
        session = await self.sessions.find(digest(self.secret))
        current = await (sights or self.sights()).current(session) if session else None
        return current and sorted(current.repository_ids)

    async def told(self, repositories: list[int]) -> None:
        """Wait until the background has written what GitHub said."""
        async with asyncio.timeout(10):
            sql = "SELECT repository_ids FROM sessions"
            while await rows(self.database, sql) != [(repositories,)]:  # noqa: ASYNC110 - a row tells nobody
                await asyncio.sleep(0.01)


VERIFIER = "a made-up verifier"
CHALLENGE = "UKuMMMy4UYPtXpq_M56iAd0eOTxoyJeWV-fV6LJNmr8"


@pytest.fixture(name="person")
async def person_(database) -> Person:
    found = Person(database, People())
    await found.log_in()
    return found


@pytest.mark.usefixtures("person")
async def test_a_grant_is_kept_encrypted(database):
    ((sealed,),) = await rows(database, "SELECT grant_ FROM sessions")

    assert b"made-up" not in sealed
    opened = (await Keys(database).seal("grants")).decrypt(sealed)
    assert b"made-up access 1" in opened
    assert b"made-up refresh 1" in opened


async def test_what_github_said_holds_for_a_while(person):
    person.people.sees = []
    await person.age(EVERY - 5)

    assert await person.sees() == [70, 71]
    assert person.people.asked == []


async def test_after_that_one_answer_more_is_the_old_one_while_github_is_asked(person):
    person.people.sees = [repository(71)]
    await person.age(EVERY)
    sights = person.sights()

    assert await person.sees(sights) == [70, 71]
    await person.told([71])
    assert await person.sees(sights) == [71]
    assert person.people.asked == ["repositories"]


async def test_twice_as_old_an_answer_is_waited_for(person):
    person.people.sees = []
    await person.age(2 * EVERY)

    assert await person.sees() == []


async def test_one_asks_at_a_time_over_all_processes_and_the_others_get_its_answer(person):
    person.people.sees = [repository(72)]
    person.people.open.clear()
    await person.age(2 * EVERY)
    waiting = [asyncio.create_task(person.sees(person.sights())) for _ in range(5)]
    async with asyncio.timeout(10):
        while not person.people.asked:  # noqa: ASYNC110 - as a list is
            await asyncio.sleep(0.01)
    person.people.open.set()

    assert await asyncio.gather(*waiting) == [[72]] * 5
    assert person.people.asked == ["repositories"]


async def test_a_grant_that_ends_soon_is_renewed_and_its_refresh_token_is_used_once(database):
    person = Person(database, People(lasts=timedelta(minutes=4)))
    await person.log_in()
    for _ in range(2):
        await person.age(2 * EVERY)
        assert await person.sees() == [70, 71]

    assert person.people.asked == ["refresh", "repositories"] * 2


async def test_a_grant_that_never_ends_is_not_renewed(database):
    person = Person(database, People(lasts=None))
    await person.log_in()
    await person.age(2 * EVERY)

    assert await person.sees() == [70, 71]
    assert person.people.asked == ["repositories"]


@pytest.mark.parametrize("how", ["revoked", "unreadable"])
async def test_the_session_ends_when_the_grant_is_no_good_any_more(person, database, how):
    if how == "revoked":
        person.people.trouble = LoginRefused("revoked", status=401)
    else:
        await rows(database, "UPDATE secrets SET secret = decode(repeat('00', 32), 'hex')")
    await person.age(2 * EVERY)

    assert await person.sees() is None
    assert await rows(database, "SELECT 1 FROM sessions") == []


@pytest.mark.parametrize(
    "trouble",
    [ForgeUnavailable("away"), ForgeRateLimited("slow down", status=403, retry_after=60)],
)
async def test_while_github_is_away_the_old_answer_holds_for_an_hour_and_no_longer(person, trouble):
    person.people.trouble = trouble
    await person.age(2 * EVERY)
    assert await person.sees() == [70, 71]
    await person.age(3600 - 2 * EVERY - 20)
    assert await person.sees() == [70, 71]
    await person.age(20)
    with pytest.raises(ForgeUnavailable):
        await person.sees()

    person.people.trouble = None
    await person.age(60)
    assert await person.sees() == [70, 71]


async def test_nobody_waits_for_a_github_that_is_known_to_be_away(person):
    person.people.trouble = ForgeUnavailable("away")
    await person.age(2 * EVERY)
    assert await person.sees() == [70, 71]
    person.people.asked.clear()
    assert await person.sees() == [70, 71]
    assert person.people.asked == []

    person.people.open.clear()
    await person.age(60)
    assert await person.sees() == [70, 71]


async def test_who_may_see_is_unknown_for_too_long_and_the_answer_is_503(database):
    people = People()
    found = gate(database, users=people, every=EVERY)
    person = Person(database, people)
    await person.log_in()
    people.trouble = ForgeUnavailable("away")
    await person.age(2 * 3600)
    async with found.browser(cookies={"sluice": person.secret}) as browser:
        answer = await browser.get("/who")
        assert answer.status_code == 503
        assert "Retry-After" in answer.headers
        assert "GitHub" in answer.json()["error"]


async def test_a_person_is_a_caller_who_acts_where_they_may_push_and_posts_nothing(database):
    people = People()
    found = gate(database, users=people)
    person = Person(database, people)
    await person.log_in()
    async with found.browser(cookies={"sluice": person.secret}) as browser:
        told = (await browser.get("/who")).json()

    assert (told["id"], told["name"], told["api_key"], told["pays"]) == ("user 583231", "octocat", None, None)
    assert told["sight"] == {
        "everything": False,
        "installations": [],
        "repository_ids": [70, 71],
        "api_keys": [],
    }
    assert told["acts"]["repository_ids"] == [70]


async def test_without_github_login_sessions_of_people_hold_no_more(database):
    person = Person(database, People())
    await person.log_in()
    async with gate(database).browser(cookies={"sluice": person.secret}) as browser:
        assert await status(browser) == 401


async def test_who_takes_back_what_they_gave_is_logged_out_everywhere_and_nobody_else_is(found, database):
    for user, login in ((5, "ann"), (5, "ann"), (6, "bob")):
        await found.sessions.of_person(user, login, sealed=b"", sees=[], acts_on=[])
    await found.sessions.of_operator(digest(OPERATOR))
    async with desk(database) as board:
        answer = await board.tell(PersonGone(5, "ann"))
        assert answer.reason == "ann is logged out of 2 browsers"
        assert (await board.tell(PersonGone(7, "eve"))).reason == "eve is logged out of 0 browsers"

    left = await rows(database, "SELECT github_user FROM sessions ORDER BY github_user")
    assert left == [(6,), (None,)]
