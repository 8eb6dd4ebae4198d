"""Stories of tools that look at reviews and act on them, over the whole app."""

from __future__ import annotations

import asyncio

import httpx

from tests.fakes.claude import Answer, ScriptedClaude
from tests.scenarios.app import PATIENCE, TOKEN, World, make_repository, open_change, world
from tests.scenarios.stage import SHELL, WRONG, Held, asked, ended


async def get(app: World, path: str):
    async with app.http.get(app.url + path) as answer:
        return answer.status, await answer.json(content_type=None)


async def post(app: World, path: str):
    async with app.http.post(app.url + path) as answer:
        return answer.status, await answer.json()


async def test_what_a_review_found_and_took_is_told_in_all_the_ways(database_url, tmp_path):
    folder = await make_repository(tmp_path / "repo")
    answers = [Answer.findings(WRONG, SHELL)]
    async with ScriptedClaude(answers) as claude, world(database_url, tmp_path, claude=claude.url) as app:
        repository, pull = await open_change(app, folder)
        await ended(app, repository)
        review = await app.newest_review()

        _, one = await get(app, f"/reviews/{review}")
        assert (one["status"], one["findings"], one["pull_request"]) == ("completed", 2, pull.number)
        assert one["by_severity"] == {"critical": 1, "high": 1, "medium": 0, "low": 0}
        assert one["created_at"] <= one["started_at"] <= one["finished_at"]
        assert one["may_act"] is True
        assert (await get(app, "/reviews?status=completed&repository=octo/calc"))[1]["reviews"] == [one]
        assert (await get(app, "/reviews?status=running"))[1] == {"reviews": [], "next": None}

        _, log = await get(app, f"/reviews/{review}.sarif")
        assert sorted(each["level"] for each in log["runs"][0]["results"]) == ["error", "error"]

        _, usage = await get(app, "/usage?days=1")
        assert sum(
            row["output"] + row["input"] + row["cached"] + row["cache_writes"] for row in usage["rows"]
        )
        assert [row["repository"] for row in usage["rows"]] == ["octo/calc"]
        assert sum(day["bought"] for day in usage["chunks"]) == one["chunks_done"]

        _, status = await get(app, "/status")
        assert status["queue"] == {"waiting": 0, "running": 0, "postponed": 0}
        assert (status["model"]["engine"], status["model"]["state"]) == ("claude", "ok")
        assert [gate["account"] for gate in status["github"]] == ["octo"]
        spent = {each["scope"]: each["tokens"]["used"] for each in status["budgets"]}
        assert spent["installation"] == one["tokens"]

        async with app.http.get(app.url + "/metrics") as answer:
            told = await answer.text()
        assert 'route="/reviews/{id}"' in told
        assert "octo" not in told
        assert review not in told


async def test_a_review_is_cancelled_and_run_again_over_http(database_url, tmp_path):
    folder = await make_repository(tmp_path / "repo")
    held = Held.after(1, WRONG, SHELL)
    async with (
        ScriptedClaude([held, Answer()]) as claude,
        world(database_url, tmp_path, claude=claude.url) as app,
    ):
        repository, _ = await open_change(app, folder)
        await asked(claude)
        review = await app.newest_review()
        assert (await get(app, "/status"))[1]["queue"]["running"] == 1

        assert await post(app, f"/reviews/{review}/cancel") == (
            202,
            {"review": review, "reason": "stopped by operator"},
        )
        end = (await app.until_end(review))[-1]
        assert (end.type, end.data["reason"]) == ("review.cancelled", "stopped by operator")
        assert (await post(app, f"/reviews/{review}/cancel"))[0] == 409
        held.let_go = True

        status, told = await post(app, f"/reviews/{review}/again")
        assert status == 202
        async with asyncio.timeout(PATIENCE):
            assert (await app.until_end(told["review"]))[-1].type == "review.completed"
        await app.closed(repository)


async def test_refusals_are_json_with_a_sentence(database_url, tmp_path):
    async with world(database_url, tmp_path) as app:
        for path in ("/reviews/nothing", "/reviews/nothing/diff", "/reviews/nothing.sarif", "/nowhere"):
            status, told = await get(app, path)
            assert (status, list(told)) == (404, ["error"])
        assert (await post(app, "/reviews/nothing/cancel")) == (404, {"error": "no such review"})
        assert (await get(app, "/reviews?limit=none"))[0] == 400


async def test_pages_count_against_what_an_address_and_a_caller_may_ask(database_url, tmp_path):
    async with (
        world(database_url, tmp_path, sluice_requests_per_minute=2) as app,
        httpx.AsyncClient(base_url=app.url) as browser,
    ):
        assert [(await browser.get("/")).status_code for _ in range(3)] == [303, 303, 429]
        pages = [await browser.get("/costs", headers={"Authorization": f"Bearer {TOKEN}"}) for _ in range(3)]
        assert [page.status_code for page in pages] == [200, 200, 429]


async def test_a_refused_method_is_told_every_one_that_there_is(database_url, tmp_path):
    async with world(database_url, tmp_path) as app, httpx.AsyncClient(base_url=app.url) as tool:
        for path in ("/reviews", "/login"):
            answer = await tool.put(path)
            assert answer.status_code == 405
            assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "POST"}
        assert (await tool.head("/login")).status_code == 200
