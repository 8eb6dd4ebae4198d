"""What people do on the sandbox moves its state, and is delivered as GitHub would."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from reviewer import git
from tests.scenarios.app import HEAD, commit
from webhooks.sandbox.git import GitFailed
from webhooks.sandbox.state import read_clock


def set_clock(hub) -> datetime:
    """Move the sandbox's clock on, and give its time."""
    now = datetime.now(UTC) + timedelta(minutes=5)
    hub.state.clock = lambda: now
    return now


DEEDS = [
    ("close", (), "closed", {"state": "closed", "merged": False, "merged_at": None}),
    ("close", (True,), "closed", {"state": "closed", "merged": True}),
    ("convert_to_draft", (), "converted_to_draft", {"draft": True}),
    ("mark_ready", (), "ready_for_review", {"draft": False}),
    ("label", ("review me",), "labeled", {"labels": ["review me"]}),
    ("retitle", ("Other",), "edited", {"title": "Other"}),
    ("lock", (), "locked", {"locked": True}),
]


async def test_a_deed_is_seen_and_told(hub):
    for deed, arguments, action, seen in DEEDS:
        pull = await hub.open()
        now = set_clock(hub)

        await getattr(hub.sandbox, deed)(hub.repository, pull, *arguments, by="mona")

        event, payload = hub.told()
        shown = (await hub.call("GET", f"pulls/{pull.number}")).body
        told = event, payload["action"], payload["number"]
        assert told == ("pull_request", action, pull.number)
        assert payload["sender"]["login"] == "mona"
        for shape in (shown, payload["pull_request"]):
            labels = [label["name"] for label in shape["labels"]]
            assert {name: ({**shape, "labels": labels})[name] for name in seen} == seen
            assert shape["updated_at"] == now.strftime("%Y-%m-%dT%H:%M:%SZ")
        hub.state.clock = read_clock


async def test_a_closed_pull_request_is_reopened_and_a_label_taken_away(hub):
    pull = await hub.open(labels=("review me",))
    await hub.sandbox.close(hub.repository, pull)
    await hub.sandbox.reopen(hub.repository, pull)
    assert hub.told()[1]["pull_request"]["closed_at"] is None

    await hub.sandbox.unlabel(hub.repository, pull, "review me")

    payload = hub.told()[1]
    assert (payload["action"], payload["label"], pull.labels) == ("unlabeled", {"name": "review me"}, [])


async def test_another_base_is_told_with_the_one_before(hub):
    pull = await hub.open()
    await git.run(hub.folder, "branch", "release", "change~1")

    await hub.sandbox.retarget(hub.repository, pull, "release")

    payload = hub.told()[1]
    assert payload["action"] == "edited"
    assert payload["changes"]["base"]["ref"] == {"from": "main"}
    assert payload["pull_request"]["base"]["ref"] == "release"


async def test_a_push_that_does_not_follow_has_to_be_forced_and_outdates_comments(hub):
    pull = await hub.open()
    kept, lost = await hub.comment_on(pull, 5), await hub.comment_on(pull, 9)
    old = pull.head_sha
    await git.run(hub.folder, "reset", "-q", "--hard", "main")
    text = "# first\n" + HEAD["calc.py"].replace("shell=True", "shell=False")
    new = await commit(hub.folder, {**HEAD, "calc.py": text})

    with pytest.raises(GitFailed, match="force"):
        await hub.sandbox.push(hub.repository, pull, "change")
    await hub.sandbox.push(hub.repository, pull, "change", force=True)

    payload = hub.told()[1]
    assert (payload["action"], payload["before"], payload["after"]) == ("synchronize", old, new)
    assert pull.commits == (new,)
    listed = (await hub.call("GET", f"pulls/{pull.number}/comments")).body
    assert [(each["id"], each["line"], each["original_line"]) for each in listed] == [
        (kept.id, 6, 5),
        (lost.id, None, 9),
    ]
    assert lost.position is None


