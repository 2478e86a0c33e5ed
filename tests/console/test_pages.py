"""Every page as a browser shows it: with data, without, and with what its senders would rather have it do."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.async_api import Locator, Page

from benchmarks.virtual import VirtualRouter
from router.console.application import View
from router.console.views import ACTIONS, VIEWS
from router.domain.signals import Stream
from tests.builders import alert_body
from tests.console.browsing import DESK, PHONE, Window, Windows
from tests.console.sites import Site
from tests.store.acts import awaited
from tests.store.opened import open_store

SEEN = """() => ({
  taken: window.taken ?? null,
  acting: [...document.querySelectorAll("*")]
    .filter(one => [...one.attributes].some(({name}) => name.startsWith("on") || name === "style"))
    .concat([...document.scripts].filter(one => !one.src.startsWith(`${location.origin}/static/`)))
    .concat([...document.querySelectorAll("iframe, object, embed, base, meta[http-equiv]")])
    .map(one => one.outerHTML),
  links: [...document.querySelectorAll("[href], [src], [action], [formaction]")].map(one => [
    new URL(one.getAttribute("href") ?? one.getAttribute("src") ?? one.getAttribute("action"), location).href,
    one.rel ?? "",
  ]),
  text: document.body.innerText,
  unmarked: [...document.querySelectorAll("[name=reason]:not([type=hidden])")]
    .filter(one => !one.required || !one.labels[0].innerText.includes("required")).map(one => one.outerHTML),
  ids: [...document.querySelectorAll("[id]")].map(one => one.id),
})"""

FOCUSED = """() => ({
  where: [".skip", "nav", ".top", "#status", ".tools", ".filters", ".signals"].find(at => document.activeElement.closest(at)),
  is_seen: document.activeElement.checkVisibility() && getComputedStyle(document.activeElement).outlineStyle !== "none"
    && document.activeElement.getBoundingClientRect().left >= 0,
})"""

UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]")
CASES = [
    pytest.param(state, view, id=f"{state}{view.path}", marks=[pytest.mark.soak] * (state == "empty"))
    for state in ("busy", "empty", "hostile")
    for view in VIEWS
    if state != "empty" or "{" not in view.path
]


@pytest.mark.parametrize(("site", "view"), CASES, indirect=["site"])
@awaited
async def test_every_view_is_sound(site: Site, view: View, windows: Windows, subtests: pytest.Subtests) -> None:
    """It does what it says and nothing of what its data say, and fits a phone; Chromium and axe have no complaint of it."""
    window = await windows.look_at(site)
    await window.resize(PHONE)
    await window.goto(site.state.url(view.path))
    await check_soundness(window, subtests)
    await window.resize(DESK)
    assert await window.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    # What is around the views is the same in each; hostile words have neither a colour nor a role of their own.
    if not site.state.is_hostile:
        assert await window.find_violations("html" if view == VIEWS[0] else "main") == []


async def check_soundness(window: Window, subtests: pytest.Subtests) -> None:
    """What holds for every page that a window may show."""
    seen: dict[str, Any] = await window.page.evaluate(SEEN)
    with subtests.test("nothing acts"):
        assert (seen["taken"], seen["acting"]) == (None, [])
        assert UNSEEN.findall(seen["text"]) == []
        assert str(191 * 7) not in seen["text"]
    with subtests.test("links are this console's, or lead to a vendor's page that learns nothing"):
        others = [(url, rel) for url, rel in seen["links"] if not url.startswith(f"{window.origin}/")]
        assert [url for url, _ in others if urlsplit(url).scheme != "https"] == []
        assert [rel for _, rel in others if not {"noopener", "noreferrer"} <= set(rel.split())] == []
    with subtests.test("a reason is marked as required"):
        assert seen["unmarked"] == []
    with subtests.test("ids are of one thing each"):
        assert len(seen["ids"]) == len(set(seen["ids"]))
    with subtests.test("no scrolling to the side"):
        assert await window.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("own_site", [pytest.param("busy", marks=pytest.mark.soak), "hostile"], indirect=True)
@awaited
async def test_every_action_is_shown_before_it_is_done(
    own_site: Site, windows: Windows, subtests: pytest.Subtests
) -> None:
    """Each button leads to what it would do, as sound as any page, and the button there does it."""
    window = await windows.open(own_site)
    page, done = window.page, set[str]()
    await window.resize(PHONE)
    for view in VIEWS:
        path = own_site.state.url(view.path)
        if 'method="post"' not in own_site.get(path).text:
            continue
        await window.goto(path)
        actions = list(map(find_action, await page.locator(BUTTON).evaluate_all(LEAD_TO)))
        for action in dict.fromkeys(actions):
            if action in done:
                continue
            if page.url != f"{window.origin}{path}":
                await window.goto(path)
                actions = list(map(find_action, await page.locator(BUTTON).evaluate_all(LEAD_TO)))
            done.add(action)
            with subtests.test(action):
                await fill_and_press(page, page.locator(BUTTON).nth(actions.index(action)))
                await check_soundness(window, subtests)
                if not own_site.state.is_hostile:
                    assert await window.find_violations() == []
                if await page.locator(CONFIRM).count():
                    await fill_and_press(page, page.locator(CONFIRM))
    assert done == {action.path for action in ACTIONS}


BUTTON = "main form[method=post] button:visible"
CONFIRM = "main form[method=post]:has([name=confirm]) button:visible"
LEAD_TO = "all => all.map(one => one.getAttribute('formaction') ?? one.form.getAttribute('action'))"


def find_action(path: str) -> str:
    """The action that a form's path means."""
    (found,) = [one.path for one in ACTIONS if re.fullmatch(re.sub(r"{\w+}", "[^/]+", one.path), path)]
    return found


