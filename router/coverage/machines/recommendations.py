"""What several recommendations say together of one workload. Pure.

A healthy recommendation proves something only where foundational CSPM is known to be on. One that does not apply
proves nothing: somebody exempted the resource, or switched the recommendation off. What a message said longer ago than a
missed snapshot proves nothing either; what it said to be missing stays missing until something says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from router.coverage.case import CoverageCase
from router.coverage.facts import RecommendationFact
from router.coverage.fields import time_of
from router.coverage.recency import why_stale
from router.coverage.verdicts import CoverageEvidence

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
        missing: how many of those that were wanted no document has, or none that is young enough.
        stale: those that were healthy when a message last spoke of them, which is too long ago.
        why_stale: how old these are; empty where there are none.
    """

    unhealthy: tuple[RecommendationFact, ...]
    healthy: tuple[RecommendationFact, ...]
    not_applicable: tuple[RecommendationFact, ...]
    missing: int
    stale: tuple[RecommendationFact, ...] = ()
    why_stale: str = ""

    @property
    def are_healthy(self) -> bool:
        """Whether each of them is healthy, and no document says otherwise of any."""
        return not (self.unhealthy or self.not_applicable or self.missing) and bool(self.healthy)

    @property
    def evidence(self) -> tuple[CoverageEvidence, ...]:
        """What they say, the worst first."""
        return tuple(
            one.source.shows(f"{one.recommendation} status.code", one.code)
            for one in (*self.unhealthy, *self.not_applicable, *self.healthy, *self.stale)
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
    case: CoverageCase, subjects: Iterable[str | None], wanted: Sequence[str]
) -> RecommendationAnswers:
    """What the recommendations, named by key or by title, say of the subjects of one workload."""
    found = [
        (name, fact)
        for subject in dict.fromkeys(subjects)
        for fact in case.facts.about(RecommendationFact, subject)
        if (name := _name_of(fact)) in wanted
    ]
    stale = [
        fact
        for _, fact in found
        if fact.code == "healthy" and fact.source.is_stale(case.now, case.expectation.heard_within)
    ]
    found = [one for one in found if one[1] not in stale]
    since = {
        (name, fact.subject) for name, fact in found if fact.code == "healthy" and fact.source.known_at is not None
    }
    found = [one for one in found if not (_is_over(one[1], case) and (one[0], one[1].subject) in since)]
    return RecommendationAnswers(
        unhealthy=tuple(fact for _, fact in found if fact.code == "unhealthy"),
        healthy=tuple(fact for _, fact in found if fact.code == "healthy"),
        not_applicable=tuple(fact for _, fact in found if fact.code == "notapplicable"),
        missing=len(set(wanted) - {name for name, _ in found}),
        stale=tuple(stale),
        why_stale=why_stale((one.source for one in stale), case.now) if stale else "",
    )


def _is_over(fact: RecommendationFact, case: CoverageCase) -> bool:
    """Whether it said so before the last snapshot, and no message since: what is younger and healthy counts then.

    Until then an unhealthy one counts: what Azure answers lags behind its messages.
    """
    said = time_of(fact.source.known_at or "")
    is_past = said is not None and said <= case.now
    return fact.code == "unhealthy" and is_past and fact.source.is_stale(case.now, case.expectation.heard_within)


def _name_of(fact: RecommendationFact) -> str | None:
    return (fact.known.key or fact.known.title) if fact.known is not None else None
