"""Decisions: the search of every page leads to them or further, filters say which, and a file has them for a spreadsheet."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping
from io import StringIO
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.virtual import Clock, VirtualRouter
from router.app.rules import Rules
from router.console.decisions import COLUMNS, PAGE, lines_of, written
from router.domain.keys import signal_key
from router.domain.signals import Stream
from router.store.codec import PageEnd
from router.store.quarantine import list_quarantined
from router.store.search import DecisionFilter
from router.store.store import Store
from tests.builders import alert_body
from tests.console.sites import Site, own_links_of, served, text_of
from tests.console.states import MACHINE, new_state
from tests.console.test_resource import HOST
from tests.store.acts import ask, run
from tests.store.opened import Place, open_store


def test_the_search_leads_to_what_is_meant(site: Site) -> None:
    """A machine's name to its page, words of a title to the decisions that say them. What there is not is said."""
    assert site.get(f"/decisions?q={MACHINE}").headers["location"] == f"/resource?id={MACHINE}"
    assert site.get(f"/signals/{MACHINE}.json").headers["location"] == f"/decisions.json?q={MACHINE}"
    (found, *_) = site.document("/decisions?outcome=routed&stream=cwpp")["decisions"]
    words = " ".join(found["title"].upper().split()[:3])
    there = site.get(f"/decisions?{urlencode({'q': words})}").headers["location"]
    assert there == f"/decisions?{urlencode({'title': words})}"
    titles = {one["title"] for one in site.document(there)["decisions"]}
    assert found["title"] in titles
    assert all(words.casefold() in title.casefold() for title in titles)
    nowhere = site.get(site.get("/decisions?q=nothing-is-called-so").headers["location"])
    assert "No decision is like that" in text_of(nowhere.text)


def test_what_means_several_signals_lists_each(site: Site) -> None:
    """By the latest decision on each: more is asked for where an id ends as many do."""
    end = site.document("/decisions?outcome=routed&stream=cwpp")["decisions"][0]["id"][-1]
    document = site.document(f"/decisions?q={end}")
    assert len({one["key"] for one in document["decisions"]}) == len(document["decisions"]) > 1
    assert all(one["id"].lower().endswith(end.lower()) for one in document["decisions"])
    assert not document["is_notice"]
    links = own_links_of(site.get(f"/decisions?q={end}").text, site.origin, "/decisions")
    assert {f"{site.origin}/signals/{one['key']}" for one in document["decisions"]} <= links


async def fill_group(store: Store, rules: Rules, clock: Clock) -> Mapping[str, str]:
    """Two alerts about one machine, the graver one after the other."""
    router = VirtualRouter(store, rules, clock)
    for severity in ("Medium", "High"):
        await router.take(Stream.CWPP, [alert_body(severity, Severity=severity, AzureResourceId=HOST)])
        await router.deliver()
    return {}


def test_the_link_of_a_notice_about_several_says_so(place: Place, rules_for: Callable[[str], Rules]) -> None:
    """Nothing is in doubt there: it lists what the notice is about, the gravest first."""
    with served(run(new_state(place, rules_for("busy"), fill_group))) as site:
        life = site.document(f"/signals/{signal_key(Stream.CWPP, 'alert', 'high')}")
        (key,) = {it["group"]["key"] for it in life["destinations"] if it["group"] and it["group"]["signals"] > 1}
        document, said = site.document(f"/decisions?q={key}"), text_of(site.get(f"/decisions?q={key}").text)
        assert site.get(f"/signals/{key}").headers["location"] == f"/decisions?q={key}"
        assert f"This notice is about {len(document['decisions'])} signals" in said
        assert "may be meant" not in said
        assert [one["severity"] for one in document["decisions"]] == ["High", "Medium"]


