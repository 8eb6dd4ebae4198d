"""How the app stands, as far as a caller sees it: the queue, the model, GitHub's limits, budgets."""

from __future__ import annotations

from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import dict_row
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from reviewer.core.budget import MICROS, Payer, Scope, Standing
from reviewer.store.budgets import PostgresBudgets
from reviewer.store.database import Database
from reviewer.store.queries import query
from reviewer.wiring import Reviewer
from webhooks.api.indexed import through_indexes
from webhooks.callers import Caller
from webhooks.github.limits import WRITES_AN_HOUR

MOST_INSTALLATIONS = 100
"""Of more of them nothing is said one by one."""

_SQL = ("webhooks.sql", "status.sql")


class Status:
    """The health strip. What the model does is told of this process."""

    def __init__(self, database: Database, reviewer: Reviewer, budgets: PostgresBudgets) -> None:
        self._database = database
        self._reviewer = reviewer
        self._budgets = budgets

    async def now(self, request: Request, caller: Caller) -> Response:  # noqa: ARG002 - an endpoint is given it
        """`GET /status`: the queue, the model, GitHub's limits, the day's budgets."""
        values = {**caller.sight.values(), "most": MOST_INSTALLATIONS}
        async with self._database.connection() as connection:
            await through_indexes(connection)
            (queue,) = await _read(connection, "queue", values)
            gates = await _read(connection, "gates", values)
        return JSONResponse(
            {
                "queue": queue,
                "model": self._model(),
                "github": [{**gate, "writes_per_hour": WRITES_AN_HOUR} for gate in gates],
                "budgets": await self._standings(caller, gates),
            }
        )

    def _model(self) -> dict[str, Any]:
        health = self._reviewer.engine.health()
        return {
            "engine": self._reviewer.engine.name,
            "name": ", ".join(self._reviewer.weights),
            "state": health.state,
            "detail": health.detail,
        }

    async def _standings(self, caller: Caller, gates: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Days of the installations that the caller sees whole, and of the caller's own key."""
        told: list[dict[str, Any]] = []
        for gate in gates:
            installation = gate["installation"]
            owner = gate["account"] or str(installation)
            found = await self._budgets.standing(Payer("", installation=installation))
            told += _told(found, Scope.INSTALLATION, owner)
        if caller.api_key is not None:
            found = await self._budgets.standing(Payer("", api_key=caller.api_key))
            told += _told(found, Scope.API_KEY, caller.name)
        return told


def _told(found: tuple[Standing, ...], scope: Scope, owner: str) -> list[dict[str, Any]]:
    return [
        {
            "scope": scope.name.lower(),
            "owner": owner,
            "tokens": {"used": taken.tokens, "cap": standing.cap.tokens},
            "usd": {"used": taken.micros / MICROS, "cap": _usd(standing.cap.micros)},
        }
        for standing in found
        if standing.scope is scope
        for taken in [standing.spent + standing.reserved]
    ]


def _usd(micros: int | None) -> float | None:
    return None if micros is None else micros / MICROS


async def _read(connection: AsyncConnection, name: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query(*_SQL, name), values)
        return await cursor.fetchall()
