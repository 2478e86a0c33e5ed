"""The result of a drill, as `drill --format json` prints it and as the state keeps it for the coverage gate."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from msgspec.structs import asdict

from router.coverage.drill.subjects import DrillSubject
from router.coverage.stored import DRILL, KEY
from router.domain.values import Value


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


class HopTime(Value):
    """When a hop was passed, and the seconds since the one before; None for the hop at which a drill ended."""

    hop: DrillHop
    at: str | None = None
    seconds: float | None = None


class DestinationVerdict(Value):
    """The verdict on one destination; `seconds` are those from the decision to its answer, `alert` is the id that it took."""

    name: str
    lane: str
    verdict: DrillVerdict
    seconds: float | None = None
    receipt: str | None = None
    alert: str | None = None
    reason: str = ""


class DrillJudgement(Value):
    """The verdict on a drill at an instant; `failed_hop` is None if it passed."""

    verdict: DrillVerdict
    reason: str
    failed_hop: DrillHop | None
    hops: Sequence[HopTime]
    destinations: Sequence[DestinationVerdict]


class OpenReceipt(Value):
    """A page or ticket of a drill that is open, or still to come; `others` counts the other signals that it is about."""

    destination: str
    lane: str
    receipt: str | None
    link: str | None
    title: str
    others: int = 0
    on_its_way: bool = False


class DrillResult(Value, kw_only=True):
    """The end of a drill; its fields are the keys of the JSON, with those of the subject and the judgement among them.

    Attributes:
        left_out: the destinations that `--to` left out.
        alerts: the `id` and the `outcome` of each alert that was decided.
        dismissed: how many samples were dismissed in Defender; None if none was to be.
        undecided: the ids that Defender lists and that were not decided by the end.
        open: its pages and tickets that are open; None if the state could not be read.
    """

    subject: DrillSubject
    began: datetime
    ended: datetime
    judgement: DrillJudgement
    left_out: Sequence[str] = ()
    alerts: Sequence[dict[str, str]] = ()
    dismissed: int | None = None
    undismissed: str | None = None
    undecided: Sequence[str] = ()
    open: Sequence[OpenReceipt] | None = ()


def result_object(result: DrillResult) -> dict[str, object]:
    """Return a result as an object of JSON."""
    fields = asdict(result)
    subject, began, ended, judgement = (fields.pop(name) for name in ("subject", "began", "ended", "judgement"))
    times = {"began": began.isoformat(), "ended": ended.isoformat()}
    opened = list(map(asdict, result.open)) if result.open is not None else None
    told = asdict(judgement)
    parts = {name: list(map(asdict, told[name])) for name in ("hops", "destinations")}
    return {KEY: DRILL, **asdict(subject), **times, **told, **parts, **fields, "open": opened}


def result_id(subject: DrillSubject) -> str:
    """Return the id of a result's document: the last drill of a subject replaces the one before."""
    parts = (DRILL, subject.subscription, subject.bundle or subject.plan, subject.cluster or subject.machine)
    return ":".join(part or "" for part in parts).removesuffix(":").lower()
