"""What a notice says of the rule or silence that had held its signal back. Pure."""

from __future__ import annotations

from datetime import datetime

from router.decide import iso
from router.domain.decisions import Decision, Outcome
from router.domain.holders import HolderKind, find_silence_id
from router.domain.holds import HeldBy
from router.domain.ledger import LedgerRow
from router.domain.notices import Release
from router.domain.rulebook import Rulebook
from router.domain.silences import Silences


def release_of(
    row: LedgerRow | None, decision: Decision, rulebook: Rulebook, silences: Silences, now: datetime
) -> Release | None:
    """What had held a signal that stands and is notified now; None where nothing had, or where it is over.

    A rule that is no longer in the rulebook has no owner that anybody knows of. One that is there ended where its end has
    passed: else it was disabled or changed, or what the signal says is no longer what it covers. So with a silence, of whose
    windows the one ended that held the signal last.
    """
    if row is None or row.held_by is None or row.outcome is not Outcome.SUPPRESSED:
        return None
    if decision.outcome in (Outcome.SUPPRESSED, Outcome.RESOLVED):
        return None
    by = row.held_by
    if (id := find_silence_id(by.rule)) is not None:
        silence = silences.by_name.get(by.rule)
        end = min(by.until, silence.end) if silence is not None else by.until
        author = silence.author if silence is not None else None
        return _release(by, HolderKind.SILENCE, id, author, end, now)
    rule = rulebook.suppressions.by_name.get(by.rule)
    end = rule.expires if rule is not None else by.until
    return _release(by, HolderKind.RULE, by.rule, rule.owner if rule is not None else None, end, now)


def _release(by: HeldBy, kind: HolderKind, name: str, author: str | None, end: datetime, now: datetime) -> Release:
    return Release(
        kind=kind.value,
        name=name,
        author=author,
        since=iso(by.since),
        ended=iso(end) if end <= now else None,
        messages=by.messages,
    )
