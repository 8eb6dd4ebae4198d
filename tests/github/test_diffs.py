"""However a pull request's diff is had, it is the one that git prints."""

from __future__ import annotations

import base64
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from reviewer import git
from reviewer.core import diff
from reviewer.core.diff import Diff, FileChange, Unread
from reviewer.errors import DiffTooLarge, ForgeError, ForgeRateLimited, ForgeRefused, ForgeUnavailable
from tests.scenarios.app import commit, make_repository
from webhooks.github import diffs
from webhooks.github.auth import AppAuth
from webhooks.github.client import GitHub
from webhooks.github.diffs import PullDiffs
from webhooks.github.pulls import PullRequest, Pulls
from webhooks.sandbox import Fault, Repository, Sandbox, running
from webhooks.sandbox.state import State

LINES = [f"line {number}\n" for number in range(60)]
TOO_SLOW = "Sorry, this diff is taking too long to generate."
SUBMODULE = "1" * 40, "2" * 40


@dataclass(frozen=True)
class World:
    state: State
    repository: Repository
    folder: Path
    room: Path
    github: GitHub
    pull: PullRequest

    async def read(self, *, pull: PullRequest | None = None, **limits: int) -> Diff:
        """The diff as the app reads it."""
        ladder = PullDiffs(self.github, folder=self.room, **limits)
        where = self.repository.installation_id, self.repository.full_name
        return await ladder.read(*where, pull or self.pull)

    async def truth(self) -> Diff:
        """The diff as git prints it."""
        raw, _ = await git.diff(self.folder, "main...change")
        return diff.parse(raw)

    def asked(self, part: str) -> int:
        """How many calls had this in their path."""
        return sum(part in request.path for request in self.state.requests)


def write_base(folder: Path) -> None:
    (folder / "long.py").write_text("".join(LINES))
    (folder / "moved.py").write_text("".join(LINES).replace("line", "row"))
    (folder / "same.py").write_text("".join(LINES).replace("line", "rank"))
    (folder / "gone.py").write_text("a = 1\nb = 2\n")
    (folder / "latin.py").write_bytes(b"# caf\xe9\nx = 1\n")
    (folder / "tool.sh").write_text("#!/bin/sh\n")
    (folder / "picture.bin").write_bytes(b"\0\1\2" * 50)
    (folder / "link").symlink_to("long.py")
    (folder / "old link").symlink_to("gone.py")


def write_head(folder: Path) -> None:
    (folder / "long.py").write_text("".join([*LINES[:5], "more\n", *LINES[6:50], *LINES[51:]])[:-1])
    (folder / "moved.py").rename(folder / "there.py")
    (folder / "there.py").write_text("".join(LINES).replace("line", "row").replace("row 9", "row nine"))
    (folder / "same.py").rename(folder / "näme with space.py")
    (folder / "gone.py").unlink()
    (folder / "latin.py").write_bytes(b"# caf\xe9\nx = '\xe9'\n")
    (folder / "tool.sh").chmod(0o755)
    (folder / "picture.bin").write_bytes(b"\0\1\2" * 51)
    (folder / "new.py").write_text("c = 3\r\nd = '\u2028'")
    (folder / "empty").touch()
    (folder / "new.bin").write_bytes(b"\0")
    (folder / "link").unlink()
    (folder / "link").symlink_to("tool.sh")
    (folder / "old link").unlink()
    (folder / "new link").symlink_to("there.py")


async def set_submodule(folder: Path, sha: str) -> None:
    await git.run(folder, "update-index", "--add", "--cacheinfo", f"160000,{sha},library")
    await git.run(folder, "commit", "-q", "-m", "library")


