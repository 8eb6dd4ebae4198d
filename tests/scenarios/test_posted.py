"""Stories of diffs that are posted, from the request to the last event of its answer."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import httpx
import psycopg
import pytest
from starlette.exceptions import HTTPException

from reviewer.core.audience import Sight
from reviewer.errors import StoreUnavailable
from tests.chaos.workers import Worker
from tests.core.test_stream import finding
from tests.fakes.claude import Answer, ScriptedClaude
from tests.scenarios.app import PATIENCE, TOKEN, Event, World, world
from tests.scenarios.stage import Held, asked, until
from webhooks.access.guard import Access
from webhooks.callers import Caller
from webhooks.posted import attendance
from webhooks.sandbox import Sandbox
from webhooks.streams.endpoints import Stream

DIFF = """\
diff --git a/calc.py b/calc.py
--- a/calc.py
+++ b/calc.py
@@ -1,2 +1,9 @@
+import subprocess
+
+
 def add(a, b):
-    return a + b
+    return a - b
+
+
+def run(command):
+    subprocess.run(command, shell=True)
"""
OTHER_DIFF = DIFF.replace("calc.py", "sums.py")
WRONG = finding("It subtracts", path="calc.py", line=5, quote="    return a - b", severity="high")
SHELL = finding(
    "Any command runs",
    path="calc.py",
    line=9,
    quote="    subprocess.run(command, shell=True)",
    severity="critical",
)
ALONE = {"llm_batch_tokens": 0}
LATER = {"Prefer": "respond-async"}


class Answering:
    """An answer as it comes.

    Attributes:
        seen: its events so far.
    """

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self.answer = answer
        self.seen: list[Event] = []

    @property
    def review(self) -> str:
        return self.answer.headers["Location"].rpartition("/")[2]

    @property
    def types(self) -> list[str]:
        return [event.type for event in self.seen]

    @property
    def titles(self) -> list[str]:
        return [event.data["finding"]["title"] for event in self.seen if event.type == "finding"]

    async def read(self) -> None:
        """Read to the end."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(PATIENCE):
            async for raw in self.answer.content:
                line = raw.decode().rstrip("\r\n")
                name, _, value = line.partition(": ")
                if line:
                    fields[name] = value
                    continue
                if "data" in fields:
                    self.seen.append(Event(fields.get("id", ""), fields["event"], json.loads(fields["data"])))
                fields = {}


def post(app: World, diff: str | bytes = DIFF, **options: Any) -> Any:
    """Post a diff; `query` is the query, and `key` an access token."""
    headers = dict(options.pop("headers", {}))
    if "key" in options:
        headers["Authorization"] = f"Bearer {options.pop('key')}"
    body = diff.encode() if isinstance(diff, str) else diff
    return app.http.post(f"{app.url}/reviews", data=body, params=options.pop("query", {}), headers=headers)


@asynccontextmanager
async def posted(app: World, diff: str | bytes = DIFF, **options: Any) -> AsyncIterator[Answering]:
    """An answer that is read while the block runs; then the caller leaves."""
    async with post(app, diff, **options) as answer:
        assert answer.status == 200, await answer.text()
        assert answer.content_type == "text/event-stream"
        answering = Answering(answer)
        reading = asyncio.create_task(answering.read())
        try:
            yield answering
        finally:
            reading.cancel()
            answer.close()


async def later(app: World, diff: str = DIFF, **options: Any) -> str:
    """Post for later; gives the review."""
    options["headers"] = {**LATER, **options.get("headers", {})}
    async with post(app, diff, **options) as answer:
        assert answer.status == 202, await answer.text()
        return (await answer.json())["review"]


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a caller's silence be short."""
    monkeypatch.setattr(attendance, "RENEW_SECONDS", 0.1)
    monkeypatch.setattr(attendance, "ATTEND_SECONDS", 0.5)


