"""People who log in: against the sandbox over HTTP, and against a GitHub that answers oddly."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs
from yarl import URL

from reviewer.errors import ForgeError, ForgeRateLimited, ForgeRefused, ForgeUnavailable, InstallationLost
from tests.fakes.clock import jumping
from tests.github.server import Reply, Server, listening
from tests.scenarios.app import make_repository
from webhooks.github.app import AppRoutes
from webhooks.github.auth import AppAuth
from webhooks.github.client import GitHub
from webhooks.github.oauth import MOST_BYTES, read_grant
from webhooks.github.users import Grant, LoginRefused, Person, SeenRepository, Users, refusal, web_url_of
from webhooks.github.wire import Answer
from webhooks.news import Place
from webhooks.sandbox import Fault, Repository, Sandbox, running

CALLBACK = "https://sluice.example/login/github/callback"
VERIFIER = "a-made-up-verifier-that-is-long-enough-for-github"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
GRANT = Grant("ghu_made_up", None, "ghr_made_up", None)
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
TOKEN_PATH = "/login/oauth/access_token"


@dataclass
class World:
    """A sandbox with a repository, and who asks it of people."""

    sandbox: Sandbox
    repository: Repository
    folder: Path
    users: Users
    github: GitHub
    http: aiohttp.ClientSession

    async def code(self, login: str = "mona") -> str:
        """What a person's browser brings back."""
        self.sandbox.sign_in(login)
        url = self.users.authorize_url(state="s & t", challenge=CHALLENGE, redirect_uri=CALLBACK)
        async with self.http.get(URL(url, encoded=True), allow_redirects=False) as answer:
            back = URL(answer.headers["location"])
        assert str(back.with_query(None)) == CALLBACK
        assert back.query["state"] == "s & t"
        return back.query["code"]

    async def log_in(self, login: str = "mona") -> Grant:
        return await self.users.redeem(await self.code(login), VERIFIER, CALLBACK)

    def add(self, full_name: str, **people: Any) -> Repository:
        made = self.sandbox.add_repository(full_name, git_dir=self.folder, default_branch="main")
        for login, level in people.items():
            self.sandbox.let_in(made, login, level)
        return made


@asynccontextmanager
async def asking(url: str, **options: Any) -> AsyncIterator[Users]:
    known = {"client_id": "Iv23sandbox", "client_secret": "a made-up client secret", **options}
    async with Users(api_url=url, web_url=url, **known) as users:
        yield users


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    folder = await make_repository(tmp_path / "repo")
    sandbox = Sandbox.create(webhook_secret="made up", webhook_url=None)
    sandbox.state.callback_urls = [CALLBACK]
    async with (
        running(sandbox) as url,
        asking(url) as users,
        GitHub(url, AppAuth("Iv23sandbox", sandbox.state.private_key_pem)) as github,
        aiohttp.ClientSession() as http,
    ):
        repository = sandbox.add_repository("octo/calc", git_dir=folder, default_branch="main")
        yield World(sandbox, repository, folder, users, github, http)


async def test_a_person_logs_in_and_their_repositories_are_told(world):
    other = world.add("hats/other", mona="read")
    world.add("octo/closed", lisa="admin")
    world.sandbox.let_in(world.repository, "mona", "write")

    grant = await world.log_in()

    mona = world.sandbox.state.users["mona"]
    assert await world.users.person(grant) == Person(mona.id, "mona")
    assert await world.users.repositories(grant) == [
        SeenRepository(world.repository.id, "octo/calc", may_push=True),
        SeenRepository(other.id, "hats/other", may_push=False),
    ]
    left = grant.expires_at - datetime.now(UTC), grant.refresh_expires_at - datetime.now(UTC)
    assert timedelta(hours=7.9) < left[0] <= timedelta(hours=8)
    assert timedelta(days=183) < left[1] <= timedelta(days=184)


async def test_whoever_brings_a_code_without_its_verifier_is_refused(world):
    code = await world.code()

    with pytest.raises(LoginRefused, match="log in again"):
        await world.users.redeem(code, "another verifier", CALLBACK)


async def test_a_code_that_is_used_or_old_is_refused(world):
    used, old = await world.code(), await world.code()
    await world.users.redeem(used, VERIFIER, CALLBACK)

    with pytest.raises(LoginRefused, match="used or too old"):
        await world.users.redeem(used, VERIFIER, CALLBACK)
    moment = datetime.now(UTC) + timedelta(minutes=11)
    world.sandbox.state.clock = lambda: moment
    with pytest.raises(LoginRefused, match="used or too old"):
        await world.users.redeem(old, VERIFIER, CALLBACK)


