"""An export covers a subscription where it is on, wide enough, unfiltered and leads to our hub; each that fails says why."""

from __future__ import annotations

import shlex

import pytest

from router.coverage.expected.manifest import ExpectedExport
from router.coverage.verdicts import CoverageState, Verdict
from router.domain.coverage import Rung
from router.domain.severity import Severity
from tests.coverage.builders import HUB, SUBSCRIPTION, Json, automation, expecting, judged, only, pricing, verdict

ALERTS = ExpectedExport(alerts=HUB)
LOW_AND_HIGH = ExpectedExport(alerts=HUB, severities=frozenset({Severity.LOW, Severity.HIGH}))
POSTURE_HUB = HUB.replace("cwpp", "cspm")
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/web"
NAMESPACE = HUB.partition("/eventhubs/")[0]

FLAT = {**automation(), "properties": None, **dict(automation()["properties"])}  # type: ignore[call-overload]
"""As `az security automation list` prints one."""


def judge(*documents: object, export: ExpectedExport | None = ALERTS) -> Verdict:
    """What is known of the export of the subscription."""
    return verdict(judged(*documents, manifest=expecting(Rung.EXPORT, export=export)), SUBSCRIPTION, Rung.EXPORT)


@pytest.mark.parametrize(
    "one",
    [
        automation(),
        FLAT,
        automation(hub=HUB.upper()),
        automation(scope=f"/subscriptions/{SUBSCRIPTION}".upper()),
        automation(isEnabled="True"),
        automation(rule_sets=[[only("high")], [only("MEDIUM")], [only("low")], [only("Informational")]]),
        automation(rule_sets=[[only("i", operator="Contains")], [only("Low")]]),
        automation(rule_sets=[[only("nothing", operator="NotEquals")]]),
        automation(sources=[{"eventSource": "Alerts"}]),
        automation(sources=[{"eventSource": "Alerts", "ruleSets": None}]),
    ],
)
def test_an_export_of_every_alert_of_the_subscription_covers(one: Json) -> None:
    """However it is written; that a key was rotated shows nowhere, and is said."""
    found = judge([one])
    assert found.state is CoverageState.COVERED
    assert any("path" in remark for remark in found.remarks)


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (automation(isEnabled=False), "is disabled"),
        (automation(scope=GROUP), f"is too narrow: its scope is {GROUP.lower()}"),
        (automation(scope="/subscriptions/other"), "is for another subscription"),
        (automation(hub=POSTURE_HUB), f"points elsewhere, to {POSTURE_HUB}"),
        (automation(hub=None), "leads to no event hub"),
        (automation(source="Assessments"), "exports no alerts"),
        (automation(rule_sets=[[only("High")]]), "lets only Severity equals High pass"),
        (automation(rule_sets=[[only("K8s", "ProductComponentName")]]), "by ProductComponentName"),
        (automation(rule_sets=[[only("High"), only("Low")]]), "lets only Severity equals High and Severity equals Low"),
    ],
)
def test_an_export_that_is_deficient_is_a_gap_that_says_which_and_why(one: Json, why: str) -> None:
    """By name; so that nobody has to look for it."""
    found = judge([one])
    assert found.state is CoverageState.GAP
    assert f"alert-router-cwpp {why}" in found.reason or why in found.reason
    assert found.evidence


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (automation(hub=NAMESPACE), "names the namespace"),
        (automation(hub=""), "does not say which event hub"),
        (automation(scope="/providers/Microsoft.Management/managementGroups/all"), "nobody says whether it holds"),
        (automation(scopes=[]), "nobody says whether it holds"),
        (automation(scopes=None), "does not say its scope"),
        (automation(sources=None), "does not say what it exports"),
        (automation(actions=None), "does not say its actions"),
        (automation(isEnabled=None), "does not say whether it is enabled"),
        (automation(rule_sets=[[]]), "cannot be read: a set without rules"),
        (automation(rule_sets=[[only("1", operator="GreaterThan")]]), "cannot be read"),
    ],
)
def test_what_an_export_does_not_say_is_unknown(one: Json, why: str) -> None:
    """It is asked for again, whole."""
    found = judge([one])
    assert found.state is CoverageState.UNKNOWN
    assert why in found.reason
    assert found.remedy is not None
    assert shlex.split(found.remedy)[:4] == ["az", "security", "automation", "list"]


def test_the_severities_that_are_missing_are_named() -> None:
    """Microsoft's own policy leaves Informational out."""
    policy = automation(rule_sets=[[only("high")], [only("medium")], [only("low")]])
    found = judge([policy])
    assert found.state is CoverageState.GAP
    assert found.reason.startswith(
        "alerts of severity Informational are not exported to our hub: alert-router-cwpp lets"
    )
    assert judge([policy], export=LOW_AND_HIGH).state is CoverageState.COVERED


def test_several_automations_cover_together() -> None:
    """One for each severity; without one of them its severity is missing."""
    high, low = (automation(name, rule_sets=[[only(name)]]) for name in ("high", "low"))
    assert judge([high, low], export=LOW_AND_HIGH).state is CoverageState.COVERED
    assert judge([high], export=LOW_AND_HIGH).state is CoverageState.GAP
    assert judge([low], export=LOW_AND_HIGH).state is CoverageState.GAP


