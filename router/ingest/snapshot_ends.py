"""Ends the findings that two whole snapshots of their subscription came without, on a clock: not seen, which is not fixed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import replace
from datetime import datetime
from functools import partial
from itertools import batched

from router.decide import decide, entry_for, notice_for
from router.domain.clocks import AHEAD
from router.domain.decisions import Code, Decision, DecisionStep, Outcome, Reason, StepCode
from router.domain.hubs import Arrival
from router.domain.notices import Notice, RecordEntry
from router.domain.rule_fields import RuleFields, signal_of
from router.domain.rulebook import Lane, Rulebook
from router.domain.severity import severity_named
from router.domain.signals import Finding, Kind, Stream
from router.ingest.intake import Intake
from router.ingest.transitions import targets_of_resolution
from router.parse import evidence_of
from router.store import snapshots
from router.store.decisions import find_decisions
from router.store.delivery_status import find_last_notice
from router.store.ledger import UNSEEN, LedgerRow, Seen, Turn
from router.store.partitions import read_losses
from router.store.signals import lock_signals, read_fields
from router.store.snapshots import DAY, AbsenceWindow, Snapshot, find_absence_window, joined, judge
from router.store.store import Store, Transaction

AT_A_TIME = 100
"""Findings that end together."""

_UNSEEN = DecisionStep(StepCode.SNAPSHOTS_UNSEEN)


class SnapshotEnds:
    """Ends findings of the posture stream; raises StoreError. Safe to repeat, to break off anywhere, and to do at two workers.

    `is_stopped` tells whether the process is to end.
    """

    def __init__(
        self, intake: Intake, store: Store, rulebook: Rulebook, is_stopped: Callable[[], bool] = lambda: False
    ) -> None:
        self._intake = intake
        self._store = store
        self._rulebook = rulebook
        self._is_stopped = is_stopped

    async def end_unseen(self, until: datetime, now: datetime) -> list[RecordEntry]:
        """Judges the snapshots that are over, and ends what the last two that count came without; returns the entries.

        `until` is the hub's time up to which all was taken in. Nothing is counted while no snapshot can have ended.
        """
        if self._rulebook.stream is not Stream.CSPM:
            return []
        async with self._store.session() as tx:
            subscriptions = await snapshots.find_ended(tx, until - DAY)
        entries: list[RecordEntry] = []
        for subscription in subscriptions:
            judged, window = await self._store.run(partial(self._judge, subscription, until))
            if window is not None:
                entries += await self._end_all(window, until, now)
            if self._is_stopped():
                break
            if judged:
                # Only now: a worker that dies before leaves the rest to the next look.
                await self._store.run(partial(snapshots.write_judged, subscription=subscription, judged=judged))
        return entries

    async def _judge(
        self, subscription: str, until: datetime, tx: Transaction
    ) -> tuple[Sequence[Snapshot], AbsenceWindow | None]:
        """The snapshots of a subscription that are over, and by which two of them its findings end if any is judged now."""
        found = joined(await snapshots.read_days(tx, subscription, until + AHEAD))
        if not any(one.counts is None and one.last + DAY <= until for one in found):
            return (), None
        lost_at = [loss.at for loss in await read_losses(tx, self._rulebook.stream.value)]
        named = await snapshots.count_named(tx, subscription)
        judged = judge(found, named, until, lost_at)
        return judged, find_absence_window(subscription, judged, named)

    async def _end_all(self, window: AbsenceWindow, until: datetime, now: datetime) -> list[RecordEntry]:
        async with self._store.session() as tx:
            keys = await snapshots.find_unseen(tx, window, until + AHEAD)
        entries: list[RecordEntry] = []
        for some in batched(keys, AT_A_TIME, strict=False):
            if self._is_stopped():
                break
            entries += await self._store.run(partial(self._end_some, some, window, until, now))
        return entries

    async def _end_some(
        self, keys: Sequence[str], window: AbsenceWindow, until: datetime, now: datetime, tx: Transaction
    ) -> list[RecordEntry]:
        """Ends those of some findings that are still unseen, and returns their entries."""
        rows = await lock_signals(tx, keys)
        fields = await read_fields(tx, keys)
        rulebook = await self._intake.tags.rulebook(self._rulebook.stream, now)
        ended: list[tuple[LedgerRow, Turn]] = []
        for key, row in rows.items():
            named = row.appearances.possible_until(until + AHEAD) if row.appearances is not None else None
            if row.state.resolved or named is None or not window.is_unseen(named):
                continue
            known = fields.get(key)
            last = None if known is not None else next(iter(await find_decisions(tx, key, 1)), None)
            notice = await self._find_last_notice(tx, row)
            ended.append(end_signal(row, _finding_of(row, known, last), window, notice, rulebook, until, now))
        return await self._intake.write(tx, ended, now)

    async def _find_last_notice(self, tx: Transaction, row: LedgerRow) -> Notice | None:
        """What a destination where a finding is open was last told of it alone; a ticket is asked before a row."""
        specs = self._rulebook.destinations
        names = row.open.keys() - row.grouped
        for name in sorted(names, key=lambda name: (name in specs and specs[name].lane is Lane.ROWS, name)):
            if (notice := await find_last_notice(tx, row.stream, name, row.key)) is not None:
                return notice
        return None


def end_signal(
    row: LedgerRow,
    finding: Finding,
    window: AbsenceWindow,
    last_notice: Notice | None,
    rulebook: Rulebook,
    until: datetime,
    now: datetime,
) -> tuple[LedgerRow, Turn]:
    """The row of a finding that has ended by a window, and the turn that says so. Pure.

    `last_notice` is what a destination where it is open was last told of it. A message that came after `until`, up to which
    all was taken in, finds the finding ended and opens it again, whatever its own time; an earlier one is a repeat.
    `is_unseen` tells such a row from then on.
    """
    number = row.turn + 1
    decision, targets = targets_of_resolution(_decision(finding, row, rulebook, now), row, row.open, rulebook, number)
    # A place on record of its own, the same for each worker that finds it ended by the same snapshot.
    arrival = Arrival(f"{UNSEEN}{window.subscription}:{row.key}", int(window.later.last.timestamp()), until)
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
        held=None,
        closed_at=now,
    )
    return ended, Turn(number=number, entry=entry, notice=notice, targets=targets)


def _decision(finding: Finding, row: LedgerRow, rulebook: Rulebook, now: datetime) -> Decision:
    decision = decide(finding, rulebook, now)
    named = row.appearances.named if row.appearances is not None else row.heard
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
    made = notice_for(finding, evidence_of(finding, rulebook.catalogue), decision, rulebook, key, number)
    if last is None:
        return replace(made, status=None)
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


def _finding_of(row: LedgerRow, fields: RuleFields | None, last: RecordEntry | None) -> Finding:
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
