"""Which destinations a turn notifies of which change: those where its signal is open, and those that rules name. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from router.domain.decisions import Change, Decision, DecisionStep, Outcome, StepCode
from router.domain.ledger import LedgerRow, Target
from router.domain.reasons import Code, Reason
from router.domain.rulebook import Lane, Rulebook

SETTLED = frozenset({Outcome.ROUTED, Outcome.RESOLVED, Outcome.NOTED})
"""Outcomes after which the same state again is only a repeat; what was held back or too low is decided afresh."""

_NEVER_NOTIFIED = (DecisionStep(StepCode.LEDGER_NEVER_NOTIFIED),)
_OPEN = (DecisionStep(StepCode.LEDGER_OPEN),)
_STATUS = (DecisionStep(StepCode.LEDGER_STATUS),)


def with_targets(
    decision: Decision, row: LedgerRow | None, rulebook: Rulebook, number: int, *, status_only: bool
) -> tuple[Decision, tuple[Target, ...]]:
    """The decision with what the ledger adds to it, and which destinations are notified of which change.

    Of a mere status no pager hears where the signal is open: people may have resolved the page, and would be called anew.
    """
    known = row.open if row is not None else {}
    if decision.outcome is Outcome.RESOLVED:
        return targets_of_resolution(decision, row, known, rulebook, number)
    if decision.outcome not in SETTLED:
        return decision, ()
    names = sorted(known.keys() | set(decision.destinations))
    targets = tuple(
        _target(name, Change.UPDATED if name in known else Change.OPENED, row, rulebook, number) for name in names
    )
    if not known:
        return decision, targets
    steps = decision.steps + _OPEN
    if status_only:
        steps += _STATUS
        targets = tuple(
            target for target in targets if target.change is Change.OPENED or _takes_notes(target, rulebook)
        )
    notice, told = _notice(decision, targets, known, rulebook), tuple(target.destination for target in targets)
    return replace(decision, notice=notice, destinations=told, steps=steps), targets


def targets_of_resolution(
    decision: Decision, row: LedgerRow | None, known: Mapping[str, int], rulebook: Rulebook, number: int
) -> tuple[Decision, tuple[Target, ...]]:
    """The same of a decision that a signal is over: each destination is told where it is open, by `known`."""
    if row is not None and not row.forwarded:
        never = Reason(Code.NO_DESTINATION, f"nobody was ever told of it, it was {row.outcome}")
        steps = decision.steps + _NEVER_NOTIFIED
        return replace(decision, reason=never, notice=None, destinations=(), steps=steps), ()
    names = sorted(known.keys() | set(decision.destinations))
    targets = tuple(_target(name, Change.RESOLVED, row, rulebook, number) for name in names)
    return replace(decision, destinations=tuple(names), steps=decision.steps + (_OPEN if known else ())), targets


def _takes_notes(target: Target, rulebook: Rulebook) -> bool:
    """Whether a destination may be told what calls nobody; one that the policy no longer names may be a pager."""
    return target.destination in rulebook.destinations and target.lane is not Lane.PAGE


def _target(name: str, change: Change, row: LedgerRow | None, rulebook: Rulebook, number: int) -> Target:
    # A destination that the policy no longer names gets its delivery all the same: it becomes a dead letter that says so.
    spec = rulebook.destinations.get(name)
    lane = spec.lane if spec is not None else Lane.TICKET
    if row is not None and name in row.open:
        # As it was opened, whatever the policy groups by now.
        return Target(name, lane, change, row.open[name], name in row.grouped)
    return Target(name, lane, change, number, spec is not None and spec.is_grouped)


def _notice(
    decision: Decision, targets: Sequence[Target], known: Mapping[str, int], rulebook: Rulebook
) -> Change | None:
    """The change that people are notified of, if any: a destination that only `always` names is not people."""
    people = set(decision.people) | (known.keys() - set(rulebook.always))
    changes = {target.change for target in targets if target.destination in people}
    return next((change for change in (Change.OPENED, Change.UPDATED) if change in changes), None)