async def make_history(folder: Path) -> None:
    """`main` and `change` with every kind of change between them, and a commit that only `main` has."""
    await make_repository(folder)
    await git.run(folder, "checkout", "-q", "main")
    write_base(folder)
    await commit(folder, {})
    await set_submodule(folder, SUBMODULE[0])
    await git.run(folder, "checkout", "-q", "-B", "change")
    write_head(folder)
    await git.run(folder, "add", "-A", "--", ".", ":!library")
    await git.run(folder, "commit", "-q", "-m", "change")
    await set_submodule(folder, SUBMODULE[1])
    await git.run(folder, "checkout", "-q", "-f", "main")
    await commit(folder, {"calc.py": "elsewhere = 1\n"})


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    folder, room = tmp_path / "repo", tmp_path / "room"
    room.mkdir()
    await make_history(folder)
    sandbox = Sandbox.create(webhook_secret="made up", webhook_url=None)
    async with running(sandbox) as url:
        repository = sandbox.add_repository("octo/calc", git_dir=folder, default_branch="main")
        opened = await sandbox.open_pull_request(repository, base="main", head="change", title="t")
        auth = AppAuth(sandbox.state.client_id, sandbox.state.private_key_pem)
        async with GitHub(url, auth) as github:
            where = repository.installation_id, repository.full_name, opened.number
            pull = await Pulls(github).pull_request(*where)
            yield World(sandbox.state, repository, folder, room, github, pull)


def by_path(found: Diff) -> dict[str, FileChange]:
    return {file.path: file for file in found.files}


async def test_a_small_diff_is_githubs_own(world):
    assert await world.read() == await world.truth()
    assert world.asked("/files") == 0


@pytest.mark.parametrize("limit", ["diff_file_limit", "diff_line_limit"])
async def test_over_the_limits_the_list_of_files_tells_the_same(world, limit):
    setattr(world.state, limit, 3)

    assert await world.read() == await world.truth()
    assert world.asked("/files") == 1
    assert world.asked("/compare/") == 1
    assert world.asked("upload-pack") == 0


async def test_files_listed_without_a_patch_are_diffed_from_their_contents(world):
    world.state.diff_file_limit = 3
    world.state.patch_line_limit = 0

    found, truth = by_path(await world.read()), by_path(await world.truth())

    assert list(found) == list(truth)
    unread = {path for path, file in found.items() if file.unread is Unread.NO_HUNK}
    assert unread == {"library", "link"}  # a submodule has no blob; the old side of a link can't be had
    assert {path: file for path, file in found.items() if path not in unread} == {
        path: file for path, file in truth.items() if path not in unread
    }
    kinds = {path: found[path].unread for path in ("there.py", "gone.py", "new.py", "picture.bin", "tool.sh")}
    assert kinds == {
        "there.py": None,
        "gone.py": None,
        "new.py": None,
        "picture.bin": Unread.BINARY,
        "tool.sh": Unread.NO_TEXT_CHANGE,
    }
    assert [line.text for line in found["old link"].lines()] == ["gone.py"]
    assert [line.text for line in found["new link"].lines()] == ["there.py"]
    assert world.asked("/compare/") == 1


async def test_a_patch_that_was_cut_short_is_not_believed(world):
    world.state.diff_file_limit = 3
    where = f"/repos/{world.repository.full_name}/pulls/{world.pull.number}/files"
    answer = await world.github.read(world.repository.installation_id, where, params={"per_page": "100"})
    listed = answer.json()
    (long,) = [item for item in listed if item["filename"] == "long.py"]
    long["patch"] = long["patch"][: long["patch"].rindex("\n@@ ")]
    world.state.faults.append(Fault("GET", "/files$", 200, body=listed))

    assert await world.read() == await world.truth()


async def test_a_file_too_big_to_ask_for_is_listed_as_not_reviewed(world, monkeypatch):
    monkeypatch.setattr(diffs, "MAX_BLOB_BYTES", 100)
    world.state.diff_file_limit = 3
    world.state.patch_line_limit = 3

    found, truth = by_path(await world.read()), by_path(await world.truth())

    assert found["long.py"].unread is Unread.NO_HUNK
    assert found["new.py"] == truth["new.py"]


