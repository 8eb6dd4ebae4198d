"""Stories of pull requests that are unlike others: of forks and bots, empty, huge, without permissions."""

from __future__ import annotations

import pytest

from tests.fakes.claude import Answer, ScriptedClaude
from tests.scenarios.app import commit, make_repository, open_change, world
from tests.scenarios.stage import (
    WRONG,
    Held,
    answered,
    asked,
    ended,
    in_turn,
    places,
    refused,
    reviews,
    shown,
    until,
)
from tests.scenarios.test_pull_requests import open_as


@pytest.mark.parametrize("gone", [False, True], ids=["there", "deleted"])
async def test_a_pull_request_from_a_fork_is_reviewed_as_any_other_and_can_be_stopped(
    database_url, tmp_path, gone
):
    folder = await make_repository(tmp_path / "repo")
    script = in_turn(Held.after(0, WRONG), Answer.findings(WRONG))
    async with ScriptedClaude(script) as claude, world(database_url, tmp_path, claude=claude.url) as app:
        repository, pull = await open_as(app, folder, fork="someone/calc", fork_gone=gone)
        await asked(claude)
        await until(lambda: repository.check_runs)
        await app.sandbox.press(repository, shown(repository), "stop")
        payload = app.sandbox.state.deliveries[-1].payload
        assert not payload["check_run"]["pull_requests"]
        assert (await ended(app, repository)).type == "review.cancelled"

        await app.sandbox.press(repository, shown(repository), "again")
        assert (await ended(app, repository)).type == "review.completed"
        assert places(pull) == [("calc.py", 5)]


@pytest.mark.parametrize("author", ["renovate[bot]", "sluice[bot]"])
async def test_pull_requests_of_bots_our_own_too_are_reviewed_if_the_host_wants_it(
    database_url, tmp_path, author
):
    folder = await make_repository(tmp_path / "repo")
    async with world(database_url, tmp_path, sluice_review_bots=True) as app:
        repository, pull = await open_as(app, folder, author=author, author_type="Bot")

        assert (await ended(app, repository)).type == "review.completed"
        assert [review.state for review in pull.reviews.values()] == ["COMMENTED"]
        assert not refused(app)


async def test_pull_requests_of_bots_are_left_alone_and_the_answer_names_the_setting(database_url, tmp_path):
    folder = await make_repository(tmp_path / "repo")
    async with world(database_url, tmp_path) as app:
        await open_as(app, folder, author="renovate[bot]", author_type="Bot")

        assert "SLUICE_REVIEW_BOTS=true" in answered(app)
        assert not await reviews(app)


async def test_a_draft_is_reviewed_if_the_host_wants_it(database_url, tmp_path):
    folder = await make_repository(tmp_path / "repo")
    async with world(database_url, tmp_path, sluice_review_drafts=True) as app:
        repository, _ = await open_as(app, folder, draft=True)

        assert (await ended(app, repository)).type == "review.completed"


async def test_a_pull_request_that_changes_nothing_is_a_success_and_says_so(database_url, tmp_path):
    folder = await make_repository(tmp_path / "repo")
    async with ScriptedClaude([Answer()]) as claude, world(database_url, tmp_path, claude=claude.url) as app:
        repository, pull = await open_as(app, folder, head="main")
        end = await ended(app, repository)

        assert (end.type, end.data["findings"]) == ("review.completed", 0)
        assert not claude.requests
        check = shown(repository)
        assert (check.conclusion, check.output["title"]) == ("success", "nothing to review")
        assert "changes nothing" in str(check.output["summary"])
        assert not pull.reviews


async def test_a_pull_request_that_is_too_large_names_the_setting(database_url, tmp_path):
    folder = await make_repository(tmp_path / "repo")
    await commit(folder, {"big.py": "x = 1\n" * 1_000})
    async with world(database_url, tmp_path, sluice_max_diff_bytes=1_000) as app:
        repository, pull = await open_change(app, folder)
        end = await ended(app, repository)

        assert end.type == "review.failed"
        check = shown(repository)
        assert (check.conclusion, check.output["title"]) == ("neutral", "not reviewed")
        assert "SLUICE_MAX_DIFF_BYTES" in str(check.output["summary"])
        assert not pull.reviews


