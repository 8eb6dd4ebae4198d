"""From what somebody shows to who they are. Every request asks: what was found is kept for a moment."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from reviewer.core.audience import EVERYTHING, Sight
from webhooks.access.sessions import Session, Sessions
from webhooks.access.sights import Sights
from webhooks.access.tokens import LiveToken, Tokens, digest, token_id
from webhooks.callers import Caller

FRESH_SECONDS = 3.0
"""What was found holds so long; what is revoked holds no longer."""
MOST_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class _Found:
    caller: Caller
    seconds_left: float


@dataclass(frozen=True, slots=True)
class _Kept:
    caller: Caller
    until: float


_Key = tuple[str, bytes]


class Credentials:
    """Everything that may be shown: the operator's token, other tokens, and the cookies of sessions.

    `sights` is absent where nobody logs in through GitHub.
    """

    def __init__(
        self,
        *,
        operator: str,
        tokens: Tokens,
        sessions: Sessions,
        sights: Sights | None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._operator = digest(operator)
        self._tokens = tokens
        self._sessions = sessions
        self._sights = sights
        self._now = now
        self._kept: OrderedDict[_Key, _Kept] = OrderedDict()
        self._asking: dict[_Key, asyncio.Task[Caller | None]] = {}

    def known(self, bearer: str) -> bool:
        """Whether this token has held a moment ago."""
        return self._fresh(("bearer", digest(bearer))) is not None

    async def by_bearer(self, text: str) -> Caller | None:
        """Whose token this is; the operator's needs no database."""
        return await self._by_token(token_id(text), digest(text))

    async def by_cookie(self, text: str) -> Caller | None:
        """Whose session this is, with what its changes must carry.

        Raises:
            StoreUnavailable: the database is away.
            ForgeUnavailable: nobody knows what the person may see.
        """
        shown = digest(text)
        found = await self._recent(("cookie", shown), lambda: self._by_session(shown))
        return found and replace(found, csrf=_csrf(text))

    async def again(self, caller: Caller) -> Caller | None:
        """The same caller with what they may by now."""
        shown = caller.credential
        if caller.csrf is None:
            return await self._by_token(caller.id.removeprefix("token "), shown)
        found = await self._recent(("cookie", shown), lambda: self._by_session(shown))
        return found and replace(found, csrf=caller.csrf)

    def drop(self, shown: bytes) -> None:
        """Forget what a credential was found to be."""
        for kind in ("bearer", "cookie"):
            self._kept.pop((kind, shown), None)

    async def _by_token(self, token: str | None, shown: bytes) -> Caller | None:
        if hmac.compare_digest(shown, self._operator):
            return _operator(shown)
        if token is None:
            return None

        async def find() -> _Found | None:
            found = await self._tokens.shown(token, shown)
            return found and _of_token(found, shown)

        return await self._recent(("bearer", shown), find)

    async def _by_session(self, shown: bytes) -> _Found | None:
        session = await self._sessions.find(shown)
        if session is None:
            return None
        if session.operator_hash is not None:
            holds = hmac.compare_digest(session.operator_hash, self._operator)
            return _Found(_operator(shown), session.seconds_left) if holds else None
        if session.token is not None:
            token = await self._tokens.live(session.token)
            return token and _of_token(token, shown)
        current = await self._sights.current(session) if self._sights else None
        return current and _of_person(current, shown)

    async def _recent(self, key: _Key, find: Callable[[], Awaitable[_Found | None]]) -> Caller | None:
        """What is known, else what is found; who asks for the same meanwhile gets the same answer."""
        if (kept := self._fresh(key)) is not None:
            return kept
        asking = self._asking.get(key)
        if asking is None:
            asking = self._asking[key] = asyncio.create_task(
                self._find(key, find), name="look up a credential"
            )
            asking.add_done_callback(lambda done: self._asked(key, done))
        return await asyncio.shield(asking)

    async def _find(self, key: _Key, find: Callable[[], Awaitable[_Found | None]]) -> Caller | None:
        began = self._now()
        found = await find()
        if found is None:
            self._kept.pop(key, None)
            return None
        self._kept[key] = _Kept(found.caller, began + min(FRESH_SECONDS, found.seconds_left))
        self._kept.move_to_end(key)
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return found.caller

    def _asked(self, key: _Key, done: asyncio.Task[Caller | None]) -> None:
        self._asking.pop(key, None)
        if not done.cancelled():
            done.exception()  # seen here too, for when everybody who waited has left

    def _fresh(self, key: _Key) -> Caller | None:
        kept = self._kept.get(key)
        return kept.caller if kept is not None and self._now() < kept.until else None


def _csrf(cookie: str) -> str:
    """What only those know who know the cookie, or were told on a page of ours."""
    return hmac.new(cookie.encode(), b"sluice csrf", "sha256").hexdigest()


def _operator(shown: bytes) -> Caller:
    return Caller(
        id="operator",
        name="operator",
        sight=EVERYTHING,
        acts=EVERYTHING,
        api_key="operator",
        pays=None,
        csrf=None,
        credential=shown,
    )


def _of_token(token: LiveToken, shown: bytes) -> _Found:
    own = frozenset([token.id]) if token.may_post else frozenset[str]()
    sight = Sight(
        everything=token.everything,
        installations=frozenset(token.installations),
        repository_ids=frozenset(token.repository_ids),
        api_keys=own,
    )
    caller = Caller(
        id=f"token {token.id}",
        name=token.name,
        sight=sight,
        acts=sight if token.may_act else Sight(api_keys=own),
        api_key=token.id if token.may_post else None,
        pays=token.pays,
        csrf=None,
        credential=shown,
    )
    return _Found(caller, FRESH_SECONDS if token.seconds_left is None else token.seconds_left)


def _of_person(session: Session, shown: bytes) -> _Found:
    caller = Caller(
        id=f"user {session.github_user}",
        name=session.login or "",
        sight=Sight(repository_ids=frozenset(session.repository_ids)),
        acts=Sight(repository_ids=frozenset(session.acts_on)),
        api_key=None,
        pays=None,
        csrf=None,
        credential=shown,
    )
    return _Found(caller, session.seconds_left)
