"""Stories of two tenants: whatever one does, nobody of the other is sent a word of it."""

from __future__ import annotations

import base64
import itertools
from contextlib import AsyncExitStack
from typing import Any

from tests.scenarios.app import commit, make_repository, open_change, world
from tests.scenarios.outsiders import Outsider, with_token
from tests.scenarios.stage import MORE_NOTES, ended, until
from tests.scenarios.two_tenants import ALL_KEPT, COUNT, Stage, staged
from webhooks.access import credentials
from webhooks.access.tokens import Tokens, Wanted
from webhooks.news import Place

UNKNOWN = "0123456789abcdef" * 2
OF_A_REVIEW = ("/reviews/{}", "/reviews/{}/events", "/reviews/{}/diff", "/reviews/{}.sarif", "/r/{}")
DEEDS = ("/reviews/{}/cancel", "/reviews/{}/again")
STATUSES = ("queued", "running", "postponed", "completed", "failed", "superseded", "cancelled")
ANYBODYS = (
    *("/reviews?limit=1", "/reviews", "/reviews?pull_request=1", "/reviews?repository=acme/vault"),
    *(f"/reviews?status={status}" for status in STATUSES),
    *(ALL_KEPT, "/events?follow=false", f"{ALL_KEPT}&repository=acme/vault", f"{ALL_KEPT}&pull_request=1"),
    *(f"{ALL_KEPT}&severity=critical", f"{ALL_KEPT}&type=finding&type=review.completed"),
    *("/usage?days=1", "/usage?days=366", "/status", "/metrics", "/me", "/", "/costs", "/openapi.json"),
    *(
        "/reviews?limit=0",
        "/reviews?before=x",
        "/reviews?status=x",
        "/events?last_event_id=x",
        "/events?type=x",
    ),
    *("/usage?days=0", "/nowhere"),
)
"""What one can ask for without knowing of anything."""


async def all_that_is_told(outsider: Outsider) -> dict[str, Any]:
    """What somebody gets who asks for everything, page by page and review by review."""
    told: dict[str, Any] = {path: (await outsider.get(path)).same() for path in ANYBODYS}
    before: str | None = None
    while True:
        page = (await outsider.get(f"/reviews?limit=1{f'&before={before}' if before else ''}")).body
        told[f"the page before {before}"] = page
        for review in page["reviews"]:
            for path in OF_A_REVIEW:
                told[path.format(review["id"])] = (await outsider.get(path.format(review["id"]))).same()
        before = page["next"]
        if before is None:
            return told


async def _demand_same(stage: Stage, before: list[dict[str, Any]]) -> None:
    for outsider, told in zip(stage.outsiders, before, strict=True):
        now = await all_that_is_told(outsider)
        changed = [path for path in told | now if told.get(path) != now.get(path)]
        assert not changed, f"{outsider.name} is told something else"


async def test_whatever_the_first_tenant_does_the_second_is_told_the_same_as_before(
    database_url, database, tmp_path
):
    async with staged(database_url, database, tmp_path) as stage, AsyncExitStack() as streams:
        await stage.post(stage.outsiders[-1], "of our own", COUNT.replace("count", "sum"))
        before = [await all_that_is_told(each) for each in stage.outsiders]
        live = [await streams.enter_async_context(each.listening("/events")) for each in stage.outsiders]

        reviews = await stage.work()
        await _demand_same(stage, before)
        await stage.finish(reviews[0])
        await _demand_same(stage, before)
        assert not [line for lines in live for line in lines if line.startswith("data")]

        # The streams were not silent because they were dead
        await commit(stage.folder, MORE_NOTES)
        await stage.app.sandbox.push(stage.repository, stage.pull, "change")
        await stage.post(stage.outsiders[-1], "another of our own", COUNT.replace("count", "product"))
        for lines in live:
            await until(lambda lines=lines: any("review.completed" in line for line in lines))
        assert all(len(told) > len(ANYBODYS) + 1 for told in before)
        await stage.demand_silence(reviews)


async def test_what_is_the_firsts_can_not_be_told_from_what_does_not_exist(database_url, database, tmp_path):
    async with staged(database_url, database, tmp_path) as stage:
        reviews = await stage.work()
        async with with_token(stage.app, "nobody", None) as nobody:
            for review in reviews:
                for outsider in (*stage.outsiders, nobody):
                    await _compare(outsider, review, 401 if outsider is nobody else 404)
            stage.outsiders.append(nobody)
            await stage.finish(reviews[0])  # so none of the deeds was done
            await _compare(stage.outsiders[0], reviews[0], 404)
            await stage.demand_silence(reviews)


async def _compare(outsider: Outsider, review: str, status: int) -> None:
    for path in OF_A_REVIEW:
        if status == 401 and path.startswith("/r/"):
            continue  # sends to where one logs in, and from there back to what was asked for
        answer = await outsider.get(path.format(review))
        assert answer.same() == (await outsider.get(path.format(UNKNOWN))).same()
        assert answer.status == status
    for path in DEEDS:
        answer = await outsider.post(path.format(review))
        assert answer.same() == (await outsider.post(path.format(UNKNOWN))).same()
        assert answer.status == status
    for path in (f"{ALL_KEPT}&review={{}}", "/events?follow=false&review={}"):
        answer = await outsider.get(path.format(review))
        assert answer.same() == (await outsider.get(path.format(UNKNOWN))).same()


