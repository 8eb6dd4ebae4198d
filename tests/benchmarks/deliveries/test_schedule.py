from __future__ import annotations

from dataclasses import replace

from tests.benchmarks.deliveries.material import PULLS, body, headers
from tests.benchmarks.deliveries.schedule import Burst, plan

BURST = Burst(run=1, rate=200, seconds=3)


def test_a_burst_has_its_rate_and_stays_within_its_time():
    times = [shot.at for shot in plan(BURST)]

    assert len(times) == 600
    assert times == sorted(times)
    assert 0 <= times[0] < 0.2
    assert 2.8 < times[-1] <= 3


def test_a_burst_is_the_same_each_time_it_is_planned():
    assert plan(BURST) == plan(BURST)


def test_deliveries_are_all_distinct_unless_some_are_to_be_repeated():
    guids = [shot.delivery.guid for shot in plan(BURST)]

    assert len(set(guids)) == len(guids)


def test_about_half_of_a_burst_are_redeliveries_of_what_was_sent_before():
    seen: set[str] = set()
    repeated = 0
    for shot in plan(replace(BURST, repeated=0.5)):
        repeated += shot.delivery.guid in seen
        seen.add(shot.delivery.guid)

    assert 250 < repeated < 350


def test_another_run_makes_other_deliveries():
    one, other = ({shot.delivery.guid for shot in plan(replace(BURST, run=run))} for run in (1, 2))

    assert one.isdisjoint(other)


def test_every_pull_request_takes_its_turn():
    pulls = [shot.delivery.pull for shot in plan(BURST)]

    assert {(pull.repository, pull.number) for pull in pulls[:PULLS]} == {
        (pull.repository, pull.number) for pull in pulls
    }
    assert len(set(pulls)) == PULLS


def test_a_redelivery_is_the_same_to_the_byte():
    shots = plan(replace(BURST, repeated=0.5))
    first = shots[0].delivery
    again = next(shot.delivery for shot in shots[1:] if shot.delivery.guid == first.guid)

    assert body(again) == body(first)
    assert headers(again, body(again)) == headers(first, body(first))


def test_payloads_are_as_large_as_real_ones():
    sizes = [len(body(shot.delivery)) for shot in plan(BURST)]

    assert min(sizes) >= 16_000
    assert max(sizes) <= 25_000
