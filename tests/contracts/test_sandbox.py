"""Every answer of the sandbox has the shape that GitHub's own description gives it."""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
import re

import pytest
from starlette.routing import Match, Route

from tests.contracts.caller import calling
from tests.contracts.drives import DRIVES
from tests.contracts.judge import Judge
from tests.corpus import needs_corpus
from tests.scenarios.app import commit, make_repository
from webhooks.sandbox import Sandbox
from webhooks.sandbox import routes as routes_
from webhooks.sandbox.access import Gate

pytestmark = needs_corpus

NOT_JUDGED = {
    "GET /octo/calc.git/info/refs",
    "POST /octo/calc.git/git-upload-pack",
    "POST /graphql",
    "GET /octo/calc/pull/N",
    "GET /login/oauth/authorize",
    "POST /login/oauth/access_token",
    "GET /repos/octo/calc/check-runs/N/annotations",
    "answer of GET /repos/octo/calc/pulls/N",  # diffs
    "answer of GET /repos/octo/calc/contents/calc.py",  # raw files
    "answer of GET /repos/octo/calc/contents/link.py",
    "answer of GET /repos/octo/calc/contents/astray",
    "answer of GET /repos/octo/calc/contents/nested/deep/file.py",
    "answer of GET /repos/octo/calc/git/blobs/N",
}


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Judge:
    """A judge who has seen every route called, and most refusals."""
    judge = Judge()

    async def drive() -> None:
        folder = await make_repository(tmp_path_factory.mktemp("driven") / "repo")
        (folder / "nested/deep").mkdir(parents=True)
        (folder / "link.py").symlink_to("calc.py")
        (folder / "astray").symlink_to("../nowhere")
        await commit(folder, {"nested/deep/file.py": "x = 1\n"})
        async with calling(folder, judge) as caller:
            for each in DRIVES:
                await each(caller)

    asyncio.run(drive())
    return judge


def test_every_answer_has_githubs_shape(judge):
    judge.demand_none()


def test_all_is_judged_but_what_the_description_does_not_know(judge):
    judge.demand_none()

    assert {re.sub(r"/(\d+|[0-9a-f]{40})(?=/|$)", "/N", told) for told in judge.unjudged} == NOT_JUDGED


def test_every_route_is_driven(judge):
    gate = Gate(Sandbox.create(webhook_secret="made up", webhook_url=None).state)
    names = [module.name for module in pkgutil.iter_modules(routes_.__path__, f"{routes_.__name__}.")]
    parts = [importlib.import_module(name) for name in names]
    routes: list[Route] = [route for part in parts if hasattr(part, "routes") for route in part.routes(gate)]
    driven = {
        (exchange.method, route.path)
        for exchange in judge.exchanges
        for route in routes
        if _matches(route, exchange.method, exchange.path)
    }
    wanted = {(method, route.path) for route in routes for method in (route.methods or set()) - {"HEAD"}}

    assert wanted - driven == set()


def _matches(route: Route, method: str, path: str) -> bool:
    return route.matches({"type": "http", "method": method, "path": path})[0] is Match.FULL
