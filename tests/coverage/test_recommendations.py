"""The table of recommendations, and what an assessment says."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest

from router.coverage.facts import RecommendationFact
from router.coverage.readers import read_facts
from router.coverage.verdicts import CoverageState
from router.domain.coverage import Rung, WorkloadKind
from router.domain.recommendations import (
    EDR_INSTALLED,
    EDR_RUNNING,
    RECOMMENDATIONS,
    SQL_PROTECTED,
    CoverageRecommendation,
    find_missing_rung,
    find_recommendation,
)
from router.domain.rule_fields import rule_fields_of, signal_of
from router.domain.signals import Finding, Kind
from router.rulebook.catalogue import rows_of
from tests.builders import a_finding
from tests.coverage.builders import MACHINE, SUBSCRIPTION, document, judged, verdict
from tests.coverage.machine_builders import POSTURE, assessment, joined, machine
from tests.coverage.sample_rows import answers_in
from tests.coverage_messages import a_coverage_finding
from tests.samples import SAMPLES

_SUBSCRIPTION = "/subscriptions/20ff7fc3-e762-44dd-bd96-b71116dcdc23"
VMSS = f"{_SUBSCRIPTION}/resourcegroups/myrg/providers/microsoft.compute/virtualmachinescalesets"


def facts_in(said: object) -> list[RecommendationFact]:
    """What a document says of recommendations."""
    return [one for one in read_facts(document(said)) if isinstance(one, RecommendationFact)]


@pytest.mark.parametrize(
    ("type", "by_title", "by_key"),
    [
        ("BuiltIn", True, True),
        ("DynamicBuiltIn", True, True),
        (None, False, True),
        ("CustomerManaged", False, False),
        ("ManualCustomPolicy", False, False),
        ("VerifiedPartner", False, False),
    ],
)
@pytest.mark.parametrize("is_flat", [True, False])
def test_what_nobody_shows_to_be_defenders_covers_nothing(
    type: str | None, by_title: bool, by_key: bool, is_flat: bool
) -> None:
    """Whoever may write recommendations calls them as they like; a key of Microsoft's nobody else has."""
    for key, counts in (("another", by_title), (EDR_INSTALLED, by_key)):
        one = assessment(key, title="EDR solution should be installed on Virtual Machines", type=None)
        said = {"assessmentType": type} if is_flat else {"metadata": {"assessmentType": type}}
        properties = one["properties"]
        assert isinstance(properties, dict)
        given = {**one, "properties": {**properties, **said}}
        found = verdict(judged(machine(), joined(None, None), POSTURE, given), "web-1", Rung.SENSOR_INSTALLED)
        assert (found.state is CoverageState.COVERED) is counts


@pytest.mark.parametrize("name", ["id", "Id", "resourceId", "azureResourceId", "nativeResourceId"])
def test_an_assessment_is_about_what_its_id_hangs_on_and_nothing_else(name: str) -> None:
    """Who may write assessments in one subscription names any resource in them; one that contradicts itself says nothing."""
    theirs = MACHINE.replace(SUBSCRIPTION, "99999999-9999-9999-9999-999999999999")
    for hangs_on, named in (
        (theirs, MACHINE),
        (MACHINE, theirs),
        (f"/subscriptions/{SUBSCRIPTION}", MACHINE),
        ("", MACHINE),
    ):
        said = {"status": {"code": "Healthy"}, "resourceDetails": {"source": "Azure", name: named}}
        one = {**assessment(EDR_INSTALLED, of=hangs_on), "properties": said}
        found = judged(machine(), joined(None, None), POSTURE, one)
        assert verdict(found, "web-1", Rung.SENSOR_INSTALLED).state is CoverageState.UNKNOWN


def test_each_key_and_each_title_stands_once() -> None:
    """Else one of two rows would never be found."""
    keys = Counter(one.key for one in RECOMMENDATIONS if one.key)
    titles = Counter(one.title.lower() for one in RECOMMENDATIONS if one.has_official_title)
    assert {*keys.values(), *titles.values()} == {1}
    assert all(one.key == one.key.lower() and len(one.key) == 36 for one in RECOMMENDATIONS if one.key)


def test_a_row_without_a_key_has_the_title_that_defender_writes() -> None:
    """Nothing could find it otherwise."""
    assert all(one.has_official_title for one in RECOMMENDATIONS if one.key is None)


def test_a_plan_is_named_on_the_rung_of_plans_and_on_no_other() -> None:
    """What is retired names none."""
    for one in RECOMMENDATIONS:
        assert (one.plan is not None) == (one.rung is Rung.PLAN), one.title


def test_no_judge_builds_on_what_is_retired() -> None:
    """And what rules are warned of is retired here, too."""
    in_force = {one.key for one in RECOMMENDATIONS if one.retired is None}
    assert {EDR_INSTALLED, *EDR_RUNNING} <= in_force
    assert not in_force & {key for key, *_ in rows_of("retired.tsv")}


@pytest.mark.parametrize(
    ("key", "title", "found"),
    [
        (EDR_INSTALLED.upper(), "", EDR_INSTALLED),
        (EDR_INSTALLED, SQL_PROTECTED, EDR_INSTALLED),
        ("0", "EDR solution should be installed on virtual machines", EDR_INSTALLED),
        ("0", "[Preview]: EDR solution should be installed on Virtual Machines", EDR_INSTALLED),
        ("0", "EDR solution should be installed on Virtual Machines (Preview)", EDR_INSTALLED),
        ("0", "Preview: EDR solution should be installed on\u00a0Virtual Machines\u200b.", EDR_INSTALLED),
        (f"{{{EDR_INSTALLED}}}", "another", EDR_INSTALLED),
        ("0", "EDR solution should be installed", None),
        ("0", "the antivirus is off or partly configured", None),
        ("", "", None),
    ],
)
def test_a_key_counts_before_a_title(key: str, title: str, found: str | None) -> None:
    """A title is found in any case, and with or without the word Preview; only one that Defender writes."""
    known = find_recommendation(key, title)
    assert (known.key if known else None) == found


