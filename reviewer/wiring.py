"""The one place where settings become an engine, the models it asks, and the limits that go with them."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Literal

from reviewer.analyzers.engine import AnalyzersEngine
from reviewer.claude.client import Client
from reviewer.claude.engine import ClaudeEngine
from reviewer.claude.models import Catalogue
from reviewer.claude.watchdog import Patience
from reviewer.core import routing
from reviewer.core.budget import MICROS, Cap, Caps
from reviewer.core.plan import SMALLEST_CHUNK, Limits
from reviewer.core.policy import Policy
from reviewer.core.prompt import overhead
from reviewer.core.routing import Models
from reviewer.core.tokens import Calibration, Family
from reviewer.errors import BadSettings
from reviewer.ports import Engine
from reviewer.settings import Settings

EngineChoice = Literal["auto", "claude", "analyzers"]

NO_MODEL = (
    "No model is configured: ruff, bandit and detect-secrets review alone. "
    "Set ANTHROPIC_API_KEY to let Claude review."
)
NOBODY = "none"
"""The word that turns the small model or the fallback off."""

CHEAP_CLAUDE = "claude-haiku-5-5"
"""The small model and the fallback where none is named; a server of one's own may not have it."""


@dataclass(frozen=True, slots=True)
class Reviewer:
    """An engine ready to work, what a plan for it must keep to, and what its readers must know.

    Attributes:
        weights: by model, how often a review draws it; a single one for the analyzers.
        notice: such as that no model is configured; None if there is nothing to say.
        concurrency: calls under way at once in one review.
    """

    engine: Engine
    weights: dict[str, float]
    limits: Limits
    policy: Policy
    notice: str | None
    concurrency: int
    catalogue: Catalogue = field(default_factory=Catalogue)
    small: str | None = None
    fallback: str | None = None

    def models(self, review: str) -> Models:
        """The models of a review, by its id: a second run of it draws the same."""
        return self.with_main(routing.choose(self.weights, review))

    def with_main(self, main: str) -> Models:
        """The models of a review whose main one is known."""
        return Models(main, small=self.small, fallback=self.fallback)

    def family(self, model: str) -> Family:
        """Which tokenizer a model has."""
        return self.catalogue.lookup(model).family


def _other(named: str | None, settings: Settings) -> str | None:
    """A model beside the main one, as the setting names it or leaves it open."""
    if named is None:
        return CHEAP_CLAUDE if settings.anthropic_base_url is None else None
    return None if named.casefold() == NOBODY else named


@asynccontextmanager
async def open_reviewer(settings: Settings, choice: EngineChoice = "auto") -> AsyncGenerator[Reviewer]:
    """The engine the settings ask for, or the one named.

    Raises:
        BadSettings: Claude is named, but neither a key nor a server is; or a setting can't be kept.
    """
    policy = Policy(ignore=settings.sluice_ignore)
    concurrency = settings.llm_concurrency
    limits = Limits(settings.llm_context_window, batch=settings.llm_batch_tokens)
    if choice == "analyzers" or (choice == "auto" and not settings.has_model):
        notice = None if settings.has_model else NO_MODEL
        engine = AnalyzersEngine()
        yield Reviewer(engine, {engine.model: 1.0}, limits, policy, notice, concurrency)
        return
    if not settings.has_model:
        raise BadSettings("ANTHROPIC_API_KEY is not set; set it, or ANTHROPIC_BASE_URL for a server of yours")
    # Of an unknown model nobody knows more than the setting says
    catalogue = Catalogue(settings.llm_capabilities, window=settings.llm_context_window)
    weights = settings.llm_model_weights or {settings.llm_model: 1.0}
    limits = _model_limits(limits, catalogue, weights, settings)
    key = settings.anthropic_api_key
    client = Client(
        api_key=key.get_secret_value() if key else "not-needed",
        base_url=settings.anthropic_base_url,
        read_seconds=settings.llm_total_seconds,
    )
    try:
        yield Reviewer(
            _claude(settings, client, catalogue),
            weights,
            limits,
            policy,
            None,
            concurrency,
            catalogue,
            small=_other(settings.llm_small_model, settings),
            fallback=_other(settings.llm_fallback_model, settings),
        )
    finally:
        await client.aclose()


def caps(settings: Settings) -> Caps:
    """The budgets; 0 in a setting is no bound."""

    def cap(tokens: int, usd: float) -> Cap:
        return Cap(tokens or None, math.ceil(usd * MICROS) or None)

    return Caps(
        request=cap(settings.budget_request_tokens, settings.budget_request_usd),
        review=cap(settings.budget_review_tokens, settings.budget_review_usd),
        installation_day=cap(settings.budget_installation_day_tokens, settings.budget_installation_day_usd),
        api_key_day=cap(settings.budget_api_key_day_tokens, settings.budget_api_key_day_usd),
    )


def _claude(settings: Settings, client: Client, catalogue: Catalogue) -> ClaudeEngine:
    return ClaudeEngine(
        client,
        catalogue,
        max_tokens=settings.llm_max_tokens,
        patience=Patience(
            first_token=settings.llm_first_token_seconds,
            idle=settings.llm_idle_seconds,
            total=settings.llm_total_seconds,
            longest_wait=settings.llm_longest_wait_seconds,
        ),
        request_cap=caps(settings).request,
        fallback_on_overload=settings.llm_fallback_on_overload,
    )


def _model_limits(
    limits: Limits, catalogue: Catalogue, weights: dict[str, float], settings: Settings
) -> Limits:
    """The limits for prompts that any of the models can take, their overhead measured.

    Raises:
        BadSettings: half the window does not hold the prompt and a chunk.
    """
    measured = overhead()
    models = [catalogue.lookup(name) for name in weights]
    windows = {
        "LLM_CONTEXT_WINDOW": limits.context_window,
        "context_window in LLM_CAPABILITIES": min(model.context_window for model in models),
    }
    if settings.budget_request_tokens:
        # Half of it is the chunk's, and an answer must find room beside it
        room = min(settings.llm_max_tokens, settings.budget_request_tokens // 2)
        windows["BUDGET_REQUEST_TOKENS"] = 2 * (settings.budget_request_tokens - room)
    binding, window = min(windows.items(), key=lambda item: item[1])
    families = {model.family for model in models}
    estimators = [Calibration.first(family).estimator for family in families]
    limits = replace(
        limits,
        context_window=window,
        overhead=measured.call,
        frame=measured.chunk,
        estimator=min(estimators, key=lambda estimator: estimator.bytes_per_token),
    )
    least = 2 * (limits.prompt + SMALLEST_CHUNK)
    if window < least:
        raise BadSettings(
            f"{binding}: half of {window:,} tokens does not hold the prompt's own "
            f"{limits.prompt:,} and {SMALLEST_CHUNK} for a change; set {least:,} at least"
        )
    return limits