@pytest.fixture
def keys(monkeypatch):
    """Lets `Bearer key NAME` call with the key of that name, which sees only itself."""
    others = Access.caller

    async def caller(self, request):
        name = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not name.startswith("key "):
            return await others(self, request)
        sight = Sight(api_keys=frozenset({name}))
        return Caller(
            id=name,
            name=name,
            sight=sight,
            acts=sight,
            api_key=None if name == "key without the right to post" else name,
            pays=7 if name == "key that 7 pays for" else None,
            csrf=None,
            credential=b"",
        )

    monkeypatch.setattr(Access, "caller", caller)


async def test_a_finding_is_in_the_answer_while_the_model_is_still_writing(database_url, tmp_path):
    held = Held.after(1, WRONG, SHELL)
    async with (
        ScriptedClaude([held]) as claude,
        world(database_url, tmp_path, claude=claude.url) as app,
        posted(app, query={"repository": "shop", "title": "Sell", "head_sha": "abc123"}) as answer,
    ):
        await until(lambda: answer.titles)
        assert (answer.titles, held.ended_at) == (["It subtracts"], None)
        held.let_go = True
        await until(lambda: "review.completed" in answer.types)

        assert answer.types[:3] == ["review.queued", "review.started", "review.planned"]
        assert answer.titles == ["It subtracts", "Any command runs"]
        about = {name: answer.seen[-1].data[name] for name in ("review", "repository", "pull_request")}
        assert about == {"review": answer.review, "repository": "shop", "pull_request": None}
        assert answer.seen[-1].data["head_sha"] == "abc123"
        assert answer.seen[-1].data["coverage"]["reviewed"] == 9
        await until(answer.answer.content.at_eof)


async def test_who_wants_no_answer_now_gets_where_it_will_be(database_url, tmp_path):
    async with (
        ScriptedClaude([Answer.findings(WRONG)]) as claude,
        world(database_url, tmp_path, claude=claude.url) as app,
        post(app, headers=LATER) as answer,
    ):
        assert answer.status == 202
        review = (await answer.json())["review"]
        assert answer.headers["Location"] == f"/reviews/{review}"
        assert answer.headers["Preference-Applied"] == "respond-async"
        events = await app.until_end(review)

        assert events[-1].type == "review.completed"
        assert events[-1].data["findings"] == 1


async def test_a_caller_who_leaves_ends_the_review_and_cuts_the_model(database_url, database, tmp_path):
    held = Held.after(1, WRONG, SHELL)
    async with (
        ScriptedClaude([held]) as claude,
        world(database_url, tmp_path, claude=claude.url) as app,
    ):
        async with posted(app) as answer:
            await until(lambda: answer.titles)
        await until(lambda: claude.requests[0].cut_at is not None)
        events = await app.until_end(answer.review)

        assert (events[-1].type, events[-1].data["reason"]) == ("review.cancelled", "the caller left")
        async with asyncio.timeout(PATIENCE):
            while await rows(database, "SELECT 1 FROM reservations"):  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.02)
        ((certain,),) = await rows(database, "SELECT certain FROM calls")
        assert not certain
        assert len(claude.requests) == 1


@pytest.mark.parametrize(
    "how", [{"query": {"on_disconnect": "continue"}}, {"headers": LATER}], ids=["continue", "later"]
)
async def test_a_review_that_may_go_on_alone_does(database_url, tmp_path, how, monkeypatch):
    hurry(monkeypatch)
    held = Held.after(1, WRONG, SHELL)
    async with (
        ScriptedClaude([held]) as claude,
        world(database_url, tmp_path, claude=claude.url) as app,
    ):
        async with post(app, **how) as answer:
            review = answer.headers["Location"].rpartition("/")[2]
            await asked(claude)
        await asyncio.sleep(1.5)  # longer than a silence may be
        held.let_go = True
        events = await app.until_end(review)

        assert (events[-1].type, events[-1].data["findings"]) == ("review.completed", 2)


