"""Stories in which the model is down, has no money left, or is one of several."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from tests.core.test_stream import finding
from tests.fakes.claude import Answer, ScriptedClaude
from tests.scenarios.app import commit, make_repository, open_change, world

WRONG = finding("It subtracts", path="calc.py", line=5, quote="    return a - b", severity="high")
DOWN = Answer(status=529, headers={"retry-after": "0.01"})
ALONE = {"llm_batch_tokens": 0}


def path_in(body: dict[str, Any]) -> str:
    text = body["messages"][0]["content"]
    return next(path for path in ("calc.py", "notes.md", "again.py") if f'path="{path}"' in text)


async def test_a_review_whose_model_is_down_waits_says_so_and_buys_only_what_is_missing(
    database_url, database, tmp_path
):
    folder = await make_repository(tmp_path / "repo")
    asked: Counter[str] = Counter()

    def script(body: dict[str, Any]) -> Answer:
        path = path_in(body)
        asked[path] += 1
        if path == "notes.md" and asked[path] <= 3:
            return DOWN
        return Answer.findings(WRONG) if path == "calc.py" else Answer()

    async with (
        ScriptedClaude(script) as claude,
        world(database_url, tmp_path, claude=claude.url, sluice_postpone_seconds=1.0, **ALONE) as app,
    ):
        repository, pull = await open_change(app, folder)
        review = await app.newest_review()
        seen: list[str] = []
        end: dict[str, Any] = {}
        async with asyncio.timeout(30):
            async for event in app.events(f"/reviews/{review}/events"):
                seen.append(event.type)
                if event.type == "review.postponed":
                    assert (event.data["chunks_done"], event.data["chunks_left"]) == (1, 1)
                    assert event.data["wait"] == 1.0
                    async with app.http.get(f"{app.url}/reviews/{review}") as answer:
                        assert (await answer.json())["status"] == "postponed"
                    assert not pull.reviews
                if event.type == "review.completed":
                    end = event.data
                    break

        assert asked == {"calc.py": 1, "notes.md": 4}
        assert seen.count("finding") == 1
        assert seen.count("review.postponed") == 1
        assert end["coverage"]["not_reviewed"] == {}
        assert len(pull.reviews) == 1
        await app.closed(repository)
        (check,) = app.sandbox.check_runs(repository, pull)
        assert (check.status, check.conclusion) == ("completed", "neutral")
    async with database.connection() as connection:
        cursor = await connection.execute("SELECT sum(input) FROM calls WHERE error IS NULL")
        assert await cursor.fetchone() == (2_000,)


async def test_while_a_review_waits_its_check_run_says_until_when(database_url, tmp_path):
    folder = await make_repository(tmp_path / "repo")
    async with (
        ScriptedClaude([DOWN]) as claude,
        world(database_url, tmp_path, claude=claude.url, sluice_postpone_seconds=600.0) as app,
    ):
        repository, pull = await open_change(app, folder)
        async with asyncio.timeout(30):
            async for event in app.events("/events"):
                if event.type == "review.postponed":
                    break
            while not any("waits" in str(c.output.get("title")) for c in repository.check_runs.values()):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            (check,) = app.sandbox.check_runs(repository, pull)

        assert check.status == "in_progress"
        assert check.output["title"] == "waits for the model, goes on in 10 minutes"
        assert "overloaded_error" in str(check.output["summary"])


async def test_a_push_does_not_wait_for_the_model_of_the_old_head(database_url, tmp_path):
    folder = await make_repository(tmp_path / "repo")
    answers = [DOWN] * 3 + [Answer.findings(WRONG)]
    async with (
        ScriptedClaude(answers) as claude,
        world(database_url, tmp_path, claude=claude.url, sluice_postpone_seconds=600.0) as app,
    ):
        repository, pull = await open_change(app, folder)
        async with asyncio.timeout(30):
            async for event in app.events("/events"):
                if event.type == "review.postponed":
                    break
        await asyncio.sleep(0.3)  # the job goes back to the queue once it has ended
        old = await app.newest_review()
        await commit(folder, {"notes.md": "# More notes\n"})
        await app.sandbox.push(repository, pull, "change")
        events = await app.until_end(await app.newest_review())

        assert events[-1].type == "review.completed"
        assert len(pull.comments) == 1
        assert (await app.until_end(old))[-1].type == "review.superseded"
        await app.closed(repository)
        conclusions = {check.conclusion for check in repository.check_runs.values()}
        assert conclusions == {"cancelled", "neutral"}


async def test_a_push_during_a_run_that_fails_in_passing_blocks_nothing(database_url, tmp_path):
    folder = await make_repository(tmp_path / "repo")
    slow = Answer(status=529, hang=1.5, headers={"retry-after": "100"})
    answers = iter([slow])
    async with (
        ScriptedClaude(lambda _: next(answers, Answer.findings(WRONG))) as claude,
        world(database_url, tmp_path, claude=claude.url, sluice_postpone_seconds=600.0) as app,
    ):
        repository, pull = await open_change(app, folder)
        async with asyncio.timeout(30):
            while not claude.requests:  # noqa: ASYNC110 - the script tells nobody
                await asyncio.sleep(0.05)
        await commit(folder, {"notes.md": "# More notes\n"})
        await app.sandbox.push(repository, pull, "change")
        events = await app.until_end(await app.newest_review())

        assert events[-1].type == "review.completed"
        assert len(pull.reviews) == 1


async def test_a_fault_of_our_own_ends_the_review_and_its_check_run(database_url, database, tmp_path):
    folder = await make_repository(tmp_path / "repo")
    async with database.connection() as connection:
        await connection.execute("ALTER TABLE ledger RENAME COLUMN entry TO renamed")
    async with (
        ScriptedClaude([Answer.findings(WRONG)]) as claude,
        world(database_url, tmp_path, claude=claude.url) as app,
    ):
        repository, pull = await open_change(app, folder)
        events = await app.until_end(await app.newest_review())

        assert events[-1].type == "review.failed"
        assert "a fault of Sluice itself" in events[-1].data["reason"]
        await app.closed(repository)
        (check,) = app.sandbox.check_runs(repository, pull)
        assert check.status == "completed"


async def test_the_last_attempt_publishes_what_there_is(database_url, tmp_path):
    folder = await make_repository(tmp_path / "repo")
    await commit(folder, {"again.py": "x = 1\n"})
    # What can't be read is not kept: asked for in every run, it shows each time that the provider is well
    unreadable = Answer('{"findings": [{"path": 1}]}')
    answers = {"calc.py": Answer.findings(WRONG), "notes.md": DOWN, "again.py": unreadable}
    async with (
        ScriptedClaude(lambda body: answers[path_in(body)]) as claude,
        world(database_url, tmp_path, claude=claude.url, sluice_postpone_seconds=0.001, **ALONE) as app,
    ):
        repository, pull = await open_change(app, folder)
        events = await app.until_end(await app.newest_review())

        assert len([event for event in events if event.type == "review.postponed"]) == 5
        assert events[-1].type == "review.completed"
        assert events[-1].data["coverage"]["not_reviewed"] == {"engine failed": 1}
        assert len(pull.comments) == 1
        await app.closed(repository)
        (check,) = app.sandbox.check_runs(repository, pull)
        assert str(check.output["title"]).startswith("partly reviewed")


async def test_over_its_budget_a_review_shows_what_it_could_not_pay_for(database_url, tmp_path):
    folder = await make_repository(tmp_path / "repo")
    async with (
        ScriptedClaude([Answer.findings(WRONG, input_tokens=25_000)]) as claude,
        world(
            database_url, tmp_path, claude=claude.url, budget_review_tokens=32_000, llm_concurrency=1, **ALONE
        ) as app,
    ):
        _, pull = await open_change(app, folder)
        events = await app.until_end(await app.newest_review())

        assert events[-1].type == "review.completed"
        (failed,) = [event for event in events if event.type == "chunk.failed"]
        assert failed.data["path"] == "notes.md"  # what matters most is reviewed first
        assert "BUDGET_REVIEW_TOKENS" in failed.data["reason"]
        assert events[-1].data["coverage"]["not_reviewed"] == {"over budget": 1}
        assert len(claude.requests) == 1
        (review,) = pull.reviews.values()
        assert "over budget" in review.body


async def test_each_review_draws_a_model_by_weight_and_keeps_it(database_url, tmp_path):
    folder = await make_repository(tmp_path / "repo")
    weights = {"claude-opus-5-5": 0.0, "claude-sonnet-5-5": 3.0}
    async with (
        ScriptedClaude([Answer()]) as claude,
        world(database_url, tmp_path, claude=claude.url, llm_model_weights=weights) as app,
    ):
        await open_change(app, folder)
        review = await app.newest_review()
        events = await app.until_end(review)

        started = next(event for event in events if event.type == "review.started")
        assert started.data["model"] == "claude-sonnet-5-5"
        assert started.data["prompt"].startswith("v1-")
        assert {request.body["model"] for request in claude.requests} == {"claude-sonnet-5-5"}
        async with app.http.get(f"{app.url}/reviews/{review}") as answer:
            assert (await answer.json())["model"] == "claude-sonnet-5-5"


async def test_trivial_chunks_go_to_the_small_model(database_url, tmp_path):
    folder = await make_repository(tmp_path / "repo")
    async with (
        ScriptedClaude([Answer()]) as claude,
        world(database_url, tmp_path, claude=claude.url, llm_small_model="claude-haiku-5-5") as app,
    ):
        await open_change(app, folder)
        events = await app.until_end(await app.newest_review())

        asked = {path_in(request.body): request.body["model"] for request in claude.requests}
        assert asked == {"calc.py": "claude-sonnet-5-5", "notes.md": "claude-haiku-5-5"}
        routes = {e.data["path"]: e.data["route"] for e in events if e.type == "chunk.started"}
        assert routes == {"calc.py": "code", "notes.md": "documentation"}
