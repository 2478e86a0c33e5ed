"""What the last row of a cluster's sensor says of it: that it ran then, on some node, and nothing of the other nodes. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from router.coverage.case import CoverageCase
from router.coverage.fields import time_of
from router.coverage.readers.process_events import ProcessEventsFact
from router.coverage.recency import age_of
from router.coverage.verdicts import CoverageEvidence, CoverageState, Verdict
from router.domain.clocks import is_possible

FRESH = timedelta(days=1)
"""How old a row may be that shows a sensor at work: a cluster runs processes all day."""


class LastRow(NamedTuple):
    """The last row that a cluster's sensor sent.

    Attributes:
        time: when it came.
        evidence: where that stands.
    """

    time: datetime
    evidence: CoverageEvidence

    def is_fresh(self, now: datetime) -> bool:
        """Whether the sensor ran within a day, on some node."""
        return now - self.time <= FRESH


def find_last_row(case: CoverageCase) -> LastRow | None:
    """The last one that is known; None where no workspace says any, which proves nothing."""
    rows = [
        LastRow(time, fact.source.shows("last", fact.source.time))
        for fact in case.about(ProcessEventsFact)
        if (time := time_of(fact.source.time or "")) is not None and is_possible(time, case.now)
    ]
    return max(rows, key=lambda one: one.time, default=None)


def with_last_row(verdict: Verdict, row: LastRow | None, now: datetime) -> Verdict:
    """A verdict with what the last row adds: it stays what it is, since rows of one node cover no other one."""
    if row is None:
        return verdict
    said = f"the last row of its sensor is {age_of(row.time, now)} old"
    if verdict.state is not CoverageState.UNKNOWN:
        return replace(verdict, remarks=(*verdict.remarks, said))
    said = f"{said}, and says nothing of its other nodes" if row.is_fresh(now) else said
    return replace(verdict, reason=f"{verdict.reason}; {said}", evidence=(*verdict.evidence, row.evidence))