async def test_only_when_the_last_of_several_listeners_leaves_the_review_ends(database_url, tmp_path):
    held = Held.after(1, WRONG, SHELL)
    again: dict[str, Any] = {"headers": {"Idempotency-Key": "one"}}
    async with (
        ScriptedClaude([held]) as claude,
        world(database_url, tmp_path, claude=claude.url) as app,
    ):
        async with posted(app, **again) as second:
            async with posted(app, **again) as first:
                await until(lambda: first.titles and second.titles)
            await asyncio.sleep(1.0)
            assert claude.requests[0].cut_at is None
        events = await app.until_end(second.review)

        assert first.review == second.review
        assert (events[-1].type, events[-1].data["reason"]) == ("review.cancelled", "the caller left")


async def test_who_resumes_the_review_that_they_posted_listens_to_it_too(
    database_url, database, tmp_path, monkeypatch
):
    hurry(monkeypatch)
    held = Held.after(1, WRONG, SHELL)
    async with (
        ScriptedClaude([held]) as claude,
        world(database_url, tmp_path, claude=claude.url) as app,
    ):
        async with posted(app) as answer:
            await until(lambda: answer.titles)
            back = asyncio.create_task(app.until_end(answer.review, answer.seen[0].id))
            while len(await rows(database, "SELECT 1 FROM listeners")) < 2:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.02)
        await asyncio.sleep(1.5)  # longer than a silence may be
        held.let_go = True

        assert (await back)[-1].type == "review.completed"


async def test_who_was_cut_off_posts_again_with_the_same_key_and_buys_only_what_is_missing(
    database_url, tmp_path
):
    held = Held.after(1, finding("Sums", path="sums.py", line=5, quote="    return a - b"), SHELL)
    script = {"calc.py": [Answer.findings(WRONG)], "sums.py": [held, Answer()]}
    async with (
        ScriptedClaude(lambda body: script[path_in(body)].pop(0)) as claude,
        world(database_url, tmp_path, claude=claude.url, **ALONE) as app,
    ):
        again: dict[str, Any] = {"headers": {"Idempotency-Key": "one"}}
        async with posted(app, DIFF + OTHER_DIFF, **again) as first:
            await until(lambda: "chunk.completed" in first.types and len(first.titles) == 2)
        await app.until_end(first.review)
        async with posted(app, DIFF + OTHER_DIFF, **again) as second:
            await until(lambda: "review.completed" in second.types)

        assert first.review != second.review
        assert "It subtracts" in second.titles
        assert [path_in(each.body) for each in claude.requests].count("calc.py") == 1


async def test_a_caller_with_too_many_streams_has_nothing_stored_or_bought(database_url, database, tmp_path):
    held = Held.after(1, WRONG, SHELL)
    async with (
        ScriptedClaude([held]) as claude,
        world(database_url, tmp_path, claude=claude.url, sluice_streams_per_caller=1) as app,
        posted(app) as first,
    ):
        await until(lambda: first.titles)
        async with post(app, OTHER_DIFF) as answer:
            assert answer.status == 429
            assert answer.headers["Retry-After"]

        assert await rows(database, "SELECT id FROM reviews") == [(first.review,)]
        assert await rows(database, "SELECT review FROM listeners") == [(first.review,)]


async def test_a_review_whose_answer_can_not_begin_is_ended(database_url, database, tmp_path, monkeypatch):
    held = Held.after(0)

    async def away(*_: Any, **__: Any) -> None:
        raise StoreUnavailable("the database has gone since")

    async with (
        ScriptedClaude([held]) as claude,
        world(database_url, tmp_path, claude=claude.url) as app,
    ):
        monkeypatch.setattr(Stream, "of_review", away)
        async with post(app) as answer:
            assert answer.status == 503
        ((review,),) = await rows(database, "SELECT id FROM reviews")
        events = await app.until_end(review)

        assert (events[-1].type, events[-1].data["reason"]) == ("review.cancelled", "the caller left")


