"""What payers have spent and set aside, shared by all workers and kept over restarts; and every call."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from psycopg import AsyncConnection

from reviewer.core.budget import Account, Amount, Caps, Payer, Scope, Standing, accounts
from reviewer.grace import finish
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
        """Set a part aside in every scope of the payer, or in none. Cancelled, it sets nothing aside.

        Raises:
            OverBudget: a cap would be exceeded.
        """
        self._caps.require_request(amount)
        opening = asyncio.create_task(self._open(payer, amount))
        try:
            await asyncio.wait({opening})
        except asyncio.CancelledError:
            # It may be committed already, and nobody else knows of it
            await finish(asyncio.create_task(self._undo(opening)))
            raise
        return opening.result()

    async def _open(self, payer: Payer, amount: Amount) -> Reservation:
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

    async def _undo(self, opening: asyncio.Task[Reservation]) -> None:
        reservation = await opening
        async with self._database.connection() as connection:
            await _close(connection, reservation.id, spent=Amount())

    async def settle(self, reservation: Reservation, call: CallRecord) -> None:
        """Put what a call took in place of what was set aside for it, and keep the record.

        It is booked on the day it was set aside on, in full even where it is more. Settled again, nothing
        changes.
        """
        async with self._database.connection() as connection:
            spent = Amount.of(call.usage.total, call.cost)
            payer = await _close(connection, reservation.id, spent=spent)
            if payer is None:
                return
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

    async def expire(self, days: int) -> int:
        """Drop what is older than so many whole days; how many rows there were.

        A review's account goes with its calls and reservations once the last is so old; never today's.
        """
        day = self._clock.now().astimezone(UTC).date() - timedelta(days=max(days, 0))
        old: dict[str, Any] = {"day": day, "before": datetime.combine(day, time.min, UTC)}
        async with self._database.connection() as connection:
            cursor = await connection.execute(query(_SQL, "budgets.sql", "idle"), old)
            old["owners"] = [owner for (owner,) in await cursor.fetchall()]
            gone = 0
            for name in ("expire_reviews", "expire_days", "expire_reservations", "expire_calls"):
                gone += (await connection.execute(query(_SQL, "budgets.sql", name), old)).rowcount
        return gone

    async def forget(self, installation: int) -> int:
        """Drop a tenant's calls and reservations and the accounts of its reviews; how many rows there were.

        Its daily accounts stay, with all that was set aside: to install the app anew gives no new budget.
        A call that is still under way is booked no more, and stays charged to the day.
        """
        async with self._database.connection() as connection:
            reviews: set[str] = set()
            gone = 0
            for name in ("forget_reservations", "forget_calls"):
                cursor = await connection.execute(
                    query(_SQL, "budgets.sql", name), {"installation": installation}
                )
                gone += cursor.rowcount
                reviews |= {review for (review,) in await cursor.fetchall()}
            owners = {"owners": sorted(reviews)}
            cursor = await connection.execute(query(_SQL, "budgets.sql", "forget_reviews"), owners)
            return gone + cursor.rowcount

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


async def _close(connection: AsyncConnection, id_: int, *, spent: Amount) -> Payer | None:
    """Put what was spent in place of a reservation; whose it was, or None if it is gone."""
    cursor = await connection.execute(query(_SQL, "budgets.sql", "close"), {"id": id_})
    closed = await cursor.fetchone()
    if closed is None:
        return None
    review, installation, api_key, day, tokens, micros = closed
    payer = Payer(review, installation, api_key)
    await _move(connection, accounts(payer), day, spent=spent, reserved=Amount() - Amount(tokens, micros))
    return payer


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
