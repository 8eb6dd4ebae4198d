"""Pages for people. They are shells: what they show comes from the API and the event stream."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

_PAGES = Environment(
    loader=PackageLoader("webhooks", "pages/templates"), undefined=StrictUndefined, autoescape=True
)
_STATIC = Path(__file__).with_name("pages") / "static"


def routes(*, is_allowed: Callable[[Request], bool]) -> list[BaseRoute]:
    """`/`, `/r/{id}` and what they load; whoever is not logged in is sent to `/login`."""

    async def overview(request: Request) -> Response:
        return _page(request, "overview.html", is_allowed)

    async def review(request: Request) -> Response:
        return _page(request, "review.html", is_allowed, review=request.path_params["id"])

    return [
        Route("/", overview),
        Route("/r/{id}", review),
        Mount("/static", StaticFiles(directory=_STATIC)),
    ]


def login_page(*, failed: bool) -> Response:
    """The form that asks for the access token."""
    return HTMLResponse(_PAGES.get_template("login.html").render(failed=failed))


def _page(request: Request, template: str, is_allowed: Callable[[Request], bool], **values: str) -> Response:
    if not is_allowed(request):
        return RedirectResponse("/login", status_code=303)
    return HTMLResponse(_PAGES.get_template(template).render(**values))
