"""Whether Defender for Endpoint is deployed on a machine: the integration, the plan, and Linux, each of which must be known."""

from __future__ import annotations

from itertools import combinations, permutations

import pytest

from router.coverage.expected.manifest import NO_MANIFEST, Expectation
from router.coverage.facts import CoverageCase, Facts, ResourceFact, Source
from router.coverage.judges.machines import judge_machine_integration as judge
from router.coverage.readers import read_facts
from router.coverage.verdicts import CoverageState, Verdict, Workload
from router.domain.coverage import WorkloadKind
from tests.coverage.builders import MACHINE, NOW, SUBSCRIPTION, Json, document, pricing, security_setting

COVERED, GAP, UNKNOWN = CoverageState.COVERED, CoverageState.GAP, CoverageState.UNKNOWN

WITHOUT_LINUX = "WDATP_EXCLUDE_LINUX_PUBLIC_PREVIEW"
PLAN = pricing("VirtualMachines", subPlan="P2")


def verdict_on(*documents: object, system: str | None = "windows", tags: dict[str, str] | None = None) -> Verdict:
    """What is known of a machine of that system."""
    workload = Workload(
        kind=WorkloadKind.MACHINE, name="web-1", id=MACHINE, subscription=SUBSCRIPTION, subject=MACHINE.lower()
    )
    machine = ResourceFact(workload=workload, tags=tags, system=system, source=Source(document="machine.json"))
    facts = [fact for number, one in enumerate(documents) for fact in read_facts(document(one, f"{number}.json"))]
    case = CoverageCase(
        workload=workload,
        expectation=Expectation(),
        manifest=NO_MANIFEST,
        facts=Facts.of([machine, *facts]),
        now=NOW,
    )
    verdict = judge(case)
    assert verdict is not None
    return verdict


def settings(*names: str, **others: bool) -> list[Json]:
    """A whole list of settings: those that are on, and others."""
    return [
        *(security_setting(name) for name in names),
        *(security_setting(name, enabled=on) for name, on in others.items()),
    ]


def test_integration_and_plan_cover_a_machine_of_windows() -> None:
    """Both are on, and nothing else is asked for."""
    verdict = verdict_on(security_setting(), PLAN)
    assert verdict.state is COVERED
    assert [one.field for one in verdict.evidence] == ["properties.enabled", "properties.pricingTier"]


def test_the_integration_without_the_plan_deploys_nothing() -> None:
    """That gap says so, and turns the plan on."""
    verdict = verdict_on(security_setting(), pricing("VirtualMachines", "Free"))
    assert (verdict.state, verdict.reason) == (
        GAP,
        "WDATP is on, but the plan VirtualMachines is off, so nothing is deployed",
    )
    assert "--tier standard --subplan P2" in (verdict.remedy or "")


@pytest.mark.parametrize("form", ["rest", "flat", "text"])
def test_an_integration_that_is_off_is_a_gap(form: str) -> None:
    """Whichever form the setting comes in; the remedy puts it on."""
    off = {
        "rest": security_setting(enabled=False),
        "text": security_setting(enabled="False"),
        "flat": [{**security_setting(), "properties": None, "enabled": False}],
    }
    verdict = verdict_on(off[form], PLAN)
    assert verdict.state is GAP
    assert verdict.remedy == (
        f"az rest --method put --url '/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Security/settings/WDATP"
        """?api-version=2022-05-01' --body '{"kind": "DataExportSettings", "properties": {"enabled": true}}'"""
    )


@pytest.mark.parametrize("documents", [(), (PLAN,), (security_setting(),), (*settings("MCAS", "WDATP_VNEXT"), PLAN)])
def test_what_was_not_asked_is_unknown(documents: tuple[Json, ...]) -> None:
    """And it is said what answers it, in a line whose url is relative."""
    verdict = verdict_on(*documents)
    assert verdict.state is UNKNOWN
    assert f"az rest --method get --url '/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Security/" in (
        verdict.remedy or ""
    )


