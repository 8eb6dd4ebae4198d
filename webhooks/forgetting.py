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
from webhooks.access.sessions import expire_access
from webhooks.records import expire_deliveries, lock_repositories

DELIVERY_DAYS = 8
"""GitHub sends deliveries again for three days, GitHub Enterprise Server for seven."""

TOKEN_DAYS = 90
"""`sluice token list` tells of a token so long after its end."""

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
        event_days: int,
    ) -> None:
        self._database = database
        self._feed = feed
        self._ledger = ledger
        self._budgets = budgets
        self._ledger_days = ledger_days
        self._event_days = event_days

    async def forget(
        self,
        installation: int,
        repository_ids: Sequence[int] | None = None,
        before: datetime | None = None,
    ) -> None:
        """Delete all that is kept of an installation, or of some of its repositories.

        What has been wanted after `before` stays, by the database's clock. Posted diffs that the installation
        pays for are its own, and go with it.

        The ledger and the calls do not tell repositories apart by number: they go with the installation, and
        otherwise expire.
        """
        async with self._database.connection() as connection:
            values = await lock_repositories(connection, installation, repository_ids)
            values["before"] = before
            # First, so that no run writes behind what deletes
            cursor = await connection.execute(query(*_SQL, "take_over"), values)
            reviews = [row[0] for row in await cursor.fetchall()]
            posted: list[str] = []
            if repository_ids is None:
                cursor = await connection.execute(query(*_SQL, "take_over_posted"), values)
                posted = [row[0] for row in await cursor.fetchall()]
        await self._feed.forget([*reviews, *posted])
        if repository_ids is None:
            await self._ledger.forget(installation)
            await self._ledger.forget_reviews(posted)
            await self._budgets.forget(installation)
        async with self._database.connection() as connection:
            await lock_repositories(connection, installation, repository_ids)
            await connection.execute(query(*_SQL, "forget_pull_requests"), values)
            cursor = await connection.execute(query(*_SQL, "forget_reviews"), values)
            late = [row[0] for row in await cursor.fetchall()]
            if repository_ids is None:
                await connection.execute(query(*_SQL, "forget_posted"), {"reviews": posted})
                await connection.execute(query(*_SQL, "forget_deliveries"), values)
                await connection.execute(query(*_SQL, "forget_gate"), values)
        await self._feed.forget(late)
        _log.info("data deleted", installation=installation, repositories=repository_ids, reviews=len(late))

    async def expire(self) -> None:
        """Delete what is old: finished chunks nobody uses, deliveries, the accounts of single calls, events,
        and what nobody comes in with any more.

        Of a review that came from GitHub its row stays, as what stands there points at it.
        """
        entries = await self._ledger.expire(self._ledger_days)
        calls = await self._budgets.expire(self._ledger_days)
        async with self._database.connection() as connection:
            deliveries = await expire_deliveries(connection, DELIVERY_DAYS)
            sessions, tokens = await expire_access(connection, TOKEN_DAYS)
        events, diffs, posted = await self._expire_reviews()
        _log.info(
            "old rows deleted",
            ledger=entries,
            calls=calls,
            deliveries=deliveries,
            events=events,
            diffs=diffs,
            posted=posted,
            sessions=sessions,
            tokens=tokens,
        )

    async def _expire_reviews(self) -> tuple[int, int, int]:
        """How many events, diffs and posted reviews have gone."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(query(*_SQL, "running"))
            running = [row[0] for row in await cursor.fetchall()]
        events = await self._feed.expire(self._event_days, running)
        async with self._database.connection() as connection:
            values = {"days": self._event_days}
            diffs = (await connection.execute(query(*_SQL, "expire_diffs"), values)).rowcount
            posted = (await connection.execute(query(*_SQL, "expire_posted"), values)).rowcount
        return events, diffs, posted
