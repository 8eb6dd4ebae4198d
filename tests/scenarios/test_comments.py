"""Stories of our comments over time: what was said is not said again, what is gone is marked."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from reviewer import git
from tests.core.test_stream import finding
from tests.fakes.claude import Answer, ScriptedClaude
from tests.scenarios.app import BASE, HEAD, World, commit, make_repository, open_change, world
from tests.scenarios.stage import SHELL, WRONG, ended, hurry, in_turn, loads, places
from webhooks.sandbox import PullRequest, Repository
from webhooks.sandbox.state import read_clock

SAFE = HEAD["calc.py"].replace("    subprocess.run(command, shell=True)\n", "    print(command)\n")
RESOLVED = "this code is gone from the change"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    hurry(monkeypatch)


async def push(
    app: World, repository: Repository, pull: PullRequest, folder: Path, text: str | None = None
) -> None:
    """Push `calc.py` with this text, or what is committed already, and wait for its review."""
    if text is not None:
        await commit(folder, {"calc.py": text})
    await app.sandbox.push(repository, pull, "change", force=True)
    end = await ended(app, repository)
    assert (end.type, end.data["head_sha"]) == ("review.completed", pull.head_sha)


def bodies(pull: PullRequest) -> list[str]:
    return [each.body for each in pull.comments.values()]


@pytest.mark.parametrize("may_resolve", [False, True], ids=["edited", "resolved too"])
async def test_a_comment_whose_code_is_gone_says_so(database_url, tmp_path, may_resolve):
    folder = await make_repository(tmp_path / "repo")
    script = in_turn(Answer.findings(WRONG, SHELL), Answer.findings(WRONG))
    async with ScriptedClaude(script) as claude, world(database_url, tmp_path, claude=claude.url) as app:
        if may_resolve:
            app.sandbox.add_repository("octo/other", git_dir=folder, default_branch="main")
            app.sandbox.find_installation("octo").permissions["contents"] = "write"
        repository, pull = await open_change(app, folder)
        await ended(app, repository)
        await push(app, repository, pull, folder, SAFE)

        shell, wrong = pull.comments.values()
        assert RESOLVED in shell.body
        assert pull.head_sha[:7] in shell.body
        assert RESOLVED not in wrong.body
        assert list(pull.resolved) == ([shell.id] if may_resolve else [])
        assert len(pull.comments) == 2


async def test_a_push_that_takes_everything_back_marks_every_comment(database_url, tmp_path):
    folder = await make_repository(tmp_path / "repo")
    script = in_turn(Answer.findings(WRONG, SHELL))
    async with ScriptedClaude(script) as claude, world(database_url, tmp_path, claude=claude.url) as app:
        repository, pull = await open_change(app, folder)
        await ended(app, repository)
        await git.run(folder, "rm", "-q", "notes.md")
        await push(app, repository, pull, folder, BASE["calc.py"])

        assert pull.changed_files == 0
        assert [RESOLVED in body for body in bodies(pull)] == [True, True]


async def test_a_comment_that_a_person_answered_is_left_alone(database_url, tmp_path):
    folder = await make_repository(tmp_path / "repo")
    script = in_turn(Answer.findings(SHELL), Answer())
    async with ScriptedClaude(script) as claude, world(database_url, tmp_path, claude=claude.url) as app:
        repository, pull = await open_change(app, folder)
        await ended(app, repository)
        (comment,) = pull.comments.values()
        await app.sandbox.reply(repository, pull, comment, "I am on it", "maintainer")
        await push(app, repository, pull, folder, SAFE)

        assert not any(RESOLVED in body for body in bodies(pull))


async def test_a_thread_that_a_person_resolved_is_left_alone_and_not_begun_again(database_url, tmp_path):
    folder = await make_repository(tmp_path / "repo")
    script = in_turn(Answer.findings(SHELL), Answer.findings(SHELL))
    async with ScriptedClaude(script) as claude, world(database_url, tmp_path, claude=claude.url) as app:
        repository, pull = await open_change(app, folder)
        await ended(app, repository)
        (comment,) = pull.comments.values()
        before = comment.body
        await app.sandbox.resolve_thread(repository, pull, comment, by="maintainer")
        await push(app, repository, pull, folder, HEAD["calc.py"] + "# the end\n")
        await push(app, repository, pull, folder, SAFE)

        assert bodies(pull) == [before]


MOVED = HEAD["calc.py"].replace("import subprocess\n", "import subprocess\n\nTIMES = 1\n")
NEIGHBOUR = HEAD["calc.py"].replace("def run(command):", "def run(command: str) -> None:")


@pytest.mark.parametrize(
    ("text", "line"), [(MOVED, 11), (NEIGHBOUR, 9)], ids=["moved", "a neighbour changed"]
)
async def test_code_that_moved_or_has_other_neighbours_is_spoken_of_once(database_url, tmp_path, text, line):
    folder = await make_repository(tmp_path / "repo")
    script = in_turn(Answer.findings(SHELL), Answer.findings({**SHELL, "line": line}))
    async with ScriptedClaude(script) as claude, world(database_url, tmp_path, claude=claude.url) as app:
        repository, pull = await open_change(app, folder)
        await ended(app, repository)
        await push(app, repository, pull, folder, text)

        assert len(claude.requests) == 2
        assert places(pull) == [("calc.py", line)]
        assert RESOLVED not in bodies(pull)[0]
        assert len(pull.reviews) == 1


async def test_code_that_moved_is_not_called_gone_when_the_model_does_not_say_it_again(
    database_url, tmp_path
):
    folder = await make_repository(tmp_path / "repo")
    script = in_turn(Answer.findings(SHELL), Answer())
    async with ScriptedClaude(script) as claude, world(database_url, tmp_path, claude=claude.url) as app:
        repository, pull = await open_change(app, folder)
        await ended(app, repository)
        await push(app, repository, pull, folder, MOVED)

        assert not any(RESOLVED in body for body in bodies(pull))


@pytest.mark.parametrize("way", ["rebase", "amend"])
async def test_a_rebase_and_a_forced_push_say_nothing_twice(database_url, tmp_path, way):
    folder = await make_repository(tmp_path / "repo")
    async with (
        ScriptedClaude(lambda _: Answer.findings(SHELL, WRONG)) as claude,
        world(database_url, tmp_path, claude=claude.url) as app,
    ):
        repository, pull = await open_change(app, folder)
        await ended(app, repository)
        if way == "rebase":
            await git.run(folder, "checkout", "-q", "main")
            await commit(
                folder, {"calc.py": '"""Sums."""\n\nimport os\n\n\ndef add(a, b):\n    return a + b\n'}
            )
            await git.run(folder, "checkout", "-q", "change")
            await git.run(folder, "reset", "-q", "--hard", "main")
            await commit(folder, {**HEAD, "calc.py": '"""Sums."""\n\nimport os\n' + HEAD["calc.py"]})
            await app.sandbox.advance_base(repository, pull, "main")
        else:
            await git.run(folder, "commit", "-q", "--amend", "-m", "Another message")
        await push(app, repository, pull, folder)

        assert len(pull.comments) == 2
        assert len(pull.reviews) == 1
        assert not any(RESOLVED in body for body in bodies(pull))


async def test_code_that_comes_back_is_spoken_of_again(database_url, tmp_path):
    folder = await make_repository(tmp_path / "repo")
    script = in_turn(Answer.findings(SHELL), Answer(), Answer.findings(SHELL))
    async with ScriptedClaude(script) as claude, world(database_url, tmp_path, claude=claude.url) as app:
        repository, pull = await open_change(app, folder)
        await ended(app, repository)
        await push(app, repository, pull, folder, SAFE)
        await push(app, repository, pull, folder, HEAD["calc.py"])

        first, second = bodies(pull)
        assert RESOLVED in first
        assert RESOLVED not in second
        assert "Any command runs" in second


async def test_a_file_with_a_new_name_is_spoken_of_once(database_url, tmp_path):
    folder = await make_repository(tmp_path / "repo")
    before, _ = loads(20)
    await git.run(folder, "checkout", "-q", "main")
    await commit(folder, before)
    await git.run(folder, "checkout", "-q", "-B", "change")
    await commit(folder, {"loads.py": before["loads.py"] + "os.system(input('command: '))\n"})
    told = finding("Any input runs", path="loads.py", line=21, quote="os.system(input('command: '))")
    script = in_turn(Answer.findings(told), Answer.findings({**told, "path": "orders.py"}))
    async with ScriptedClaude(script) as claude, world(database_url, tmp_path, claude=claude.url) as app:
        repository, pull = await open_change(app, folder)
        await ended(app, repository)
        await git.run(folder, "mv", "loads.py", "orders.py")
        await git.run(folder, "commit", "-q", "-m", "Another name")
        await push(app, repository, pull, folder)

        assert len(claude.requests) == 2
        assert len(pull.comments) == 1
        assert not any(RESOLVED in body for body in bodies(pull))


async def test_a_summary_does_not_repeat_what_an_earlier_one_told(database_url, tmp_path):
    folder = await make_repository(tmp_path / "repo")
    other = finding("Notes are short", path="notes.md", line=1, quote="# Notes", severity="low")
    script = in_turn(Answer.findings(SHELL, other), Answer.findings(SHELL, WRONG, other))
    async with (
        ScriptedClaude(script) as claude,
        world(database_url, tmp_path, claude=claude.url, sluice_max_comments=1) as app,
    ):
        repository, pull = await open_change(app, folder)
        await ended(app, repository)
        await push(app, repository, pull, folder, HEAD["calc.py"] + "# the end\n")

        told = "".join([*bodies(pull), *(review.body for review in pull.reviews.values())])
        assert told.count("Any command runs") == 1
        assert told.count("Notes are short") == 1
        assert told.count("It subtracts") == 1


async def test_a_forced_push_back_to_an_earlier_commit_is_reviewed_and_says_nothing_twice(
    database_url, tmp_path
):
    folder = await make_repository(tmp_path / "repo")
    script = in_turn(Answer.findings(WRONG, SHELL), Answer.findings(WRONG))
    async with ScriptedClaude(script) as claude, world(database_url, tmp_path, claude=claude.url) as app:
        repository, pull = await open_change(app, folder)
        first = pull.head_sha
        await ended(app, repository)
        await push(app, repository, pull, folder, HEAD["calc.py"].replace("shell=True", "check=True"))
        app.sandbox.state.clock = lambda: read_clock() + timedelta(seconds=2)
        await git.run(folder, "reset", "-q", "--hard", first)
        await push(app, repository, pull, folder)

        assert pull.head_sha == first
        assert len(claude.requests) == 2  # the first answer is kept
        said = [body for body in bodies(pull) if RESOLVED not in body]
        assert ["It subtracts" in said[0], "Any command runs" in said[1]] == [True, True]
        assert len(said) == 2
