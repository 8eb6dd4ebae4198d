from __future__ import annotations

from dataclasses import asdict

import pytest

from reviewer.claude.models import MODELS, UNKNOWN, Catalogue, Model, Price
from reviewer.core.events import Usage
from reviewer.errors import BadSettings


@pytest.mark.parametrize(
    ("name", "usage", "usd"),
    [
        ("claude-sonnet-5-5", Usage(input=1_000_000), 2.0),
        ("claude-sonnet-5-5", Usage(cached=1_000_000), 0.1),
        ("claude-sonnet-5-5", Usage(cache_writes=1_000_000), 2.5),
        ("claude-sonnet-5-5", Usage(output=1_000_000), 10.0),
        ("claude-sonnet-4-6-20260101", Usage(input=1_000_000), 3.0),
        ("claude-haiku-5-5", Usage(input=100_000, output=1_000_000), 0.01 + 0.5),
        ("claude-haiku-5-5", Usage(input=100_001, output=1_000_000), 0.0500005 + 2.5),
        ("claude-haiku-5-5", Usage(input=1, cached=60_000, cache_writes=40_000), 0.0280005),
    ],
)
def test_each_kind_of_token_costs_what_is_published(name, usage, usd):
    assert Catalogue().lookup(name).cost(usage) == pytest.approx(usd)


@pytest.mark.parametrize("name", MODELS)
def test_no_request_costs_more_than_its_ceiling(name):
    model = MODELS[name]
    for read in (1_000, 99_999, 100_001):
        ceiling = model.ceiling(read, 500)
        assert ceiling is not None
        for usage in (Usage(input=read), Usage(cached=read), Usage(cache_writes=read)):
            assert (model.cost(usage + Usage(output=500)) or 0) <= ceiling


def test_an_unknown_model_is_asked_for_as_little_as_can_be_and_has_no_price():
    model = Catalogue(window=32_000).lookup("qwen-local")

    assert (model.strict, model.eager, model.forced_tool) == (False, False, False)
    assert (model.cache_minimum, model.context_window) == (None, 32_000)
    assert model.cost(Usage(input=1)) is None
    assert model.ceiling(1, 1) is None
    assert not Catalogue().knows("qwen-local")


def test_an_operator_knows_better_what_a_model_can_do_and_costs():
    overrides = {
        "qwen-local": {"context_window": 131_072, "strict": True, "price": {"input": 1, "output": 2}},
        "claude-sonnet-5-5": {"price": {"input": 1.5, "output": 7}},
    }
    catalogue = Catalogue(overrides)

    local = catalogue.lookup("qwen-local")
    assert (local.context_window, local.strict, local.eager) == (131_072, True, UNKNOWN.eager)
    assert local.price == Price(1, 2)
    assert catalogue.lookup("claude-sonnet-5-5").cost(Usage(input=1_000_000)) == 1.5
    assert catalogue.lookup("claude-sonnet-5-5").max_output == MODELS["claude-sonnet-5-5"].max_output
    assert catalogue.knows("qwen-local")


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ({"windows": 1}, "qwen: windows: Unexpected keyword argument"),
        ({"context_window": "many"}, "qwen: context_window"),
        ({"price": {"input": 1}}, "qwen: price.output"),
        ({"price": {"input": 1, "output": 2, "hour": 3}}, "qwen: price.hour"),
        ({"family": "gpt"}, "qwen: family"),
        ({"max_output": 0}, "qwen: max_output"),
        ({"context_window": -1}, "qwen: context_window"),
        ({"price": {"input": -1, "output": 2}}, "qwen: price.input"),
        ({"price": {"input": float("nan"), "output": 2}}, "qwen: price.input"),
    ],
)
def test_an_override_that_makes_no_sense_is_refused_by_name(override, words):
    with pytest.raises(BadSettings, match=words):
        Catalogue({"qwen": override})


def test_a_cache_without_a_price_costs_what_input_does():
    model = Model(price=Price(4, 8))

    assert model.cost(Usage(cached=1_000_000, cache_writes=1_000_000)) == 8
    assert asdict(model)["price"]["cache_read"] is None