async def test_a_login_is_renewed_and_the_old_one_is_dead(world):
    old = await world.log_in()

    new = await world.users.refresh(old)

    assert (await world.users.person(new)).login == "mona"
    with pytest.raises(LoginRefused):
        await world.users.person(old)
    with pytest.raises(LoginRefused, match="revoked, or is too old"):
        await world.users.refresh(old)


async def test_a_login_without_an_end_is_not_renewed(world):
    world.sandbox.state.logins.expire = False

    grant = await world.log_in()

    assert (grant.expires_at, grant.refresh_token, grant.refresh_expires_at) == (None, None, None)
    assert (await world.users.person(grant)).login == "mona"
    asked = len(world.sandbox.state.requests)
    with pytest.raises(LoginRefused):
        await world.users.refresh(grant)
    assert len(world.sandbox.state.requests) == asked


async def test_a_login_that_was_taken_back_is_refused_everywhere(world):
    grant = await world.log_in()
    await world.sandbox.revoke("mona")

    for asking_ in (world.users.person, world.users.repositories, world.users.refresh):
        with pytest.raises(LoginRefused):
            await asking_(grant)


async def test_access_that_was_taken_away_is_gone_at_the_next_look(world):
    world.sandbox.let_in(world.repository, "mona", "write")
    grant = await world.log_in()
    assert [each.name for each in await world.users.repositories(grant)] == ["octo/calc"]

    world.sandbox.shut_out(world.repository, "mona")

    assert await world.users.repositories(grant) == []


async def test_suspended_installations_are_left_out(world):
    world.sandbox.let_in(world.repository, "mona", "write")
    world.add("hats/other", mona="read")
    grant = await world.log_in()

    await world.sandbox.suspend("octo")

    assert [each.name for each in await world.users.repositories(grant)] == ["hats/other"]
    asked = f"/user/installations/{world.repository.installation_id}/"
    assert not [each for each in world.sandbox.state.requests if each.path.startswith(asked)]


@pytest.mark.parametrize("status", [403, 404])
async def test_an_installation_that_is_closed_to_somebody_hides_no_other(world, status):
    world.sandbox.let_in(world.repository, "mona", "write")
    world.add("hats/other", mona="read")
    grant = await world.log_in()
    path = f"^/user/installations/{world.repository.installation_id}/"
    world.sandbox.state.faults.append(Fault("GET", path, status=status))

    assert [each.name for each in await world.users.repositories(grant)] == ["hats/other"]


async def test_all_pages_are_read_and_no_more_than_the_bound(world):
    for number in range(130):
        world.add(f"octo/r{number}", mona="read")
    grant = await world.log_in()

    assert len(await world.users.repositories(grant)) == 130
    async with asking(world.sandbox.state.url, most_repositories=110) as users:
        with capture_logs() as logs:
            assert len(await users.repositories(grant)) == 110
    assert [(each["event"], each["shown"]) for each in logs] == [("somebody sees too many repositories", 110)]


async def test_a_wrong_client_secret_is_told_to_the_operator(world):
    code = await world.code()

    async with asking(world.sandbox.state.url, client_secret="another made-up one") as users:
        with pytest.raises(ForgeRefused, match="GITHUB_CLIENT_SECRET") as error:
            await users.redeem(code, VERIFIER, CALLBACK)

    assert not isinstance(error.value, LoginRefused)
    assert "another made-up one" not in str(error.value)


def told(body: Any, status: int = 200, **headers: str) -> Answer:
    return Answer(status, headers, body if isinstance(body, bytes) else json.dumps(body).encode())


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (told({"error": "bad_verification_code"}), LoginRefused, "log in again"),
        (told({"error": "bad_verification_code"}, 400), LoginRefused, "log in again"),
        (told({"error": "bad_refresh_token"}), LoginRefused, "log in again"),
        (told({"error": "unverified_user_email"}), LoginRefused, "e-mail"),
        (told({"error": "redirect_uri_mismatch"}), ForgeRefused, "callback URLs"),
        (told({"error": "application_suspended"}), ForgeRefused, "suspended the app"),
        (told({"error": "new_one", "error_description": "In words."}), ForgeRefused, r"new_one \(In words"),
        (told({"message": "Validation Failed"}, 422), ForgeRefused, "Validation Failed"),
        (told({"error": "down"}, 503), ForgeUnavailable, "503"),
        (told(b"<html>", 502), ForgeUnavailable, "502"),
        (told(b"access_token=ghu_made_up"), ForgeUnavailable, "no token"),
        (told([]), ForgeUnavailable, "no token"),
        (told({"access_token": ""}), ForgeUnavailable, "no token"),
        (told({"access_token": 7}), ForgeUnavailable, "no token"),
    ],
)
def test_an_answer_without_a_token_says_what_is_the_matter(answer, kind, words):
    with pytest.raises(kind, match=words) as error:
        read_grant(answer, now=NOW)

    assert type(error.value) is kind


