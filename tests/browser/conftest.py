"""A real browser: Chromium as the system has it."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture
def chromium(request: pytest.FixtureRequest) -> str:
    """The path of a browser; without one the test is skipped, or fails if browsers are required."""
    found = next((path for path in map(shutil.which, _NAMES) if path), None)
    if found is None:
        said = f"no browser: install one of {', '.join(_NAMES)}"
        if request.config.getoption("--require-browser"):
            pytest.fail(said)
        pytest.skip(said)
    return found


@pytest.fixture
def pictures(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where the README's pictures of the dashboard are put."""
    folder = request.config.getoption("--pictures")
    return tmp_path if folder is None else Path(folder)


@dataclass
class Reader:
    """Somebody at a browser.

    Attributes:
        complaints: what the browser complained of on its console, but for connections that were cut.
    """

    browser: Browser
    complaints: list[str] = field(default_factory=list[str])

    @asynccontextmanager
    async def reading(
        self, *, width: int = 1280, height: int = 900, dark: bool = False
    ) -> AsyncIterator[Page]:
        """A fresh profile with one page."""
        context: BrowserContext = await self.browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
            device_scale_factor=2 if width < 600 else 1,
        )
        page = await context.new_page()
        page.set_default_timeout(20_000)
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        yield page
        await context.close()

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and "net::ERR_" not in message.text:
            self.complaints.append(f"{message.text} ({message.location.get('url', '')})")


@pytest.fixture
async def reader(chromium: str) -> AsyncIterator[Reader]:
    """Somebody at a browser."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield Reader(browser)
        await browser.close()
