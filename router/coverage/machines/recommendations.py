"""What several recommendations say together of one workload. Pure.

A healthy recommendation proves something only where foundational CSPM is known to be on. One that does not apply
proves nothing: somebody exempted the resource, or switched the recommendation off.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from router.coverage.facts import Facts, RecommendationFact
from router.domain.coverage import CoverageEvidence
from router.domain.recommendations import find_recommendation

POSTURE_NOT_KNOWN = (
    "a recommendation is healthy, and it is not known whether foundational CSPM is on, without which it says nothing"
)
"""Why a healthy recommendation proves nothing where posture is not known to be on."""

_CAUSES = {
    "exempt": "somebody exempted it from it",
    "offbypolicy": "it is switched off by policy",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RecommendationAnswers:
    """What some recommendations say of a workload.

    Attributes:
        unhealthy: those that say that something is missing.
        healthy: those that say that nothing is.
        not_applicable: those that say nothing.
        missing: how many of those that were wanted no document has.
    """

    unhealthy: tuple[RecommendationFact, ...]
    healthy: tuple[RecommendationFact, ...]
    not_applicable: tuple[RecommendationFact, ...]
    missing: int

    @property
    def are_healthy(self) -> bool:
        """Whether each of them is healthy, and no document says otherwise of any."""
        return not (self.unhealthy or self.not_applicable or self.missing) and bool(self.healthy)

    @property
    def evidence(self) -> tuple[CoverageEvidence, ...]:
        """What they say, the worst first."""
        return tuple(
            one.source.shows(f"{one.recommendation} status.code", one.code)
            for one in (*self.unhealthy, *self.not_applicable, *self.healthy)
        )

    @property
    def why_not_applicable(self) -> str:
        """Why one of them does not apply; empty where all do."""
        if not self.not_applicable:
            return ""
        one = self.not_applicable[0]
        cause = _CAUSES.get(one.cause, f"the cause is {one.cause}" if one.cause else "nothing says why")
        return f"the recommendation {title_of(one)} does not apply: {cause}"


def title_of(fact: RecommendationFact) -> str:
    """What a recommendation is called, in quotation marks; its key where it has no title."""
    return f'"{fact.title}"' if fact.title else fact.recommendation


def recommendation_answers_for(
    facts: Facts, subjects: Iterable[str | None], wanted: Sequence[str]
) -> RecommendationAnswers:
    """What the recommendations, named by key or by title, say of the subjects of one workload."""
    found = [
        (name, fact)
        for subject in dict.fromkeys(subjects)
        for fact in facts.about(RecommendationFact, subject)
        if (name := _name_of(fact)) in wanted
    ]
    return RecommendationAnswers(
        unhealthy=tuple(fact for _, fact in found if fact.code == "unhealthy"),
        healthy=tuple(fact for _, fact in found if fact.code == "healthy"),
        not_applicable=tuple(fact for _, fact in found if fact.code == "notapplicable"),
        missing=len(set(wanted) - {name for name, _ in found}),
    )


def _name_of(fact: RecommendationFact) -> str | None:
    known = find_recommendation(fact.recommendation, fact.title)
    return (known.key or known.title) if known is not None else None
