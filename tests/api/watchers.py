"""Reviews and events put into the tables by hand, and callers who look at them over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import httpx
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from reviewer.core.audience import EVERYTHING, Audience, Sight
from reviewer.core.events import ChunkCompleted, Event, FindingMade, Subject, Usage
from reviewer.core.findings import Category, Confidence, Finding, Severity
from reviewer.store.database import Database
from reviewer.store.feed import Hub, PostgresFeed
from webhooks.callers import Caller
from webhooks.middleware import refusal_as_json

Endpoint = Callable[[Request, Caller], Awaitable[Response]]

BEGAN = datetime(2026, 5, 1, 12, tzinfo=UTC)


def caller(sight: Sight, acts: Sight | None = None, api_key: str | None = None) -> Caller:
    """Somebody with a sight, who may act on nothing unless it is said."""
    return Caller(
        id="token 1",
        name="Ada",
        sight=sight,
        acts=Sight() if acts is None else acts,
        api_key=api_key,
        pays=None,
        csrf=None,
        credential=b"",
    )


OPERATOR = caller(EVERYTHING, EVERYTHING, api_key="operator")


class Watched:
    """The tables, and routes over them."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.feed = PostgresFeed(database, Hub(database.url))

    async def review(
        self,
        id_: str,
        *,
        installation: int | None = 1,
        repository_id: int | None = 10,
        repository: str = "octo/shop",
        pull_request: int | None = 7,
        api_key: str | None = None,
        minutes: float = 0,
        **more: Any,
    ) -> Subject:
        """Insert a review made so many minutes after all began."""
        row = {
            "id": id_,
            "installation": installation,
            "repository_id": repository_id,
            "repository": repository,
            "pull_request": pull_request,
            "head_sha": "a" * 40,
            "title": "Change",
            "url": "" if pull_request is None else f"https://github.example/{repository}/pull/{pull_request}",
            "api_key": api_key,
            "created_at": BEGAN + timedelta(minutes=minutes),
            "generation": abs(hash(id_)) % 2**31,
            **more,
        }
        names, marks = ", ".join(row), ", ".join(f"%({name})s" for name in row)
        await self.execute(f"INSERT INTO reviews ({names}) VALUES ({marks})", row)  # noqa: S608 - names of its own
        audience = Audience(installation=installation, repository_id=repository_id, api_key=api_key)
        return Subject(review=id_, repository=repository, pull_request=pull_request, audience=audience)

    async def posted(self, id_: str, api_key: str, **more: Any) -> Subject:
        """Insert a review of a diff that was posted."""
        nobody = {"installation": None, "repository_id": None, "pull_request": None}
        return await self.review(id_, api_key=api_key, repository="posted", **nobody, **more)

    async def say(self, subject: Subject, *events: Event, seconds: float | None = None) -> None:
        """Append events; `seconds` after all began, if that matters."""
        await self.feed.append(subject, events)
        if seconds is not None:
            values = {
                "at": BEGAN + timedelta(seconds=seconds),
                "review": subject.review,
                "types": [event.type for event in events],
            }
            await self.execute(
                "UPDATE events SET at = %(at)s WHERE review = %(review)s AND type = ANY(%(types)s)", values
            )

    async def execute(self, statement: str, values: dict[str, Any] | None = None) -> None:
        """Run a statement of a test's own."""
        async with self.database.connection() as connection:
            await connection.execute(statement.encode(), values)

    async def rows(self, statement: str, values: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """What a query of a test's own gives."""
        async with self.database.connection() as connection:
            return await (await connection.execute(statement.encode(), values)).fetchall()


def a_finding(id_: str = "f1", severity: Severity = Severity.HIGH, **changes: Any) -> FindingMade:
    """A finding in `calc.py`."""
    values = {
        "id": id_,
        "path": "calc.py",
        "line": 5,
        "quote": "    return a - b",
        "severity": severity,
        "category": Category.BUG,
        "title": "It subtracts",
        "message": "The sum is a difference.",
        "suggestion": None,
        "confidence": Confidence.HIGH,
        "fingerprint": f"print of {id_}",
        "chunk": "calc.py",
        "source": "claude",
        "verified": True,
        **changes,
    }
    return FindingMade(finding=Finding.model_validate(values))


def completed(
    chunk: str,
    *,
    source: Literal["engine", "ledger"] = "engine",
    usage: Usage = Usage(),  # noqa: B008 - frozen
    cost: float | None = None,
) -> ChunkCompleted:
    """A chunk is done."""
    return ChunkCompleted(
        chunk=chunk,
        path=chunk,
        source=source,
        findings=0,
        dropped=0,
        usage=usage,
        cost=cost,
        time_to_first_token=None,
        seconds=1.0,
    )


@asynccontextmanager
async def looking(
    who: Caller, routes: Mapping[str, Endpoint], method: str = "GET"
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of routes, all of whose requests come from one caller."""

    def of(endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
        async def guard(request: Request) -> Response:
            return await endpoint(request, who)

        return guard

    app = Starlette(
        routes=[Route(path, of(endpoint), methods=[method]) for path, endpoint in routes.items()],
        exception_handlers={HTTPException: refusal_as_json},
    )
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://sluice.example") as client:
        yield client
