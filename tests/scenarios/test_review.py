"""Stories of pull requests, from the signed delivery to the comment that stands."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
from pathlib import Path

import pytest

from tests.core.test_stream import finding
from tests.fakes.claude import Answer, ScriptedClaude
from tests.scenarios.app import PATIENCE, SECRET, Event, commit, make_repository, open_change, world
from tests.scenarios.stage import SHELL, WRONG, Held, hurry, until
from webhooks.sandbox import Fault

ELSEWHERE = {**SHELL, "line": 99}
NOWHERE = finding("Nowhere", path="calc.py", line=1, quote="this line is not in the diff")
BROKEN = {**WRONG, "severity": "awful"}


async def test_a_finding_reaches_the_stream_while_the_model_is_still_writing(database_url, tmp_path):
    folder = await make_repository(tmp_path / "repo")
    answer = Held.after(1, WRONG, ELSEWHERE)
    async with ScriptedClaude([answer]) as claude, world(database_url, tmp_path, claude=claude.url) as app:
        seen: list[Event] = []

        def titles() -> list[str]:
            return [event.data["finding"]["title"] for event in seen if event.type == "finding"]

        async def listen() -> None:
            async for event in app.events("/events?from=start"):
                seen.append(event)
                if event.type == "review.completed":
                    return

        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
            tasks.create_task(listen())
            _, pull = await open_change(app, folder)
            await until(titles)
            assert (titles(), answer.ended_at) == (["It subtracts"], None)
            answer.let_go = True

        assert titles() == ["It subtracts", "Any command runs"]
        assert len({event.id for event in seen}) == len(seen)
        assert [(c.path, c.line) for c in pull.comments.values()] == [("calc.py", 9), ("calc.py", 5)]


async def test_a_review_puts_each_finding_on_its_line_and_says_what_it_dropped(database_url, tmp_path):
    folder = await make_repository(tmp_path / "repo")
    answers = [Answer.findings(WRONG, ELSEWHERE, NOWHERE, BROKEN, WRONG)]
    async with ScriptedClaude(answers) as claude, world(database_url, tmp_path, claude=claude.url) as app:
        repository, pull = await open_change(app, folder)
        events = await app.until_end(await app.newest_review())

        end = events[-1].data
        assert end["findings"] == 2
        assert end["dropped"] == {"off the schema": 1, "quotes code that is not in the diff": 1}
        assert end["coverage"]["reviewed"] == end["coverage"]["changed_lines"] == 10
        assert end["cost"] is not None
        (review,) = pull.reviews.values()
        assert review.state == "COMMENTED"
        bodies = [comment.body for comment in pull.comments.values()]
        assert "```suggestion\n    return a + b\n```" in bodies[1]
        await app.closed(repository)
        (check,) = app.sandbox.check_runs(repository, pull)
        assert (check.status, check.conclusion) == ("completed", "neutral")
        assert not [request for request in app.sandbox.state.requests if request.status == 422]


async def test_without_a_model_the_analyzers_review_and_say_so(database_url, tmp_path):
    folder = await make_repository(tmp_path / "repo")
    async with world(database_url, tmp_path) as app:
        _, pull = await open_change(app, folder)
        events = await app.until_end(await app.newest_review())

        started = next(event for event in events if event.type == "review.started")
        assert "ANTHROPIC_API_KEY" in started.data["notice"]
        assert [(c.path, c.line) for c in pull.comments.values()] == [("calc.py", 9)]
        (review,) = pull.reviews.values()
        assert "ANTHROPIC_API_KEY" in review.body


@pytest.mark.parametrize(
    ("limits", "way"),
    [
        ({"diff_line_limit": 3, "patch_line_limit": 0}, "/git/blobs/"),
        ({"diff_line_limit": 3, "listed_file_limit": 1}, "/git-upload-pack"),
    ],
    ids=["files", "git"],
)
async def test_a_pull_request_over_githubs_limits_is_reviewed_all_the_same(
    database_url, tmp_path, limits, way
):
    folder = await make_repository(tmp_path / "repo")
    answers = [Answer.findings(WRONG, ELSEWHERE)]
    async with ScriptedClaude(answers) as claude, world(database_url, tmp_path, claude=claude.url) as app:
        for name, limit in limits.items():
            setattr(app.sandbox.state, name, limit)
        repository, pull = await open_change(app, folder)
        events = await app.until_end(await app.newest_review())

        end = events[-1].data
        assert end["coverage"]["reviewed"] == end["coverage"]["changed_lines"] == 10
        assert end["coverage"]["not_reviewed"] == {}
        assert [(c.path, c.line) for c in pull.comments.values()] == [("calc.py", 9), ("calc.py", 5)]
        assert any(way in request.path for request in app.sandbox.state.requests)
        await app.closed(repository)
        (check,) = app.sandbox.check_runs(repository, pull)
        assert check.status == "completed"


async def test_a_pull_request_whose_diff_can_not_be_had_is_not_called_clean(database_url, tmp_path):
    folder = await make_repository(tmp_path / "repo")
    async with world(database_url, tmp_path) as app:
        app.sandbox.state.diff_line_limit = 3
        app.sandbox.state.faults += [
            Fault("GET", "/files$", 403, times=9),
            Fault("GET", "/info/refs$", 403, times=9),
        ]
        repository, pull = await open_change(app, folder)
        events = await app.until_end(await app.newest_review())

        assert events[-1].type == "review.failed"
        assert "can't be had" in events[-1].data["reason"]
        await app.closed(repository)
        (check,) = app.sandbox.check_runs(repository, pull)
        assert (check.conclusion, check.output["title"]) == ("neutral", "not reviewed")
        assert not pull.reviews


async def test_a_push_is_reviewed_and_what_was_said_before_is_not_said_again(database_url, tmp_path):
    folder = await make_repository(tmp_path / "repo")
    async with world(database_url, tmp_path) as app:
        repository, pull = await open_change(app, folder)
        await app.until_end(await app.newest_review())
        await commit(folder, {"notes.md": "# More notes\n"})
        await app.sandbox.push(repository, pull, "change")
        await app.until_end(await app.newest_review())

        assert len(pull.reviews) == 1  # nothing new to say, nothing posted
        assert len(pull.comments) == 1


async def test_a_redelivery_is_not_reviewed_twice(database_url, tmp_path):
    folder = await make_repository(tmp_path / "repo")
    async with world(database_url, tmp_path) as app:
        repository, pull = await open_change(app, folder)
        await app.until_end(await app.newest_review())
        again = await app.sandbox.announce(repository, pull, "reopened")
        assert again.status_code == 202
        await asyncio.sleep(1)

        assert len(pull.reviews) == 1


async def test_a_review_whose_answer_was_lost_is_looked_for_before_it_is_sent_again(
    database_url, tmp_path, monkeypatch
):
    hurry(monkeypatch)
    folder = await make_repository(tmp_path / "repo")
    async with world(database_url, tmp_path) as app:
        app.sandbox.state.faults.append(Fault("POST", r"/reviews$", 502, after=True))
        repository, pull = await open_change(app, folder)
        review = await app.newest_review()
        events = await app.until_end(review)

        assert events[-1].type == "review.completed"
        assert len(pull.reviews) == 1
        assert len([event for event in events if event.type == "finding"]) == 1
        await app.closed(repository)
        assert [check.status for check in app.sandbox.check_runs(repository, pull)] == ["completed"]


async def test_a_model_that_refuses_the_key_ends_the_review_with_the_remedy(database_url, tmp_path):
    folder = await make_repository(tmp_path / "repo")
    answers = [Answer(status=401, error="authentication_error")]
    async with ScriptedClaude(answers) as claude, world(database_url, tmp_path, claude=claude.url) as app:
        repository, pull = await open_change(app, folder)
        events = await app.until_end(await app.newest_review())

        assert events[-1].type == "review.failed"
        assert "check ANTHROPIC_API_KEY" in events[-1].data["reason"]
        await app.closed(repository)
        (check,) = app.sandbox.check_runs(repository, pull)
        assert (check.conclusion, check.output["title"]) == ("neutral", "not reviewed")
        assert not pull.reviews


async def test_a_cut_stream_resumes_where_it_was(database_url, tmp_path):
    folder = await make_repository(tmp_path / "repo")
    async with world(database_url, tmp_path) as app:
        await open_change(app, folder)
        review = await app.newest_review()
        whole = await app.until_end(review)

        rest = await app.until_end(review, last=whole[2].id)

        assert [event.id for event in rest] == [event.id for event in whole[3:]]


def signed(body: bytes) -> str:
    return "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()


WITHOUT_PULL_REQUEST = b'{"action": "opened", "installation": {"id": 1}}'


@pytest.mark.parametrize(
    ("body", "headers", "status", "words"),
    [
        (b"{}", {}, 401, "X-Hub-Signature-256 is missing"),
        (b"{}", {"X-Hub-Signature-256": "sha256=00"}, 401, "does not match"),
        (b"{", {"X-Hub-Signature-256": signed(b"{")}, 400, "no JSON"),
        (b"{}", {"X-Hub-Signature-256": signed(b"{}"), "X-GitHub-Event": "star"}, 202, "event 'star'"),
        (b"{}", {"X-Hub-Signature-256": signed(b"{}"), "X-GitHub-Event": "ping"}, 202, "ignored"),
        (
            WITHOUT_PULL_REQUEST,
            {"X-Hub-Signature-256": signed(WITHOUT_PULL_REQUEST)},
            400,
            "lacks, or has wrong",
        ),
    ],
)
async def test_a_delivery_that_is_not_ours_is_answered_and_leaves_nothing(
    database_url, database, tmp_path, body, headers, status, words
):
    async with world(database_url, tmp_path) as app:
        base = {"X-GitHub-Event": "pull_request", "X-GitHub-Delivery": "made-up"}
        async with app.http.post(
            f"{app.url}/webhooks/github", data=body, headers={**base, **headers}
        ) as answer:
            assert answer.status == status
            assert words in await answer.text()
    async with database.connection() as connection:
        cursor = await connection.execute("SELECT count(*) FROM deliveries")
        assert await cursor.fetchone() == (0,)


@pytest.mark.parametrize("path", ["/events", "/reviews", "/reviews/x", "/reviews/x/events"])
async def test_nobody_reads_without_the_token(database_url, tmp_path, path):
    async with world(database_url, tmp_path) as app:
        for headers in ({"Authorization": "Bearer wrong"}, {"Authorization": "", "Cookie": "sluice=wrong"}):
            async with app.http.get(app.url + path, headers=headers) as answer:
                assert answer.status == 401


async def test_the_login_link_opens_the_dashboard_and_its_pages_hold_no_inline_code(database_url, tmp_path):
    folder = await make_repository(tmp_path / "repo")
    async with world(database_url, tmp_path) as app:
        await open_change(app, folder)
        review = await app.newest_review()
        anonymous = {"Authorization": "", "Origin": app.url}
        async with app.http.get(f"{app.url}/", headers=anonymous) as answer:
            assert answer.url.path == "/login"
        async with app.http.post(f"{app.url}/login", data={"token": "wrong"}, headers=anonymous) as answer:
            assert "not the access token" in await answer.text()
        form = {"token": "a made-up access token"}
        async with app.http.post(f"{app.url}/login", data=form, headers=anonymous) as answer:
            assert answer.url.path == "/"
        for path in ("/", f"/r/{review}"):
            async with app.http.get(app.url + path, headers=anonymous) as answer:
                page = await answer.text()
                assert answer.status == 200
                assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
                assert "<script>" not in page
                assert "style=" not in page
        async with app.http.get(f"{app.url}/reviews/{review}", headers=anonymous) as answer:
            assert json.loads(await answer.text())["repository"] == "octo/calc"
        for name in ("sluice.css", "feed.js", "overview.js", "review.js", "sluice.svg"):
            async with app.http.get(f"{app.url}/static/{name}") as answer:
                assert answer.status == 200
        async with app.http.get(f"{app.url}/readyz") as answer:
            assert answer.status == 200


async def test_names_and_lines_that_are_no_text_harm_nothing(database_url, tmp_path):
    folder = await make_repository(tmp_path / "repo")
    strange = bytes(folder) + b"/caf\xe9.py"
    await asyncio.to_thread(write_bytes, strange, b"import subprocess\nx = 'caf\xe9'\n")
    await commit(folder, {"calc.py": "# \x85 \u2028 \x0c\nx = 1\r\n"})
    wrong = finding("A \0 title", path="calc.py", line=2, quote="x = 1\r")
    answer = Answer.findings(wrong)
    async with ScriptedClaude([answer]) as claude, world(database_url, tmp_path, claude=claude.url) as app:
        _, pull = await open_change(app, folder)
        events = await app.until_end(await app.newest_review())

        assert events[-1].type == "review.completed", events[-1].data
        assert events[-1].data["coverage"]["not_reviewed"] == {}
        planned = next(event for event in events if event.type == "review.planned")
        assert "caf\ufffd.py" in [chunk["path"] for chunk in planned.data["chunks"]]
        assert [(c.path, c.line) for c in pull.comments.values()] == [("calc.py", 2)]


def write_bytes(path: bytes, data: bytes) -> None:
    Path(os.fsdecode(path)).write_bytes(data)
