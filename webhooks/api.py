"""JSON for people's tools."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from reviewer.store.database import Database
from webhooks.summaries import review_summaries, review_summary

_MOST = 200


class Reviews:
    """Reviews as the feed tells them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def listing(self, request: Request) -> Response:
        """`GET /reviews?limit=50`: newest first."""
        text = request.query_params.get("limit", "50")
        if not text.isdecimal() or not 1 <= int(text) <= _MOST:
            raise HTTPException(400, f"limit is a number from 1 to {_MOST}")
        async with self._database.connection() as connection:
            found = await review_summaries(connection, limit=int(text))
        return JSONResponse({"reviews": [summary.as_json() for summary in found]})

    async def one(self, request: Request) -> Response:
        """`GET /reviews/{id}`."""
        async with self._database.connection() as connection:
            found = await review_summary(connection, request.path_params["id"])
        if found is None:
            raise HTTPException(404, "no such review")
        return JSONResponse(found.as_json())
