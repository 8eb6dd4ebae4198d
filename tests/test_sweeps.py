"""What GitHub could not tell us is asked for, once, against a GitHub on this machine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reviewer.errors import ForgeError
from tests.pull_requests import Desk, desk
from tests.sandbox.hub import Hub, hub
from webhooks.github.app import AppRoutes
from webhooks.github.auth import AppAuth
from webhooks.github.client import GitHub
from webhooks.github.limits import Unpaced
from webhooks.github.pulls import Pulls
from webhooks.records import Delivery, store_delivery
from webhooks.sandbox import Fault
from webhooks.sandbox.deliveries import deliver
from webhooks.sweeps import KEPT, Sweeps

ATTEMPTS = r"^/app/hook/deliveries/\d+/attempts$"


@dataclass(frozen=True)
class Yard:
    """A sandbox GitHub, and who sweeps before it."""

    hub: Hub
    desk: Desk
    sweeps: Sweeps
    other: Sweeps

    async def fail(self, count: int) -> list[str]:
        """Deliveries that don't reach us; gives their ids."""
        self.hub.state.webhook_down = True
        installation = self.hub.repository.installation_id
        payload = {"action": "created", "installation": {"id": installation}}
        guids = [(await deliver(self.hub.state, "ping", payload)).guid for _ in range(count)]
        self.hub.state.webhook_down = False
        return guids

    def asked(self) -> int:
        """How often GitHub was asked to deliver again."""
        return sum(each.path.endswith("/attempts") for each in self.hub.state.requests)

    def got(self) -> list[str]:
        return sorted(each.guid for each in self.hub.receiver.got)

    async def alive_at(self, at: datetime) -> None:
        await self.desk.rows("INSERT INTO sweeps VALUES ('alive', %(at)s, %(at)s)", at=at)

    async def reached(self, name: str) -> Any:
        found = await self.desk.rows("SELECT reached_at FROM sweeps WHERE name = %(name)s", name=name)
        return found[0][0] if found else None


@pytest.fixture(name="yard")
async def yard_(database, tmp_path) -> AsyncIterator[Yard]:
    async with hub(tmp_path) as found, desk(database) as at:
        auth = AppAuth(found.state.client_id, found.state.private_key_pem)
        async with GitHub(found.state.url, auth, pacing=Unpaced()) as github:

            def sweeps() -> Sweeps:
                return Sweeps(
                    database, app=AppRoutes(github), pulls=Pulls(github), wishes=at.wishes, every=600.0
                )

            yield Yard(found, at, sweeps(), sweeps())


async def until(what: Callable[[], Awaitable[Any]]) -> None:
    async with asyncio.timeout(30):
        while not await what():  # noqa: ASYNC110 - neither the database nor the sandbox tells anybody
            await asyncio.sleep(0.02)


