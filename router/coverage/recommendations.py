"""What recommendations say of a workload or a plan, and whether foundational CSPM is on, without which they say nothing. Pure.

A recommendation that does not apply proves nothing: the resource was exempted, or the recommendation switched off. What a
message said longer ago than a missed snapshot proves nothing either; what it said to be missing stays missing until something
says otherwise. How posture that is off reads is not documented: its plan may be Free or absent, and both are not known.
https://learn.microsoft.com/azure/defender-for-cloud/concept-cloud-security-posture-management,
https://learn.microsoft.com/azure/defender-for-cloud/continuous-export
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from router.coverage.expected.manifest import HEARD_WITHIN, CoverageManifest
from router.coverage.facts import CoverageCase, Facts, RecommendationFact, ResourceFact, age_words, subscription_subject
from router.coverage.fields import parse_time
from router.coverage.plans.answers import PlanAnswers, answers_about
from router.coverage.plans.table import PLANS, DefenderPlan, plan_names
from router.coverage.readers.plans import PlanFact
from router.coverage.stored import SourceFact
from router.coverage.verdicts import CoverageEvidence
from router.domain.clocks import is_possible
from router.domain.coverage import WorkloadKind
from router.domain.recommendations import RECOMMENDATIONS
from router.domain.values import Value

POSTURE_NOT_KNOWN = (
    "a recommendation is healthy, and it is not known whether foundational CSPM is on, without which it says nothing"
)

_CAUSES = {"exempt": "somebody exempted it from it", "offbypolicy": "it is switched off by policy"}

_POSTURE_PLANS = ("foundationalcspm", "discovery", "cloudposture")
"""The plans of which one that is on means that recommendations come. The first two cost nothing, the last is Defender CSPM."""


class RecommendationAnswers(Value, kw_only=True):
    """What some recommendations say of a workload; how many that were wanted no document has that is young enough.

    Those that were healthy when a message last spoke of them, which is too long ago, are stale.
    """

    unhealthy: tuple[RecommendationFact, ...]
    healthy: tuple[RecommendationFact, ...]
    not_applicable: tuple[RecommendationFact, ...]
    missing: int
    stale: tuple[RecommendationFact, ...]
    why_stale: str

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

    def find_doubt(self, ask: str, ask_again: str) -> tuple[str, str] | None:
        """Why what they say proves nothing, as one that does not apply or is too old, and what to ask then; else None."""
        if self.not_applicable:
            one = self.not_applicable[0]
            cause = _CAUSES.get(one.cause, f"the cause is {one.cause}" if one.cause else "nothing says why")
            return f"the recommendation {quoted_title(one)} does not apply: {cause}", ask
        return (self.why_stale, ask_again) if self.stale else None

    @property
    def doubts(self) -> tuple[str, ...]:
        """Which of them are unhealthy: why a workload is not covered, or remarks on one that is all the same."""
        return tuple(f"the recommendation {quoted_title(one)} is unhealthy" for one in self.unhealthy)


def quoted_title(fact: RecommendationFact) -> str:
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
        if fact.known is not None and (name := fact.known.key or fact.known.title) in wanted
    ]
    within = case.expectation.heard_within
    stale = [one for _, one in found if one.code == "healthy" and one.source.is_stale(case.now, within)]
    found = [one for one in found if one[1] not in stale]
    since = {(name, one.subject) for name, one in found if one.code == "healthy" and one.source.known_at is not None}
    # An unhealthy one counts, as Azure's answers lag behind its messages, until a younger message says that it is healthy.
    over = [
        one
        for name, one in found
        if one.code == "unhealthy" and (name, one.subject) in since and one.source.is_stale(case.now, within)
        if (at := parse_time(one.source.known_at or "")) is not None and at <= case.now
    ]
    found = [(name, one) for name, one in found if one not in over]
    healthy, unhealthy, not_applicable = (
        tuple(one for _, one in found if one.code == code) for code in ("healthy", "unhealthy", "notapplicable")
    )
    known = [time for one in stale if (time := parse_time(one.source.known_at or "")) and is_possible(time, case.now)]
    age = f"{age_words(max(known), case.now)} old" if known else "of an instant that cannot be, or of none"
    return RecommendationAnswers(
        unhealthy=unhealthy,
        healthy=healthy,
        not_applicable=not_applicable,
        missing=len(set(wanted) - {name for name, _ in found}),
        stale=tuple(stale),
        why_stale=f"what was last said of it is {age}" if stale else "",
    )


class SubscriptionPosture(NamedTuple):
    """What is known of the foundational CSPM of a subscription, by its id; where it is not proved to be on, it may still be."""

    subscription: str
    name: str
    is_known_on: bool
    reason: str
    evidence: tuple[CoverageEvidence, ...]


def is_posture_known_on(case: CoverageCase) -> bool:
    """Whether the documents prove that recommendations come for the resources of a workload's subscription."""
    subscription = case.workload.subscription
    return subscription is not None and posture_for(case, subscription).is_known_on


