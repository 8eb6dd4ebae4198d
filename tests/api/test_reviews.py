from __future__ import annotations

import base64
import json
from contextlib import asynccontextmanager
from typing import Any

import pytest

from reviewer.core.audience import EVERYTHING, Sight
from reviewer.core.events import (
    ChunkFailed,
    FindingWithdrawn,
    ReviewCancelled,
    ReviewFailed,
    ReviewQueued,
    ReviewStarted,
)
from reviewer.core.findings import Severity
from tests.api.watchers import OPERATOR, Watched, a_finding, caller, completed, looking
from webhooks.api.reviews import Reviews, me
from webhooks.diffs_shown import ShownFile

FIRST = Sight(installations=frozenset({1}))
SECOND = Sight(installations=frozenset({2}))


class Diffs:
    """Diffs by review."""

    def __init__(self) -> None:
        self.kept: dict[str, list[dict[str, Any]]] = {}

    async def read(self, review: str) -> list[ShownFile] | None:
        kept = self.kept.get(review)
        return None if kept is None else [shown(file) for file in kept]


def shown(file: dict[str, Any]) -> ShownFile:
    about = {name: value for name, value in file.items() if name != "hunks"}
    lines = sum(len(hunk["lines"]) for hunk in file["hunks"])
    return ShownFile(file["path"], json.dumps(about), lines, lambda: [json.dumps(file["hunks"])])


class Desk(Watched):
    """Reviews, their diffs and the API over both."""

    def __init__(self, database) -> None:
        super().__init__(database)
        self.diffs = Diffs()

    @asynccontextmanager
    async def asked_by(self, who):
        reviews = Reviews(self.database, self.diffs)
        routes = {
            "/reviews": reviews.listing,
            "/reviews/{id}.sarif": reviews.sarif,
            "/reviews/{id}": reviews.one,
            "/reviews/{id}/diff": reviews.diff,
            "/me": me,
        }
        async with looking(who, routes) as client:
            yield client

    async def get(self, who, path, /, **params):
        async with self.asked_by(who) as client:
            return await client.get(path, params=params)

    async def listed(self, who, **params):
        answer = await self.get(who, "/reviews", **params)
        assert answer.status_code == 200, answer.text
        return [review["id"] for review in answer.json()["reviews"]]


@pytest.fixture
def desk(database):
    return Desk(database)


def a_file(path: str, lines: int = 1) -> dict[str, Any]:
    told = [["+", None, number, f"line {number}"] for number in range(1, lines + 1)]
    return {
        "path": path,
        "old_path": path,
        "status": "modified",
        "added": lines,
        "removed": 0,
        "binary": False,
        "hunks": [{"header": f"@@ -0,0 +1,{lines} @@", "lines": told}],
    }


async def test_the_list_is_newest_first_and_goes_on_where_it_ended(desk):
    for minute in range(7):
        await desk.say(await desk.review(f"r{minute}", minutes=minute), ReviewQueued())

    first = (await desk.get(OPERATOR, "/reviews", limit=3)).json()
    second = (await desk.get(OPERATOR, "/reviews", limit=3, before=first["next"])).json()
    third = (await desk.get(OPERATOR, "/reviews", limit=3, before=second["next"])).json()

    pages = [[review["id"] for review in page["reviews"]] for page in (first, second, third)]
    assert pages == [["r6", "r5", "r4"], ["r3", "r2", "r1"], ["r0"]]
    assert third["next"] is None


async def test_reviews_of_one_moment_are_all_listed_once(desk):
    for name in "abcde":
        await desk.say(await desk.review(name), ReviewQueued())

    seen, before = [], None
    for _ in range(5):
        page = (
            await desk.get(OPERATOR, "/reviews", limit=2, **({"before": before} if before else {}))
        ).json()
        seen += [review["id"] for review in page["reviews"]]
        before = page["next"]
        if before is None:
            break

    assert seen == ["e", "d", "c", "b", "a"]


async def test_a_page_that_ends_with_the_last_review_has_no_next_one(desk):
    for name in "ab":
        await desk.say(await desk.review(name), ReviewQueued())

    assert (await desk.get(OPERATOR, "/reviews", limit=2)).json()["next"] is None


@pytest.mark.parametrize(
    "sight",
    [
        Sight(installations=frozenset({1})),
        Sight(repository_ids=frozenset({10})),
        Sight(api_keys=frozenset({"key 1"})),
    ],
)
async def test_a_caller_lists_and_reads_what_belongs_to_them_and_nothing_else(desk, sight):
    await desk.say(await desk.review("mine", api_key="key 1"), ReviewQueued())
    theirs = await desk.review("theirs", installation=2, repository_id=20, api_key="key 2", minutes=1)
    await desk.say(theirs, ReviewQueued())
    await desk.say(await desk.posted("posted by them", "key 2", minutes=2), ReviewQueued())
    who = caller(sight)

    assert await desk.listed(who) == ["mine"]
    assert (await desk.get(who, "/reviews/mine")).status_code == 200
    assert (await desk.get(who, "/reviews/theirs")).status_code == 404


