"""What each model can do and costs, as published by November 2026. Nothing of it stands elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

from reviewer.core.events import Usage
from reviewer.core.tokens import Family

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens."""

    input: float
    output: float
    cache_write: float
    cache_read: float


@dataclass(frozen=True, slots=True)
class Model:
    """A model's abilities.

    Attributes:
        context_window: input tokens at most.
        max_output: output tokens at most, thinking included.
        strict: takes `strict` tools, whose input follows the schema.
        eager: streams a tool's input as it is written instead of value by value.
        family: which tokenizer it has.
        price: None when unknown, as for a server of one's own.
        long_price: what a request costs whose input is over `long_from` tokens.
    """

    context_window: int = 200_000
    max_output: int = 64_000
    strict: bool = True
    eager: bool = True
    family: Family = Family.CLAUDE_5
    price: Price | None = None
    long_price: Price | None = None
    long_from: int = 0


_1M = (1_000_000, 128_000)

MODELS: dict[str, Model] = {
    "claude-fable-5-2": Model(*_1M, price=Price(8, 40, 10, 0.20)),
    "claude-fable-5-1": Model(*_1M, price=Price(10, 50, 12.50, 0.25)),
    "claude-opus-5-5": Model(*_1M, price=Price(4, 20, 5, 0.20)),
    "claude-opus-5": Model(*_1M, price=Price(5, 25, 6.25, 0.50)),
    "claude-sonnet-5-5": Model(*_1M, price=Price(2, 10, 2.50, 0.10)),
    "claude-sonnet-5": Model(*_1M, price=Price(2, 10, 2.50, 0.20)),
    "claude-sonnet-4-6": Model(*_1M, family=Family.CLAUDE_4, price=Price(3, 15, 3.75, 0.30)),
    "claude-haiku-5-5": Model(
        *_1M,
        price=Price(0.10, 0.50, 0.125, 0.01),
        long_price=Price(0.50, 2.50, 0.625, 0.05),
        long_from=100_000,
    ),
    "claude-haiku-4-5": Model(family=Family.CLAUDE_4, price=Price(1, 5, 1.25, 0.10)),
}

# A server of one's own may ignore what it does not know, or refuse it: ask for as little as can be
UNKNOWN = Model(context_window=64_000, max_output=32_000, strict=False, eager=False, family=Family.OTHER)


def lookup(name: str) -> Model:
    """The model of that id, with or without a date behind it; a cautious guess for an unknown one."""
    known = next((model for key, model in MODELS.items() if name == key or name.startswith(f"{key}-2")), None)
    return known or UNKNOWN


def cost(model: Model, usage: Usage) -> float | None:
    """What one request's usage costs in USD; None where the price is unknown."""
    price = model.price
    read = usage.input + usage.cached + usage.cache_writes
    if model.long_price is not None and read > model.long_from:
        price = model.long_price
    if price is None:
        return None
    return (
        usage.input * price.input
        + usage.cached * price.cache_read
        + usage.cache_writes * price.cache_write
        + usage.output * price.output
    ) / _MILLION
