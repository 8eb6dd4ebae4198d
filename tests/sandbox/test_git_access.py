"""The sandbox's ways to commits, blobs and packs, as GitHub has them."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from reviewer import git
from reviewer.errors import BadRange, ForgeRefused
from tests.scenarios.app import commit, make_repository
from webhooks.github import wire
from webhooks.github.auth import AppAuth
from webhooks.github.client import GitHub
from webhooks.sandbox import Repository, Sandbox, running
from webhooks.sandbox.state import State


@dataclass(frozen=True)
class World:
    url: str
    state: State
    repository: Repository
    folder: Path
    github: GitHub

    async def read(self, path: str, accept: str = wire.JSON_TYPE, **params: str) -> wire.Answer:
        where = f"/repos/{self.repository.full_name}/{path}"
        return await self.github.read(self.repository.installation_id, where, accept=accept, params=params)

    async def compare(self, span: str, **params: str) -> Any:
        return (await self.read(f"compare/{span}", **params)).json()

    async def sha(self, name: str) -> str:
        return (await git.run(self.folder, "rev-parse", name)).decode().strip()

    @property
    def authorization(self) -> str:
        """A header with a token of the installation."""
        installation = self.state.installations[self.repository.installation_id]
        token = self.state.issue_token(installation, installation.permissions, None).text
        return "Basic " + base64.b64encode(f"x-access-token:{token}".encode()).decode()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    folder = await make_repository(tmp_path / "repo")
    sandbox = Sandbox.create(webhook_secret="made up", webhook_url=None)
    async with running(sandbox) as url:
        repository = sandbox.add_repository("octo/calc", git_dir=folder, default_branch="main")
        auth = AppAuth(sandbox.state.client_id, sandbox.state.private_key_pem)
        async with GitHub(url, auth) as github:
            yield World(url, sandbox.state, repository, folder, github)


async def test_a_comparison_names_the_merge_base_and_counts_both_ways(world):
    await commit(world.folder, {"more.py": "y = 1\n"})
    fork = await world.sha("main")
    await git.run(world.folder, "checkout", "-q", "main")
    base = await commit(world.folder, {"old.py": "x = 2\n"})

    found = await world.compare("main...change")

    assert found["merge_base_commit"]["sha"] == fork
    assert found["base_commit"]["sha"] == base
    counts = found["status"], found["ahead_by"], found["behind_by"], found["total_commits"]
    assert counts == ("diverged", 2, 1, 2)
    assert [each["sha"] for each in found["commits"]] == [
        await world.sha("change~1"),
        await world.sha("change"),
    ]
    assert found["commits"][0]["commit"]["author"]["email"] == "test@example.com"
    assert [each["filename"] for each in found["files"]] == ["calc.py", "more.py", "notes.md"]


@pytest.mark.parametrize(
    ("span", "status"),
    [("main...change", "ahead"), ("change...main", "behind"), ("main...main", "identical")],
)
async def test_a_comparison_says_who_is_ahead(world, span, status):
    assert (await world.compare(span))["status"] == status


async def test_only_the_first_page_of_a_comparison_lists_files(world):
    await commit(world.folder, {"more.py": "y = 1\n"})

    first = await world.read("compare/main...change", per_page="1")
    second = await world.compare("main...change", per_page="1", page="2")

    assert "page=2" in (first.next_page or "")
    assert [len(first.json()["commits"]), len(second["commits"])] == [1, 1]
    assert "files" in first.json()
    assert "files" not in second


@pytest.mark.parametrize("span", ["main..change", "main...nowhere", "main"])
async def test_what_can_not_be_compared_is_not_found(world, span):
    with pytest.raises(ForgeRefused) as error:
        await world.compare(span)

    assert error.value.status == 404


async def test_a_blob_comes_raw_or_as_base64(world):
    sha = await world.sha("change:notes.md")

    assert (await world.read(f"git/blobs/{sha}", wire.RAW_TYPE)).body == b"# Notes\n"
    wrapped = (await world.read(f"git/blobs/{sha}")).json()
    assert base64.b64decode(wrapped["content"]) == b"# Notes\n"


async def test_the_contents_route_follows_a_symlink_and_the_blob_route_does_not(world):
    (world.folder / "link").symlink_to("notes.md")
    (world.folder / "dangling").symlink_to("nowhere")
    await commit(world.folder, {})
    blob = await world.sha("change:link")

    followed = await world.read("contents/link", wire.RAW_TYPE, ref="change")
    dangling = await world.read("contents/dangling", wire.RAW_TYPE, ref="change")

    assert followed.body == b"# Notes\n"
    assert dangling.body == b"nowhere"
    assert (await world.read(f"git/blobs/{blob}", wire.RAW_TYPE)).body == b"notes.md"


@pytest.mark.parametrize("protocol", ["0", "2"])
@pytest.mark.parametrize("words", [("--depth=1",), ("--depth=1", "--filter=blob:none")])
async def test_git_fetches_a_commit_by_its_hash(world, tmp_path, protocol, words):
    sha = await world.sha("change")
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    await git.run(fresh, "init", "-q", "--bare")
    await git.run(fresh, "remote", "add", "origin", f"{world.url}/octo/calc.git")
    await git.run(fresh, "config", "http.extraHeader", f"Authorization: {world.authorization}")

    await git.run(fresh, "-c", f"protocol.version={protocol}", "fetch", "-q", *words, "origin", sha)

    assert await git.run(fresh, "cat-file", "blob", f"{sha}:notes.md") == b"# Notes\n"
    with pytest.raises(BadRange):
        await git.run(fresh, "rev-parse", "--verify", f"{sha}~1")


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (None, 401),
        ("Basic " + base64.b64encode(b"x-access-token:wrong").decode(), 401),
        ("Basic no base64!", 401),
        ("Bearer wrong", 401),
    ],
)
async def test_git_is_asked_for_a_token(world, authorization, status):
    headers = {"Authorization": authorization} if authorization else {}
    address = f"{world.url}/octo/calc.git/info/refs?service=git-upload-pack"
    async with aiohttp.ClientSession() as http, http.get(address, headers=headers) as answer:
        assert answer.status == status
        assert answer.headers["WWW-Authenticate"] == 'Basic realm="GitHub"'


async def test_a_foreign_repository_is_not_found_and_pushing_is_not_offered(world):
    headers = {"Authorization": world.authorization}
    async with aiohttp.ClientSession(headers=headers) as http:
        for path, status in (
            ("octo/other.git/info/refs?service=git-upload-pack", 404),
            ("octo/calc.git/info/refs?service=git-receive-pack", 403),
            ("octo/calc.git/info/refs", 403),
        ):
            async with http.get(f"{world.url}/{path}") as answer:
                assert answer.status == status, path


async def test_files_past_the_limit_are_not_listed(world):
    sandbox = Sandbox(world.state)
    pull = await sandbox.open_pull_request(world.repository, base="main", head="change", title="t")
    world.state.listed_file_limit = 1

    listed = (await world.read(f"pulls/{pull.number}/files")).json()

    assert (pull.changed_files, len(listed)) == (2, 1)


async def test_a_pull_request_says_where_to_clone_its_base(world):
    sandbox = Sandbox(world.state)
    pull = await sandbox.open_pull_request(world.repository, base="main", head="change", title="t")

    found = (await world.read(f"pulls/{pull.number}")).json()

    assert found["base"]["repo"]["clone_url"] == f"{world.url}/octo/calc.git"
