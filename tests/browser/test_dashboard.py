"""The dashboard as a person meets it: `sluice demo`, a scripted Claude, and a real browser."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from tests.browser.conftest import Reader
from tests.browser.demo import demo
from tests.browser.script import Claude
from tests.browser.wire import Wire, laid
from tests.fakes.claude import ScriptedClaude
from tests.fakes.shop import FAULTS

_PATIENCE = 60.0
expect.set_options(timeout=20_000)
_FINDINGS = "article.finding"
_REVIEW = "main[data-review]"


@dataclass(frozen=True)
class Stage:
    """The running demo: Claude, who tells what it is allowed to, and the way of the browser to the app.

    `direct` is where the demo listens itself: whoever logs in through GitHub is sent back there.
    """

    claude: Claude
    wire: Wire
    link: str
    direct: str

    def url(self, path: str) -> str:
        return self.wire.url + path


@asynccontextmanager
async def staged(folder: Path, *, allowed: int | None) -> AsyncIterator[Stage]:
    claude = Claude(allowed)
    async with (
        asyncio.timeout(_PATIENCE * 2),
        ScriptedClaude(claude.answer) as scripted,
        demo(folder, scripted.url) as running,
        laid(running.host, running.port) as wire,
    ):
        _, _, token = running.link.partition("/login")
        yield Stage(claude, wire, f"{wire.url}/login{token}", f"http://{running.host}:{running.port}/login")


@pytest.fixture
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("h")


async def open_review(page: Page, stage: Stage) -> str:
    """Log in by the printed link, and follow the list to its review; gives the path of its page."""
    await page.goto(stage.link)
    row = page.locator('a[href^="/r/"]').first
    await expect(row).to_be_visible()
    path = await row.get_attribute("href")
    assert path is not None
    await row.click()
    await expect(page.locator(_REVIEW)).to_have_attribute("data-state", "running")
    return path


async def ids(page: Page) -> list[str]:
    """Of the findings on the page, from top to bottom."""
    found = [await each.get_attribute("data-finding") for each in await page.locator(_FINDINGS).all()]
    return [each for each in found if each is not None]


async def faults_found(page: Page) -> list[str]:
    return sorted(await page.locator(f"{_FINDINGS} h4").all_text_contents())


ALL = sorted(fault.title.replace("`", "") for fault in FAULTS)


async def test_findings_come_one_by_one_while_the_model_is_still_writing(folder, reader: Reader):
    async with staged(folder, allowed=0) as stage, reader.reading() as page:
        await open_review(page, stage)
        for count in range(1, 5):
            stage.claude.allowed = count
            await expect(page.locator(_FINDINGS)).to_have_count(count)
            # Shown, though Claude has not said a word more and none of its answers that tell has ended
            assert len(stage.claude.told) == count
            assert stage.claude.writing > 0
        assert len(await ids(page)) == 4

        stage.claude.allowed = None
        await expect(page.locator(_REVIEW)).to_have_attribute("data-state", "completed")

        assert await faults_found(page) == ALL
        assert reader.complaints == []


async def test_a_connection_that_was_cut_is_resumed_with_nothing_missing_or_doubled(folder, reader: Reader):
    async with staged(folder, allowed=2) as stage, reader.reading() as page:
        await open_review(page, stage)
        await expect(page.locator(_FINDINGS)).to_have_count(2)
        before = await ids(page)

        stage.wire.cut()
        await expect(page.locator("#connection")).to_have_attribute("data-state", "reconnecting")
        stage.claude.allowed = 6
        await stage.claude.until_told(6)
        assert await ids(page) == before
        stage.wire.mend()

        await expect(page.locator(_FINDINGS)).to_have_count(6)
        await expect(page.locator("#connection")).to_have_attribute("data-state", "live")
        stage.claude.allowed = None
        await expect(page.locator(_REVIEW)).to_have_attribute("data-state", "completed")

        assert await faults_found(page) == ALL
        assert set(before) <= set(await ids(page))
        assert reader.complaints == []


async def test_a_review_is_cancelled_and_run_again(folder, reader: Reader):
    async with staged(folder, allowed=1) as stage, reader.reading() as page:
        first = await open_review(page, stage)
        await expect(page.locator(_FINDINGS)).to_have_count(1)

        await page.locator("#cancel").click()
        await page.locator("#confirm .harm").click()
        await expect(page.locator(_REVIEW)).to_have_attribute("data-state", "cancelled")
        await expect(page.locator("[data-notice=cancelled]")).to_have_text("Cancelled: stopped by operator")
        await expect(page.locator("#timeline-filter")).to_contain_text("not finished")

        stage.claude.allowed = None
        await page.locator("#again").click()
        await page.wait_for_url(lambda url: not url.endswith(first))
        await expect(page.locator(_REVIEW)).to_have_attribute("data-state", "completed")

        assert await faults_found(page) == ALL
        assert reader.complaints == []


async def test_who_may_push_logs_in_through_the_stand_in_github_and_comes_to_the_pull_request(
    folder, reader: Reader
):
    async with staged(folder, allowed=1) as stage, reader.reading() as page:
        await page.goto(stage.direct)
        await page.locator("a[href^='/login/github']").click()
        await expect(page.locator(".caller")).to_contain_text("octocat")
        await page.locator('a[href^="/r/"]').first.click()
        await expect(page.locator(_FINDINGS)).to_have_count(1)
        await expect(page.locator("#cancel")).to_be_visible()

        stage.claude.allowed = None
        await expect(page.locator(_REVIEW)).to_have_attribute("data-state", "completed")
        assert reader.complaints == []
        await page.locator("#pull").click()
        await expect(page.locator("body")).to_contain_text("Check run Sluice: neutral")
        await expect(page.locator("body")).to_contain_text("shop/checkout.py:34")


async def test_a_review_that_waits_for_its_model_says_why_and_how_long_in_whole_sentences(
    folder, reader: Reader
):
    async with demo(folder, "http://127.0.0.1:9") as running, reader.reading() as page:
        await page.goto(running.link)
        await page.locator('a[href^="/r/"]').first.click()
        await expect(page.locator(_REVIEW)).to_have_attribute("data-state", "postponed")
        waits = page.locator("[data-notice=postponed]")
        await expect(waits).to_have_text(
            re.compile(r"Waiting: .+[^.]\. \d+ chunks to go; it goes on in \d+ s\.")
        )


async def test_every_page_can_be_read_by_all_in_light_and_dark_and_on_a_phone(
    folder, reader: Reader, pictures: Path
):
    first_in_cart = next(fault.title for fault in FAULTS if "items.length" in fault.begins)
    async with staged(folder, allowed=None) as stage:
        stage.claude.kept_back = frozenset({first_in_cart})
        async with reader.reading(height=1200) as page:
            path = await open_review(page, stage)
            await expect(page.locator(_FINDINGS)).to_have_count(len(FAULTS) - 2)
            await page.screenshot(path=pictures / "dashboard.png")
            stage.claude.kept_back = frozenset()
            await expect(page.locator(_REVIEW)).to_have_attribute("data-state", "completed")
        pages = {"review": path, "overview": "/", "costs": "/costs", "missing": "/r/none"}
        for look, options in LOOKS.items():
            async with reader.reading(**options) as page:
                await page.goto(stage.url("/login"))
                assert await complaints_of_axe(page) == []
                await page.goto(stage.link)
                await expect(page.locator('a[href^="/r/"]').first).to_be_visible()
                for name, path in pages.items():
                    await page.goto(stage.url(path))
                    await _settled(page, name)
                    assert await complaints_of_axe(page) == []
                    assert await _sticks_out(page) == 0
                    if (name, look) in PICTURES:
                        await page.screenshot(path=pictures / PICTURES[name, look])
        # The page of a review that is not there says so by its status, and browsers note that
        assert [each for each in reader.complaints if "/r/none" not in each] == []


LOOKS = {
    "light": {"width": 1280},
    "dark": {"width": 1280, "dark": True},
    "phone": {"width": 360, "height": 740},
    "phone-dark": {"width": 360, "height": 740, "dark": True},
}


PICTURES = {("review", "phone"): "phone.png", ("review", "dark"): "dark.png"}
"""What is shown of the looks beside what is shown of a review that runs."""


async def _show(page: Page, path: str) -> None:
    """Bring a file's first finding to the middle of the window."""
    found = page.locator(f'section.file[data-path="{path}"] {_FINDINGS}').first
    await expect(found).to_be_visible()
    await found.evaluate("element => element.scrollIntoView({ block: 'center' })")


async def _settled(page: Page, name: str) -> None:
    """Wait until the page shows what it has to show."""
    match name:
        case "review":
            await expect(page.locator(_REVIEW)).to_have_attribute("data-state", "completed")
            await expect(page.locator(_FINDINGS)).to_have_count(len(FAULTS))
            await _show(page, "shop/checkout.py")
        case "overview":
            await expect(page.locator('a[href^="/r/"]').first).to_be_visible()
        case "costs":
            await expect(page.locator("svg").first).to_be_visible()
        case _:
            await expect(page.locator("h1")).to_be_visible()


async def _sticks_out(page: Page) -> int:
    """By how many pixels the page is wider than the window."""
    width = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    return int(await page.evaluate(width))


async def complaints_of_axe(page: Page) -> list[str]:
    """What stands seriously in the way of people who use the page in another way than most."""
    found = await Axe().run(page)
    return [
        f"{each['id']}: {each['help']} ({each['nodes'][0]['html'][:120]})"
        for each in found.response["violations"]
        if each["impact"] in {"serious", "critical"}
    ]
