"""An export covers where it is on, wide enough, unfiltered and leads to our hub; a rule of Defender's own is no blind spot.
What `ConvertTo-Json` of PowerShell makes of what is too deep is texts, which say nothing of what stood there."""

import json
import shlex
from functools import partial
from typing import Any

import pytest

from router.coverage.expected.manifest import ExpectedExport
from router.coverage.verdicts import Verdict
from router.domain.coverage import Rung
from router.domain.severity import Severity
from tests.coverage import builders as az
from tests.coverage.builders import COVERED, GAP, UNKNOWN, Hold, Json, automation, judged, suppression_rule, verdict

ALERTS = ExpectedExport(alerts=az.HUB)
LOW_AND_HIGH = ExpectedExport(alerts=az.HUB, severities=frozenset({Severity.LOW, Severity.HIGH}))
POSTURE_HUB = az.HUB.replace("cwpp", "cspm")
GROUP = f"/subscriptions/{az.SUBSCRIPTION}/resourceGroups/web"
OTHERS = az.pricing("Containers")
RULES = f"/subscriptions/{az.SUBSCRIPTION}/providers/Microsoft.Security/alertsSuppressionRules"


def judge(*documents: object, export: ExpectedExport | None = ALERTS) -> Verdict:
    """What is known of the export of the subscription."""
    return without_hub(*documents, manifest=az.expecting(Rung.EXPORT, export=export))


without_hub = partial(az.known, of=az.SUBSCRIPTION, on=Rung.EXPORT)
suppression = partial(az.known, of=az.SUBSCRIPTION, on=Rung.SUPPRESSION)


def filtered(*rules: Json, **fields: Any) -> Json:
    """An export that lets pass what fits all of these."""
    return automation(rule_sets=[rules], **fields)


def test_an_export_of_every_alert_of_the_subscription_covers(hold: Hold) -> None:
    """However it is written; that a key was rotated shows nowhere, and is said. What others export elsewhere is theirs."""
    flat = {**automation(), "properties": None, **dict(automation()["properties"])}  # type: ignore[call-overload]
    sets = [[[az.only(one)] for one in ("high", "MEDIUM", "low", "Informational")]]
    sets += [[[az.only("i", operator="Contains")], [az.only("Low")]], [[az.only("nothing", operator="NotEquals")]]]
    sources: tuple[Json, ...] = ({"eventSource": "Alerts"}, {"eventSource": "Alerts", "ruleSets": None})
    others = [automation("theirs", hub=POSTURE_HUB), automation("chat", hub=None), automation("old", isEnabled=False)]
    hold(
        judge,
        (COVERED, [[automation()]], [[flat]], [[automation(hub=az.HUB.upper())]], [[automation(isEnabled="True")]]),
        (COVERED, [[automation(scope=f"/subscriptions/{az.SUBSCRIPTION}".upper())]], [[*others, automation()]]),
        (COVERED, *([[automation(rule_sets=one)]] for one in sets)),
        (COVERED, *([[automation(sources=[one])]] for one in sources)),
    )
    assert any("path" in remark for remark in judge([automation()]).remarks)


def test_an_export_that_is_deficient_is_a_gap_that_says_which_and_why(hold: Hold) -> None:
    """By name, as far as five, so that nobody has to look for it; of two documents about one the worse counts."""
    of_both = "lets only Severity equals High and Severity equals Low"
    part = automation(isEnabled=None, scopes=None, sources=None, actions=None)
    hold(
        judge,
        (GAP, "alert-router-cwpp is disabled", [[automation(isEnabled=False)]]),
        (GAP, f"alert-router-cwpp is too narrow: its scope is {GROUP.lower()}", [[automation(scope=GROUP)]]),
        (GAP, "alert-router-cwpp is for another subscription", [[automation(scope="/subscriptions/other")]]),
        (GAP, f"points elsewhere, to {POSTURE_HUB}", [[automation(hub=POSTURE_HUB)]]),
        (GAP, "alert-router-cwpp leads to no event hub", [[automation(hub=None)]]),
        (GAP, "alert-router-cwpp exports no alerts", [[automation(source="Assessments")]]),
        (GAP, "alert-router-cwpp lets only Severity equals High pass", [[filtered(az.only("High"))]]),
        (GAP, "by ProductComponentName", [[filtered(az.only("K8s", "ProductComponentName"))]]),
        (GAP, of_both, [[filtered(az.only("High"), az.only("Low"))]]),
        (GAP, [[automation()], [automation(isEnabled=False)]]),
        (COVERED, [[automation()], [part]]),
    )
    many = judge([automation(f"old-{number}", isEnabled=False) for number in range(7)]).reason
    assert ("old-4 is disabled" in many, "old-5" in many, "2 more" in many) == (True, False, True)


