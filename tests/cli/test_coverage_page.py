"""`coverage report`: a page that a SOC lead can show."""

from __future__ import annotations

import json
import re
from html import unescape

import pytest

from router.coverage.documents import dated
from router.coverage.report.findings import GateReport, evidence_line
from router.coverage.report.page import render_page
from router.coverage.verdicts import CoverageEvidence, CoverageState
from router.domain.coverage_sources import CoverageSourceKind
from tests.cli.house import House
from tests.cli.transcripts import Transcript
from tests.coverage.builders import (
    CLUSTER,
    NOW,
    SUBSCRIPTION,
    document,
    judged,
    kubectl,
    managed_cluster,
    nodes,
    pricing,
    sensor,
)
from tests.coverage.machine_builders import ago, all_healthy
from tests.coverage.stored_builders import drill, heard, of_state, said
from tests.pictures.browser import PHONE, find_browser, show

LONG = "cluster-with-a-name-" + "x" * 200
PLACE = "/home/ana/work/" + "estate-of-" * 20
ACTING = '<script>document.title="taken"</script><img src=x onerror=alert(1)>{{ 7 * 7 }}'


def report() -> GateReport:
    """A page with something in most states, and names that would act."""
    result = judged(
        document(kubectl(*sensor(), *nodes()), "healthy.json", "healthy"),
        document(kubectl(*sensor(ready=0), *nodes()), f"{ACTING}.json", ACTING),
        document(kubectl(*sensor()), "unasked.json", LONG),
        document(pricing("Containers", enablementTime="2026-02-03T00:00:00Z"), f"{PLACE}/pricings.json"),
        document({"hello": "world"}, "other.json"),
        managed_cluster(),
        *of_state(
            said(*all_healthy(), seen=ago(days=3)),
            heard(posture=ago(days=2), snapshot=ago(days=2), healthy=ago(days=2), alert=ago(hours=5)),
            heard(subject="22222222-2222-2222-2222-222222222222", posture=ago(days=9), alert=ago(hours=1)),
            heard(
                CoverageSourceKind.CLUSTER,
                CLUSTER.lower(),
                posture=ago(minutes=7),
                real_alert=ago(days=40),
                alert=ago(days=4),
            ),
            heard(CoverageSourceKind.PLAN, SUBSCRIPTION, plan="Containers", posture=ago(days=8, minutes=1)),
            heard(CoverageSourceKind.OWNER, f"{ACTING}@contoso.example", alert=ago(days=6), real_alert=ago(days=60)),
            drill("failed", reason=ACTING, destinations=[{"name": ACTING, "verdict": "failed"}]),
        ),
        dated(document(managed_cluster(f"{CLUSTER}-live"), "clusters of Azure"), NOW),
    )
    others = {"stream (.state)": "the state .state"}
    return GateReport(result, ("bad.json: is empty",), False, None, others=others)


def test_the_page_says_all_in_words_and_nothing_on_it_acts() -> None:
    """Each state is a word, each workload a row, each gap with what was seen; what was not judged is there, too.

    It has no scripts, allows none, and shows the names that would be some.
    """
    page = render_page(report(), NOW)
    for state in (CoverageState.COVERED, CoverageState.GAP, CoverageState.UNKNOWN):
        assert re.search(rf">{state}(?:<br>|</td>)", page)
    for text in ("healthy", LONG, "status.numberReady", "other.json: not used", "bad.json: is empty", "&lt;script&gt;"):
        assert text in page
    assert "<script" not in page and "<img" not in page and "{{ 7 * 7 }}" in page
    assert "default-src &#x27;none&#x27;" in page or "default-src 'none'" in page


@pytest.mark.skipif(find_browser() is None, reason="needs Chromium, which draws the page")
def test_the_page_fits_a_screen() -> None:
    """Nothing is cut off at the side, nothing goes wrong, and no name has become a script. On a phone the tables scroll."""
    for width in (PHONE[0], 1280):
        (shown,) = show(render_page(report(), NOW), width=width)
        assert shown.problems == []
        assert "healthy" in shown.text
    assert shown.width == 1280


def rows(page: str) -> str:
    """The rows of each section's table as people read them, with a bar between two cells."""
    lines = []
    for section in page.split("<section>")[1:]:
        found = [
            f"<b>{section.partition('<h2>')[2].partition('</h2>')[0]}</b>",
            *re.findall(r"<tr>(.*?)</tr>", section),
        ]
        lines += [unescape(re.sub(r"<[^>]+>", "", re.sub(r"</t[dh]><t[dh]", " | <td", one))) for one in found]
    return "\n".join(lines)


def test_the_page_says_what_each_cell_rests_on_and_how_old_that_is(transcript: Transcript) -> None:
    """By its oldest evidence; an answer of just now, what a message said, and a file of which nobody knows its age.

    It says when each source was last heard of, with its allowed silence, which no alert ends. Whether silence of a plan says
    anything depends on what its subscription's snapshots bring.
    """
    page = render_page(report(), NOW)
    transcript.notes("page", rows(page))
    assert page.count("No age stands beside a file that does not say when it was printed.") == 1
    assert "no time said" not in page
    assert '<time datetime="2026-11-22T12:00:00Z" title="2026-11-22T12:00:00Z">3 days ago</time>' in page
    without = render_page(GateReport(judged(managed_cluster()), (), False, None), NOW)
    assert "last heard of" not in without and "last alert" not in without and "Drills" not in without


def test_evidence_is_a_sentence() -> None:
    """Also of a list, of which what it holds is said."""
    for evidence, line in (
        (("ds.json", "items", "no DaemonSet of Defender"), "ds.json: its items hold no DaemonSet of Defender"),
        (("nodes.json", "items", ""), "nodes.json: its items are not there"),
        (("a.json", "spec.x", "1", "2026-11-20T00:00:00Z"), "a.json: spec.x is 1 at 2026-11-20T00:00:00Z"),
    ):
        assert evidence_line(CoverageEvidence(*evidence), NOW) == line


def test_it_is_written_whatever_is_missing(house: House) -> None:
    """It is a picture and no gate; an older one is written over, and what cannot be written is named."""
    house.writes("dark.json", json.dumps(kubectl(*sensor(ready=0), *nodes())))
    for _ in range(2):
        done = house.says("coverage", "report", "--out", "page.html", "dark.json")
        assert done.code == 0
        assert done.out.endswith("page  page.html\n")
    done = house.says("coverage", "report", "--out", "no/such.html", "dark.json")
    assert done.complaint == "no/such.html: the page cannot be written there: No such file or directory"