def posture_for(case: CoverageCase, subscription: str) -> SubscriptionPosture:
    """What is known of the subscription of a workload, which says how long its rows may be old."""
    return _posture(case.facts, subscription, case.now, case.expectation.heard_within)


def _posture(
    facts: Facts, subscription: str, now: datetime, within: timedelta, name: str | None = None
) -> SubscriptionPosture:
    at = subscription_subject(subscription)
    answers = [answers_about(facts, at, PLANS[name]) for name in _POSTURE_PLANS]
    on = [one for one in answers if one.is_on][:1]
    free = [one for one in answers if one.is_on is False]
    evidence = tuple(shown for answer in on or free for shown in answer.evidence())
    # That Defender CSPM is Free, which costs, is common, and says nothing of the plans that cost nothing.
    is_off = any(one.plan.name != "CloudPosture" for one in free)
    heard = None if on or is_off else find_healthy_rows(facts, subscription, now, within)
    if on:
        reason = f"{on[0].plan.name} is on"
    elif heard is not None:
        reason, evidence = "healthy rows of a snapshot came lately", (heard,)
    elif free:
        reason = f"not known to be on: {plan_names(one.plan for one in free)} Free is what the answer says"
    else:
        reason = "not known to be on: no answer names a plan of posture that is on"
    is_known_on = bool(on) or heard is not None
    return SubscriptionPosture(subscription, name or subscription, is_known_on, reason, evidence)


def judge_posture(facts: Facts, manifest: CoverageManifest, now: datetime) -> tuple[SubscriptionPosture, ...]:
    """What is known of every subscription that has a workload, by its name."""
    names: dict[str, str] = {}
    for fact in facts.every(ResourceFact):
        if (subscription := fact.workload.subscription) is not None:
            names.setdefault(subscription, subscription)
            if fact.workload.kind is WorkloadKind.SUBSCRIPTION and fact.workload.name.lower() != subscription:
                names[subscription] = fact.workload.name
    ordered = sorted(names.items(), key=lambda one: (one[1].lower(), one[0]))
    within = max((one.heard_within for one in manifest.expectations), default=HEARD_WITHIN)
    return tuple(_posture(facts, subscription, now, within, name) for subscription, name in ordered)


def find_healthy_rows(facts: Facts, subscription: str, now: datetime, within: timedelta) -> CoverageEvidence | None:
    """Where it stands that a snapshot lately brought rows that are Healthy; None where nothing says it."""
    for fact in facts.about(SourceFact, subscription_subject(subscription)):
        healthy = fact.heard.healthy
        if healthy is not None and is_possible(healthy, now) and now - healthy <= within:
            return fact.shows("healthy", healthy)
    return None


def recommended_answers(case: CoverageCase, plan: DefenderPlan) -> tuple[PlanAnswers, tuple[str, ...]]:
    """What the recommendation on a plan says of a subscription, as if it had answered, and a remark where that is too old.

    It may lag behind by a day, so it counts only where no answer of pricings does.
    """
    names = [one.key or one.title for one in RECOMMENDATIONS if one.plan == plan.name and one.retired is None]
    said = recommendation_answers_for(case, [case.workload.subject], names)
    old = tuple(f"the recommendation {quoted_title(one)} was healthy: {said.why_stale}" for one in said.stale[:1])
    if said.unhealthy:
        return _as_answers(plan, "free", said.unhealthy), old
    if said.healthy and not said.not_applicable and is_posture_known_on(case):
        return _as_answers(plan, "standard", said.healthy), old
    return PlanAnswers(plan, ()), old


def _as_answers(plan: DefenderPlan, tier: str, rows: Iterable[RecommendationFact]) -> PlanAnswers:
    facts = (
        PlanFact(
            subject=one.subject,
            plan=plan.name.lower(),
            name=plan.name,
            tier=tier,
            shown=one.source.shows(f"{one.recommendation} status.code", one.code),
            source=one.source,
        )
        for one in rows
    )
    return PlanAnswers(plan, tuple(facts))
