"""Whether a plan is on for one resource: on at its subscription, and not switched off at the resource itself.

A machine, a cluster of AKS and a registry can have a plan of their own, which differs from the one of their subscription; an
account of storage or of Cosmos DB has a switch. So for these it is not enough that the subscription has the plan.
https://learn.microsoft.com/rest/api/defenderforcloud/pricings/list
"""

from __future__ import annotations

from dataclasses import dataclass

from router.coverage import remedies
from router.coverage.facts import CoverageCase, subscription_subject
from router.coverage.fields import worst_truth
from router.coverage.plans.answers import PlanAnswers, answers_about
from router.coverage.plans.table import OLD_PLAN_OF_KIND, PLAN_OF_KIND, DefenderPlan
from router.coverage.readers.plans import PlanFact, StorageSettingFact, ThreatProtectionFact
from router.coverage.verdicts import CoverageEvidence, Verdict, covered, gap, unknown
from router.coverage.workloads import AKS_CLUSTER
from router.domain.coverage import WorkloadKind

_CLASSIC = ("perstorageaccount", "pertransaction")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceSwitch:
    """What an account of storage or of Cosmos DB says of its own switch.

    Attributes:
        is_on: None where it was not asked, or does not tell.
        is_own: whether it is on whatever its subscription says.
        is_idle: whether it says that it is not on, and does not differ from its subscription on purpose.
    """

    is_on: bool | None
    is_own: bool
    is_idle: bool = False
    ask: str
    mend: str
    evidence: tuple[CoverageEvidence, ...]
    settings: tuple[StorageSettingFact, ...] = ()


def _find_switch(case: CoverageCase, base: PlanAnswers) -> ResourceSwitch | None:
    """The switch of a workload; None where its kind has none."""
    if case.workload.kind is WorkloadKind.COSMOS_DB:
        return _threat_protection(case)
    if case.workload.kind is not WorkloadKind.STORAGE_ACCOUNT:
        return None
    # The switch of the classic plan says nothing of the plan that took its place, nor the other way round.
    is_classic = bool(base.sub_plans) and all(one.lower() in _CLASSIC for one in base.sub_plans)
    settings = _storage(case)
    return _threat_protection(case) if is_classic and settings.is_on is None else settings


def _threat_protection(case: CoverageCase) -> ResourceSwitch:
    facts, (path, version) = case.about(ThreatProtectionFact), remedies.THREAT_PROTECTION
    is_on = worst_truth(one.is_enabled for one in facts)
    return ResourceSwitch(
        is_on=is_on,
        is_own=is_on is True and case.workload.kind is WorkloadKind.COSMOS_DB,
        ask=remedies.rest("get", f"{case.id}/{path}", version),
        mend=remedies.rest("put", f"{case.id}/{path}", version, {"properties": {"isEnabled": True}}),
        evidence=tuple(one.source.shows("advancedThreatProtectionSettings isEnabled", one.is_enabled) for one in facts),
    )


