"""Listings in pages: https://docs.github.com/rest/using-the-rest-api/using-pagination-in-the-rest-api."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from webhooks.sandbox.state import State

_PER_PAGE = 30
_MOST_PER_PAGE = 100


def page(state: State, request: Request, items: list[Any]) -> Response:
    """The page that the request asks for, with a link to the next."""
    shown, links = cut(state, request, items)
    return JSONResponse(shown, headers=links)


def cut(state: State, request: Request, items: list[Any]) -> tuple[list[Any], dict[str, str]]:
    """The items of the page that the request asks for, and the header that links to the next."""
    size = min(_number(request, "per_page", _PER_PAGE), _MOST_PER_PAGE)
    number = _number(request, "page", 1)
    shown = items[(number - 1) * size : number * size]
    if number * size >= len(items):
        return shown, {}
    following = request.url.include_query_params(page=number + 1, per_page=size)
    return shown, {"link": f'<{state.url}{following.path}?{following.query}>; rel="next"'}


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, "")
    return max(int(text), 1) if text.isdecimal() else default
