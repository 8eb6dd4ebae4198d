"""Stories of findings on their way to the pull request: each is said once, and none is lost."""

from __future__ import annotations

import re

import pytest

from tests.core.test_stream import finding
from tests.fakes.claude import Answer, ScriptedClaude
from tests.scenarios.app import commit, make_repository, open_change, world
from tests.scenarios.stage import (
    MORE_NOTES,
    SHELL,
    WRONG,
    Held,
    asked,
    ended,
    heard,
    hurry,
    in_turn,
    loads,
    places,
    refused,
    shown,
    until,
)
from webhooks.sandbox import Fault, faults
from webhooks.sandbox.records import Review

TWICE = finding("Read twice", path="calc.py", line=1, quote="    value = read()", severity="medium")
ON_FILE = {"calc.py": "def one():\n    value = read()\n\n\ndef two():\n    value = read()\n"}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    hurry(monkeypatch)


async def test_of_many_findings_the_worst_are_comments_and_the_rest_is_told_in_the_summary(
    database_url, tmp_path
):
    folder = await make_repository(tmp_path / "repo")
    files, found = loads(28)
    await commit(folder, files)
    script = in_turn(Answer.findings(*found, SHELL, WRONG))
    async with ScriptedClaude(script) as claude, world(database_url, tmp_path, claude=claude.url) as app:
        repository, pull = await open_change(app, folder)
        end = await ended(app, repository)

        assert end.data["findings"] == 30
        assert len(pull.comments) == 25
        assert places(pull)[:2] == [("calc.py", 9), ("calc.py", 5)]
        (review,) = pull.reviews.values()
        said = [comment.body for comment in pull.comments.values()]
        for number in range(1, 29):
            title = f"Load {number}"
            assert sum(re.search(rf"{title}\b", body) is not None for body in (*said, review.body)) == 1


async def test_a_pull_request_gets_no_more_comments_than_its_cap_over_all_reviews(database_url, tmp_path):
    folder = await make_repository(tmp_path / "repo")
    files, found = loads(2)
    script = in_turn(Answer.findings(WRONG, SHELL), Answer.findings(*found))
    async with (
        ScriptedClaude(script) as claude,
        world(database_url, tmp_path, claude=claude.url, sluice_max_comments_per_pull_request=3) as app,
    ):
        repository, pull = await open_change(app, folder)
        await ended(app, repository)
        await commit(folder, files)
        await app.sandbox.push(repository, pull, "change")
        await ended(app, repository)

        assert places(pull) == [("calc.py", 9), ("calc.py", 5), ("loads.py", 1)]
        assert "Load 2" in list(pull.reviews.values())[-1].body
        await app.sandbox.press(repository, shown(repository), "again")
        await until(lambda: len(repository.check_runs) == 3)
        await ended(app, repository)
        assert len(pull.reviews) == 2


async def test_findings_stand_on_removed_lines_ranges_and_files_and_suggestions_survive_fences(
    database_url, tmp_path
):
    folder = await make_repository(tmp_path / "repo")
    await commit(folder, {"notes.md": "# Notes\n\n```python\nx\n```\n", **ON_FILE})
    removed = finding("Removed", path="calc.py", line=1, side="LEFT", quote="def add(a, b):")
    fenced = finding(
        "Fenced", path="notes.md", line=3, end_line=5, quote="```python", suggestion="```python\ny\n```"
    )
    script = in_turn(Answer.findings(removed, fenced, TWICE))
    async with ScriptedClaude(script) as claude, world(database_url, tmp_path, claude=claude.url) as app:
        repository, pull = await open_change(app, folder)
        end = await ended(app, repository)

        assert end.type == "review.completed", end.data
        assert not end.data["dropped"]
        made = {
            re.findall(r"Removed|Fenced|Read twice", each.body)[0]: each for each in pull.comments.values()
        }
        assert (made["Removed"].side, made["Removed"].line) == ("LEFT", 1)
        assert (made["Fenced"].start_line, made["Fenced"].line) == (3, 5)
        assert "````suggestion\n```python\ny\n```\n````" in made["Fenced"].body
        assert (made["Read twice"].subject_type, made["Read twice"].path) == ("file", "calc.py")
        assert not refused(app)


async def test_waves_are_posted_while_the_model_writes_and_the_last_says_only_what_is_left(
    database_url, tmp_path
):
    folder = await make_repository(tmp_path / "repo")
    held = Held.after(1, SHELL, WRONG)
    async with (
        ScriptedClaude([held]) as claude,
        world(database_url, tmp_path, claude=claude.url, sluice_publish_seconds=0.2) as app,
    ):
        repository, pull = await open_change(app, folder)
        await until(lambda: pull.comments)
        assert places(pull) == [("calc.py", 9)]
        (first,) = pull.reviews.values()
        assert "1 finding so far, the review goes on" in first.body
        held.let_go = True
        assert (await ended(app, repository)).type == "review.completed"

        assert places(pull) == [("calc.py", 9), ("calc.py", 5)]
        assert len(pull.reviews) == 2