def test_what_an_export_does_not_say_is_unknown(hold: Hold) -> None:
    """It is asked for again, whole. Rules that cannot be read let nothing pass for certain; one alone is a list of one."""
    sets: tuple[object, ...] = ("@{rules=}", [None], [{"rules": "@{x=}"}], 3, {"rules": "System.Object[]"})
    of_groups = "/providers/Microsoft.Management/managementGroups/all"
    rule_sets = [automation(sources=[{"eventSource": "Alerts", "ruleSets": one}]) for one in sets]
    alone = automation(sources=[{"eventSource": "Alerts", "ruleSets": {"rules": [az.only("High")]}}])
    ask = "az security automation list "
    hold(
        judge,
        (UNKNOWN, "names the namespace", ask, [[automation(hub=az.HUB.partition("/eventhubs/")[0])]]),
        (UNKNOWN, "does not say which event hub", ask, [[automation(hub="")]]),
        (UNKNOWN, "nobody says whether it holds", ask, [[automation(scope=of_groups)]], [[automation(scopes=[])]]),
        (UNKNOWN, "does not say its scope", ask, [[automation(scopes=None)]]),
        (UNKNOWN, "does not say what it exports", ask, [[automation(sources=None)]]),
        (UNKNOWN, "does not say its actions", ask, [[automation(actions=None)]]),
        (UNKNOWN, "does not say whether it is enabled", ask, [[automation(isEnabled=None)]]),
        (UNKNOWN, "cannot be read: a set without rules", ask, [[filtered()]]),
        (UNKNOWN, "cannot be read", ask, [[filtered(az.only("1", operator="GreaterThan"))]]),
        (UNKNOWN, "", ask, *([[one]] for one in rule_sets)),
        (GAP, [[alone]]),
    )


def test_severities_and_posture_are_wanted_as_the_manifest_says(hold: Hold) -> None:
    """Microsoft's own policy leaves Informational out; a set of rules on the type alone, as it writes it, filters nothing."""
    high, medium, low = ([az.only(one)] for one in ("high", "medium", "low"))
    policy = automation(rule_sets=[high, medium, low])
    said = "alerts of severity Informational are not exported to our hub: alert-router-cwpp lets"
    of_high, of_low = automation("high", rule_sets=[high]), automation("low", rule_sets=[low])
    hold(judge, (GAP, said, [[policy]]))
    hold(
        partial(judge, export=LOW_AND_HIGH), (COVERED, [[policy]], [[of_high, of_low]]), (GAP, [[of_high]], [[of_low]])
    )
    of_type = az.only("Microsoft.Security/assessments", "type", "Contains")
    sets = [[of_type, az.only(one, "properties.metadata.severity")] for one in ("High", "Medium", "Low")]
    whole, less = (automation(hub=POSTURE_HUB, source="Assessments", rule_sets=some) for some in (sets, sets[:2]))
    hold(
        partial(judge, export=ExpectedExport(posture=POSTURE_HUB)),
        (COVERED, "weekly snapshots of recommendations are not exported", [[whole]]),
        (COVERED, "recommendations of severity Critical are not exported", [[whole]]),
        (GAP, [[automation()]], [[less]]),
    )


def test_without_a_hub_in_the_manifest_nothing_is_covered(hold: Hold) -> None:
    """Which one is ours is not said; that none can be, is. One that was never an export says nothing of the others."""
    unsaid = ([[automation()]], [[filtered(az.only("High"))]])
    changes: list[dict[str, Any]] = [{"isEnabled": False}, {"hub": None}, {"source": "Assessments"}, {"scope": GROUP}]
    gaps = [[[automation(**one)]] for one in changes]
    hold(without_hub, (UNKNOWN, "export.alerts", *unsaid), (GAP, *gaps))
    assert not any("export.alerts" in without_hub(*one).reason for one in gaps)
    chat, asked = automation(hub=None), judge([OTHERS])
    assert (judge(chat).state, judge(chat).remedy, without_hub(chat).state) == (UNKNOWN, asked.remedy, UNKNOWN)
    assert {judge(one).state for one in (automation(isEnabled=False), automation(hub=POSTURE_HUB), [chat])} == {GAP}
    assert judge(chat, [automation("other", hub=None)]).state is GAP
    assert Rung.EXPORT not in {rung for _, rung, _ in judged([OTHERS]).assessed.verdicts()}
    assert asked.state is judge([OTHERS], export=None).state is UNKNOWN


