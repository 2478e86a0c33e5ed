"""Makes the turn that ends a finding which two snapshots came without: not seen any more, which is not fixed. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from router.decide import decide, entry_for, notice_for
from router.domain.decisions import Decision, DecisionStep, Outcome, StepCode
from router.domain.ledger import UNSEEN, Arrival, LedgerRow, Seen, Turn
from router.domain.notices import Notice, RecordEntry
from router.domain.reasons import Code, Reason
from router.domain.rule_fields import RuleFields, signal_of
from router.domain.rulebook import Rulebook
from router.domain.severity import severity_named
from router.domain.signals import Finding, Kind
from router.domain.snapshots import AbsenceWindow, instant_of
from router.ingest.transitions import targets_of_resolution
from router.parse import evidence_of

_UNSEEN = DecisionStep(StepCode.SNAPSHOTS_UNSEEN)


def end_signal(
    row: LedgerRow,
    finding: Finding,
    window: AbsenceWindow,
    last_notice: Notice | None,
    rulebook: Rulebook,
    until: datetime,
    now: datetime,
) -> tuple[LedgerRow, Turn]:
    """The row of a finding that has ended by a window, and the turn that says so.

    `last_notice` is what a destination where it is open was last told of it. A message that came after `until`, up to which
    all was taken in, finds the finding ended and opens it again, whatever its own time; an earlier one is a repeat.
    `is_unseen` tells such a row from then on.
    """
    number = row.turn + 1
    decision, targets = targets_of_resolution(_decision(finding, row, rulebook, now), row, row.open, rulebook, number)
    # A place on record of its own, the same for whoever finds it ended by the same snapshot.
    arrival = Arrival(f"{UNSEEN}{window.subscription}:{row.key}", window.later.last, until)
    source = f"snapshots of {window.subscription}"
    entry = entry_for(finding, decision, key=arrival.key, source=source, now=now, about=row.key, turn=number)
    notice = _notice(finding, decision, last_notice, rulebook, row.key, number) if targets else None
    ended = replace(
        row,
        state=row.state._replace(resolved=True),
        # As after a Delete, whose own time says nothing either.
        seen=Seen(None, arrival, deleted=True),
        turn=number,
        outcome=Outcome.RESOLVED,
        open={},
        grouped=frozenset(),
        forwarded=bool(targets) or row.forwarded,
        held_by=None,
        closed_at=now,
    )
    return ended, Turn(number=number, entry=entry, notice=notice, targets=targets)


def _decision(finding: Finding, row: LedgerRow, rulebook: Rulebook, now: datetime) -> Decision:
    decision = decide(finding, rulebook, now)
    named = instant_of(row.appearances.named) if row.appearances is not None else row.heard
    since = f"since {named:%Y-%m-%d}, " if named is not None else ""
    # The step that asks for ATT&CK stays; no status said that it is over.
    return replace(
        decision,
        reason=Reason(Code.NOT_SEEN, f"not seen {since}two snapshots came without it"),
        steps=(decision.steps[0], _UNSEEN),
    )


def _notice(
    finding: Finding, decision: Decision, last: Notice | None, rulebook: Rulebook, key: str, number: int
) -> Notice:
    """What people were last told, as far as it is known, and that it is not seen any more."""
    made = replace(
        notice_for(finding, evidence_of(finding, rulebook.catalogue), decision, rulebook, key, number), status=None
    )
    if last is None:
        return made
    return replace(
        last,
        turn=number,
        status=None,
        changed=None,
        cause=None,
        snapshot=False,
        respond_by=None,
        routes=made.routes,
        reason=made.reason,
        closing=made.closing,
        rulebook=made.rulebook,
        owner=made.owner,
    )


def finding_of(row: LedgerRow, fields: RuleFields | None, last: RecordEntry | None) -> Finding:
    """The finding of a row, resolved: from what rules can match of it, else from the last decision on it, as far as known."""
    if fields is not None and isinstance(found := signal_of(fields), Finding):
        return replace(found, resolved=True)
    kind = Kind(row.appearances.kind) if row.appearances is not None else Kind.RECOMMENDATION
    if last is None:
        return Finding(kind=kind, id=row.key, type="", title="", severity=None, resolved=True)
    return Finding(
        kind=kind,
        id=last.id or row.key,
        type=last.type or "",
        title=last.title or "",
        severity=severity_named(last.severity),
        severity_written=last.severity,
        status=last.status,
        resolved=True,
        resource=last.resource,
    )