async def test_a_review_that_is_seen_in_two_ways_is_listed_once(desk):
    await desk.say(await desk.review("mine", api_key="key 1"), ReviewQueued())
    both = Sight(installations=frozenset({1}), repository_ids=frozenset({10}), api_keys=frozenset({"key 1"}))

    assert await desk.listed(caller(both)) == ["mine"]


async def test_who_sees_nothing_lists_nothing(desk):
    await desk.say(await desk.review("theirs"), ReviewQueued())

    assert await desk.listed(caller(Sight())) == []


@pytest.mark.parametrize("path", ["/reviews/{}", "/reviews/{}/diff", "/reviews/{}.sarif"])
async def test_what_may_not_be_seen_is_answered_as_what_is_not_there(desk, path):
    await desk.say(await desk.review("theirs"), ReviewQueued())
    desk.diffs.kept["theirs"] = [a_file("a.py")]

    unseen = await desk.get(caller(SECOND), path.format("theirs"))
    unknown = await desk.get(caller(SECOND), path.format("nothing"))

    assert unseen.status_code == unknown.status_code == 404
    assert unseen.content == unknown.content == b'{"error":"no such review"}'
    assert sorted(unseen.headers) == sorted(unknown.headers)


async def test_an_id_that_no_text_of_the_database_can_hold_is_not_there(desk):
    async with desk.asked_by(OPERATOR) as client:
        assert (await client.get("/reviews/a%00b")).status_code == 404
        assert (await client.get("/reviews?repository=a%00b")).json()["reviews"] == []


async def test_the_list_is_filtered_by_repository_pull_request_and_status(desk):
    await desk.say(await desk.review("a", pull_request=1), ReviewQueued())
    b = await desk.review("b", pull_request=2, repository="octo/till", repository_id=11, minutes=1)
    await desk.say(b, ReviewQueued(), ReviewStarted(engine="claude"))
    c = await desk.review("c", pull_request=2, minutes=2)
    await desk.say(c, ReviewQueued(), ReviewFailed(reason="no", next="nothing"))

    assert await desk.listed(OPERATOR, repository="octo/till") == ["b"]
    assert await desk.listed(OPERATOR, repository="octo") == []
    assert await desk.listed(OPERATOR, pull_request=2) == ["c", "b"]
    assert await desk.listed(OPERATOR, status="running") == ["b"]
    assert await desk.listed(OPERATOR, status=["failed", "queued"]) == ["c", "a"]
    assert await desk.listed(OPERATOR, status="failed", repository="octo/till") == []


async def test_pages_of_a_status_pass_over_the_others(desk):
    for minute in range(12):
        subject = await desk.review(f"r{minute:02}", minutes=minute)
        await desk.say(subject, ReviewQueued(), *([ReviewCancelled(reason="no")] if minute % 4 else []))

    first = (await desk.get(OPERATOR, "/reviews", limit=2, status="queued")).json()
    second = (await desk.get(OPERATOR, "/reviews", limit=2, status="queued", before=first["next"])).json()

    assert [review["id"] for review in first["reviews"]] == ["r08", "r04"]
    assert [review["id"] for review in second["reviews"]] == ["r00"]
    assert second["next"] is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"),
        ("limit", "201"),
        ("limit", "many"),
        ("limit", "٣"),
        ("pull_request", "-1"),
        ("pull_request", "9" * 40),
        ("status", "asleep"),
        ("before", "yesterday"),
        ("before", "ü"),
        ("before", base64.urlsafe_b64encode(b"2026-05-01T12:00:00 r1").decode()),
        ("before", base64.urlsafe_b64encode(b"2026-05-01T12:00:00+00:00 a\0b").decode()),
    ],
)
async def test_what_can_not_be_meant_is_refused_in_a_sentence(desk, name, value):
    answer = await desk.get(OPERATOR, "/reviews", **{name: value})

    assert answer.status_code == 400
    assert name in answer.json()["error"] or value in answer.json()["error"]


async def test_a_review_whose_events_have_expired_is_gone_and_not_listed(desk):
    await desk.review("old")
    await desk.review("new", minutes=1)
    await desk.execute("UPDATE reviews SET created_at = now() WHERE id = 'new'")

    assert await desk.listed(OPERATOR) == ["new"]
    for path in ("/reviews/old", "/reviews/old/diff", "/reviews/old.sarif"):
        answer = await desk.get(OPERATOR, path)
        assert (answer.status_code, list(answer.json())) == (410, ["error"])
    assert (await desk.get(OPERATOR, "/reviews/new")).json()["status"] == "queued"
    assert (await desk.get(caller(SECOND), "/reviews/old")).status_code == 404


async def test_a_page_is_full_although_expired_reviews_lie_between(desk):
    await desk.say(await desk.review("a"), ReviewQueued())
    for number in range(20):
        await desk.review(f"gone {number}", minutes=1)
    await desk.say(await desk.review("z", minutes=2), ReviewQueued())

    assert await desk.listed(OPERATOR, limit=2) == ["z", "a"]


