"""Whether a plan is on for one resource: on at its subscription, and not switched off at the resource itself.

A machine, a cluster of AKS and a registry can have a plan of their own, which differs from the one of their subscription; an
account of storage or of Cosmos DB has a switch. So for these it is not enough that the subscription has the plan.
https://learn.microsoft.com/rest/api/defenderforcloud/pricings/list
"""

from __future__ import annotations

from dataclasses import dataclass

from router.coverage.facts import CoverageCase, subscription_subject
from router.coverage.fields import worst_truth
from router.coverage.plans.answers import PlanAnswers, answers_about
from router.coverage.plans.table import OLD_PLAN_OF_KIND, PLAN_OF_KIND, DefenderPlan
from router.coverage.readers.plans import PlanFact, StorageSettingFact, ThreatProtectionFact
from router.coverage.remedies import (
    STORAGE,
    THREAT_PROTECTION,
    ask_plans,
    ask_resource_plan,
    enable_plan,
    follow_subscription_storage,
    one_after_the_other,
    rest,
    take_override_off,
)
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
    evidence: tuple[CoverageEvidence, ...] = ()
    settings: tuple[StorageSettingFact, ...] = ()


def find_switch(case: CoverageCase, base: PlanAnswers) -> ResourceSwitch | None:
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
    id, facts, (path, version) = case.workload.id or "", case.about(ThreatProtectionFact), THREAT_PROTECTION
    is_on = worst_truth(one.is_enabled for one in facts)
    return ResourceSwitch(
        is_on=is_on,
        is_own=is_on is True and case.workload.kind is WorkloadKind.COSMOS_DB,
        ask=rest("get", f"{id}/{path}", version),
        mend=rest("put", f"{id}/{path}", version, {"properties": {"isEnabled": True}}),
        evidence=tuple(one.source.shows("advancedThreatProtectionSettings isEnabled", one.is_enabled) for one in facts),
    )