async def test_the_same_key_with_the_same_diff_is_the_same_review_from_its_start(database_url, tmp_path):
    async with (
        ScriptedClaude([Answer.findings(WRONG)]) as claude,
        world(database_url, tmp_path, claude=claude.url) as app,
    ):
        headers = {"Idempotency-Key": "one"}
        review = await later(app, headers=headers)
        await app.until_end(review)

        assert await later(app, headers=headers) == review
        async with posted(app, headers=headers) as answer:
            await until(lambda: "review.completed" in answer.types)
            assert answer.types[0] == "review.queued"
            assert answer.review == review
        for diff, query in ((OTHER_DIFF, {}), (DIFF, {"repository": "another"})):
            async with post(app, diff, query=query, headers=headers) as answer:
                assert answer.status == 422
                assert "Idempotency-Key" in (await answer.json())["error"]
                assert "X-Tokens-Used" in answer.headers
        assert await later(app, headers={"Idempotency-Key": "two"}) != review
        assert len(claude.requests) == 1


@pytest.mark.usefixtures("keys")
async def test_two_posts_at_once_with_one_key_are_one_review(database_url, database, tmp_path):
    async with world(database_url, tmp_path) as app:
        headers = {"Idempotency-Key": "one"}
        found = await asyncio.gather(*(later(app, headers=headers) for _ in range(8)))
        others = await asyncio.gather(*(later(app, key="key ci", headers=headers) for _ in range(4)))
        await app.until_end(found[0])
        await app.until_end(others[0])

        assert (len(set(found)), len(set(others))) == (1, 1)
        assert found[0] != others[0]
        assert await rows(database, "SELECT count(*) FROM reviews") == [(2,)]


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        ({"diff": "no diff at all"}, 400, "diff"),
        ({"diff": DIFF[: DIFF.rindex("+")]}, 400, ""),
        ({"query": {"repository": "x" * 201}}, 400, "repository"),
        ({"query": {"repository": "a\nb"}}, 400, "repository"),
        ({"query": {"title": ""}}, 400, "title"),
        ({"query": {"head_sha": "main"}}, 400, "head_sha"),
        ({"query": {"on_disconnect": "stay"}}, 400, "on_disconnect"),
        ({"headers": {"Idempotency-Key": "x" * 256}}, 400, "Idempotency-Key"),
        ({"headers": {"Content-Encoding": "br"}}, 415, "gzip"),
        ({"headers": {"Content-Encoding": "gzip"}}, 400, "gzip"),
        ({"diff": DIFF + " \n" * 2_000}, 413, "SLUICE_MAX_DIFF_BYTES"),
        (
            {"diff": gzip.compress(b" " * 4_000_000), "headers": {"Content-Encoding": "gzip"}},
            413,
            "SLUICE_MAX_DIFF_BYTES",
        ),
    ],
    ids=[
        *(
            "no diff",
            "cut off",
            "long label",
            "broken label",
            "no title",
            "no commit",
            "no such wish",
            "long key",
        ),
        *("another encoding", "no gzip", "too large", "a bomb"),
    ],
)
async def test_what_is_wrong_is_refused_with_what_to_do_and_nothing_is_stored(
    database_url, database, tmp_path, options, status, said
):
    async with (
        world(database_url, tmp_path, sluice_max_diff_bytes=2_000) as app,
        post(app, options.pop("diff", DIFF), **options) as answer,
    ):
        assert answer.status == status
        assert said in (await answer.json())["error"]
        assert answer.headers["X-Tokens-Used"] == "0"
        assert await rows(database, "SELECT 1 FROM reviews") == []


async def test_a_body_without_length_is_read_no_further_than_it_may_be_long(database_url, tmp_path):
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1_000
            yield b" " * 1_000
            await asyncio.sleep(0)

    async with world(database_url, tmp_path, sluice_max_diff_bytes=2_000) as app:
        with pytest.raises((aiohttp.ClientError, AssertionError)):
            async with app.http.post(f"{app.url}/reviews", data=endless()) as answer:
                assert answer.status == 200
        async with app.http.get(f"{app.url}/reviews") as answer:
            assert (await answer.json())["reviews"] == []
    assert sent < 50_000_000


