"""The whole app against a stand-in GitHub: real HTTP, database, signed deliveries and git repository."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from pydantic import SecretStr
from rich.console import Console
from rich.markup import escape

from reviewer import git
from reviewer import settings as settings_module
from reviewer.core import events
from reviewer.core.events import Subject
from reviewer.errors import BadRange
from reviewer.formats import Text
from reviewer.settings import Settings
from reviewer.store.feed import Filter, PostgresFeed
from webhooks.access.guard import login_link, operator_token
from webhooks.access.login import CALLBACK
from webhooks.app import create_app
from webhooks.sandbox import PullRequest, Repository, Sandbox, running, sample
from webhooks.sandbox.git import GitFailed
from webhooks.serving import listen, serving, stop_signal, url_of
from webhooks.wiring import open_services

ONCE_SECONDS = 300.0
"""A review of the bundled change takes seconds; a demo that hangs must end all the same."""

_PERSON = "octocat"
"""Opens the pull request, and sits at the browser that comes to the stand-in to log in."""

_SECRET = "a secret for this demo only"  # noqa: S105 - made up, and used on loopback only


async def run(*, once: bool, repo: Path | None, range_: str) -> int:
    """Run the demo; 0 if comments stand on the pull request at its end, else 1."""
    console = Console(highlight=False, soft_wrap=True)
    async with AsyncExitStack() as stack:
        # The socket of the embedded database must fit into a hundred bytes: no long prefix
        folder = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="sluice", ignore_cleanup_errors=True))
        )
        settings = settings_module.read()
        bound = listen(settings.sluice_host, await _free_port(settings))
        url = url_of(bound)
        sandbox = Sandbox.create(webhook_secret=_SECRET, webhook_url=f"{url}/webhooks/github")
        sandbox.state.callback_urls = [url + CALLBACK]
        sandbox.sign_in(_PERSON)
        api = await stack.enter_async_context(running(sandbox))
        settings = settings.model_copy(update=_demo_settings(sandbox, api, folder))
        console.print("Starting the database, the app and the stand-in GitHub …")
        services = await stack.enter_async_context(open_services(settings, public_url=url))
        await stack.enter_async_context(serving(create_app(services), bound))
        repository, pull = await _open(sandbox, folder, repo, range_)
        sandbox.let_in(repository, _PERSON, "write")
        # Who logs in sees for five minutes what they may see now
        console.print(f"Dashboard: [bold]{login_link(url, operator_token(settings))}[/]\n")
        console.print(f"Opened {repository.full_name}#{pull.number}: {escape(pull.title)}")
        async with asyncio.timeout(ONCE_SECONDS):
            await _tell(services.feed)
            await _until_closed(sandbox, repository, pull)
        _show(console, sandbox, repository, pull)
        if not once:
            console.print("\nThe dashboard stays up; Ctrl-C ends the demo.")
            await stop_signal()
        return 0 if pull.comments else 1


async def _free_port(settings: Settings) -> int:
    """The configured port, or any other when something listens there already."""
    try:
        _, writer = await asyncio.open_connection(settings.sluice_host, settings.sluice_port)
    except OSError:
        return settings.sluice_port
    writer.close()
    return 0


def _demo_settings(sandbox: Sandbox, api: str, folder: Path) -> dict[str, object]:
    return {
        "github_client_id": sandbox.state.client_id,
        "github_client_secret": SecretStr(sandbox.state.client_secret),
        "github_private_key": SecretStr(sandbox.state.private_key_pem),
        "github_webhook_secret": SecretStr(_SECRET),
        "github_api_url": api,
        "database_url": None,
        "sluice_data_dir": folder,
        "sluice_token": None,
        "github_write_seconds": 0.0,  # the sandbox has no limits to keep
    }


async def _open(
    sandbox: Sandbox, folder: Path, repo: Path | None, range_: str
) -> tuple[Repository, PullRequest]:
    if repo is None:
        made = await sample.build(folder / "shop")
        repository = sandbox.add_repository("octo/shop", git_dir=made.folder, default_branch=made.base)
        pull = await sandbox.open_pull_request(
            repository, base=made.base, head=made.head, title=made.title, body=made.body
        )
        return repository, pull
    base, dots, head = range_.partition("...")
    if not dots:
        raise BadRange(f"{range_!r}: name the change as A...B")
    top = await git.root(repo)
    name = top.name.replace(" ", "-")
    repository = sandbox.add_repository(f"local/{name}", git_dir=top, default_branch="main")
    subject = await git.run(top, "log", "-1", "--format=%s", head or "HEAD", "--")
    title = subject.decode(errors="replace").strip()
    try:
        pull = await sandbox.open_pull_request(
            repository, base=base or "HEAD", head=head or "HEAD", title=title
        )
    except GitFailed as failure:
        raise BadRange(f"{range_!r}: {failure}; name another change by --range") from failure
    return repository, pull


async def _tell(feed: PostgresFeed) -> None:
    """Print the review's events as they come, up to its end."""
    out = Text()
    async for entry in feed.tail(0, Filter()):
        subject = Subject.model_validate(entry.data)
        event = events.load(entry.type, entry.data)
        await out.append(subject, [event])
        if event.terminal:
            return


async def _until_closed(sandbox: Sandbox, repository: Repository, pull: PullRequest) -> None:
    """Wait for the check run, which ends a moment after the review."""
    while not all(check.status == "completed" for check in sandbox.check_runs(repository, pull)):  # noqa: ASYNC110
        await asyncio.sleep(0.05)


def _show(console: Console, sandbox: Sandbox, repository: Repository, pull: PullRequest) -> None:
    """Print what stands on the sandbox's pull request."""
    console.rule("on the pull request")
    for review in pull.reviews.values():
        console.print(escape(review.body))
    for comment in pull.comments.values():
        console.print(
            f"  [bold]{escape(comment.path)}:{comment.line}[/] {escape(comment.body.splitlines()[0])}"
        )
    for check in sandbox.check_runs(repository, pull):
        console.print(f"  check run {check.name}: {check.status}, {check.conclusion}")
    where = f"{repository.full_name}#{pull.number}"
    console.print(f"[bold]{len(pull.comments)} comments stand on {where}[/]")
