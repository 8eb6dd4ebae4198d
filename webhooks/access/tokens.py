"""Access tokens for tools: what each may, until when, and of its secret only a hash."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg.rows import class_row

from reviewer.errors import BadInput
from reviewer.store.database import Database
from reviewer.store.queries import query
from webhooks.news import Place

DEFAULT_EXPIRY = "90d"

_SQL = ("webhooks.sql", "access.sql")
_ID_BYTES, _SECRET_BYTES = 6, 32
_TEXT = re.compile(r"sluice_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")
_SPAN = re.compile(r"([0-9]{1,5})([dh])")
_UNITS = {"d": timedelta(days=1), "h": timedelta(hours=1)}


def digest(text: str) -> bytes:
    """What is kept of a credential, whichever it is."""
    return hashlib.sha256(text.encode()).digest()


def token_id(text: str) -> str | None:
    """The id in a token's text; None for what is no token."""
    found = _TEXT.fullmatch(text)
    return found[1] if found else None


def expiry(text: str, now: datetime) -> datetime | None:
    """When a token ends: `30d`, `12h`, a date or a time; None for `never`.

    Raises:
        BadInput: it is none of these, or not ahead.
    """
    if text == "never":
        return None
    end = now + int(span[1]) * _UNITS[span[2]] if (span := _SPAN.fullmatch(text)) else _time(text)
    if end <= now:
        raise BadInput(f"{text!r} is not ahead: a token can't end before it begins")
    return end


def _time(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(f"{text!r} says no end: write 30d, 12h, a date such as 2027-01-01, or never") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A token to be made.

    Attributes:
        installations: all their repositories, also those that come later.
        places: single repositories, each as long as it belongs to the same installation.
        everything: all that the operator sees.
        may_act: it may cancel and run again what it sees.
        may_post: it may have diffs reviewed.
        expires_at: None: never.
    """

    name: str
    installations: tuple[int, ...] = ()
    places: tuple[Place, ...] = ()
    everything: bool = False
    may_act: bool = False
    may_post: bool = False
    expires_at: datetime | None = None

    @property
    def pays(self) -> int | None:
        """The installation whose budget posted diffs draw on too: the only one that is seen."""
        owners = {*self.installations, *(place.installation for place in self.places)}
        return owners.pop() if self.may_post and not self.everything and len(owners) == 1 else None

    def require_scope(self) -> None:
        """Refuse a token that could do nothing, or that nobody would know in a list.

        Raises:
            BadInput: saying what to give.
        """
        if not self.name.strip():
            raise BadInput("--name is empty: say who uses the token")
        seen = self.everything or self.installations or self.places
        if not seen and not self.may_post:
            raise BadInput(
                "a token without a scope could do nothing: "
                "give --repository, --installation, --everything or --post"
            )
        if not seen and self.may_act:
            raise BadInput(
                "--act needs something to act on: give --repository, --installation or --everything"
            )


@dataclass(frozen=True, slots=True)
class Token:
    """A token as lists show it; its secret is nowhere."""

    id: str
    name: str
    installations: list[int]
    repository_ids: list[int]
    repositories: list[str]
    everything: bool
    may_act: bool
    may_post: bool
    pays: int | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    used_at: datetime | None


@dataclass(frozen=True, slots=True)
class LiveToken:
    """A token that holds now, for `seconds_left` more; None: for ever.

    Its repositories are those that still belong to the installation that they were given for.
    """

    id: str
    hash: bytes
    name: str
    installations: list[int]
    repository_ids: list[int]
    everything: bool
    may_act: bool
    may_post: bool
    pays: int | None
    seconds_left: float | None
    use_unnoted: bool


class Tokens:
    """All tokens."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, wanted: Wanted) -> tuple[str, str]:
        """Make a token; its id, and its text, which can't be had again.

        Raises:
            BadInput: it could do nothing.
        """
        wanted.require_scope()
        made = secrets.token_hex(_ID_BYTES)
        text = f"sluice_{made}_{secrets.token_urlsafe(_SECRET_BYTES)}"
        values: dict[str, Any] = {
            "id": made,
            "hash": digest(text),
            "name": wanted.name,
            "installations": list(wanted.installations),
            "repository_ids": [place.repository_id for place in wanted.places],
            "homes": [place.installation for place in wanted.places],
            "repositories": [place.repository for place in wanted.places],
            "everything": wanted.everything,
            "may_act": wanted.may_act,
            "may_post": wanted.may_post,
            "pays": wanted.pays,
            "expires_at": wanted.expires_at,
        }
        async with self._database.connection() as connection:
            await connection.execute(query(*_SQL, "make_token"), values)
        return made, text

    async def all(self) -> list[Token]:
        """Every token, also those that hold no more, oldest first."""
        async with (
            self._database.connection() as connection,
            connection.cursor(row_factory=class_row(Token)) as rows,
        ):
            await rows.execute(query(*_SQL, "tokens"))
            return await rows.fetchall()

    async def revoke(self, token: str) -> bool:
        """End a token and all sessions that began with it; False if there is none of this id."""
        async with self._database.connection() as connection:
            return (await connection.execute(query(*_SQL, "revoke_token"), {"id": token})).rowcount > 0

    async def shown(self, token: str, shown: bytes) -> LiveToken | None:
        """The token, if it holds and this is the digest of its text."""
        found = await self.live(token)
        return found if found is not None and hmac.compare_digest(found.hash, shown) else None

    async def live(self, token: str) -> LiveToken | None:
        """The token, if it holds; that it is used is noted once a minute."""
        values = {"id": token}
        async with (
            self._database.connection() as connection,
            connection.cursor(row_factory=class_row(LiveToken)) as rows,
        ):
            await rows.execute(query(*_SQL, "live_token"), values)
            found = await rows.fetchone()
            if found is not None and found.use_unnoted:
                await connection.execute(query(*_SQL, "note_use"), values)
            return found
