"""The console as it is served, and what asks it as a browser would that has opened it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from html import unescape
from html.parser import HTMLParser
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit

import httpx

from router.app.settings import Settings
from router.app.signal_life import facts_of
from router.console.application import Console
from router.console.serving import console_served
from tests.console.states import State
from tests.stack.event_hubs.threads import in_thread
from tests.store.opened import open_store
from tests.waiting import PATIENCE

OWN = {"sec-fetch-site": "same-origin"}
"""What a browser says of a form that one of the console's own pages sends."""

CONSOLE = "https://alerts.contoso.com/console"
"""Where the settings say that people reach it."""


class Site(NamedTuple):
    """A console that is served.

    Attributes:
        opening: the URL that opens it, with its token.
        origin: the same without path and token.
        client: has opened it.
        stranger: has not.
    """

    state: State
    opening: str
    origin: str
    client: httpx.Client
    stranger: httpx.Client

    @property
    def cookie(self) -> tuple[str, str]:
        """The name and the value of the cookie of who opened it."""
        ((name, value),) = self.client.cookies.items()
        return name, value

    def get(self, path: str) -> httpx.Response:
        """What it answers to who has opened it."""
        return self.client.get(path)

    def post(self, path: str, /, **form: str) -> httpx.Response:
        """What it answers to a form of its own; redirects are not followed."""
        return self.client.post(path, data=form, headers=OWN)

    def document(self, path: str) -> Any:
        """The JSON beside a page."""
        path, _, query = path.partition("?")
        answer = self.get(f"{path}.json?{query}")
        assert answer.status_code == 200, (path, answer.text)
        return answer.json()


@contextmanager
def served(state: State) -> Iterator[Site]:
    """A console over a state, in a thread of its own."""
    with in_thread(_served(state), "console") as opening:
        origin = opening.partition("/?")[0]
        with _client(origin) as client, _client(origin) as stranger:
            assert client.get(opening).status_code == 303
            yield Site(state, opening, origin, client, stranger)


@asynccontextmanager
async def _served(state: State) -> AsyncIterator[str]:
    store = open_store(state.place, state.clock)
    try:
        shown = Console(store, state.rules, facts_of(state.rules, None, CONSOLE), ())
        async with console_served(shown, "127.0.0.1:0", "ana@contoso.example", Settings({})) as url:
            yield url
    finally:
        await store.close()


def _client(origin: str) -> httpx.Client:
    return httpx.Client(base_url=origin, trust_env=False, timeout=PATIENCE)


class HtmlReader(HTMLParser):
    """Reads a page's text and the places that it names."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text, self.links, self.tags = "", list[str](), list[tuple[str, dict[str, str | None]]]()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.links += [value for name, value in attrs if tag == "a" and name == "href" and value is not None]

    def handle_data(self, data: str) -> None:
        self.text += data


def text_of(page: str) -> str:
    """What a page says, each run of blanks as one."""
    return re.sub(r"\s+", " ", HtmlReader(page).text)


HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)">')


def confirmed(page: httpx.Response) -> dict[str, str]:
    """What the button of an effect's page sends, without what a person writes there."""
    assert page.status_code == 200
    return {name: unescape(value) for name, value in HIDDEN.findall(page.text)}


def own_links_of(page: str, origin: str, path: str) -> set[str]:
    """The pages of the same console that a page leads to, without fragments."""
    found = (urljoin(f"{origin}{path}", link).partition("#")[0] for link in HtmlReader(page).links)
    return {one for one in found if urlsplit(one)[:2] == urlsplit(origin)[:2]}
