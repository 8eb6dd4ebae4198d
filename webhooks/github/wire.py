"""What GitHub's HTTP answers mean. Performs no I/O, so every rule is testable with values."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from reviewer.errors import ForgeError, ForgeRateLimited, ForgeRefused, ForgeUnavailable

API_VERSION = "2022-11-28"
JSON_TYPE = "application/vnd.github+json"
DIFF_TYPE = "application/vnd.github.diff"
RAW_TYPE = "application/vnd.github.raw+json"

# Without a header that says how long: https://docs.github.com/en/rest/using-the-rest-api
_LIMITED_FOR_SECONDS = 60.0

_NEXT = re.compile(r'<([^>]+)>;\s*rel="next"')
_DISGUISED_LIMIT = ("was submitted too quickly", "secondary rate limit", "abuse")


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            ForgeUnavailable: it is none, as from a proxy in between.
        """
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise ForgeUnavailable("GitHub's answer is no JSON", status=self.status) from error

    @property
    def next_page(self) -> str | None:
        """The URL of the next page."""
        match = _NEXT.search(self.headers.get("link", ""))
        return match[1] if match else None


def headers(token: str, accept: str = JSON_TYPE) -> dict[str, str]:
    """What every request carries."""
    return {
        "Accept": accept,
        "Authorization": f"Bearer {token}",
        "User-Agent": "sluice",
        "X-GitHub-Api-Version": API_VERSION,
    }


def check(answer: Answer, *, now: float) -> Answer:
    """The answer, if it is a good one.

    Args:
        answer: as it came.
        now: Unix time in seconds, for reset times.

    Raises:
        ForgeRateLimited: with the seconds to wait.
        ForgeUnavailable: 5xx.
        ForgeRefused: any other 4xx, with GitHub's own words.
    """
    if answer.status < 400:
        return answer
    raise _error(answer, now)


def _error(answer: Answer, now: float) -> ForgeError:
    message, code, details = _words(answer)
    said = f"GitHub answered {answer.status}: {message}"
    if details:
        said += f" ({'; '.join(details)})"
    if answer.status >= 500:
        return ForgeUnavailable(said, status=answer.status)
    wait = _wait(answer, " ".join((message, code or "", *details)), now)
    if wait is not None:
        return ForgeRateLimited(said, status=answer.status, retry_after=wait)
    wanted = answer.headers.get("x-accepted-github-permissions")
    if answer.status == 403 and wanted:
        said += f"; the app needs the permission {wanted}"
    return ForgeRefused(said, status=answer.status, code=code, details=details)


def _wait(answer: Answer, words: str, now: float) -> float | None:
    """Seconds to wait if this is a limit, primary, secondary or one disguised as a 422."""
    disguised = any(sign in words.lower() for sign in _DISGUISED_LIMIT)
    if answer.status not in {403, 422, 429} or (answer.status == 422 and not disguised):
        return None
    after = answer.headers.get("retry-after", "")
    if after.isdecimal():
        return float(after)
    if answer.headers.get("x-ratelimit-remaining") == "0":
        reset = answer.headers.get("x-ratelimit-reset", "")
        return max(float(reset) - now, 1.0) if reset.isdecimal() else _LIMITED_FOR_SECONDS
    return _LIMITED_FOR_SECONDS if disguised or answer.status == 429 else None


def _words(answer: Answer) -> tuple[str, str | None, tuple[str, ...]]:
    """GitHub's message, the first error's code, and its errors as sentences; they are objects or strings."""
    try:
        body: Any = json.loads(answer.body)
    except ValueError:
        return "no explanation", None, ()
    if not isinstance(body, dict):
        return "no explanation", None, ()
    found = cast("dict[str, Any]", body)
    errors = cast("list[Any]", found["errors"]) if isinstance(found.get("errors"), list) else []
    objects = [cast("dict[str, Any]", error) for error in errors if isinstance(error, dict)]
    code = next((str(error["code"]) for error in objects if "code" in error), None)
    details = tuple(_sentence(e) for e in errors)
    return str(found.get("message", "no explanation")), code, details


def _sentence(error: Any) -> str:
    if isinstance(error, dict):
        fields = cast("dict[str, Any]", error)
        return str(fields.get("message") or " ".join(str(value) for value in fields.values()))
    return str(error)
