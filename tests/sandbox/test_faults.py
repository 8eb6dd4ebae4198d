"""Faults that a test asks for, as the caller meets them, and what is written down."""

from __future__ import annotations

import random
from dataclasses import replace

import aiohttp
import pytest

from webhooks.sandbox import Fault, faults


@pytest.mark.parametrize("after", [False, True])
async def test_a_cut_connection_has_no_answer_and_may_have_acted(hub, after):
    pull = await hub.open()
    hub.state.faults.append(faults.cut("POST", "/reviews$", after=after))

    with pytest.raises(aiohttp.ClientError):
        await hub.review(pull, 5)

    assert len(pull.reviews) == after
    record = hub.state.requests[-1]
    assert (record.status, record.acted) == (0, 200 if after else None)
    assert (await hub.review(pull, 5)).status == 200


GUISES = [
    (faults.secondary_limit("POST", "/reviews$", retry_after=7), 403, "secondary rate limit"),
    (faults.too_many_requests("POST", "/reviews$"), 429, "secondary rate limit"),
    (faults.abuse("POST", "/reviews$"), 422, "abuse"),
    (faults.too_quickly("POST", "/reviews$"), 422, "was submitted too quickly"),
    (faults.primary_limit("POST", "/reviews$", resets_at=2_000_000_000), 403, "rate limit exceeded"),
]


async def test_limits_come_in_every_guise(hub):
    pull = await hub.open()
    for fault, status, words in GUISES:
        hub.state.faults.append(replace(fault))

        answer = await hub.review(pull, 5)

        assert answer.status == status, words
        assert words in str(answer.body)
        assert answer.headers.items() >= dict(fault.headers).items()
        assert words in hub.state.requests[-1].said
    assert pull.reviews == {}


async def test_a_late_answer_is_a_good_one(hub):
    pull = await hub.open()
    hub.state.faults.append(faults.late("POST", "/reviews$", 0.01))

    assert (await hub.review(pull, 5)).status == 200
    assert len(pull.reviews) == 1


async def test_chaos_is_asked_at_each_call_that_has_no_fault_of_its_own(hub):
    asked: list[tuple[str, str]] = []
    dice = random.Random(5)

    def chaos(method: str, path: str) -> Fault | None:
        asked.append((method, path))
        return Fault("*", "", 502) if dice.random() < 0.5 else None

    hub.state.chaos = chaos
    hub.state.faults.append(Fault("GET", "calc$", 404))
    statuses = [(await hub.call("GET", hub.api)).status for _ in range(20)]

    assert statuses[0] == 404
    assert set(statuses[1:]) == {200, 502}
    assert asked == [("GET", hub.api)] * 19


async def test_calls_are_written_down_with_what_they_said(hub):
    pull = await hub.open()
    ticks = iter(range(10, 99))
    hub.state.ticks = lambda: float(next(ticks))

    await hub.call("GET", f"pulls/{pull.number}/comments?page=2")
    await hub.review(pull, 500)
    await hub.as_app("GET", "/app")

    read, write, app = hub.state.requests
    assert (read.query, read.body, read.installation) == ("page=2", None, hub.repository.installation_id)
    assert (write.status, write.body["comments"][0]["line"]) == (422, 500)
    assert "Line could not be resolved" in write.said
    assert read.at < write.at < app.at
    assert app.installation == 0