@pytest.mark.parametrize("diff", [gzip.compress(DIFF.encode()), b"", b"\n"], ids=["gzip", "empty", "blank"])
async def test_a_packed_diff_is_unpacked_and_an_empty_one_is_a_review_of_nothing(
    database_url, tmp_path, diff
):
    headers = {"Content-Encoding": "gzip"} if len(diff) > 10 else {}
    async with (
        world(database_url, tmp_path) as app,
        posted(app, diff, headers=headers) as answer,
    ):
        await until(lambda: "review.completed" in answer.types)
        assert answer.seen[-1].data["coverage"]["changed_lines"] == (9 if headers else 0)


@pytest.mark.usefixtures("keys")
async def test_all_that_is_said_of_a_posted_review_is_for_its_key_alone(database_url, database, tmp_path):
    async with (
        ScriptedClaude([Answer.findings(WRONG)]) as claude,
        world(database_url, tmp_path, claude=claude.url) as app,
    ):
        query = {"repository": "octo/shop"}
        done = await later(app, key="key that 7 pays for", query=query)
        await app.until_end(done)
        async with posted(app, OTHER_DIFF, key="key ci", query=query) as answer:
            await until(lambda: answer.types)
        await app.until_end(answer.review)

        whose = "SELECT DISTINCT review, api_key, installation, repository_id FROM events ORDER BY api_key"
        assert await rows(database, whose) == [
            (answer.review, "key ci", None, None),
            (done, "key that 7 pays for", None, None),
        ]
        assert await rows(
            database, "SELECT DISTINCT installation, api_key FROM calls WHERE review = %s", done
        ) == [(7, "key that 7 pays for")]


@pytest.mark.usefixtures("keys")
async def test_who_may_not_post_is_told_what_would_and_nothing_else(database_url, database, tmp_path):
    async with world(database_url, tmp_path) as app:
        async with post(app, key="key without the right to post") as answer:
            assert answer.status == 404
            assert "sluice token create --post" in (await answer.json())["error"]
            assert "X-Tokens-Used" not in answer.headers
        async with post(app, key="nonsense") as answer:
            assert answer.status == 401
        assert await rows(database, "SELECT 1 FROM reviews") == []


@pytest.mark.parametrize(
    ("setting", "value"), [("budget_review_tokens", 1_000), ("budget_request_usd", 0.0001)]
)
async def test_a_diff_over_the_budget_of_a_review_or_a_call_is_refused(
    database_url, database, tmp_path, setting, value
):
    async with (
        ScriptedClaude([Answer()]) as claude,
        world(database_url, tmp_path, claude=claude.url, **{setting: value}) as app,
        post(app) as answer,
    ):
        assert answer.status == 413
        said = await answer.json()
        assert setting.upper() in said["error"]
        assert said["estimated_tokens"] > 1_000
        assert "Retry-After" not in answer.headers
        assert answer.headers["X-Tokens-Used"] == "0"
        assert await rows(database, "SELECT 1 FROM reviews") == []


@pytest.mark.usefixtures("keys")
async def test_a_key_whose_day_is_spent_is_told_when_to_come_back_and_another_is_not_kept(
    database_url, database, tmp_path
):
    async with (
        ScriptedClaude([Answer(input_tokens=38_000)]) as claude,
        world(database_url, tmp_path, claude=claude.url, budget_api_key_day_tokens=40_000) as app,
    ):
        async with post(app, key="key ci", headers=LATER) as answer:
            assert answer.headers["X-Tokens-Used"] == "0"
            assert answer.headers["X-Tokens-Remaining"] == "40000"
            review = (await answer.json())["review"]
        await app.until_end(review)
        async with post(app, OTHER_DIFF, key="key ci") as answer:
            assert answer.status == 429
            said = await answer.json()
            assert "BUDGET_API_KEY_DAY_TOKENS" in said["error"]
            assert 0 < int(answer.headers["Retry-After"]) <= 86_400
            used, left = (int(answer.headers[f"X-Tokens-{name}"]) for name in ("Used", "Remaining"))
            assert used >= 38_000
            assert used + left == 40_000
        assert await rows(database, "SELECT count(*) FROM reviews") == [(1,)]
        await app.until_end(await later(app, key="key next"))

        ledgers = await rows(database, "SELECT tenant FROM ledger ORDER BY tenant")
        assert ledgers == [("key key ci",), ("key key next",)]
        assert len(claude.requests) == 2