def test_what_has_no_documented_key_is_found_by_its_title() -> None:
    """The status of SQL servers on machines is one of them."""
    known = find_recommendation("f00d", SQL_PROTECTED.upper())
    assert known is not None and (known.key, known.kinds) == (None, (WorkloadKind.SQL_ON_MACHINE,))


@pytest.mark.parametrize("one", RECOMMENDATIONS, ids=lambda one: one.key or one.title)
def test_a_recommendation_says_which_rung_is_missing_unless_it_is_deprecated(one: CoverageRecommendation) -> None:
    """One that was retired on a day says it still, in a message as in what is kept of that."""
    missing = None if one.is_deprecated else one.rung
    finding = a_coverage_finding(f" {one.key.upper()} " if one.key else "f00d", title=f"{one.title} (Preview)")
    again = signal_of(rule_fields_of(finding))
    assert isinstance(again, Finding)
    assert [(it.rung, it.is_about_coverage) for it in (finding, again)] == [(missing, missing is not None)] * 2


def test_which_recommendations_are_deprecated() -> None:
    """A day says that one was in force until then."""
    retired = Counter(one.is_deprecated for one in RECOMMENDATIONS if one.retired is not None)
    assert retired == {True: 10, False: 4}


@pytest.mark.parametrize("type", [*Rung, "odd"])
def test_a_finding_of_our_own_is_about_coverage_whatever_its_type(type: str) -> None:
    """Its type is the rung; no other kind is about one."""
    finding = replace(a_finding(), kind=Kind.COVERAGE, type=type, rung=find_missing_rung(Kind.COVERAGE, type, ""))
    assert (finding.rung, finding.is_about_coverage) == (type if type != "odd" else None, True)
    assert find_missing_rung(Kind.VULNERABILITY, EDR_INSTALLED, SQL_PROTECTED) is None
    assert find_missing_rung(Kind.RECOMMENDATION, type, "") is None


def test_an_assessment_says_its_resource_its_status_and_since_when() -> None:
    """As the REST API answers it."""
    (fact,) = facts_in({"value": [assessment(EDR_INSTALLED, "Unhealthy", title="EDR", at="2026-11-01T00:00:00Z")]})
    assert (fact.subject, fact.recommendation, fact.code) == (MACHINE.lower(), EDR_INSTALLED, "unhealthy")
    assert fact.source.shows("status.code", fact.code).time == "2026-11-01T00:00:00Z"


def test_the_flat_form_says_the_same() -> None:
    """`az security assessment list` lifts the properties; the case of the fields differs as well."""
    said = assessment(EDR_INSTALLED, "NotApplicable", cause="OffByPolicy")
    flat = {key: value for key, value in said.items() if key != "properties"}
    lifted = {
        "displayName": "",
        "resourceDetails": {"id": MACHINE, "source": "Azure"},
        "status": {"code": "NotApplicable", "cause": "OffByPolicy", "description": None},
    }
    assert [(one.subject, one.code, one.cause) for one in facts_in([flat | lifted])] == [
        (one.subject, one.code, one.cause) for one in facts_in(said)
    ]


def test_the_resource_is_in_the_id_where_nothing_else_says_it() -> None:
    """A projection may leave the details out."""
    said = assessment(EDR_INSTALLED)
    (fact,) = facts_in({**said, "properties": {"status": {"code": "Healthy"}}})
    assert fact.subject == MACHINE.lower()


@pytest.mark.parametrize(
    ("key", "listed"), [(EDR_INSTALLED, ["web-1"]), ("dc5357d0-3858-4d17-a1a3-072840bff5be", []), ("f00d", [])]
)
def test_a_recommendation_on_coverage_names_a_workload(key: str, listed: list[str]) -> None:
    """One that is retired, or about something else, names none."""
    result = judged(assessment(key, "Unhealthy"))
    assert [row.workload.name for row in result.assessed.rows] == listed


@pytest.mark.shared
@pytest.mark.parametrize(
    ("path", "said"),
    [
        (
            "arm/assessments.list.offbypolicy.azure-rest-api-specs.json",
            [(f"{VMSS}/vmss1", "healthy", ""), (f"{VMSS}/vmss2", "notapplicable", "offbypolicy")],
        ),
        (
            "cloud-custodian/DefenderTest.test_azure_defender_assessments.json",
            [
                (
                    "/subscriptions/ea42f556-5106-4743-99b0-c129bfa71a47/resourcegroups/rg-140asbvmnetrecomm/providers"
                    "/microsoft.compute/virtualmachines/vmm-140asbvmnetrecomm",
                    "healthy",
                    "",
                )
            ],
        ),
    ],
)
def test_the_samples_read_as_a_careful_person_reads_them(path: str, said: list[tuple[str, str, str]]) -> None:
    """One row for each assessment of each sample."""
    facts = facts_in(answers_in(json.loads((SAMPLES / "coverage" / path).read_bytes())))
    assert [(one.subject, one.code, one.cause) for one in facts] == said
