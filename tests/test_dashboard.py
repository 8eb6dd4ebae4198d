"""The pages: who gets which, what they carry, and how the overview takes what it hears."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from playwright.async_api import Page, Route, async_playwright, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route as Path

from reviewer.core.audience import EVERYTHING
from webhooks import dashboard
from webhooks.callers import Caller

KNOWN = Caller(
    id="user 7",
    name="<b>Octo</b>",
    sight=EVERYTHING,
    acts=EVERYTHING,
    api_key=None,
    pays=None,
    csrf="a made-up proof",
    credential=b"",
)
TOOL = Caller(
    id="token 3",
    name="ci",
    sight=EVERYTHING,
    acts=EVERYTHING,
    api_key="3",
    pays=None,
    csrf=None,
    credential=b"",
)
PAGES = ["/", "/costs", "/r/seen", "/r/unseen"]


def client(caller: Caller | None = KNOWN, *more: Path) -> httpx.AsyncClient:
    async def who(request: Request) -> Caller | None:  # noqa: ARG001 - asked of everybody
        return caller

    async def sees(known: Caller, review: str) -> bool:
        return known is caller and review == "seen"

    app = Starlette(routes=[*more, *dashboard.routes(caller=who, sees=sees)])
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://sluice.test")


@pytest.mark.parametrize(
    ("path", "to"),
    [
        ("/", "/login"),
        ("/costs?days=7&measure=tokens", "/login?next=/costs%3Fdays%3D7%26measure%3Dtokens"),
        ("/r/seen", "/login?next=/r/seen"),
        ("/r/unseen", "/login?next=/r/unseen"),
    ],
)
async def test_who_is_not_logged_in_is_sent_to_log_in_and_comes_back(path: str, to: str):
    async with client(None) as http:
        answer = await http.get(path)
    assert (answer.status_code, answer.headers["location"]) == (303, to)


async def test_a_review_that_one_does_not_see_is_as_missing_as_one_that_does_not_exist():
    async with client() as http:
        seen, unseen, none = [await http.get(f"/r/{name}") for name in ("seen", "unseen", "none")]
    assert (seen.status_code, unseen.status_code, none.status_code) == (200, 404, 404)
    assert unseen.text == none.text
    assert 'href="/">All reviews' in none.text


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_names_its_caller_and_carries_what_proves_a_change(path: str):
    async with client() as http:
        answer = await http.get(path)
    assert '<meta name="csrf" content="a made-up proof">' in answer.text
    assert '<input type="hidden" name="csrf" value="a made-up proof">' in answer.text
    assert "&lt;b&gt;Octo&lt;/b&gt;" in answer.text
    assert "<b>Octo" not in answer.text
    assert answer.headers["cache-control"] == "no-store"


async def test_a_caller_with_a_bearer_token_gets_pages_without_a_proof():
    async with client(TOOL) as http:
        answer = await http.get("/")
    assert '<meta name="csrf" content="">' in answer.text


@pytest.mark.parametrize(("path", "here"), [("/", "Reviews"), ("/costs", "Costs"), ("/r/unseen", None)])
async def test_the_navigation_says_where_one_is(path: str, here: str | None):
    async with client() as http:
        answer = await http.get(path)
    assert re.findall(r'aria-current="page">(\w+)', answer.text) == ([here] if here else [])


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_loads_only_files_of_ours_that_exist_and_holds_no_code(path: str):
    async with client() as http:
        page = (await http.get(path)).text
        assets = re.findall(r'<(?:script|link|img)[^>]*?(?:src|href)="([^"]+)"', page)
        assert assets
        for asset in assets:
            assert asset.startswith("/static/")
            assert (await http.get(asset)).status_code == 200
    assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", page)


async def test_scripts_of_another_version_are_never_taken_from_a_cache():
    async with client() as http:
        first = await http.get("/static/elements.js")
        again = await http.get("/static/elements.js", headers={"If-None-Match": first.headers["etag"]})
    assert (first.status_code, again.status_code) == (200, 304)
    assert first.headers["cache-control"] == again.headers["cache-control"] == "no-cache"


def text(answer: Response) -> str:
    return bytes(answer.body).decode()


@pytest.mark.parametrize("github", [True, False])
def test_the_login_page_offers_github_only_where_it_can(github: bool):
    page = text(dashboard.login_page(failed="", github=github, next_="/r/a?b=1&c"))
    assert ('href="/login/github?next=/r/a%3Fb%3D1%26c"' in page) is github
    assert '<input type="hidden" name="next" value="/r/a?b=1&amp;c">' in page
    assert 'role="alert"' not in page
    assert "Log out" not in page


def test_the_login_page_says_why_it_failed_and_never_as_html():
    page = text(dashboard.login_page(failed="<i>That</i> is not the token.", github=False, next_='"><x'))
    assert 'role="alert">&lt;i&gt;That&lt;/i&gt; is not the token.' in page
    assert "<x" not in page


# The overview in a browser. Its stream is a stand-in that the test speaks through: no clock decides
FEED = """
export function follow(url, listener) {
  window.feed = listener;
  listener.state("live");
  return { close() {} };
}
"""
STATUS = {
    "queue": {"waiting": 0, "running": 1, "postponed": 0},
    "model": {"engine": "claude", "name": "claude-sonnet-5-5", "state": "ok", "detail": ""},
    "github": [],
    "budgets": [],
}


def review(name: str, minute: int, **values: Any) -> dict[str, Any]:
    plain = {
        "id": name,
        "repository": "octo/shop",
        "pull_request": minute,
        "head_sha": "0123456789abcdef",
        "title": f"Change {name}",
        "url": None,
        "status": "completed",
        "engine": "claude",
        "model": "claude-sonnet-5-5",
        "findings": 0,
        "by_severity": {"critical": 0, "high": 0, "medium": 0, "low": 0},
        "cost": 0.25,
        "tokens": 9,
        "chunks_done": 3,
        "chunks_total": 3,
        "first_finding_seconds": None,
        "created_at": f"2026-01-02T03:{minute:02}:00.000Z",
        "started_at": None,
        "finished_at": None,
        "may_act": True,
    }
    return {**plain, **values}


class Server:
    """Answers what the overview asks, and remembers what was asked."""

    def __init__(self, *reviews: dict[str, Any]) -> None:
        self.reviews = {one["id"]: one for one in reviews}
        self.asked: list[str] = []
        self.broken = False
        self.queue = STATUS["queue"]

    def put(self, one: dict[str, Any]) -> None:
        self.reviews[one["id"]] = one

    async def listing(self, request: Request) -> Response:
        self.asked.append(str(request.url.path))
        if self.broken:
            return JSONResponse({"error": "The database can't be reached."}, status_code=503)
        status = request.query_params.get("status")
        newest = sorted(self.reviews.values(), key=lambda one: one["created_at"], reverse=True)
        return JSONResponse({"reviews": [r for r in newest if status in (None, r["status"])], "next": None})

    async def one(self, request: Request) -> Response:
        self.asked.append(str(request.url.path))
        return JSONResponse(self.reviews[request.path_params["id"]])

    async def status(self, request: Request) -> Response:
        return JSONResponse({**STATUS, "queue": self.queue})


@asynccontextmanager
async def overview(server: Server, path: str = "/") -> AsyncIterator[Page]:
    """The page in Chromium, its requests answered in this process."""
    listed = [
        Path("/reviews", server.listing),
        Path("/reviews/{id}", server.one),
        Path("/status", server.status),
    ]
    async with client(KNOWN, *listed) as http, async_playwright() as playwright:

        async def answer(route: Route) -> None:
            if route.request.url.endswith("/feed.js"):
                await route.fulfill(body=FEED, content_type="text/javascript")
                return
            got = await http.get(route.request.url)
            await route.fulfill(status=got.status_code, headers=dict(got.headers), body=got.content)

        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = await browser.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        await page.route("**/*", answer)
        await page.goto(f"http://sluice.test{path}")
        yield page
        assert errors == []
        await browser.close()


async def say(page: Page, *names: str, event: str = "finding") -> None:
    """Events of reviews, all at once."""
    told = "([names, event]) => { for (const review of names) window.feed.hear(event, { review }, review); }"
    await page.evaluate(told, [list(names), event])


async def test_a_row_changes_in_place_and_a_new_review_comes_on_top_without_taking_the_focus():
    server = Server(review("a", 1), review("b", 2, status="running", chunks_done=0))
    async with overview(server) as page:
        rows = page.locator("#reviews > li")
        await expect(rows).to_have_count(2)
        await page.keyboard.press("j")
        await page.keyboard.press("j")
        kept = await rows.nth(1).element_handle()
        server.put(review("a", 1, title="Changed <b>title</b>"))
        server.put(review("c", 3))
        await say(page, "a", "c")
        await expect(rows).to_have_count(3)
        await expect(page.locator("#reviews a")).to_have_text(
            ["Change c", "Change b", "Changed <b>title</b>"]
        )
        assert kept is not None
        assert await kept.evaluate("node => node.isConnected && node.contains(document.activeElement)")


async def test_however_many_events_come_only_their_reviews_are_asked_for_and_each_once():
    server = Server(review("a", 1), review("b", 2), review("c", 3))
    async with overview(server) as page:
        await expect(page.locator("#reviews > li")).to_have_count(3)
        server.asked.clear()
        server.put(review("b", 2, title="Last"))
        await say(page, *(["a", "b"] * 200))
        await expect(page.locator("#reviews a").nth(1)).to_have_text("Last")
    assert server.asked == ["/reviews/a", "/reviews/b"]


async def test_many_reviews_that_change_at_once_are_asked_for_as_one_page():
    server = Server(*(review(f"r{n}", n) for n in range(30)))
    async with overview(server) as page:
        await expect(page.locator("#reviews > li")).to_have_count(30)
        server.asked.clear()
        for n in range(30):
            server.put(review(f"r{n}", n, title=f"Seen {n}"))
        await say(page, *server.reviews)
        await expect(page.locator("#reviews a")).to_have_text([f"Seen {n}" for n in reversed(range(30))])
    assert server.asked == ["/reviews"]


async def test_the_queue_is_counted_anew_when_a_review_has_ended():
    server = Server(review("a", 1, status="running"))
    async with overview(server) as page:
        await expect(page.locator(".gauge").first).to_contain_text("1 running")
        server.queue = {"waiting": 0, "running": 0, "postponed": 0}
        await say(page, "a", event="review.completed")
        await expect(page.locator(".gauge").first).not_to_contain_text("1 running")


async def test_filters_are_in_the_address_and_hold_for_what_comes_later():
    one = {"critical": 1, "high": 0, "medium": 0, "low": 0}
    server = Server(review("a", 1, repository="octo/till"), review("b", 2, by_severity=one), review("c", 3))
    async with overview(server, "/?severity=high") as page:
        shown = page.locator("#reviews a:visible")
        await expect(shown).to_have_text(["Change b"])
        await page.keyboard.press("/")
        await page.keyboard.type("till")
        await expect(page.get_by_text("No review matches")).to_be_visible()
        assert page.url.endswith("/?text=till&severity=high")
        server.put(review("d", 4, repository="octo/till", by_severity=one))
        server.put(review("e", 5, repository="octo/till"))
        await say(page, "e", "d")
        await expect(shown).to_have_text(["Change d"])
        await page.get_by_role("button", name="Clear").click()
        await expect(shown).to_have_count(5)
        assert page.url.endswith("test/")


async def test_a_list_that_can_not_be_had_says_why_and_can_be_asked_for_again():
    server = Server(review("a", 1))
    server.broken = True
    async with overview(server) as page:
        await expect(page.get_by_text("The database can't be reached.")).to_be_visible()
        server.broken = False
        await page.get_by_role("button", name="Try again").click()
        await expect(page.locator("#reviews a")).to_have_text(["Change a"])
        await expect(page.get_by_text("The database can't be reached.")).to_be_hidden()
