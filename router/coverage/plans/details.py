"""Whether a resource's plan includes what is expected of it: its sub-plan, its extensions, and what is to be said besides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from router.coverage import remedies
from router.coverage.facts import CoverageCase, ResourceFact, subscription_subject
from router.coverage.fields import worst_truth
from router.coverage.plans.answers import PlanAnswers, answers_about, joined
from router.coverage.plans.at_resource import ResourcePlan, on_part, resource_plan
from router.coverage.plans.table import PLANS, DefenderPlan, find_lacking, plan_named
from router.coverage.verdicts import CoverageState, Verdict, covered, gap, unknown
from router.domain.coverage import WorkloadKind

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
