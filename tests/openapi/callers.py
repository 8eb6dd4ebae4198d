"""Every kind of caller, what each shows, and which reviews each sees.

To add a kind of caller, put what it shows into `shown_by` under its name in `Kind`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import Any, Final

import aiohttp

from tests.scenarios.app import TOKEN, World
from webhooks.access.tokens import Tokens, Wanted
from webhooks.news import Place
from webhooks.sandbox import Repository

_CSRF = re.compile(r'<meta name="csrf" content="([0-9a-f]{64})">')


class Kind(Enum):
    """Who calls, beside a review of a repository's pull request."""

    NOBODY = auto()
    WRONG_TOKEN = auto()
    REVOKED_TOKEN = auto()
    EXPIRED_TOKEN = auto()
    OTHER_TENANT = auto()  # a token for another installation, which may act there
    READER = auto()  # a token for the repository, to read
    ACTOR = auto()  # a token for the repository's installation, which may act
    POSTER = auto()  # a token that may post, and sees what was posted with it
    OPERATOR = auto()
    COOKIE_WITHOUT_CSRF = auto()  # the operator's, from a page that is not ours
    MAINTAINER = auto()  # logged in through GitHub, where they may write to the repository
    ONLOOKER = auto()  # logged in through GitHub, where they may read it
    STRANGER = auto()  # logged in through GitHub, where they see a repository of another tenant


UNKNOWN: Final = (Kind.NOBODY, Kind.WRONG_TOKEN, Kind.REVOKED_TOKEN, Kind.EXPIRED_TOKEN)
KNOWN: Final = tuple(kind for kind in Kind if kind not in UNKNOWN)
_ALL_SEEING: Final = (Kind.OPERATOR, Kind.COOKIE_WITHOUT_CSRF)


class Subject(Enum):
    """A review that there is."""

    PULL_REQUEST = auto()
    OTHER_TENANTS = auto()
    POSTED = auto()


SEES: Final[Mapping[Subject, frozenset[Kind]]] = {
    Subject.PULL_REQUEST: frozenset(
        {*_ALL_SEEING, Kind.READER, Kind.ACTOR, Kind.MAINTAINER, Kind.ONLOOKER},
    ),
    Subject.OTHER_TENANTS: frozenset({*_ALL_SEEING, Kind.OTHER_TENANT, Kind.STRANGER}),
    Subject.POSTED: frozenset({*_ALL_SEEING, Kind.POSTER}),
}
ACTS: Final[Mapping[Subject, frozenset[Kind]]] = {
    Subject.PULL_REQUEST: frozenset({Kind.OPERATOR, Kind.ACTOR, Kind.MAINTAINER}),
    Subject.OTHER_TENANTS: frozenset({Kind.OPERATOR, Kind.OTHER_TENANT, Kind.STRANGER}),
    Subject.POSTED: frozenset({Kind.OPERATOR, Kind.POSTER}),
}
"""Whose cancelling and running again is granted."""

Shown = Mapping[str, str]
"""The headers of a caller's requests."""


async def shown_by(app: World, tokens: Tokens, ours: Repository, theirs: Repository) -> dict[Kind, Shown]:
    """What each kind shows; `theirs` is the other tenant's repository."""

    async def token(**wanted: Any) -> Shown:
        return _bearer((await tokens.create(Wanted(name="made up", **wanted)))[1])

    place = Place(ours.installation_id, ours.id, ours.full_name)
    revoked, text = await tokens.create(Wanted(name="made up", everything=True, may_act=True, may_post=True))
    assert await tokens.revoke(revoked)
    app.sandbox.let_in(ours, "mona", "write")
    app.sandbox.let_in(ours, "lisa", "read")
    app.sandbox.let_in(theirs, "hubot", "write")
    return {
        Kind.NOBODY: {},
        Kind.WRONG_TOKEN: _bearer("made up, and not the access token"),
        Kind.REVOKED_TOKEN: _bearer(text),
        Kind.EXPIRED_TOKEN: await token(
            everything=True, may_act=True, may_post=True, expires_at=datetime.now(UTC) - timedelta(hours=1)
        ),
        Kind.OTHER_TENANT: await token(installations=(theirs.installation_id,), may_act=True),
        Kind.READER: await token(places=(place,)),
        Kind.ACTOR: await token(installations=(ours.installation_id,), may_act=True),
        Kind.POSTER: await token(may_post=True),
        Kind.OPERATOR: _bearer(TOKEN),
        Kind.COOKIE_WITHOUT_CSRF: await _cookie_of_operator(app),
        Kind.MAINTAINER: await _person(app, "mona"),
        Kind.ONLOOKER: await _person(app, "lisa"),
        Kind.STRANGER: await _person(app, "hubot"),
    }


def _bearer(token: str) -> Shown:
    return {"Authorization": f"Bearer {token}"}


def _browser() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))


def _cookie(browser: aiohttp.ClientSession) -> Shown:
    (cookie,) = (each for each in browser.cookie_jar if each.key == "sluice")
    return {"Cookie": f"sluice={cookie.value}"}


async def _cookie_of_operator(app: World) -> Shown:
    async with _browser() as browser:
        form, headers = {"token": TOKEN}, {"Origin": app.url}
        async with browser.post(f"{app.url}/login", data=form, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
        return _cookie(browser)


async def _person(app: World, login: str) -> Shown:
    app.sandbox.sign_in(login)
    async with _browser() as browser, browser.get(f"{app.url}/login/github") as answer:
        csrf = _CSRF.search(await answer.text())
        assert csrf is not None
        assert login in await answer.text()
        return {**_cookie(browser), "X-CSRF-Token": csrf[1]}


@dataclass(frozen=True, slots=True)
class Row:
    """The status that each kind gets, and how the operation is asked."""

    statuses: Mapping[Kind, int]
    query: str = ""
    body: bytes | None = None
    content_type: str = "text/x-diff"

    def asked(self, query: str = "", body: bytes | None = None) -> Row:
        """The same, asked with this."""
        return replace(self, query=query, body=body)

    def but(self, **changes: int) -> Row:
        """The same, save for some kinds, by their names in small letters."""
        return replace(self, statuses={**self.statuses, **{Kind[k.upper()]: v for k, v in changes.items()}})


def for_all(status: int) -> Row:
    """Whoever calls."""
    return Row(dict.fromkeys(Kind, status))


def for_known(status: int = 200) -> Row:
    """Whoever shows who they are; what they get holds only what they see."""
    return Row({**dict.fromkeys(KNOWN, status), **dict.fromkeys(UNKNOWN, 401)})


def for_some(granted: frozenset[Kind], status: int = 200) -> Row:
    """These kinds; for the other ones there is no such thing."""
    return Row({**for_known(404).statuses, **dict.fromkeys(granted, status)})


def page(granted: frozenset[Kind] = frozenset(KNOWN)) -> Row:
    """A page for these kinds; whoever is unknown is sent to log in."""
    return Row({**for_some(granted).statuses, **dict.fromkeys(UNKNOWN, 303)})


def change(granted: frozenset[Kind], status: int) -> Row:
    """These kinds may change something; a cookie alone changes nothing."""
    return for_some(granted, status).but(cookie_without_csrf=400)