async def test_a_push_after_a_wave_says_what_was_said_no_more(database_url, tmp_path):
    folder = await make_repository(tmp_path / "repo")
    script = in_turn(Held.after(1, SHELL, WRONG), Answer.findings(SHELL, WRONG))
    async with (
        ScriptedClaude(script) as claude,
        world(database_url, tmp_path, claude=claude.url, sluice_publish_seconds=0.2) as app,
    ):
        repository, pull = await open_change(app, folder)
        await until(lambda: pull.comments)
        await commit(folder, MORE_NOTES)
        await app.sandbox.push(repository, pull, "change")
        assert (await ended(app, repository)).type == "review.completed"

        assert places(pull) == [("calc.py", 9), ("calc.py", 5)]


async def test_a_push_while_a_review_is_on_its_way_loses_no_answer_and_says_nothing_twice(
    database_url, tmp_path
):
    folder = await make_repository(tmp_path / "repo")
    script = in_turn(Answer.findings(SHELL), Answer.findings(SHELL, WRONG))
    async with ScriptedClaude(script) as claude, world(database_url, tmp_path, claude=claude.url) as app:
        late = faults.late(*POST, 1.0)
        app.sandbox.state.faults.append(late)
        repository, pull = await open_change(app, folder)
        old = pull.head_sha
        await until(lambda: late.times == 0)
        await commit(folder, {"calc.py": (folder / "calc.py").read_text() + "# the end\n"})
        await app.sandbox.push(repository, pull, "change")
        assert (await ended(app, repository)).type == "review.completed"

        assert [review.commit_id for review in pull.reviews.values()] == [old, pull.head_sha]
        assert places(pull) == [("calc.py", 9), ("calc.py", 5)]
        assert not refused(app)


POST = ("POST", r"/pulls/1/reviews$")
TROUBLE = {
    "502 done": Fault(*POST, 502, after=True),
    "502 not done": Fault(*POST, 502),
    "cut done": faults.cut(*POST, after=True),
    "abuse": faults.abuse(*POST),
    "too quickly": faults.too_quickly(*POST),
    "secondary": faults.secondary_limit(*POST, retry_after=1),
    "reviews not listed": Fault("GET", r"/pulls/1/reviews$", 502, times=3),
    "comments not listed": faults.cut("GET", r"/pulls/1/comments$", times=3),
}


@pytest.mark.parametrize("trouble", TROUBLE)
async def test_whatever_goes_wrong_on_the_way_a_review_is_posted_once(database_url, tmp_path, trouble):
    folder = await make_repository(tmp_path / "repo")
    script = in_turn(Answer.findings(WRONG, SHELL))
    async with ScriptedClaude(script) as claude, world(database_url, tmp_path, claude=claude.url) as app:
        app.sandbox.state.faults.append(TROUBLE[trouble])
        repository, pull = await open_change(app, folder)
        end = await ended(app, repository)

        assert end.type == "review.completed"
        assert app.sandbox.state.faults[0].times == 0
        assert len(pull.reviews) == 1
        assert places(pull) == [("calc.py", 9), ("calc.py", 5)]
        assert len(claude.requests) == 1


@pytest.mark.parametrize("done", [True, False], ids=["done", "not done"])
async def test_a_comment_on_a_file_whose_answer_is_lost_is_made_once(database_url, tmp_path, done):
    folder = await make_repository(tmp_path / "repo")
    await commit(folder, ON_FILE)
    script = in_turn(Answer.findings(TWICE))
    async with ScriptedClaude(script) as claude, world(database_url, tmp_path, claude=claude.url) as app:
        app.sandbox.state.faults.append(Fault("POST", r"/pulls/1/comments$", 502, after=done))
        repository, pull = await open_change(app, folder)

        assert (await ended(app, repository)).type == "review.completed"
        assert places(pull) == [("calc.py", None)]


BAD_LINE = {
    "message": "Unprocessable Entity",
    "errors": ["Line could not be resolved"],
    "documentation_url": "https://docs.github.com/rest",
    "status": "422",
}


@pytest.mark.parametrize(("times", "sends"), [(1, 2), (2, 3)])
async def test_a_review_that_is_refused_without_a_reason_to_be_found_loses_nothing(
    database_url, tmp_path, times, sends
):
    folder = await make_repository(tmp_path / "repo")
    script = in_turn(Answer.findings(WRONG, SHELL))
    async with ScriptedClaude(script) as claude, world(database_url, tmp_path, claude=claude.url) as app:
        app.sandbox.state.faults.append(Fault(*POST, 422, BAD_LINE, times=times))
        repository, pull = await open_change(app, folder)
        end = await ended(app, repository)

        assert end.type == "review.completed"
        (review,) = pull.reviews.values()
        told = review.body + "".join(comment.body for comment in pull.comments.values())
        assert "It subtracts" in told
        assert "Any command runs" in told
        assert (
            len(
                [
                    each
                    for each in app.sandbox.state.requests
                    if re.search(POST[1], each.path) and each.method == "POST"
                ]
            )
            == sends
        )


