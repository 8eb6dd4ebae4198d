"""What a person may see: what GitHub says they may, asked again from time to time.

What GitHub said less than `every` seconds ago holds. Once it is older, it is asked for anew at the next use:
until it is twice as old requests go on with the old answer meanwhile, then they wait for the new one. While
GitHub can't be asked the old answer holds for an hour. A session asks once at a time, over all processes:
a refresh token can be used only once.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog
from cryptography.fernet import InvalidToken
from pydantic import TypeAdapter

from reviewer.errors import ForgeError, ForgeUnavailable, StoreUnavailable
from webhooks.access.keys import Keys
from webhooks.access.sessions import Session, Sessions
from webhooks.github.users import Grant, LoginRefused, Person, SeenRepository

LONGEST_SECONDS = 3600.0
"""What GitHub said holds so long at most while it can't be asked."""
CLAIM_SECONDS = 30.0
"""Who set out to ask GitHub is given so long before another does."""
EARLY = timedelta(minutes=5)
"""A grant is renewed when it is to end within this time."""

_LOOKS, _PAUSE = 40, 0.25
_GRANTS = TypeAdapter(Grant)
_log = structlog.get_logger("sluice.sights")


class Users(Protocol):
    """GitHub, asked as the person who logs in."""

    def authorize_url(self, *, state: str, challenge: str, redirect_uri: str) -> str:
        """Where the person lets the app in."""
        ...

    async def redeem(self, code: str, verifier: str, redirect_uri: str) -> Grant:
        """The grant that a code stands for."""
        ...

    async def refresh(self, grant: Grant) -> Grant:
        """A grant in the old one's place, which no longer holds."""
        ...

    async def person(self, grant: Grant) -> Person:
        """Who gave the grant."""
        ...

    async def repositories(self, grant: Grant) -> list[SeenRepository]:
        """All that person and app both see."""
        ...


@dataclass(frozen=True, slots=True)
class Seen:
    """Numbers of repositories: those somebody sees, and among them those they may push to."""

    sees: tuple[int, ...]
    acts_on: tuple[int, ...]

    @classmethod
    def of(cls, repositories: list[SeenRepository]) -> Seen:
        """From GitHub's list."""
        pushed = tuple(each.id for each in repositories if each.may_push)
        return cls(tuple(each.id for each in repositories), pushed)


class Sights:
    """Keeps what the people see who are logged in."""

    def __init__(self, sessions: Sessions, keys: Keys, users: Users, *, every: float) -> None:
        self._sessions = sessions
        self._keys = keys
        self._users = users
        self._every = every
        self._longest = max(LONGEST_SECONDS, 2 * every)
        self._asking: set[asyncio.Task[None]] = set()

    async def begin(self, grant: Grant) -> str:
        """Begin a session of whoever gave this grant; the cookie's secret.

        Raises:
            LoginRefused: GitHub does not let them in.
            ForgeError: it can't be asked.
        """
        person, seen = await self._users.person(grant), Seen.of(await self._users.repositories(grant))
        return await self._sessions.of_person(
            person.id, person.login, sealed=await self._seal(grant), sees=seen.sees, acts_on=seen.acts_on
        )

    async def current(self, session: Session) -> Session | None:
        """The session with what its person may see by now; None if it has ended.

        Raises:
            ForgeUnavailable: nobody knows what they may see.
        """
        if session.age < self._every:
            return session
        may_wait = session.age < 2 * self._every or (session.failing and session.age < self._longest)
        if await self._sessions.claim(session.hash, seconds=CLAIM_SECONDS):
            asking = asyncio.create_task(self._ask(session), name="ask GitHub what a person sees")
            self._asking.add(asking)
            asking.add_done_callback(self._asked)
            if not may_wait:
                await asking
                return self._known(await self._sessions.find(session.hash))
        return session if may_wait else await self._told_by_another(session)

    def _asked(self, done: asyncio.Task[None]) -> None:
        self._asking.discard(done)
        if not done.cancelled() and (error := done.exception()):
            _log.warning("what GitHub said of a person is not kept", error=str(error))

    async def _told_by_another(self, session: Session) -> Session | None:
        """What comes of it that another request or process asks."""
        found: Session | None = session
        for _ in range(_LOOKS):
            found = await self._sessions.find(session.hash)
            if found is None or found.age < self._every or found.failing:
                return self._known(found)
            await asyncio.sleep(_PAUSE)
        raise ForgeUnavailable("GitHub has not said yet what you may see; try again soon")

    def _known(self, session: Session | None) -> Session | None:
        if session is not None and session.age >= self._longest:
            raise ForgeUnavailable("GitHub can't be asked what you may see; try again soon")
        return session

    async def _ask(self, session: Session) -> None:
        try:
            seen = await self._seen(session)
        except (LoginRefused, InvalidToken) as refusal:
            await self._sessions.end(session.hash)
            _log.info("session ended by GitHub", login=session.login, reason=str(refusal))
        except (ForgeError, StoreUnavailable) as error:
            _log.warning("GitHub not asked what a person sees", login=session.login, error=str(error))
            if not isinstance(error, StoreUnavailable):
                await self._sessions.note_failure(session.hash)
        else:
            await self._sessions.note_sight(session.hash, sees=seen.sees, acts_on=seen.acts_on)

    async def _seen(self, session: Session) -> Seen:
        # Read anew: whoever asked before may have renewed it
        found = await self._sessions.find(session.hash)
        if found is None or found.sealed is None:
            raise InvalidToken
        grant = _GRANTS.validate_json((await self._keys.seal("grants")).decrypt(found.sealed))
        if grant.expires_at is not None and grant.expires_at <= datetime.now(UTC) + EARLY:
            grant = await self._users.refresh(grant)
            await self._sessions.keep_grant(session.hash, await self._seal(grant))
        return Seen.of(await self._users.repositories(grant))

    async def _seal(self, grant: Grant) -> bytes:
        return (await self._keys.seal("grants")).encrypt(_GRANTS.dump_json(grant))
