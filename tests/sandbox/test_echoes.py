"""The app hears of what it wrote itself, if the sandbox is asked to tell."""

from __future__ import annotations

import asyncio
import json

RESOLVE = 'mutation { resolveReviewThread(input: {threadId: "PRRT_%d"}) { thread { isResolved } } }'


async def heard(hub) -> list[tuple[str, str]]:
    """Event and action of all that was delivered since the last look, by the app alone."""
    await asyncio.gather(*hub.state.tasks)
    bodies = [(each.event, json.loads(each.body)) for each in hub.receiver.got]
    hub.receiver.got.clear()
    assert {body["sender"]["type"] for _, body in bodies} <= {"Bot"}
    return sorted((event, body["action"]) for event, body in bodies)


async def test_what_the_app_writes_comes_back_as_news(hub):
    pull = await hub.open()
    hub.receiver.got.clear()
    hub.state.echo = True
    installation = hub.state.installations[hub.repository.installation_id]
    installation.permissions["contents"] = "write"

    comment = await hub.comment_on(pull, 5)
    assert await heard(hub) == [
        ("pull_request_review", "submitted"),
        ("pull_request_review_comment", "created"),
    ]
    await hub.call("PATCH", f"pulls/comments/{comment.id}", {"body": "gone"})
    await hub.call("POST", f"pulls/1/comments/{comment.id}/replies", {"body": "gone"})
    assert await heard(hub) == [
        ("pull_request_review", "submitted"),
        ("pull_request_review_comment", "created"),
        ("pull_request_review_comment", "edited"),
    ]
    remark = (await hub.call("POST", "issues/1/comments", {"body": "b"})).body["id"]
    await hub.call("PATCH", f"issues/comments/{remark}", {"body": "c"})
    assert await heard(hub) == [("issue_comment", "created"), ("issue_comment", "edited")]
    check = await hub.call("POST", "check-runs", {"name": "n", "head_sha": pull.head_sha})
    for change in ({"status": "in_progress"}, {"conclusion": "neutral"}, {"conclusion": "neutral"}):
        await hub.call("PATCH", f"check-runs/{check.body['id']}", change)
    assert await heard(hub) == [("check_run", "completed"), ("check_run", "created")]
    await hub.call("POST", "/graphql", {"query": RESOLVE % comment.id})
    assert await heard(hub) == [("pull_request_review_thread", "resolved")]


async def test_a_pending_review_is_told_once_it_is_submitted(hub):
    pull = await hub.open()
    hub.receiver.got.clear()
    hub.state.echo = True

    review = (await hub.review(pull, 5, event=None)).body["id"]
    assert await heard(hub) == []
    await hub.call("POST", f"pulls/1/reviews/{review}/events", {"event": "COMMENT"})

    assert await heard(hub) == [
        ("pull_request_review", "submitted"),
        ("pull_request_review_comment", "created"),
    ]


async def test_the_sandbox_is_silent_about_the_app_unless_asked(hub):
    pull = await hub.open()
    hub.receiver.got.clear()

    await hub.comment_on(pull, 5)

    assert await heard(hub) == []
