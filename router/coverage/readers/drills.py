"""What came of a drill: whether sample alerts of one bundle arrived at every destination, as `alert-router drill` writes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from router.coverage import own_objects
from router.coverage.documents import Item
from router.coverage.facts import CoverageFact, Source, source_of, subscription_subject
from router.coverage.fields import find, find_text, find_time, objects_at
from router.coverage.stored import NOBODY_KNOWS_WHEN
from router.coverage.workloads import subscription_fact

_LONGEST = 1_000_000
"""Seconds from which on a hop cannot have taken that long."""


@dataclass(frozen=True, slots=True)
class DrillStep:
    """A hop of a drill, or a destination.

    Attributes:
        name: what it is called.
        seconds: how long it took; None where it did not come to its end, or does not say it.
        verdict: what came of it, where that is said.
    """

    name: str
    seconds: float | None
    verdict: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillFact:
    """What came of a drill.

    Attributes:
        subject: the subscription, as `/subscriptions/ID` in lower case.
        exercise: what was raised: the bundle of sample alerts, else the plan.
        cluster: the context of the cluster whose test alert was raised; None where it was none.
        machine: the id of the machine on which somebody raised one; None where it was none.
        ended: when it ended; None where that is not said.
        verdict: `passed`, `failed` or `not proven`, in lower case.
        reason: why, in one sentence.
        failed_hop: the hop that nothing came over; None where there is none such.
        hops: the hops that it followed, in their order.
        destinations: the destinations at which it looked.
        left_out: the names of those that it was not to prove.
        source: where it stands.
    """

    subject: str
    exercise: str
    cluster: str | None
    machine: str | None
    ended: datetime | None
    verdict: str
    reason: str
    failed_hop: str | None
    hops: tuple[DrillStep, ...]
    destinations: tuple[DrillStep, ...]
    left_out: tuple[str, ...]
    source: Source

    @property
    def about(self) -> str:
        """What it was about, in words."""
        within = self.cluster or self.machine
        return f"{self.exercise or 'an unnamed bundle'}{f' at {within}' if within else ''}"


def reads(item: Item) -> bool:
    """Whether the router wrote it, of a drill."""
    return find_text(item.body, own_objects.KEY) == own_objects.DRILL


def facts_in(item: Item) -> Iterator[CoverageFact]:
    """What it says, and the subscription that it names; nothing where it does not say of which it is."""
    body = item.body
    subscription, verdict = find_text(body, "subscription"), (find_text(body, "verdict") or "").lower()
    if not subscription or not verdict:
        return
    name = subscription.lower().removeprefix("/subscriptions/")
    ended = find_text(body, "ended") or NOBODY_KNOWS_WHEN
    yield subscription_fact(name, source_of(item))
    yield DrillFact(
        subject=subscription_subject(name),
        exercise=find_text(body, "bundle") or find_text(body, "plan") or "",
        cluster=find_text(body, "cluster"),
        machine=find_text(body, "machine"),
        ended=find_time(body, "ended"),
        verdict=verdict,
        reason=find_text(body, "reason") or "",
        failed_hop=find_text(body, "failed_hop"),
        hops=tuple(_step(one, find_text(one, "hop")) for one in objects_at(body, "hops")),
        destinations=tuple(_step(one, find_text(one, "name")) for one in objects_at(body, "destinations")),
        left_out=tuple(str(one) for one in _listed(body, "left_out")),
        source=replace(source_of(item, ended), known_at=ended),
    )


def _listed(body: Mapping[str, object], name: str) -> Sequence[object]:
    value = find(body, name)
    return value if isinstance(value, list) else ()


def _step(step: Mapping[str, object], name: str | None) -> DrillStep:
    seconds = find(step, "seconds")
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 <= seconds < _LONGEST:
        seconds = None
    return DrillStep(name or "", seconds, find_text(step, "verdict"))