def test_a_list_that_says_that_it_is_empty_is_a_gap() -> None:
    """As the command prints it that the verdict before proposes. One that is only disabled is switched on; another is not."""
    listed = f"/subscriptions/{az.SUBSCRIPTION}/providers/Microsoft.Security/automations"
    assert f'{{id: `"{listed}"`, value: @}}' in shlex.split(judge([OTHERS]).remedy or "")
    found = judge({"id": listed, "value": []})
    assert (found.state, "infra/export-subscription.bicep" in (found.remedy or "")) == (GAP, True)
    assert judge({"id": listed, "value": [automation()]}).state is COVERED
    off = judge([automation("theirs", hub=POSTURE_HUB, isEnabled=False), automation("o'hara", isEnabled=False)])
    words = shlex.split(off.remedy or "")
    assert words[:5] == ["az", "rest", "--method", "patch", "--url"]
    assert "/automations/o'hara?api-version=" in words[5]
    assert "az deployment sub create" in (judge([automation(scope=GROUP, isEnabled=False)]).remedy or "")


NOW_TEXT = "2026-11-25T12:00:00.0000000Z"
BLIND: dict[str, Any] = {"expirationDateUTC": None}


def test_a_rule_that_ends_and_is_narrow_or_is_not_in_force_is_no_blind_spot(hold: Hold) -> None:
    """Its end says more than its state, which may lag. Each blind spot is named as far as ten; others deserve a remark."""
    hold(
        suppression,
        (COVERED, [[suppression_rule()]], [[suppression_rule(expirationDateUTC=None, expirationDateUtc="2026-12-24")]]),
        (COVERED, [[suppression_rule(state="Disabled", **BLIND)]], [[suppression_rule(state="Hibernating")]]),
        (COVERED, [[suppression_rule(state="Expired", suppressionAlertsScope=None)]]),
        (COVERED, [[suppression_rule(expirationDateUTC=NOW_TEXT, suppressionAlertsScope=None)]]),
        (COVERED, [[suppression_rule(expirationDateUTC="2020-01-01T00:00:00", suppressionAlertsScope={"allOf": []})]]),
    )
    found = suppression([suppression_rule(f"noisy-{number}", **BLIND) for number in range(12)]).reason
    assert all(f"rule noisy-{number} " in found for number in (0, 1, 10, 11))
    assert ("noisy-9" in found, "2 more rules" in found) == (False, True)
    for rule, remark in (
        (suppression_rule(expirationDateUTC="2027-11-26T12:00:00Z"), ""),
        (suppression_rule(expirationDateUTC="2027-11-26T12:00:01Z"), "ends in more than a year"),
        (suppression_rule(alertType="*"), "of every type within its scope"),
    ):
        seen = suppression([rule])
        assert (seen.state, bool(seen.remarks), remark in str(seen.remarks)) == (COVERED, bool(remark), True)


def test_a_rule_in_force_without_an_end_or_a_scope_is_a_gap(hold: Hold) -> None:
    """It is named with its comment and last change, and the remedy switches it off and deletes nothing."""
    wide = [{"allOf": []}, {"allOf": [{"contains": "x"}]}, {"allOf": [{"field": "entities.file.name", "contains": ""}]}]
    endless: dict[str, Any] = {"expirationDateUTC": "9999-12-31T23:59:59.9999999Z"}
    unscoped: dict[str, Any] = {"suppressionAlertsScope": None}
    both = 'rule noisy of VM_Noise without an end and without a scope ("asked by web team", last changed 2026-11-01T09'
    put = f"az rest --method put --url '{RULES}/noisy?api-version=2019-01-01-preview' "
    every = suppression_rule(state="enabled", alertType="*", **BLIND)
    hold(
        suppression,
        (GAP, "without an end (", put, [[suppression_rule(**BLIND)]], [[suppression_rule(**endless)]]),
        (GAP, "with an end that is no time, some day", put, [[suppression_rule(expirationDateUTC="some day")]]),
        (GAP, "without a scope", put, *([[suppression_rule(suppressionAlertsScope=scope)]] for scope in wide)),
        (
            GAP,
            "without a scope",
            put,
            [[suppression_rule(expirationDateUTC=NOW_TEXT.replace("00Z", "10Z"), **unscoped)]],
        ),
        (GAP, "of every alert without an end", put, [[every]]),
        (GAP, both, put, [[suppression_rule(**unscoped, **BLIND)]]),
    )
    found = suppression([every])
    _, got = (found.remedy or "").removesuffix(')"').split(' --body "$(')
    query = ["--query", "{properties: merge(properties, {state: 'Disabled'})}", "--output", "json"]
    assert shlex.split(got) == [*shlex.split(put.replace("put", "get")), *query]
    assert found.evidence[0].time == "2026-11-01T09:00:00.1234567Z"
    # The name of a rule is somebody else's text, and one word of the remedy.
    hostile = suppression([suppression_rule("x'; reboot; $(y)", **BLIND)]).remedy or ""
    assert "reboot" not in hostile.replace("x%27%3B%20reboot%3B%20%24%28y%29", "")


