"""Tokens, and what is said when GitHub refuses them."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from email.utils import format_datetime

import jwt
import pytest

from reviewer.errors import BadSettings, ForgeError, ForgeRefused, ForgeUnavailable, InstallationLost
from tests.fakes.clock import jumping
from tests.github.server import TOKENS, Reply, private_key, talking, token_shape
from webhooks.github.auth import AppAuth


@pytest.mark.parametrize("issuer", ["Iv23made.up", "12345"])
def test_the_apps_token_bears_clocks_that_differ_a_little(issuer):
    claims = jwt.decode(AppAuth(issuer, private_key()).token(), options={"verify_signature": False})

    assert claims["iss"] == issuer
    assert claims["iat"] == pytest.approx(time.time() - 60, abs=5)
    assert claims["exp"] == pytest.approx(time.time() + 9 * 60, abs=5)


def test_a_key_that_is_none_is_told_by_the_name_of_its_setting():
    with pytest.raises(BadSettings, match="GITHUB_PRIVATE_KEY"):
        AppAuth("1", "made up, and no key").token()


@jumping
async def test_one_token_is_fetched_at_a_time_and_kept():
    async with talking() as (server, github):
        server.on("POST", TOKENS, Reply(201, token_shape("ghs_made_up"), seconds=3))

        assert await asyncio.gather(*(github.token(1) for _ in range(5))) == ["ghs_made_up"] * 5
        await github.token(2)

        assert [call.path.split("/")[3] for call in server.calls] == ["1", "2"]


@jumping
async def test_a_token_is_fetched_anew_shortly_before_it_ends():
    async with talking() as (server, github):
        old, new = token_shape("ghs_made_up_1", hours=4 / 60), token_shape("ghs_made_up_2")
        server.on("POST", TOKENS, Reply(201, old), Reply(201, new))

        assert [await github.token(1) for _ in range(3)] == [
            "ghs_made_up_1",
            "ghs_made_up_2",
            "ghs_made_up_2",
        ]


@jumping
async def test_a_fetch_that_fails_or_is_given_up_does_not_spoil_the_next():
    async with talking() as (server, github):
        good = Reply(201, token_shape("ghs_made_up"), seconds=5)
        server.on("POST", TOKENS, Reply(500), good)

        with pytest.raises(ForgeUnavailable):
            await github.token(1)
        given_up = asyncio.create_task(github.token(1))
        waiting = asyncio.create_task(github.token(1))
        await asyncio.sleep(1)
        given_up.cancel()

        assert await waiting == "ghs_made_up"


@pytest.mark.parametrize("token", ["ghs_made_up_short", f"ghs_12345_{'made.up-' * 64}"])
def test_tokens_of_any_form_are_used_as_they_are(token):
    @jumping
    async def check():
        async with talking() as (server, github):
            server.on("POST", TOKENS, Reply(201, token_shape(token)))
            server.on("GET", "/", Reply(body=1))

            await github.read(1, "/")

            assert server.called()[0].token == token

    check()


@jumping
async def test_a_token_tells_what_it_permits():
    async with talking() as (_, github):
        assert await github.permissions(1) == {"contents": "read", "pull_requests": "write"}


def date(ahead: float) -> dict[str, str]:
    """The header of a server over whose clock ours is so many seconds ahead."""
    return {"date": format_datetime(datetime.fromtimestamp(time.time() - ahead, UTC), usegmt=True)}


EXP = "'Expiration time' claim ('exp') is too far in the future"
IAT = "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"


@pytest.mark.parametrize(
    ("status", "message", "headers", "words"),
    [
        (401, EXP, 300, r"clock is (299|300|301) s ahead of GitHub's; set it \(NTP\)"),
        (401, IAT, -200, r"clock is (199|200|201) s behind GitHub's; set it \(NTP\)"),
        (
            401,
            "Integration not found",
            0,
            "GITHUB_CLIENT_ID .* and GITHUB_PRIVATE_KEY do not belong together",
        ),
        (401, "A JSON web token could not be decoded", 0, "do not belong together"),
    ],
)
@pytest.mark.parametrize("path", ["/app", "token"])
def test_a_refusal_of_the_apps_token_says_what_to_do(status, message, headers, words, path):
    @jumping
    async def check():
        async with talking() as (server, github):
            refusal = Reply(status, {"message": message}, headers=date(headers))
            server.on("POST", TOKENS, refusal)
            server.on("GET", "/app", refusal)

            with pytest.raises(ForgeRefused, match=words) as error:
                await (github.app_read("/app") if path == "/app" else github.token(1))

            assert message in str(error.value)
            assert len(server.calls) == 1

    check()


@pytest.mark.parametrize(
    ("status", "message", "words"),
    [
        (404, "Not Found", r"not installed there any more \(installation 17\)"),
        (403, "This installation has been suspended", r"suspended there \(installation 17\).*unsuspend"),
    ],
)
def test_an_installation_that_is_lost_is_told_as_such(status, message, words):
    @jumping
    async def check():
        async with talking() as (server, github):
            server.on("POST", TOKENS, Reply(status, {"message": message}))

            with pytest.raises(InstallationLost, match=words) as error:
                await github.read(17, "/")

            assert not error.value.retryable
            assert error.value.status == status

    check()


@jumping
async def test_a_suspension_met_with_a_token_that_is_still_good_is_told_as_such():
    async with talking() as (server, github):
        server.on("GET", "/", Reply(403, {"message": "This installation has been suspended"}))
        server.on("POST", "/", Reply(403, {"message": "Resource not accessible by integration"}))

        with pytest.raises(InstallationLost):
            await github.read(1, "/")
        with pytest.raises(ForgeError) as error:
            await github.write(1, "POST", "/")
        assert not isinstance(error.value, InstallationLost)