async def test_a_review_that_is_refused_again_and_again_is_told_in_the_check_run(database_url, tmp_path):
    folder = await make_repository(tmp_path / "repo")
    script = in_turn(Answer.findings(WRONG, SHELL))
    async with ScriptedClaude(script) as claude, world(database_url, tmp_path, claude=claude.url) as app:
        app.sandbox.state.faults.append(Fault(*POST, 422, BAD_LINE, times=9))
        repository, _ = await open_change(app, folder)
        end = await ended(app, repository)

        assert end.type == "review.failed"
        assert app.sandbox.state.faults[0].times == 6
        summary = str(shown(repository).output["summary"])
        assert "It subtracts" in summary
        assert "Any command runs" in summary


async def test_what_left_the_diff_while_the_model_wrote_is_said_on_its_file_or_in_the_summary(
    database_url, tmp_path
):
    folder = await make_repository(tmp_path / "repo")
    text = (folder / "calc.py").read_text()
    await commit(folder, {"calc.py": f"{text}\n\ndef last(command):\n    eval(command)\n"})
    evil = finding("It evaluates", path="calc.py", line=13, quote="    eval(command)", severity="high")
    plain = finding("No notes", path="notes.md", line=1, quote="# Notes", severity="low")
    held = Held.after(0, WRONG, SHELL, evil, plain)
    async with ScriptedClaude([held]) as claude, world(database_url, tmp_path, claude=claude.url) as app:
        repository, pull = await open_change(app, folder)
        await asked(claude)
        await app.sandbox.advance_base(repository, pull, "change~1")
        held.let_go = True
        end = await ended(app, repository)

        assert (end.type, end.data["findings"]) == ("review.completed", 4)
        assert places(pull) == [("calc.py", 9), ("calc.py", 13), ("calc.py", None)]
        assert "This is about line 5" in list(pull.comments.values())[-1].body
        assert "No notes" in next(iter(pull.reviews.values())).body
        assert len(refused(app)) == 1


async def test_a_review_of_ours_that_was_never_submitted_does_not_stand_in_the_way(database_url, tmp_path):
    folder = await make_repository(tmp_path / "repo")
    held = Held.after(0, WRONG)
    async with ScriptedClaude([held]) as claude, world(database_url, tmp_path, claude=claude.url) as app:
        repository, pull = await open_change(app, folder)
        await asked(claude)
        state = app.sandbox.state
        stale = Review(state.next_id(), state.bot, "", "PENDING", pull.head_sha, None)
        pull.reviews[stale.id] = stale
        held.let_go = True

        assert (await ended(app, repository)).type == "review.completed"
        assert [review.state for review in pull.reviews.values()] == ["COMMENTED"]
        assert places(pull) == [("calc.py", 5)]


async def test_a_listing_that_lags_makes_nothing_double(database_url, tmp_path):
    folder = await make_repository(tmp_path / "repo")
    script = in_turn(Answer.findings(SHELL), Answer.findings(SHELL, WRONG))
    async with ScriptedClaude(script) as claude, world(database_url, tmp_path, claude=claude.url) as app:
        app.sandbox.state.hide_new_reviews_for = 1.5
        repository, pull = await open_change(app, folder)
        await ended(app, repository)
        await commit(folder, {"calc.py": (folder / "calc.py").read_text() + "# the end\n"})
        await app.sandbox.push(repository, pull, "change")
        end = await ended(app, repository)

        assert end.type == "review.completed"
        assert places(pull) == [("calc.py", 9), ("calc.py", 5)]


async def test_a_lost_answer_and_a_listing_that_lags_make_nothing_double(database_url, tmp_path, monkeypatch):
    monkeypatch.setattr("webhooks.intents.SETTLING_SECONDS", 1.0)
    monkeypatch.setattr("webhooks.settling.SETTLING_SECONDS", 1.0)
    folder = await make_repository(tmp_path / "repo")
    script = in_turn(Answer.findings(SHELL))
    async with ScriptedClaude(script) as claude, world(database_url, tmp_path, claude=claude.url) as app:
        app.sandbox.state.hide_new_reviews_for = 0.8
        app.sandbox.state.faults.append(Fault(*POST, 502, after=True))
        repository, pull = await open_change(app, folder)

        assert (await ended(app, repository)).type == "review.completed"
        assert places(pull) == [("calc.py", 9)]


async def test_a_second_finding_on_a_line_is_said_too_when_it_comes_in_a_later_wave(database_url, tmp_path):
    folder = await make_repository(tmp_path / "repo")
    other = WRONG | {"title": "It takes no third number", "suggestion": None}
    held = Held.after(1, WRONG, other)
    async with (
        ScriptedClaude([held]) as claude,
        world(database_url, tmp_path, claude=claude.url, sluice_publish_seconds=0.2) as app,
    ):
        repository, pull = await open_change(app, folder)
        await until(lambda: pull.comments)
        held.let_go = True
        review = (await ended(app, repository)).data["review"]

        assert (await heard(app, review, "review.published")).data["comments"] == 2
        assert places(pull) == [("calc.py", 5), ("calc.py", 5)]
        assert ["third number" in comment.body for comment in pull.comments.values()] == [False, True]
