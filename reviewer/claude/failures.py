"""The SDK's errors, its transport's and the stream's own, as ours: translated here and nowhere else."""

from __future__ import annotations

import json
import math
import re
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp
import anthropic
import httpx2

from reviewer.errors import (
    EngineError,
    EngineMisconfigured,
    EngineOverloaded,
    EngineUnavailable,
    PromptTooLarge,
    SpendLimitReached,
    StreamCut,
)

FOREIGN = (
    anthropic.AnthropicError,
    httpx2.HTTPError,
    httpx2.StreamError,
    # What a server of one's own may put into an event
    json.JSONDecodeError,
    UnicodeDecodeError,
    RecursionError,
)
"""What consuming a stream may raise; in mid-stream the transport's errors come through untranslated."""

# The transport calls a connection that is dropped before the answer a failed connect too: aiohttp's own tells
_NEVER_SENT = (aiohttp.ClientConnectorError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
_SPENT = {"enforced_spend_limit_reached", "contract_spend_limit_reached"}
_PASSING_STATUS = {408, 409, 429}
_LASTING_TYPES = {
    "invalid_request_error",
    "authentication_error",
    "billing_error",
    "permission_error",
    "not_found_error",
    "request_too_large",
}
_OVERLOADED_STATUS = {503, 529}
_TOO_LONG = re.compile(r"too long|too large|context (?:window|length)|maximum context", re.IGNORECASE)
_HINTS = {
    401: "check ANTHROPIC_API_KEY",
    402: "check the account's billing",
    403: "check what ANTHROPIC_API_KEY may do",
    404: "check LLM_MODEL and ANTHROPIC_BASE_URL",
}


def translate(error: Exception) -> EngineError:
    """Our error for a foreign one; whether to try again is a property of its class."""
    match error:
        case anthropic.APIStatusError():
            return _of_status(error)
        case anthropic.APITimeoutError():
            return EngineUnavailable("the model did not answer in time")
        case anthropic.APIConnectionError():
            return EngineUnavailable(f"the model can't be reached: {error.__cause__ or error}")
        case httpx2.TimeoutException():
            return StreamCut("the model's answer stood still for too long")
        case _:
            return StreamCut("the model's answer was cut off")


def spent_nothing(error: Exception) -> bool:
    """Whether the provider surely bills nothing: it refused the request, or never got it."""
    if isinstance(error, anthropic.APIStatusError):
        return error.status_code != 200
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, _NEVER_SENT):
        cause = cause.__cause__
    return cause is not None


def never_sent(stopped: BaseException) -> bool:
    """Whether what stopped a call found it waiting for a connection; nothing but its traceback tells."""
    frames = traceback.walk_tb(stopped.__traceback__)
    return any(frame.f_globals.get("__name__") == aiohttp.connector.__name__ for frame, _ in frames)


def _of_status(error: anthropic.APIStatusError) -> EngineError:
    said = str(error.api_message or error.message)
    status = error.status_code
    if error.error_code in _SPENT:
        return SpendLimitReached(f"the provider's spending cap is reached: {said}")
    if _is_passing(error):
        # The headers of an error in mid-stream are those of the success it interrupts
        wait = None if status == 200 else _named_wait(error.response.headers)
        overloaded = error.type == "overloaded_error" or status in _OVERLOADED_STATUS
        kind = EngineOverloaded if overloaded else EngineUnavailable
        return kind(f"{error.type or status}: {said}", retry_after=wait)
    if status == 413 or (status == 400 and _TOO_LONG.search(said)):
        return PromptTooLarge(f"the model refuses the prompt as too long: {said}")
    hint = _HINTS.get(status, "check ANTHROPIC_BASE_URL" if status < 400 else None)
    return EngineMisconfigured(
        f"the model refuses the request ({status}): {said}" + (f"; {hint}" if hint else "")
    )


def _is_passing(error: anthropic.APIStatusError) -> bool:
    if error.status_code == 200:
        return str(error.type) not in _LASTING_TYPES
    advice = error.response.headers.get("x-should-retry")
    if advice in {"true", "false"}:
        return advice == "true"
    return error.status_code in _PASSING_STATUS or error.status_code >= 500


def _named_wait(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait, in any of its three ways."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1_000
    value = headers.get("retry-after")
    seconds = _number(value)
    if seconds is not None or value is None:
        return seconds
    try:
        at = parsedate_to_datetime(value)
        seconds = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - datetime.now(UTC).timestamp()
    except (ValueError, OverflowError):
        return None
    return max(seconds, 0.0)


def _number(value: str | None) -> float | None:
    try:
        number = math.nan if value is None else float(value)
    except ValueError:
        return None
    return max(number, 0.0) if math.isfinite(number) else None
