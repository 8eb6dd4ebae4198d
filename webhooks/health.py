"""Whether the process lives, and whether it can work."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from reviewer.store.database import Database


async def live(request: Request) -> Response:  # noqa: ARG001 - Starlette gives it
    """`GET /livez`."""
    return PlainTextResponse("ok\n")


class Readiness:
    """`GET /readyz`: 200 when the database answers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ready(self, request: Request) -> Response:  # noqa: ARG002 - Starlette gives it
        """200, or the database's error by way of the HTTP error boundary (503)."""
        async with self._database.connection() as connection:
            await connection.execute("SELECT 1")
        return PlainTextResponse("ok\n")
