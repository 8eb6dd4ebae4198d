"""What is made on GitHub is made once, whatever breaks on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from reviewer.errors import ForgeRateLimited, ForgeRefused, ForgeUnavailable, StoreUnavailable
from tests.pull_requests import REPOSITORY_ID, Desk, desk, opened, pushed
from webhooks.intents import SETTLING_SECONDS, Intent, Intents, Making, settle_thread
from webhooks.lease import Lease, LeaseLost, Permit, PermitExpired
from webhooks.publish.values import Said

SAID = Said("f1", "abc123", "line", "calc.py", "RIGHT", "return a - b", "bug")


@dataclass
class Board:
    """Where things are made, and can be found. Numbers are given from 1.

    Attributes:
        arrives: what is sent is made.
        answer: raised instead of giving the number.
        leaves: what is sent waits for this before it leaves.
        answers: what has left waits for this for its answer.
    """

    made: list[str] = field(default_factory=list)
    looked: int = 0
    sent: int = 0
    arrives: bool = True
    answer: Exception | None = None
    leaves: asyncio.Event | None = None
    answers: asyncio.Event | None = None
    left: asyncio.Event = field(default_factory=asyncio.Event)
    waits: asyncio.Event = field(default_factory=asyncio.Event)

    def making(self, key: str = "wave:1") -> Making:
        async def look() -> int | None:
            self.looked += 1
            return self.made.index(key) + 1 if key in self.made else None

        async def send(permit: Permit) -> int:
            self.sent += 1
            self.waits.set()
            if self.leaves is not None:
                await self.leaves.wait()
            await permit.use()
            self.left.set()
            if self.arrives:
                self.made.append(key)
            if self.answers is not None:
                await self.answers.wait()
            if self.answer is not None:
                raise self.answer
            return len(self.made)

        return Making(key, look, send, (SAID,))


@dataclass
class Table:
    """Intents of one review."""

    desk: Desk
    intents: Intents
    review: str

    async def lease(self) -> Lease:
        """Of a new run."""
        return await self.desk.lease(self.review)

    async def noted(self) -> list[tuple[str, int | None]]:
        """Key and number of every intent."""
        return await self.desk.rows("SELECT key, github_id FROM intents ORDER BY key")

    async def said(self) -> list[str]:
        return [each for (each,) in await self.desk.rows("SELECT finding FROM said")]

    async def grow_old(self, seconds: float = 60.0) -> None:
        """What was under way has arrived, or never will."""
        await self.desk.rows(
            "UPDATE intents SET made_at = now() - make_interval(secs => %(seconds)s)", seconds=seconds
        )


@pytest.fixture(name="table")
async def table_(database) -> AsyncIterator[Table]:
    async with desk(database) as found:
        review = (await found.tell(opened())).review
        assert review is not None
        yield Table(found, Intents(database), review)


async def test_what_was_answered_is_sent_once_by_however_many_runs(table):
    board = Board()
    for _ in range(3):
        assert await table.intents.once(await table.lease(), board.making()) == 1

    assert (board.made, board.sent, board.looked) == (["wave:1"], 1, 0)
    assert await table.noted() == [("wave:1", 1)]
    assert await table.said() == ["f1"]


async def test_what_is_in_doubt_is_looked_for_and_found(table):
    board = Board(answer=ForgeUnavailable("cut off"))
    with pytest.raises(ForgeUnavailable):
        await table.intents.once(await table.lease(), board.making())
    assert await table.noted() == [("wave:1", None)]
    await table.grow_old()

    assert await table.intents.once(await table.lease(), board.making()) == 1
    assert (board.made, board.sent) == (["wave:1"], 1)
    assert await table.noted() == [("wave:1", 1)]


async def test_what_never_arrived_is_sent_again(table):
    board = Board(answer=ForgeUnavailable("cut off"), arrives=False)
    with pytest.raises(ForgeUnavailable):
        await table.intents.once(await table.lease(), board.making())
    await table.grow_old()
    board.answer, board.arrives = None, True

    assert await table.intents.once(await table.lease(), board.making()) == 1
    assert (board.made, board.sent, board.looked) == (["wave:1"], 2, 1)
    assert await table.said() == ["f1"]


async def test_nobody_looks_before_what_was_under_way_can_have_arrived(table):
    board = Board(answer=ForgeUnavailable("cut off"))
    with pytest.raises(ForgeUnavailable):
        await table.intents.once(await table.lease(), board.making())
    await table.grow_old(SETTLING_SECONDS - 0.3)
    making = board.making()
    ages: list[float] = []

    async def look() -> int | None:
        intents, _ = await table.intents.of_pull_request(REPOSITORY_ID, 1)
        ages.append(intents[0].age)
        return await making.look()

    await table.intents.once(await table.lease(), Making(making.key, look, making.send, making.said))
    assert ages[0] >= SETTLING_SECONDS


async def test_a_look_that_proves_nothing_leaves_the_doubt(table):
    board = Board(answer=ForgeUnavailable("cut off"))
    lease, making = await table.lease(), board.making()
    with pytest.raises(ForgeUnavailable):
        await table.intents.once(lease, making)
    await table.grow_old()

    async def look() -> int | None:
        raise ForgeUnavailable("the listing lacks what was posted")

    with pytest.raises(ForgeUnavailable):
        await table.intents.once(lease, Making(making.key, look, making.send))
    assert (board.sent, await table.noted()) == (1, [("wave:1", None)])


@pytest.mark.parametrize(
    "refusal", [ForgeRefused("no", status=422), ForgeRateLimited("later", status=403, retry_after=60.0)]
)
async def test_what_github_surely_did_not_do_leaves_no_doubt(table, refusal):
    board = Board(answer=refusal, arrives=False)
    with pytest.raises(type(refusal)):
        await table.intents.once(await table.lease(), board.making())

    assert (await table.noted(), await table.said()) == ([], [])
    board.answer, board.arrives = None, True
    assert await table.intents.once(await table.lease(), board.making()) == 1
    assert board.looked == 0


async def test_a_run_that_is_cancelled_before_anything_has_left_leaves_no_doubt(table):
    board = Board(leaves=asyncio.Event())
    task = asyncio.create_task(table.intents.once(await table.lease(), board.making()))
    await board.waits.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert (await table.noted(), board.made) == ([], [])


async def test_a_run_that_is_cancelled_while_a_request_is_under_way_notes_its_answer(table):
    board = Board(answers=asyncio.Event())
    task = asyncio.create_task(table.intents.once(await table.lease(), board.making()))
    await board.left.wait()
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    assert board.answers is not None
    board.answers.set()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert await table.noted() == [("wave:1", 1)]


async def test_a_run_that_is_cancelled_and_never_answered_leaves_the_doubt(table, monkeypatch):
    monkeypatch.setattr("webhooks.intents.SENDING_SECONDS", 0.05)
    board = Board(answers=asyncio.Event())
    task = asyncio.create_task(table.intents.once(await table.lease(), board.making()))
    await board.left.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert await table.noted() == [("wave:1", None)]


async def test_leave_that_comes_too_late_lets_nothing_out_and_leaves_no_doubt(table, monkeypatch):
    monkeypatch.setattr("webhooks.lease.PERMIT_SECONDS", -1.0)
    board = Board()
    with pytest.raises(PermitExpired):
        await table.intents.once(await table.lease(), board.making())

    assert (await table.noted(), board.made, board.sent) == ([], [], 1)


async def test_a_lease_lost_before_the_request_leaves_lets_nothing_out_and_leaves_no_doubt(table):
    board = Board()
    making = board.making()

    async def send(permit: Permit) -> int:
        await table.desk.tell(pushed("b", "a", at=5))
        return await making.send(permit)

    with pytest.raises(LeaseLost):
        await table.intents.once(await table.lease(), Making(making.key, making.look, send))
    assert (await table.noted(), board.made) == ([], [])


async def test_a_crash_between_answer_and_note_is_made_good_by_a_look(table, database):
    class Forgetful(Intents):
        async def settle(self, intent: Intent, found: int | None) -> None:
            raise StoreUnavailable("the database is away")

    board = Board()
    with pytest.raises(StoreUnavailable):
        await Forgetful(database).once(await table.lease(), board.making())
    await table.grow_old()

    assert await table.intents.once(await table.lease(), board.making()) == 1
    assert (board.sent, await table.noted()) == (1, [("wave:1", 1)])


async def test_an_old_run_that_waits_to_send_lets_nothing_out_once_its_time_is_over(table):
    old, new = Board(leaves=asyncio.Event()), Board()
    task = asyncio.create_task(table.intents.once(await table.lease(), old.making()))
    await old.waits.wait()
    await table.grow_old()
    assert await table.intents.once(await table.lease(), new.making()) == 1
    assert old.leaves is not None
    old.leaves.set()
    with pytest.raises(LeaseLost):
        await task

    assert (old.made, new.made) == ([], ["wave:1"])
    assert await table.noted() == [("wave:1", 1)]


@pytest.mark.parametrize("how", ["cancelled", "lost"])
async def test_an_old_run_takes_no_intent_from_the_new_one_that_is_sending(table, how):
    old = Board(leaves=asyncio.Event(), arrives=False)
    new = Board(answers=asyncio.Event())
    assert old.leaves is not None
    assert new.answers is not None
    first = asyncio.create_task(table.intents.once(await table.lease(), old.making()))
    await old.waits.wait()
    await table.grow_old()
    second = asyncio.create_task(table.intents.once(await table.lease(), new.making()))
    await new.left.wait()
    if how == "cancelled":
        first.cancel()
    old.leaves.set()
    with pytest.raises(asyncio.CancelledError if how == "cancelled" else LeaseLost):
        await first
    assert await table.noted() == [("wave:1", None)]
    new.answers.set()

    assert await second == 1
    assert await table.noted() == [("wave:1", 1)]


async def test_an_old_run_begins_nothing(table):
    board = Board()
    old = await table.lease()
    await table.lease()
    with pytest.raises(LeaseLost):
        await table.intents.once(old, board.making())

    assert (board.sent, await table.noted()) == (0, [])


async def test_what_is_known_of_a_pull_request_is_what_stands_on_it(table):
    lease = await table.lease()
    await table.intents.once(lease, Board().making("wave:1"))
    await table.intents.once(lease, Board().making("check"))
    with pytest.raises(ForgeUnavailable):
        await table.intents.once(lease, Board(answer=ForgeUnavailable("cut off")).making("file:1"))

    intents, said = await table.intents.of_pull_request(REPOSITORY_ID, 1)
    assert [(each.key, each.github_id) for each in intents] == [("wave:1", 1), ("file:1", None)]
    assert [(each.finding, each.settled) for each in said] == [("f1", False), ("f1", False)]
    found = await table.intents.fingerprints([each for each in intents if each.github_id is None])
    assert found[table.review, "file:1"] == ["abc123"]


async def test_what_is_known_of_another_pull_request_is_its_own(table):
    other = (await table.desk.tell(opened(number=2))).review
    await table.intents.once(await table.desk.lease(other), Board().making())

    assert await table.intents.of_pull_request(REPOSITORY_ID, 1) == ([], [])


async def test_a_thread_that_a_person_resolved_is_noted_and_opened_again(table):
    await table.intents.once(await table.lease(), Board().making())
    for settled in (True, False):
        async with table.desk.database.connection() as connection:
            where = (connection, REPOSITORY_ID, 1)
            assert await settle_thread(*where, ["abc123", "other"], settled=settled) == 1
            assert await settle_thread(connection, REPOSITORY_ID, 2, ["abc123"], settled=True) == 0
        _, said = await table.intents.of_pull_request(REPOSITORY_ID, 1)
        assert [each.settled for each in said] == [settled]