@pytest.mark.usefixtures("keys")
async def test_the_installation_that_pays_is_held_to_its_day_too(database_url, tmp_path):
    async with (
        ScriptedClaude([Answer()]) as claude,
        world(database_url, tmp_path, claude=claude.url, budget_installation_day_tokens=1_000) as app,
    ):
        async with post(app, key="key that 7 pays for", headers=LATER) as answer:
            assert answer.status == 429
            assert "BUDGET_INSTALLATION_DAY_TOKENS" in (await answer.json())["error"]
        await later(app, key="key ci")


async def test_posts_that_find_the_same_money_left_do_not_spend_it_twice(database_url, database, tmp_path):
    held = Held.after(0)
    async with (
        ScriptedClaude([held]) as claude,
        world(
            database_url,
            tmp_path,
            claude=claude.url,
            budget_api_key_day_tokens=30_000,  # what one call may take at most is set aside, which is 20,000
            sluice_jobs_per_installation=4,
        ) as app,
    ):
        diffs = [DIFF.replace("calc", f"calc{number}") for number in range(4)]
        found = await asyncio.gather(*(later(app, diff) for diff in diffs))
        waiting = {asyncio.create_task(app.until_end(review)) for review in found}
        ends: list[Event] = []
        while len(waiting) > 1:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            ends += [(await each)[-1] for each in done]
        held.let_go = True
        ends += [(await each)[-1] for each in waiting]

        assert [end.type for end in ends] == [*["review.failed"] * 3, "review.completed"]
        assert all("budget" in end.data["reason"] for end in ends[:3])
        assert len(claude.requests) == 1
        spent = "SELECT spent_tokens <= 30000, reserved_tokens FROM accounts WHERE scope = 'api_key'"
        assert await rows(database, spent) == [(True, 0)]


async def test_what_costs_nothing_is_refused_by_no_budget(database_url, tmp_path):
    budgets = {"budget_review_tokens": 1, "budget_api_key_day_tokens": 1, "budget_request_usd": 0.000001}
    async with world(database_url, tmp_path, **budgets) as app:
        events = await app.until_end(await later(app))
        assert events[-1].type == "review.completed"


async def test_a_browser_that_posts_a_diff_proves_itself_by_the_header_alone(database_url, tmp_path):
    async with (
        world(database_url, tmp_path) as app,
        httpx.AsyncClient(base_url=app.url, headers={"Sec-Fetch-Site": "same-origin"}) as browser,
    ):
        await browser.post("/login", data={"token": TOKEN})
        (csrf,) = set(re.findall(r"[0-9a-f]{64}", (await browser.get("/")).text))

        assert (await browser.post("/reviews", data={"csrf": csrf})).status_code == 400
        proven = {"X-CSRF-Token": csrf, "Content-Type": "application/x-www-form-urlencoded", **LATER}
        assert (await browser.post("/reviews", content=DIFF, headers=proven)).status_code == 202


async def test_whoever_has_too_many_streams_open_is_refused_before_anything_is_stored(
    database_url, database, tmp_path
):
    async with (
        world(database_url, tmp_path, sluice_streams_per_caller=1) as app,
        app.http.get(f"{app.url}/events"),
    ):
        async with post(app) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (429, "10")
        assert await rows(database, "SELECT 1 FROM reviews") == []
        await later(app)


