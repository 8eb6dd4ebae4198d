from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewer.core.diff import readable
from reviewer.core.tokens import FIRST_RATES, SMALLEST_SAMPLE, Calibration, Estimator, Family, size


@given(st.text(st.characters()) | st.binary().map(lambda raw: raw.decode("utf-8", "surrogateescape")))
def test_a_size_is_never_less_than_what_the_model_gets(text):
    assert size(text) >= len(readable(text).encode("utf-8"))


@given(st.integers(1, 10**8), st.floats(1.0, 4.5))
def test_what_fits_by_bytes_fits_by_tokens(tokens, rate):
    estimator = Estimator(rate)

    assert estimator.tokens(estimator.room(tokens)) <= tokens


def learned(*bytes_per_token: float, family: Family = Family.CLAUDE_5) -> Calibration:
    known = Calibration.first(family)
    for rate in bytes_per_token:
        known = known.learn(100_000, round(100_000 / rate))
    return known


def test_steady_usage_is_learned_and_stays_on_the_safe_side():
    known = learned(*[2.75] * 60)

    assert 2.5 <= known.estimator.bytes_per_token <= 2.75


def test_little_evidence_raises_no_rate_but_lowers_it_at_once():
    first = FIRST_RATES[Family.CLAUDE_5]

    assert learned(*[3.5] * 3).estimator.bytes_per_token <= first
    assert learned(1.6).estimator.bytes_per_token < 1.6


def test_usage_that_varies_is_met_with_a_wider_margin():
    steady, varied = learned(*[2.8] * 60), learned(*[2.4, 3.2] * 30)

    assert varied.estimator.bytes_per_token < steady.estimator.bytes_per_token


@pytest.mark.parametrize(
    ("bytes_", "tokens"),
    [(SMALLEST_SAMPLE - 1, 3_000), (100_000, 0), (100_000, 12), (100_000, 5_000_000)],
    ids=["small", "none told", "only what no cache held", "absurd"],
)
def test_what_no_tokenizer_would_count_teaches_nothing(bytes_, tokens):
    known = learned(*[2.6] * 10)

    assert known.learn(bytes_, tokens) == known


def test_rates_go_in_steps_so_that_files_are_cut_alike_from_day_to_day():
    rates = {learned(*[2.75 + 0.001 * n] * 60).estimator.bytes_per_token for n in range(10)}

    assert len(rates) <= 2
