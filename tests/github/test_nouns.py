"""Pull requests, reviews, comments, check runs and the app, as GitHub's JSON tells them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reviewer.errors import ForgeError, ForgeRefused, ForgeUnavailable
from tests.fakes.clock import jumping
from tests.github.server import Reply, Server, talking
from webhooks.github.app import AppRoutes
from webhooks.github.checks import CheckRun, Checks
from webhooks.github.comments import Comments, Thread
from webhooks.github.pulls import HeadFiles, Pulls, facts
from webhooks.github.reviews import Reviews

WHERE = (1, "octo/calc", 3)
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
BOT = {"login": "sluice[bot]", "type": "Bot"}
PERSON = {"login": "mona", "type": "User"}


def pull(number: int = 3, *, minutes: float = 0, **changes: Any) -> dict[str, Any]:
    repository = {"id": 9, "full_name": "octo/calc", "clone_url": "https://forge.example/octo/calc.git"}
    return {
        "number": number,
        "title": "t",
        "state": "open",
        "html_url": "https://forge.example/octo/calc/pull/3",
        "head": {"sha": "a" * 40, "repo": repository},
        "base": {"ref": "main", "sha": "b" * 40, "repo": repository},
        "user": PERSON,
        "labels": [{"name": "review"}],
        "updated_at": (NOW - timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        **changes,
    }


def comment(number: int, **changes: Any) -> dict[str, Any]:
    return {"id": number, "path": "a.py", "body": "b", "user": BOT, **changes}


def linked(server: Server, path: str) -> dict[str, str]:
    return {"link": f'<{server.url}{path}>; rel="next"'}


@jumping
async def test_a_pull_request_tells_whose_it_is_and_from_where():
    async with talking() as (server, github):
        server.on("GET", "/pulls/3", Reply(body={**pull(user=BOT), "changed_files": 2}))

        found = await Pulls(github).pull_request(*WHERE)

        told = found.facts
        assert (told.place.repository_id, told.author, told.author_is_bot) == (9, "sluice[bot]", True)
        assert (told.fork, told.labels, told.updated_at) == (False, frozenset({"review"}), NOW)


@pytest.mark.parametrize(("head", "fork"), [(None, True), ({"id": 8}, True), ({"id": 9}, False)])
def test_a_fork_is_known_by_the_repository_of_its_head(head, fork):
    assert facts(1, pull(head={"sha": "a" * 40, "repo": head})).fork is fork


def test_the_author_of_a_pull_request_may_be_no_more():
    assert facts(1, pull(user=None)).author == "ghost"


@jumping
async def test_open_pull_requests_are_listed_back_to_a_time():
    async with talking() as (server, github):
        first = [pull(number, minutes=number) for number in range(3)]
        # Number 2 was seen: one that changed meanwhile has pushed it to the next page
        second = [pull(2, minutes=2), pull(3, minutes=3), pull(4, minutes=4)]
        server.on("GET", "/pulls", Reply(body=first, headers=linked(server, "/pulls?page=2")))
        server.on("GET", "page=2", Reply(body=second, headers=linked(server, "/pulls?page=3")))

        found = await Pulls(github).open_since(1, "octo/calc", NOW - timedelta(minutes=3))

        assert [each.number for each in found] == [0, 1, 2, 3]
        assert found[0].place.repository == "octo/calc"
        assert len(server.called()) == 2
        assert "state=open&sort=updated&direction=desc" in server.called()[0].path


@jumping
async def test_only_a_file_that_is_not_there_is_none():
    async with talking() as (server, github):
        server.on("GET", "/contents/gone", Reply(404, {"message": "Not Found"}))
        server.on("GET", "/contents/forbidden", Reply(403, {"message": "Resource not accessible"}))

        assert await Pulls(github).file(1, "octo/calc", "gone", "main") is None
        with pytest.raises(ForgeRefused, match="not accessible"):
            await Pulls(github).file(1, "octo/calc", "forbidden", "main")


@jumping
async def test_a_file_too_large_to_be_shown_is_none_for_context():
    async with talking() as (server, github):
        errors = [{"resource": "Blob", "field": "data", "code": "too_large"}]
        server.on("GET", "/contents/big", Reply(403, {"message": "too big", "errors": errors}))

        assert await HeadFiles(Pulls(github), 1, "octo/calc", "main").read("big") is None


@jumping
async def test_reviews_tell_whose_they_are():
    async with talking() as (server, github):
        item = {"id": 1, "html_url": "u", "body": None, "state": "COMMENTED", "commit_id": None}
        first, second = {**item, "user": BOT}, {**item, "id": 2, "user": None}
        server.on("GET", "/reviews", Reply(body=[first], headers=linked(server, "/reviews?page=2")))
        server.on("GET", "page=2", Reply(body=[second]))

        found = await Reviews(github).listing(*WHERE)

        assert [(each.author, each.by_bot) for each in found] == [("sluice[bot]", True), ("ghost", False)]


@jumping
async def test_reviews_that_were_never_submitted_are_discarded():
    async with talking() as (server, github):
        item = {"html_url": "u", "body": "", "user": BOT, "commit_id": None}
        listed = [
            {**item, "id": 1, "state": "COMMENTED"},
            {**item, "id": 2, "state": "PENDING"},
        ]
        server.on("GET", "/reviews", Reply(body=listed))
        server.on("DELETE", "/reviews/2$", Reply(body={}))

        assert await Reviews(github).discard_pending(*WHERE) == 1
        assert [call.path for call in server.called() if call.method == "DELETE"] == [
            "/repos/octo/calc/pulls/3/reviews/2"
        ]


@jumping
async def test_a_comment_on_a_file_names_no_line():
    async with talking() as (server, github):
        server.on("POST", "/pulls/3/comments", Reply(201, comment(5, subject_type="file")))

        made = await Comments(github).create_on_file(*WHERE, commit_id="c", path="a.py", body="b")

        assert server.called()[0].body == {
            "body": "b",
            "commit_id": "c",
            "path": "a.py",
            "subject_type": "file",
        }
        assert (made.id, made.subject_type, made.by_bot) == (5, "file", True)


@jumping
async def test_a_comment_is_edited_in_place():
    async with talking() as (server, github):
        server.on("PATCH", "/pulls/comments/5$", Reply(body=comment(5, body="new")))

        assert (await Comments(github).edit(1, "octo/calc", 5, "new")).body == "new"
        assert server.called()[0].body == {"body": "new"}


@jumping
async def test_comments_are_listed_in_small_pages_with_what_tells_ours_from_others():
    async with talking() as (server, github):
        reply = comment(6, user=PERSON, in_reply_to_id=5, line=None, original_line=4, side="LEFT")
        server.on("GET", "/comments", Reply(body=[comment(5), reply]))

        _, second = await Comments(github).listing(*WHERE)

        assert server.called()[0].path.endswith("?per_page=50")
        assert (second.author, second.by_bot, second.in_reply_to) == ("mona", False, 5)
        assert (second.line, second.original_line, second.side) == (None, 4, "LEFT")


def page(nodes: list[Any], after: str | None = None) -> dict[str, Any]:
    return {"nodes": nodes, "pageInfo": {"hasNextPage": after is not None, "endCursor": after}}


def said(*ids: int, after: str | None = None) -> dict[str, Any]:
    return page([{"fullDatabaseId": str(number)} for number in ids], after)


def threads(*nodes: Any, after: str | None = None) -> Reply:
    listed = {"reviewThreads": page(list(nodes), after)}
    return Reply(body={"data": {"repository": {"pullRequest": listed}}})


@jumping
async def test_threads_are_read_to_their_last_page_and_comment():
    async with talking() as (server, github):
        server.on(
            "POST",
            "/graphql",
            threads({"id": "T1", "isResolved": False, "comments": said(1, after="c1")}, after="p1"),
            Reply(body={"data": {"node": {"comments": said(2, 2**40)}}}),
            threads({"id": "T2", "isResolved": True, "comments": said(3)}),
        )

        found = await Comments(github).threads(*WHERE)

        assert found == [Thread("T1", False, (1, 2, 2**40)), Thread("T2", True, (3,))]
        asked = [call.body["variables"] for call in server.called()]
        assert asked[0] == {"owner": "octo", "name": "calc", "number": 3, "after": None}
        assert asked[1] == {"thread": "T1", "after": "c1"}
        assert asked[2]["after"] == "p1"


@jumping
async def test_a_thread_that_may_not_be_resolved_is_told_by_its_code():
    async with talking() as (server, github):
        refusal = {"type": "FORBIDDEN", "message": "Resource not accessible by integration"}
        server.on("POST", "/graphql", Reply(body={"data": None, "errors": [refusal]}))

        with pytest.raises(ForgeRefused) as error:
            await Comments(github).resolve_thread(1, "T1")

        assert error.value.code == "FORBIDDEN"
        assert server.called()[0].body["variables"] == {"thread": "T1"}


WORDS = {"title": "t", "summary": "s"}
REMARK = {"path": "a.py", "start_line": 1, "end_line": 2, "annotation_level": "warning", "message": "m"}


@jumping
async def test_a_check_run_is_opened_and_ended_with_what_there_is_to_say():
    async with talking() as (server, github):
        server.on("POST", "/check-runs", Reply(201, {"id": 7}))
        server.on("PATCH", "/check-runs/7", Reply(body={"id": 7}))
        checks = Checks(github)
        words = {"name": "Sluice", "head_sha": "a", "details_url": None, "external_id": "r1"}
        stop = {"label": "Stop", "description": "d", "identifier": "stop"}
        made = await checks.create(1, "octo/calc", **words, status="queued", actions=[stop])
        await checks.update(
            1,
            "octo/calc",
            made,
            status="completed",
            output=WORDS,
            conclusion="neutral",
            annotations=[REMARK],
            actions=(),
        )

        opened, ended = (call.body for call in server.called())
        assert opened == {
            "name": "Sluice",
            "head_sha": "a",
            "external_id": "r1",
            "status": "queued",
            "actions": [stop],
        }
        assert (ended["status"], ended["conclusion"], ended["actions"]) == ("completed", "neutral", [])
        assert ended["output"] == {**WORDS, "annotations": [REMARK]}


@pytest.mark.parametrize(
    "words",
    [
        {"status": "in_progress", "output": WORDS, "count": 51},
        {"status": "completed", "output": WORDS, "count": 0},
    ],
)
def test_what_github_would_refuse_of_a_check_run_is_not_sent(words):
    @jumping
    async def check():
        async with talking() as (server, github):
            count = words.pop("count")
            remarks = [REMARK] * count
            with pytest.raises(ValueError, match=r"annotations|conclusion"):
                await Checks(github).update(1, "octo/calc", 7, annotations=remarks, **words)
            assert server.calls == []

    check()


@jumping
async def test_check_runs_of_a_commit_are_those_of_the_name_older_ones_too():
    async with talking() as (server, github):
        run = {"id": 7, "name": "Sluice", "status": "completed", "conclusion": "neutral", "external_id": "r1"}
        others = [{**run, "id": 8, "name": "other"}, {**run, "id": 9, "output": {"annotations_count": 3}}]
        server.on("GET", "/check-runs", Reply(body={"total_count": 3, "check_runs": [run, *others]}))

        found = await Checks(github).of_commit(1, "octo/calc", "a" * 40, "Sluice")

        assert found == [
            CheckRun(7, "completed", "neutral", "r1", 0),
            CheckRun(9, "completed", "neutral", "r1", 3),
        ]
        assert server.called()[0].path.endswith("?per_page=100&check_name=Sluice&filter=all")


@jumping
async def test_the_app_knows_where_it_is_installed():
    async with talking() as (server, github):
        permissions = {"checks": "write"}
        listed = [
            {"id": 1, "suspended_at": None, "permissions": permissions},
            {"id": 2, "suspended_at": "2026-11-24T12:00:00Z"},
        ]
        server.on("GET", "/app$", Reply(body={"slug": "sluice"}))
        server.on("GET", "/app/installations", Reply(body=listed))
        seen = {"id": 9, "full_name": "octo/calc", "archived": True}
        server.on("GET", "/installation/repositories", Reply(body={"total_count": 1, "repositories": [seen]}))
        app = AppRoutes(github)

        first, second = await app.installations()

        assert await app.slug() == "sluice"
        assert (first.suspended, first.permissions) == (False, permissions)
        assert (second.suspended, second.permissions) == (True, {})
        assert await app.repositories(1) == [(9, "octo/calc", True)]


def delivery(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "guid": f"g{number}",
        "delivered_at": (NOW - timedelta(minutes=number)).strftime("%Y-%m-%dT%H:%M:%S.123Z"),
        "redelivery": False,
        "status": "OK",
        "status_code": 200,
        "event": "ping",
        "action": None,
        "installation_id": None,
    }


@jumping
async def test_deliveries_are_read_by_cursor_back_to_a_time():
    async with talking() as (server, github):
        first = Reply(
            body=[delivery(1), delivery(2)], headers=linked(server, "/app/hook/deliveries?cursor=x")
        )
        second = Reply(
            body=[delivery(3), delivery(9)], headers=linked(server, "/app/hook/deliveries?cursor=y")
        )
        server.on("GET", "/app/hook/deliveries", first)
        server.on("GET", "cursor=x", second)

        found = [each async for each in AppRoutes(github).deliveries(NOW - timedelta(minutes=5))]

        assert [each.guid for each in found] == ["g1", "g2", "g3"]
        assert found[0].delivered_at.tzinfo is not None
        assert len(server.called()) == 2


@jumping
async def test_a_delivery_is_asked_for_again():
    async with talking() as (server, github):
        server.on("POST", "/app/hook/deliveries/5/attempts$", Reply(202, {}))

        await AppRoutes(github).redeliver(5)

        assert len(server.called()) == 1


LISTINGS: list[Callable[[Any], Any]] = [
    lambda github: Pulls(github).open_since(1, "octo/calc", NOW),
    lambda github: Reviews(github).listing(*WHERE),
    lambda github: Comments(github).listing(*WHERE),
    lambda github: Checks(github).of_commit(1, "octo/calc", "a", "Sluice"),
    lambda github: AppRoutes(github).installations(),
    lambda github: AppRoutes(github).repositories(1),
]


@pytest.mark.parametrize("listing", LISTINGS)
def test_a_listing_that_breaks_off_gives_no_part(listing):
    @jumping
    async def check():
        async with talking() as (server, github):
            body = {"check_runs": [], "repositories": []}
            for pattern in ("/octo/calc/(pulls|issues)", "/app/installations"):
                server.on("GET", pattern, Reply(body=[], headers=linked(server, "/two")))
            for pattern in ("/check-runs", "/installation/repositories"):
                server.on("GET", pattern, Reply(body=body, headers=linked(server, "/two")))
            server.on("GET", "/two", Reply(502))

            with pytest.raises(ForgeUnavailable):
                await listing(github)
            assert server.called("/two")

    check()


@jumping
async def test_threads_that_break_off_give_no_part():
    async with talking() as (server, github):
        node = {"id": "T1", "isResolved": False, "comments": said(1)}
        broken = [Reply(502)] * 3
        server.on("POST", "/graphql", threads(node, after="p1"), *broken)

        with pytest.raises(ForgeError):
            await Comments(github).threads(*WHERE)
