"""What is kept is deleted: at once when a tenant leaves, by and by when it is old."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import structlog

from reviewer.store.budgets import PostgresBudgets
from reviewer.store.database import Database
from reviewer.store.feed import PostgresFeed
from reviewer.store.ledger import PostgresLedger
from reviewer.store.queries import query
from webhooks.records import expire_deliveries, lock_repositories

DELIVERY_DAYS = 8
"""GitHub sends deliveries again for three days, GitHub Enterprise Server for seven."""

_SQL = ("webhooks.sql", "forgetting.sql")
_log = structlog.get_logger("sluice.forgetting")


class Forgetting:
    """Deletes from every table."""

    def __init__(
        self,
        database: Database,
        *,
        feed: PostgresFeed,
        ledger: PostgresLedger,
        budgets: PostgresBudgets,
        ledger_days: int,
    ) -> None:
        self._database = database
        self._feed = feed
        self._ledger = ledger
        self._budgets = budgets
        self._ledger_days = ledger_days

    async def forget(
        self,
        installation: int,
        repository_ids: Sequence[int] | None = None,
        before: datetime | None = None,
    ) -> None:
        """Delete all that is kept of an installation, or of some of its repositories.

        What has been wanted after `before` stays, by the database's clock.

        The ledger and the calls do not tell repositories apart by number: they go with the installation, and
        otherwise expire.
        """
        async with self._database.connection() as connection:
            values = await lock_repositories(connection, installation, repository_ids)
            values["before"] = before
            # First, so that no run writes behind what deletes
            cursor = await connection.execute(query(*_SQL, "take_over"), values)
            reviews = [row[0] for row in await cursor.fetchall()]
        await self._feed.forget(reviews)
        if repository_ids is None:
            await self._ledger.forget(installation)
            await self._budgets.forget(installation)
        async with self._database.connection() as connection:
            await lock_repositories(connection, installation, repository_ids)
            await connection.execute(query(*_SQL, "forget_pull_requests"), values)
            cursor = await connection.execute(query(*_SQL, "forget_reviews"), values)
            late = [row[0] for row in await cursor.fetchall()]
            if repository_ids is None:
                await connection.execute(query(*_SQL, "forget_deliveries"), values)
                await connection.execute(query(*_SQL, "forget_gate"), values)
        await self._feed.forget(late)
        _log.info("data deleted", installation=installation, repositories=repository_ids, reviews=len(late))

    async def expire(self) -> None:
        """Delete what is old: finished chunks nobody uses, deliveries, and the accounts of single calls."""
        entries = await self._ledger.expire(self._ledger_days)
        calls = await self._budgets.expire(self._ledger_days)
        async with self._database.connection() as connection:
            deliveries = await expire_deliveries(connection, DELIVERY_DAYS)
        _log.info("old rows deleted", ledger=entries, calls=calls, deliveries=deliveries)