def test_a_limit_at_login_names_its_wait():
    with pytest.raises(ForgeRateLimited) as error:
        read_grant(told({"message": "slow down"}, 429, **{"retry-after": "40"}), now=NOW)

    assert error.value.retry_after == 40


def test_ends_are_read_from_numbers_and_from_text():
    given = {"access_token": "ghu_made_up", "expires_in": "60", "refresh_token_expires_in": 120}

    grant = read_grant(told(given), now=NOW)

    assert (grant.expires_at, grant.refresh_expires_at) == (
        NOW + timedelta(seconds=60),
        NOW + timedelta(seconds=120),
    )
    assert read_grant(told({**given, "expires_in": "soon"}), now=NOW).expires_at is None


def test_who_declines_is_told_so_and_what_is_unknown_in_githubs_words():
    assert isinstance(refusal("access_denied"), LoginRefused)
    assert "temporarily_unavailable" in str(refusal("temporarily_unavailable"))


def test_a_grant_does_not_show_its_tokens():
    assert "made_up" not in repr(GRANT)
    assert "made_up" not in str(GRANT)


@asynccontextmanager
async def answering() -> AsyncIterator[tuple[Server, Users]]:
    async with listening() as server, asking(server.url) as users:
        yield server, users


async def test_a_login_at_another_address_is_not_followed(world):
    code = await world.code()
    elsewhere = {"location": "https://elsewhere.example/"}
    world.sandbox.state.faults.append(Fault("POST", TOKEN_PATH, status=302, headers=elsewhere))

    with pytest.raises(ForgeRefused, match="set GITHUB_URL"):
        await world.users.redeem(code, VERIFIER, CALLBACK)


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (Fault("POST", TOKEN_PATH, status=502), ForgeUnavailable, "502"),
        (Fault("POST", TOKEN_PATH, drop=True), ForgeUnavailable, "can't be reached"),
        (Fault("POST", TOKEN_PATH, status=404), ForgeRefused, "GITHUB_CLIENT_ID and GITHUB_URL"),
        (Fault("POST", TOKEN_PATH, status=200, body={"a": "x" * MOST_BYTES}), ForgeUnavailable, "65,536"),
    ],
)
async def test_a_code_is_sent_once_whatever_comes_back(world, fault, kind, words):
    code = await world.code()
    world.sandbox.state.faults.append(fault)

    with pytest.raises(kind, match=words):
        await world.users.redeem(code, VERIFIER, CALLBACK)

    assert len([each for each in world.sandbox.state.requests if each.path == TOKEN_PATH]) == 1


@jumping
async def test_a_look_is_tried_twice_on_passing_trouble():
    async with answering() as (server, users):
        server.on("GET", "/user$", Reply(502), Reply(body={"id": 7, "login": "mona"}))
        server.on("GET", "/user/installations", Reply(503))

        assert await users.person(GRANT) == Person(7, "mona")
        with pytest.raises(ForgeUnavailable):
            await users.repositories(GRANT)

        assert len(server.called("/user/installations")) == 2


@jumping
async def test_a_look_gives_up_on_a_github_that_does_not_end():
    async with answering() as (server, users):
        server.on("GET", "/user$", Reply(body={}, seconds=1_000))

        with pytest.raises(ForgeUnavailable, match="60 s"):
            await users.person(GRANT)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(401, {"message": "Bad credentials"}), LoginRefused),
        (Reply(403, {"message": "m"}, {"retry-after": "90"}), ForgeRateLimited),
        (Reply(429, {"message": "m"}, {"retry-after": "90"}), ForgeRateLimited),
        (Reply(403, {"message": "Sorry. Your account was suspended"}), ForgeRefused),
        (Reply(body=[]), ForgeUnavailable),
        (Reply(body={"login": "mona"}), ForgeUnavailable),
        (Reply(body={"id": "none", "login": "mona"}), ForgeUnavailable),
        (Reply(body=b"<html>"), ForgeUnavailable),
    ],
)
async def test_a_person_is_told_in_githubs_shape_or_not_at_all(reply, kind):
    async with answering() as (server, users):
        server.on("GET", "/user$", reply)

        with pytest.raises(kind) as error:
            await users.person(GRANT)

    assert type(error.value) is kind
    assert "ghu_made_up" not in str(error.value)
    if isinstance(error.value, ForgeRateLimited):
        assert error.value.retry_after == 90


