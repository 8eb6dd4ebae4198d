"""The SDK's errors, its transport's and the stream's own, as ours: translated here and nowhere else."""

from __future__ import annotations

import anthropic
import httpx2

from reviewer.errors import (
    EngineError,
    EngineMisconfigured,
    EngineUnavailable,
    SpendLimitReached,
    StreamCut,
)

FOREIGN = (anthropic.APIError, httpx2.HTTPError, httpx2.StreamError)
"""What consuming a stream may raise; in mid-stream the transport's errors come through untranslated."""

_SPENT = {"enforced_spend_limit_reached", "contract_spend_limit_reached"}
_PASSING_STATUS = {408, 409, 429}
_PASSING_TYPES = {"overloaded_error", "rate_limit_error", "api_error", "timeout_error"}


def translate(error: Exception) -> EngineError:
    """Our error for a foreign one; whether to try again is a property of its class."""
    match error:
        case anthropic.APIStatusError():
            return _of_status(error)
        case anthropic.APIConnectionError():
            return EngineUnavailable(f"the model can't be reached: {error}")
        case httpx2.TimeoutException():
            return StreamCut("the model's answer stood still for too long")
        case _:
            return StreamCut("the model's answer was cut off")


def _of_status(error: anthropic.APIStatusError) -> EngineError:
    said = error.api_message or error.message
    if error.error_code in _SPENT:
        return SpendLimitReached(f"the provider's spending cap is reached: {said}")
    if _is_passing(error):
        after = error.response.headers.get("retry-after") if error.status_code != 200 else None
        wait = _seconds(after)
        return EngineUnavailable(f"{error.type or error.status_code}: {said}", retry_after=wait)
    hints = {401: "check ANTHROPIC_API_KEY", 404: "check LLM_MODEL and ANTHROPIC_BASE_URL"}
    hint = hints.get(error.status_code)
    return EngineMisconfigured(
        f"the model refuses the request ({error.status_code}): {said}" + (f"; {hint}" if hint else "")
    )


def _is_passing(error: anthropic.APIStatusError) -> bool:
    if error.status_code == 200:  # an error event in mid-stream, below the headers of a success
        return error.type in _PASSING_TYPES
    advice = error.response.headers.get("x-should-retry")
    if advice in {"true", "false"}:
        return advice == "true"
    return error.status_code in _PASSING_STATUS or error.status_code >= 500


def _seconds(value: str | None) -> float | None:
    try:
        return None if value is None else max(float(value), 0.0)
    except ValueError:
        return None
