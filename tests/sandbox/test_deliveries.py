"""Deliveries on their way to the app, and the log that GitHub keeps of them."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest

from tests.sandbox.hub import SECRET
from webhooks.sandbox import Mischief
from webhooks.sandbox.state import FORM


async def listed(hub, query: str = "") -> list[Any]:
    answer = await hub.as_app("GET", f"/app/hook/deliveries{query}")
    assert answer.status == 200
    return answer.body


async def test_a_form_carries_the_payload_and_is_signed_as_it_is(hub):
    hub.state.content_type = FORM
    await hub.open()

    (got,) = hub.receiver.got
    signature = hmac.new(SECRET.encode(), got.body, hashlib.sha256).hexdigest()
    assert got.headers["content-type"] == FORM
    assert got.headers["x-hub-signature-256"] == f"sha256={signature}"
    assert json.loads(parse_qs(got.body.decode())["payload"][0])["action"] == "opened"


@pytest.mark.parametrize(
    ("code", "status"), [(0, "failed to connect to host"), (502, "Invalid HTTP Response: 502")]
)
async def test_what_a_down_receiver_misses_is_recorded_and_comes_when_asked_for(hub, code, status):
    hub.state.webhook_down, hub.state.down_status = True, code
    await hub.open()
    (missed,) = await listed(hub)
    assert (missed["status"], missed["status_code"], missed["redelivery"]) == (status, code, False)
    assert hub.receiver.got == []

    hub.state.webhook_down = False
    answer = await hub.as_app("POST", f"/app/hook/deliveries/{missed['id']}/attempts")

    assert answer.status == 202
    (got,) = hub.receiver.got
    again, first = await listed(hub)
    assert got.guid == missed["guid"] == again["guid"] == first["guid"]
    assert (again["status"], again["redelivery"], first["id"]) == ("OK", True, missed["id"])


async def test_the_log_is_read_page_by_page_and_by_outcome(hub):
    pull = await hub.open()
    hub.receiver.status = 500
    await hub.sandbox.label(hub.repository, pull, "a")
    hub.receiver.status = 202
    await hub.sandbox.label(hub.repository, pull, "b")
    newest_first = [each.id for each in reversed(hub.state.deliveries)]

    first = await hub.as_app("GET", "/app/hook/deliveries?per_page=2")
    url = first.headers["link"].partition("<")[2].partition(">")[0]
    second = await hub.as_app("GET", url)

    assert [each["id"] for each in first.body + second.body] == newest_first
    assert "link" not in second.headers
    assert [each["id"] for each in await listed(hub, "?status=failure")] == newest_first[1:2]
    assert len(await listed(hub, "?status=success")) == 2
    assert first.body[0]["throttled_at"] is None


async def test_the_log_forgets_after_three_days(hub):
    await hub.open()
    (shown,) = await listed(hub)

    hub.state.deliveries[0].delivered_at -= timedelta(days=3)

    assert await listed(hub) == []
    assert (await hub.as_app("POST", f"/app/hook/deliveries/{shown['id']}/attempts")).status == 404


async def test_one_delivery_is_shown_with_what_was_sent_and_answered(hub):
    await hub.open()

    shown = (await hub.as_app("GET", f"/app/hook/deliveries/{hub.state.deliveries[0].id}")).body

    assert shown["request"]["payload"]["action"] == "opened"
    assert shown["request"]["headers"]["X-GitHub-Event"] == "pull_request"
    assert shown["status_code"] == 202


async def play(hub, **shares: float) -> None:
    """Open a pull request, then label it four times with such mischief, and wait until it is over."""
    pull = await hub.open()
    hub.receiver.got.clear()
    hub.state.delivery_play = mischief = Mischief(3, longest=0.01, **shares)
    for name in "abcd":
        await hub.sandbox.label(hub.repository, pull, name)
    await mischief.settle(hub.state)


def labels(hub) -> list[str]:
    return [json.loads(each.body)["label"]["name"] for each in hub.receiver.got]


async def test_deliveries_come_twice_under_one_id(hub):
    await play(hub, twice=1.0)

    assert labels(hub) == ["a", "a", "b", "b", "c", "c", "d", "d"]
    assert len({each.guid for each in hub.receiver.got}) == 4


async def test_events_are_told_twice_under_two_ids(hub):
    await play(hub, doubled=1.0)

    assert labels(hub) == ["a", "a", "b", "b", "c", "c", "d", "d"]
    assert len({each.guid for each in hub.receiver.got}) == 8
    assert all(each.headers["x-github-delivery"] == each.guid for each in hub.receiver.got)


async def test_neighbours_swap(hub):
    await play(hub, swapped=1.0)

    assert labels(hub) == ["b", "a", "d", "c"]


async def test_late_ones_come_all_the_same(hub):
    await play(hub, late=1.0)

    assert sorted(labels(hub)) == ["a", "b", "c", "d"]
    assert all(each.status == "OK" for each in hub.state.deliveries)


async def test_lost_ones_stand_in_the_log_as_failed(hub):
    await play(hub, lost=1.0)

    assert labels(hub) == []
    assert len(await listed(hub, "?status=failure")) == 4


async def test_the_same_seed_plays_the_same_way(hub):
    shares = {"twice": 0.4, "swapped": 0.4, "lost": 0.3}
    pull = await hub.open()
    plays: list[list[str]] = []
    for _ in range(2):
        hub.receiver.got.clear()
        hub.state.delivery_play = mischief = Mischief(8, **shares)
        for name in "abcdefgh":
            await hub.sandbox.label(hub.repository, pull, name)
        await mischief.settle(hub.state)
        plays.append(labels(hub))

    assert plays[0] == plays[1] != list("abcdefgh")