async def stop(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_what_failed_is_asked_for_once(yard):
    guids = await yard.fail(3)
    assert await yard.sweeps.redeliver() == 3
    assert await yard.sweeps.redeliver() == 0

    assert yard.got() == sorted(guids)
    assert yard.asked() == 3


async def test_what_fails_again_is_not_asked_for_again(yard):
    await yard.fail(2)
    yard.hub.state.webhook_down = True
    assert await yard.sweeps.redeliver() == 2
    assert await yard.sweeps.redeliver() == 0
    assert yard.asked() == 2


async def test_what_was_taken_though_github_heard_no_answer_is_not_asked_for(yard):
    taken, lost = await yard.fail(2)
    async with yard.desk.database.connection() as connection:
        await store_delivery(connection, Delivery(taken, "pull_request", "PullRequestChanged", 7, b"{}"))
    assert await yard.sweeps.redeliver() == 1
    assert yard.got() == [lost]


async def test_what_arrived_at_once_or_at_a_later_attempt_is_not_asked_for(yard):
    await yard.hub.open()
    (failed,) = await yard.fail(1)
    record = next(each for each in yard.hub.state.deliveries if each.guid == failed)
    assert (await yard.hub.as_app("POST", f"/app/hook/deliveries/{record.id}/attempts")).status == 202
    before = yard.asked()

    assert await yard.sweeps.redeliver() == 0
    assert yard.asked() == before


async def test_more_failures_than_a_page_holds_are_all_asked_for(yard):
    guids = await yard.fail(105)

    assert await yard.sweeps.redeliver() == 105
    assert yard.got() == sorted(guids)
    assert yard.asked() == 105


async def test_a_delivery_that_github_forgot_keeps_no_other_back(yard):
    _, lost = await yard.fail(2)
    yard.hub.state.faults.append(Fault("POST", ATTEMPTS, status=404))

    await yard.sweeps.redeliver()
    assert len(yard.got()) == 1
    assert await yard.sweeps.redeliver() == 0
    assert lost


async def test_a_sweep_that_fails_half_way_is_begun_again_at_the_same_place(yard):
    await yard.sweeps.redeliver()
    reached = await yard.reached("redelivery")
    guids = await yard.fail(3)
    calls: list[str] = []

    def chaos(method: str, path: str) -> Fault | None:
        if not path.endswith("/attempts"):
            return None
        calls.append(path)
        return Fault(method, "", status=502) if len(calls) == 2 else None

    yard.hub.state.chaos = chaos
    with pytest.raises(ForgeError):
        await yard.sweeps.redeliver()
    assert await yard.reached("redelivery") == reached
    assert len(yard.got()) == 1

    assert await yard.sweeps.redeliver() == 2
    assert yard.got() == sorted(guids)
    assert await yard.reached("redelivery") > reached


async def test_what_github_can_t_deliver_any_more_is_not_asked_for(yard):
    await yard.fail(1)
    yard.hub.state.deliveries[-1].delivered_at = datetime.now(UTC) - KEPT + timedelta(minutes=1)
    await yard.fail(1)
    yard.hub.state.deliveries[-2].delivered_at -= timedelta(minutes=2)
    # Newest first, whatever their times: the listing ends at the first that is too old
    assert await yard.sweeps.redeliver() == 1


async def test_of_two_processes_one_sweeps(yard):
    await yard.fail(2)
    first = asyncio.create_task(yard.sweeps.run())
    await until(lambda: yard.reached("redelivery"))
    reached = await yard.reached("redelivery")
    alive = await yard.reached("alive")
    second = asyncio.create_task(yard.other.run())

    async def both_alive() -> bool:
        return await yard.reached("alive") != alive

    await until(both_alive)
    await asyncio.sleep(0.3)
    await stop(first, second)
    listings = [each for each in yard.hub.state.requests if each.path == "/app/hook/deliveries"]
    assert len(listings) == 1
    assert (yard.asked(), await yard.reached("redelivery")) == (2, reached)


async def test_the_first_start_has_nothing_to_catch_up_on(yard):
    yard.hub.state.webhook_down = True
    await yard.hub.open()
    task = asyncio.create_task(yard.sweeps.run())
    await until(lambda: yard.reached("redelivery"))
    await until(lambda: yard.reached("alive"))
    await stop(task)

    assert await yard.desk.rows("SELECT 1 FROM pull_requests") == []


@pytest.mark.parametrize(("minutes", "count"), [(10, 1), (0.5, 0)])
async def test_what_changed_during_a_downtime_is_taken_in(yard, minutes, count):
    yard.hub.state.webhook_down = True
    pull = await yard.hub.open()
    draft = await yard.hub.open(draft=True)
    longer_ago = datetime.now(UTC) - timedelta(minutes=minutes)
    await yard.alive_at(longer_ago)
    task = asyncio.create_task(yard.sweeps.run())

    async def alive() -> bool:
        return await yard.reached("alive") > longer_ago

    await until(alive)
    await stop(task)
    assert await yard.desk.reviews(pull.number) == [(pull.head_sha, True)] * count
    assert await yard.desk.reviews(draft.number) == []


async def test_what_changed_before_the_downtime_is_left_alone(yard):
    pull = await yard.hub.open()
    pull.updated_at = datetime.now(UTC) - timedelta(hours=5)

    assert await yard.sweeps.reconcile(datetime.now(UTC) - timedelta(hours=1)) == 0
    assert await yard.sweeps.reconcile(datetime.now(UTC) - timedelta(hours=6)) == 1


async def test_a_pull_request_that_is_known_as_it_stands_gets_no_second_review(yard):
    pull = await yard.hub.open()
    since = datetime.now(UTC) - timedelta(hours=1)
    for _ in range(2):
        assert await yard.sweeps.reconcile(since) == 1
    assert await yard.desk.reviews(pull.number) == [(pull.head_sha, True)]


async def test_a_github_that_is_away_at_the_start_is_asked_again_and_no_downtime_is_lost(yard, monkeypatch):
    monkeypatch.setattr("webhooks.sweeps._AGAIN_SECONDS", 0.05)
    yard.hub.state.webhook_down = True
    pull = await yard.hub.open()
    down_since = datetime.now(UTC) - timedelta(minutes=10)
    await yard.alive_at(down_since)
    yard.hub.state.faults.append(Fault("GET", "^/app/installations$", status=401, times=3))
    task = asyncio.create_task(yard.sweeps.run())

    async def reviewed() -> bool:
        return bool(await yard.desk.rows("SELECT 1 FROM reviews"))

    async def failed() -> bool:
        return any(each.status == 401 for each in yard.hub.state.requests)

    await until(failed)
    assert await yard.reached("alive") == down_since
    await until(reviewed)
    await stop(task)
    assert await yard.desk.reviews(pull.number) == [(pull.head_sha, True)]


async def test_a_repository_or_an_installation_that_can_t_be_read_keeps_no_other_back(yard):
    sandbox = yard.hub.sandbox
    names = ("octo/first", "acme/shop", "octo/last")
    repositories = [
        sandbox.add_repository(name, git_dir=yard.hub.folder, default_branch="main") for name in names
    ]
    for repository in (yard.hub.repository, *repositories):
        await sandbox.open_pull_request(repository, base="main", head="change", title="Subtract")
    yard.hub.state.faults.append(Fault("GET", "^/repos/octo/first/pulls$", status=404))

    assert await yard.sweeps.reconcile(datetime.now(UTC) - timedelta(hours=1)) == 3
    found = await yard.desk.rows("SELECT repository FROM pull_requests ORDER BY repository")
    assert found == [("acme/shop",), ("octo/calc",), ("octo/last",)]


async def test_a_suspended_installation_is_passed_over(yard):
    await yard.hub.open()
    await yard.hub.sandbox.suspend("octo")

    assert await yard.sweeps.reconcile(datetime.now(UTC) - timedelta(hours=1)) == 0