def test_what_lies_in_quarantine_is_said_to(site: Site) -> None:
    """A person who looks for an id that was not understood learns that nobody was paged, and where it is."""
    store = open_store(site.state.place, site.state.clock)
    entry = ask(store, list_quarantined)[0]
    run(store.close())
    assert site.get(f"/signals/{entry.id}").headers["location"] == f"/decisions?q={entry.id}"
    assert [one["id"] for one in site.document(f"/decisions?q={entry.id}")["quarantined"]] == [entry.id]
    assert "It paged nobody" in site.get(f"/decisions?q={entry.id}").text


@pytest.mark.parametrize(
    "query", ["", "stream=cspm", "outcome=routed&outcome=suppressed&title=e", f"resource={MACHINE}"]
)
def test_a_file_has_what_all_pages_have(site: Site, query: str) -> None:
    """It is to be saved, and never taken for anything but what it is."""
    rows, path = list[dict[str, str]](), f"/decisions?{query}"
    while True:
        document = site.document(path)
        assert len(document["decisions"]) == PAGE or document["after"] is None
        rows += document["decisions"]
        if document["after"] is None:
            break
        path = f"/decisions?{query}&after={document['after']}"
    (link,) = [one for one in own_links_of(site.get(path).text, site.origin, "/") if "/decisions.csv" in one]
    answer = site.get(link)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="decisions.csv"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    found = list(csv.DictReader(StringIO(answer.text, newline="")))
    assert tuple(found[0]) == COLUMNS
    assert [(one["at"], one["key"], one["title"]) for one in found] == [
        (one["at"], one["key"] or "", one["title"] or "") for one in rows
    ]


def test_a_file_says_where_it_is_cut(site: Site) -> None:
    """Its last row says where the rest begins."""
    store = open_store(site.state.place, site.state.clock)
    whole = rows_of(store, None, 10_000)
    after, parts = None, list[list[str]]()
    while True:
        *rows, last = rows_of(store, after, 30)
        if not (
            cut := re.fullmatch(r"cut after 30 decisions: the rest is in decisions\.csv with after=(\S+)", last[0])
        ):
            break
        assert len(rows) == 30
        parts, after = [*parts, *rows], PageEnd.parse(cut[1])
    assert [*parts, *rows, last] == whole
    run(store.close())


def rows_of(store: Store, after: PageEnd | None, most: int) -> list[list[str]]:
    """The rows of a file, without its header."""

    async def text() -> str:
        return "".join([one async for one in lines_of(store, DecisionFilter(), "", after, most)])

    return list(csv.reader(StringIO(run(text()), newline="")))[1:]


@pytest.mark.parametrize("query", ["outcome=lost", "stream=x", "from=noon", "until=1999-99-99", "after=x", "after=1.a"])
def test_a_filter_that_there_is_not_is_refused(site: Site, query: str) -> None:
    """The page says which words there are; so does the file, before any row of it."""
    name = query.partition("=")[0]
    for suffix in ("", ".json", ".csv"):
        answer = site.get(f"/decisions{suffix}?{query}")
        assert answer.status_code == 400
        assert f"{name}:" in answer.text


FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")
CELLS = st.text("=+-@\t\r\n;,\"' \u00a0\uff1da1") | st.text()


@given(st.lists(st.lists(CELLS, min_size=1, max_size=3), min_size=1, max_size=3))
def test_no_cell_is_a_formula(rows: list[list[str]]) -> None:
    """Whatever a message says, also where semicolons part cells; and only apostrophes are added to what it says."""

    def plain(cells: list[list[str]]) -> list[list[str]]:
        return [[one.replace("'", "") for one in row] for row in cells]

    file = written(rows)
    read, apart = (list(csv.reader(StringIO(file, newline=""), delimiter=one)) for one in ",;")
    assert plain(read) == plain(rows)
    assert [one for row in (*read, *apart) for one in row if FORMULA.match(one)] == []
    assert [one for row in read for one in row if one.startswith(("\t", "\r", "\n"))] == []
