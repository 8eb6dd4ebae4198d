"""Where GitHub's deliveries arrive: a load balancer before the workers, and the way to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import uuid4

import aiohttp
from aiohttp import web

from tests.chaos.weather import Trouble, Weather
from tests.loopback import listening

_PATIENCE = aiohttp.ClientTimeout(total=3)
LONGEST_DELAY = 3.0


@dataclass
class Front:
    """Passes deliveries on to a worker that answers; without one it says 503.

    Attributes:
        targets: gives the workers' URLs, in the order in which they are to be tried.
        refused: deliveries that no worker has taken.
    """

    targets: Callable[[], Sequence[str]]
    weather: Weather
    url: str = ""
    refused: int = 0
    _echoes: set[asyncio.Task[int]] = field(default_factory=set[asyncio.Task[int]])

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Serve on a free port of loopback."""
        app = web.Application(client_max_size=64_000_000)
        app.router.add_post("/{path:.*}", self._take)
        async with listening(app, shutdown_seconds=0.5) as url:
            self.url = f"{url}/webhooks/github"
            yield
        await asyncio.gather(*self._echoes, return_exceptions=True)

    async def _take(self, request: web.Request) -> web.Response:
        body, headers = await request.read(), dict(request.headers)
        headers.pop("Host", None)
        match self.weather.delivery():
            case Trouble.LOST:
                return web.Response(status=503)
            case Trouble.UNCONFIRMED:
                await self._pass(request.path, body, headers)
                return web.Response(status=504)
            case Trouble.HELD:
                await asyncio.sleep(self.weather.between(0.1, LONGEST_DELAY))
            case (Trouble.TWICE | Trouble.COPIED) as trouble:
                # One push can be told under two ids: gitbutlerapp/gitbutler#14406
                id_ = {"X-GitHub-Delivery": str(uuid4())} if trouble is Trouble.COPIED else {}
                echo = asyncio.create_task(self._echo(request.path, body, {**headers, **id_}))
                self._echoes.add(echo)
                echo.add_done_callback(self._echoes.discard)
            case _:
                pass
        return web.Response(status=await self._pass(request.path, body, headers))

    async def _echo(self, path: str, body: bytes, headers: dict[str, str]) -> int:
        await asyncio.sleep(self.weather.between(0.0, LONGEST_DELAY))
        return await self._pass(path, body, headers)

    async def _pass(self, path: str, body: bytes, headers: dict[str, str]) -> int:
        async with aiohttp.ClientSession(timeout=_PATIENCE) as session:
            for target in self.targets():
                try:
                    async with session.post(target + path, data=body, headers=headers) as answer:
                        await answer.read()
                        return answer.status
                except (aiohttp.ClientError, TimeoutError):
                    continue
        self.refused += 1
        return 503