async def test_a_remark_is_an_issue_comment_on_a_pull_request(hub):
    pull = await hub.open()
    now = set_clock(hub)

    remark = await hub.sandbox.comment(hub.repository, pull, "@sluice again", "mona", association="OWNER")

    event, payload = hub.told()
    assert (event, payload["action"], payload["comment"]["id"]) == ("issue_comment", "created", remark.id)
    assert payload["issue"]["number"] == pull.number
    assert payload["issue"]["pull_request"]["url"].endswith("/pulls/1")
    assert payload["comment"]["author_association"] == "OWNER"
    assert pull.updated_at == now


async def test_a_reply_stands_in_the_thread_and_in_a_review_of_its_own(hub):
    pull = await hub.open()
    comment = await hub.comment_on(pull, 5)

    made = await hub.sandbox.reply(hub.repository, pull, comment, "no", "mona")
    second = await hub.sandbox.reply(hub.repository, pull, made, "still no", "mona")

    event, payload = hub.told()
    assert (event, payload["action"]) == ("pull_request_review_comment", "created")
    assert payload["comment"]["in_reply_to_id"] == comment.id
    assert payload["comment"]["line"] == 5
    assert {made.in_reply_to_id, second.in_reply_to_id} == {comment.id}
    assert len({comment.review_id, made.review_id, second.review_id}) == 3


async def test_threads_are_resolved_and_opened_again(hub):
    pull = await hub.open()
    comment = await hub.comment_on(pull, 5)
    reply = await hub.sandbox.reply(hub.repository, pull, comment, "done", "mona")

    await hub.sandbox.resolve_thread(hub.repository, pull, reply, by="mona")
    event, payload = hub.told()
    await hub.sandbox.unresolve_thread(hub.repository, pull, comment, by="mona")

    assert (event, payload["action"]) == ("pull_request_review_thread", "resolved")
    bodies = [each["body"] for each in payload["thread"]["comments"]]
    assert bodies == ["on 5", "done"]
    assert hub.told()[1]["action"] == "unresolved"
    assert pull.resolved == {}


async def make_check(hub, pull, **more):
    body = {"name": "Sluice", "head_sha": pull.head_sha, "external_id": "r1", **more}
    assert (await hub.call("POST", "check-runs", body)).status == 201
    return hub.sandbox.check_runs(hub.repository, pull)[-1]


async def test_checks_are_asked_for_again_and_their_buttons_pressed(hub):
    pull = await hub.open()
    button = {"label": "Stop", "description": "Stop the review", "identifier": "stop"}
    check = await make_check(hub, pull, actions=[button])

    await hub.sandbox.rerequest(hub.repository, check)
    event, payload = hub.told()
    assert (event, payload["action"]) == ("check_run", "rerequested")
    assert payload["check_run"]["external_id"] == "r1"
    assert [each["number"] for each in payload["check_run"]["pull_requests"]] == [1]
    assert payload["check_run"]["check_suite"]["head_branch"] == "change"

    await hub.sandbox.press(hub.repository, check, "stop")
    assert hub.told()[1]["requested_action"] == {"identifier": "stop"}
    with pytest.raises(LookupError):
        await hub.sandbox.press(hub.repository, check, "no such button")

    await hub.sandbox.rerequest_suite(hub.repository, pull.head_sha)
    event, payload = hub.told()
    assert (event, payload["check_suite"]["head_sha"]) == ("check_suite", pull.head_sha)


async def test_checks_of_forks_name_no_pull_request(hub):
    pull = await hub.open(fork="mona/calc", author="mona", author_association="NONE")
    opened = hub.told()[1]["pull_request"]
    check = await make_check(hub, pull)

    await hub.sandbox.rerequest(hub.repository, check)

    run = hub.told()[1]["check_run"]
    assert (run["pull_requests"], run["check_suite"]["head_branch"]) == ([], None)
    assert opened["head"]["repo"]["full_name"] == "mona/calc"
    assert opened["head"]["repo"]["id"] != opened["base"]["repo"]["id"]
    assert opened["author_association"] == "NONE"


