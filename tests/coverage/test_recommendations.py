"""The table of recommendations, and what an assessment says."""

from collections import Counter
from copy import replace

import pytest

from router.coverage.facts import RecommendationFact
from router.coverage.readers import read_facts
from router.domain import recommendations
from router.domain.coverage import Rung, WorkloadKind
from router.domain.recommendations import EDR_INSTALLED, EDR_RUNNING, RECOMMENDATIONS, SQL_PROTECTED, find_missing_rung
from router.domain.rule_fields import rule_fields_of, signal_of
from router.domain.signals import Finding, Kind
from router.rulebook.catalogue import rows_of
from tests.builders import a_finding
from tests.coverage.builders import COVERED, MACHINE, SUBSCRIPTION, UNKNOWN, document, judged, verdict
from tests.coverage.kubernetes_builders import as_object
from tests.coverage.machine_builders import POSTURE, assessment, joined, machine
from tests.coverage_messages import a_coverage_finding


def facts_in(said: object) -> list[tuple[str, str, str]]:
    """What a document says of recommendations: of what, with which code and cause."""
    facts = (one for one in read_facts(document(said)) if isinstance(one, RecommendationFact))
    return [(one.subject, one.code, one.cause) for one in facts]


def test_what_others_may_write_covers_nothing(subtests: pytest.Subtests) -> None:
    """Of a type that is not shown to be Defender's, or about what its id does not hang on: that contradicts itself."""
    for type, by_title, by_key in (
        *(("BuiltIn", True, True), ("DynamicBuiltIn", True, True), (None, False, True)),
        *((name, False, False) for name in ("CustomerManaged", "ManualCustomPolicy", "VerifiedPartner")),
    ):
        for said in ({"assessmentType": type}, {"metadata": {"assessmentType": type}}):
            for key, counts in (("another", by_title), (EDR_INSTALLED, by_key)):
                with subtests.test(key=key, said=said):
                    one = assessment(key, title="EDR solution should be installed on Virtual Machines", type=None)
                    given = {**one, "properties": {**as_object(one, "properties"), **said}}
                    found = judged(machine(), joined(None, None), POSTURE, given)
                    assert (verdict(found, "web-1", Rung.SENSOR_INSTALLED).state is COVERED) is counts
    theirs = MACHINE.replace(SUBSCRIPTION, "99999999-9999-9999-9999-999999999999")
    for name in ("id", "Id", "resourceId", "azureResourceId", "nativeResourceId"):
        others = [(one, MACHINE) for one in (theirs, f"/subscriptions/{SUBSCRIPTION}", "")]
        for hangs_on, named in ((MACHINE, theirs), *others):
            details = {"source": "Azure", name: named}
            properties = {"status": {"code": "Healthy"}, "resourceDetails": details}
            one = {**assessment(EDR_INSTALLED, of=hangs_on), "properties": properties}
            found = judged(machine(), joined(None, None), POSTURE, one)
            assert verdict(found, "web-1", Rung.SENSOR_INSTALLED).state is UNKNOWN, (name, hangs_on)


