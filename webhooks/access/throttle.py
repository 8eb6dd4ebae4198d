"""How often somebody may ask, counted in this process over the last minute."""

from __future__ import annotations

import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

from starlette.exceptions import HTTPException
from starlette.requests import Request

LOGINS_A_MINUTE = 10
WRONG_TOKENS_A_MINUTE = 30

_WINDOW_SECONDS = 60.0
_HOME_BITS = 64
"""Who has one IPv6 address has so large a network of them."""


def address_of(request: Request) -> str:
    """Whom a request is counted for that shows nothing: its address; of IPv6 the network."""
    host = request.client.host if request.client else "unknown"
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return f"{IPv6Address(int(address) >> _HOME_BITS << _HOME_BITS)}/{_HOME_BITS}"


class Window:
    """When each has come in the last minute. What a visit costs does not depend on how many there are."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._seen: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()  # who came last is last

    def __len__(self) -> int:
        return len(self._seen)

    def wait(self, kind: str, who: str, most: int) -> float:
        """Seconds until somebody may come again; 0: now."""
        now = self._now()
        times = self._seen.get((kind, who))
        while times and times[0] <= now - _WINDOW_SECONDS:
            times.popleft()
        return times[-most] + _WINDOW_SECONDS - now if times and len(times) >= most else 0.0

    def note(self, kind: str, who: str) -> None:
        """Somebody has come."""
        now = self._now()
        self._seen.setdefault((kind, who), deque()).append(now)
        self._seen.move_to_end((kind, who))
        while next(iter(self._seen.values()))[-1] <= now - _WINDOW_SECONDS:
            self._seen.popitem(last=False)


class Throttle:
    """Refuses with 429 what comes too often; `per_minute` 0 bounds logins and wrong tokens only."""

    def __init__(self, per_minute: int) -> None:
        self._window = Window()
        self._per_minute = per_minute

    async def request_by(self, caller: str) -> None:
        """Count a request of a caller."""
        if self._per_minute:
            self._count(self._per_minute, "caller", caller)

    async def request_from(self, address: str) -> None:
        """Count a request that shows nothing which holds."""
        if self._per_minute:
            self._count(self._per_minute, "address", address)

    async def login(self, address: str) -> None:
        """Count an attempt to log in."""
        self._count(LOGINS_A_MINUTE, "login", address)

    async def wrong_token(self, address: str) -> None:
        """Count a token that does not hold."""
        self._count(WRONG_TOKENS_A_MINUTE, "wrong", address)

    async def require_few_wrong(self, address: str) -> None:
        """Refuse an address that has shown too many tokens that don't hold: it may not even be right now."""
        self._require(WRONG_TOKENS_A_MINUTE, "wrong", address)

    def _count(self, most: int, kind: str, who: str) -> None:
        self._require(most, kind, who)
        self._window.note(kind, who)

    def _require(self, most: int, kind: str, who: str) -> None:
        wait = self._window.wait(kind, who, most)
        if wait <= 0:
            return
        seconds = math.ceil(wait)
        what = {"login": "attempts to log in", "wrong": "wrong access tokens"}.get(kind, "requests")
        text = f"too many {what}: at most {most} a minute; come back in {seconds} s"
        raise HTTPException(429, text, headers={"Retry-After": str(seconds)})