async def test_a_review_says_who_may_act_on_it(desk):
    await desk.say(await desk.review("a"), ReviewQueued())
    await desk.say(await desk.review("b", installation=2, repository_id=20, minutes=1), ReviewQueued())
    who = caller(EVERYTHING, Sight(repository_ids=frozenset({10})))

    listed = (await desk.get(who, "/reviews")).json()["reviews"]

    assert {review["id"]: review["may_act"] for review in listed} == {"a": True, "b": False}
    assert (await desk.get(who, "/reviews/b")).json()["may_act"] is False


async def test_a_posted_review_has_no_pull_request(desk):
    await desk.say(await desk.posted("p", "key 1"), ReviewQueued())

    told = (await desk.get(caller(Sight(api_keys=frozenset({"key 1"}))), "/reviews/p")).json()

    assert (told["pull_request"], told["url"], told["repository"]) == (None, None, "posted")


async def test_a_diff_comes_file_by_file(desk):
    await desk.say(await desk.review("r"), ReviewQueued())
    desk.diffs.kept["r"] = [a_file("a.py"), a_file("b.py", 3)]

    assert (await desk.get(OPERATOR, "/reviews/r/diff")).json() == {
        "files": [a_file("a.py"), a_file("b.py", 3)],
        "truncated": False,
    }


async def test_of_a_large_diff_further_files_come_when_they_are_asked_for(desk):
    await desk.say(await desk.review("r"), ReviewQueued())
    image = {**a_file("c.png", 0), "binary": True, "hunks": []}
    desk.diffs.kept["r"] = [a_file("a.py", 3_999), image, a_file("b.py", 2), a_file("d.py")]

    whole = (await desk.get(OPERATOR, "/reviews/r/diff")).json()
    one = (await desk.get(OPERATOR, "/reviews/r/diff", path="b.py")).json()

    assert whole["truncated"]
    assert [file["hunks"] is None for file in whole["files"]] == [False, False, True, True]
    assert whole["files"][2]["added"] == 2
    assert one == {"files": [a_file("b.py", 2)], "truncated": False}


async def test_a_diff_of_just_the_most_lines_is_whole(desk):
    await desk.say(await desk.review("r"), ReviewQueued())
    desk.diffs.kept["r"] = [a_file("a.py", 3_999), a_file("b.py", 1)]

    assert not (await desk.get(OPERATOR, "/reviews/r/diff")).json()["truncated"]


async def test_a_diff_that_is_not_kept_says_so(desk):
    await desk.say(await desk.review("r"), ReviewQueued())

    missing = await desk.get(OPERATOR, "/reviews/r/diff")
    desk.diffs.kept["r"] = [a_file("a.py")]
    other = await desk.get(OPERATOR, "/reviews/r/diff", path="b.py")

    assert (missing.status_code, missing.json()) == (404, {"error": "the diff of this review is not kept"})
    assert other.status_code == 404


async def test_sarif_holds_the_findings_that_stand_and_what_was_not_reviewed(desk):
    subject = await desk.review("r")
    failed = ChunkFailed(chunk="b.py", path="b.py", reason="it broke")
    made_up = ChunkFailed(chunk="c.py", path="c.py", reason="it broke too")
    await desk.say(
        subject,
        ReviewQueued(),
        ReviewStarted(engine="claude", notice="mind this"),
        a_finding("f1"),
        a_finding("f2", Severity.LOW, side="LEFT"),
        FindingWithdrawn(id="f1", reason="said before"),
        a_finding("f3", Severity.CRITICAL, end_line=6),
        failed,
        made_up,
        completed("c.py"),
    )

    answer = await desk.get(OPERATOR, "/reviews/r.sarif")

    told = answer.json()
    run = told["runs"][0]
    assert (told["version"], answer.headers["content-type"]) == ("2.1.0", "application/sarif+json")
    assert [result["partialFingerprints"]["sluice/v1"] for result in run["results"]] == [
        "print of f2",
        "print of f3",
    ]
    assert [result["level"] for result in run["results"]] == ["note", "error"]
    place = run["results"][1]["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "calc.py"}, "region": {"startLine": 5, "endLine": 6}}
    assert {result["ruleId"] for result in run["results"]} == {
        rule["id"] for rule in run["tool"]["driver"]["rules"]
    }
    said = run["invocations"][0]
    assert said["executionSuccessful"] is False
    assert [each["message"]["text"] for each in said["toolExecutionNotifications"]] == [
        "mind this",
        "not reviewed: it broke",
    ]


async def test_a_caller_is_told_who_they_are(desk):
    told = (await desk.get(caller(FIRST, api_key="key 1"), "/me")).json()

    assert told == {"id": "token 1", "name": "Ada", "may_post": True, "sees_everything": False}
    assert (await desk.get(OPERATOR, "/me")).json()["sees_everything"]
