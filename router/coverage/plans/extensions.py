"""Whether an extension of a plan is on for a resource: several judges of the rung integration ask it. Pure.

That a plan is on says nothing of its extensions. https://learn.microsoft.com/rest/api/defenderforcloud/pricings
"""

from __future__ import annotations

from dataclasses import replace

from router.coverage.case import CoverageCase
from router.coverage.facts import subscription_subject
from router.coverage.plans.answers import PlanAnswers, answers_about
from router.coverage.plans.at_resource import on_part, resource_plan
from router.coverage.plans.details import extension_part
from router.coverage.plans.joined import joined
from router.coverage.plans.table import plan_named
from router.coverage.remedies import rest_get, rest_put
from router.coverage.verdicts import CoverageState, Verdict, unknown

_VERSION = "2024-01-01"


def plan_answers(case: CoverageCase, plan: str) -> tuple[PlanAnswers, PlanAnswers]:
    """What is said of a plan at the workload itself, and at its subscription."""
    named, subscription = plan_named(plan), case.workload.subscription
    at = subscription_subject(subscription) if subscription else None
    return answers_about(case.facts, case.workload.subject, named), answers_about(case.facts, at, named)


def is_plan_on(answers: PlanAnswers) -> bool | None:
    """Whether a plan is on; of two answers that differ the worse one counts. None where none says it."""
    return None if answers.tier is None else answers.tier == "standard"


def is_extension_on(answers: PlanAnswers, extension: str) -> bool | None:
    """Whether an extension is on: one that failed to be switched on is not, although later answers call it on."""
    return False if answers.find_failure(extension) is not None else answers.find_extension(extension)


def judge_extension(case: CoverageCase, extension: str, purpose: str) -> Verdict:
    """Covered where plan and extension are on for the resource; `purpose` is what does not happen where they are not."""
    if case.workload.subscription is None or case.workload.id is None:
        return unknown("no document says in which subscription it is", remedy=None)
    asked = resource_plan(case)
    is_on = on_part(asked)
    if is_on.state is CoverageState.GAP:
        return replace(is_on, reason=f"{is_on.reason}, so {purpose}")
    if not asked.is_answered:
        return is_on
    found = joined(list(extension_part(asked, extension)))
    if found.state is CoverageState.GAP:
        return replace(found, reason=f"{found.reason}, so {purpose}")
    return joined([is_on, found])


def ask_plan(case: CoverageCase, plan: str) -> str:
    """The line that asks for a plan and its extensions."""
    return rest_get(_path(case, plan), _VERSION)


def enable_plan(case: CoverageCase, plan: str, **properties: object) -> str:
    """The line that turns a plan on."""
    return rest_put(_path(case, plan), _VERSION, {"properties": {"pricingTier": "Standard", **properties}})


def _path(case: CoverageCase, plan: str) -> str:
    return f"{subscription_subject(case.workload.subscription or 'SUBSCRIPTION')}/providers/Microsoft.Security/pricings/{plan}"