def test_an_automation_beside_a_good_one_changes_nothing() -> None:
    """Others export elsewhere; that is theirs."""
    others = [automation("theirs", hub=POSTURE_HUB), automation("chat", hub=None), automation("old", isEnabled=False)]
    assert judge([*others, automation()]).state is CoverageState.COVERED


def test_every_failing_automation_is_named_as_far_as_five() -> None:
    """A subscription may have many."""
    found = judge([automation(f"old-{number}", isEnabled=False) for number in range(7)])
    assert "old-4 is disabled" in found.reason
    assert "old-5" not in found.reason
    assert "2 more" in found.reason


def test_of_two_documents_about_one_automation_the_worse_counts() -> None:
    """One that does not say something contradicts nothing."""
    found = judge([automation()], [automation(isEnabled=False)])
    assert found.state is CoverageState.GAP
    part = automation(isEnabled=None, scopes=None, sources=None, actions=None)
    assert judge([automation()], [part]).state is CoverageState.COVERED


def test_posture_is_wanted_where_the_manifest_says_so() -> None:
    """A set of rules on the type alone, as Microsoft's policy writes it, filters nothing."""
    export = ExpectedExport(posture=POSTURE_HUB)
    policy = [
        [only("Microsoft.Security/assessments", "type", "Contains"), only(one, "properties.metadata.severity")]
        for one in ("High", "Medium", "Low")
    ]
    found = judge([automation(hub=POSTURE_HUB, source="Assessments", rule_sets=policy)], export=export)
    assert found.state is CoverageState.COVERED
    assert "weekly snapshots of recommendations are not exported" in found.remarks
    assert "recommendations of severity Critical are not exported" in found.remarks
    assert judge([automation()], export=export).state is CoverageState.GAP
    assert judge([automation(hub=POSTURE_HUB, source="Assessments", rule_sets=policy[:2])], export=export).state is (
        CoverageState.GAP
    )


@pytest.mark.parametrize(
    ("one", "state"),
    [
        (automation(), CoverageState.UNKNOWN),
        (automation(rule_sets=[[only("High")]]), CoverageState.UNKNOWN),
        (automation(isEnabled=False), CoverageState.GAP),
        (automation(hub=None), CoverageState.GAP),
        (automation(source="Assessments"), CoverageState.GAP),
        (automation(scope=GROUP), CoverageState.GAP),
    ],
)
def test_without_a_hub_in_the_manifest_nothing_is_covered(one: Json, state: CoverageState) -> None:
    """Which one is ours is not said; that none can be, is."""
    found = judged_without_hub([one])
    assert found.state is state
    assert ("export.alerts" in found.reason) == (state is CoverageState.UNKNOWN)


def test_one_automation_that_was_never_an_export_says_nothing_of_the_others() -> None:
    """They are not in an answer that is no list; one that leads to a hub and falls short is what somebody relies on."""
    asked = judge(automation(hub=None))
    assert (asked.state, asked.remedy) == (CoverageState.UNKNOWN, judge([pricing("Containers")]).remedy)
    assert judged_without_hub(automation(hub=None)).state is CoverageState.UNKNOWN
    for one in (automation(isEnabled=False), automation(hub=POSTURE_HUB)):
        assert judge(one).state is CoverageState.GAP
    assert judge([automation(hub=None)]).state is CoverageState.GAP
    assert judge(automation(hub=None), [automation("other", hub=None)]).state is CoverageState.GAP


def judged_without_hub(*documents: object) -> Verdict:
    """What is known where no manifest says which hub is ours."""
    return verdict(judged(*documents), SUBSCRIPTION, Rung.EXPORT)


def test_nobody_who_does_not_speak_of_exports_is_asked_for_one() -> None:
    """Where the manifest does, what was not asked is unknown."""
    assert not [rung for _, rung, _ in judged([pricing("Containers")]).assessed.verdicts() if rung is Rung.EXPORT]
    assert judge([pricing("Containers")]).state is CoverageState.UNKNOWN
    assert judge([pricing("Containers")], export=None).state is CoverageState.UNKNOWN


def test_a_list_that_says_that_it_is_empty_is_a_gap() -> None:
    """As the command prints it that the verdict before proposes."""
    listed = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Security/automations"
    remedy = judge([pricing("Containers")]).remedy
    assert remedy is not None
    assert f'{{id: `"{listed}"`, value: @}}' in shlex.split(remedy)
    found = judge({"id": listed, "value": []})
    assert found.state is CoverageState.GAP
    assert "infra/export-subscription.bicep" in (found.remedy or "")
    assert judge({"id": listed, "value": [automation()]}).state is CoverageState.COVERED


def test_one_that_is_only_disabled_is_switched_on() -> None:
    """Another is not: switching it on would export nothing that is missing."""
    found = judge([automation("theirs", hub=POSTURE_HUB, isEnabled=False), automation("o'hara", isEnabled=False)])
    assert found.remedy is not None
    words = shlex.split(found.remedy)
    assert words[:5] == ["az", "rest", "--method", "patch", "--url"]
    assert "/automations/o'hara?api-version=" in words[5]
    narrow = judge([automation(scope=GROUP, isEnabled=False)])
    assert "az deployment sub create" in (narrow.remedy or "")
