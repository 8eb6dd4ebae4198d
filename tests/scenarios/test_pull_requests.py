"""Stories of what people do to pull requests while, before and after they are reviewed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.fakes.claude import Answer, ScriptedClaude
from tests.scenarios.app import World, commit, make_repository, open_change, world
from tests.scenarios.stage import (
    MORE_NOTES,
    SHELL,
    WRONG,
    Held,
    answered,
    asked,
    ended,
    heard,
    in_turn,
    places,
    reviews,
    shown,
    stop_clock,
    until,
)
from webhooks.sandbox import PullRequest, Repository

Deed = Callable[[World, Repository, PullRequest], Awaitable[Any]]


async def test_a_push_cuts_the_review_under_way_and_only_the_new_head_is_spoken_about(
    database_url, database, tmp_path
):
    folder = await make_repository(tmp_path / "repo")
    script = in_turn(Held.after(1, WRONG, SHELL), Answer.findings(SHELL))
    async with ScriptedClaude(script) as claude, world(database_url, tmp_path, claude=claude.url) as app:
        repository, pull = await open_change(app, folder)
        old, old_head = await app.newest_review(), pull.head_sha
        await heard(app, old, "finding")
        await commit(folder, MORE_NOTES)
        await app.sandbox.push(repository, pull, "change")
        end = await ended(app, repository)

        told = await app.until_end(old)
        assert told[-1].type == "review.superseded"
        assert told[-1].data["by"] == pull.head_sha
        assert end.type == "review.completed"
        order = [event.id async for event in app.events("/events?from=start&follow=false")]
        assert order.index(told[-1].id) < order.index(end.id)
        assert claude.requests[0].cut_at is not None
        assert [review.commit_id for review in pull.reviews.values()] == [pull.head_sha]
        assert places(pull) == [("calc.py", 9)]
        checks = {check.head_sha: check for check in repository.check_runs.values()}
        assert checks[old_head].conclusion == "cancelled"
        assert pull.head_sha[:12] in str(checks[old_head].output["summary"])
        assert checks[pull.head_sha].conclusion == "neutral"
    async with database.connection() as connection:
        cursor = await connection.execute("SELECT count(*) FROM reservations")
        assert await cursor.fetchone() == (0,)
        cursor = await connection.execute("SELECT count(*) FROM calls WHERE review = %s", [old])
        assert await cursor.fetchone() == (1,)


async def test_of_pushes_in_a_burst_the_last_is_reviewed(database_url, tmp_path):
    folder = await make_repository(tmp_path / "repo")
    script = in_turn(Held.after(0, WRONG), Answer.findings(SHELL))
    async with ScriptedClaude(script) as claude, world(database_url, tmp_path, claude=claude.url) as app:
        repository, pull = await open_change(app, folder)
        await asked(claude)
        for text in ("# Second\n", "# Third\n"):
            await commit(folder, {"notes.md": text})
            await app.sandbox.push(repository, pull, "change")
        end = await ended(app, repository)

        assert end.type == "review.completed"
        assert [each["status"] for each in await reviews(app)] == ["completed", "superseded", "superseded"]
        assert [review.commit_id for review in pull.reviews.values()] == [pull.head_sha]
        assert "Third" in str(claude.requests[-1].body)
        assert len(claude.requests) == 2


async def _close(app: World, repository: Repository, pull: PullRequest) -> None:
    await app.sandbox.close(repository, pull)


async def _reopen(app: World, repository: Repository, pull: PullRequest) -> None:
    await app.sandbox.close(repository, pull)
    await app.sandbox.reopen(repository, pull)


async def _draft(app: World, repository: Repository, pull: PullRequest) -> None:
    await app.sandbox.convert_to_draft(repository, pull)


async def _ready(app: World, repository: Repository, pull: PullRequest) -> None:
    await app.sandbox.mark_ready(repository, pull)


async def _label(app: World, repository: Repository, pull: PullRequest) -> None:
    await app.sandbox.label(repository, pull, "ask sluice")


async def _unlabel(app: World, repository: Repository, pull: PullRequest) -> None:
    await app.sandbox.unlabel(repository, pull, "ask sluice")


async def _stop(app: World, repository: Repository, _: PullRequest) -> None:
    await until(lambda: repository.check_runs)
    await app.sandbox.press(repository, shown(repository), "stop", by="maintainer")


async def _say_stop(app: World, repository: Repository, pull: PullRequest) -> None:
    await app.sandbox.comment(repository, pull, "/sluice stop", "maintainer")


async def _again(app: World, repository: Repository, _: PullRequest) -> None:
    await app.sandbox.press(repository, shown(repository), "again")


async def _rerun(app: World, repository: Repository, _: PullRequest) -> None:
    await app.sandbox.rerequest(repository, shown(repository))


async def _rerun_all(app: World, repository: Repository, pull: PullRequest) -> None:
    await app.sandbox.rerequest_suite(repository, pull.head_sha)


async def _say_review(app: World, repository: Repository, pull: PullRequest) -> None:
    await app.sandbox.comment(repository, pull, "Once more, please:\n/sluice review", "maintainer")


async def open_as(app: World, folder: Any, **how: Any) -> tuple[Repository, PullRequest]:
    """Open a pull request that is special."""
    repository = app.sandbox.add_repository("octo/calc", git_dir=folder, default_branch="main")
    how = {"base": "main", "head": "change", "title": "Subtract", **how}
    return repository, await app.sandbox.open_pull_request(repository, **how)


@pytest.mark.parametrize(
    ("deed", "why"),
    [
        (_close, "the pull request is closed"),
        (_draft, "ready for review"),
        (_unlabel, "the label 'ask sluice'"),
        (_stop, "stopped by maintainer"),
        (_say_stop, "stopped by maintainer"),
    ],
)
async def test_a_review_that_is_not_wanted_any_more_ends_and_says_nothing(database_url, tmp_path, deed, why):
    folder = await make_repository(tmp_path / "repo")
    script = in_turn(Held.after(1, WRONG, SHELL))
    async with (
        ScriptedClaude(script) as claude,
        world(database_url, tmp_path, claude=claude.url, sluice_label="ask sluice") as app,
    ):
        repository, pull = await open_as(app, folder, labels=["ask sluice"])
        review = await app.newest_review()
        await heard(app, review, "finding")
        await deed(app, repository, pull)
        end = await ended(app, repository)

        assert end.type == "review.cancelled"
        assert why in end.data["reason"]
        await until(lambda: claude.requests[0].cut_at is not None)
        assert not pull.reviews
        check = shown(repository)
        assert (check.conclusion, check.output["title"]) == ("cancelled", "stopped")
        assert why in str(check.output["summary"])
        assert [action["identifier"] for action in check.actions] == ["again"]


async def test_a_close_in_the_very_second_of_the_last_push_is_not_waited_for_until_the_review_ends(
    database_url, tmp_path
):
    folder = await make_repository(tmp_path / "repo")
    script = in_turn(Held.after(0, WRONG))
    async with ScriptedClaude(script) as claude, world(database_url, tmp_path, claude=claude.url) as app:
        stop_clock(app)
        repository, pull = await open_change(app, folder)
        await asked(claude)
        await _close(app, repository, pull)
        assert "GitHub is asked" in answered(app)

        assert (await ended(app, repository)).type == "review.cancelled"
        assert not pull.reviews


async def test_a_stopped_head_is_reviewed_again_only_when_somebody_asks(database_url, tmp_path):
    folder = await make_repository(tmp_path / "repo")
    script = in_turn(Held.after(0, WRONG), Answer.findings(WRONG))
    async with ScriptedClaude(script) as claude, world(database_url, tmp_path, claude=claude.url) as app:
        repository, pull = await open_change(app, folder)
        await asked(claude)
        await _stop(app, repository, pull)
        await ended(app, repository)
        await app.sandbox.announce(repository, pull, "reopened")
        assert len(await reviews(app)) == 1

        await _again(app, repository, pull)
        assert (await ended(app, repository)).type == "review.completed"
        assert places(pull) == [("calc.py", 5)]


@pytest.mark.parametrize(
    ("opened", "why", "deed"),
    [
        ({"draft": True}, "a draft is reviewed when it is ready", _ready),
        ({"labels": []}, "the label 'ask sluice' asks for a review here", _label),
        ({"draft": True}, "a draft is reviewed when it is ready", _say_review),
    ],
    ids=["draft", "label", "draft by command"],
)
async def test_a_pull_request_waits_for_what_makes_it_wanted(database_url, tmp_path, opened, why, deed):
    folder = await make_repository(tmp_path / "repo")
    label = "ask sluice" if "labels" in opened else None
    async with world(database_url, tmp_path, sluice_label=label) as app:
        repository, pull = await open_as(app, folder, **opened)
        assert why in answered(app)
        assert not await reviews(app)

        await deed(app, repository, pull)
        assert (await ended(app, repository)).type == "review.completed"
        assert places(pull) == [("calc.py", 9)]


async def test_a_pull_request_that_is_closed_and_opened_again_is_reviewed_once(database_url, tmp_path):
    folder = await make_repository(tmp_path / "repo")
    held = Held.after(0, WRONG)
    script = in_turn(held, Answer.findings(WRONG))
    async with ScriptedClaude(script) as claude, world(database_url, tmp_path, claude=claude.url) as app:
        repository, pull = await open_change(app, folder)
        await asked(claude)
        await _reopen(app, repository, pull)
        held.let_go = True  # within one second nothing has happened, and the first review goes on
        await until(lambda: pull.reviews)

        assert (await ended(app, repository)).type == "review.completed"
        assert places(pull) == [("calc.py", 5)]


@pytest.mark.parametrize("deed", [_again, _rerun, _rerun_all, _say_review])
async def test_one_more_review_of_a_head_has_a_check_run_of_its_own_and_says_nothing_twice(
    database_url, tmp_path, deed
):
    folder = await make_repository(tmp_path / "repo")
    async with world(database_url, tmp_path) as app:
        repository, pull = await open_change(app, folder)
        await ended(app, repository)
        await deed(app, repository, pull)
        await until(lambda: len(repository.check_runs) == 2)
        end = await ended(app, repository)

        assert (end.type, end.data["findings"]) == ("review.completed", 1)
        assert [each["status"] for each in await reviews(app)] == ["completed", "completed"]
        assert len(pull.reviews) == 1
        assert len(pull.comments) == 1
        assert "calc.py" in str(shown(repository).output["summary"])


async def test_another_base_is_another_change_of_the_same_head(database_url, tmp_path):
    folder = await make_repository(tmp_path / "repo")
    async with world(database_url, tmp_path) as app:
        repository, pull = await open_change(app, folder)
        await ended(app, repository)
        base = pull.base_sha
        await commit(folder, {"shell.py": "import os\nos.system(input())\n"})
        await app.sandbox.push(repository, pull, "change")
        await ended(app, repository)
        await app.sandbox.retitle(repository, pull, "Another title")
        assert len(await reviews(app)) == 2

        await app.sandbox.retarget(repository, pull, "change~1")
        end = await ended(app, repository)
        assert base != pull.base_sha
        assert len(await reviews(app)) == 3
        assert end.data["coverage"]["changed_lines"] == 2
        assert end.data["head_sha"] == pull.head_sha


@pytest.mark.parametrize(
    ("author", "how", "why"),
    [
        ("stranger", {"association": "CONTRIBUTOR"}, "stranger is 'CONTRIBUTOR' here"),
        ("other[bot]", {"author_type": "Bot"}, "only people give commands"),
        ("maintainer", {"text": "/sluice dance"}, "'dance' is no command"),
        ("maintainer", {"text": "> /sluice review"}, "no command"),
    ],
    ids=["stranger", "bot", "unknown", "quoted"],
)
async def test_commands_that_nobody_may_give_do_nothing(database_url, tmp_path, author, how, why):
    folder = await make_repository(tmp_path / "repo")
    async with world(database_url, tmp_path) as app:
        repository, pull = await open_as(app, folder, draft=True)
        how = {"text": "/sluice review", **how}
        await app.sandbox.comment(repository, pull, how.pop("text"), author, **how)

        assert why in answered(app)
        assert not await reviews(app)


async def test_a_pull_request_from_before_the_app_is_reviewed_when_somebody_asks(database_url, tmp_path):
    folder = await make_repository(tmp_path / "repo")
    async with world(database_url, tmp_path) as app:
        app.sandbox.state.webhook_down = True
        repository, pull = await open_change(app, folder)
        app.sandbox.state.webhook_down = False
        await _say_review(app, repository, pull)
        assert "GitHub is asked" in answered(app)
        await until(lambda: repository.check_runs)

        assert (await ended(app, repository)).type == "review.completed"
        assert places(pull) == [("calc.py", 9)]