@jumping
async def test_a_limit_or_an_ended_login_in_the_middle_of_a_listing_is_no_closed_installation():
    installed = {"installations": [{"id": 5, "suspended_at": None}]}
    async with answering() as (server, users):
        server.on("GET", "/user/installations", Reply(body=installed))
        inside = "/user/installations/5/repositories"
        for reply, kind in (
            (Reply(403, {"message": "m"}, {"retry-after": "90"}), ForgeRateLimited),
            (Reply(401, {"message": "Bad credentials"}), LoginRefused),
            (Reply(502), ForgeUnavailable),
            (Reply(body={"repositories": [{"id": 1}]}), ForgeUnavailable),
            (Reply(body={"repositories": "none"}), ForgeUnavailable),
        ):
            server.on("GET", inside, reply)
            with pytest.raises(kind):
                await users.repositories(GRANT)


async def test_no_permission_that_is_not_told_is_one_to_push():
    installed = {"installations": [{"id": 5, "suspended_at": None}]}
    listed = [
        {"id": 1, "full_name": "o/a"},
        {"id": 2, "full_name": "o/b", "permissions": None},
        {"id": 3, "full_name": "o/c", "permissions": {"pull": True, "push": False}},
        {"id": 4, "full_name": "o/d", "permissions": {"pull": True, "push": True}},
    ]
    async with answering() as (server, users):
        server.on("GET", "/user/installations", Reply(body=installed))
        server.on("GET", "/user/installations/5/repositories", Reply(body={"repositories": listed}))

        seen = await users.repositories(GRANT)

    assert [each.may_push for each in seen] == [False, False, False, True]


@jumping
async def test_a_listing_that_goes_round_in_a_circle_ends():
    async with answering() as (server, users):
        path = "/user/installations?page=2"
        again = Reply(body={"installations": []}, headers={"link": f'<{server.url}{path}>; rel="next"'})
        server.on("GET", "/user/installations", again)

        with pytest.raises(ForgeUnavailable, match="circle"):
            await users.repositories(GRANT)


async def test_a_token_goes_to_no_other_host():
    async with answering() as (server, users), listening() as other:
        link = {"link": f'<{other.url}/user/installations?page=2>; rel="next"'}
        server.on("GET", "/user/installations", Reply(body={"installations": []}, headers=link))

        with pytest.raises(ForgeRefused, match="another host"):
            await users.repositories(GRANT)

        assert other.calls == []


@pytest.mark.parametrize(
    ("api_url", "github_url", "web"),
    [
        ("https://api.github.com", None, "https://github.com"),
        ("https://API.github.com/", None, "https://github.com"),
        ("https://forge.example/api/v3", None, "https://forge.example"),
        ("https://forge.example:8443/api/v3/", None, "https://forge.example:8443"),
        ("https://api.octo.ghe.com", None, "https://octo.ghe.com"),
        ("http://127.0.0.1:8080", None, "http://127.0.0.1:8080"),
        ("https://api.github.com", "https://forge.example/", "https://forge.example"),
    ],
)
def test_where_people_meet_github(api_url, github_url, web):
    assert web_url_of(api_url, github_url) == web


async def test_a_repository_is_found_by_name_and_by_its_former_name(world):
    where = Place(world.repository.installation_id, world.repository.id, "octo/calc")

    assert await AppRoutes(world.github).find("octo/calc") == where
    assert await AppRoutes(world.github).find("OCTO/Calc") == where
    await world.sandbox.rename(world.repository, "sums")
    assert await AppRoutes(world.github).find("octo/calc") == replace(where, repository="octo/sums")


async def test_a_repository_out_of_the_apps_reach_is_not_found(world):
    await world.sandbox.remove_repository(world.add("octo/other"))

    for name in ("octo/other", "hats/none"):
        with pytest.raises(ForgeRefused, match=f"not installed on {name}") as error:
            await AppRoutes(world.github).find(name)
        assert error.value.status == 404


async def test_a_repository_of_a_suspended_installation_is_lost(world):
    await world.sandbox.suspend("octo")

    with pytest.raises(InstallationLost, match="suspended"):
        await AppRoutes(world.github).find("octo/calc")


@pytest.mark.parametrize(
    "name",
    ["", "calc", "octo/", "/calc", "octo/calc/pulls", "octo/..", "octo/.", "../octo", "octo/calc?x", "ö/c",
     "octo/calc\n", "octo/c#", "octo/c%2f", "octo calc/x"],
)  # fmt: skip
async def test_what_is_no_name_is_not_asked_for(world, name):
    asked = len(world.sandbox.state.requests)

    with pytest.raises(ForgeError, match="OWNER/NAME"):
        await AppRoutes(world.github).find(name)

    assert len(world.sandbox.state.requests) == asked