@pytest.mark.parametrize(
    ("system", "documents", "state"),
    [
        ("linux", settings("WDATP", **{WITHOUT_LINUX: True}), GAP),
        ("linux", settings("WDATP", **{WITHOUT_LINUX: False}), COVERED),
        ("windows", settings("WDATP", **{WITHOUT_LINUX: True}), COVERED),
        (None, settings("WDATP", **{WITHOUT_LINUX: True}), UNKNOWN),
        (None, settings("WDATP", **{WITHOUT_LINUX: False}), COVERED),
        ("linux", security_setting(), UNKNOWN),
        (None, security_setting(), UNKNOWN),
        ("linux", settings("MCAS", "WDATP"), UNKNOWN),
        ("linux", settings("WDATP", "WDATP_UNIFIED_SOLUTION"), COVERED),
        ("linux", {"value": settings("WDATP", "WDATP_UNIFIED_SOLUTION"), "nextLink": "/more"}, UNKNOWN),
    ],
)
def test_linux_is_covered_only_where_it_is_known_not_to_be_left_out(
    system: str | None, documents: object, state: CoverageState
) -> None:
    """By the setting, or by a whole list of a version of the API that lists such settings; older versions never name it."""
    assert verdict_on(documents, PLAN, system=system).state is state


def test_the_plan_of_the_machine_itself_is_enough() -> None:
    """Its subscription may have none."""
    own = pricing("VirtualMachines", scope=MACHINE)
    assert verdict_on(security_setting(), pricing("VirtualMachines", "Free"), own).state is COVERED


def test_no_verdict_rests_on_direct_onboarding() -> None:
    """MdeDesignatedSubscription may be off: it is about machines without Azure."""
    off = [{"name": "MdeDesignatedSubscription", "isEnabled": "False"}]
    assert verdict_on(security_setting(), pricing("VirtualMachines", extensions=off)).state is COVERED


ANSWERS: tuple[object, ...] = (
    security_setting(),
    settings("WDATP", "WDATP_UNIFIED_SOLUTION"),
    security_setting(WITHOUT_LINUX, enabled=False),
    security_setting("MCAS"),
    PLAN,
    pricing("VirtualMachines", scope=MACHINE),
    pricing("VirtualMachines", "Free", scope=MACHINE),
    {"error": {"code": "SubscriptionNotRegistered", "message": "none"}},
)


@pytest.mark.parametrize("system", ["linux", "windows", None])
def test_removing_an_answer_never_covers_a_machine(system: str | None) -> None:
    """Of all sets of answers, each against the same without one of them."""
    covered = {
        chosen: verdict_on(*(ANSWERS[one] for one in chosen), system=system).state is COVERED
        for many in range(len(ANSWERS) + 1)
        for chosen in combinations(range(len(ANSWERS)), many)
        if not {5, 6} <= set(chosen)  # those contradict each other
    }
    assert True in covered.values()
    for chosen, is_covered in covered.items():
        if not is_covered:
            assert not any(covered[tuple(one for one in chosen if one != removed)] for removed in chosen)


def test_of_two_answers_the_worse_one_counts() -> None:
    """Whichever comes first."""
    for documents in permutations((security_setting(), security_setting(enabled=False), PLAN)):
        assert verdict_on(*documents).state is GAP


def test_what_keeps_the_sensor_off_though_all_is_on_is_a_remark() -> None:
    """The rungs above say whether it is there."""
    verdict = verdict_on(
        settings("WDATP", WDATP_UNIFIED_SOLUTION=False),
        PLAN,
        pricing("VirtualMachines", "Free", scope=MACHINE),
        tags={"excludeMDEAutoProvisioning": "True"},
    )
    assert verdict.state is COVERED
    assert verdict.remarks == (
        "WDATP_UNIFIED_SOLUTION is off, so Windows Server 2012 R2 and 2016 may have no sensor",
        "its tag excludeMDEAutoProvisioning keeps Defender for Endpoint off it",
        "the plan VirtualMachines is off at the machine itself: see the rung plan",
    )
