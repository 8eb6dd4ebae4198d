"""The ways in: by token and through GitHub, and what another site can't do to somebody's browser."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from reviewer.errors import ForgeUnavailable
from tests.access.gate import OPERATOR, OURS, Gate, bearer, gate
from tests.access.people import AUTHORIZE, People
from tests.access.test_guard import rows
from tests.access.test_sessions import CHALLENGE, VERIFIER
from webhooks.access.guard import login_link, own_path
from webhooks.access.keys import Keys
from webhooks.access.login import ROUND_SECONDS
from webhooks.access.throttle import LOGINS_A_MINUTE, WRONG_TOKENS_A_MINUTE
from webhooks.github.users import LoginRefused

URL = "http://sluice.example"
FORM = {"token": OPERATOR}


@pytest.fixture(name="found")
def found_(database) -> Gate:
    return gate(database)


@pytest.fixture(name="people")
def people_() -> People:
    return People()


@pytest.fixture(name="github")
def github_(database, people) -> Gate:
    return gate(database, users=people)


async def test_a_wrong_token_leads_back_to_the_form_which_says_so_and_keeps_where_to_go(found):
    async with found.browser() as browser:
        answer = await browser.post("/login", data={"token": "wrong", "next": "/r/x"}, headers=OURS)
        assert (answer.status_code, answer.headers["location"]) == (303, "/login?failed=token&next=/r/x")
        assert "sluice" not in browser.cookies
        page = (await browser.get(answer.headers["location"])).text
        assert "not the access token" in page
        assert '<input type="hidden" name="next" value="/r/x">' in page


@pytest.mark.parametrize(
    ("charset", "status"),
    [("utf-7", 400), ("unicode_escape", 400), ("punycode", 400), ("undefined", 400), ("hex", 303)],
)
async def test_a_form_in_whatever_encoding_is_read_or_refused(found, charset, status):
    part = b'--b\r\nContent-Disposition: form-data; name="token"\r\n\r\n+2AA-\\ud800\r\n--b--\r\n'
    kind = {"Content-Type": f"multipart/form-data; boundary=b; charset={charset}"}
    async with found.browser() as browser:
        answer = await browser.post("/login", content=part, headers={**OURS, **kind})

    assert answer.status_code == status


async def test_the_page_says_nothing_that_its_address_made_up(found):
    async with found.browser() as browser:
        page = (await browser.get("/login?failed=<b>call+us</b>&next=https://evil.example")).text
        assert "call us" not in page
        assert "evil" not in page


async def test_the_form_needs_no_inline_code_and_no_token_in_an_address_logs_in(found):
    async with found.browser() as browser:
        answer = await browser.get("/login", params={"token": OPERATOR})
        assert answer.status_code == 200
        assert not browser.cookies
        assert OPERATOR not in answer.text
        assert '<script type="module" src="/static/login.js"></script>' in answer.text
        assert "<script>" not in answer.text


def test_the_printed_link_carries_its_token_where_no_server_sees_it():
    parts = urlsplit(login_link(URL, "a+b/c&d=e#f g"))

    assert (parts.path, parts.query) == ("/login", "")
    assert parse_qs(parts.fragment) == {"token": ["a+b/c&d=e#f g"]}


OWN_FORMS = [
    {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
    {"Origin": URL},
    {"Origin": "https://reviews.example"},
]
OTHERS_FORMS = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": URL},
    {"Origin": "http://evil.example"},
    {"Origin": "https://sluice.example"},
    {"Origin": "http://sluice.example.evil.example"},
    {"Origin": "null"},
    {"Origin": "://"},
    {},
]


async def test_another_site_logs_nobody_in_as_somebody_else(database):
    found = gate(database, public_url="https://reviews.example/")
    for status, forms in {303: OWN_FORMS, 403: OTHERS_FORMS}.items():
        for headers in forms:
            async with found.browser() as browser:
                answer = await browser.post("/login", data=FORM, headers=headers)
                assert answer.status_code == status, headers
                assert ("sluice" in browser.cookies) is (status == 303)


@pytest.mark.parametrize(
    ("wanted", "path"),
    [
        (None, "/"),
        ("", "/"),
        ("/r/01J?x=1&y=2", "/r/01J?x=1&y=2"),
        ("/costs", "/costs"),
        ("costs", "/"),
        ("//evil.example", "/"),
        ("///evil.example", "/"),
        ("/\\evil.example", "/"),
        ("\\\\evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("/\n/evil.example", "/"),
        (" //evil.example", "/"),
        ("https://evil.example/", "/"),
        ("https:evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/r/x\r\nSet-Cookie: a=b", "/"),
        ("//[", "/"),
        ("/ä", "/"),
    ],
)
def test_only_paths_of_ours_can_be_wanted(wanted, path):
    assert own_path(wanted) == path


async def test_after_a_login_one_is_at_a_page_of_ours(github):
    for wanted, path in {"/r/x": "/r/x", "//evil.example": "/", "/\t/evil.example": "/"}.items():
        async with github.browser() as browser:
            answer = await browser.post("/login", data={**FORM, "next": wanted}, headers=OURS)
            assert answer.headers["location"] == path
            answer = await browser.get("/login/github", params={"next": wanted})
            state = parse_qs(urlsplit(answer.headers["location"]).query)["state"][0]
            assert await come_back(browser, code="a made-up code", state=state) == path


async def test_ten_attempts_a_minute_may_be_made_from_an_address(found):
    async with found.browser() as browser, found.browser("192.0.2.2") as other:
        for _ in range(LOGINS_A_MINUTE):
            assert (await browser.post("/login", data={"token": "x"}, headers=OURS)).status_code == 303
        answer = await browser.post("/login", data=FORM, headers=OURS)
        assert answer.status_code == 429
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        assert "attempts to log in" in answer.json()["error"]
        page = await browser.post("/login", data=FORM, headers={**OURS, "Accept": "text/html"})
        assert page.status_code == 429
        assert '<p class="notice bad" role="alert">Too many attempts to log in' in page.text
        assert "retry-after" in page.headers
        assert (await other.post("/login", data=FORM, headers=OURS)).status_code == 303


async def test_a_wrong_token_counts_as_one_wherever_it_is_shown(found):
    async with found.browser() as browser:
        for _ in range(LOGINS_A_MINUTE):
            await browser.post("/login", data={"token": "wrong"}, headers=OURS)
        for _ in range(WRONG_TOKENS_A_MINUTE - LOGINS_A_MINUTE):
            assert (await browser.get("/who", headers=bearer("wrong"))).status_code == 401
        assert (await browser.get("/who", headers=bearer("wrong"))).status_code == 429


async def test_without_the_apps_secret_there_is_no_login_through_github(found):
    async with found.browser() as browser:
        for path in ("/login/github", "/login/github/callback?code=a&state=b"):
            assert (await browser.get(path)).status_code == 404
        assert "GitHub" not in (await browser.get("/login")).text


async def test_with_it_the_page_offers_it_and_keeps_where_to_go(github):
    async with github.browser() as browser:
        assert 'href="/login/github?next=/r/x"' in (await browser.get("/login?next=/r/x")).text


async def depart(browser: Any, path: str = "/login/github?next=/r/x") -> dict[str, str]:
    """Go to GitHub; what it is told."""
    answer = await browser.get(path)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith(AUTHORIZE)
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}


async def come_back(browser: Any, **query: str) -> str:
    """Come back from GitHub; where that leads."""
    answer = await browser.get("/login/github/callback", params=query)
    assert answer.status_code == 303
    return answer.headers["location"]


async def test_through_github_one_is_logged_in_as_who_one_is_there(github, people):
    async with github.browser() as browser:
        told = await depart(browser)
        assert await come_back(browser, code="a made-up code", state=told["state"]) == "/r/x"
        assert (await browser.get("/who")).json()["id"] == "user 583231"
        assert list(browser.cookies) == ["sluice"]
    callback = f"{URL}/login/github/callback"
    assert told["redirect_uri"] == callback
    assert people.asked[0] == f"redeem {callback}"


async def test_github_sends_people_back_to_the_public_address(database, people):
    github = gate(database, users=people, public_url="https://reviews.example/")
    async with github.browser() as browser:
        told = await depart(browser)
    assert told["redirect_uri"] == "https://reviews.example/login/github/callback"


async def test_state_and_verifier_differ_each_time_and_nobody_reads_them_in_the_cookie(github):
    async with github.browser() as browser:
        one = await depart(browser)
        cookie = browser.cookies["sluice-login"]
        other = await depart(browser)
        assert one["state"] != other["state"]
        assert one["code_challenge"] != other["code_challenge"]
        assert len(one["code_challenge"]) == 43
        assert one["state"] not in cookie


async def test_the_cookie_of_the_way_is_short_lived_and_hidden_from_scripts(github):
    for url in (URL, "https://sluice.example"):
        async with github.browser(url=url) as browser:
            answer = await browser.get("/login/github")
            flags = set(answer.headers["set-cookie"].split("; ")[1:])
            assert {"HttpOnly", "SameSite=lax", "Max-Age=600", "Path=/"} <= flags
            assert ("Secure" in flags) is url.startswith("https")


async def test_whoever_did_not_begin_a_login_does_not_end_it(github, people):
    for query in ({}, {"state": ""}, {"state": "wrong"}, {"state": "ä"}):
        async with github.browser() as browser:
            await depart(browser)
            assert await come_back(browser, code="a made-up code", **query) == "/login?failed=state"
            assert not browser.cookies
    assert people.asked == []


async def test_a_login_that_began_in_one_browser_does_not_end_in_another(github, people):
    async with github.browser() as attacker, github.browser() as victim, github.browser() as third:
        told = await depart(attacker)
        await depart(victim)
        for browser in (victim, third):
            assert (
                await come_back(browser, code="a made-up code", state=told["state"]) == "/login?failed=state"
            )
            assert "sluice" not in browser.cookies
    assert people.asked == []


@pytest.mark.parametrize(
    ("age", "path"), [(ROUND_SECONDS - 30, "/r/x"), (ROUND_SECONDS + 1, "/login?failed=state")]
)
async def test_the_way_to_github_and_back_may_take_ten_minutes(github, people, database, age, path):
    people.authorize_url(state="", challenge=CHALLENGE, redirect_uri="")
    began = json.dumps({"state": "made up", "verifier": VERIFIER, "wanted": "/r/x"}).encode()
    seal = await Keys(database).seal("login")
    sealed = seal.encrypt_at_time(began, int(time.time()) - age).decode()
    async with github.browser(cookies={"sluice-login": sealed}) as browser:
        assert await come_back(browser, code="a made-up code", state="made up") == path


async def test_the_way_back_leads_in_once(github):
    async with github.browser() as browser:
        state = (await depart(browser))["state"]
        await come_back(browser, code="a made-up code", state=state)
        assert await come_back(browser, code="a made-up code", state=state) == "/login?failed=state"


async def test_a_cookie_of_the_way_that_we_did_not_write_counts_as_none(github):
    for cookie in ("made up", "gAAAAAB" + "a" * 120, ""):
        async with github.browser(cookies={"sluice-login": cookie}) as browser:
            assert await come_back(browser, code="a made-up code", state="x") == "/login?failed=state"


WRONG_AT_GITHUB = [
    ({"error": "access_denied"}, "denied", "did not let Sluice know"),
    ({"error": "redirect_uri_mismatch"}, "refused", "did not accept"),
    ({"code": ""}, "refused", "did not accept"),
    ({"code": "wrong"}, "refused", "did not accept"),
]


async def test_what_went_wrong_at_github_is_said_on_the_login_page(github):
    for query, problem, words in WRONG_AT_GITHUB:
        async with github.browser() as browser:
            state = (await depart(browser))["state"]
            path = await come_back(browser, state=state, **query)
            assert path == f"/login?failed={problem}&next=/r/x"
            assert words in (await browser.get(path)).text
            assert not browser.cookies


@pytest.mark.parametrize(
    ("trouble", "problem"),
    [(ForgeUnavailable("away"), "away"), (LoginRefused("no", status=400), "refused")],
)
async def test_no_session_begins_when_github_does_not_answer_as_it_should(
    github, people, database, trouble, problem
):
    people.trouble = trouble
    async with github.browser() as browser:
        state = (await depart(browser, "/login/github"))["state"]
        assert await come_back(browser, code="a made-up code", state=state) == f"/login?failed={problem}"
    assert await rows(database, "SELECT 1 FROM sessions") == []


async def test_a_code_is_worth_nothing_without_the_verifier(github, people):
    async with github.browser() as browser:
        state = (await depart(browser))["state"]
        people.authorize_url(state="", challenge="somebody else's", redirect_uri="")
        assert (
            await come_back(browser, code="a made-up code", state=state) == "/login?failed=refused&next=/r/x"
        )


async def test_a_login_through_github_gives_a_new_cookie_too(github):
    async with github.browser() as browser:
        await browser.post("/login", data=FORM, headers=OURS)
        first = browser.cookies["sluice"]
        state = (await depart(browser))["state"]
        await come_back(browser, code="a made-up code", state=state)
        assert browser.cookies["sluice"] != first
        async with github.browser(cookies={"sluice": first}) as other:
            assert (await other.get("/who")).status_code == 401
