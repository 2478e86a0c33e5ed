"""The result of a drill, as `drill --format json` prints it and as the state keeps it for the coverage gate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from router.domain import own_objects
from router.drill.subjects import DrillSubject


class DrillVerdict(StrEnum):
    """The verdict on a drill, or on one destination of it."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_PROVEN = "not proven"


class DrillHop(StrEnum):
    """The hops of an alert, in their order."""

    RAISED = "raised"
    DEFENDER = "defender"
    HUB = "hub"
    DECIDED = "decided"
    DESTINATION = "destination"


class HopTime(NamedTuple):
    """A hop that was passed, and the seconds since the one before."""

    hop: DrillHop
    at: datetime
    seconds: float


class DestinationVerdict(NamedTuple):
    """The verdict on one destination.

    Attributes:
        seconds: from the decision to the destination's answer; None if it took nothing.
        receipt: the vendor's reference.
        alert: Defender's id of the alert that it took.
    """

    name: str
    lane: str
    verdict: DrillVerdict
    reason: str
    seconds: float | None = None
    receipt: str | None = None
    alert: str | None = None


class DrillJudgement(NamedTuple):
    """The verdict on a drill at an instant; `failed_hop` is None if it passed."""

    verdict: DrillVerdict
    reason: str
    failed_hop: DrillHop | None
    hops: tuple[HopTime, ...]
    destinations: tuple[DestinationVerdict, ...]


class OpenReceipt(NamedTuple):
    """A page or ticket of a drill that is open, or still to come (`on_its_way`).

    Attributes:
        others: how many signals beside the drill's it is about.
    """

    destination: str
    lane: str
    receipt: str | None
    link: str | None
    title: str
    others: int = 0
    on_its_way: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillResult:
    """What came of a drill.

    Attributes:
        left_out: the destinations that `--to` left out.
        alerts: the outcome of each alert that was decided, by its id.
        dismissed: how many samples were dismissed in Defender; None if none was to be.
        undismissed: why others were not.
        undecided: the ids that Defender lists and that were not decided by the end.
        still_open: its pages and tickets; None if the state could not be read.
    """

    subject: DrillSubject
    began: datetime
    ended: datetime
    judgement: DrillJudgement
    left_out: Sequence[str] = ()
    alerts: Mapping[str, str] = field(default_factory=dict)
    dismissed: int | None = None
    undismissed: str | None = None
    undecided: Sequence[str] = ()
    still_open: Sequence[OpenReceipt] | None = ()

    @property
    def has_passed(self) -> bool:
        """Whether every expected destination took an alert."""
        return self.judgement.verdict is DrillVerdict.PASSED


def result_object(result: DrillResult) -> dict[str, object]:
    """Return a result as an object of JSON."""
    judgement, subject = result.judgement, result.subject
    hops: list[dict[str, object]] = [
        {"hop": one.hop.value, "at": one.at.isoformat(), "seconds": round(one.seconds, 3)} for one in judgement.hops
    ]
    if judgement.failed_hop is not None and judgement.failed_hop not in {one.hop for one in judgement.hops}:
        hops.append({"hop": judgement.failed_hop.value, "at": None, "seconds": None})
    return {
        own_objects.KEY: own_objects.DRILL,
        "subscription": subject.subscription,
        "bundle": subject.bundle,
        "plan": subject.plan,
        "cluster": subject.cluster,
        "machine": subject.machine,
        "began": result.began.isoformat(),
        "ended": result.ended.isoformat(),
        "verdict": judgement.verdict.value,
        "reason": judgement.reason,
        "failed_hop": judgement.failed_hop.value if judgement.failed_hop is not None else None,
        "hops": hops,
        "destinations": [
            {
                "name": one.name,
                "lane": one.lane,
                "verdict": one.verdict.value,
                "seconds": round(one.seconds, 3) if one.seconds is not None else None,
                "receipt": one.receipt,
                "alert": one.alert,
                "reason": one.reason,
            }
            for one in judgement.destinations
        ],
        "left_out": list(result.left_out),
        "alerts": [{"id": id, "outcome": outcome} for id, outcome in result.alerts.items()],
        "dismissed": result.dismissed,
        "undismissed": result.undismissed,
        "undecided": list(result.undecided),
        "open": [one._asdict() for one in result.still_open] if result.still_open is not None else None,
    }


def result_id(subject: DrillSubject) -> str:
    """Return the id of a result's document: the last drill of a subject replaces the one before."""
    parts = (own_objects.DRILL, subject.subscription or "", subject.bundle or subject.plan)
    about = subject.cluster or subject.machine
    return ":".join([*parts, about] if about else parts).lower()
