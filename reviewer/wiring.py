"""The one place where settings become an engine and the limits that go with it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

from reviewer.analyzers.engine import AnalyzersEngine
from reviewer.claude.client import ClaudeEngine
from reviewer.claude.models import lookup
from reviewer.core.chunks import Batch
from reviewer.core.plan import Limits
from reviewer.core.policy import Policy
from reviewer.core.prompt import build
from reviewer.core.tokens import estimate
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
    if choice == "analyzers" or (choice == "auto" and not settings.has_model):
        notice = None if settings.has_model else NO_MODEL
        limits = Limits(settings.llm_context_window)
        yield Reviewer(AnalyzersEngine(), limits, policy, notice, settings.llm_concurrency)
        return
    if not settings.has_model:
        raise BadSettings("ANTHROPIC_API_KEY is not set; set it, or ANTHROPIC_BASE_URL for a server of yours")
    key = settings.anthropic_api_key
    engine = ClaudeEngine(
        api_key=key.get_secret_value() if key else "not-needed",
        base_url=settings.anthropic_base_url,
        model=settings.llm_model,
        max_tokens=settings.llm_max_tokens,
    )
    try:
        limits = Limits(
            context_window=min(lookup(settings.llm_model).context_window, settings.llm_context_window),
            overhead=_prompt_overhead(),
        )
        yield Reviewer(engine, limits, policy, None, settings.llm_concurrency)
    finally:
        await engine.aclose()


def _prompt_overhead() -> int:
    """What the prompt costs without a diff, measured by rendering it empty."""
    prompt = build(Batch("empty", ()))
    return estimate(prompt.system) + estimate(prompt.user)
