"""What GitHub's HTTP answers mean. Performs no I/O, so every rule is testable with values."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, cast

from reviewer.errors import ForgeError, ForgeRateLimited, ForgeRefused, ForgeUnavailable

API_VERSION = "2022-11-28"
JSON_TYPE = "application/vnd.github+json"
DIFF_TYPE = "application/vnd.github.diff"
RAW_TYPE = "application/vnd.github.raw+json"

UNNAMED_SECONDS = 60.0
"""The least to wait for a limit that names no time: https://docs.github.com/en/rest/using-the-rest-api."""
_LONGEST_SECONDS = 3_600.0
"""No limit of GitHub's has a longer window; a wrong clock must not put us off for days."""

_NEXT = re.compile(r'<([^>]+)>;\s*rel="next"')
_LIMIT_WORDS = (
    "was submitted too quickly",
    "exceeded a secondary rate limit",
    "triggered an abuse detection mechanism",
    "api rate limit exceeded",
)


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

    @property
    def date(self) -> float | None:
        """GitHub's own time when it answered."""
        return _http_date(self.headers.get("date", ""))


def headers(token: str, accept: str = JSON_TYPE) -> dict[str, str]:
    """What every request carries."""
    return {
        "Accept": accept,
        "Authorization": f"Bearer {token}",
        "User-Agent": "sluice",
        "X-GitHub-Api-Version": API_VERSION,
    }


def check(answer: Answer, *, now: float, unnamed: float = UNNAMED_SECONDS) -> Answer:
    """The answer, if it is a good one.

    Args:
        answer: as it came.
        now: Unix time in seconds, for answers without a date of their own.
        unnamed: seconds to wait for a limit that names none.

    Raises:
        ForgeRateLimited: with the seconds to wait.
        ForgeUnavailable: 5xx.
        ForgeRefused: any other 4xx, with GitHub's own words.
    """
    if answer.status < 400:
        return answer
    raise _error(answer, now, unnamed)


def named_wait(answer: Answer, *, now: float) -> float | None:
    """Seconds to wait by the answer's own word, measured by GitHub's clock where it tells it."""
    now = answer.date or now
    after = answer.headers.get("retry-after", "").strip()
    if after.isdecimal():
        return _bounded(float(after))
    if (moment := _http_date(after)) is not None:
        return _bounded(moment - now)
    return spent(answer, now=now)


def spent(answer: Answer, *, now: float) -> float | None:
    """Seconds until the next request is taken, where this answer says that it was the last of its hour."""
    reset = answer.headers.get("x-ratelimit-reset", "")
    if answer.headers.get("x-ratelimit-remaining") != "0" or not reset.isdecimal():
        return None
    return _bounded(float(reset) - (answer.date or now))


def says_limit(words: str) -> bool:
    """Whether GitHub's words are those of a limit."""
    return any(sign in words.lower() for sign in _LIMIT_WORDS)


def _bounded(seconds: float) -> float:
    return min(max(seconds, 1.0), _LONGEST_SECONDS)


def _http_date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except ValueError:
        return None


def _error(answer: Answer, now: float, unnamed: float) -> ForgeError:
    found = _Words.of(answer)
    said = f"GitHub answered {answer.status}: {found.message}"
    if found.details:
        said += f" ({'; '.join(found.details)})"
    if answer.status >= 500:
        return ForgeUnavailable(said, status=answer.status)
    if _is_limit(answer, found):
        wait = named_wait(answer, now=now)
        return ForgeRateLimited(said, status=answer.status, retry_after=unnamed if wait is None else wait)
    wanted = answer.headers.get("x-accepted-github-permissions")
    if answer.status == 403 and wanted:
        said += f"; the app needs the permission {wanted}"
    code = found.codes[0] if found.codes else None
    return ForgeRefused(said, status=answer.status, code=code, details=found.details)


@dataclass(frozen=True, slots=True)
class _Words:
    """What an answer that refuses says."""

    message: str = "no explanation"
    codes: tuple[str, ...] = ()
    details: tuple[str, ...] = ()

    @classmethod
    def of(cls, answer: Answer) -> _Words:
        """GitHub's message, its errors' codes, and its errors as sentences; they are objects or strings."""
        try:
            body: Any = json.loads(answer.body)
        except ValueError:
            return cls()
        if not isinstance(body, dict):
            return cls()
        found = cast("dict[str, Any]", body)
        errors = cast("list[Any]", found["errors"]) if isinstance(found.get("errors"), list) else []
        objects = [cast("dict[str, Any]", error) for error in errors if isinstance(error, dict)]
        return cls(
            message=str(found.get("message", "no explanation")),
            codes=tuple(str(error["code"]) for error in objects if "code" in error),
            details=tuple(_sentence(error) for error in errors),
        )


def _is_limit(answer: Answer, found: _Words) -> bool:
    """Whether this is a limit: primary, secondary, or one disguised as a 422."""
    if answer.status == 429:
        return True
    if answer.status not in {403, 422}:
        return False
    if "abuse" in found.codes or says_limit(" ".join((found.message, *found.details))):
        return True
    headers = answer.headers
    return answer.status == 403 and ("retry-after" in headers or headers.get("x-ratelimit-remaining") == "0")


def _sentence(error: Any) -> str:
    if isinstance(error, dict):
        fields = cast("dict[str, Any]", error)
        return str(fields.get("message") or " ".join(str(value) for value in fields.values()))
    return str(error)