async def test_a_locked_conversation_leaves_the_findings_in_the_check_run(database_url, tmp_path):
    folder = await make_repository(tmp_path / "repo")
    script = in_turn(Answer.findings(WRONG))
    async with ScriptedClaude(script) as claude, world(database_url, tmp_path, claude=claude.url) as app:
        repository, pull = await open_change(app, folder)
        pull.locked = True
        end = await ended(app, repository)

        assert end.type == "review.failed"
        assert "Unlock the conversation" in end.data["next"]
        check = shown(repository)
        assert "comments could not be posted" in str(check.output["title"])
        assert "It subtracts" in str(check.output["summary"])
        assert "Unlock the conversation" in str(check.output["summary"])
        assert len(refused(app)) == 1

        pull.locked = False
        await app.sandbox.press(repository, check, "again")
        assert (await ended(app, repository)).type == "review.completed"
        assert places(pull) == [("calc.py", 5)]
        assert len(claude.requests) == 1  # what was reviewed is not bought again


def permit(app, **levels: str | None) -> None:
    """Change what the app may do on the account."""
    (installation,) = app.sandbox.state.installations.values()
    for name, level in levels.items():
        if level is None:
            installation.permissions.pop(name)
        else:
            installation.permissions[name] = level


async def test_without_the_permission_for_checks_the_comments_are_posted_all_the_same(database_url, tmp_path):
    folder = await make_repository(tmp_path / "repo")
    async with world(database_url, tmp_path) as app:
        repository = app.sandbox.add_repository("octo/calc", git_dir=folder, default_branch="main")
        permit(app, checks=None)
        pull = await app.sandbox.open_pull_request(repository, base="main", head="change", title="Subtract")
        events = await app.until_end(await app.newest_review())

        assert events[-1].type == "review.completed"
        assert places(pull) == [("calc.py", 9)]
        assert not repository.check_runs


async def test_without_the_permission_to_comment_the_check_run_tells_the_findings_and_the_remedy(
    database_url, tmp_path
):
    folder = await make_repository(tmp_path / "repo")
    async with world(database_url, tmp_path) as app:
        repository = app.sandbox.add_repository("octo/calc", git_dir=folder, default_branch="main")
        permit(app, pull_requests="read")
        pull = await app.sandbox.open_pull_request(repository, base="main", head="change", title="Subtract")
        end = await ended(app, repository)

        assert end.type == "review.failed"
        summary = str(shown(repository).output["summary"])
        assert "calc.py" in summary
        assert "`Pull requests: Read and write`" in summary
        assert not pull.reviews


async def test_without_the_permission_to_read_files_the_change_is_reviewed_and_the_review_says_so(
    database_url, tmp_path
):
    folder = await make_repository(tmp_path / "repo")
    async with (
        ScriptedClaude(in_turn(Answer.findings(WRONG))) as claude,
        world(database_url, tmp_path, claude=claude.url) as app,
    ):
        repository = app.sandbox.add_repository("octo/calc", git_dir=folder, default_branch="main")
        permit(app, contents=None)
        pull = await app.sandbox.open_pull_request(repository, base="main", head="change", title="Subtract")
        end = await ended(app, repository)

        assert end.type == "review.completed"
        assert places(pull) == [("calc.py", 5)]
        (review,) = pull.reviews.values()
        assert "contents=read" in review.body
        asked_for = [each for each in app.sandbox.state.requests if "/contents/" in each.path]
        assert len(asked_for) == 1


async def test_analyzers_that_may_not_read_files_fail_and_name_the_permission(database_url, tmp_path):
    folder = await make_repository(tmp_path / "repo")
    async with world(database_url, tmp_path) as app:
        repository = app.sandbox.add_repository("octo/calc", git_dir=folder, default_branch="main")
        permit(app, contents=None)
        await app.sandbox.open_pull_request(repository, base="main", head="change", title="Subtract")
        end = await ended(app, repository)

        assert end.type == "review.failed"
        assert "contents=read" in str(shown(repository).output["summary"])
