"""Whether a plan is on for one resource, and includes what is expected of it: its sub-plan and its extensions.

A machine, a cluster of AKS and a registry can have a plan of their own, which differs from the one of their subscription; an
account of storage or of Cosmos DB has a switch. So for these it is not enough that the subscription has the plan.
https://learn.microsoft.com/rest/api/defenderforcloud/pricings/list
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import replace

from router.coverage import remedies
from router.coverage.facts import CoverageCase, ResourceFact, subscription_subject
from router.coverage.fields import worst_truth
from router.coverage.plans.answers import PlanAnswers, answers_about, joined
from router.coverage.plans.table import OLD_PLAN_OF_KIND, PLAN_OF_KIND, PLANS, DefenderPlan, find_lacking, plan_named
from router.coverage.readers.plans import PlanFact, SwitchFact
from router.coverage.verdicts import CoverageEvidence, CoverageState, Verdict, covered, gap, unknown
from router.coverage.workloads import AKS_CLUSTER
from router.domain.coverage import WorkloadKind
from router.domain.values import Value

_CLASSIC = ("perstorageaccount", "pertransaction")


class ResourceSwitch(Value, kw_only=True):
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
    settings: tuple[SwitchFact, ...] = ()


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
    (path, version), name = remedies.THREAT_PROTECTION, "advancedThreatProtectionSettings"
    facts = [one for one in case.about(SwitchFact) if one.name == name.lower()]
    is_on = worst_truth(one.is_enabled for one in facts)
    return ResourceSwitch(
        is_on=is_on,
        is_own=is_on is True and case.workload.kind is WorkloadKind.COSMOS_DB,
        ask=remedies.rest("get", f"{case.id}/{path}", version),
        mend=remedies.rest("put", f"{case.id}/{path}", version, {"properties": {"isEnabled": True}}),
        evidence=tuple(one.source.shows(f"{name} isEnabled", one.is_enabled) for one in facts),
    )


def _storage(case: CoverageCase) -> ResourceSwitch:
    (path, version), name = remedies.STORAGE, "defenderForStorageSettings"
    facts = tuple(one for one in case.about(SwitchFact) if one.name == name.lower())
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


class ResourcePlan(Value, kw_only=True):
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


_NEWEST_STORAGE = "DefenderForStorageV2"


def sub_plan_part(asked: ResourcePlan, needed: str | None) -> Iterator[Verdict]:
    """Whether the sub-plans that answers say include all of the one that is needed; nothing where none is."""
    if needed is None:
        return
    evidence = tuple(asked.own.evidence() if asked.is_override else asked.base.evidence())
    name, known = asked.plan.name, _sub_plans(asked)
    lacking = {one: find_lacking(asked.plan, one, needed) for one in known}
    wrong = next((one for one in known if lacking[one] != ()), None)
    if wrong is None and known:
        yield covered(f"its sub-plan is {known[0]}", *evidence)
    elif wrong is not None and (parts := lacking[wrong]):
        reason = f"{name} is {wrong}, which leaves out {', '.join(parts)}; {needed} is needed"
        yield gap(reason, *evidence, remedy=_enable(asked, needed))
    elif wrong is not None:
        reason = f"sub-plan {wrong} of {name} is not known here, and {needed} is needed"
        yield unknown(reason, *evidence, remedy=asked.ask_subscription)
    else:
        reason = f"no answer says which sub-plan of {name} it is, and {needed} is needed"
        yield unknown(reason, remedy=asked.ask_subscription)


def extension_part(asked: ResourcePlan, name: str) -> Iterator[Verdict]:
    """Whether an extension is on for the resource."""
    if asked.is_old:
        reason = f"{asked.base.plan.name} is deprecated, and has no extension {name}"
        yield gap(reason, *asked.base.evidence(), remedy=_enable(asked, None, name))
    else:
        yield judge_extension(asked, name, name)
        yield from _left_out(asked, name)


def judge_extension(asked: ResourcePlan, name: str, title: str) -> Verdict:
    """Whether an extension is on; `title` is what it is called."""
    settings = asked.switch.settings if asked.switch else ()
    by_settings = (one.extensions.get(name.lower()) for one in settings)
    is_on = worst_truth((*by_settings, *(one.find_extension(name) for one in asked.answers)))
    failure = next((text for one in asked.answers if (text := one.find_failure(name)) is not None), None)
    evidence = tuple(shown for one in asked.answers for shown in one.extension_evidence(name))
    if failure is not None:
        reason = f"extension {title} failed to be switched on: {failure}"
        return gap(reason, *evidence, remedy=_enable(asked, None, name))
    if is_on is None:
        ask = asked.ask_resource if asked.is_override else asked.ask_subscription
        return unknown(f"no answer says whether extension {title} is on", remedy=ask)
    if not is_on:
        return gap(f"extension {title} is switched off", *evidence, remedy=_enable(asked, None, name))
    return covered(f"extension {title} is on", *evidence)


def _left_out(asked: ResourcePlan, name: str) -> Iterator[Verdict]:
    """That an extension leaves the resource out by a tag, or may; nothing where it does not."""
    facts = [fact for one in asked.answers for fact in one.facts]
    excluded = {tag.lower(): tag for fact in facts for tag in fact.exclusions.get(name.lower(), ())}
    tagged = [one for one in asked.case.about(ResourceFact) if one.tags is not None]
    if excluded and not tagged:
        tags = " or ".join(excluded.values())
        reason = f"extension {name} leaves out what has a tag {tags}; nobody asked for its tags"
        yield unknown(reason, remedy=remedies.ask_resource(asked.case.id))
    for source, key, value in ((one.source, *tag) for one in tagged for tag in (one.tags or {}).items()):
        if f"{key}={value}".lower() in excluded:
            reason = f"extension {name} leaves it out, by its tag {key}={value}"
            mend = remedies.remove_tag(asked.case.id, key, value)
            yield gap(reason, source.shows(f"tags.{key}", value), remedy=mend)


def is_asked_of_plan(plan: DefenderPlan, name: str) -> bool:
    """Whether an expected extension is asked of a plan: it is its own, or one that no plan is known to have."""
    return plan.has_extension(name) or not any(one.has_extension(name) for one in PLANS.values())


def plan_remarks(asked: ResourcePlan, state: CoverageState) -> Iterator[str]:
    """What is to be said of the plan besides."""
    if state is CoverageState.GAP:
        return
    yield from asked.own.remarks()
    yield from asked.base.remarks()
    if asked.is_old:
        yield f"{asked.base.plan.name} is enabled, and deprecated: {asked.plan.name} took its place"
    if state is CoverageState.COVERED:
        yield from _sub_plan_remarks(asked.plan, _sub_plans(asked))
        if not asked.can_differ and asked.base.coverage == "partiallycovered":
            yield f"{asked.plan.name} is switched off at some resources, as resourcesCoverageStatus says"
        if asked.switch is not None and asked.switch.is_on is None:
            yield f"only resourcesCoverageStatus says that the account itself is on; it answers to {asked.switch.ask}"


def _sub_plan_remarks(plan: DefenderPlan, names: tuple[str, ...]) -> Iterator[str]:
    """What the sub-plan leaves out, or might where it is not known."""
    for known in filter(None, map(plan.find_sub_plan, names)):
        if known.leaves_out:
            yield f"{plan.name} {known.name} leaves out {', '.join(known.leaves_out)}"
        if not known.is_offered:
            yield f"{plan.name} {known.name} is enabled, and deprecated: {plan.sub_plans[0].name} took its place"
    poorer = [one for one in plan.sub_plans if one.leaves_out]
    if not names and poorer:
        every = " or ".join(one.name for one in plan.sub_plans)
        yield f"no answer says whether {plan.name} is {every}; {poorer[0].name} leaves out {', '.join(poorer[0].leaves_out)}"


def _sub_plans(asked: ResourcePlan) -> tuple[str, ...]:
    if asked.switch is not None and asked.switch.is_on and asked.switch.is_own:
        return (_NEWEST_STORAGE,) if asked.case.workload.kind is WorkloadKind.STORAGE_ACCOUNT else ()
    if asked.is_override:
        return asked.own.sub_plans
    inherited = asked.own.sub_plans if asked.own.is_on else ()
    return tuple(dict.fromkeys((*inherited, *asked.base.sub_plans)))


def _enable(asked: ResourcePlan, sub_plan: str | None, *extensions: str) -> str | None:
    """The line that makes the subscription's plan what is needed, and the resource follow it."""
    wanted = sub_plan or (asked.base.sub_plans[0] if asked.base.sub_plans and not asked.is_old else None)
    on = () if asked.is_old else asked.base.extensions_on
    lines = [remedies.enable_plan(asked.plan, asked.case.subscription, wanted, dict.fromkeys((*on, *extensions)))]
    if asked.is_override:
        lines.append(remedies.take_override_off(asked.case.id, asked.plan))
    if asked.switch is not None and asked.switch.settings and asked.switch.is_own:
        lines.append(remedies.follow_subscription_storage(asked.case.id))
    return remedies.one_after_the_other(lines)


