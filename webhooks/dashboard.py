"""Pages for people. They are shells: what they show comes from the API and the event stream."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from webhooks.callers import Caller

_PAGES = Environment(
    loader=PackageLoader("webhooks", "pages/templates"),
    undefined=StrictUndefined,
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
)
_STATIC = Path(__file__).with_name("pages") / "static"

_Asks = Callable[[Request], Awaitable[Caller | None]]


def routes(*, caller: _Asks, sees: Callable[[Caller, str], Awaitable[bool]]) -> list[BaseRoute]:
    """`/`, `/costs`, `/r/{id}` and what they load; whoever is not logged in is sent to `/login`.

    A review that the caller does not see and one that does not exist are the same page, with 404.
    """

    async def overview(request: Request) -> Response:
        known = await caller(request)
        return _to_login(request) if known is None else _page("overview.html", known, here="reviews")

    async def costs(request: Request) -> Response:
        known = await caller(request)
        return _to_login(request) if known is None else _page("costs.html", known, here="costs")

    async def review(request: Request) -> Response:
        known = await caller(request)
        if known is None:
            return _to_login(request)
        wanted: str = request.path_params["id"]
        if not await sees(known, wanted):
            return _page("missing.html", known, here="", status=404)
        return _page("review.html", known, here="", review=wanted)

    return [
        Route("/", overview),
        Route("/costs", costs),
        Route("/r/{id}", review),
        Mount("/static", _Static(directory=_STATIC)),
    ]


def login_page(*, failed: str, github: bool, next_: str) -> Response:
    """The ways to log in.

    Args:
        failed: why the last try did not do; empty on the first.
        github: whether people can log in through GitHub.
        next_: the path to go to afterwards; empty: the overview.
    """
    shell = {"here": "", "name": "", "csrf": ""}
    return _answer("login.html", {**shell, "failed": failed, "github": github, "next": next_}, status=200)


def _page(template: str, known: Caller, *, here: str, status: int = 200, **values: str) -> Response:
    shell = {"here": here, "name": known.name, "csrf": known.csrf or ""}
    return _answer(template, {**shell, **values}, status=status)


def _answer(template: str, values: Mapping[str, object], *, status: int) -> Response:
    """A page; nobody keeps it, since it names its caller and carries what proves a change."""
    text = _PAGES.get_template(template).render(values)
    return HTMLResponse(text, status_code=status, headers={"Cache-Control": "no-store"})


def _to_login(request: Request) -> Response:
    path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse("/login" if path == "/" else f"/login?next={quote(path)}", status_code=303)


class _Static(StaticFiles):
    """Browsers ask each time whether a file has changed: no page meets another version's scripts."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, or that it has not changed."""
        answer = await super().get_response(path, scope)
        answer.headers["Cache-Control"] = "no-cache"
        return answer
