"""What people and tools meet over HTTP, put together: who may come in, and what each can ask for."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from reviewer.errors import BadSettings
from reviewer.settings import Settings
from reviewer.store.budgets import PostgresBudgets
from reviewer.wiring import caps
from webhooks.access.credentials import Credentials
from webhooks.access.guard import Access, operator_token
from webhooks.access.keys import Keys
from webhooks.access.login import GitHubLogin, Login
from webhooks.access.sessions import Sessions
from webhooks.access.sights import Sights
from webhooks.access.throttle import Throttle
from webhooks.access.tokens import Tokens
from webhooks.api.actions import Actions
from webhooks.api.metrics import Metrics
from webhooks.api.reviews import Reviews
from webhooks.api.status import Status
from webhooks.api.usage import Usage
from webhooks.diffs_kept import KeptDiffs
from webhooks.draws import Draws
from webhooks.github.users import Users, web_url_of
from webhooks.health import Readiness
from webhooks.jobs import Jobs
from webhooks.posted.attendance import Attendance
from webhooks.posted.posting import Posting
from webhooks.posted.quotes import Quotes
from webhooks.posted.reviews import Posted
from webhooks.review_run import Means
from webhooks.streams.answers import Streams
from webhooks.streams.cursors import Cursors
from webhooks.streams.endpoints import Stream


@dataclass(frozen=True, slots=True)
class Surface:
    """The endpoints by noun, and by name what goes on beside them."""

    access: Access
    login: Login
    stream: Stream
    reviews: Reviews
    actions: Actions
    posting: Posting
    usage: Usage
    status: Status
    metrics: Metrics
    readiness: Readiness
    cors_origins: tuple[str, ...]
    works: Mapping[str, Callable[[], Awaitable[None]]]


@asynccontextmanager
async def open_surface(
    settings: Settings, means: Means, jobs: Jobs, *, public_url: str | None
) -> AsyncGenerator[Surface]:
    """Open it over what reviews work with."""
    database, clock = means.database, means.ports.clock
    budgets = PostgresBudgets(database, caps(settings), clock)
    metrics, posted = Metrics(), Posted(means.feed, jobs)
    async with _people(settings) as users:
        access, login = _gate(settings, means, users=users, public_url=public_url)
        stream = await _stream(settings, means, access, metrics)
        attendance = Attendance(database, posted)
        yield Surface(
            access=access,
            login=login,
            stream=stream,
            reviews=Reviews(database, KeptDiffs(database)),
            actions=Actions(database, means.wishes, jobs, posted.cancel),
            posting=Posting(
                database,
                posted,
                jobs,
                attendance=attendance,
                quotes=_quotes(settings, means, budgets),
                stream=stream,
                max_diff_bytes=settings.sluice_max_diff_bytes,
            ),
            usage=Usage(database, clock),
            status=Status(database, means.reviewer, budgets),
            metrics=metrics,
            readiness=Readiness(database),
            cors_origins=settings.sluice_cors_origins,
            works={"attendance": attendance.run},
        )


@asynccontextmanager
async def _people(settings: Settings) -> AsyncGenerator[Users | None]:
    """GitHub, to be asked as whoever logs in; None where nobody can log in through it."""
    secret, client = settings.github_client_secret, settings.github_client_id
    if secret is None:
        yield None
        return
    if client is None:
        raise BadSettings("GITHUB_CLIENT_SECRET needs GITHUB_CLIENT_ID beside it: people log in with both")
    async with Users(
        api_url=settings.github_api_url,
        web_url=web_url_of(settings.github_api_url, settings.github_url),
        client_id=client,
        client_secret=secret.get_secret_value(),
    ) as users:
        yield users


def _gate(
    settings: Settings, means: Means, *, users: Users | None, public_url: str | None
) -> tuple[Access, Login]:
    """Who may come in; without `users` nobody logs in through GitHub."""
    database = means.database
    tokens, sessions, keys = Tokens(database), Sessions(database), Keys(database)
    sights = Sights(sessions, keys, users, every=settings.sluice_sight_seconds) if users else None
    credentials = Credentials(
        operator=operator_token(settings), tokens=tokens, sessions=sessions, sights=sights
    )
    throttle = Throttle(settings.sluice_requests_per_minute)
    access = Access(credentials, throttle)
    login = Login(
        access=access,
        credentials=credentials,
        sessions=sessions,
        throttle=throttle,
        keys=keys,
        public_url=public_url,
        github=GitHubLogin(users, sights) if users and sights else None,
    )
    return access, login


async def _stream(settings: Settings, means: Means, access: Access, metrics: Metrics) -> Stream:
    cursors = Cursors(await Keys(means.database).get("cursors"))
    streams = Streams(means.feed, access, cursors, metrics, per_caller=settings.sluice_streams_per_caller)
    return Stream(means.feed, means.database, cursors, streams, event_days=settings.sluice_event_days)


def _quotes(settings: Settings, means: Means, budgets: PostgresBudgets) -> Quotes:
    return Quotes(
        means.reviewer,
        Draws(means.database, means.reviewer, means.ports.rates),
        budgets=budgets,
        caps=caps(settings),
        clock=means.ports.clock,
        buys=settings.has_model,
    )
