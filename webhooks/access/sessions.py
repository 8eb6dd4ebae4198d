"""Browsers that are logged in. The cookie holds a secret, the table only its hash."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import class_row

from reviewer.store.database import Database
from reviewer.store.queries import query
from webhooks.access.tokens import digest
from webhooks.news import PersonGone

SESSION_SECONDS = 14 * 24 * 3600
"""A session ends so long after its login, whether it is used or not."""

_SQL = ("webhooks.sql", "access.sql")
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Session:
    """A session that has not ended; by a token, by the operator's, or of a person on GitHub.

    Attributes:
        hash: of the cookie's secret.
        token: id of the access token that it began with.
        operator_hash: of the operator's token that it began with.
        github_user: number of the person.
        login: their name.
        sealed: GitHub's grant, encrypted.
        repository_ids: what they see.
        acts_on: where they may push.
        age: seconds since GitHub said so.
        failing: GitHub could not be asked since.
        seconds_left: until it ends.
    """

    hash: bytes
    token: str | None
    operator_hash: bytes | None
    github_user: int | None
    login: str | None
    sealed: bytes | None
    repository_ids: list[int]
    acts_on: list[int]
    age: float
    failing: bool
    seconds_left: float


class Sessions:
    """All sessions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_token(self, token: str) -> str:
        """Begin a session that ends with the token at the latest; the cookie's secret."""
        return await self._begin(token=token)

    async def of_operator(self, operator_hash: bytes) -> str:
        """Begin a session that ends at the latest when the operator has another token."""
        return await self._begin(operator_hash=operator_hash)

    async def of_person(
        self, user: int, login: str, *, sealed: bytes, sees: Sequence[int], acts_on: Sequence[int]
    ) -> str:
        """Begin a session of somebody on GitHub."""
        return await self._begin(
            github_user=user, login=login, sealed=sealed, repository_ids=list(sees), acts_on=list(acts_on)
        )

    async def _begin(self, **given: Any) -> str:
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        values: dict[str, Any] = {
            **dict.fromkeys(("token", "operator_hash", "github_user", "login", "sealed")),
            "repository_ids": [],
            "acts_on": [],
            **given,
            "hash": digest(secret),
            "seconds": SESSION_SECONDS,
        }
        async with self._database.connection() as connection:
            await connection.execute(query(*_SQL, "expire_sessions"))
            await connection.execute(query(*_SQL, "begin_session"), values)
        return secret

    async def find(self, hash_: bytes) -> Session | None:
        """The session, unless it has ended."""
        async with (
            self._database.connection() as connection,
            connection.cursor(row_factory=class_row(Session)) as rows,
        ):
            await rows.execute(query(*_SQL, "live_session"), {"hash": hash_})
            return await rows.fetchone()

    async def end(self, hash_: bytes) -> None:
        """End a session; one that is not there has ended."""
        await self._change("end_session", hash=hash_)

    async def claim(self, hash_: bytes, *, seconds: float) -> bool:
        """Whether the caller is to ask GitHub now; then nobody else is for so many seconds."""
        return await self._change("claim_session", hash=hash_, seconds=seconds) > 0

    async def keep_grant(self, hash_: bytes, sealed: bytes) -> None:
        """Put a renewed grant in the old one's place."""
        await self._change("keep_grant", hash=hash_, sealed=sealed)

    async def note_sight(self, hash_: bytes, *, sees: Sequence[int], acts_on: Sequence[int]) -> None:
        """Keep what GitHub says now."""
        await self._change("note_sight", hash=hash_, repository_ids=list(sees), acts_on=list(acts_on))

    async def note_failure(self, hash_: bytes) -> None:
        """Keep that GitHub could not be asked."""
        await self._change("note_failure", hash=hash_)

    async def _change(self, name: str, **values: Any) -> int:
        async with self._database.connection() as connection:
            return (await connection.execute(query(*_SQL, name), values)).rowcount


async def end_sessions(connection: AsyncConnection, news: PersonGone) -> str:
    """End all sessions of a person on GitHub; what was done, for people."""
    cursor = await connection.execute(query(*_SQL, "end_sessions_of"), {"user": news.user})
    # In a pipeline the count of rows is known only once they are read
    ended = len(await cursor.fetchall())
    return f"{news.login} is logged out of {ended} browsers"


async def expire_access(connection: AsyncConnection, days: int) -> tuple[int, int]:
    """Drop sessions that have ended, and tokens that ended so many days ago; how many of each."""
    sessions = (await connection.execute(query(*_SQL, "expire_sessions"))).rowcount
    return sessions, (await connection.execute(query(*_SQL, "expire_tokens"), {"days": days})).rowcount
