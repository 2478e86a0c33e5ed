"""Whether an extension of a plan is on, at the subscription or at the resource itself. Not a rung: several judges ask it.

That a plan is on says nothing of its extensions. https://learn.microsoft.com/rest/api/defenderforcloud/pricings
"""

from __future__ import annotations

from collections.abc import Sequence

from router.coverage.facts import PlanFact, subscription_subject
from router.coverage.judges import CoverageCase
from router.coverage.remedies import rest_get, rest_put
from router.domain.coverage import CoverageEvidence, Verdict, covered, gap, unknown

_VERSION = "2024-01-01"


def plan_answers(case: CoverageCase, plan: str) -> tuple[list[PlanFact], list[PlanFact]]:
    """What is said of a plan at the workload itself, and at its subscription."""
    own = [one for one in case.about(PlanFact) if one.plan == plan.lower()]
    return own, [one for one in case.of_subscription(PlanFact) if one.plan == plan.lower()]


def is_plan_on(answers: Sequence[PlanFact]) -> bool | None:
    """Whether a plan is on; of two answers that differ the worse one counts. None where none says it."""
    tiers = {one.tier for one in answers if one.tier is not None}
    return tiers == {"standard"} if tiers else None


def is_extension_on(answers: Sequence[PlanFact], extension: str) -> bool | None:
    """Whether an extension is on; of two answers that differ the worse one counts. None where none says it."""
    said = {on for one in answers if (on := one.extensions.get(extension.lower())) is not None}
    return said == {True} if said else None


def judge_extension(case: CoverageCase, plan: str, extension: str, purpose: str) -> Verdict:
    """Covered where plan and extension are on; `purpose` is what does not happen where they are not."""
    own, at_subscription = plan_answers(case, plan)
    for answers in (own, at_subscription):
        if is_plan_on(answers) and is_extension_on(answers, extension):
            off_here = own is not answers and (is_plan_on(own) is False or is_extension_on(own, extension) is False)
            remarks = (f"the plan {plan} says otherwise at the resource itself: see the rung plan",) if off_here else ()
            return covered(f"{extension} of the plan {plan} is on", *_evidence(answers, extension), remarks=remarks)
    for answers in (at_subscription, own):
        if is_plan_on(answers) is False:
            return gap(
                f"the plan {plan} is off, so {purpose}",
                *_evidence(answers, None),
                remedy=_enable(case, plan, extension),
            )
        if is_extension_on(answers, extension) is False:
            reason = f"{extension} of the plan {plan} is off, so {purpose}"
            return gap(reason, *_evidence(answers, extension), remedy=_enable(case, plan, extension))
    return unknown(f"no document says whether {extension} of the plan {plan} is on", remedy=ask_plan(case, plan))


def ask_plan(case: CoverageCase, plan: str) -> str:
    """The line that asks for a plan and its extensions."""
    return rest_get(_path(case, plan), _VERSION)


def enable_plan(case: CoverageCase, plan: str, **properties: object) -> str:
    """The line that turns a plan on."""
    return rest_put(_path(case, plan), _VERSION, {"properties": {"pricingTier": "Standard", **properties}})


def _enable(case: CoverageCase, plan: str, extension: str) -> str:
    return enable_plan(case, plan, extensions=[{"name": extension, "isEnabled": "True"}])


def _path(case: CoverageCase, plan: str) -> str:
    return f"{subscription_subject(case.workload.subscription or 'SUBSCRIPTION')}/providers/Microsoft.Security/pricings/{plan}"


def _evidence(answers: Sequence[PlanFact], extension: str | None) -> list[CoverageEvidence]:
    evidence = []
    for one in answers:
        if extension is None or one.tier == "free":
            evidence.append(one.source.shows("properties.pricingTier", one.tier))
        if extension is not None and (on := one.extensions.get(extension.lower())) is not None:
            evidence.append(one.source.shows(f"properties.extensions[name={extension}].isEnabled", on))
    return evidence
