"""The one place where settings become an engine and the limits that go with it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Literal

from reviewer.analyzers.engine import AnalyzersEngine
from reviewer.claude.client import ClaudeEngine
from reviewer.claude.models import UNKNOWN, Model, lookup
from reviewer.core.plan import SMALLEST_CHUNK, Limits
from reviewer.core.policy import Policy
from reviewer.core.prompt import overhead
from reviewer.core.tokens import Calibration, Family
from reviewer.errors import BadSettings
from reviewer.ports import Engine
from reviewer.settings import Settings

EngineChoice = Literal["auto", "claude", "analyzers"]

NO_MODEL = (
    "No model is configured: ruff, bandit and detect-secrets review alone. "
    "Set ANTHROPIC_API_KEY to let Claude review."
)


@dataclass(frozen=True, slots=True)
class Reviewer:
    """An engine ready to work, what a plan for it must keep to, and what its readers must know."""

    engine: Engine
    family: Family
    limits: Limits
    policy: Policy
    notice: str | None
    concurrency: int


@asynccontextmanager
async def open_reviewer(settings: Settings, choice: EngineChoice = "auto") -> AsyncGenerator[Reviewer]:
    """The engine the settings ask for, or the one named.

    Raises:
        BadSettings: Claude is named, but neither a key nor a server is configured.
    """
    policy = Policy(ignore=settings.sluice_ignore)
    concurrency = settings.llm_concurrency
    model = lookup(settings.llm_model)
    limits = Limits(settings.llm_context_window, batch=settings.llm_batch_tokens)
    if choice == "analyzers" or (choice == "auto" and not settings.has_model):
        notice = None if settings.has_model else NO_MODEL
        yield Reviewer(AnalyzersEngine(), model.family, limits, policy, notice, concurrency)
        return
    if not settings.has_model:
        raise BadSettings("ANTHROPIC_API_KEY is not set; set it, or ANTHROPIC_BASE_URL for a server of yours")
    limits = _model_limits(limits, model)
    key = settings.anthropic_api_key
    engine = ClaudeEngine(
        api_key=key.get_secret_value() if key else "not-needed",
        base_url=settings.anthropic_base_url,
        model=settings.llm_model,
        max_tokens=settings.llm_max_tokens,
        # Of an unknown model nobody knows more than the setting says
        window=limits.context_window if model is UNKNOWN else model.context_window,
    )
    try:
        yield Reviewer(engine, model.family, limits, policy, None, concurrency)
    finally:
        await engine.aclose()


def _model_limits(limits: Limits, model: Model) -> Limits:
    """The limits for a model's prompts, whose overhead is measured.

    Raises:
        BadSettings: half the window does not hold the prompt and a chunk.
    """
    measured = overhead()
    limits = replace(
        limits,
        context_window=min(model.context_window, limits.context_window),
        overhead=measured.call,
        frame=measured.chunk,
        estimator=Calibration.first(model.family).estimator,
    )
    least = 2 * (limits.prompt + SMALLEST_CHUNK)
    if limits.context_window < least:
        raise BadSettings(
            f"LLM_CONTEXT_WINDOW: half of {limits.context_window:,} tokens does not hold the prompt's own "
            f"{limits.prompt:,} and {SMALLEST_CHUNK} for a change; set {least:,} at least"
        )
    return limits
