"""Whether a workload, or a subscription, has the plans that protect it, and registries and storage accounts their extensions.

A plan of a subscription that is off is a gap where a document names what it protects, and none where a list of types does not
have that. A plan that no answer names is not known: older versions of the API do not list newer plans.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import replace
from itertools import chain

from router.coverage.facts import CoverageCase, RecommendationFact, subscription_subject
from router.coverage.judges.connectors import judge_plan_of_cloud_cluster
from router.coverage.kubernetes.commands import ask_for_cluster
from router.coverage.plans.answers import WORST_FIRST, PlanAnswers, answers_about, joined
from router.coverage.plans.at_resource import (
    ResourcePlan,
    extension_part,
    extension_verdict,
    is_asked_of_plan,
    judge_extension,
    on_part,
    plan_remarks,
    resource_plan,
    sub_plan_part,
)
from router.coverage.plans.table import PLAN_OF_KIND, PLANS, PROTECTING_PLANS, DefenderPlan, plan_named, plan_names
from router.coverage.readers.clusters import CloudClusterFact
from router.coverage.readers.plans import PlanFact
from router.coverage.readers.subscriptions import ResourceTypesFact
from router.coverage.recommendations import posture_for, recommended_answers
from router.coverage.remedies import ASK_TYPES, ask_plans, each_on_its_line, enable_plan
from router.coverage.verdicts import CoverageEvidence, CoverageState, Verdict, covered, gap, unknown
from router.domain.coverage import WorkloadKind
from router.domain.values import Value

_CONNECTOR = "/providers/microsoft.security/securityconnectors/"

_STORAGE_PURPOSES: Mapping[str, str] = {
    "OnUploadMalwareScanning": "nobody scans what is uploaded",
    "SensitiveDataDiscovery": "no alert says that the data was sensitive",
}


def judge_plan(case: CoverageCase) -> Verdict | None:
    """Covered where the plan is known to be on for this very workload."""
    workload = case.workload
    if elsewhere := case.about(CloudClusterFact):
        return judge_plan_of_cloud_cluster(case.facts, elsewhere[0])
    if workload.subscription is None or workload.id is None:
        ask = ask_for_cluster(workload.name) if workload.kind is WorkloadKind.CLUSTER else None
        return unknown("no document says in which subscription it is", remedy=ask)
    if _CONNECTOR in workload.subject:
        return unknown("it has the plan of its connector, and not of the connector's subscription", remedy=None)
    asked = resource_plan(case)
    is_on = on_part(asked)
    is_on = replace(is_on, remarks=(*is_on.remarks, *plan_remarks(asked, is_on.state)))
    # The sub-plan of a plan that is off, or was not asked about, does not matter.
    if is_on.state is CoverageState.GAP or not asked.is_answered:
        return is_on
    sub_plans = {name.lower(): sub_plan for name, sub_plan in case.expectation.plans.items()}
    parts = [is_on, *sub_plan_part(asked, sub_plans.get(asked.plan.name.lower()))]
    for name in sorted(case.expectation.extensions):
        parts += extension_part(asked, name) if is_asked_of_plan(asked.plan, name) else ()
    return joined(parts)


def judge_registry_scans(case: CoverageCase) -> Verdict | None:
    """Covered where the plan Containers scans registries."""
    return extension_verdict(case, "ContainerRegistriesVulnerabilityAssessments", "nobody scans its images")


def judge_storage_extensions(case: CoverageCase) -> Verdict | None:
    """Covered where each extension that is expected is on; None where none is, as both cost extra and add to the plan.

    https://learn.microsoft.com/azure/defender-for-cloud/defender-for-storage-introduction
    """
    expected = {name.lower() for name in case.expectation.extensions}
    wanted = [(name, purpose) for name, purpose in _STORAGE_PURPOSES.items() if name.lower() in expected]
    verdicts = (extension_verdict(case, name, purpose) for name, purpose in wanted)
    return min(verdicts, key=lambda one: WORST_FIRST.index(one.state), default=None)


class _WantedPlan(Value, kw_only=True):
    """A plan that a subscription should have.

    Attributes:
        sub_plan: the sub-plan that it needs; None where any will do.
        instead: what is said of other plans that are on and do the same: its successor, or all those before it.
        remarks: that a recommendation on it is too old.
    """

    plan: DefenderPlan
    sub_plan: str | None
    answers: PlanAnswers
    instead: tuple[PlanAnswers, ...]
    remarks: tuple[str, ...]

    @property
    def is_on(self) -> bool | None:
        """Whether it is on, or others are that do the same; None where no answer says it."""
        if self.answers.is_on or self.instead:
            return True
        # How a plan of posture that costs nothing reads when it is off is not documented.
        return None if self.plan.name in ("FoundationalCspm", "Discovery") else self.answers.is_on


def judge_subscription_plans(case: CoverageCase) -> Verdict | None:
    """Covered where each plan that is wanted is known to be on, with what is expected of it."""
    facts, ask = case.about(PlanFact), ask_plans(case.subscription)
    is_recommended = any(one.known is not None and one.known.plan is not None for one in case.about(RecommendationFact))
    if not facts and not is_recommended:
        return unknown("nobody asked which plans it has", remedy=ask)
    wanted = [_wanted(case, plan_named(name), sub) for name, sub in case.expectation.plans.items()]
    every = [_wanted(case, plan, None) for plan in PROTECTING_PLANS]
    # One that was deprecated meanwhile, and is off, can no longer be enabled.
    usable = [one for one in every if one.is_on or not one.answers.is_deprecated]
    needs = {one.plan: True if wanted else _is_needed(case, one.plan) for one in wanted or usable}
    idle = [one for one in usable if not one.is_on and needs.get(one.plan) is False]
    wanted = wanted or [one for one in usable if one not in idle]
    on = [one for one in wanted if one.is_on]
    sub_plans = [sub_plan_part(_at_subscription(case, one), one.sub_plan) for one in on if one.answers.is_on]
    parts = [*_tier_parts(case, wanted, needs), *chain(*sub_plans), *_posture_part(case), *_extension_parts(case, on)]
    # Extensions of other plans that are not on although they look so, and recommendations that are too old.
    others = {plan_named(one.plan) for one in facts} - {one.plan for one in wanted}
    looks = [answers_about(case.facts, case.workload.subject, one) for one in sorted(others, key=lambda one: one.name)]
    failures = (failure for answers in looks for failure in answers.failures())
    old = (remark for one in wanted if one.is_on is None for remark in one.remarks)
    parts[0] = replace(parts[0], remarks=(*parts[0].remarks, *failures, *old))
    if idle:
        limit = f"{_with_verb(idle)} not on, and no resource needs that"
        parts.append(covered(f"{_with_verb(idle)} not needed", limits=(limit,)))
    if not case.expectation.plans and not any(one.source.is_whole for one in facts):
        parts.append(unknown("no list of all its plans was given", remedy=ask))
    return joined(parts)


def _is_needed(case: CoverageCase, plan: DefenderPlan) -> bool | None:
    """Whether the subscription has what a plan protects; None where no document says it."""
    if not plan.protects:
        return True
    kinds = case.facts.kinds.get(subscription_subject(case.subscription), frozenset())
    said = case.about(ResourceTypesFact)
    if any(PLAN_OF_KIND.get(kind) is plan for kind in kinds) or any(one.types & plan.protects for one in said):
        return True
    return False if said else None


def _wanted(case: CoverageCase, plan: DefenderPlan, sub_plan: str | None) -> _WantedPlan:
    def answers_on(other: DefenderPlan) -> tuple[PlanAnswers, tuple[str, ...]]:
        answers = answers_about(case.facts, case.workload.subject, other)
        return (answers, ()) if answers.facts else recommended_answers(case, other)

    before = [answers_on(one)[0] for one in PLANS.values() if one.successor == plan.name and plan.name == "Containers"]
    after = [answers_on(plan_named(plan.successor))[0]] if plan.successor else []
    instead = next((some for some in (before, after) if some and all(one.is_on for one in some)), [])
    answers, remarks = answers_on(plan)
    return _WantedPlan(plan=plan, sub_plan=sub_plan, answers=answers, instead=tuple(instead), remarks=remarks)


def _tier_parts(
    case: CoverageCase, wanted: Sequence[_WantedPlan], needs: Mapping[DefenderPlan, bool | None]
) -> Iterator[Verdict]:
    """Which of the plans are on, off and not known."""
    on = [one for one in wanted if one.is_on]
    needed = [one for one in on if needs[one.plan] is not False]
    empty = [one for one in needed if one.answers.is_on and one.answers.coverage == "notcovered"]
    off = [one for one in wanted if one.is_on is False and needs[one.plan]]
    doubtful = [one for one in wanted if one.is_on is False and not needs[one.plan]]
    absent = [one for one in wanted if one.is_on is None]
    if on:
        yield covered(f"{_with_verb(on)} on", *_evidence(on), remarks=tuple(_remarks(case, on)))
    if off:
        remedy = each_on_its_line(enable_plan(one.plan, case.subscription, one.sub_plan) for one in off)
        yield gap(f"{_with_verb(off)} Free", *_evidence(off), remedy=remedy)
    if doubtful:
        reason = f"{_with_verb(doubtful)} Free, and nobody asked whether a resource needs that"
        yield unknown(reason, *_evidence(doubtful), remedy=ASK_TYPES)
    if empty:
        yield gap(f"{plan_names(one.plan for one in empty)}: on, and at none of the resources", *_evidence(empty))
    if absent:
        yield unknown(
            f"no answer says whether {_with_verb(absent)} on", *_evidence(absent), remedy=ask_plans(case.subscription)
        )


def _with_verb(plans: Sequence[_WantedPlan]) -> str:
    """Their names, and the verb that goes with them."""
    return f"{plan_names(one.plan for one in plans)} {'is' if len(plans) == 1 else 'are'}"


def _at_subscription(case: CoverageCase, one: _WantedPlan) -> ResourcePlan:
    return ResourcePlan(case=case, plan=one.plan, own=PlanAnswers(one.plan, ()), base=one.answers, switch=None)


def _extension_parts(case: CoverageCase, on: Sequence[_WantedPlan]) -> Iterator[Verdict]:
    """Each extension that is expected, at each plan that is on and has it; one that is not known may be anywhere."""
    for name in sorted(case.expectation.extensions):
        of_these = [one for one in on if one.plan.has_extension(name)]
        if not of_these and (others := [one for one in on if is_asked_of_plan(one.plan, name)]):
            of_these = [one for one in others if one.answers.find_extension(name) is not None] or others[:1]
        for one in of_these:
            yield judge_extension(_at_subscription(case, one), name, f"{name} of {one.plan.name}")


def _posture_part(case: CoverageCase) -> Iterator[Verdict]:
    """Whether foundational CSPM is known to be on, where the manifest expects that."""
    posture = posture_for(case, case.subscription)
    if case.manifest.expects_posture and posture.is_known_on:
        yield covered(f"of posture, {posture.reason}", *posture.evidence)
    elif case.manifest.expects_posture:
        yield unknown(f"foundational CSPM is {posture.reason}", *posture.evidence, remedy=ask_plans(case.subscription))


def _evidence(wanted: Sequence[_WantedPlan]) -> list[CoverageEvidence]:
    return [shown for one in wanted for answers in (one.answers, *one.instead) for shown in answers.evidence()]


def _remarks(case: CoverageCase, on: Sequence[_WantedPlan]) -> Iterator[str]:
    for one in on:
        if one.instead and one.plan.successor is None:
            yield f"{plan_names(old.plan for old in one.instead)} are enabled, and deprecated: {one.plan.name} took their place"
        elif one.instead or one.plan.successor:
            yield f"{one.plan.name} is deprecated: {one.plan.successor} took its place"
        state = CoverageState.COVERED if one.answers.is_on else CoverageState.UNKNOWN
        yield from plan_remarks(_at_subscription(case, one), state)
