"""The one place where a serving process wires adapters to ports, and opens and closes what it owns."""

from __future__ import annotations

import gc
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from reviewer.core.findings import Severity
from reviewer.definitions import Spare
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
from webhooks.announcing import Announcer
from webhooks.check_run import CheckRuns
from webhooks.forgetting import Forgetting
from webhooks.github.app import AppRoutes
from webhooks.github.auth import AppAuth
from webhooks.github.checks import Checks
from webhooks.github.client import GitHub
from webhooks.github.diffs import PullDiffs
from webhooks.github.pulls import Pulls
from webhooks.intake import Intake
from webhooks.intents import Intents
from webhooks.job_schema import apply_job_schema
from webhooks.jobs import Jobs, Tasks
from webhooks.pacing import PostgresPacing
from webhooks.policy import Rules
from webhooks.posted.run import PostedReviews
from webhooks.publication import Publisher
from webhooks.pull_review import PullReviews
from webhooks.receiver import Receiver
from webhooks.review_run import Means
from webhooks.surface import Surface, open_surface
from webhooks.sweeps import Sweeps
from webhooks.wishes import Wishes

MIGRATIONS = (
    MigrationSet("reviewer", "reviewer.store.migrations"),
    MigrationSet("webhooks", "webhooks.migrations"),
)


@dataclass(frozen=True, slots=True)
class Services:
    """What the HTTP surface works through, and by name what goes on behind it."""

    database: Database
    feed: PostgresFeed
    reviewer: Reviewer
    receiver: Receiver
    surface: Surface
    works: Mapping[str, Callable[[], Awaitable[None]]]


@asynccontextmanager
async def open_services(settings: Settings, *, public_url: str | None) -> AsyncGenerator[Services]:
    """Open the database, the model and GitHub; close them in the other order.

    Raises:
        BadSettings: naming every variable without which the app can't work.
        StoreUnavailable: the database can't be reached.
    """
    secret, auth = _credentials(settings)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(_prepared_database(settings))
        hub = await stack.enter_async_context(Hub(database.url))
        feed = PostgresFeed(database, hub)
        reviewer = await stack.enter_async_context(open_reviewer(settings))
        # Nothing is parsed for an engine that reads whole files itself
        spare = None if reviewer.engine.reads_files else await stack.enter_async_context(Spare())
        pacing = PostgresPacing(database, write_seconds=settings.github_write_seconds)
        github = await stack.enter_async_context(GitHub(settings.github_api_url, auth, pacing=pacing))
        jobs = _jobs(settings, database)
        await stack.enter_async_context(jobs.app.open_async())
        wishes = Wishes(feed, jobs, rules(settings))
        means = _means(
            settings,
            database=database,
            feed=feed,
            wishes=wishes,
            github=github,
            reviewer=reviewer,
            spare=spare,
            public_url=public_url,
        )
        surface = await stack.enter_async_context(open_surface(settings, means, jobs, public_url=public_url))
        # What is loaded by now stays: without it a full collection is short enough for the event loop
        gc.freeze()
        yield Services(
            database=database,
            feed=feed,
            reviewer=reviewer,
            receiver=Receiver(secret=secret, intake=Intake(database, wishes, jobs), rules=rules(settings)),
            surface=surface,
            works=_works(settings, means, jobs, github),
        )


def rules(settings: Settings) -> Rules:
    """How pull requests are handled, by the host's settings."""
    fail_on = settings.sluice_fail_on
    return Rules(
        drafts=settings.sluice_review_drafts,
        bots=settings.sluice_review_bots,
        label=settings.sluice_label,
        publish_seconds=settings.sluice_publish_seconds,
        max_comments=settings.sluice_max_comments,
        max_comments_per_pull_request=settings.sluice_max_comments_per_pull_request,
        annotations=settings.sluice_annotations,
        fail_on=fail_on if isinstance(fail_on, Severity) else None,
        partial=settings.sluice_partial_conclusion,
    )


@asynccontextmanager
async def _prepared_database(settings: Settings) -> AsyncGenerator[Database]:
    url = settings.database_url
    async with open_database(url.get_secret_value() if url else None, settings.sluice_data_dir) as database:
        await migrate(database, MIGRATIONS)
        await apply_job_schema(database)
        yield database


def _credentials(settings: Settings) -> tuple[str, AppAuth]:
    """What deliveries are signed with, and what the app signs with."""
    missing = settings.missing_for_serving()
    secret, issuer, key = settings.github_webhook_secret, settings.app_issuer, settings.private_key()
    if missing or secret is None or issuer is None or key is None:
        names = "\n  ".join(missing)
        raise BadSettings(f"not set:\n  {names}\nSet them in the environment or in .env; see the README")
    return secret.get_secret_value(), AppAuth(issuer=issuer, private_key=key)


def _jobs(settings: Settings, database: Database) -> Jobs:
    return Jobs(
        database,
        per_installation=settings.sluice_jobs_per_installation,
        stalled_seconds=settings.sluice_stalled_seconds,
        drain_seconds=settings.sluice_drain_seconds,
    )


def _means(
    settings: Settings,
    *,
    database: Database,
    feed: PostgresFeed,
    wishes: Wishes,
    github: GitHub,
    reviewer: Reviewer,
    spare: Spare | None,
    public_url: str | None,
) -> Means:
    intents, clock = Intents(database), SystemClock()
    return Means(
        database=database,
        feed=feed,
        wishes=wishes,
        pulls=Pulls(github),
        diffs=PullDiffs(github, folder=Path(tempfile.gettempdir()), max_bytes=settings.sluice_max_diff_bytes),
        check_runs=CheckRuns(database, intents, Checks(github), public_url=public_url),
        publisher=Publisher(intents=intents, github=github, rules=rules(settings), notice=reviewer.notice),
        reviewer=reviewer,
        ports=Ports(
            reviewer.engine,
            PostgresLedger(database),
            feed,
            PostgresRates(database),
            PostgresBudgets(database, caps(settings), clock),
            clock,
            spare,
        ),
        rules=rules(settings),
        postpone_seconds=settings.sluice_postpone_seconds,
    )


def forgetting(settings: Settings, database: Database, feed: PostgresFeed) -> Forgetting:
    """What deletes, from every table."""
    return Forgetting(
        database,
        feed=feed,
        ledger=PostgresLedger(database),
        budgets=PostgresBudgets(database, caps(settings), SystemClock()),
        ledger_days=settings.sluice_ledger_days,
        event_days=settings.sluice_event_days,
    )


def _works(
    settings: Settings, means: Means, jobs: Jobs, github: GitHub
) -> Mapping[str, Callable[[], Awaitable[None]]]:
    """What goes on as long as the process does."""
    forgets = forgetting(settings, means.database, means.feed)
    tasks = Tasks(
        review=PullReviews(means).run,
        forget=forgets.forget,
        daily=forgets.expire,
        posted=PostedReviews(means).run,
    )
    sweeps = Sweeps(
        means.database,
        app=AppRoutes(github),
        pulls=means.pulls,
        wishes=means.wishes,
        every=settings.sluice_sweep_seconds,
    )
    return {
        "worker": lambda: jobs.work(tasks, settings.sluice_jobs_at_once),
        "look after jobs": jobs.look_after,
        "sweeps": sweeps.run,
        "announcer": Announcer(means.database, means.check_runs).run,
    }
