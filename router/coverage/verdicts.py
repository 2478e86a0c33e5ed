"""What is known of workloads: their states, and verdicts with what they rest on. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from router.domain.coverage import Rung, WorkloadKind
from router.domain.values import Value


class CoverageState(StrEnum):
    """What is known of a workload on a rung.

    Attributes:
        COVERED: it is proved.
        GAP: the opposite is proved.
        EXCUSED: it is a gap, or unknown, and has an owner until an end.
        NOT_COVERABLE: it cannot be there at all, as no sensor of Defender runs on a Windows node.
        UNKNOWN: it was not asked, or the answer does not tell. It never counts as covered.
    """

    COVERED = "covered"
    GAP = "gap"
    EXCUSED = "excused"
    NOT_COVERABLE = "not coverable"
    UNKNOWN = "unknown"


WORST_FIRST = (
    CoverageState.GAP,
    CoverageState.UNKNOWN,
    CoverageState.EXCUSED,
    CoverageState.COVERED,
    CoverageState.NOT_COVERABLE,
)
"""The states, worst first."""

_SENSOR, _IN_DOUBT = (Rung.SENSOR_INSTALLED, Rung.SENSOR_RUNNING), {CoverageState.GAP, CoverageState.UNKNOWN}


class Workload(Value, kw_only=True):
    """Something that can be covered. Two with one key are the same.

    Attributes:
        id: its ARM id, or its id in its own cloud, in its own case; None for a cluster of which only kubectl speaks.
        subscription: the id of its subscription in lower case; None where that is not known.
        subject: what its facts are found under: the id in lower case, else the name that was given for its files.
    """

    kind: WorkloadKind
    name: str
    id: str | None = None
    subscription: str | None = None
    subject: str

    @property
    def key(self) -> tuple[WorkloadKind, str]:
        """What tells it from every other workload."""
        return self.kind, self.subject

    @property
    def ids(self) -> tuple[str, ...]:
        """What it alone is called: its id, or the name that was given for its files."""
        is_subscription = self.kind is WorkloadKind.SUBSCRIPTION and self.subscription is not None
        return (self.id or self.subject, *([self.subscription or ""] if is_subscription else ()))

    @property
    def names(self) -> tuple[str, ...]:
        """What a manifest may call it: its name, which another one may have, too, and its ids."""
        return (self.name, *self.ids)


class SensorSight(StrEnum):
    """What is known of the sensor of a workload whose plan is on.

    Attributes:
        DARK: it is not there, or does not run.
        UNSEEN: no document shows whether it runs.
    """

    DARK = "dark"
    UNSEEN = "unseen"


class CoverageEvidence(Value):
    """What a verdict rests on: one field of one document.

    Attributes:
        document: the document as it was named, and where in it, as in `pricings.json value[3]`.
        field: the field, with dots between its parts.
        value: its text; empty if it is not there.
        time: when that was so, where the document says it.
        known_at: the instant at which it was asked, or at which a message said it, as text; None for a file, whose age is not
            known.
    """

    document: str
    field: str
    value: str
    time: str | None = None
    known_at: str | None = None


class CoverageException(Value, kw_only=True):
    """Why, and until when, a workload need not be covered; `owner` answers for it."""

    owner: str
    reason: str
    ends: datetime


class Verdict(Value, kw_only=True):
    """What is known of a workload on a rung, and from what.

    Attributes:
        reason: one sentence without its full stop.
        evidence: what it rests on; none where nothing was asked.
        remedy: the command that mends a gap, or that answers what is unknown; several stand one on a line, and none needs
            another; None where there is none.
        remarks: what else is to be said, though it changes nothing.
        limits: those of the remarks that say what is not covered all the same, where it is covered.
        counts: of a workload of many parts, as a cluster of nodes: how many parts are in which state.
        excused: what is known of it all the same, where it is excused; else None.
    """

    state: CoverageState
    reason: str
    evidence: tuple[CoverageEvidence, ...] = ()
    remedy: str | None = None
    remarks: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    counts: Mapping[CoverageState, int] | None = None
    exception: CoverageException | None = None
    excused: CoverageState | None = None

    @property
    def is_unknown(self) -> bool:
        """Whether its remedy is a question: it is unknown, be it excused or not."""
        return CoverageState.UNKNOWN in (self.state, self.excused)


class CoverageRow(Value, kw_only=True):
    """A workload, and what is known on each rung that is expected of it, from the bottom up."""

    workload: Workload
    verdicts: Mapping[Rung, Verdict]

    @property
    def state(self) -> CoverageState:
        """Its worst state; where no rung is expected, covered."""
        states = (verdict.state for verdict in self.verdicts.values())
        return min(states, key=WORST_FIRST.index, default=CoverageState.COVERED)

    @property
    def sensor(self) -> SensorSight | None:
        """What is known of its sensor; None if its plan is not on, or if it needs none, or the sensor runs, or is excused."""
        plan = self.verdicts.get(Rung.PLAN)
        seen = {one.state for rung in _SENSOR if (one := self.verdicts.get(rung)) is not None}
        if plan is None or plan.state is not CoverageState.COVERED or not seen & _IN_DOUBT:
            return None
        return SensorSight.DARK if CoverageState.GAP in seen else SensorSight.UNSEEN


def covered(
    reason: str, *evidence: CoverageEvidence, remarks: tuple[str, ...] = (), limits: tuple[str, ...] = ()
) -> Verdict:
    """The verdict that something is proved; `limits` are remarks, too."""
    return Verdict(
        state=CoverageState.COVERED, reason=reason, evidence=evidence, remarks=(*remarks, *limits), limits=limits
    )


def gap(reason: str, *evidence: CoverageEvidence, remedy: str | None = None, remarks: tuple[str, ...] = ()) -> Verdict:
    """The verdict that the opposite is proved; `remedy` is the command that mends it."""
    return Verdict(state=CoverageState.GAP, reason=reason, evidence=evidence, remedy=remedy, remarks=remarks)


def unknown(reason: str, *evidence: CoverageEvidence, remedy: str | None, remarks: tuple[str, ...] = ()) -> Verdict:
    """The verdict that nothing is proved; `remedy` is what would answer it."""
    return Verdict(state=CoverageState.UNKNOWN, reason=reason, evidence=evidence, remedy=remedy, remarks=remarks)


def not_coverable(reason: str, *evidence: CoverageEvidence) -> Verdict:
    """The verdict that it cannot be there."""
    return Verdict(state=CoverageState.NOT_COVERABLE, reason=reason, evidence=evidence)
