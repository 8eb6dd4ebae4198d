"""The `sluice` command: the reviewer's own commands, and those of the GitHub App."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer
from rich.console import Console
from rich.table import Table

from reviewer import settings as settings_module
from reviewer.cli import COULD_NOT, app
from reviewer.errors import SluiceError
from reviewer.store.database import migrate, open_database
from reviewer.store.feed import open_feed
from webhooks import demo as demo_module
from webhooks import token_commands
from webhooks.access.guard import login_link, operator_token
from webhooks.app import create_app
from webhooks.serving import listen, serving, stop_signal, url_of
from webhooks.token_commands import LARGEST_ID
from webhooks.wiring import MIGRATIONS, forgetting, open_services

app.add_typer(token_commands.app, name="token")
_errors = Console(stderr=True, highlight=False, soft_wrap=True)


@app.command()
def serve() -> None:
    """Run the GitHub App: webhooks, worker, event stream and dashboard in one process."""
    _run(_serve())


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="End after the review: 0 if comments stand.")] = False,
    repo: Annotated[Path | None, typer.Option("--repo", help="Review a change of this repository.")] = None,
    range_: Annotated[str, typer.Option("--range", help="Which change, as A...B.")] = "HEAD~1...HEAD",
) -> None:
    """Run the whole app against a stand-in GitHub on this machine, with a bundled change or one of yours."""
    _run(demo_module.run(once=once, repo=repo, range_=range_))


@app.command()
def forget(
    installation: Annotated[
        int, typer.Option("--installation", min=1, max=LARGEST_ID, help="The installation's id on GitHub.")
    ],
) -> None:
    """Delete all that is kept of an installation: reviews, events, finished chunks, deliveries, calls."""
    _run(_forget(installation))


@app.command()
def doctor() -> None:
    """Show every setting, where it stands, and what is missing to serve."""
    raise typer.Exit(_doctor())


async def _serve() -> int:
    settings = settings_module.read()
    bound = listen(settings.sluice_host, settings.sluice_port)
    url = settings.sluice_public_url or url_of(bound)
    async with (
        open_services(settings, public_url=url) as services,
        serving(create_app(services), bound, trusted_proxies=settings.sluice_trusted_proxies) as address,
    ):
        console = Console(highlight=False, soft_wrap=True)
        console.print(f"Sluice listens on {address}; GitHub's deliveries go to {url}/webhooks/github")
        console.print(f"Dashboard: {login_link(url, operator_token(settings))}")
        if services.reviewer.notice:
            console.print(services.reviewer.notice, style="yellow")
        await stop_signal()
    return 0


async def _forget(installation: int) -> int:
    settings = settings_module.read()
    url = settings.database_url
    async with open_database(url.get_secret_value() if url else None, settings.sluice_data_dir) as database:
        await migrate(database, MIGRATIONS)
        async with open_feed(database) as feed:
            await forgetting(settings, database, feed).forget(installation)
    Console(highlight=False).print(f"all that was kept of installation {installation} is deleted")
    return 0


def _doctor() -> int:
    try:
        settings = settings_module.read()
        missing = settings.missing_for_serving()
    except SluiceError as error:
        _errors.print(f"sluice: {error}", markup=False)
        return COULD_NOT
    table = Table(box=None, pad_edge=False)
    for name in ("setting", "value", "what it is"):
        table.add_column(name)
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        shown = "" if value is None or value == () else str(value)
        table.add_row(name.upper(), shown, field.description or "")
    console = Console(highlight=False)
    console.print(table)
    for name in missing:
        console.print(f"missing for `sluice serve`: {name}", style="yellow")
    return COULD_NOT if missing else 0


def _run(work: Coroutine[Any, Any, int]) -> None:
    """Run a command; an error of ours is a message and exit 2, never a traceback."""
    try:
        code = asyncio.run(work)
    except SluiceError as error:
        _errors.print(f"sluice: {error}", markup=False)
        code = COULD_NOT
    raise typer.Exit(code)


def main() -> None:
    """Entry point of the console script."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.LogfmtRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    app()