def _storage(case: CoverageCase) -> ResourceSwitch:
    facts, (path, version), name = case.about(StorageSettingFact), remedies.STORAGE, "defenderForStorageSettings"
    answers = {(one.is_enabled, one.is_override is True) for one in facts}
    is_idle = (False, False) in answers
    is_on = bool({(True, True), (True, False)} & answers) and not is_idle
    return ResourceSwitch(
        is_on=False if (False, True) in answers else is_on or None,
        is_own=(True, False) not in answers,
        is_idle=is_idle,
        ask=remedies.rest("get", f"{case.id}/{path}", version),
        mend=remedies.follow_subscription_storage(case.id),
        evidence=tuple(
            shown
            for one in facts
            for shown in (
                one.source.shows(f"{name} isEnabled", one.is_enabled),
                one.source.shows(f"{name} overrideSubscriptionLevelSettings", one.is_override),
            )
        ),
        settings=facts,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourcePlan:
    """The plan that protects a resource's kind, what the resource itself says of it, and its switch beside the plan, if any.

    `base` is what its subscription says of the plan; of the deprecated one before it, where only that one is on.
    """

    case: CoverageCase
    plan: DefenderPlan
    own: PlanAnswers
    base: PlanAnswers
    switch: ResourceSwitch | None

    @property
    def is_old(self) -> bool:
        """Whether only the deprecated plan is on."""
        return self.base.plan is not self.plan

    @property
    def is_answered(self) -> bool:
        """Whether anything is said of the plan."""
        return bool(self.own.facts or self.base.facts) or (self.switch is not None and self.switch.is_on is not None)

    @property
    def is_override(self) -> bool:
        """Whether the resource has a plan of its own, which is on."""
        return self.own.is_on is True and not self.own.is_inherited

    @property
    def answers(self) -> tuple[PlanAnswers, ...]:
        """What counts of the extensions: of a resource that has a plan of its own that alone."""
        return (self.own,) if self.is_override else (self.own, self.base)

    @property
    def can_differ(self) -> bool:
        """Whether a resource of its kind can be switched off by itself."""
        kind = self.case.workload.kind
        is_aks = kind is WorkloadKind.CLUSTER and f"/providers/{AKS_CLUSTER}/" in self.case.workload.subject
        return is_aks or kind in (WorkloadKind.MACHINE, WorkloadKind.REGISTRY) or self.switch is not None

    @property
    def ask_subscription(self) -> str:
        """The command that asks the subscription."""
        return remedies.ask_plans(self.case.subscription)

    @property
    def ask_resource(self) -> str:
        """The command that asks the resource itself."""
        return self.switch.ask if self.switch else remedies.ask_resource_plan(self.case.id, self.plan)

    @property
    def mend_subscription(self) -> str:
        """The command that gives the subscription the plan."""
        return remedies.enable_plan(self.plan, self.case.subscription)


def resource_plan(case: CoverageCase) -> ResourcePlan:
    """What is said of the plan that a resource needs."""
    kind, at = case.workload.kind, subscription_subject(case.subscription)
    plan, old = PLAN_OF_KIND[kind], OLD_PLAN_OF_KIND.get(kind)
    base, own = answers_about(case.facts, at, plan), answers_about(case.facts, case.workload.subject, plan)
    if old is not None and not base.is_on and (before := answers_about(case.facts, at, old)).is_on:
        base = before
    return ResourcePlan(case=case, plan=plan, own=own, base=base, switch=_find_switch(case, base))


def on_part(asked: ResourcePlan) -> Verdict:
    """Whether it is on for the resource."""
    return _by_itself(asked) or _by_subscription(asked)


def _by_itself(asked: ResourcePlan) -> Verdict | None:
    """What the resource's own switch or plan proves; None where they say nothing that can be used."""
    own, base, switch, name = asked.own, asked.base, asked.switch, asked.plan.name
    evidence, is_free = tuple(own.evidence()), base.is_on is False
    enable_base = [asked.mend_subscription] if is_free else []
    off = f"{name} is switched off at the resource itself"
    if switch is not None and switch.is_on is False:
        return gap(off, *switch.evidence, remedy=remedies.one_after_the_other([switch.mend, *enable_base]))
    if own.is_on and own.is_inherited and is_free:
        reason = f"{name} is Free at the subscription, from which the resource says to have it"
        return gap(reason, *evidence, *base.evidence(), remedy=asked.mend_subscription)
    if own.is_on:
        return covered(f"{name} is on at the resource itself", *evidence)
    if own.is_on is False and own.is_inherited and not asked.is_old:
        reason = f"{name} is Free, as the resource has it from its subscription"
        return gap(reason, *evidence, remedy=asked.mend_subscription)
    if own.is_on is False and not own.is_inherited:
        remedy = remedies.one_after_the_other([*enable_base, remedies.take_override_off(asked.case.id, asked.plan)])
        return gap(off, *evidence, remedy=remedy)
    if switch is None or switch.is_on is None or (is_free and not switch.is_own):
        return None
    return covered(f"{name} is on at the resource itself", *switch.evidence, *base.evidence())


def _by_subscription(asked: ResourcePlan) -> Verdict:
    base, switch, name, evidence = asked.base, asked.switch, asked.base.plan.name, tuple(asked.base.evidence())
    if base.is_on is None:
        is_asked = bool(asked.case.of_subscription(PlanFact))
        unsaid = f"no answer says whether {name} is on at its subscription"
        reason = unsaid if is_asked else "nobody asked which plans its subscription has"
        return unknown(reason, *evidence, remedy=asked.ask_subscription)
    if not base.is_on and asked.can_differ and base.coverage in ("partiallycovered", "fullycovered"):
        reason = f"{name} is Free at the subscription, and on at some resources"
        return unknown(reason, *evidence, remedy=asked.ask_resource)
    if not base.is_on:
        return gap(f"{name} is Free", *evidence, remedy=asked.mend_subscription)
    on = f"{name} is on at the subscription, and"
    if base.coverage == "notcovered":
        own = remedies.take_override_off(asked.case.id, asked.plan) if asked.can_differ else None
        return gap(f"{on} at none of its resources", *evidence, remedy=switch.mend if switch else own)
    if switch is not None and switch.is_idle:
        reason = f"{on} the resource, which follows it, says that it is not"
        return unknown(reason, *evidence, *switch.evidence, remedy=asked.ask_resource)
    if not asked.can_differ or base.coverage == "fullycovered" or (asked.is_old and asked.own.is_inherited):
        return covered(f"{name} is on", *evidence, *asked.own.evidence())
    # This resource may be one of those where it was switched off.
    if base.coverage == "partiallycovered":
        reason = f"{on} switched off at some resources; nobody asked this one"
        return unknown(reason, *evidence, remedy=asked.ask_resource)
    reason = (
        f"{on} the answer does not say whether it is switched off at some resource: `az security pricing list` never does, "
        "and `az rest` does"
    )
    return unknown(reason, *evidence, remedy=asked.ask_subscription)
