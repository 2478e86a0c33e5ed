"""`coverage report`: a page that a SOC lead can show."""

from __future__ import annotations

import json

import pytest

from router.cli.coverage_page import page_of
from router.cli.coverage_summary import GateReport
from router.domain.coverage import CoverageState
from tests.cli.house import House
from tests.coverage.builders import NOW, document, judged, kubectl, managed_cluster, nodes, sensor
from tests.pictures.browser import PHONE, find_browser, started

LONG = "cluster-with-a-name-" + "x" * 200
ACTING = '<script>document.title="taken"</script><img src=x onerror=alert(1)>'


def report() -> GateReport:
    """A page with something in most states, and names that would act."""
    result = judged(
        document(kubectl(*sensor(), *nodes()), "healthy.json", "healthy"),
        document(kubectl(*sensor(ready=0), *nodes()), f"{ACTING}.json", ACTING),
        document(kubectl(*sensor()), "unasked.json", LONG),
        document({"hello": "world"}, "other.json"),
        managed_cluster(),
    )
    return GateReport(result, ("bad.json: is empty",), False, None)


def test_the_page_says_all_in_words() -> None:
    """Each state is a word, each workload a row, each gap with what was seen; what was not judged is there, too."""
    page = page_of(report(), NOW)
    for state in (CoverageState.COVERED, CoverageState.GAP, CoverageState.UNKNOWN):
        assert f">{state}</td>" in page
    for said in ("healthy", LONG, "status.numberReady", "other.json: not used", "bad.json: is empty"):
        assert said in page


def test_nothing_on_the_page_acts() -> None:
    """It has no scripts, allows none, and shows the names that would be some."""
    page = page_of(report(), NOW)
    assert "<script" not in page
    assert "<img" not in page
    assert "default-src &#x27;none&#x27;" in page or "default-src 'none'" in page
    assert "&lt;script&gt;" in page


@pytest.mark.skipif(find_browser() is None, reason="needs Chromium, which draws the page")
def test_the_page_fits_a_screen() -> None:
    """Nothing is cut off at the side, nothing goes wrong, and no name has become a script. On a phone the tables scroll."""
    with started() as browser:
        for width in (PHONE[0], 1280):
            shown = browser.show(page_of(report(), NOW), width)
            assert shown.problems == ()
            assert "healthy" in shown.text
    assert shown.width == 1280


def test_it_is_written_whatever_is_missing(house: House) -> None:
    """It is a picture and no gate; an older one is written over, and what cannot be written is named."""
    house.writes("dark.json", json.dumps(kubectl(*sensor(ready=0), *nodes())))
    for _ in range(2):
        said = house.says("coverage", "report", "--out", "page.html", "dark.json")
        assert said.code == 0
        assert said.out.endswith("page  page.html\n")
    said = house.says("coverage", "report", "--out", "no/such/directory.html", "dark.json")
    assert (said.code, said.err) == (
        2,
        "no/such/directory.html: the page cannot be written there: No such file or directory\n",
    )
