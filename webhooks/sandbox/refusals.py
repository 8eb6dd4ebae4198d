"""Answers of GitHub's that refuse, and the reading of what is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

DOCS = "https://docs.github.com/rest"


class Refusal(Exception):
    """An answer of GitHub's that refuses; `errors` as in its 422s."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        errors: list[Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})
        self.body: dict[str, Any] = {"message": message, "documentation_url": DOCS, "status": str(status)}
        if errors is not None:
            self.body["errors"] = errors


def unprocessable(*errors: str) -> Refusal:
    """A 422 as the reviews route words it: a list of sentences that do not say which comment."""
    return Refusal(422, "Unprocessable Entity", errors=list(errors))


async def refuse(request: Request, error: Exception) -> Response:  # noqa: ARG001 - Starlette gives it
    """The answer for a Refusal."""
    if not isinstance(error, Refusal):
        raise error
    return answer(error)


def answer(refusal: Refusal) -> Response:
    """The answer that refuses."""
    return JSONResponse(refusal.body, status_code=refusal.status, headers=refusal.headers)


async def read_object(request: Request) -> dict[str, Any]:
    """The request's JSON object; nothing at all counts as an empty one."""
    try:
        body: Any = await request.json() if await request.body() else {}
    except ValueError as error:
        raise Refusal(400, "Problems parsing JSON") from error
    if not isinstance(body, dict):
        raise Refusal(400, "Body should be a JSON object")
    return body  # pyright: ignore[reportUnknownVariableType]
