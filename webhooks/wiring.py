"""The one place where a serving process wires adapters to ports, and opens and closes what it owns."""

from __future__ import annotations

import gc
import tempfile
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from reviewer.errors import BadSettings
from reviewer.job import Ports
from reviewer.local import SystemClock
from reviewer.settings import Settings
from reviewer.store.budgets import PostgresBudgets
from reviewer.store.database import Database, MigrationSet, migrate, open_database
from reviewer.store.feed import Hub, PostgresFeed
from reviewer.store.ledger import PostgresLedger
from reviewer.store.rates import PostgresRates
from reviewer.wiring import Reviewer, caps, open_reviewer
from webhooks.access import Access, operator_token
from webhooks.github.auth import AppAuth
from webhooks.github.client import GitHub
from webhooks.github.diffs import PullDiffs
from webhooks.github.pulls import Pulls
from webhooks.job_schema import apply_job_schema
from webhooks.jobs import Jobs
from webhooks.pull_review import PullReviews
from webhooks.receiver import Receiver

MIGRATIONS = (
    MigrationSet("reviewer", "reviewer.store.migrations"),
    MigrationSet("webhooks", "webhooks.migrations"),
)


@dataclass(frozen=True, slots=True)
class Services:
    """What the HTTP surface and the worker work through."""

    database: Database
    feed: PostgresFeed
    reviewer: Reviewer
    jobs: Jobs
    receiver: Receiver
    access: Access


@asynccontextmanager
async def open_services(settings: Settings, *, public_url: str | None) -> AsyncGenerator[Services]:
    """Open the database, the model and GitHub; close them in the other order.

    Raises:
        BadSettings: naming every variable without which the app can't work.
        StoreUnavailable: the database can't be reached.
    """
    missing = settings.missing_for_serving()
    secret, issuer, key = settings.github_webhook_secret, settings.app_issuer, settings.private_key()
    if missing or secret is None or issuer is None or key is None:
        names = "\n  ".join(missing)
        raise BadSettings(f"not set:\n  {names}\nSet them in the environment or in .env; see the README")
    async with AsyncExitStack() as stack:
        url = settings.database_url
        database = await stack.enter_async_context(
            open_database(url.get_secret_value() if url else None, settings.sluice_data_dir)
        )
        await migrate(database, MIGRATIONS)
        await apply_job_schema(database)
        hub = await stack.enter_async_context(Hub(database.url))
        feed = PostgresFeed(database, hub)
        reviewer = await stack.enter_async_context(open_reviewer(settings))
        github = await stack.enter_async_context(
            GitHub(settings.github_api_url, AppAuth(issuer=issuer, private_key=key))
        )
        ledger, clock = PostgresLedger(database), SystemClock()
        reviews = PullReviews(
            database=database,
            feed=feed,
            pulls=Pulls(github),
            diffs=PullDiffs(
                github, folder=Path(tempfile.gettempdir()), max_bytes=settings.sluice_max_diff_bytes
            ),
            reviewer=reviewer,
            ports=Ports(
                reviewer.engine,
                ledger,
                feed,
                PostgresRates(database),
                PostgresBudgets(database, caps(settings), clock),
                clock,
            ),
            public_url=public_url,
            postpone_seconds=settings.sluice_postpone_seconds,
        )
        jobs = Jobs(database.url, reviews, ledger=ledger, ledger_days=settings.sluice_ledger_days)
        await stack.enter_async_context(jobs.app.open_async())
        # What is loaded by now stays: without it a full collection is short enough for the event loop
        gc.freeze()
        yield Services(
            database=database,
            feed=feed,
            reviewer=reviewer,
            jobs=jobs,
            receiver=Receiver(secret=secret.get_secret_value(), database=database, feed=feed, jobs=jobs),
            access=Access(operator_token(settings)),
        )
