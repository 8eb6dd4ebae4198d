"""Limits, permissions and ETags over HTTP, each counted per installation."""

from __future__ import annotations

import asyncio

from tests.sandbox.hub import Hub
from webhooks.sandbox import Sandbox


class Ticks:
    """A clock that stands still until it is moved."""

    def __init__(self, hub: Hub) -> None:
        self.now = 100.0
        hub.state.ticks = lambda: self.now


async def test_unchanged_content_is_not_sent_again_and_costs_nothing(hub):
    pull = await hub.open()
    first = await hub.call("GET", "pulls/1")
    asking = {"headers": {"If-None-Match": first.headers["etag"]}}

    again = await hub.call("GET", "pulls/1", **asking)
    await hub.sandbox.retitle(hub.repository, pull, "Other")
    changed = await hub.call("GET", "pulls/1", **asking)

    assert (again.status, again.body) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    used = [answer.headers["x-ratelimit-used"] for answer in (first, again, changed)]
    assert used == ["1", "1", "2"]
    assert (changed.status, changed.body["title"]) == (200, "Other")


async def test_a_used_up_hour_refuses_until_its_end(hub):
    hub.state.rate_limit = 2
    answers = [await hub.call("GET", hub.api) for _ in range(3)]

    assert [answer.status for answer in answers] == [200, 200, 403]
    refused = answers[-1]
    assert "API rate limit exceeded" in refused.body["message"]
    assert refused.headers["x-ratelimit-remaining"] == "0"
    resets_at = hub.state.rates[hub.repository.installation_id].resets_at
    assert refused.headers["x-ratelimit-reset"] == str(int(resets_at.timestamp()))
    assert (await hub.call("GET", "/rate_limit")).body["resources"]["core"]["remaining"] == 0
    hub.state.clock = lambda: resets_at
    assert (await hub.call("GET", hub.api)).status == 200


async def test_refused_calls_count_too(hub):
    assert (await hub.call("GET", "pulls/99")).headers["x-ratelimit-used"] == "1"
    assert (await hub.call("GET", "pulls/99")).headers["x-ratelimit-used"] == "2"


async def test_writes_that_follow_too_fast_are_refused_and_reads_are_not(hub):
    ticks = Ticks(hub)
    pull = await hub.open()
    hub.state.writes_per_second = 1
    hub.state.secondary_retry_after = 60

    statuses = []
    for pause in (0.0, 0.5, 0.5, 1.0):
        ticks.now += pause
        answer = await hub.review(pull, 5)
        statuses.append(answer.status)
        if answer.status == 403:
            assert "secondary rate limit" in answer.body["message"]
            assert answer.headers["retry-after"] == "60"
        assert (await hub.call("GET", "pulls/1")).status == 200

    assert statuses == [200, 403, 200, 200]
    assert len(pull.reviews) == 3


async def test_a_secondary_limit_may_name_no_wait(hub):
    pull = await hub.open()
    hub.state.content_per_minute, hub.state.secondary_retry_after = 0, None

    answer = await hub.review(pull, 5)

    assert answer.status == 403
    assert "retry-after" not in answer.headers


async def test_content_is_counted_by_the_minute_and_check_runs_are_none(hub):
    ticks = Ticks(hub)
    pull = await hub.open()
    hub.state.content_per_minute = 2
    remark = {"body": "b"}

    statuses = [
        (await hub.call("POST", "issues/1/comments", remark)).status,
        (await hub.review(pull, 5)).status,
        (await hub.review(pull, 5)).status,
        (await hub.call("POST", "check-runs", {"name": "n", "head_sha": pull.head_sha})).status,
    ]
    ticks.now += 60
    statuses.append((await hub.review(pull, 5)).status)

    assert statuses == [201, 200, 403, 201, 200]


async def test_installations_do_not_share_a_limit(hub):
    Ticks(hub)
    hub.state.writes_per_second = 1
    sandbox: Sandbox = hub.sandbox
    other = sandbox.add_repository("mona/calc", git_dir=hub.folder, default_branch="main")
    pull = await hub.open()
    second = await sandbox.open_pull_request(other, base="main", head="change", title="t")

    first = await hub.review(pull, 5)
    installation = hub.state.installations[other.installation_id]
    token = hub.state.issue_token(installation, installation.permissions, None).text
    path = f"/repos/mona/calc/issues/{second.number}/comments"
    answer = await hub.call("POST", path, {"body": "b"}, token=token)

    assert (first.status, answer.status) == (200, 201)
    assert first.headers["x-ratelimit-used"] == answer.headers["x-ratelimit-used"] == "1"
    assert hub.state.requests[-1].installation == other.installation_id != hub.repository.installation_id
    assert (await hub.call("GET", "/repos/mona/calc")).status == 404


async def test_a_missing_permission_is_named(hub):
    await hub.open()
    granted = hub.state.installations[hub.repository.installation_id].permissions
    before = dict(granted)
    for lost, method, path, needed in (
        ("pull_requests", "POST", "pulls/1/reviews", "pull_requests=write"),
        ("pull_requests", "GET", "pulls/1", "pull_requests=read"),
        ("checks", "POST", "check-runs", "checks=write"),
        ("contents", "GET", "contents/calc.py", "contents=read"),
    ):
        granted.pop(lost)
        answer = await hub.call(method, path, {} if method == "POST" else None)
        granted.update(before)

        assert answer.status == 403, needed
        assert answer.body["message"] == "Resource not accessible by integration"
        assert answer.headers["x-accepted-github-permissions"] == needed


async def test_a_token_reaches_no_further_than_it_was_asked_for(hub):
    await hub.open()
    installation = hub.repository.installation_id
    other = hub.sandbox.add_repository("octo/other", git_dir=hub.folder, default_branch="main")
    jwt_path = f"/app/installations/{installation}/access_tokens"
    from_app = await hub.as_app(
        "POST", jwt_path, {"repository_ids": [other.id], "permissions": {"checks": "read"}}
    )
    token = from_app.body["token"]

    assert (await hub.call("GET", hub.api, token=token)).status == 404
    assert (await hub.call("GET", "/repos/octo/other", token=token)).status == 200
    assert (await hub.call("GET", "/repos/octo/other/pulls", token=token)).status == 403
    listed = (await hub.call("GET", "/installation/repositories?per_page=1")).body
    assert (listed["total_count"], len(listed["repositories"])) == (2, 1)


async def test_points_are_counted_by_the_minute_and_a_write_has_five(hub):
    ticks = Ticks(hub)
    pull = await hub.open()
    hub.state.points_per_minute = 7

    statuses = [
        (await hub.review(pull, 5)).status,
        (await hub.call("GET", hub.api)).status,
        (await hub.review(pull, 5)).status,
        (await hub.call("GET", hub.api)).status,
        (await hub.call("GET", hub.api)).status,
    ]
    ticks.now += 60
    statuses.append((await hub.review(pull, 5)).status)

    assert statuses == [200, 200, 403, 200, 403, 200]


async def test_no_more_calls_than_allowed_are_under_way_at_once(hub):
    await hub.open()
    hub.state.most_concurrent = 1

    answers = await asyncio.gather(*(hub.call("GET", "compare/main...change") for _ in range(4)))
    alone = await hub.call("GET", "compare/main...change")

    assert {answer.status for answer in answers} == {200, 403}
    assert alone.status == 200
    assert all(record.at < record.ended for record in hub.state.requests)