async def test_a_review_whose_answer_fails_at_the_last_moment_ends(database_url, tmp_path, monkeypatch):
    async def full(*_: Any, **__: Any) -> None:
        raise HTTPException(429, "too many streams", headers={"Retry-After": "10"})

    monkeypatch.setattr(Stream, "of_review", full)
    async with (
        ScriptedClaude([Held.after(1, WRONG)]) as claude,
        world(database_url, tmp_path, claude=claude.url) as app,
    ):
        async with post(app) as answer:
            assert answer.status == 429
        review = await app.newest_review()
        assert (await app.until_end(review))[-1].type == "review.cancelled"


async def test_a_review_whose_model_is_down_waits_and_its_caller_hears_of_it(database_url, tmp_path):
    down = Answer(status=529, headers={"retry-after": "0.01"})
    answers = iter([down, down, down])
    async with (
        ScriptedClaude(lambda _: next(answers, Answer.findings(WRONG))) as claude,
        world(database_url, tmp_path, claude=claude.url, sluice_postpone_seconds=0.5) as app,
        posted(app) as answer,
    ):
        await until(lambda: "review.completed" in answer.types)
        assert answer.types.count("review.postponed") == 1
        assert answer.types.count("review.queued") == 1
        assert answer.titles == ["It subtracts"]


async def test_a_worker_killed_in_the_middle_is_taken_over_by_one_that_buys_only_what_is_missing(
    database_url, tmp_path
):
    held = Held.after(0, finding("Sums", path="sums.py", line=5, quote="    return a - b"))
    script = {"calc.py": [Answer.findings(WRONG)], "sums.py": [held, Answer()]}
    async with ScriptedClaude(lambda body: script[path_in(body)].pop(0)) as claude:
        environment = {
            "DATABASE_URL": database_url,
            "SLUICE_DATA_DIR": str(tmp_path),
            "SLUICE_TOKEN": TOKEN,
            "SLUICE_STALLED_SECONDS": "2",
            "ANTHROPIC_BASE_URL": claude.url,
            "LLM_BATCH_TOKENS": "0",
            "GITHUB_API_URL": "http://127.0.0.1:9",
            "GITHUB_CLIENT_ID": "made-up",
            "GITHUB_PRIVATE_KEY": Sandbox.create(webhook_secret="", webhook_url="").state.private_key_pem,
            "GITHUB_WEBHOOK_SECRET": "made-up",
        }
        first = Worker("first", tmp_path, environment)
        await first.start()
        await first.answers()
        headers = {"Authorization": f"Bearer {TOKEN}", **LATER}
        async with (
            aiohttp.ClientSession(headers=headers) as http,
            http.post(f"{first.url}/reviews", data=(DIFF + OTHER_DIFF).encode()) as answer,
        ):
            review = (await answer.json())["review"]
        await asked(claude, 2)
        await until_chunk_done(database_url, review)
        await first.kill()
        async with world(
            database_url, tmp_path, claude=claude.url, sluice_stalled_seconds=2.0, **ALONE
        ) as app:
            events = await app.until_end(review)

        assert events[-1].type == "review.completed"
        assert events[-1].data["coverage"]["not_reviewed"] == {}
        paths = [path_in(each.body) for each in claude.requests]
        assert sorted(paths) == ["calc.py", "sums.py", "sums.py"]
        assert [event.type for event in events].count("finding") == 1


async def until_chunk_done(database_url: str, review: str) -> None:
    """Wait until a chunk of a review is known to be finished."""
    async with (
        asyncio.timeout(PATIENCE),
        await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection,
    ):
        statement = "SELECT 1 FROM events WHERE review = %s AND type = 'chunk.completed'"
        while await (await connection.execute(statement, (review,))).fetchone() is None:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def path_in(body: dict[str, Any]) -> str:
    text = body["messages"][0]["content"]
    return next(path for path in ("calc.py", "sums.py") if f'path="{path}"' in text)


async def rows(database, statement: str, *values: Any) -> list[Any]:
    async with database.connection() as connection:
        return await (await connection.execute(statement, values)).fetchall()
