"""`sluice token`: make, list and revoke access tokens."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, Protocol

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from reviewer import settings as settings_module
from reviewer.cli import COULD_NOT
from reviewer.errors import BadInput, BadSettings, ForgeRefused, SluiceError
from reviewer.settings import Settings
from reviewer.store.database import migrate, open_database
from webhooks.access.tokens import DEFAULT_EXPIRY, Token, Tokens, Wanted, expiry
from webhooks.github.app import AppRoutes
from webhooks.github.auth import AppAuth
from webhooks.github.client import GitHub
from webhooks.news import Place
from webhooks.wiring import MIGRATIONS

app = typer.Typer(no_args_is_help=True, help="Access tokens for tools and people.")
LARGEST_ID = 2**63 - 1
"""Of an installation, as the database keeps it."""
_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_console = Console(highlight=False, soft_wrap=True)
_errors = Console(stderr=True, highlight=False, soft_wrap=True)


class Finder(Protocol):
    """GitHub, asked as the app for what a token is to see."""

    async def find(self, full_name: str) -> Place:
        """Where a repository is; refused where the app is not installed."""
        ...

    async def installation(self, number: int) -> object:
        """An installation of the app; refused if there is none of this number."""
        ...


@dataclass(frozen=True, slots=True)
class Asking:
    """A token as it was asked for, with names and times as people write them."""

    name: str
    repositories: Sequence[str]
    installations: Sequence[int]
    everything: bool
    act: bool
    post: bool
    expires: str


FinderOpening = Callable[[Settings], AbstractAsyncContextManager[Finder]]


@app.command()
def create(  # noqa: PLR0917 - typer calls it by name
    name: Annotated[str, typer.Option("--name", help="For people: who uses it.")],
    repository: Annotated[
        list[str] | None,
        typer.Option(
            "--repository", help="It sees this OWNER/NAME while that is of the same account; may be repeated."
        ),
    ] = None,
    installation: Annotated[
        list[int] | None,
        typer.Option(
            "--installation",
            min=1,
            max=LARGEST_ID,
            help="It sees all repositories of this installation; may be repeated.",
        ),
    ] = None,
    everything: Annotated[bool, typer.Option("--everything", help="It sees all that there is.")] = False,
    act: Annotated[bool, typer.Option("--act", help="It may cancel and run again what it sees.")] = False,
    post: Annotated[bool, typer.Option("--post", help="It may have diffs reviewed.")] = False,
    expires: Annotated[
        str, typer.Option("--expires", help="30d, 12h, 2027-01-01 or never.")
    ] = DEFAULT_EXPIRY,
) -> None:
    """Make a token and print it, once."""
    asking = Asking(name, repository or (), installation or (), everything, act, post, expires)
    _run(_create(asking))


@app.command(name="list")
def list_() -> None:
    """Show all tokens: what each may, until when, and when it was used last."""
    _run(_list())


@app.command()
def revoke(
    token: Annotated[str, typer.Argument(metavar="ID", help="As `sluice token list` shows it.")],
) -> None:
    """End a token, and the sessions that began with it."""
    _run(_revoke(token))


async def wanted(asking: Asking, settings: Settings, opening: FinderOpening) -> Wanted:
    """The token that is asked for; GitHub is asked only for repositories and installations.

    Raises:
        BadInput: saying what to give instead.
    """
    expires_at = expiry(asking.expires, datetime.now(UTC))
    installations, places = await _scope(asking, settings, opening)
    made = Wanted(
        name=asking.name,
        installations=installations,
        places=places,
        everything=asking.everything,
        may_act=asking.act,
        may_post=asking.post,
        expires_at=expires_at,
    )
    made.require_scope()
    return made


async def _scope(
    asking: Asking, settings: Settings, opening: FinderOpening
) -> tuple[tuple[int, ...], tuple[Place, ...]]:
    """The installations and repositories that are asked for, as GitHub knows them."""
    numbers = tuple(dict.fromkeys(asking.installations))
    if not numbers and not asking.repositories:
        return (), ()
    async with opening(settings) as finder:
        for number in numbers:
            await _require_installation(finder, number)
        return numbers, await _places(finder, asking.repositories)


async def _require_installation(finder: Finder, number: int) -> None:
    try:
        await finder.installation(number)
    except ForgeRefused as refusal:
        if refusal.status != HTTPStatus.NOT_FOUND:
            raise
        raise BadInput(
            f"--installation {number}: the app has no such installation; the number is at the end of the "
            "address of the installation's settings on GitHub, and in what GET /status tells the operator"
        ) from refusal


async def _places(finder: Finder, names: Sequence[str]) -> tuple[Place, ...]:
    """Names can be given away; what a token sees is known by numbers."""
    found: dict[int, Place] = {}
    for name in names:
        if not _NAME.fullmatch(name):
            raise BadInput(f"--repository {name}: write OWNER/NAME")
        try:
            place = await finder.find(name)
        except ForgeRefused as refusal:
            raise BadInput(
                f"--repository {name}: there is no such repository, "
                f"or the app is not installed there ({refusal})"
            ) from refusal
        found[place.repository_id] = place
    return tuple(found.values())


@asynccontextmanager
async def open_finder(settings: Settings) -> AsyncGenerator[Finder]:
    """GitHub as the app.

    Raises:
        BadSettings: the app's id or key is missing.
    """
    issuer, key = settings.app_issuer, settings.private_key()
    if issuer is None or key is None:
        raise BadSettings(
            "to ask GitHub what a token is to see, GITHUB_CLIENT_ID and GITHUB_PRIVATE_KEY are needed; "
            "see the README"
        )
    async with GitHub(settings.github_api_url, AppAuth(issuer=issuer, private_key=key)) as github:
        yield AppRoutes(github)


@asynccontextmanager
async def _tokens(settings: Settings) -> AsyncGenerator[Tokens]:
    url = settings.database_url
    async with open_database(url.get_secret_value() if url else None, settings.sluice_data_dir) as database:
        await migrate(database, MIGRATIONS)
        yield Tokens(database)


async def _create(asking: Asking) -> None:
    settings = settings_module.read()
    made = await wanted(asking, settings, open_finder)
    async with _tokens(settings) as tokens:
        id_, text = await tokens.create(made)
    names = [place.repository for place in made.places]
    rights = _rights(
        names, list(made.installations), everything=made.everything, act=made.may_act, post=made.may_post
    )
    _console.print(text, markup=False)
    _console.print(f"Token {id_} of {made.name}: {rights}; {_until(made.expires_at)}.", markup=False)
    if made.pays is not None:
        _console.print(f"What it posts is paid from the budget of installation {made.pays} too.")
    _console.print("It is shown this once; only a hash of it is kept.")


async def _list() -> None:
    async with _tokens(settings_module.read()) as tokens:
        found = await tokens.all()
    if not found:
        _console.print("There are no tokens; `sluice token create` makes one.")
        return
    table = Table(box=None, pad_edge=False)
    for column in ("id", "name", "may", "ends", "used"):
        table.add_column(column)
    for token in found:
        rights = _rights(
            token.repositories,
            token.installations,
            everything=token.everything,
            act=token.may_act,
            post=token.may_post,
        )
        used = f"{token.used_at:%Y-%m-%d %H:%M}" if token.used_at else "never"
        table.add_row(token.id, escape(token.name), escape(rights), _state(token), used)
    _console.print(table)


async def _revoke(token: str) -> None:
    async with _tokens(settings_module.read()) as tokens:
        if not await tokens.revoke(token):
            raise BadInput(f"there is no token {token}; `sluice token list` shows them")
    _console.print(
        f"token {token} is revoked; within five seconds nobody comes in with it, "
        "and its open streams end within ten seconds",
        markup=False,
    )


def _rights(
    repositories: Sequence[str], installations: Sequence[int], *, everything: bool, act: bool, post: bool
) -> str:
    """What a token may, in words."""
    places = [*repositories, *(f"all of installation {number}" for number in installations)]
    seen = "everything" if everything else ", ".join(places)
    sight = f"{'see, cancel and run again' if act else 'see'} {seen}" if seen else ""
    return "; ".join(part for part in (sight, "post diffs" if post else "") if part)


def _state(token: Token) -> str:
    if token.revoked_at is not None:
        return f"revoked {token.revoked_at:%Y-%m-%d}"
    return (
        "expired" if token.expires_at and token.expires_at <= datetime.now(UTC) else _until(token.expires_at)
    )


def _until(end: datetime | None) -> str:
    return "never ends" if end is None else f"until {end.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _run(work: Coroutine[Any, Any, None]) -> None:
    """Run a command; an error of ours is a message and exit 2, never a traceback."""
    try:
        asyncio.run(work)
    except SluiceError as error:
        _errors.print(f"sluice: {error}", markup=False)
        raise typer.Exit(COULD_NOT) from error
