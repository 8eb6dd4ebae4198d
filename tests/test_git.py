"""Diffs through git: of two versions of a file, and of two commits on a server."""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from reviewer import git
from reviewer.core import diff
from reviewer.core.diff import FileStatus, Unread
from reviewer.errors import BadRange, DiffTooLarge, GitFailed
from tests.scenarios.app import commit, make_repository
from webhooks.sandbox import Sandbox, running


@dataclass(frozen=True)
class Server:
    """A repository that git fetches from; `room` is where a temporary one may be made."""

    url: str
    authorization: str
    folder: Path
    room: Path

    async def fetch(self, base: str, head: str, *, max_bytes: int = 1_000_000) -> bytes:
        return await git.fetch_diff(
            self.url, base, head, authorization=self.authorization, folder=self.room, max_bytes=max_bytes
        )

    async def sha(self, name: str) -> str:
        return (await git.run(self.folder, "rev-parse", name)).decode().strip()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    folder, room = await make_repository(tmp_path / "repo"), tmp_path / "room"
    room.mkdir()
    sandbox = Sandbox.create(webhook_secret="made up", webhook_url=None)
    repository = sandbox.add_repository("octo/calc", git_dir=folder, default_branch="main")
    installation = sandbox.state.installations[repository.installation_id]
    token = sandbox.state.issue_token(installation, installation.permissions, None).text
    header = "Basic " + base64.b64encode(f"x-access-token:{token}".encode()).decode()
    async with running(sandbox) as url:
        yield Server(f"{url}/octo/calc.git", header, folder, room)


@pytest.fixture
async def silence() -> AsyncIterator[str]:
    """The address of a server that takes calls and never answers."""

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    listener = await asyncio.start_server(hold, "127.0.0.1", 0)
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/octo/calc.git"


@pytest.mark.parametrize(
    ("old", "new", "status", "counts", "unread"),
    [
        (b"a\nb\n", b"a\nc", FileStatus.MODIFIED, (1, 1), None),
        (None, b"a\r\nb\x0c\n", FileStatus.ADDED, (2, 0), None),
        (b"a\n", None, FileStatus.REMOVED, (0, 1), None),
        (b"\0", b"\0\1", FileStatus.MODIFIED, (0, 0), Unread.BINARY),
        (None, b"\0", FileStatus.ADDED, (0, 0), Unread.BINARY),
        (b"\0", None, FileStatus.REMOVED, (0, 0), Unread.BINARY),
        (None, b"", FileStatus.ADDED, (0, 0), Unread.NO_TEXT_CHANGE),
        (b"caf\xe9\n", b"caf\xe9!\n", FileStatus.MODIFIED, (1, 1), None),
    ],
)
async def test_two_versions_of_a_file_are_diffed(old, new, status, counts, unread):
    (file,) = diff.parse(await git.diff_blobs(old, new)).files

    assert (file.path, file.status, file.unread) == ("content", status, unread)
    assert (file.added, file.removed) == counts


async def test_two_versions_that_are_the_same_have_no_diff():
    assert await git.diff_blobs(b"a\n", b"a\n") == b""


async def test_two_commits_are_fetched_and_diffed(server):
    base, head = await server.sha("main"), await server.sha("change")

    assert await server.fetch(base, head) == (await git.diff(server.folder, "main...change"))[0]
    assert await server.fetch(head, head) == b""
    assert list(server.room.iterdir()) == []


async def test_attributes_in_the_repository_hide_nothing_of_a_fetched_diff(server):
    base = await server.sha("main")
    head = await commit(server.folder, {".gitattributes": "*.py -diff\n"})

    files = {file.path: file for file in diff.parse(await server.fetch(base, head)).files}

    assert files["calc.py"].added == 8


async def test_a_fetched_diff_over_the_limit_is_refused_by_its_number(server):
    many = "".join(f"value_{number} = {number}\n" for number in range(60_000))
    base, head = await server.sha("main"), await commit(server.folder, {"big.py": many})

    with pytest.raises(DiffTooLarge, match="over the limit of 1,000"):
        await server.fetch(base, head, max_bytes=1_000)

    assert list(server.room.iterdir()) == []


@pytest.mark.parametrize("wrong", ["", "main", "--upload-pack=x", "0" * 39])
async def test_only_hashes_are_fetched(server, wrong):
    with pytest.raises(BadRange, match="hash of a commit"):
        await server.fetch(wrong, "0" * 40)


async def test_a_commit_that_the_server_lacks_is_told_in_gits_words(server):
    with pytest.raises(GitFailed, match="not our ref"):
        await server.fetch("0" * 39 + "1", await server.sha("change"))

    assert list(server.room.iterdir()) == []


async def test_only_http_is_spoken(tmp_path):
    with pytest.raises(GitFailed, match="transport 'ext' not allowed"):
        await git.fetch_diff(
            "ext::sh -c true", "1" * 40, "2" * 40, authorization=None, folder=tmp_path, max_bytes=1
        )


async def test_a_server_that_never_answers_is_given_up(silence, tmp_path, monkeypatch):
    monkeypatch.setattr(git, "FETCH_SECONDS", 0.3)

    with pytest.raises(GitFailed, match=r"did not finish within 0\.3 s"):
        await git.fetch_diff(silence, "1" * 40, "2" * 40, authorization=None, folder=tmp_path, max_bytes=1)

    assert list(tmp_path.iterdir()) == []


async def test_a_fetch_that_is_called_off_leaves_neither_process_nor_folder(silence, tmp_path, monkeypatch):
    real = (await git.run(tmp_path, "--exec-path")).decode().strip() + "/git"
    wrapper, room = tmp_path / "bin" / "git", tmp_path / "room"
    wrapper.parent.mkdir()
    room.mkdir()
    wrapper.write_text(f'#!/bin/sh\necho $$ >> {tmp_path}/processes\nexec {real} "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{wrapper.parent}:/usr/bin:/bin")
    fetch = asyncio.create_task(
        git.fetch_diff(silence, "1" * 40, "2" * 40, authorization=None, folder=room, max_bytes=1)
    )
    processes: list[str] = []
    async with asyncio.timeout(10):
        while len(processes) < 2:  # `init`, then `fetch`
            await asyncio.sleep(0.05)
            started = tmp_path / "processes"
            processes = started.read_text().split() if started.exists() else []

    fetch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetch

    for process in processes:
        with pytest.raises(ProcessLookupError):
            os.kill(int(process), 0)
    assert list(room.iterdir()) == []
