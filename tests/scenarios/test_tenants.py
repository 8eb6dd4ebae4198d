"""Stories of repositories that get another name or owner, and of accounts that part with the app."""

from __future__ import annotations

import asyncio

import pytest

from reviewer.store.database import Database
from tests.fakes.claude import Answer, ScriptedClaude
from tests.scenarios.app import PATIENCE, commit, make_repository, open_change, world
from tests.scenarios.stage import (
    MORE_NOTES,
    SHELL,
    WRONG,
    Held,
    asked,
    ended,
    in_turn,
    places,
    reviews,
    until,
)

KEPT = ("reviews", "pull_requests", "deliveries", "intents", "said", "events", "ledger", "calls")


async def rows(database: Database) -> int:
    """What is kept of anybody."""
    count = 0
    async with database.connection() as connection:
        for table in KEPT:
            cursor = await connection.execute(f"SELECT count(*) FROM {table}")  # noqa: S608
            count += (await cursor.fetchone() or (0,))[0]
    return count


@pytest.mark.parametrize("way", ["rename", "transfer"])
async def test_a_repository_that_moves_between_two_pushes_is_not_told_the_same_again(
    database_url, tmp_path, way
):
    folder = await make_repository(tmp_path / "repo")
    script = in_turn(Answer.findings(WRONG), Answer.findings(WRONG, SHELL))
    async with ScriptedClaude(script) as claude, world(database_url, tmp_path, claude=claude.url) as app:
        repository, pull = await open_change(app, folder)
        await ended(app, repository)
        await getattr(app.sandbox, way)(repository, "sums" if way == "rename" else "quarto")
        await commit(folder, {"calc.py": (folder / "calc.py").read_text() + "# the end\n"})
        await app.sandbox.push(repository, pull, "change")
        end = await ended(app, repository)

        assert end.type == "review.completed"
        assert end.data["repository"] == repository.full_name
        assert places(pull) == [("calc.py", 5), ("calc.py", 9)]
        assert {each["repository"] for each in await reviews(app)} == {repository.full_name}


@pytest.mark.parametrize("way", ["rename", "transfer"])
async def test_a_repository_that_moves_during_a_review_is_followed(database_url, tmp_path, way):
    folder = await make_repository(tmp_path / "repo")
    held = Held.after(0, WRONG)
    async with (
        ScriptedClaude([held, Answer.findings(WRONG)]) as claude,
        world(database_url, tmp_path, claude=claude.url) as app,
    ):
        repository, pull = await open_change(app, folder)
        await asked(claude)
        await getattr(app.sandbox, way)(repository, "sums" if way == "rename" else "quarto")
        held.let_go = True
        await until(lambda: pull.comments)
        await ended(app, repository)

        assert places(pull) == [("calc.py", 5)]
        assert len(pull.reviews) == 1


async def test_an_account_that_uninstalls_the_app_during_a_review_leaves_nothing_behind(
    database_url, database, tmp_path
):
    folder = await make_repository(tmp_path / "repo")
    async with (
        ScriptedClaude([Held.after(1, WRONG, SHELL)]) as claude,
        world(database_url, tmp_path, claude=claude.url) as app,
    ):
        _, pull = await open_change(app, folder)
        await asked(claude)
        await app.sandbox.uninstall("octo")
        await until(lambda: claude.requests[0].cut_at is not None)
        left = {"reviews": 1}
        while any(left.values()):
            async with database.connection() as connection:
                for table in (
                    "reviews",
                    "pull_requests",
                    "deliveries",
                    "intents",
                    "said",
                    "events",
                    "ledger",
                ):
                    cursor = await connection.execute(f"SELECT count(*) FROM {table}")  # noqa: S608
                    row = await cursor.fetchone()
                    left[table] = row[0] if row else 0
            await until(lambda: True)
        assert not pull.reviews
        assert not await reviews(app)


async def test_a_repository_that_is_taken_out_of_the_installation_ends_its_review(database_url, tmp_path):
    folder = await make_repository(tmp_path / "repo")
    async with (
        ScriptedClaude([Held.after(1, WRONG, SHELL)]) as claude,
        world(database_url, tmp_path, claude=claude.url) as app,
    ):
        repository, pull = await open_change(app, folder)
        await asked(claude)
        await app.sandbox.remove_repository(repository)
        await until(lambda: claude.requests[0].cut_at is not None)
        async with asyncio.timeout(PATIENCE):
            while await reviews(app):  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.05)
        assert not pull.reviews


async def test_a_suspended_account_is_not_reviewed_and_the_review_says_what_can_be_done(
    database_url, tmp_path
):
    folder = await make_repository(tmp_path / "repo")
    held = Held.after(0, WRONG)
    async with (
        ScriptedClaude([held, Answer.findings(WRONG)]) as claude,
        world(database_url, tmp_path, claude=claude.url) as app,
    ):
        repository, pull = await open_change(app, folder)
        await asked(claude)
        await app.sandbox.suspend("octo", by="owner")
        events = await app.until_end(await app.newest_review())

        assert events[-1].type == "review.cancelled"
        assert "suspended by owner" in events[-1].data["reason"]
        assert not pull.reviews

        await app.sandbox.unsuspend("octo")
        await commit(folder, MORE_NOTES)
        await app.sandbox.push(repository, pull, "change")
        await until(lambda: pull.comments)
        assert places(pull) == [("calc.py", 5)]


async def test_a_suspension_that_nobody_told_us_of_names_the_remedy(database_url, tmp_path):
    folder = await make_repository(tmp_path / "repo")
    held = Held.after(0, WRONG)
    async with (
        ScriptedClaude([held]) as claude,
        world(database_url, tmp_path, claude=claude.url) as app,
    ):
        await open_change(app, folder)
        await asked(claude)
        app.sandbox.find_installation("octo").suspended = True
        held.let_go = True
        events = await app.until_end(await app.newest_review())

        assert events[-1].type == "review.failed"
        assert "unsuspend it" in events[-1].data["reason"] + events[-1].data["next"]
