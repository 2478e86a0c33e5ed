"""What a notice says of the rule that had held its signal back. Pure."""

from __future__ import annotations

from datetime import datetime

from router.decide import iso
from router.domain.decisions import Decision, Outcome
from router.domain.ledger import LedgerRow
from router.domain.notices import Release
from router.domain.rulebook import Rulebook

RULE = "rule"
"""The kind of release that a suppression rule makes."""


def release_of(row: LedgerRow | None, decision: Decision, rulebook: Rulebook, now: datetime) -> Release | None:
    """What had held a signal that stands and is notified now; None where nothing had, or where it is over.

    A rule that is no longer in the rulebook has no owner that anybody knows of. One that is there ended where its end has
    passed: else it was disabled or changed, or what the signal says is no longer what it covers.
    """
    if row is None or row.held_by is None or row.outcome is not Outcome.SUPPRESSED:
        return None
    if decision.outcome in (Outcome.SUPPRESSED, Outcome.RESOLVED):
        return None
    by = row.held_by
    rule = rulebook.suppressions.by_name.get(by.rule)
    end = rule.expires if rule is not None else by.until
    return Release(
        kind=RULE,
        name=by.rule,
        author=rule.owner if rule is not None else None,
        since=iso(by.since),
        ended=iso(end) if end <= now else None,
        messages=by.messages,
    )
