"""PR-Agent's GitHub App server without GitHub and model. Runs in PR-Agent's own environment, under gunicorn.

Its routes, checks, background tasks and log are its own. A command, which would fetch, ask and comment, only
waits for `PEER_COMMAND_SECONDS`, and is noted in the file `PEER_JOURNAL` when it begins and ends. Any use of
the network beyond this machine is an error.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
from pathlib import Path
from typing import Any

# gunicorn imports this and has no arguments to spare
_SECONDS = float(os.environ["PEER_COMMAND_SECONDS"])  # noqa: TID251 - as above
_JOURNAL = Path(os.environ["PEER_JOURNAL"])  # noqa: TID251 - as above


def _refuse_network(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect" and isinstance(arguments[1], tuple) and arguments[1][0] != "127.0.0.1":
        raise ConnectionError("this benchmark runs without a network")


def _note(word: str, pull: str) -> None:
    with _JOURNAL.open("a") as file:
        file.write(f"{word} {pull}\n")


async def _command(_: Any, pull: str, *arguments: Any, **named: Any) -> bool:  # noqa: ARG001 - its signature
    _note("begun", pull)
    await asyncio.sleep(_SECONDS)
    _note("ended", pull)
    return True


def _nothing(*_: Any, **named: Any) -> None:  # noqa: ARG001 - stands for calls of GitHub
    return None


sys.addaudithook(_refuse_network)
importlib.import_module("pr_agent.agent.pr_agent").PRAgent.handle_request = _command
_server: Any = importlib.import_module("pr_agent.servers.github_app")
_server.apply_repo_settings = _nothing
_server.get_git_provider_with_context = _nothing
app = _server.app