def _storage(case: CoverageCase) -> ResourceSwitch:
    id, facts = case.workload.id or "", case.about(StorageSettingFact)
    is_off = any(one.is_enabled is False and one.is_override is True for one in facts)
    is_idle = any(one.is_enabled is False and one.is_override is not True for one in facts)
    is_said = any(one.is_enabled is True for one in facts)
    return ResourceSwitch(
        is_on=False if is_off else True if is_said and not is_idle else None,
        is_own=all(one.is_override is True for one in facts if one.is_enabled is True),
        is_idle=is_idle,
        ask=rest("get", f"{id}/{STORAGE[0]}", STORAGE[1]),
        mend=follow_subscription_storage(id),
        evidence=tuple(
            one.source.shows(f"defenderForStorageSettings {field}", value)
            for one in facts
            for field, value in (
                ("isEnabled", one.is_enabled),
                ("overrideSubscriptionLevelSettings", one.is_override),
            )
        ),
        settings=facts,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourcePlan:
    """The plan that protects a resource's kind, and what is said of it.

    Attributes:
        own: what the resource itself says of the plan.
        base: what its subscription says of the plan; of the deprecated one before it, where only that one is on.
        switch: the switch that the resource has beside the plan; None where its kind has none.
    """

    case: CoverageCase
    id: str
    subscription: str
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
        return self.own.tier == "standard" and not self.own.is_inherited

    @property
    def can_differ(self) -> bool:
        """Whether a resource of its kind can be switched off by itself."""
        kind = self.case.workload.kind
        is_aks = kind is WorkloadKind.CLUSTER and f"/providers/{AKS_CLUSTER}/" in self.case.workload.subject
        return is_aks or kind in (WorkloadKind.MACHINE, WorkloadKind.REGISTRY) or self.switch is not None

    @property
    def ask_resource(self) -> str:
        """The command that asks the resource itself."""
        return self.switch.ask if self.switch else ask_resource_plan(self.id, self.plan)

    @property
    def mend_resource(self) -> str | None:
        """The command that gives the resource the plan of its subscription again; None for one that always has it."""
        if self.switch is not None:
            return self.switch.mend
        return take_override_off(self.id, self.plan) if self.can_differ else None


def resource_plan(case: CoverageCase) -> ResourcePlan:
    """What is said of the plan that a resource needs."""
    kind, subscription = case.workload.kind, case.workload.subscription or ""
    plan, old = PLAN_OF_KIND[kind], OLD_PLAN_OF_KIND.get(kind)
    base = answers_about(case.facts, subscription_subject(subscription), plan)
    if old is not None and base.tier != "standard":
        before = answers_about(case.facts, subscription_subject(subscription), old)
        base = before if before.tier == "standard" else base
    return ResourcePlan(
        case=case,
        id=case.workload.id or "",
        subscription=subscription,
        plan=plan,
        own=answers_about(case.facts, case.workload.subject, plan),
        base=base,
        switch=find_switch(case, base),
    )


def on_part(asked: ResourcePlan) -> Verdict:
    """Whether it is on for the resource."""
    return _off_by_switch(asked) or _by_itself(asked) or _on_by_switch(asked) or _by_subscription(asked)


def _off_by_switch(asked: ResourcePlan) -> Verdict | None:
    switch = asked.switch
    if switch is None or switch.is_on is not False:
        return None
    remedy = one_after_the_other([switch.mend, *_enable_base(asked)])
    return gap(f"{asked.plan.name} is switched off at the resource itself", *switch.evidence, remedy=remedy)


def _by_itself(asked: ResourcePlan) -> Verdict | None:
    """What the resource's own plan proves; None where it says nothing that can be used."""
    own, name, evidence = asked.own, asked.plan.name, tuple(asked.own.evidence())
    if own.tier == "standard" and own.is_inherited and asked.base.tier == "free":
        reason = f"{name} is Free at the subscription, from which the resource says to have it"
        return gap(reason, *evidence, *asked.base.evidence(), remedy=enable_plan(asked.plan, asked.subscription))
    if own.tier == "standard":
        return covered(f"{name} is on at the resource itself", *evidence)
    if own.tier != "free" or (asked.is_old and own.is_inherited):
        return None
    if own.is_inherited:
        reason = f"{name} is Free, as the resource has it from its subscription"
        return gap(reason, *evidence, remedy=enable_plan(asked.plan, asked.subscription))
    remedy = one_after_the_other([*_enable_base(asked), take_override_off(asked.id, asked.plan)])
    return gap(f"{name} is switched off at the resource itself", *evidence, remedy=remedy)


def _on_by_switch(asked: ResourcePlan) -> Verdict | None:
    switch = asked.switch
    if switch is None or switch.is_on is None or (asked.base.tier == "free" and not switch.is_own):
        return None
    return covered(f"{asked.plan.name} is on at the resource itself", *switch.evidence, *asked.base.evidence())


def _by_subscription(asked: ResourcePlan) -> Verdict:
    base, name, evidence = asked.base, asked.base.plan.name, tuple(asked.base.evidence())
    if base.tier is None:
        is_asked = bool(asked.case.of_subscription(PlanFact))
        reason = (
            f"no answer says whether {name} is on at its subscription"
            if is_asked
            else "nobody asked which plans its subscription has"
        )
        return unknown(reason, *evidence, remedy=ask_plans(asked.subscription))
    if base.tier == "free":
        if asked.can_differ and base.coverage in ("partiallycovered", "fullycovered"):
            reason = f"{name} is Free at the subscription, and on at some resources"
            return unknown(reason, *evidence, remedy=asked.ask_resource)
        return gap(f"{name} is Free", *evidence, remedy=enable_plan(asked.plan, asked.subscription))
    if base.coverage == "notcovered":
        reason = f"{name} is on at the subscription, and at none of its resources"
        return gap(reason, *evidence, remedy=asked.mend_resource)
    if asked.switch is not None and asked.switch.is_idle:
        reason = f"{name} is on at the subscription, and the resource, which follows it, says that it is not"
        return unknown(reason, *evidence, *asked.switch.evidence, remedy=asked.ask_resource)
    if asked.can_differ and base.coverage != "fullycovered" and not (asked.is_old and asked.own.is_inherited):
        return _unknown_at_resource(asked)
    return covered(f"{name} is on", *evidence, *asked.own.evidence())


def _unknown_at_resource(asked: ResourcePlan) -> Verdict:
    """The plan is on, and this resource may be one of those where it was switched off."""
    name, is_partial = asked.base.plan.name, asked.base.coverage == "partiallycovered"
    reason = f"{name} is on at the subscription, and " + (
        "switched off at some resources; nobody asked this one"
        if is_partial
        else "the answer does not say whether it is switched off at some resource: `az security pricing list` never does, "
        "and `az rest` does"
    )
    ask = asked.ask_resource if is_partial else ask_plans(asked.subscription)
    return unknown(reason, *asked.base.evidence(), remedy=ask)


def _enable_base(asked: ResourcePlan) -> list[str]:
    return [enable_plan(asked.plan, asked.subscription)] if asked.base.tier == "free" else []