async def test_without_a_merge_base_only_what_needs_it_is_listed_as_not_reviewed(world):
    world.state.diff_file_limit = 3
    world.state.patch_line_limit = 4
    world.state.faults.append(Fault("GET", "/compare/", 404, times=9))

    found, truth = by_path(await world.read()), by_path(await world.truth())

    assert found["long.py"].unread is Unread.NO_HUNK
    assert (found["new.py"], found["gone.py"]) == (truth["new.py"], truth["gone.py"])
    assert world.asked("/compare/") == 1


async def test_over_the_number_of_files_that_are_listed_git_fetches_both_sides(world):
    world.state.diff_file_limit = 3
    world.state.listed_file_limit = 5

    assert await world.read(most_files=5) == await world.truth()
    assert world.asked("/files") == 0
    assert world.asked("upload-pack") > 0
    assert list(world.room.iterdir()) == []


async def test_too_many_files_without_a_patch_are_left_to_git(world, monkeypatch):
    monkeypatch.setattr(diffs, "MOST_BLOBS", 2)
    world.state.diff_file_limit = 3

    assert await world.read() == await world.truth()
    assert world.asked("/git/blobs/") == 0
    assert world.asked("upload-pack") > 0


@pytest.mark.parametrize(
    "fault",
    [
        Fault(
            "GET",
            "/pulls/1$",
            422,
            {"message": "Server Error: Sorry, this diff is taking too long to generate."},
        ),
        Fault("GET", "/pulls/1$", 504, times=3),
        Fault("GET", "/pulls/1$", 502, times=3),
        Fault("GET", "/pulls/1$", 200, "no diff at all"),
    ],
    ids=["too slow", "504", "502", "no diff"],
)
async def test_a_diff_that_github_can_not_print_is_had_from_the_files(world, fault):
    world.state.faults.append(replace(fault))

    assert await world.read() == await world.truth()
    assert world.asked("/files") == 1


async def test_a_list_that_does_not_come_is_left_to_git(world):
    world.state.diff_file_limit = 3
    world.state.faults.append(Fault("GET", "/files$", 502, times=3))

    assert await world.read() == await world.truth()


async def test_contents_that_do_not_come_are_left_to_git(world):
    world.state.diff_file_limit = 3
    world.state.patch_line_limit = 0
    world.state.faults.append(Fault("GET", "/git/blobs/", 403, times=1_000))

    assert await world.read() == await world.truth()


async def test_a_diff_with_fewer_files_than_github_counts_is_not_believed(world):
    hopeful = replace(world.pull, changed_files=world.pull.changed_files + 1)

    assert await world.read(pull=hopeful) == await world.truth()
    assert world.asked("/files") == 1
    assert world.asked("upload-pack") > 0


async def test_an_empty_diff_of_changed_files_is_an_error(world):
    sandbox = Sandbox(world.state)
    same = await sandbox.open_pull_request(world.repository, base="main", head="main", title="nothing")
    nothing = replace(world.pull, facts=replace(world.pull.facts, number=same.number, head_sha=same.head_sha))

    with pytest.raises(ForgeError, match="can't be had") as error:
        await world.read(pull=nothing)

    said = str(error.value)
    assert "GitHub's diff: 0 files came" in said
    assert "its list of files: 0 files came" in said
    assert "git fetch: no file differs" in said
    assert "split the pull request" in said
    assert await world.read(pull=replace(nothing, changed_files=0)) == Diff(())


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        (Fault("GET", "info/refs$", 403, times=9), ForgeError, "returned error: 403"),
        (Fault("GET", "info/refs$", 401, times=9), ForgeError, "could not read Username"),
        (Fault("GET", "info/refs$", 503, times=9), ForgeUnavailable, "returned error: 503"),
        (Fault("POST", "git-upload-pack$", 500, times=9), ForgeUnavailable, "returned error: 500"),
        (Fault("GET", "/compare/", 404, times=9), ForgeError, "GitHub answered 404"),
    ],
    ids=["refused", "unauthorised", "unavailable", "cut", "no merge base"],
)
async def test_where_no_way_leads_to_the_diff_there_is_an_error_and_no_diff(world, fault, error, words):
    world.state.diff_file_limit = 3
    world.state.faults.append(replace(fault))

    with pytest.raises(error, match=words) as raised:
        await world.read(most_files=5)

    assert raised.value.retryable is (error is ForgeUnavailable)
    assert "it ends at 5 of" in str(raised.value)
    assert list(world.room.iterdir()) == []


