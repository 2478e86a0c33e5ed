"""The page on coverage: what is paid for and dark comes first, and what has nothing to show says which command fills it."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import pytest

from router.domain.coverage import Rung
from router.domain.documents import DocumentKind, StoredDocument
from router.store.documents import put_document
from tests.builders import NOW
from tests.console.sites import Site, text_of
from tests.console.states import ESTATE, PRODUCTION
from tests.docs.pages import page, spans
from tests.store.acts import ask, run
from tests.store.opened import open_store


def names(site: Site, query: str = "") -> list[str]:
    """The workloads of a page."""
    return [one["name"] for one in site.document(f"/coverage?{query}")["workloads"]]


def test_what_is_paid_for_and_dark_comes_first(site: Site) -> None:
    """Before gaps where no plan is on; then what is not known, what is excused, and what is covered, which is paged."""
    document, said = site.document("/coverage"), text_of(site.get("/coverage").text)
    first = "1 workload is paid for and dark: the plan is on, and a sensor is not there or does not run."
    assert said.index(first) < said.index("aks-payouts") < said.index("aks-free")
    check = document["check"]
    assert (check["dark"], check["unseen"], check["is_old"], document["count"]) == (1, 1, False, len(ESTATE))
    assert names(site)[:4] == ["aks-payouts", "aks-free", "aks-ledger", "aks-old"]
    assert [one["sensor"] for one in document["workloads"][:4]] == ["dark", None, "unseen", None]
    assert document["workloads"][0]["rungs"]["sensor-running"]["remedies"] == [
        ESTATE[-1].verdicts[Rung.SENSOR_RUNNING].remedy
    ]
    rest = names(site, f"after={quote(document['after'], safe='')}")
    assert sorted([*names(site), *rest]) == sorted(one.workload.name for one in ESTATE)


def test_a_filter_is_in_the_url(site: Site) -> None:
    """By a verdict, on one rung, by a subscription; what there is not is said."""
    assert names(site, "verdict=gap") == ["aks-payouts", "aks-free"]
    assert names(site, "verdict=gap&rung=plan") == ["aks-free"]
    assert names(site, "sensor=unseen") == ["aks-ledger"]
    assert names(site, "rung=export") == names(site, "subscription=1") == []
    assert names(site, f"verdict=excused&subscription={PRODUCTION.upper()}") == ["aks-old"]
    for query in ("verdict=bad", "rung=bad", "sensor=bad", "after=bad"):
        assert site.get(f"/coverage?{query}").status_code == 400


@pytest.mark.parametrize("own_site", ["empty"], indirect=True)
def test_an_empty_page_says_what_fills_it(own_site: Site, site_of: Callable[[str], Site]) -> None:
    """Which command keeps a check, drafts what is expected, and drills; a check that cannot be read is one to be made anew."""
    said = text_of(own_site.get("/coverage").text)
    for command in (
        "coverage check --live --state STATE --keep-verdicts",
        "coverage init --out",
        "drill --subscription",
    ):
        assert f"alert-router {command}" in said
    store = open_store(own_site.state.place, own_site.state.clock)
    ask(store, put_document, StoredDocument(kind=DocumentKind.COVERAGE, id="check", at=NOW, body=b"?"))
    run(store.close())
    assert "What a check kept cannot be read; keep another one." in text_of(own_site.get("/coverage").text)


def test_each_key_is_in_the_papers(site: Site) -> None:
    """Other programs read the page's JSON by docs/console.md."""
    told = {name for row in page("docs/console.md").table("Coverage", "key") for name in spans(row["key"])}
    assert told == set(site.document("/coverage"))
