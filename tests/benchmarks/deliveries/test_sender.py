from __future__ import annotations

from math import inf

import pytest

from tests.benchmarks.deliveries.schedule import Burst
from tests.benchmarks.deliveries.sender import Answer, Answers, percentile


def answers(*, taken: int, refused: int) -> Answers:
    """Deliveries that were due at 1 s, were sent late and answered within 20 ms."""
    statuses = [202] * taken + [503] * refused
    each = (Answer(number, 1.0, 1.005, 1.02, status) for number, status in enumerate(statuses))
    return Answers(Burst(1, rate=100, seconds=1), tuple(each))


def test_half_of_all_values_do_not_exceed_the_median():
    assert percentile([5.0, 1.0, 3.0, 2.0, 4.0], 50) == 3.0


def test_ninety_nine_of_a_hundred_do_not_exceed_the_99th_percentile():
    values = [float(value) for value in range(101)]

    assert percentile(values, 99) == 99.0


def test_an_answer_counts_from_when_it_was_due_and_not_from_when_it_was_sent():
    assert answers(taken=10, refused=0).percentile(50) == pytest.approx(20)
    assert answers(taken=10, refused=0).late == pytest.approx(5)


def test_a_refusal_is_never_acknowledged_however_soon_it_came():
    few, many = answers(taken=99, refused=1), answers(taken=98, refused=2)

    assert len(many.acknowledged) == 98
    assert few.percentile(99) == pytest.approx(20)
    assert many.percentile(99) == inf


def test_a_redelivery_is_one_delivery_more_acknowledged_but_none_more_to_look_for():
    once = answers(taken=2, refused=0)
    twice = Answers(once.burst, once.all + once.all)

    assert len(twice.acknowledged) == 4
    assert [delivery.number for delivery in twice.deliveries] == [0, 1]


def test_a_burst_without_any_answer_has_no_rate():
    assert answers(taken=0, refused=3).a_second == 0
