"""Access tokens: made by command, shown once, and known by a hash."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reviewer.errors import BadInput, BadSettings, ForgeRefused
from reviewer.settings import Settings
from tests.access.test_guard import rows
from tests.scenarios.app import make_repository
from tests.test_cli import sluice
from webhooks.access.tokens import Tokens, Wanted, digest, expiry, token_id
from webhooks.news import Place
from webhooks.sandbox import Sandbox, running
from webhooks.token_commands import Asking, Finder, open_finder, wanted

BARE = Settings.model_validate({})
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
PLACES = {
    "octo/shop": Place(7, 70, "octo/shop"),
    "octo/Shop": Place(7, 70, "octo/shop"),
    "octo/calc": Place(7, 71, "octo/calc"),
    "else/shop": Place(8, 80, "else/shop"),
}


class Installed:
    """GitHub as the app sees it."""

    async def find(self, full_name: str) -> Place:
        if full_name not in PLACES:
            raise ForgeRefused("not found", status=404)
        return PLACES[full_name]

    async def installation(self, number: int) -> object:
        if number not in {place.installation for place in PLACES.values()}:
            raise ForgeRefused("not found", status=404)
        return number


@asynccontextmanager
async def opening(settings: Settings) -> AsyncGenerator[Finder]:
    assert settings is BARE
    yield Installed()


@asynccontextmanager
async def never(settings: Settings) -> AsyncGenerator[Finder]:
    pytest.fail(f"GitHub at {settings.github_api_url} is asked for nothing")
    yield Installed()


def asking(
    *repositories: str, installations: tuple[int, ...] = (), expires: str = "90d", **may: bool
) -> Asking:
    rights = {"everything": False, "act": False, "post": False, **may}
    return Asking("ci", repositories, installations, expires=expires, **rights)


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("30d", NOW + timedelta(days=30)),
        ("12h", NOW + timedelta(hours=12)),
        ("2027-01-01", datetime(2027, 1, 1, tzinfo=UTC)),
        ("2027-01-01T00:00:00+01:00", datetime(2026, 12, 31, 23, tzinfo=UTC)),
        ("never", None),
    ],
)
def test_an_end_is_a_span_a_date_or_never(text, end):
    assert expiry(text, NOW) == end


@pytest.mark.parametrize(
    "text",
    ["", "soon", "30", "30m", "-1d", "0d", "1.5d", "2026-11-25", "2020-01-01", "٣d", "999999d", "Never"],
)
def test_what_says_no_end_ahead_is_refused_with_what_to_write(text):
    with pytest.raises(BadInput, match=r"is not ahead|write 30d"):
        expiry(text, NOW)


async def test_repositories_are_kept_by_number_whatever_they_are_called_later(database):
    made = await wanted(asking("octo/shop", "octo/calc", "octo/Shop", act=True), BARE, opening)
    token, text = await Tokens(database).create(made)

    assert made.pays is None
    kept = "SELECT id, repository_ids, homes, repositories, installations FROM tokens"
    assert await rows(database, kept) == [(token, [70, 71], [7, 7], ["octo/shop", "octo/calc"], [])]
    assert text.startswith(f"sluice_{token}_")


@pytest.mark.parametrize(
    ("asked", "pays"),
    [
        (asking("octo/shop", post=True), 7),
        (asking("octo/shop", "octo/calc", post=True), 7),
        (asking("octo/shop", post=True, installations=(7,)), 7),
        (asking(post=True, installations=(8,)), 8),
        (asking("octo/shop", "else/shop", post=True), None),
        (asking("octo/shop", post=True, installations=(8,)), None),
        (asking("octo/shop"), None),
        (asking("octo/shop", post=True, everything=True), None),
        (asking(post=True), None),
    ],
)
async def test_an_installation_pays_for_what_a_token_posts_that_sees_it_alone(asked, pays):
    assert (await wanted(asked, BARE, opening)).pays == pays


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (asking(), "give --repository, --installation, --everything or --post"),
        (asking(act=True), "give --repository"),
        (asking(act=True, post=True), "--act needs something"),
        (asking("octo/other"), r"octo/other: there is no such repository, or the app is not installed"),
        (asking(installations=(7, 9)), "--installation 9: the app has no such installation"),
        (asking("shop"), "write OWNER/NAME"),
        (asking("octo/shop/../x"), "write OWNER/NAME"),
        (asking("octo/shop", expires="soon"), "write 30d"),
    ],
)
async def test_what_can_not_be_made_is_refused_with_what_to_give(asked, words):
    with pytest.raises(BadInput, match=words):
        await wanted(asked, BARE, opening)


async def test_github_is_asked_only_for_repositories_and_installations():
    made = await wanted(asking(post=True, expires="never"), BARE, never)

    assert made == Wanted(name="ci", may_post=True)


async def test_without_the_apps_key_a_repository_can_not_be_found():
    with pytest.raises(BadSettings, match="GITHUB_PRIVATE_KEY"):
        await wanted(asking("octo/shop"), BARE, open_finder)


async def test_of_a_token_only_a_hash_of_the_whole_is_kept(database):
    token, text = await Tokens(database).create(Wanted(name="ci", may_post=True))

    assert re.fullmatch(r"sluice_[0-9a-f]{12}_[A-Za-z0-9_-]{43}", text)
    assert token_id(text) == token
    assert await rows(database, "SELECT hash FROM tokens") == [(digest(text),)]
    secret = text.removeprefix(f"sluice_{token}_")
    assert secret not in str(await rows(database, "SELECT * FROM tokens"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sluice_",
        "sluice_000000000000_",
        "sluice_000000000000_short",
        "sluice_é_" + "a" * 43,
        "x" * 10_000,
    ],
)
def test_what_is_no_token_has_no_id(text):
    assert token_id(text) is None


@asynccontextmanager
async def installed(folder: Path) -> AsyncGenerator[tuple[int, dict[str, str]]]:
    """An installation's number, and the app's environment."""
    sandbox = Sandbox.create(webhook_secret="a made-up webhook secret", webhook_url=None)
    repository = await make_repository(folder / "repo")
    number = sandbox.add_repository("octo/calc", git_dir=repository, default_branch="main").installation_id
    async with running(sandbox) as api:
        yield (
            number,
            {
                "GITHUB_API_URL": api,
                "GITHUB_CLIENT_ID": sandbox.state.client_id,
                "GITHUB_PRIVATE_KEY": sandbox.state.private_key_pem,
            },
        )


async def test_github_says_whether_there_is_such_an_installation(tmp_path):
    async with installed(tmp_path) as (number, env):
        settings = Settings.model_validate({name.lower(): value for name, value in env.items()})
        made = await wanted(asking(installations=(number, number)), settings, open_finder)
        assert made.installations == (number,)
        with pytest.raises(BadInput, match=f"--installation {number + 99}: the app has no such installation"):
            await wanted(asking(installations=(number, number + 99)), settings, open_finder)


async def test_the_command_makes_lists_and_revokes(database_url, tmp_path):
    async with installed(tmp_path) as (number, github):
        arguments = ("--name", "[nightly]", "--installation", f"{number}", "--act", "--post")
        done = await asyncio.to_thread(
            lambda: sluice("token", "create", *arguments, cwd=tmp_path, DATABASE_URL=database_url, **github)
        )
    env = {"DATABASE_URL": database_url}
    text, told = done.stdout.split("\n", 1)
    token = token_id(text)
    end = datetime.now(UTC) + timedelta(days=90)

    assert done.returncode == 0, done.stderr
    assert token is not None
    assert (
        f"Token {token} of [nightly]: see, cancel and run again all of installation {number}; "
        "post diffs; until" in told
    )
    assert f"{end:%Y-%m-%d}" in told
    assert f"budget of installation {number}" in told
    listed = sluice("token", "list", cwd=tmp_path, **env).stdout
    assert token in listed
    assert "[nightly]" in listed
    assert text not in listed
    assert "is revoked" in sluice("token", "revoke", token, cwd=tmp_path, **env).stdout
    assert "revoked 20" in sluice("token", "list", cwd=tmp_path, **env).stdout


def test_the_command_says_what_is_wrong(database_url, tmp_path):
    made = ("create", "--name", "x", "--post")
    for arguments, words in (
        (("create", "--name", "x"), "give --repository"),
        (("create", "--name", " ", "--post"), "--name is empty"),
        ((*made, "--installation", "-5"), "Invalid value"),
        ((*made, "--installation", "9" * 20), "Invalid value"),
        (("revoke", "000000000000"), "there is no token 000000000000"),
    ):
        done = sluice("token", *arguments, cwd=tmp_path, DATABASE_URL=database_url)
        assert done.returncode == 2
        assert words in done.stderr
        assert "Traceback" not in done.stderr
