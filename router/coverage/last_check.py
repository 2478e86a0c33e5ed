"""What `coverage check --keep-verdicts` found last, as a state keeps it: what is paid for and dark first. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from copy import replace
from datetime import datetime

from router.coverage.verdicts import WORST_FIRST, CoverageRow, CoverageState, SensorSight, Verdict
from router.destinations.wording.fitting import shortened
from router.domain.documents import DocumentKind, StoredDocument, Version
from router.domain.errors import Undecodable
from router.domain.values import Value
from router.store.codec import attempt, pack, unpack

KEPT = "check"
"""The id of the document: the last check replaces the one before."""

MOST = 20_000
"""Workloads that are kept, the worst first."""

_LONGEST, _MOST_REMEDIES = 500, 3
"""Characters of a reason and of a command, and commands of a verdict; the check itself prints all."""


class LastCheck(Value, kw_only=True):
    """The last check: when it judged, its first line, and its workloads in their order; `left_out` counts those beyond MOST."""

    at: datetime
    summary: str
    rows: tuple[CoverageRow, ...]
    left_out: int = 0


def document_of_check(
    summary: str, rows: Sequence[CoverageRow], now: datetime, version: Version | None = None
) -> StoredDocument:
    """Return the document of what a check found, to be written over a version of it."""
    kept = tuple(map(_in_short, sorted(rows, key=_rank)[:MOST]))
    check = LastCheck(at=now, summary=summary, rows=kept, left_out=len(rows) - len(kept))
    return StoredDocument(kind=DocumentKind.COVERAGE, id=KEPT, at=now, body=pack(check), version=version)


def find_check(document: StoredDocument) -> LastCheck | None:
    """Return what a document says that a check found; None if it does not decode."""
    found = attempt(unpack, LastCheck, document.body)
    return None if isinstance(found, Undecodable) else found


def _rank(row: CoverageRow) -> tuple[bool, int, bool, str, str, str]:
    """What is dark comes first, then what is worst; of equals those of one subscription together."""
    one, sight = row.workload, row.sensor
    worst = WORST_FIRST.index(row.state)
    return sight is not SensorSight.DARK, worst, sight is None, one.subscription or "", one.kind, one.name.lower()


def _in_short(row: CoverageRow) -> CoverageRow:
    """A row without what its verdicts rest on; what is covered needs no words."""
    return replace(row, verdicts={rung: _worded(verdict) for rung, verdict in row.verdicts.items()})


def _worded(verdict: Verdict) -> Verdict:
    if verdict.state is CoverageState.COVERED:
        return Verdict(state=verdict.state, reason="")
    remedies = [shortened(one, _LONGEST) for one in (verdict.remedy or "").split("\n")[:_MOST_REMEDIES]]
    return Verdict(
        state=verdict.state,
        reason=shortened(verdict.reason, _LONGEST),
        remedy="\n".join(remedies) or None,
        exception=verdict.exception,
    )