@pytest.mark.parametrize(
    ("status", "error"), [(404, ForgeRefused), (403, ForgeRefused), (429, ForgeRateLimited)]
)
async def test_what_every_way_would_meet_is_raised_at_once(world, status, error):
    world.state.faults.append(Fault("GET", "/pulls/1$", status))

    with pytest.raises(error):
        await world.read()

    assert world.asked("/files") == 0


async def test_a_limit_met_on_the_way_down_says_how_long_to_wait(world):
    world.state.diff_file_limit = 3
    world.state.faults.append(Fault("GET", "/files$", 403, headers={"retry-after": "47"}))

    with pytest.raises(ForgeRateLimited) as error:
        await world.read()

    assert error.value.retry_after == 47


@pytest.mark.parametrize("most_files", [5, 3_000])
async def test_a_diff_over_the_size_that_can_be_read_is_refused_by_its_number(world, most_files):
    world.state.diff_file_limit = 3

    with pytest.raises(DiffTooLarge, match="over the limit of 500"):
        await world.read(most_files=most_files, max_bytes=500)


async def test_the_token_is_on_no_command_line_and_on_no_disk(world, tmp_path, monkeypatch):
    seen = tmp_path / "seen"
    seen.mkdir()
    real = (await git.run(world.folder, "--exec-path")).decode().strip() + "/git"
    wrapper = tmp_path / "bin" / "git"
    wrapper.parent.mkdir()
    wrapper.write_text(
        "#!/bin/sh\n"
        f'printf "%s\\n" "$@" >> {seen}/arguments\n'
        f'test "$1" = init || cp -r . {seen}/disk.$$\n'
        f'GIT_TRACE={seen}/trace exec {real} "$@"\n'
    )
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{wrapper.parent}:/usr/bin:/bin")

    await world.read(most_files=0, pull=replace(world.pull, changed_files=10_000))

    texts = [path.read_bytes() for path in seen.rglob("*") if path.is_file()]
    (token,) = world.state.tokens
    hidden = base64.b64encode(f"x-access-token:{token}".encode())
    assert any(b"upload-pack" in text or b"remote-http" in text for text in texts)
    assert any(b"--depth=1" in text for text in texts)
    for text in texts:
        assert token.encode() not in text
        assert hidden not in text


@pytest.mark.parametrize("most_files", [5, 3_000])
async def test_no_diff_is_parsed_on_the_event_loop(world, monkeypatch, most_files):
    threads: list[int] = []
    parse, parse_patch = diff.parse, diff.parse_patch

    def parse_and_note(raw: bytes, **words: Any) -> Diff:
        threads.append(threading.get_ident())
        return parse(raw, **words)

    def parse_patch_and_note(patch: str, **words: Any) -> FileChange:
        threads.append(threading.get_ident())
        return parse_patch(patch, **words)

    monkeypatch.setattr(diff, "parse", parse_and_note)
    monkeypatch.setattr(diff, "parse_patch", parse_patch_and_note)
    await world.read()
    world.state.diff_file_limit = 3
    await world.read(most_files=most_files)

    assert len(threads) > 1
    assert threading.get_ident() not in threads
