"""What a recommendation of Defender's says of a plan where no answer of pricings does. Pure.

Each plan has a recommendation that it be enabled. It may lag behind by a day, so it counts only where nobody asked.
https://learn.microsoft.com/azure/defender-for-cloud/recommendations-reference
"""

from __future__ import annotations

from collections.abc import Iterable

from router.coverage.case import CoverageCase
from router.coverage.facts import PlanFact, RecommendationFact
from router.coverage.machines.recommendations import recommendation_answers_for, title_of
from router.coverage.plans.answers import PlanAnswers
from router.coverage.plans.posture import is_posture_known_on
from router.coverage.plans.table import DefenderPlan
from router.domain.recommendation_table import RECOMMENDATIONS


def is_recommended(case: CoverageCase) -> bool:
    """Whether a recommendation on a plan speaks of a subscription at all."""
    return any(one.known is not None and one.known.plan is not None for one in case.about(RecommendationFact))


def recommended_answers(case: CoverageCase, plan: DefenderPlan) -> PlanAnswers:
    """What the recommendation on a plan says of a subscription, as if it had answered; nothing where it does not tell."""
    said = recommendation_answers_for(case, [case.workload.subject], _names(plan))
    if said.unhealthy:
        return PlanAnswers(plan, tuple(_facts(plan, "free", said.unhealthy)))
    if said.healthy and not said.not_applicable and is_posture_known_on(case):
        return PlanAnswers(plan, tuple(_facts(plan, "standard", said.healthy)))
    return PlanAnswers(plan, ())


def stale_remarks(case: CoverageCase, plan: DefenderPlan) -> tuple[str, ...]:
    """That the recommendation on a plan was healthy when it was last heard of, which is too long ago."""
    said = recommendation_answers_for(case, [case.workload.subject], _names(plan))
    return tuple(f"the recommendation {title_of(one)} was healthy: {said.why_stale}" for one in said.stale[:1])


def _names(plan: DefenderPlan) -> list[str]:
    return [one.key or one.title for one in RECOMMENDATIONS if one.plan == plan.name and one.retired is None]


def _facts(plan: DefenderPlan, tier: str, said: Iterable[RecommendationFact]) -> Iterable[PlanFact]:
    for one in said:
        yield PlanFact(
            subject=one.subject,
            plan=plan.name.lower(),
            name=plan.name,
            tier=tier,
            sub_plan=None,
            extensions={},
            shown=one.source.shows(f"{one.recommendation} status.code", one.code),
            source=one.source,
        )