async def fill_and_press(page: Page, button: Locator) -> None:
    """Fill in the form of a button, as far as it asks for anything, and press it."""
    form = button.locator("xpath=ancestor::form")
    for name, words in (("for", "1h"), ("reason", "a drill")):
        if await form.locator(f"[name={name}]:visible").count():
            await form.locator(f"[name={name}]").fill(words)
    if await form.locator("input[name=id][type=checkbox]").count():
        await form.locator("input[name=id][type=checkbox]").first.check()
    async with page.expect_navigation():
        await button.click()


@awaited
async def test_the_keyboard_is_enough(site: Site, windows: Windows) -> None:
    """Tab goes by what leads past the rest, the views and the filters to the first signal, each time seen; Enter opens it."""
    window = await windows.look_at(site)
    await window.goto("/alerts")
    page, passed = window.page, list[str]()
    while ".signals" not in passed:
        await page.keyboard.press("Tab")
        seen = await page.evaluate(FOCUSED)
        assert seen["is_seen"], seen
        passed.append(seen["where"])
        assert len(passed) < 100
    assert list(dict.fromkeys(passed)) == [".skip", ".top", "nav", "#status", ".tools", ".filters", ".signals"]
    title = await page.locator(":focus").inner_text()
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/signals/*")
    assert title in await page.locator("main").inner_text()
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    assert await page.evaluate("document.activeElement.id") == "main"


@awaited
async def test_pages_work_without_scripts(site: Site, windows: Windows) -> None:
    """Filters are a form, and each one that is on is a link to the list without it."""
    window = await windows.open(site, java_script_enabled=False)
    await window.goto("/alerts")
    page, rows = window.page, window.page.locator(".signals tbody tr")
    everything = await rows.count()
    await page.get_by_label("Medium").check()
    await page.get_by_text("More filters").click()
    await page.get_by_label("Owner", exact=True).fill("web-shop")
    await page.get_by_role("button", name="Filter").click()
    assert parse_qs(urlsplit(page.url).query) == {"severity": ["Medium"], "owner": ["web-shop"]}
    few = await rows.count()
    await page.get_by_role("link", name="owner: web-shop").click()
    assert parse_qs(urlsplit(page.url).query) == {"severity": ["Medium"]}
    assert 0 < few < await rows.count() < everything


@awaited
async def test_a_list_refreshes_itself_until_it_is_paused(own_site: Site, windows: Windows) -> None:
    """Each ten seconds it has what came, and what has the focus keeps it. One that is paused, or hidden, asks for nothing."""
    window = await windows.open(own_site)
    page = window.page
    await page.clock.install()
    await window.goto("/alerts")
    focused = page.locator(".signals tbody tr").last.get_by_role("link").first
    await focused.focus()
    words = await focused.inner_text()
    await page.evaluate("document.getAnimations().find(one => one.animationName === 'aged').finish()")
    assert await page.locator(".aged").is_visible()
    state = own_site.state
    store = open_store(state.place, state.clock)
    router = VirtualRouter(store, state.rules, state.clock, 1_000)
    await router.take(Stream.CWPP, [alert_body("fresh", AlertDisplayName="It came meanwhile")])
    await store.close()
    await page.clock.run_for(10_000)
    await page.get_by_text("It came meanwhile").wait_for()
    assert await page.locator(":focus").inner_text() == words
    await page.locator(".aged").wait_for(state="hidden")

    asked = list[str]()
    page.on("request", lambda request: asked.append(request.url) if "/alerts" in request.url else None)
    await page.get_by_role("link", name="Pause", exact=True).click()
    await page.get_by_role("link", name="Refresh every 10 s").wait_for()
    asked.clear()
    await page.clock.run_for(60_000)
    assert asked == []
    await page.get_by_role("link", name="Refresh every 10 s").click()
    await page.get_by_role("link", name="Pause", exact=True).wait_for()
    await page.evaluate("Object.defineProperty(document, 'hidden', {value: true})")
    asked.clear()
    await page.clock.run_for(60_000)
    assert asked == []
