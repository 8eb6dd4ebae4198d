"""What the gate of an installation lets through, and when."""

from __future__ import annotations

import asyncio

import pytest

from reviewer.errors import ForgeRateLimited
from tests.fakes.clock import jumping
from webhooks.github.limits import Gates, LocalPacing, Unpaced


def now() -> float:
    return asyncio.get_running_loop().time()


async def pass_through(gates: Gates, installation: int = 1, *, seconds: float = 0.0, **words) -> float:
    """The time at which a request that takes `seconds` was let through."""
    async with gates.passing(installation, **words):
        began = now()
        await asyncio.sleep(seconds)
    return began


@jumping
async def test_writes_of_an_installation_begin_a_second_apart():
    pacing = LocalPacing()

    assert [await pacing.turn(1) for _ in range(3)] == [0.0, 1.0, 2.0]
    assert await pacing.turn(2) == 0.0
    await asyncio.sleep(10)
    assert await pacing.turn(1) == 0.0


@pytest.mark.parametrize(
    ("limits", "seconds"),
    [
        ({"writes_a_minute": 40}, 60.0),
        ({"writes_an_hour": 40}, 3_600.0),
    ],
)
def test_no_window_holds_more_writes_than_its_limit(limits, seconds):
    @jumping
    async def check():
        pacing = LocalPacing(0.5, **limits)
        begun: list[float] = []
        while len(begun) < 100:
            wait = await pacing.turn(1)
            if wait <= 30:
                begun.append(now() + wait)
            await asyncio.sleep(wait)
        for first, later in zip(begun, begun[40:], strict=False):
            assert later - first >= seconds

    check()


@jumping
async def test_a_turn_too_far_away_is_told_but_not_taken():
    pacing = LocalPacing(1.0, writes_a_minute=2)
    for _ in range(2):
        await pacing.turn(1)

    assert [await pacing.turn(1) for _ in range(5)] == [60.0] * 5


@jumping
async def test_a_shorter_closure_does_not_cut_a_longer_one():
    pacing = LocalPacing()
    await pacing.close(1, 50)
    await pacing.close(1, 5)

    assert await pacing.closed(1) == 50
    assert await pacing.closed(2) == 0
    await asyncio.sleep(50)
    assert await pacing.closed(1) == 0


@jumping
async def test_ten_requests_of_an_installation_are_under_way_at_once():
    gates = Gates(LocalPacing())

    began = await asyncio.gather(*(pass_through(gates, seconds=7) for _ in range(25)))
    other = await pass_through(gates, 2)

    assert sorted(began) == [0.0] * 10 + [7.0] * 10 + [14.0] * 5
    assert other == 21.0


@jumping
async def test_a_busy_installation_keeps_no_other_waiting():
    gates = Gates(LocalPacing())
    busy = [asyncio.create_task(pass_through(gates, seconds=7, write=True)) for _ in range(25)]
    await asyncio.sleep(0.1)

    assert await pass_through(gates, 2, write=True) == 0.1
    for task in busy:
        task.cancel()


@jumping
async def test_writes_go_one_at_a_time_and_reads_beside_them():
    gates = Gates(LocalPacing())

    writes = [pass_through(gates, seconds=5, write=True) for _ in range(3)]
    reads = [pass_through(gates, seconds=5) for _ in range(3)]
    began = await asyncio.gather(*writes, *reads)

    assert began == [0.0, 5.0, 10.0, 0.0, 0.0, 0.0]


@jumping
async def test_no_minute_has_more_than_900_points():
    gates = Gates(Unpaced())
    for _ in range(170):
        await pass_through(gates, points=5)
    await asyncio.sleep(40)

    began = [await pass_through(gates, points=1) for _ in range(100)]

    assert began == [40.0] * 50 + [60.0] * 50


@jumping
async def test_points_that_are_spent_for_long_put_the_request_off():
    gates = Gates(Unpaced())
    for _ in range(180):
        await pass_through(gates, points=5)

    with pytest.raises(ForgeRateLimited) as error:
        await pass_through(gates)

    assert error.value.retry_after == 60
    assert await pass_through(gates, 2) == 0.0


@jumping
async def test_a_gate_closed_for_a_short_time_is_waited_for():
    pacing = LocalPacing()
    gates = Gates(pacing)
    await pacing.close(1, 30)

    assert await pass_through(gates, 2) == 0.0
    assert await pass_through(gates, 1) == 30.0


@jumping
async def test_a_gate_closed_for_long_refuses_at_once_even_if_all_places_are_taken():
    pacing = LocalPacing()
    gates = Gates(pacing)
    under_way = [asyncio.create_task(pass_through(gates, seconds=20)) for _ in range(10)]
    await asyncio.sleep(1)
    await pacing.close(1, 31)

    with pytest.raises(ForgeRateLimited) as error:
        await pass_through(gates)

    assert (error.value.retry_after, now()) == (31, 1.0)
    assert await asyncio.gather(*under_way) == [0.0] * 10


@jumping
async def test_who_waited_for_a_place_while_the_gate_was_closed_is_not_let_through():
    pacing = LocalPacing()
    gates = Gates(pacing)
    under_way = [asyncio.create_task(pass_through(gates, seconds=2, write=True)) for _ in range(2)]
    await asyncio.sleep(1)
    await pacing.close(1, 25)

    assert await asyncio.gather(*under_way) == [0.0, 26.0]


@jumping
async def test_a_write_whose_turn_is_too_far_away_is_put_off():
    gates = Gates(LocalPacing(1.0, writes_a_minute=1))
    await pass_through(gates, write=True)

    with pytest.raises(ForgeRateLimited) as error:
        await pass_through(gates, write=True)

    assert error.value.retry_after == 60
    assert await pass_through(gates) == 0.0


@jumping
async def test_limits_that_name_no_time_are_waited_for_longer_each_time_until_one_request_succeeds():
    gates = Gates(LocalPacing())
    waits = []
    for _ in range(7):
        async with gates.passing(1) as passage:
            waits.append(passage.penalty)
            await passage.limited(passage.penalty, named=False)
        await asyncio.sleep(waits[-1])
    async with gates.passing(1) as passage:
        await passage.done()
        after = passage.penalty
    async with gates.passing(2) as other:
        assert other.penalty == 60

    assert waits == [60, 120, 240, 480, 960, 1_800, 1_800]
    assert after == 60


@jumping
async def test_requests_that_were_under_way_together_meet_one_limit_together():
    gates = Gates(LocalPacing())
    async with gates.passing(1) as first, gates.passing(1) as second, gates.passing(1) as third:
        await asyncio.sleep(1)
        await first.limited(60, named=False)
        await second.limited(60, named=False)
        await third.done()

        assert first.penalty == 120


@jumping
async def test_a_read_does_not_end_the_penalty_of_writes():
    gates = Gates(LocalPacing())
    async with gates.passing(1, write=True) as passage:
        await passage.limited(60, named=False)
    await asyncio.sleep(60)
    async with gates.passing(1) as reading:
        await reading.done()
        assert reading.penalty == 120
    async with gates.passing(1, write=True) as writing:
        await writing.done()
        assert writing.penalty == 60


@jumping
async def test_the_last_request_of_the_hour_closes_the_gate():
    pacing = LocalPacing()
    async with Gates(pacing).passing(1) as passage:
        await passage.done(1_234.0)

    assert await pacing.closed(1) == 1_234
