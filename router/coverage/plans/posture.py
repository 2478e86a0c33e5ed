"""Whether a subscription has foundational CSPM, without which no recommendation says anything. Pure.

Recommendations come only where a subscription has it, and subscriptions made since 2026-10-27 have it only by choice. So one
that is Healthy, or absent, proves nothing unless posture is known to be on. How it reads when it is off is not documented: the
plan may be Free or absent, and both are taken as not known. Where no answer calls a plan of it Free, rows of a snapshot that
are Healthy prove it as well, as long as the last one is young enough: it is what recommendations that come look like.
https://learn.microsoft.com/azure/defender-for-cloud/concept-cloud-security-posture-management
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from router.coverage.case import CoverageCase
from router.coverage.expected.manifest import HEARD_WITHIN, CoverageManifest
from router.coverage.facts import Facts, ResourceFact, subscription_subject
from router.coverage.plans.answers import PlanAnswers, answers_about
from router.coverage.plans.table import PLANS
from router.coverage.subscriptions.heard import find_healthy_rows
from router.coverage.verdicts import CoverageEvidence
from router.domain.coverage import WorkloadKind

POSTURE_PLANS = tuple(PLANS[name] for name in ("foundationalcspm", "discovery", "cloudposture"))
"""The plans of which one that is on means that recommendations come. The first two cost nothing, the last is Defender CSPM."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionPosture:
    """What is known of the foundational CSPM of a subscription.

    Attributes:
        subscription: its id in lower case.
        name: what people call it.
        is_known_on: whether it is proved to be on; where it is not, it may still be.
        reason: why, in one sentence without its full stop.
        evidence: what that rests on.
    """

    subscription: str
    name: str
    is_known_on: bool
    reason: str
    evidence: tuple[CoverageEvidence, ...] = ()


def is_posture_known_on(case: CoverageCase) -> bool:
    """Whether the documents prove that recommendations come for the resources of a workload's subscription."""
    subscription = case.workload.subscription
    if subscription is None:
        return False
    # Each workload asks it, and mostly a plan answers.
    is_on = any(one.tier == "standard" for one in _answers(case.facts, subscription))
    return is_on or posture_for(case, subscription).is_known_on


def posture_for(case: CoverageCase, subscription: str) -> SubscriptionPosture:
    """What is known of the subscription of a workload, which says how long its rows may be old."""
    return _posture(case.facts, subscription, case.now, case.expectation.heard_within)


def _posture(
    facts: Facts, subscription: str, now: datetime, within: timedelta, name: str | None = None
) -> SubscriptionPosture:
    answers = _answers(facts, subscription)
    on = next((one for one in answers if one.tier == "standard"), None)
    said = [one for one in answers if one.tier == "free"]
    if on is not None:
        reason = f"{on.plan.name} is on"
    elif said:
        reason = f"not known to be on: {', '.join(one.plan.name for one in said)} Free is what the answer says"
    else:
        reason = "not known to be on: no answer names a plan of posture that is on"
    heard = None if on or _is_called_free(answers) else find_healthy_rows(facts, subscription, now, within)
    if heard is not None:
        reason = "healthy rows of a snapshot came lately"
    return SubscriptionPosture(
        subscription=subscription,
        name=name or subscription,
        is_known_on=on is not None or heard is not None,
        reason=reason,
        evidence=(heard,)
        if heard is not None
        else tuple(one for answer in ([on] if on else said) for one in answer.evidence()),
    )


def posture_of(facts: Facts, manifest: CoverageManifest, now: datetime) -> tuple[SubscriptionPosture, ...]:
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


def _is_called_free(answers: Iterable[PlanAnswers]) -> bool:
    """Whether an answer calls a plan Free that costs nothing; that Defender CSPM is, which costs, is common."""
    return any(one.tier == "free" and one.plan.name != "CloudPosture" for one in answers)


def _answers(facts: Facts, subscription: str) -> list[PlanAnswers]:
    return [answers_about(facts, subscription_subject(subscription), plan) for plan in POSTURE_PLANS]