async def test_who_resumes_behind_an_event_of_the_first_gets_a_rest_of_their_own(
    database_url, database, tmp_path
):
    async with staged(database_url, database, tmp_path) as stage:
        reviews = await stage.work()
        await stage.finish(reviews[0])
        await stage.post(stage.outsiders[-1], "of our own", COUNT)
        (page,) = [(await stage.first.get("/reviews?limit=1")).body]
        for outsider in stage.outsiders:
            own = (await outsider.get(ALL_KEPT)).ids
            (review, *_) = [each["id"] for each in (await outsider.get("/reviews")).body["reviews"]]
            for their in (await stage.first.get(ALL_KEPT)).ids:
                for path in ("/events?follow=false", f"/reviews/{review}/events?follow=false"):
                    answer = await outsider.get(path, {"Last-Event-ID": their})
                    assert answer.status == 200
                    assert answer.ids == own[len(own) - len(answer.ids) :]
                    assert (await outsider.get(f"{path}&last_event_id={their}")).same() == answer.same()
                    if 0 < len(answer.ids) < len(own):
                        mine = own[-1 - len(answer.ids)]
                        assert (await outsider.get(path, {"Last-Event-ID": mine})).text == answer.text
            assert (await outsider.get("/reviews", before=page["next"])).status == 200
        await stage.demand_silence(reviews)


async def test_ids_tell_neither_an_order_nor_how_much_lies_between(database_url, database, tmp_path):
    async with staged(database_url, database, tmp_path) as stage:
        ids = (await stage.outsiders[0].get(ALL_KEPT)).ids
        blocks = [base64.urlsafe_b64decode(each + "==") for each in ids]

        assert len(ids) > 5
        assert {len(block) for block in blocks} == {16}
        assert ids not in (sorted(ids), sorted(ids, reverse=True))
        for one, next_ in itertools.pairwise(int.from_bytes(block) for block in blocks):
            assert (one ^ next_).bit_count() > 20, "numbers that follow one another look alike"


async def test_a_key_and_a_diff_that_the_first_has_posted_are_news_to_the_second(
    database_url, database, tmp_path
):
    async with staged(database_url, database, tmp_path) as stage:
        poster = stage.outsiders[-1]
        (_, counted, dropped) = reviews = await stage.work()
        times = len(stage.claude.requests)
        same = await stage.post(poster, "one", COUNT)
        assert poster.heard[-1].startswith("202 ")
        assert "'x-tokens-used': '0'" in poster.heard[-1]
        another = await stage.post(poster, "two", COUNT.replace("count", "sum"))

        assert {same, another}.isdisjoint({counted, dropped})
        assert len(stage.claude.requests) == times + 2, "what the first has paid for is known to the second"
        await stage.finish(reviews[0])
        await stage.demand_silence(reviews)


async def test_what_the_first_may_not_do_any_more_the_second_still_may(database_url, database, tmp_path):
    tokens = Tokens(database)
    async with (
        world(database_url, tmp_path, sluice_requests_per_minute=12, sluice_streams_per_caller=2) as app,
        AsyncExitStack() as stack,
    ):
        first, second = [
            await stack.enter_async_context(
                with_token(app, name, (await tokens.create(Wanted(name, installations=(number,))))[1])
            )
            for name, number in (("first", 7), ("second", 8))
        ]
        for _ in range(2):
            await stack.enter_async_context(first.listening("/events"))
        assert (await first.get("/events")).status == 429
        await stack.enter_async_context(second.listening("/events"))
        assert [(await first.get("/me")).status for _ in range(10)][-1] == 429
        assert [(await second.get("/me")).status for _ in range(10)] == [200] * 10


async def test_a_repository_that_is_given_away_takes_its_reviews_out_of_a_tokens_sight(
    database_url, database, tmp_path, monkeypatch
):
    monkeypatch.setattr(credentials, "FRESH_SECONDS", 0.0)
    folder = await make_repository(tmp_path / "repo")
    async with world(database_url, tmp_path) as app, AsyncExitStack() as stack:
        repository, _ = await open_change(app, folder)
        await ended(app, repository)
        place = Place(repository.installation_id, repository.id, repository.full_name)
        _, text = await Tokens(database).create(Wanted("ci", places=(place,), may_act=True))
        tool = await stack.enter_async_context(with_token(app, "ci", text))
        (review,) = [each["id"] for each in (await tool.get("/reviews")).body["reviews"]]

        await app.sandbox.transfer(repository, "quarto")
        assert (await tool.get("/reviews")).body["reviews"] == []
        assert (await tool.get(ALL_KEPT)).ids == []
        assert await app.newest_review() == review
        for path in OF_A_REVIEW:
            assert (await tool.get(path.format(review))).status == 404
        for path in DEEDS:
            assert (await tool.post(path.format(review))).status == 404
