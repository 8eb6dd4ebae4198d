"""What payers have spent and set aside, shared by all workers and kept over restarts; and every call."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, date
from typing import Any

from psycopg import AsyncConnection

from reviewer.core.budget import Account, Amount, Caps, Payer, Scope, Standing, accounts
from reviewer.ports import CallRecord, Clock, Reservation
from reviewer.store.database import Database
from reviewer.store.queries import query

_SQL = "reviewer.store.sql"
_NO_DAY = date.min


class PostgresBudgets:
    """The budgets. What a process set aside before it died stays charged."""

    def __init__(self, database: Database, caps: Caps, clock: Clock) -> None:
        self._database = database
        self._caps = caps
        self._clock = clock

    async def reserve(self, payer: Payer, amount: Amount) -> Reservation:
        """Set a part aside in every scope of the payer, or in none.

        Raises:
            OverBudget: a cap would be exceeded.
        """
        self._caps.require_request(amount)
        now = self._clock.now()
        day = now.astimezone(UTC).date()
        async with self._database.connection() as connection:
            # First added, then checked: the rows are ours until the commit, and a refusal undoes it all
            rows = await _move(connection, accounts(payer), day, reserved=amount)
            for standing in self._standings(accounts(payer), rows, besides=amount):
                standing.require(amount)
            made = {**asdict(payer), **asdict(amount), "day": day, "at": now}
            cursor = await connection.execute(query(_SQL, "budgets.sql", "open"), made)
            opened = await cursor.fetchone()
        assert opened is not None  # noqa: S101 - an INSERT that returns its id
        return Reservation(opened[0], payer, amount)

    async def settle(self, reservation: Reservation, call: CallRecord) -> None:
        """Put what a call took in place of what was set aside for it, and keep the record.

        It is booked on the day it was set aside on, in full even where it is more. Settled again, nothing
        changes.
        """
        async with self._database.connection() as connection:
            cursor = await connection.execute(query(_SQL, "budgets.sql", "close"), {"id": reservation.id})
            closed = await cursor.fetchone()
            if closed is None:
                return
            review, installation, api_key, day, tokens, micros = closed
            payer = Payer(review, installation, api_key)
            spent = Amount.of(call.usage.total, call.cost)
            freed = Amount() - Amount(tokens, micros)
            await _move(connection, accounts(payer), day, spent=spent, reserved=freed)
            record = {**asdict(payer), **_row(call), "at": self._clock.now()}
            await connection.execute(query(_SQL, "budgets.sql", "record"), record)

    async def standing(self, payer: Payer) -> tuple[Standing, ...]:
        """Where the payer's budgets stand today, in the order of the scopes."""
        owned = accounts(payer)
        wanted = _keys(owned, self._clock.now().astimezone(UTC).date())
        async with self._database.connection() as connection:
            cursor = await connection.execute(query(_SQL, "budgets.sql", "stand"), wanted)
            rows = await cursor.fetchall()
        return self._standings(owned, rows, besides=Amount())

    def _standings(
        self, owned: tuple[Account, ...], rows: Iterable[tuple[Any, ...]], *, besides: Amount
    ) -> tuple[Standing, ...]:
        """Rows in the order of the accounts, without what was just set aside."""
        found = {
            scope: (Amount(spent_tokens, spent_micros), Amount(reserved_tokens, reserved_micros))
            for scope, spent_tokens, spent_micros, reserved_tokens, reserved_micros in rows
        }
        standings: list[Standing] = []
        for account in owned:
            spent, reserved = found.get(_stored(account.scope), (Amount(), Amount()))
            standings.append(Standing(account.scope, spent, reserved - besides, self._caps.of(account.scope)))
        return tuple(standings)


async def _move(
    connection: AsyncConnection,
    owned: tuple[Account, ...],
    day: date,
    *,
    spent: Amount = Amount(),  # noqa: B008 - frozen
    reserved: Amount,
) -> list[tuple[Any, ...]]:
    """Add to every account, and give what they hold then; others wait for them until the commit."""
    added = {
        "spent_tokens": spent.tokens,
        "spent_micros": spent.micros,
        "reserved_tokens": reserved.tokens,
        "reserved_micros": reserved.micros,
    }
    cursor = await connection.execute(query(_SQL, "budgets.sql", "move"), {**_keys(owned, day), **added})
    return await cursor.fetchall()


def _keys(owned: tuple[Account, ...], day: date) -> dict[str, list[Any]]:
    return {
        "scopes": [_stored(account.scope) for account in owned],
        "owners": [account.owner for account in owned],
        "days": [day if account.scope.daily else _NO_DAY for account in owned],
    }


def _stored(scope: Scope) -> str:
    """Its name: the text is for people, and may change."""
    return scope.name.lower()


def _row(call: CallRecord) -> dict[str, Any]:
    return {
        **call.usage.model_dump(),
        "repository": call.repository,
        "model": call.model,
        "chunks": [_storable(chunk) for chunk in call.chunks],
        "route": _storable(call.route),
        "cost": call.cost,
        "certain": call.certain,
        "time_to_first_token": call.time_to_first_token,
        "seconds": call.seconds,
        "stop_reason": None if call.stop_reason is None else _storable(call.stop_reason),
        "error": None if call.error is None else _storable(call.error),
    }


def _storable(text: str) -> str:
    """Servers and paths may hold what PostgreSQL refuses in a text; no bill is lost over it."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd")
