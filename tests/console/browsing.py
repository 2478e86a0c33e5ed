"""Debian's Chromium looks at pages, and whatever it complains about is a fault.

https://playwright.dev/python/docs/api/class-browsercontext, https://www.deque.com/axe/core-documentation/api-documentation/
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, ConsoleMessage, Page, Request, Response, async_playwright

from tests.console.sites import Site
from tests.pictures.browser import find_browser
from tests.waiting import PATIENCE

DESK, PHONE = (1280, 800), (320, 640)
"""Widths and heights of screens in CSS pixels: one on a desk, and the narrowest that WCAG 2.2 asks for (1.4.10)."""

_OPTIONS = (
    *("--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--disable-dev-shm-usage", "--font-render-hinting=none", "--disable-lcd-text"),
)
_AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
_COLOUR_RULES = ("color-contrast", "link-in-text-block")
_STRUCTURE = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]},
    "rules": {rule: {"enabled": False} for rule in _COLOUR_RULES},
    "resultTypes": ["violations"],
}
_COLOURS = {"runOnly": {"type": "rule", "values": _COLOUR_RULES}, "resultTypes": ["violations"]}
_ALIKE = """() => {
  const seen = new Set();
  for (const row of document.querySelectorAll("tbody tr, li")) {
    const parts = [...row.querySelectorAll("*")].map(one => `${one.tagName} ${one.getAttribute("class")}`);
    if (parts.every(part => seen.has(part))) row.remove();
    parts.forEach(part => seen.add(part));
  }
}"""
"""Takes away the rows in which nothing has a form that no row before them has: axe takes seconds for a long list's colours."""
_ASKED = """([where, asked]) => axe.run(where, asked).then(({violations}) =>
  violations.map(one => [one.id, one.nodes.map(node => node.html)]))"""


class Window:
    """A window of somebody who opened a console.

    Attributes:
        origin: the console's.
        faults: what went wrong in it: an error of a script, a report of the content security policy, a request that failed, was
            refused or left the console.
    """

    def __init__(self, page: Page, origin: str) -> None:
        self.page, self.origin, self.faults = page, origin, list[str]()
        page.on("console", self._heed_words)
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("dialog", lambda dialog: self.faults.append(f"dialog: {dialog.message}"))
        page.on("request", self._heed_request)
        page.on("response", self._heed_response)
        page.on("requestfailed", self._heed_failure)

    def _heed_words(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(f"{message.type}: {message.text}")

    def _heed_request(self, request: Request) -> None:
        if not request.url.startswith((f"{self.origin}/", "data:")):
            self.faults.append(f"left the console: {request.url}")

    def _heed_response(self, response: Response) -> None:
        if response.status >= 400:
            self.faults.append(f"answered {response.status}: {response.url}")

    def _heed_failure(self, request: Request) -> None:
        # What a page had not got yet when it was left is not asked for any more.
        if request.failure != "net::ERR_ABORTED":
            self.faults.append(f"failed: {request.url} {request.failure}")

    async def goto(self, path: str) -> None:
        """Show a page of the console."""
        await self.page.goto(f"{self.origin}{path}")

    async def resize(self, size: tuple[int, int]) -> None:
        """Make the screen another one."""
        await self.page.set_viewport_size({"width": size[0], "height": size[1]})

    async def find_violations(self, colours_of: str | None = None) -> list[Any]:
        """What axe finds of WCAG 2.2 AA in a page, and of the colours of a part of it, if any, in the light and in the dark."""
        await self.page.evaluate(_ALIKE)
        await self.page.evaluate(_AXE)
        found: list[Any] = await self.page.evaluate(_ASKED, ["html", _STRUCTURE])
        for scheme in ("dark", "light") if colours_of is not None else ():
            await self.page.emulate_media(color_scheme=scheme)
            found += await self.page.evaluate(_ASKED, [colours_of, _COLOURS])
        return found


class Windows:
    """Windows on consoles; one is kept for each that tests only look at."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._windows: dict[str, Window] = {}
        self._opened: list[Window] = []

    async def look_at(self, site: Site) -> Window:
        """The window on a console that is the same in all tests."""
        if site.origin not in self._windows:
            self._windows[site.origin] = await self._new(site)
        return self._windows[site.origin]

    async def open(self, site: Site, **options: Any) -> Window:
        """Open another window until the test's end; `options` as a browser's context takes them."""
        self._opened.append(await self._new(site, **options))
        return self._opened[-1]

    @asynccontextmanager
    async def strange(self) -> AsyncIterator[Page]:
        """A page of a browser that has opened nothing; what goes wrong there is for the test to see."""
        context = await self._browser.new_context()
        context.set_default_timeout(PATIENCE * 1000)
        yield await context.new_page()
        await context.close()

    async def end_test(self) -> list[str]:
        """Close the windows of a test; return the faults in all of its windows."""
        faults = [fault for window in (*self._opened, *self._windows.values()) for fault in window.faults]
        for window in self._opened:
            await window.page.context.close()
        self._opened.clear()
        for window in self._windows.values():
            window.faults.clear()
        return faults

    async def _new(self, site: Site, **options: Any) -> Window:
        context = await self._browser.new_context(viewport={"width": DESK[0], "height": DESK[1]}, **options)
        context.set_default_timeout(PATIENCE * 1000)
        name, value = site.cookie
        await context.add_cookies([{"name": name, "value": value, "url": site.origin, "sameSite": "Strict"}])
        return Window(await context.new_page(), site.origin)


@asynccontextmanager
async def chromium_running(home: Path) -> AsyncIterator[Browser]:
    """The machine's Chromium, whose user has a home there."""
    environment: dict[str, str | float | bool] = {**os.environ, "HOME": str(home)}
    async with async_playwright() as playwright:
        launch = partial(playwright.chromium.launch, executable_path=find_browser(), args=_OPTIONS, env=environment)
        # Its sandbox is not to be had by root, nor by a user of a container.
        browser = await launch(chromium_sandbox=False)
        yield browser
        await browser.close()
