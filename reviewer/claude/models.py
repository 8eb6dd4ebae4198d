"""What each model can do and costs, as published by November 2026. Nothing of it stands elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from reviewer.core.events import Usage
from reviewer.core.tokens import Family
from reviewer.errors import BadSettings

_MILLION = 1_000_000

_Usd = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Tokens = Annotated[int, Field(gt=0)]


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens; a cache that has no price of its own costs what input does."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    input: _Usd
    output: _Usd
    cache_write: _Usd | None = None
    cache_read: _Usd | None = None

    def of(self, usage: Usage) -> float:
        """What so many tokens cost in USD."""
        write = self.input if self.cache_write is None else self.cache_write
        read = self.input if self.cache_read is None else self.cache_read
        spent = usage.input * self.input + usage.cache_writes * write + usage.cached * read
        return (spent + usage.output * self.output) / _MILLION


@dataclass(frozen=True, slots=True)
class Model:
    """A model's abilities.

    Attributes:
        context_window: input tokens at most.
        max_output: output tokens at most, thinking included.
        forced_tool: can be made to answer by a tool; others refuse such a request.
        strict: takes `strict` tools, whose input follows the schema.
        eager: streams a tool's input as it is written instead of value by value.
        cache_minimum: tokens under which a prefix is not cached; None: there is no cache.
        family: which tokenizer it has.
        price: None when unknown, as for a server of one's own.
        long_price: what a request costs whose input is over `long_from` tokens.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    context_window: _Tokens = 200_000
    max_output: _Tokens = 64_000
    forced_tool: bool = False
    strict: bool = True
    eager: bool = True
    cache_minimum: _Tokens | None = 512
    family: Family = Family.CLAUDE_5
    price: Price | None = None
    long_price: Price | None = None
    long_from: int = 0

    def cost(self, usage: Usage) -> float | None:
        """What one request's usage costs in USD; None where the price is unknown."""
        read = usage.input + usage.cached + usage.cache_writes
        is_long = self.long_price is not None and read > self.long_from
        price = self.long_price if is_long else self.price
        return None if price is None else price.of(usage)

    def ceiling(self, prompt: int, output: int) -> float | None:
        """The most that a request of so many tokens can cost in USD, however its cache does."""
        told = (Usage(input=prompt, output=output), Usage(cache_writes=prompt, output=output))
        costs = [cost for cost in map(self.cost, told) if cost is not None]
        return max(costs, default=None)


_1M = (1_000_000, 128_000)

MODELS: dict[str, Model] = {
    "claude-fable-5-2": Model(*_1M, price=Price(8, 40, 10, 0.20)),
    "claude-fable-5-1": Model(*_1M, price=Price(10, 50, 12.50, 0.25)),
    "claude-opus-5-5": Model(*_1M, price=Price(4, 20, 5, 0.20)),
    "claude-opus-5": Model(*_1M, forced_tool=True, price=Price(5, 25, 6.25, 0.50)),
    "claude-sonnet-5-5": Model(*_1M, price=Price(2, 10, 2.50, 0.10)),
    "claude-sonnet-5": Model(*_1M, forced_tool=True, cache_minimum=1_024, price=Price(2, 10, 2.50, 0.20)),
    "claude-sonnet-4-6": Model(
        *_1M,
        forced_tool=True,
        cache_minimum=1_024,
        family=Family.CLAUDE_4,
        price=Price(3, 15, 3.75, 0.30),
    ),
    # Whether it can be made to use a tool is not published
    "claude-haiku-5-5": Model(
        *_1M,
        price=Price(0.10, 0.50, 0.125, 0.01),
        long_price=Price(0.50, 2.50, 0.625, 0.05),
        long_from=100_000,
    ),
    "claude-haiku-4-5": Model(
        forced_tool=True, cache_minimum=4_096, family=Family.CLAUDE_4, price=Price(1, 5, 1.25, 0.10)
    ),
}

# A server of one's own may ignore what it does not know, or refuse it: ask for as little as can be
UNKNOWN = Model(
    context_window=64_000,
    max_output=32_000,
    strict=False,
    eager=False,
    cache_minimum=None,
    family=Family.OTHER,
)

_ADAPTER = TypeAdapter(Model)


class Catalogue:
    """The table, with what an operator knows better.

    Args:
        overrides: by model id, some of a `Model`'s attributes; the rest is as in the table.
        window: context window of a model of which nothing is known; None leaves the cautious guess.

    Raises:
        BadSettings: an override names what there is not, or gives it a wrong value.
    """

    def __init__(
        self, overrides: Mapping[str, Mapping[str, Any]] | None = None, *, window: int | None = None
    ) -> None:
        self._unknown = UNKNOWN if window is None else replace(UNKNOWN, context_window=window)
        self._models = dict(MODELS)
        for name, override in (overrides or {}).items():
            self._models[name] = _overridden(name, self.lookup(name), override)

    def knows(self, name: str) -> bool:
        """Whether it stands in the table or among the overrides."""
        return self._find(name) is not None

    def lookup(self, name: str) -> Model:
        """The model of that id, with or without a date behind it; a cautious guess for an unknown one."""
        return self._find(name) or self._unknown

    def _find(self, name: str) -> Model | None:
        if name in self._models:
            return self._models[name]
        return next((model for key, model in self._models.items() if name.startswith(f"{key}-2")), None)


def _overridden(name: str, model: Model, override: Mapping[str, Any]) -> Model:
    try:
        return _ADAPTER.validate_python({**asdict(model), **override})
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise BadSettings(f"LLM_CAPABILITIES: {name}: {problems}") from error