async def test_a_deleted_fork_leaves_no_head_repository_and_bots_are_bots(hub):
    pull = await hub.open(fork="gone/calc", fork_gone=True, author="dependabot[bot]", author_type="Bot")

    shown = (await hub.call("GET", f"pulls/{pull.number}")).body

    assert shown["head"]["repo"] is None
    assert shown["user"]["type"] == "Bot"
    assert hub.told()[1]["sender"]["type"] == "Bot"


@pytest.mark.parametrize("way", ["rename", "transfer"])
async def test_a_former_name_leads_to_the_repository_by_its_number(hub, way):
    pull = await hub.open()
    old = hub.api
    if way == "rename":
        await hub.sandbox.rename(hub.repository, "sums")
    else:
        await hub.sandbox.transfer(hub.repository, "mona")
    event, payload = hub.told()
    token = hub.token()

    moved = await hub.call("GET", f"{old}/pulls/1?x=1", token=token, allow_redirects=False)
    followed = await hub.call("GET", f"{old}/pulls/1", token=token)
    path = f"{old}/issues/1/comments"
    write = await hub.call("POST", path, {"body": "b"}, token=token, allow_redirects=False)
    written = await hub.call("POST", path, {"body": "b"}, token=token)

    assert (moved.status, write.status) == (301, 307)
    assert moved.headers["location"] == f"{hub.state.url}/repositories/{hub.repository.id}/pulls/1?x=1"
    assert (followed.status, written.status, len(pull.remarks)) == (200, 201, 1)
    assert event == "repository"
    if way == "rename":
        assert payload["changes"] == {"repository": {"name": {"from": "calc"}}}
        assert payload["repository"]["full_name"] == "octo/sums"
    else:
        assert payload["changes"]["owner"]["from"]["organization"]["login"] == "octo"
        assert payload["installation"]["id"] == hub.repository.installation_id
        assert payload["repository"]["full_name"] == "mona/calc"


async def test_a_repository_out_of_reach_is_not_found(hub):
    token = hub.token()
    await hub.sandbox.remove_repository(hub.repository)

    event, payload = hub.told()
    assert (event, payload["action"]) == ("installation_repositories", "removed")
    assert [each["id"] for each in payload["repositories_removed"]] == [hub.repository.id]
    assert (await hub.call("GET", hub.api, token=token)).status == 404


async def test_a_suspended_app_hears_nothing_and_may_do_nothing(hub):
    pull = await hub.open()
    await hub.sandbox.suspend("octo")
    assert hub.told()[1]["action"] == "suspend"
    heard = len(hub.receiver.got)

    await hub.sandbox.label(hub.repository, pull, "unheard")
    assert len(hub.receiver.got) == heard
    assert (await hub.call("GET", hub.api)).status == 403

    await hub.sandbox.unsuspend("octo")
    assert hub.told()[1]["action"] == "unsuspend"
    assert (await hub.call("GET", hub.api)).status == 200


async def test_an_uninstalled_app_is_told_and_its_tokens_die(hub):
    token = hub.token()

    await hub.sandbox.uninstall("octo")

    event, payload = hub.told()
    assert (event, payload["action"]) == ("installation", "deleted")
    assert [each["full_name"] for each in payload["repositories"]] == ["octo/calc"]
    assert (await hub.call("GET", hub.api, token=token)).status == 401


async def test_an_archived_repository_is_read_only_and_a_deleted_one_is_gone(hub):
    pull = await hub.open()

    await hub.sandbox.archive(hub.repository)
    event, payload = hub.told()
    assert (event, payload["action"], payload["repository"]["archived"]) == ("repository", "archived", True)
    refused = await hub.review(pull, 5)
    assert (refused.status, (await hub.call("GET", "pulls/1")).status) == (403, 200)
    assert "archived" in refused.body["message"]

    await hub.sandbox.delete_repository(hub.repository)
    assert hub.told()[1]["action"] == "deleted"
    assert (await hub.call("GET", "pulls/1")).status == 404
