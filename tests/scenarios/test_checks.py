"""Stories of check runs: what they show while a review runs, how they end, and that they always do."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.claude import Answer, ScriptedClaude
from tests.scenarios.app import World, commit, make_repository, open_change, world
from tests.scenarios.stage import SHELL, WRONG, Held, asked, ended, hurry, in_turn, loads, shown, until
from webhooks import check_run
from webhooks.sandbox import Fault, outputs
from webhooks.sandbox.access import Refusal

ALONE = {"llm_batch_tokens": 0, "llm_concurrency": 1}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    hurry(monkeypatch)


def told(app: World) -> list[dict[str, Any]]:
    """What the app said to check runs, in order."""
    return [
        each.body
        for each in app.sandbox.state.requests
        if "/check-runs" in each.path and each.method in {"POST", "PATCH"}
    ]


async def test_a_check_run_is_queued_counts_along_and_ends_with_a_table(database_url, tmp_path):
    folder = await make_repository(tmp_path / "repo")
    held = Held.after(0)
    async with (
        ScriptedClaude([Answer.findings(WRONG, SHELL), held]) as claude,
        world(database_url, tmp_path, claude=claude.url, **ALONE) as app,
    ):
        repository, pull = await open_change(app, folder)
        await asked(claude, 2)
        await until(lambda: "1 of 2 chunks" in str(told(app)[-1]["output"]["title"]))
        held.let_go = True
        end = await ended(app, repository)

        begun, *running, last = told(app)
        assert (begun["status"], begun["output"]["title"]) == ("queued", "queued")
        assert begun["head_sha"] == pull.head_sha
        assert [action["identifier"] for action in begun["actions"]] == ["stop"]
        assert {each["status"] for each in running} == {"in_progress"}
        titles = [each["output"]["title"] for each in running]
        assert "1 of 2 chunks reviewed, 1 critical, 1 high so far" in titles
        assert (last["status"], last["conclusion"]) == ("completed", "neutral")
        assert [action["identifier"] for action in last["actions"]] == ["again"]
        assert last["output"]["title"] == "1 critical, 1 high"
        summary = last["output"]["summary"]
        assert summary.index("Any command runs") < summary.index("It subtracts")
        assert "<code>calc.py:9</code>" in summary
        assert "10 of 10 changed lines reviewed" in summary
        assert f"${end.data['cost']:.4f}" in summary
        assert f"{app.url}/r/{end.data['review']}" in summary
        assert [each["start_line"] for each in last["output"]["annotations"]] == [9, 5]


@pytest.mark.parametrize(
    "trouble",
    [None, {"after": True}, {}],
    ids=["nothing wrong", "answer lost", "not done"],
)
async def test_many_findings_are_annotated_in_fifties_and_each_once(database_url, tmp_path, trouble):
    folder = await make_repository(tmp_path / "repo")
    files, found = loads(120)
    await commit(folder, files)
    script = in_turn(Answer.findings(*found))
    async with ScriptedClaude(script) as claude, world(database_url, tmp_path, claude=claude.url) as app:
        repository, _ = await open_change(app, folder)
        left = [] if trouble is None else [Fault("PATCH", "/check-runs/", 502, **trouble)]

        def second_batch(method: str, path: str) -> Fault | None:
            begun = [each for each in repository.check_runs.values() if len(each.annotations) == 50]
            return left.pop() if begun and left and method == "PATCH" and "/check-runs/" in path else None

        app.sandbox.state.chaos = second_batch
        assert (await ended(app, repository)).type == "review.completed"

        assert not left
        lines = [each["start_line"] for each in shown(repository).annotations]
        assert (len(lines), set(lines)) == (120, set(range(1, 121)))
        assert shown(repository).conclusion == "neutral"
        assert len(repository.check_runs) == 1


@pytest.mark.parametrize(
    ("findings", "settings", "conclusion", "title"),
    [
        ([], {}, "success", "no findings"),
        ([WRONG], {"sluice_fail_on": "high"}, "failure", "1 high"),
        ([WRONG], {"sluice_fail_on": "critical"}, "neutral", "1 high"),
    ],
)
async def test_a_check_run_ends_as_the_host_wants(
    database_url, tmp_path, findings, settings, conclusion, title
):
    folder = await make_repository(tmp_path / "repo")
    script = in_turn(Answer.findings(*findings))
    async with (
        ScriptedClaude(script) as claude,
        world(database_url, tmp_path, claude=claude.url, **settings) as app,
    ):
        repository, _ = await open_change(app, folder)
        await ended(app, repository)

        assert (shown(repository).conclusion, shown(repository).output["title"]) == (conclusion, title)
        level = "failure" if conclusion == "failure" else "warning"
        assert all(each["annotation_level"] == level for each in shown(repository).annotations)


@pytest.mark.parametrize("partial", ["neutral", "action_required"])
async def test_a_review_that_is_not_complete_ends_as_the_host_wants_and_says_so(
    database_url, tmp_path, partial
):
    folder = await make_repository(tmp_path / "repo")
    script = in_turn(Answer.findings(WRONG), Answer(stop_reason="refusal"), Answer(stop_reason="refusal"))
    settings = {"sluice_partial_conclusion": partial, **ALONE}
    async with (
        ScriptedClaude(script) as claude,
        world(database_url, tmp_path, claude=claude.url, **settings) as app,
    ):
        repository, _ = await open_change(app, folder)
        await ended(app, repository)

        check = shown(repository)
        assert (check.conclusion, check.output["title"]) == (partial, "partly reviewed: 1 high")
        assert "notes.md" in str(check.output["summary"])


async def test_annotations_can_be_switched_off(database_url, tmp_path):
    folder = await make_repository(tmp_path / "repo")
    async with world(database_url, tmp_path, sluice_annotations=False) as app:
        repository, _ = await open_change(app, folder)
        await ended(app, repository)

        assert shown(repository).conclusion == "neutral"
        assert not shown(repository).annotations


@pytest.mark.parametrize("stop", [True, False], ids=["stopped", "completed"])
async def test_a_check_run_that_can_not_be_closed_now_is_closed_later(
    database_url, tmp_path, monkeypatch, stop
):
    monkeypatch.setattr(check_run, "_SHOW_SECONDS", 60.0)  # one word, and then the end
    folder = await make_repository(tmp_path / "repo")
    held = Held.after(0, WRONG)
    async with ScriptedClaude([held]) as claude, world(database_url, tmp_path, claude=claude.url) as app:
        repository, pull = await open_change(app, folder)
        await asked(claude)
        await until(lambda: len(told(app)) == 2)
        app.sandbox.state.faults.append(Fault("*", r"/check-runs/", 502, times=3))
        if stop:
            await app.sandbox.close(repository, pull)
        held.let_go = True
        events = await app.until_end(await app.newest_review())
        await app.closed(repository)

        assert events[-1].type == ("review.cancelled" if stop else "review.completed")
        assert app.sandbox.state.faults[0].times == 0
        assert shown(repository).conclusion == ("cancelled" if stop else "neutral")
        assert len(pull.reviews) == (0 if stop else 1)
        assert len(claude.requests) == 1


@pytest.mark.parametrize("done", [True, False], ids=["done", "not done"])
async def test_a_check_run_whose_making_is_in_doubt_is_made_once(database_url, tmp_path, done):
    folder = await make_repository(tmp_path / "repo")
    async with world(database_url, tmp_path) as app:
        app.sandbox.state.faults.append(Fault("POST", r"/check-runs$", 502, after=done))
        repository, _ = await open_change(app, folder)
        events = await app.until_end(await app.newest_review())
        await app.closed(repository)

        assert events[-1].type == "review.completed"
        assert [each.conclusion for each in repository.check_runs.values()] == ["neutral"]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (
            Fault(
                "GET", r"/pulls/1$", 404, {"message": "Not Found", "documentation_url": "", "status": "404"}
            ),
            "404",
        ),
        (Fault("GET", r"/pulls/1$", 502, times=6), "502"),
    ],
    ids=["refused", "down"],
)
async def test_a_review_that_fails_says_why_in_its_check_run(
    database_url, tmp_path, monkeypatch, fault, words
):
    monkeypatch.setattr("webhooks.attempts.MOST_ATTEMPTS", 2)
    folder = await make_repository(tmp_path / "repo")
    async with world(database_url, tmp_path) as app:
        app.sandbox.state.faults.append(fault)
        repository, pull = await open_change(app, folder)
        end = await ended(app, repository)

        assert end.type == "review.failed"
        check = shown(repository)
        assert (check.conclusion, check.output["title"]) == ("neutral", "not reviewed")
        assert words in str(check.output["summary"])
        assert "Review again" in str(check.output["summary"])
        assert not pull.reviews


async def test_a_check_run_whose_annotations_are_refused_ends_without_them(
    database_url, tmp_path, monkeypatch
):
    def refuse(_: Any) -> dict[str, object]:
        raise Refusal(422, "Invalid request.")

    monkeypatch.setattr(outputs, "_annotation", refuse)
    folder = await make_repository(tmp_path / "repo")
    async with (
        ScriptedClaude([Answer.findings(WRONG, SHELL)]) as claude,
        world(database_url, tmp_path, claude=claude.url) as app,
    ):
        repository, _ = await open_change(app, folder)
        await ended(app, repository)

        assert "annotations" in told(app)[-2]["output"]
        assert shown(repository).conclusion == "neutral"
        assert "Any command runs" in told(app)[-1]["output"]["summary"]
