"""Defender's own suppression rules dismiss before anything is exported: one without an end or a scope is a blind spot."""

from __future__ import annotations

import shlex

import pytest

from router.coverage.verdicts import CoverageState, Verdict
from router.domain.coverage import Rung
from tests.coverage.builders import SUBSCRIPTION, Json, expecting, judged, pricing, suppression_rule, verdict


def judge(*documents: object) -> Verdict:
    """What is known of the rules of the subscription."""
    return verdict(judged(*documents), SUBSCRIPTION, Rung.SUPPRESSION)


@pytest.mark.parametrize(
    "rule",
    [
        suppression_rule(),
        suppression_rule(expirationDateUTC=None, expirationDateUtc="2026-12-24"),
        suppression_rule(state="Disabled", expirationDateUTC=None),
        suppression_rule(state="Expired", suppressionAlertsScope=None),
        suppression_rule(expirationDateUTC="2026-11-25T12:00:00.0000000Z", suppressionAlertsScope=None),
        suppression_rule(expirationDateUTC="2020-01-01T00:00:00", suppressionAlertsScope={"allOf": []}),
        suppression_rule(state="Hibernating"),
    ],
)
def test_a_rule_that_ends_and_is_narrow_or_is_not_in_force_is_no_blind_spot(rule: Json) -> None:
    """Whether it is over its end says more than its state, which may lag."""
    assert judge([rule]).state is CoverageState.COVERED


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        (suppression_rule(expirationDateUTC=None), "without an end ("),
        (suppression_rule(expirationDateUTC="9999-12-31T23:59:59.9999999Z"), "without an end ("),
        (suppression_rule(expirationDateUTC="some day"), "with an end that is no time, some day"),
        (
            suppression_rule(expirationDateUTC="2026-11-25T12:00:00.0000010Z", suppressionAlertsScope=None),
            "without a scope",
        ),
        (suppression_rule(suppressionAlertsScope={"allOf": []}), "without a scope"),
        (suppression_rule(suppressionAlertsScope={"allOf": [{"contains": "x"}]}), "without a scope"),
        (
            suppression_rule(suppressionAlertsScope={"allOf": [{"field": "entities.file.name", "contains": ""}]}),
            "without a scope",
        ),
        (suppression_rule(state="enabled", alertType="*", expirationDateUTC=None), "of every alert without an end"),
        (
            suppression_rule(suppressionAlertsScope=None, expirationDateUTC=None),
            'rule noisy of VM_Noise without an end and without a scope ("asked by web team", last changed 2026-11-01T09',
        ),
    ],
)
def test_a_rule_in_force_without_an_end_or_a_scope_is_a_gap(rule: Json, why: str) -> None:
    """It is named with its comment and last change, and the remedy switches it off and deletes nothing."""
    found = judge([rule])
    assert found.state is CoverageState.GAP
    assert why in found.reason
    assert found.remedy is not None
    put, got = found.remedy.removesuffix(')"').split(' --body "$(')
    url = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Security/alertsSuppressionRules/noisy"
    asked = ["--url", f"{url}?api-version=2019-01-01-preview"]
    assert shlex.split(put) == ["az", "rest", "--method", "put", *asked]
    query = ["--query", "{properties: merge(properties, {state: 'Disabled'})}"]
    assert shlex.split(got) == ["az", "rest", "--method", "get", *asked, *query, "--output", "json"]
    assert found.evidence[0].time == "2026-11-01T09:00:00.1234567Z"


def test_the_name_of_a_rule_is_one_word_of_the_remedy() -> None:
    """It is somebody else's text."""
    found = judge([suppression_rule("x'; reboot; $(y)", expirationDateUTC=None)])
    assert "reboot" not in (found.remedy or "").replace("x%27%3B%20reboot%3B%20%24%28y%29", "")


def test_every_blind_spot_is_named_as_far_as_ten() -> None:
    """A subscription may have many."""
    found = judge([suppression_rule(f"noisy-{number}", expirationDateUTC=None) for number in range(12)])
    assert all(f"rule noisy-{number} " in found.reason for number in (0, 1, 10, 11))
    assert "noisy-9" not in found.reason
    assert "2 more rules" in found.reason


def test_a_list_that_is_cut_short_covers_nothing() -> None:
    """Nor does a single rule; a blind spot in it is one nevertheless."""
    more = {"value": [suppression_rule()], "nextLink": "https://management.azure.com/more"}
    assert judge(more).state is CoverageState.UNKNOWN
    assert judge(suppression_rule()).state is CoverageState.UNKNOWN
    assert judge(suppression_rule(expirationDateUTC=None)).state is CoverageState.GAP


def test_a_state_that_nobody_knows_makes_a_blind_spot_unknown() -> None:
    """It may be in force."""
    for state in ("Hibernating", None, 7):
        assert judge([suppression_rule(state=state, expirationDateUTC=None)]).state is CoverageState.UNKNOWN


@pytest.mark.parametrize(
    ("rule", "remark"),
    [
        (suppression_rule(expirationDateUTC="2027-11-26T12:00:00Z"), None),
        (suppression_rule(expirationDateUTC="2027-11-26T12:00:01Z"), "ends in more than a year"),
        (suppression_rule(alertType="*"), "of every type within its scope"),
    ],
)
def test_a_rule_that_deserves_a_look_is_remarked(rule: Json, remark: str | None) -> None:
    """Though it is no gap."""
    found = judge([rule])
    assert found.state is CoverageState.COVERED
    assert bool(found.remarks) is (remark is not None)
    assert remark is None or remark in found.remarks[0]


def test_the_worse_of_two_documents_counts() -> None:
    found = judge([suppression_rule()], [suppression_rule(expirationDateUTC=None)])
    assert found.state is CoverageState.GAP


def test_nobody_who_does_not_speak_of_rules_is_asked_for_them() -> None:
    """Where the manifest does, what was not asked is unknown, and the remedy is answered even by an empty list."""
    assert not [rung for _, rung, _ in judged([pricing("Dns")]).assessed.verdicts() if rung is Rung.SUPPRESSION]
    found = verdict(judged([pricing("Dns")], manifest=expecting(Rung.SUPPRESSION)), SUBSCRIPTION, Rung.SUPPRESSION)
    assert found.state is CoverageState.UNKNOWN
    listed = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Security/alertsSuppressionRules"
    assert f'{{id: `"{listed}"`, value: @}}' in shlex.split(found.remedy or "")
    assert judge({"id": listed, "value": []}).state is CoverageState.COVERED
    assert judge({"id": listed, "value": [], "nextLink": "more"}).state is CoverageState.UNKNOWN
    assert judge({"id": listed, "value": []}, [suppression_rule(expirationDateUTC=None)]).state is CoverageState.GAP
