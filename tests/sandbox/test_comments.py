"""Reviews, comments one by one, replies and listings, with what GitHub refuses about them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from reviewer import git
from tests.scenarios.app import HEAD, commit


async def alone(hub, pull, **fields: Any):
    body = {"body": "b", "path": "calc.py", "commit_id": pull.head_sha, **fields}
    known = {name: value for name, value in body.items() if value is not None}
    return await hub.call("POST", f"pulls/{pull.number}/comments", known)


async def test_a_comment_on_a_file_or_line_gets_a_review_of_its_own(hub):
    pull = await hub.open()

    of_file = await alone(hub, pull, subject_type="file")
    of_line = await alone(hub, pull, line=5)

    assert (of_file.status, of_line.status) == (201, 201)
    assert (of_file.body["subject_type"], of_file.body["line"]) == ("file", None)
    assert (of_line.body["line"], of_line.body["subject_type"]) == (5, "line")
    reviews = (await hub.call("GET", "pulls/1/reviews")).body
    assert [(each["state"], each["body"]) for each in reviews] == [("COMMENTED", "")] * 2
    assert [each["id"] for each in reviews] == [
        each.body["pull_request_review_id"] for each in (of_file, of_line)
    ]


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"subject_type": "file", "path": "nowhere.py"}, "Path could not be resolved"),
    ({"subject_type": "file", "path": "old.py"}, "Path could not be resolved"),
    ({"subject_type": "file", "body": None}, "'body' wasn't supplied"),
    ({"subject_type": "file", "commit_id": None}, "'commit_id' wasn't supplied"),
    ({"subject_type": "file", "line": 5}, "oneOf"),
    ({"subject_type": "file", "commit_id": "0" * 40}, "not part of the pull request"),
    ({"line": 500}, "Line could not be resolved"),
    ({}, "'line'"),
    ({"line": 5, "body": "x" * 65_537}, "body is too long"),
]


async def test_a_lone_comment_is_refused_whole(hub):
    pull = await hub.open()

    for fields, words in REFUSED:
        answer = await alone(hub, pull, **fields)

        assert answer.status == 422, words
        assert words in str(answer.body)
    assert (pull.comments, pull.reviews) == ({}, {})


async def test_replies_join_the_thread_of_its_first_comment_only(hub):
    pull = await hub.open()
    comment = await hub.comment_on(pull, 5)

    made = await hub.call("POST", f"pulls/1/comments/{comment.id}/replies", {"body": "gone"})
    nested = await hub.call("POST", f"pulls/1/comments/{made.body['id']}/replies", {"body": "no"})

    assert (made.status, nested.status) == (201, 404)
    assert (made.body["in_reply_to_id"], made.body["line"]) == (comment.id, 5)
    assert made.body["pull_request_review_id"] != comment.review_id


async def test_a_pending_review_is_in_the_way_of_comments_and_replies(hub):
    pull = await hub.open()
    comment = await hub.comment_on(pull, 5)
    assert (await hub.review(pull, event=None)).status == 200

    lone = await alone(hub, pull, line=5)
    reply = await hub.call("POST", f"pulls/1/comments/{comment.id}/replies", {"body": "b"})

    assert (lone.status, reply.status) == (422, 422)
    assert "one pending review" in str(lone.body)


async def test_comments_reviews_and_remarks_are_shown_and_edited(hub):
    pull = await hub.open()
    comment = await hub.comment_on(pull, 5)
    remark = await hub.sandbox.comment(hub.repository, pull, "first", "mona")
    ways = [
        ("PATCH", f"pulls/comments/{comment.id}"),
        ("PUT", f"pulls/1/reviews/{comment.review_id}"),
        ("PATCH", f"issues/comments/{remark.id}"),
    ]
    later = datetime.now(UTC) + timedelta(minutes=1)
    hub.state.clock = lambda: later

    for method, way in ways:
        edited = await hub.call(method, way, {"body": f"new {way}"})
        assert (edited.status, edited.body["body"]) == (200, f"new {way}")
        assert (await hub.call("GET", way)).body["body"] == f"new {way}"
        assert (await hub.call(method, way, {})).status == 422
    assert (await hub.call("PATCH", "pulls/comments/1", {"body": "b"})).status == 404
    assert comment.updated_at == remark.updated_at == pull.updated_at == later


async def test_a_locked_conversation_takes_nothing(hub):
    pull = await hub.open()
    comment = await hub.comment_on(pull, 5)
    await hub.sandbox.lock(hub.repository, pull)

    answers = [
        await hub.review(pull, 5),
        await alone(hub, pull, line=5),
        await hub.call("POST", f"pulls/1/comments/{comment.id}/replies", {"body": "b"}),
        await hub.call("POST", "issues/1/comments", {"body": "b"}),
    ]

    assert [answer.status for answer in answers] == [422, 422, 422, 403]
    assert "lock prevents review" in str(answers[0].body)
    assert "issue is locked" in answers[3].body["message"]
    assert (len(pull.comments), len(pull.reviews), len(pull.remarks)) == (1, 1, 0)


async def test_a_review_of_an_older_commit_stands_where_its_lines_are_now(hub):
    pull = await hub.open()
    old = pull.head_sha
    text = "# first\n" + HEAD["calc.py"].replace("shell=True", "shell=False")
    await commit(hub.folder, {"calc.py": text})
    await hub.sandbox.push(hub.repository, pull, "change")

    answer = await hub.review(pull, 5, 9, commit_id=old)

    assert answer.status == 200
    listed = (await hub.call("GET", "pulls/1/comments")).body
    places = [(each["original_line"], each["line"], each["original_commit_id"]) for each in listed]
    assert places == [(5, 6, old), (9, None, old)]


async def test_after_a_forced_push_the_old_head_can_not_be_reviewed(hub):
    pull = await hub.open()
    old = pull.head_sha
    await git.run(hub.folder, "reset", "-q", "--hard", "main")
    await commit(hub.folder, {"calc.py": "x = 1\n"})
    await hub.sandbox.push(hub.repository, pull, "change", force=True)

    answer = await hub.review(pull, commit_id=old)

    assert answer.status == 422
    assert "not part of the pull request" in str(answer.body)


async def test_comments_on_removed_lines_stay_while_the_diff_has_them(hub):
    pull = await hub.open()
    comments = [{"path": "calc.py", "body": "b", "line": 2, "side": "LEFT"}]
    assert (await hub.review(pull, comments=comments)).status == 200
    (comment,) = pull.comments.values()

    await commit(hub.folder, {"calc.py": "# first\n# second\n" + HEAD["calc.py"]})
    await hub.sandbox.push(hub.repository, pull, "change")
    assert comment.line == 2

    await commit(hub.folder, {"calc.py": "def add(a, b):\n    return a + b\n"})
    await hub.sandbox.push(hub.repository, pull, "change")
    assert comment.line is None


async def test_what_was_just_posted_may_be_hidden_from_listings_for_a_while(hub):
    now = [100.0]
    hub.state.ticks = lambda: now[0]
    hub.state.hide_new_reviews_for = 5.0
    pull = await hub.open()
    await hub.review(pull, 5)
    await hub.call("POST", "issues/1/comments", {"body": "b"})
    (review,) = pull.reviews
    ways = ["pulls/1/reviews", "pulls/1/comments", f"pulls/1/reviews/{review}/comments", "issues/1/comments"]

    stale = [len((await hub.call("GET", way)).body) for way in ways]
    now[0] += 5.0
    fresh = [len((await hub.call("GET", way)).body) for way in ways]

    assert (stale, fresh) == ([0, 0, 0, 0], [1, 1, 1, 1])


async def test_pull_requests_are_listed_by_state_and_order(hub):
    pulls = [await hub.open(title=name, author="mona", fork="mona/calc") for name in "abc"]
    await hub.sandbox.close(hub.repository, pulls[1])
    hub.state.clock = lambda: datetime.now(UTC) + timedelta(minutes=1)
    await hub.sandbox.label(hub.repository, pulls[0], "x")

    async def titles(query: str) -> str:
        return "".join(each["title"] for each in (await hub.call("GET", f"pulls{query}")).body)

    assert await titles("") == "ca"
    assert await titles("?direction=asc") == "ac"
    assert (await titles("?state=all&sort=updated&direction=desc"))[0] == "a"
    assert await titles("?state=closed") == "b"
    assert await titles("?state=all&per_page=2") == "cb"
    assert await titles("?head=mona:change") == "ca"
    assert await titles("?head=octo:change") == ""
    assert (await hub.call("GET", "pulls?state=merged")).status == 422


async def test_permissions_of_people_and_reactions(hub):
    pull = await hub.open()
    remark = await hub.sandbox.comment(hub.repository, pull, "@sluice again", "mona")
    hub.state.collaborators["mona"] = "write"

    asked = await hub.call("GET", "collaborators/mona/permission")
    stranger = await hub.call("GET", "collaborators/octocat/permission")
    way = f"issues/comments/{remark.id}/reactions"
    statuses = [(await hub.call("POST", way, {"content": each})).status for each in ("eyes", "eyes", "nod")]

    assert (asked.body["permission"], stranger.body["permission"]) == ("write", "none")
    assert statuses == [201, 200, 422]
    assert hub.state.reactions == [(remark.id, "eyes")]
