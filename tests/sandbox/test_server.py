"""The sandbox refuses and accepts what GitHub does; the real client talks to it over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from reviewer.core import diff
from reviewer.core.anchors import Anchors
from reviewer.core.findings import Side
from reviewer.errors import BadSettings, ForgeRateLimited, ForgeRefused, ForgeUnavailable
from tests.scenarios.app import make_repository
from webhooks.github import wire
from webhooks.github.auth import AppAuth
from webhooks.github.client import GitHub
from webhooks.github.pulls import HeadFiles, Pulls
from webhooks.github.reviews import Reviews
from webhooks.sandbox import Fault, PullRequest, Repository, Sandbox, running
from webhooks.sandbox.state import State


@dataclass(frozen=True)
class World:
    state: State
    repository: Repository
    pull: PullRequest
    github: GitHub
    pulls: Pulls

    @property
    def where(self) -> tuple[int, str, int]:
        return self.repository.installation_id, self.repository.full_name, self.pull.number

    async def try_post(self, comment: dict[str, Any]) -> int:
        """The status that posting a comment gets."""
        try:
            await self.post(comment)
        except ForgeRefused as error:
            return error.status or 0
        return 200

    async def post(self, *comments: dict[str, Any], **changes: Any) -> Any:
        body = {
            "commit_id": self.pull.head_sha,
            "body": "a review",
            "event": "COMMENT",
            "comments": list(comments),
            **changes,
        }
        installation, repository, number = self.where
        return await self.github.write(
            installation, "POST", f"/repos/{repository}/pulls/{number}/reviews", body
        )


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    folder = await make_repository(tmp_path / "repo")
    sandbox = Sandbox.create(webhook_secret="made up", webhook_url=None)
    async with running(sandbox) as url:
        repository = sandbox.add_repository("octo/calc", git_dir=folder, default_branch="main")
        pull = await sandbox.open_pull_request(repository, base="main", head="change", title="t")
        auth = AppAuth(sandbox.state.client_id, sandbox.state.private_key_pem)
        async with GitHub(url, auth) as github:
            yield World(sandbox.state, repository, pull, github, Pulls(github))


def comment(line: int, side: str = "RIGHT", start: int | None = None) -> dict[str, Any]:
    made = {"path": "calc.py", "body": "words", "line": line, "side": side}
    return made if start is None else {**made, "start_line": start, "start_side": side}


async def test_the_anchor_check_and_github_agree_on_every_line_and_range(world):
    installation, repository, number = world.where
    answer = await world.github.read(
        installation, f"/repos/{repository}/pulls/{number}", accept=wire.DIFF_TYPE
    )
    (file,) = [f for f in diff.parse(answer.body).files if f.path == "calc.py"]
    anchors = Anchors(file.path, [file])
    tried = refused = 0
    for side in Side:
        for line in range(1, 12):
            for start in (None, *range(1, line + 2)):
                first, last = (line, None) if start is None else (start, line)
                wanted = anchors.accepts(side, first, last)
                tried += 1
                status = await world.try_post(comment(line, side.value, start))
                assert status in {200, 422}
                refused += status == 422
                assert wanted == (status == 200), (side, start, line)
    assert 0 < refused < tried


async def test_one_bad_comment_refuses_the_whole_review_and_nothing_stands(world):
    with pytest.raises(ForgeRefused) as error:
        await world.post(comment(5), comment(500))

    assert error.value.details == ("Line could not be resolved",)
    assert (world.pull.reviews, world.pull.comments) == ({}, {})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"comments": [{"path": "nowhere.py", "body": "b", "line": 1}]}, "Path could not be resolved"),
        ({"comments": [{"path": "calc.py", "body": "b", "line": 5, "subject_type": "line"}]}, "subject_type"),
        ({"comments": [{"path": "calc.py", "body": "b", "line": 4, "start_line": 5}]}, "must precede"),
        ({"comments": [{"path": "calc.py", "line": 4}]}, "body"),
        ({"comments": [{"path": "calc.py", "body": "b", "line": 5, "side": "MIDDLE"}]}, "side"),
        ({"body": "x" * 65_537}, "body is too long"),
        ({"body": "", "comments": []}, "Body can't be blank"),
        ({"commit_id": "0" * 40}, "Commit is not part"),
        ({"event": "SHOUT"}, "PullRequestReviewEvent"),
    ],
)
async def test_reviews_are_refused_in_githubs_words(world, changes, words):
    with pytest.raises(ForgeRefused, match=words) as error:
        await world.post(**changes)

    assert error.value.status == 422
    assert world.pull.reviews == {}


async def test_a_pending_review_blocks_the_next(world):
    await world.post(event=None)

    with pytest.raises(ForgeRefused, match="only have one pending review"):
        await world.post()


async def test_files_of_the_head_are_read(world):
    installation, repository, _ = world.where
    files = HeadFiles(world.pulls, installation, repository, world.pull.head_sha)

    assert await files.read("notes.md") == b"# Notes\n"
    assert await files.read("no/such/file") is None


async def test_listings_are_read_page_by_page(world):
    for _ in range(120):
        await world.post()

    assert len(await Reviews(world.github).listing(*world.where)) == 120


async def test_a_token_is_fetched_once_and_a_foreign_installation_gets_none(world):
    for _ in range(3):
        await world.pulls.pull_request(*world.where)
    with pytest.raises(ForgeRefused) as error:
        await world.pulls.pull_request(999, "octo/calc", 1)

    fetched = [r.status for r in world.state.requests if r.path.endswith("/access_tokens")]
    assert fetched == [201, 404]
    assert error.value.status == 404


async def test_reads_are_tried_again_and_writes_are_not(world):
    world.state.faults.append(Fault("GET", "/pulls/1$", 502, times=1))
    assert (await world.pulls.pull_request(*world.where)).number == 1

    world.state.faults.append(Fault("POST", "/reviews$", 502, times=1))
    with pytest.raises(ForgeUnavailable):
        await world.post()
    assert world.pull.reviews == {}


async def test_a_limit_says_how_long_to_wait(world):
    world.state.faults.append(Fault("POST", "/reviews$", 403, headers={"retry-after": "17"}))

    with pytest.raises(ForgeRateLimited) as error:
        await world.post()

    assert error.value.retry_after == 17


async def test_a_key_that_is_none_is_told_at_start():
    with pytest.raises(BadSettings, match="GITHUB_PRIVATE_KEY"):
        async with GitHub("http://127.0.0.1:1", AppAuth("app", "no key")):
            pass


async def test_check_runs_keep_githubs_rules(world):
    installation, repository, _ = world.where
    path = f"/repos/{repository}/check-runs"
    for body in (
        {"name": "x"},
        {"name": "x", "head_sha": world.pull.head_sha, "status": "completed"},
        {"name": "x", "head_sha": world.pull.head_sha, "output": {"title": "t"}},
        {"name": "x", "head_sha": world.pull.head_sha, "output": {"title": "t", "summary": "s" * 65_536}},
    ):
        with pytest.raises(ForgeRefused) as error:
            await world.github.write(installation, "POST", path, body)
        assert error.value.status == 422
