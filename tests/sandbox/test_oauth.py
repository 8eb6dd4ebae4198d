"""Logging in at the sandbox, and what a person's token reads there, over HTTP."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest
from yarl import URL

from tests.sandbox.hub import Hub

CALLBACK = "https://sluice.example/login/github/callback"
VERIFIER = "a-made-up-verifier-that-is-long-enough-for-github"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
PROOF = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
JSON = {"Accept": "application/json"}


@pytest.fixture(autouse=True)
def registered(hub: Hub) -> None:
    hub.state.callback_urls = [CALLBACK, "http://127.0.0.1/other"]


async def authorize(hub: Hub, **changes: str) -> dict[str, str]:
    """What the browser is sent back with, and `to`: where."""
    asked = {"client_id": hub.state.client_id, "redirect_uri": CALLBACK, "state": "s", **PROOF, **changes}
    url = f"{hub.state.url}/login/oauth/authorize"
    async with hub.http.get(url, params=asked, allow_redirects=False) as answer:
        assert answer.status == 302, await answer.text()
        there = URL(answer.headers["location"])
        return {"to": str(there.with_query(None)), **there.query}


async def exchange(hub: Hub, **changes: str | None) -> dict[str, Any]:
    sent = {"client_id": hub.state.client_id, "client_secret": hub.state.client_secret, **changes}
    form = {name: value for name, value in sent.items() if value is not None}
    url = f"{hub.state.url}/login/oauth/access_token"
    async with hub.http.post(url, data=form, headers=JSON) as answer:
        assert answer.status == 200
        return await answer.json()


async def log_in(hub: Hub, login: str = "mona") -> dict[str, Any]:
    hub.sandbox.sign_in(login)
    code = (await authorize(hub))["code"]
    return await exchange(hub, code=code, code_verifier=VERIFIER)


def later(hub: Hub, **time: float) -> None:
    moment = datetime.now(UTC) + timedelta(**time)
    hub.state.clock = lambda: moment


async def who(hub: Hub, token: str) -> tuple[int, str | None]:
    answer = await hub.call("GET", "/user", token=token)
    return answer.status, answer.body.get("login")


async def test_a_person_logs_in_and_is_known(hub):
    given = await log_in(hub)

    assert given["token_type"] == "bearer"
    assert (given["expires_in"], given["refresh_token_expires_in"]) == (28_800, 184 * 86_400)
    assert given["access_token"].startswith("ghu_madeUp")
    assert given["refresh_token"].startswith("ghr_madeUp")
    assert await who(hub, given["access_token"]) == (200, "mona")


async def test_the_browser_comes_back_with_the_state_it_was_sent_with(hub):
    hub.sandbox.sign_in("mona")

    back = await authorize(hub, state="this & that")

    assert (back["to"], back["state"]) == (CALLBACK, "this & that")
    assert "error" not in back


async def test_nobody_who_is_not_signed_in_is_sent_back(hub):
    url = f"{hub.state.url}/login/oauth/authorize?client_id={hub.state.client_id}"

    async with hub.http.get(url, allow_redirects=False) as answer:
        assert (answer.status, "Sign in" in await answer.text()) == (200, True)


async def test_who_declines_comes_back_without_a_code(hub):
    hub.sandbox.sign_in("mona")
    hub.sandbox.decline()

    back = await authorize(hub)

    assert (back["to"], back["error"], back["state"]) == (CALLBACK, "access_denied", "s")
    assert "code" not in back


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        (CALLBACK, True),
        (f"{CALLBACK}/deeper", True),
        ("http://127.0.0.1/other", True),
        (f"{CALLBACK}x", False),
        (f"{CALLBACK}/../../elsewhere", False),
        ("https://sluice.example/login", False),
        ("https://evil.example/login/github/callback", False),
        ("http://sluice.example/login/github/callback", False),
    ],
)
async def test_people_are_sent_to_registered_addresses_only(hub, wanted, fits):
    hub.sandbox.sign_in("mona")

    back = await authorize(hub, redirect_uri=wanted)

    assert back["to"] == (wanted if fits else CALLBACK)
    assert back.get("error") == (None if fits else "redirect_uri_mismatch")


@pytest.mark.parametrize(
    "changes",
    [{"code_challenge_method": "plain"}, {"code_challenge_method": ""}, {"code_challenge": "short"}],
)
async def test_only_s256_challenges_are_taken(hub, changes):
    hub.sandbox.sign_in("mona")

    assert (await authorize(hub, **changes))["error"] == "invalid_request"


async def test_another_app_is_not_found(hub):
    async with hub.http.get(f"{hub.state.url}/login/oauth/authorize?client_id=Iv23other") as answer:
        assert answer.status == 404


@pytest.mark.parametrize("verifier", [None, "", "another-verifier", CHALLENGE])
async def test_a_code_needs_the_verifier_of_its_challenge(hub, verifier):
    hub.sandbox.sign_in("mona")
    code = (await authorize(hub))["code"]

    refused = await exchange(hub, code=code, code_verifier=verifier)

    assert refused["error"] == "bad_verification_code"


async def test_a_code_is_good_once(hub):
    hub.sandbox.sign_in("mona")
    code = (await authorize(hub))["code"]

    assert "access_token" in await exchange(hub, code=code, code_verifier=VERIFIER)
    again = await exchange(hub, code=code, code_verifier=VERIFIER)
    assert again["error"] == "bad_verification_code"


async def test_a_code_is_good_for_ten_minutes(hub):
    hub.sandbox.sign_in("mona")
    early, late = (await authorize(hub))["code"], (await authorize(hub))["code"]

    later(hub, minutes=9)
    assert "access_token" in await exchange(hub, code=early, code_verifier=VERIFIER)
    later(hub, minutes=11)
    assert (await exchange(hub, code=late, code_verifier=VERIFIER))["error"] == "bad_verification_code"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"client_secret": "another"}, "incorrect_client_credentials"),
        ({"client_secret": None}, "incorrect_client_credentials"),
        ({"client_id": "Iv23other"}, "incorrect_client_credentials"),
        ({"redirect_uri": f"{CALLBACK}/deeper"}, "redirect_uri_mismatch"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "refresh_token"}, "bad_refresh_token"),
        ({"code": "none"}, "bad_verification_code"),
    ],
)
async def test_an_exchange_that_does_not_fit_is_refused_with_200(hub, changes, error):
    hub.sandbox.sign_in("mona")
    code = (await authorize(hub))["code"]

    refused = await exchange(hub, **{"code": code, "code_verifier": VERIFIER, **changes})

    assert (refused["error"], "access_token" in refused) == (error, False)
    assert refused["error_description"]


async def test_the_exchange_speaks_json_and_forms_both_ways(hub):
    url, secret = f"{hub.state.url}/login/oauth/access_token", hub.state.client_secret
    hub.sandbox.sign_in("mona")
    sent = {"client_id": hub.state.client_id, "client_secret": secret, "code_verifier": VERIFIER}

    async with hub.http.post(url, json={**sent, "code": (await authorize(hub))["code"]}) as answer:
        assert answer.content_type == "application/x-www-form-urlencoded"
        token = parse_qs(await answer.text())["access_token"][0]
    assert await who(hub, token) == (200, "mona")
    query = {**sent, "code": (await authorize(hub))["code"]}
    async with hub.http.post(url, params=query, headers=JSON) as answer:
        assert await who(hub, (await answer.json())["access_token"]) == (200, "mona")


async def test_tokens_end_by_the_sandboxs_clock(hub):
    given = await log_in(hub)

    later(hub, hours=7, minutes=59)
    assert (await who(hub, given["access_token"]))[0] == 200
    later(hub, hours=8)
    assert (await who(hub, given["access_token"]))[0] == 401
    later(hub, days=183)
    refresh = {"grant_type": "refresh_token", "refresh_token": given["refresh_token"]}
    renewed = await exchange(hub, **refresh)
    assert (await who(hub, renewed["access_token"]))[0] == 200
    later(hub, days=183 + 185)
    refresh["refresh_token"] = renewed["refresh_token"]
    assert (await exchange(hub, **refresh))["error"] == "bad_refresh_token"


async def test_a_renewed_login_kills_both_tokens_of_the_old_one(hub):
    old = await log_in(hub)
    refresh = {"grant_type": "refresh_token", "refresh_token": old["refresh_token"]}

    new = await exchange(hub, **refresh)

    assert await who(hub, new["access_token"]) == (200, "mona")
    assert await who(hub, old["access_token"]) == (401, None)
    assert (await exchange(hub, **refresh))["error"] == "bad_refresh_token"
    assert await who(hub, new["access_token"]) == (200, "mona")


async def test_an_app_that_opted_out_gets_tokens_without_an_end(hub):
    hub.state.logins.expire = False

    given = await log_in(hub)

    assert set(given) == {"access_token", "token_type", "scope"}
    later(hub, days=1_000)
    assert await who(hub, given["access_token"]) == (200, "mona")


async def test_what_a_person_takes_back_is_worth_nothing_and_is_told(hub):
    mona, lisa = await log_in(hub), await log_in(hub, "lisa")

    await hub.sandbox.revoke("mona")

    event, payload = hub.told()
    assert (event, payload["action"], payload["sender"]["login"]) == (
        "github_app_authorization",
        "revoked",
        "mona",
    )
    refresh = {"grant_type": "refresh_token", "refresh_token": mona["refresh_token"]}
    assert (await exchange(hub, **refresh))["error"] == "bad_refresh_token"
    assert (await who(hub, mona["access_token"]))[0] == 401
    assert await who(hub, lisa["access_token"]) == (200, "lisa")


async def test_people_see_the_repositories_they_were_let_in_to(hub):
    add = hub.sandbox.add_repository
    other = add("octo/other", git_dir=hub.folder, default_branch="main")
    add("octo/open", git_dir=hub.folder, default_branch="main", private=False)
    foreign = add("hats/secret", git_dir=hub.folder, default_branch="main")
    hub.sandbox.let_in(hub.repository, "mona", "write")
    hub.sandbox.let_in(other, "mona", "read")
    token = (await log_in(hub))["access_token"]

    installed = (await hub.call("GET", "/user/installations", token=token)).body
    path = f"/user/installations/{hub.repository.installation_id}/repositories"
    seen = (await hub.call("GET", path, token=token)).body

    assert [each["account"]["login"] for each in installed["installations"]] == ["octo"]
    pushes = {each["full_name"]: each["permissions"]["push"] for each in seen["repositories"]}
    assert pushes == {"octo/calc": True, "octo/other": False}
    closed = f"/user/installations/{foreign.installation_id}/repositories"
    assert (await hub.call("GET", closed, token=token)).status == 404
    hub.sandbox.shut_out(other, "mona")
    assert (await hub.call("GET", path, token=token)).body["total_count"] == 1


async def test_owners_see_all_that_is_theirs(hub):
    token = (await log_in(hub, "octo"))["access_token"]
    path = f"/user/installations/{hub.repository.installation_id}/repositories"

    seen = (await hub.call("GET", path, token=token)).body["repositories"]

    assert [(each["full_name"], each["permissions"]["admin"]) for each in seen] == [("octo/calc", True)]


async def test_listings_come_in_pages(hub):
    for number in range(2):
        added = hub.sandbox.add_repository(f"octo/r{number}", git_dir=hub.folder, default_branch="main")
        hub.sandbox.let_in(added, "mona", "read")
    token = (await log_in(hub))["access_token"]
    path = f"/user/installations/{hub.repository.installation_id}/repositories"

    first = await hub.call("GET", f"{path}?per_page=1", token=token)
    second = await hub.call("GET", first.headers["link"].partition(">")[0][1:], token=token)

    names = [page.body["repositories"][0]["full_name"] for page in (first, second)]
    assert names == ["octo/r0", "octo/r1"]
    assert (first.body["total_count"], "link" in second.headers) == (2, False)


async def test_tokens_of_people_and_installations_are_not_taken_for_one_another(hub):
    hub.sandbox.let_in(hub.repository, "mona", "admin")
    token = (await log_in(hub))["access_token"]

    for path in (hub.api, "/installation/repositories", "/rate_limit"):
        assert (await hub.call("GET", path, token=token)).status == 403
    assert (await hub.call("GET", "/app", token=token)).status == 401
    for path in ("/user", "/user/installations"):
        assert (await hub.call("GET", path)).status == 403
        assert (await hub.as_app("GET", path)).status == 401


async def test_a_persons_hour_is_their_own(hub):
    hub.state.rate_limit = 1
    mona, lisa = await log_in(hub), await log_in(hub, "lisa")

    answers = [await hub.call("GET", "/user", token=mona["access_token"]) for _ in range(2)]

    assert [answer.status for answer in answers] == [200, 403]
    assert "for user ID" in answers[1].body["message"]
    assert (await who(hub, lisa["access_token"]))[0] == 200


async def test_a_pull_request_has_a_page_for_those_who_may_read_it(hub):
    pull = await hub.open()
    await hub.comment_on(pull, 5)
    page = f"/octo/calc/pull/{pull.number}"
    hub.sandbox.let_in(hub.repository, "mona", "read")

    assert (await hub.call("GET", page)).status == 404
    hub.sandbox.sign_in("mona")
    shown = await hub.call("GET", page)
    assert shown.status == 200
    assert "Subtract" in shown.body.decode()
    assert "on calc.py:5\non 5" in shown.body.decode()
    hub.sandbox.sign_in("lisa")
    assert (await hub.call("GET", page)).status == 404
