"""An answer that says no, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse, Response


class Refusal(Exception):
    """A request is refused.

    Args:
        status: of the answer.
        message: a sentence for a person.
        retry_after: seconds after which it may be granted; None: asking again is of no use.
        accept: a content encoding that would be read.
        facts: more for the JSON of the answer.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        retry_after: int | None = None,
        accept: str | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self._status = status
        self._facts = facts or {}
        named = {"Retry-After": retry_after, "Accept-Encoding": accept}
        self._headers = {name: str(value) for name, value in named.items() if value is not None}

    def answer(self, headers: Mapping[str, str]) -> Response:
        """The answer, with headers besides its own."""
        body = {"error": str(self), **self._facts}
        return JSONResponse(body, status_code=self._status, headers={**headers, **self._headers})
