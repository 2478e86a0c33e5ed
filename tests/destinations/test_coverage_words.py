"""What people read of a finding about coverage."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from router.destinations.paging import details_of
from router.destinations.wording.facts import coverage_words
from router.destinations.wording.headlines import reporter_of
from router.destinations.wording.plain_text import text_of
from router.domain.coverage import Rung
from router.domain.decisions import Change
from router.domain.notices import Notice
from router.domain.recommendations import EDR_INSTALLED, RECOMMENDATIONS
from tests.destinations.builders import a_briefing, a_finding

PROFILE = "56a83a6e-c417-42ec-b567-1e6fcb3d09a9"


def without_a_sensor(**changes: Any) -> Notice:
    """A machine without a sensor, which Defender calls low."""
    return a_finding(**{"type": EDR_INSTALLED, "severity": "High", "severity_written": "Low"} | changes)


def silence_of(rung: str) -> Notice:
    """What the router says of a source that is silent."""
    return a_finding(kind="coverage", type=rung, severity="Medium", severity_written="High", remediation=())


def test_a_ticket_says_which_rung_is_missing_and_what_comes_of_that() -> None:
    """Beside its severity, whose two authors it names."""
    lines = text_of(a_briefing(without_a_sensor()), 10_000).splitlines()
    assert lines[lines.index("Severity: High") + 1] == (
        "Not watched: sensor-installed: no sensor is there, so what happens inside raises no alert"
        "; High by the policy, Defender says Low"
    )
    assert lines[-1] != "" and any("alert-router coverage check" in line for line in lines)


def test_it_does_so_as_a_detail_too_until_it_is_over() -> None:
    """Rules of pagers and searches may ask for it."""
    notice = without_a_sensor(severity_written=" high ", remediation=("Deploy it.",))
    told = details_of(a_briefing(notice))
    assert told["not_watched"] == "sensor-installed: no sensor is there, so what happens inside raises no alert"
    assert told["remediation"][0] == "Deploy it." and len(told["remediation"]) == 3
    over = details_of(a_briefing(notice, Change.RESOLVED))
    assert ("not_watched" not in over, over["remediation"]) == (True, ("Deploy it.",))


@pytest.mark.parametrize("one", RECOMMENDATIONS, ids=lambda one: one.key or one.title)
def test_each_recommendation_that_counts_has_words_and_something_to_do(one: Any) -> None:
    """Also where the message has no remediation; what is known of it is told, such as that Helm leaves it unhealthy."""
    notice = without_a_sensor(type=one.key or "f00d", title=one.title, remediation=())
    words, steps = coverage_words(notice, is_over=False), details_of(a_briefing(notice)).get("remediation", ())
    assert (words is not None, bool(steps)) == (not one.is_deprecated, not one.is_deprecated)
    if not one.is_deprecated:
        assert words is not None and words.startswith(f"{one.rung}: ")
        assert all(any(it in step for step in steps) for it in filter(None, (one.note, one.plan)))


@pytest.mark.parametrize("rung", list(Rung))
def test_a_silent_source_is_the_router_s_own_word(rung: Rung) -> None:
    """No page of Defender's says so."""
    notice = silence_of(rung)
    assert coverage_words(notice, is_over=False) == (
        f"{rung}: coverage.yaml expects it, and nothing was heard of it for too long, so what happens there may tell nobody"
    )
    assert reporter_of(notice) == "alert-router"
    assert details_of(a_briefing(notice))["remediation"]
    told = replace(notice, remediation=("Look at continuous export.",))
    assert details_of(a_briefing(told))["remediation"] == ("Look at continuous export.",)


def test_any_other_finding_says_nothing_of_coverage() -> None:
    """And has no more to do than its message says."""
    notice = a_finding(remediation=("Close it.",))
    assert coverage_words(notice, is_over=False) is None
    assert details_of(a_briefing(notice))["remediation"] == ("Close it.",)
    assert coverage_words(silence_of("odd"), is_over=False)
