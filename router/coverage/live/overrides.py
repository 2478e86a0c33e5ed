"""Which subscriptions and resources are asked for their own plans: those that the gate would tell a person to ask. Pure.

A plan that is on for a subscription may be switched off at one resource. Where the subscription says that every resource
has it, none is asked; so most estates need no such question at all.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from datetime import datetime

from router.coverage.case import CoverageCase
from router.coverage.documents import CoverageDocument
from router.coverage.expected.manifest import NO_MANIFEST
from router.coverage.facts import CoverageFact, Facts, PlanFact, ResourceFact, subscription_subject
from router.coverage.plans.at_resource import ResourcePlan, on_part, resource_plan
from router.coverage.plans.remedies import ask_plans
from router.coverage.plans.table import PLAN_OF_KIND
from router.coverage.readers import facts_of
from router.coverage.verdicts import CoverageState

_VERSION = "?api-version="


def plan_facts_of(documents: Iterable[CoverageDocument]) -> Iterator[CoverageFact]:
    """What documents say of plans, and of the resources that have them."""
    for document in documents:
        yield from (fact for fact in facts_of(document) if isinstance(fact, PlanFact | ResourceFact))


def subscriptions_to_ask(facts: Facts, subscriptions: Iterable[str], now: datetime) -> list[str]:
    """The subscriptions whose plans are not known, or not whether some resource differs from them."""
    unknown = {
        plan.subscription.lower() for plan, remedy in _unknown(facts, now) if remedy == ask_plans(plan.subscription)
    }
    return [one for one in subscriptions if one in unknown or not _has_whole_list(facts, one)]


def resources_to_ask(facts: Facts, now: datetime) -> list[tuple[str, str]]:
    """The resources that may have a plan of their own: the path that says so, and the version of its API."""
    lines = dict.fromkeys(remedy for plan, remedy in _unknown(facts, now) if remedy == plan.ask_resource)
    urls = (shlex.split(line)[-1] for line in lines)
    return [(path, version) for path, _, version in (url.rpartition(_VERSION) for url in urls)]


def _unknown(facts: Facts, now: datetime) -> Iterator[tuple[ResourcePlan, str]]:
    """The plans of resources of which it is not known whether they are on, each with the line that answers it."""
    workloads = {
        fact.workload.key: fact.workload
        for fact in facts.every(ResourceFact)
        if fact.workload.kind in PLAN_OF_KIND and fact.workload.id and fact.workload.subscription
    }
    for workload in workloads.values():
        case = CoverageCase(
            workload=workload, expectation=NO_MANIFEST.expectations[0], manifest=NO_MANIFEST, facts=facts, now=now
        )
        plan = resource_plan(case)
        verdict = on_part(plan)
        if verdict.state is CoverageState.UNKNOWN and verdict.remedy is not None:
            yield plan, verdict.remedy


def _has_whole_list(facts: Facts, subscription: str) -> bool:
    return any(one.source.is_whole for one in facts.about(PlanFact, subscription_subject(subscription)))