def plan_answers(case: CoverageCase, plan: str) -> tuple[PlanAnswers, PlanAnswers]:
    """What is said of a plan at the workload itself, and at its subscription."""
    named, subscription = plan_named(plan), case.workload.subscription
    at = subscription_subject(subscription) if subscription else None
    return answers_about(case.facts, case.workload.subject, named), answers_about(case.facts, at, named)


def is_extension_on(answers: PlanAnswers, extension: str) -> bool | None:
    """Whether an extension is on: one that failed to be switched on is not, although later answers call it on."""
    return False if answers.find_failure(extension) is not None else answers.find_extension(extension)


def extension_verdict(case: CoverageCase, extension: str, purpose: str) -> Verdict:
    """Covered where plan and extension are on for the resource; `purpose` is what does not happen where they are not."""
    if case.workload.subscription is None or case.workload.id is None:
        return unknown("no document says in which subscription it is", remedy=None)
    asked = resource_plan(case)
    found = on_part(asked)
    if asked.is_answered and found.state is not CoverageState.GAP:
        extension_is_on = joined(list(extension_part(asked, extension)))
        is_gap = extension_is_on.state is CoverageState.GAP
        found = extension_is_on if is_gap else joined([found, extension_is_on])
    return replace(found, reason=f"{found.reason}, so {purpose}") if found.state is CoverageState.GAP else found
