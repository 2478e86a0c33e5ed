"""What came of a drill: whether sample alerts of one bundle arrived at every destination, as `alert-router drill` writes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from router.coverage.documents import Item
from router.coverage.facts import CoverageFact, Source, source_of, subscription_subject
from router.coverage.fields import find_text, find_time, objects_at
from router.coverage.workloads import subscription_fact
from router.domain.coverage_sources import OURS

_DRILL = "drill"


@dataclass(frozen=True, slots=True)
class DrillStep:
    """A hop of a drill, or a destination.

    Attributes:
        name: what it is called.
        seconds: how long it took, as text; None where it did not come to its end.
        verdict: what came of it, where that is said.
    """

    name: str
    seconds: str | None
    verdict: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillFact:
    """What came of a drill.

    Attributes:
        subject: the subscription, as `/subscriptions/ID` in lower case.
        exercise: what was raised: the bundle of sample alerts, else the plan.
        cluster: the cluster whose test alert was raised; None where it was none.
        ended: when it ended; None where that is not said.
        verdict: `passed`, `failed` or `not proven`, in lower case.
        reason: why, in one sentence.
        hops: the hops that it followed, in their order.
        destinations: the destinations at which it looked.
        source: where it stands.
    """

    subject: str
    exercise: str
    cluster: str | None
    ended: datetime | None
    verdict: str
    reason: str
    hops: tuple[DrillStep, ...]
    destinations: tuple[DrillStep, ...]
    source: Source


def reads(item: Item) -> bool:
    """Whether the router wrote it, of a drill."""
    return find_text(item.body, OURS) == _DRILL


def facts_in(item: Item) -> Iterator[CoverageFact]:
    """What it says, and the subscription that it names; nothing where it does not say of which it is."""
    body = item.body
    subscription, verdict = find_text(body, "subscription"), (find_text(body, "verdict") or "").lower()
    if not subscription or not verdict:
        return
    name = subscription.lower().removeprefix("/subscriptions/")
    yield subscription_fact(name, source_of(item))
    yield DrillFact(
        subject=subscription_subject(name),
        exercise=find_text(body, "bundle") or find_text(body, "plan") or "",
        cluster=find_text(body, "cluster"),
        ended=find_time(body, "ended"),
        verdict=verdict,
        reason=find_text(body, "reason") or "",
        hops=tuple(_step(one, find_text(one, "hop")) for one in objects_at(body, "hops")),
        destinations=tuple(_step(one, find_text(one, "name")) for one in objects_at(body, "destinations")),
        source=source_of(item, find_text(body, "ended")),
    )


def _step(step: Mapping[str, object], name: str | None) -> DrillStep:
    return DrillStep(name or "", find_text(step, "seconds"), find_text(step, "verdict"))
