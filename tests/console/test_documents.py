"""What views say: the same as a page and as JSON, the same over both engines, and no link leads to what is not there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from router.app.rules import Rules
from router.console.views import VIEWS
from tests.console.sites import Site, own_links_of, served, text_of
from tests.console.states import CLIMBING, LONG, fill_busy, new_state
from tests.store.acts import run

SHOWN = frozenset(
    {"title", "where", "owner", "reason", "author", "name", "type", "error", "why", "severity", "problems"}
)
"""The keys of a document whose texts are people's: what stands under them in JSON stands on the page, too."""


def shown_in(document: Any) -> Iterator[str]:
    """The texts of a document that people read."""
    if isinstance(document, list):
        for one in document:
            yield from shown_in(one)
    elif isinstance(document, dict):
        for key, value in document.items():
            if key in SHOWN:
                yield from (one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str))
            yield from shown_in(value)


def test_a_page_shows_what_its_json_says(site: Site, subtests: pytest.Subtests) -> None:
    """Each text of each view that people read; a page's own link leads to its JSON."""
    for view in VIEWS:
        path = site.state.url(view.path)
        with subtests.test(path):
            page = site.get(path)
            assert page.status_code == 200
            (beside,) = [one for one in own_links_of(page.text, site.origin, path) if ".json" in urlsplit(one).path]
            document = site.get(beside).json()
            assert document == site.document(path)
            said = text_of(page.text)
            assert [text for text in shown_in(document) if re.sub(r"\s+", " ", text.strip()) not in said] == []


def test_every_view_has_something_to_show(
    site: Site, site_of: Callable[[str], Site], subtests: pytest.Subtests
) -> None:
    """A view that is as empty over a busy state as over an empty one would prove nothing in the other tests."""
    empty = site_of("empty")
    for view in VIEWS:
        with subtests.test(view.path):
            document = site.document(site.state.url(view.path))
            assert list(shown_in(document))
            if "{" not in view.path:
                assert document != empty.document(view.path)


def test_views_say_the_same_over_both_engines(
    site: Site, rules_for: Callable[[str], Rules], database: str, subtests: pytest.Subtests
) -> None:
    """What is asked of SQLite is asked of PostgreSQL, and answered in the same order."""
    with served(run(new_state(database, rules_for("busy"), fill_busy))) as other:
        assert other.state.paths == site.state.paths
        for view in VIEWS:
            path = site.state.url(view.path)
            with subtests.test(path):
                assert numbered_anyhow(other.document(path)) == numbered_anyhow(site.document(path))
                assert other.get(path).status_code == 200


def numbered_anyhow(document: Any) -> Any:
    """A document without the row at which its page ends: each engine numbers its rows itself."""
    return {name: str(value).rpartition(".")[0] if name == "after" else value for name, value in document.items()}


@pytest.mark.parametrize("name", ["busy", "hostile"])
def test_no_link_leads_to_what_is_not_there(name: str, site_of: Callable[[str], Site]) -> None:
    """Of every view, whatever ids and names are in it."""
    site = site_of(name)
    pages = {path: site.get(path) for path in (site.state.url(view.path) for view in VIEWS)}
    assert {path: page.status_code for path, page in pages.items()} == dict.fromkeys(pages, 200)
    links = {link for path, page in pages.items() for link in own_links_of(page.text, site.origin, path)}
    # What is no signal, such as a group, is looked for.
    assert {
        link: answer.status_code for link in links if (answer := site.get(link)).status_code not in (200, 303)
    } == {}


def test_a_page_is_as_short_as_people_read(site_of: Callable[[str], Site], subtests: pytest.Subtests) -> None:
    """A name of 100 KB is cut in a list, and an id that looks like a path is asked for as it is."""
    hostile = site_of("hostile")
    for view in VIEWS:
        with subtests.test(view.path):
            page = hostile.get(hostile.state.url(view.path))
            assert LONG[:10_000] not in page.text
            assert len(page.content) < 500_000
    (link,) = [
        one for one in own_links_of(hostile.get("/alerts").text, hostile.origin, "/alerts") if "id=..%2F..%2Fx" in one
    ]
    assert hostile.get(link).request.url.params["id"] == CLIMBING