def test_what_no_document_says_of_rules_is_unknown(hold: Hold) -> None:
    """A cut list or a single rule covers nothing. What may be narrow or not in force is not to be switched off."""
    blind, cut = suppression_rule(**BLIND), suppression_rule(suppressionAlertsScope="@{allOf=System.Object[]}")
    hold(
        suppression,
        (UNKNOWN, [{"value": [suppression_rule()], "nextLink": "/more"}], [suppression_rule()], [[cut]]),
        (UNKNOWN, *([[suppression_rule(state=state, **BLIND)]] for state in ("Hibernating", None, 7))),
        (GAP, [blind], [[suppression_rule()], [blind]], [{"id": RULES, "value": []}, [blind]]),
        (COVERED, [{"id": RULES, "value": []}]),
        (UNKNOWN, [{"id": RULES, "value": [], "nextLink": "more"}]),
    )
    assert "Disabled" not in (suppression([cut]).remedy or "")
    assert Rung.SUPPRESSION not in {rung for _, rung, _ in judged([OTHERS]).assessed.verdicts()}
    found = verdict(judged([OTHERS], manifest=az.expecting(Rung.SUPPRESSION)), az.SUBSCRIPTION, Rung.SUPPRESSION)
    assert (found.state, f'{{id: `"{RULES}"`, value: @}}' in shlex.split(found.remedy or "")) == (UNKNOWN, True)


def cut(value: Any, depth: int) -> Any:
    """A value as PowerShell writes it: what is deeper is a text."""
    if not isinstance(value, dict | list):
        return value
    if depth < 0:
        return f"@{{{'; '.join(f'{name}=' for name in value)}}}" if isinstance(value, dict) else "System.Object[]"
    if isinstance(value, list):
        return [cut(one, depth - 1) for one in value]
    return {name: cut(one, depth - 1) for name, one in value.items()}


def test_what_powershell_cut_is_unknown_and_never_a_gap_or_covered_by_less(subtests: pytest.Subtests) -> None:
    """At any depth: what remains proves either all of it or nothing."""
    plans = [az.offering(f"DefenderFor{name}Aws") for name in ("Servers", "Containers", "Databases")]
    for document, workload, rung in (
        (filtered(az.only("0", operator="NotEquals")), az.SUBSCRIPTION, Rung.EXPORT),
        (suppression_rule(), az.SUBSCRIPTION, Rung.SUPPRESSION),
        (az.connector(*plans), "shop", Rung.PLAN),
        (az.managed_cluster(), "payments", Rung.INTEGRATION),
    ):
        whole = json.loads(json.dumps([document]))
        for depth in range(1, 9):
            with subtests.test(rung=rung, depth=depth):
                shortened = cut(whole, depth)
                result = judged(shortened, manifest=az.expecting(rung, export=ALERTS if rung is Rung.EXPORT else None))
                found = {one.state for of, at, one in result.assessed.verdicts() if (of.name, at) == (workload, rung)}
                assert found <= {COVERED if shortened == whole else UNKNOWN}
    row = {
        **az.resource(str(az.managed_cluster()["id"]), "Microsoft.ContainerService/managedClusters"),
        "properties": "@{a=}",
    }
    assert verdict(judged([row]), "payments", Rung.INTEGRATION).state is UNKNOWN
