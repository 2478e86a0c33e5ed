"""A resource's page: what is on it, in the order in which people answer it, and whose it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest

from benchmarks.virtual import Clock, VirtualRouter
from router.app.rules import Rules
from router.console.resource import MOST
from router.domain.decisions import Outcome
from router.domain.signals import Stream
from router.store.decisions import put_on_record
from router.store.signals import write_signals
from router.store.store import Store
from tests.builders import NOW, alert_body, finding_body
from tests.console.sites import Site, own_links_of, served, text_of
from tests.console.states import MACHINE, PRODUCTION, new_state
from tests.store.acts import SECOND, run
from tests.store.builders import a_row, an_entry
from tests.store.opened import Place

HOST = f"/subscriptions/{PRODUCTION}/resourceGroups/rg-web/providers/Microsoft.Compute/virtualMachines/web-lin-09"


async def fill_host(store: Store, rules: Rules, clock: Clock) -> Mapping[str, str]:
    """A machine with an alert of 30 days ago, one that is over, one that stands, one below the floor, and two findings."""
    router, there = VirtualRouter(store, rules, clock), {"AzureResourceId": HOST}
    over = {**there, "AlertDisplayName": "Over", "Severity": "High"}
    clock.now = NOW - timedelta(days=30)
    await router.take(Stream.CWPP, [alert_body("old", AlertDisplayName="Old", **there), alert_body("old-over", **over)])
    await router.take(Stream.CWPP, [alert_body("old-over", Status="Resolved", **over)])
    clock.now = NOW - timedelta(days=1)
    await router.take(Stream.CWPP, [alert_body("over", **over)])
    await router.take(Stream.CWPP, [alert_body("over", Status="Resolved", **over)])
    medium, low = ({"Severity": one, "AlertDisplayName": one} for one in ("Medium", "Informational"))
    await router.take(Stream.CWPP, [alert_body("medium", **there, **medium), alert_body("low", **there, **low)])
    await router.take(
        Stream.CSPM, [finding_body(title="Patch it", resource=HOST), finding_body("b", title="Close it", resource=HOST)]
    )
    await router.take(Stream.CWPP, [alert_body("other", AzureResourceId=f"{HOST}0")])
    await router.deliver()
    return {}


def test_what_stands_on_a_machine_comes_first(place: Place, rules_for: Callable[[str], Rules]) -> None:
    """Alerts beside findings, each by outcome, with its owner. What stands is on it however old; the rest by its days."""
    with served(run(new_state(place, rules_for("busy"), fill_host))) as site:
        week, quarter = (site.document(f"/resource?{urlencode({'id': HOST, 'days': days})}") for days in (7, 90))
        assert [one["title"] for one in week["signals"]["cwpp"]] == ["Old", "Medium", "Over", "Informational"]
        assert [one["became"] for one in week["signals"]["cwpp"]] == ["routed", "routed", "over", "below floor"]
        assert {one["title"] for one in week["signals"]["cspm"]} == {"Patch it", "Close it"}
        assert [one["title"] for one in quarter["signals"]["cwpp"]] == [
            "Old",
            "Medium",
            "Over",
            "Over",
            "Informational",
        ]
        assert [(one["days"], one["cwpp"], one["cspm"]) for one in week["spans"]] == [(7, 4, 2), (90, 5, 2)]
        assert quarter["outcomes"]["cwpp"] == {"routed": 2, "over": 2, "below floor": 1}
        assert (week["resource"]["owner"], week["resource"]["id"], week["after"]) == ("web-shop", HOST, None)
        page = site.get(f"/resource?{urlencode({'id': HOST})}")
        links = own_links_of(page.text, site.origin, "/resource")
        assert {f"{site.origin}/signals/{one['key']}" for some in week["signals"].values() for one in some} <= links
        ending = site.get("/resource?id=WEB-LIN-09&days=90")
        assert (ending.status_code, ending.headers["location"]) == (
            303,
            f"/resource?id={quote(HOST.lower(), safe='')}&days=90",
        )
        assert site.get("/resource?id=90").headers["location"].endswith("web-lin-090&days=7")


async def fill_crowd(store: Store, rules: Rules, clock: Clock) -> Mapping[str, str]:
    """A machine of which more is kept than one page looks at."""
    keys = [f"{n:032x}" for n in range(MOST + 1)]
    rows = [a_row(key, outcome=Outcome.BELOW_FLOOR, open={}, forwarded=False, heard=NOW - SECOND) for key in keys]
    async with store.session() as tx:
        await write_signals(tx, rows)
        entries = [
            an_entry(
                f"hub/0:{key}",
                signal=key,
                id=key,
                stream="cwpp",
                resource=HOST,
                outcome="below_floor",
                at=(NOW - SECOND).isoformat(),
            )
            for key in keys
        ]
        await put_on_record(tx, entries)
    return {}


def test_a_page_looks_at_so_many_signals_and_says_so(tmp_path: Path, rules_for: Callable[[str], Rules]) -> None:
    """What changed earlier is on the next page, which is a URL."""
    with served(run(new_state(tmp_path / "state", rules_for("busy"), fill_crowd))) as site:
        path = f"/resource?{urlencode({'id': HOST})}"
        first = site.document(path)
        assert (first["looked_at"], len(first["signals"]["cwpp"])) == (MOST, MOST)
        page = site.get(path)
        assert f"{MOST} signals were looked at" in text_of(page.text)
        (link,) = [one for one in own_links_of(page.text, site.origin, "/resource") if "after=" in one]
        rest = site.document(link.removeprefix(site.origin))
        assert rest["after"] is None
        assert {one["key"] for one in rest["signals"]["cwpp"]} | {one["key"] for one in first["signals"]["cwpp"]} == {
            f"{n:032x}" for n in range(MOST + 1)
        }


@pytest.mark.parametrize("query", ["days=8", "days=x", "after=x", "after=1"])
def test_what_no_page_has_is_refused(site: Site, query: str) -> None:
    """With the word that is wrong."""
    answer = site.get(f"/resource.json?id={MACHINE}&{query}")
    assert (answer.status_code, answer.json()["error"].partition(":")[0]) == (400, query.partition("=")[0])


def test_without_an_id_there_is_a_search(site: Site) -> None:
    """It finds by the end of a name, and lists what several are called."""
    assert site.document("/resource")["resource"] is None
    assert 'name="id"' in site.get("/resource").text
    assert len(site.document("/resource?id=n-01")["resources"]) > 1
    assert site.document("/resource?id=nothing-is-called-so")["resource"] is None
    page = site.get("/resource?id=nothing-is-called-so").text
    assert "Not known" in text_of(page)
    assert 'name="id"' in page


def test_a_host_is_silenced_from_its_page(site: Site) -> None:
    """The form is filled in with the host, whatever its last signal was."""
    path = site.state.url("/resource")
    (link,) = [one for one in own_links_of(site.get(path).text, site.origin, "/resource") if "/silences/new" in one]
    assert link == f"{site.origin}/silences/new?stream=cwpp&host={MACHINE}"
    assert site.get(link).status_code == 200
