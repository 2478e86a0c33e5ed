"""A decision as it is put on record."""

from __future__ import annotations

from datetime import datetime

from router.decide.notice import iso
from router.domain.decisions import Decision, written_steps
from router.domain.notices import RecordEntry
from router.domain.signals import Alert, Quarantined, Signal


def entry_for(
    parsed: Signal | Quarantined,
    decision: Decision,
    *,
    key: str,
    source: str,
    now: datetime,
    stream: str | None = None,
    about: str | None = None,
    turn: int | None = None,
) -> RecordEntry:
    """The record's entry of one message: what it was, its outcome and why.

    `stream` is where an unread message came in, `about` the key of the signal that it is about, and `turn` the turn of that
    signal that the decision made, if any.
    """
    signal = parsed if isinstance(parsed, Signal) else None
    alert = parsed if isinstance(parsed, Alert) else None
    return RecordEntry(
        key=key,
        at=iso(now) or "",
        id=signal.id if signal else None,
        stream=signal.stream.value if signal else stream,
        kind=signal.kind.value if signal else "unknown",
        type=signal.type if signal else None,
        title=signal.title if signal else None,
        severity=signal.severity.label if signal and signal.severity is not None else None,
        status=signal.status if signal else None,
        plan=alert.plan if alert else None,
        resource=signal.resource if signal else None,
        sample=alert.sample if alert else False,
        outcome=decision.outcome.value,
        reason=str(decision.reason),
        notice=decision.notice.value if decision.notice else None,
        suppressed_by=decision.suppressed_by,
        suppressed_until=iso(decision.suppressed_until),
        tactics=decision.tactics,
        techniques=decision.techniques,
        routes=decision.routes,
        destinations=decision.destinations,
        rulebook=decision.rulebook,
        source=source,
        signal=about,
        turn=turn,
        steps=written_steps(decision.steps),
        shadowed_by=decision.shadowed_by,
    )