def test_each_row_of_the_table_is_found_and_means_one_rung() -> None:
    """By a key that stands once, before its title, in any case, with or without Preview. No judge builds on what is retired."""
    keys = Counter(one.key for one in RECOMMENDATIONS if one.key)
    titles = Counter(one.title.lower() for one in RECOMMENDATIONS if one.has_official_title)
    assert {*keys.values(), *titles.values()} == {1}
    for one in RECOMMENDATIONS:
        is_found = one.has_official_title if one.key is None else one.key == one.key.lower() and len(one.key) == 36
        assert (is_found, one.plan is not None) == (True, one.rung is Rung.PLAN), one.title
    in_force = {one.key for one in RECOMMENDATIONS if one.retired is None}
    assert {EDR_INSTALLED, *EDR_RUNNING} <= in_force
    assert not in_force & {key for key, *_ in rows_of("retired.tsv")}
    retired = Counter(one.is_deprecated for one in RECOMMENDATIONS if one.retired is not None)
    assert retired == {True: 10, False: 4}
    title = "EDR solution should be installed on Virtual Machines"
    for key, said in (
        *((EDR_INSTALLED.upper(), ""), (EDR_INSTALLED, SQL_PROTECTED), (f"{{{EDR_INSTALLED}}}", "another")),
        *(("0", title.lower()), ("0", f"[Preview]: {title}"), ("0", f"{title} (Preview)")),
        ("0", "Preview: EDR solution should be installed on\u00a0Virtual Machines\u200b."),
    ):
        known = recommendations.find_recommendation(key, said)
        assert known is not None and known.key == EDR_INSTALLED, (key, said)
    for key, said in (("0", title.rpartition(" on")[0]), ("0", "the antivirus is off or partly configured"), ("", "")):
        assert recommendations.find_recommendation(key, said) is None
    known = recommendations.find_recommendation("f00d", SQL_PROTECTED.upper())
    assert known is not None and (known.key, known.kinds) == (None, (WorkloadKind.SQL_ON_MACHINE,))


def test_a_recommendation_says_which_rung_is_missing_unless_it_is_deprecated(subtests: pytest.Subtests) -> None:
    """As in what is kept of it. The type of a finding of our own is the rung; no other kind is about one."""
    for one in RECOMMENDATIONS:
        with subtests.test(one.key or one.title):
            missing = None if one.is_deprecated else one.rung
            finding = a_coverage_finding(f" {one.key.upper()} " if one.key else "f00d", title=f"{one.title} (Preview)")
            again = signal_of(rule_fields_of(finding))
            assert isinstance(again, Finding)
            assert [(it.rung, it.is_about_coverage) for it in (finding, again)] == [(missing, missing is not None)] * 2
    for type in (*Rung, "odd"):
        own = replace(a_finding(), kind=Kind.COVERAGE, type=type, rung=find_missing_rung(Kind.COVERAGE, type, ""))
        assert (own.rung, own.is_about_coverage) == (type if type != "odd" else None, True)
        assert find_missing_rung(Kind.RECOMMENDATION, type, "") is None
    assert find_missing_rung(Kind.VULNERABILITY, EDR_INSTALLED, SQL_PROTECTED) is None


def test_an_assessment_says_its_resource_its_status_and_since_when() -> None:
    """As REST answers and as `az` lifts it; one that is retired, or about something else, names no workload."""
    answer = document({"value": [assessment(EDR_INSTALLED, "Unhealthy", title="EDR", at="2026-11-01T00:00:00Z")]})
    (fact,) = (one for one in read_facts(answer) if isinstance(one, RecommendationFact))
    assert (fact.subject, fact.recommendation, fact.code) == (MACHINE.lower(), EDR_INSTALLED, "unhealthy")
    assert fact.source.shows("status.code", fact.code).time == "2026-11-01T00:00:00Z"
    said = assessment(EDR_INSTALLED, "NotApplicable", cause="OffByPolicy")
    bare = {key: value for key, value in said.items() if key != "properties"}
    status = {"code": "NotApplicable", "cause": "OffByPolicy", "description": None}
    flat = {**bare, "displayName": "", "resourceDetails": {"id": MACHINE, "source": "Azure"}, "status": status}
    projected = {**bare, "properties": {"status": status}}
    assert (
        facts_in([flat]) == facts_in(said) == facts_in(projected) == [(MACHINE.lower(), "notapplicable", "offbypolicy")]
    )
    for key, listed in ((EDR_INSTALLED, ["web-1"]), ("dc5357d0-3858-4d17-a1a3-072840bff5be", []), ("f00d", [])):
        assert [row.workload.name for row in judged(assessment(key, "Unhealthy")).assessed.rows] == listed
