"""What came of a drill: for people, for programs, and as the document of the state that the gate reads.

A result has the same form wherever it is: what `drill --format json` prints is what lies in the state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from router.domain import own_objects
from router.domain.document_bodies import body_of
from router.domain.documents import DocumentKind, StoredDocument
from router.domain.ledger import Version
from router.drill.subjects import DrillSubject


class DrillVerdict(StrEnum):
    """How a drill, or one destination in it, was judged. Other programs read these."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_PROVEN = "not proven"


class DrillHop(StrEnum):
    """The hops of an alert, in the order in which it comes over them. Other programs read these."""

    RAISED = "raised"
    DEFENDER = "defender"
    HUB = "hub"
    DECIDED = "decided"
    DESTINATION = "destination"


class HopTime(NamedTuple):
    """A hop that was come over.

    Attributes:
        hop: which.
        at: when.
        seconds: how long after the one before.
    """

    hop: DrillHop
    at: datetime
    seconds: float


class DestinationVerdict(NamedTuple):
    """How one expected destination was judged.

    Attributes:
        name: its name.
        lane: its lane.
        verdict: whether it proved itself.
        reason: why, in words.
        seconds: how long after the decision it took the notice; None where it did not.
        receipt: the vendor's reference; None where it gave none.
        alert: Defender's id of the alert that it took; None where it took none.
    """

    name: str
    lane: str
    verdict: DrillVerdict
    reason: str
    seconds: float | None = None
    receipt: str | None = None
    alert: str | None = None


class DrillJudgement(NamedTuple):
    """How a drill is judged at an instant.

    Attributes:
        verdict: whether everything that is expected was proved.
        reason: why, in words.
        failed_hop: the hop at which it ended; None where it passed.
        hops: the hops that were come over, with their times.
        destinations: how each expected destination is judged.
    """

    verdict: DrillVerdict
    reason: str
    failed_hop: DrillHop | None
    hops: tuple[HopTime, ...]
    destinations: tuple[DestinationVerdict, ...]


class OpenReceipt(NamedTuple):
    """A page or ticket of a drill that is still open.

    Attributes:
        destination: who has it.
        lane: its lane.
        receipt: the vendor's reference; None where it gave none.
        link: where people see it; None where it said nothing of that.
        title: the title of the alert.
        others: how many signals that are none of the drill's it is about as well.
        is_on_its_way: whether it was not taken yet, and may be.
    """

    destination: str
    lane: str
    receipt: str | None
    link: str | None
    title: str
    others: int = 0
    is_on_its_way: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillResult:
    """What came of a drill.

    Attributes:
        subject: what it was about.
        began, ended: from when to when it lasted.
        judgement: how it was judged at its end.
        left_out: the destinations to which the rules lead such alerts and that it was not to prove.
        alerts: the ids of its alerts, by what was decided on each.
        dismissed: how many of its sample alerts it dismissed in Defender; None where it left them as they were.
        undismissed: why some of them, or all, could not be dismissed.
        undecided: the ids of those that Defender lists and that were not decided by its end: whom they call is called later.
        still_open: the pages and tickets of it that are still open; None where the state could not be read.
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
        """Whether everything that is expected was proved."""
        return self.judgement.verdict is DrillVerdict.PASSED


def result_object(result: DrillResult) -> dict[str, object]:
    """A result for programs."""
    judgement, subject = result.judgement, result.subject
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
        "hops": _hops_of(judgement),
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
        "open": [_open_object(one) for one in result.still_open] if result.still_open is not None else None,
    }


def _open_object(one: OpenReceipt) -> dict[str, object]:
    return {
        "destination": one.destination,
        "lane": one.lane,
        "receipt": one.receipt,
        "link": one.link,
        "title": one.title,
        "others": one.others,
        "on_its_way": one.is_on_its_way,
    }


def _hops_of(judgement: DrillJudgement) -> list[dict[str, object]]:
    """The hops that were come over, and behind them the one that was not, which so has no seconds."""
    hops: list[dict[str, object]] = [
        {"hop": one.hop.value, "at": one.at.isoformat(), "seconds": round(one.seconds, 3)} for one in judgement.hops
    ]
    failed = judgement.failed_hop
    if failed is not None and failed not in {one.hop for one in judgement.hops}:
        hops.append({"hop": failed.value, "at": None, "seconds": None})
    return hops


def result_id(subject: DrillSubject) -> str:
    """What the document of a drill's result is called: the latest of one subject takes the place of the one before."""
    about = subject.cluster or subject.machine
    parts = [
        own_objects.DRILL,
        subject.subscription or "",
        (subject.bundle or subject.plan),
        *([about] if about else []),
    ]
    return ":".join(parts).lower()


def document_of_result(result: DrillResult, version: Version | None) -> StoredDocument:
    """The document of a result, to be written over a version of it."""
    return StoredDocument(
        kind=DocumentKind.FACT,
        id=result_id(result.subject),
        at=result.ended,
        body=body_of(result_object(result)),
        version=version,
    )
