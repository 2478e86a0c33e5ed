"""What became of the signals of each ATT&CK technique and tactic: routed, quiet, held, or below the floor. Pure.

Signals are counted, not messages: one that was routed and then updated counts once, and one that was held and came out later
counts as both. Samples count for nothing: they show that a way is open, not that people hear of an attack.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from router.domain.catalogue import Attack, AttackTable
from router.domain.decisions import Outcome, StepCode
from router.domain.keys import signal_key
from router.domain.notices import RecordEntry
from router.domain.signals import Kind

LOOKED_AT = (Outcome.ROUTED, Outcome.SUPPRESSED, Outcome.BELOW_FLOOR)
"""The outcomes that say what became of a signal; a repeat or a resolution says nothing new of that."""

_TECHNIQUE = re.compile(r"T\d{4}(?:\.\d{3})?", re.ASCII)


class PastDecision(NamedTuple):
    """A decision that was made, as far as it says what became of a technique or tactic.

    Attributes:
        signal: the key of the signal.
        type: its alert type.
        outcome: the outcome.
        at: when it was decided; None where that is not known.
        held_by, held_until: the name of what held it, and until when that was to hold.
        tactics, techniques: as they were decided, under the table of that time.
        rulebook: the hash of the rulebook that decided.
        is_quiet: whether it was routed by quiet routes alone, so that no people were notified.
        is_sample: whether it is one of Defender's samples.
    """

    signal: str
    type: str
    outcome: Outcome
    at: datetime | None = None
    held_by: str | None = None
    held_until: datetime | None = None
    tactics: tuple[str, ...] = ()
    techniques: tuple[str, ...] = ()
    rulebook: str = ""
    is_quiet: bool = False
    is_sample: bool = False


def past_decision_of(entry: RecordEntry) -> PastDecision:
    """A decision as it stands on record."""
    return PastDecision(
        signal=entry.signal or past_signal_key(entry.stream or "", entry.kind, entry.id or ""),
        type=entry.type or "",
        outcome=Outcome(entry.outcome),
        at=datetime.fromisoformat(entry.at),
        held_by=entry.suppressed_by,
        held_until=datetime.fromisoformat(entry.suppressed_until) if entry.suppressed_until else None,
        tactics=entry.tactics,
        techniques=entry.techniques,
        rulebook=entry.rulebook,
        # Of a mere status no pager hears while the signal is open there.
        is_quiet=entry.notice is None and StepCode.LEDGER_OPEN not in entry.steps,
        is_sample=entry.sample,
    )


def past_signal_key(stream: str, kind: str, id: str) -> str:
    """The key of a signal where only what it says is on record: an alert that came back as an incident is the same."""
    return signal_key(stream, Kind.ALERT if kind == Kind.INCIDENT else kind, id)


class HeldSignals(NamedTuple):
    """What one rule or silence held of a technique or tactic. Such numbers overlap, and add up to nothing.

    Attributes:
        name: its name on record.
        signals: how many signals it held.
        last: when it held one last, where that is known.
        until: when it was to end, as the latest of these decisions has it.
    """

    name: str
    signals: int
    last: datetime | None
    until: datetime | None


class AttackOutcome(NamedTuple):
    """What became of the signals of one technique or tactic.

    Attributes:
        routed: how many were routed to people.
        quiet: how many were routed by quiet routes alone.
        held: how many were held, whatever held them.
        below_floor: how many were below the floor.
        unheard: how many were never routed to people, whatever became of them.
        last_routed: when one was routed to people last, where that is known.
        held_by: what each rule or silence held of them, by name.
    """

    routed: int = 0
    quiet: int = 0
    held: int = 0
    below_floor: int = 0
    unheard: int = 0
    last_routed: datetime | None = None
    held_by: tuple[HeldSignals, ...] = ()


NOT_SEEN = AttackOutcome()
"""What became of a technique or tactic of which no signal was seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttackOutcomes:
    """What became of the signals of some decisions.

    Attributes:
        techniques: what became of each technique, by its id today.
        tactics: what became of each tactic, by its id.
        by_type: the techniques and tactics that signals of a type named, by the type, case-folded.
        decisions: how many decisions these are.
        signals: how many signals they are about.
        without_technique: how many of the signals named no technique.
        samples: how many sample signals were left out.
        not_techniques: what stood for a technique and is no id of one.
        rulebooks: the hashes of the rulebooks that decided.
    """

    techniques: Mapping[str, AttackOutcome]
    tactics: Mapping[str, AttackOutcome]
    by_type: Mapping[str, Attack]
    decisions: int
    signals: int
    without_technique: int
    samples: int
    not_techniques: tuple[str, ...]
    rulebooks: tuple[str, ...]


def attack_outcomes_of(decisions: Iterable[PastDecision], table: AttackTable) -> AttackOutcomes:
    """What became of the signals of some decisions, under the techniques of today's table."""
    counter = AttackCounter(table)
    counter.add(decisions)
    return counter.outcomes()


class AttackCounter:
    """Counts decisions, in any order and in as many pages as they come in."""

    def __init__(self, table: AttackTable) -> None:
        self._table = table
        self._techniques: dict[str, _Seen] = {}
        self._tactics: dict[str, _Seen] = {}
        self._by_type: dict[str, tuple[set[str], set[str]]] = {}
        self._decisions = 0
        self._signals: set[str] = set()
        self._with_technique: set[str] = set()
        self._samples: set[str] = set()
        self._not_techniques: set[str] = set()
        self._rulebooks: set[str] = set()

    def add(self, decisions: Iterable[PastDecision]) -> None:
        """Counts some decisions. What they say of other outcomes than those looked at counts for nothing."""
        for decision in decisions:
            if decision.outcome not in LOOKED_AT:
                continue
            if decision.is_sample:
                self._samples.add(decision.signal)
            else:
                self._count(decision)

    def _count(self, decision: PastDecision) -> None:
        self._decisions += 1
        self._signals.add(decision.signal)
        if decision.rulebook:
            self._rulebooks.add(decision.rulebook)
        techniques = self._techniques_of(decision)
        if techniques:
            self._with_technique.add(decision.signal)
        for ids, seen in ((techniques, self._techniques), (decision.tactics, self._tactics)):
            for id in ids:
                seen.setdefault(id, _Seen()).add(decision)
        if techniques or decision.tactics:
            tactics_of_type, techniques_of_type = self._by_type.setdefault(decision.type.casefold(), (set(), set()))
            tactics_of_type.update(decision.tactics)
            techniques_of_type.update(techniques)

    def _techniques_of(self, decision: PastDecision) -> set[str]:
        techniques = {self._table.technique_for(id.strip().upper()) for id in decision.techniques if id.strip()}
        unsound = {id for id in techniques if not _TECHNIQUE.fullmatch(id)}
        self._not_techniques |= unsound
        return techniques - unsound

    def outcomes(self) -> AttackOutcomes:
        """What came of all that was counted."""
        return AttackOutcomes(
            techniques={id: self._techniques[id].outcome() for id in sorted(self._techniques)},
            tactics={id: self._tactics[id].outcome() for id in sorted(self._tactics)},
            by_type={
                type: Attack(tuple(sorted(tactics)), tuple(sorted(techniques)))
                for type, (tactics, techniques) in sorted(self._by_type.items())
            },
            decisions=self._decisions,
            signals=len(self._signals),
            without_technique=len(self._signals - self._with_technique),
            samples=len(self._samples),
            not_techniques=tuple(sorted(self._not_techniques)),
            rulebooks=tuple(sorted(self._rulebooks)),
        )


@dataclass(slots=True)
class _Hits:
    """The signals that one rule or silence held."""

    signals: set[str] = field(default_factory=set)
    last: datetime | None = None
    until: datetime | None = None


@dataclass(slots=True)
class _Seen:
    """The signals of one technique or tactic."""

    routed: set[str] = field(default_factory=set)
    quiet: set[str] = field(default_factory=set)
    below_floor: set[str] = field(default_factory=set)
    held: dict[str, _Hits] = field(default_factory=dict)
    last_routed: datetime | None = None

    def add(self, decision: PastDecision) -> None:
        match decision.outcome:
            case Outcome.ROUTED if decision.is_quiet:
                self.quiet.add(decision.signal)
            case Outcome.ROUTED:
                self.routed.add(decision.signal)
                self.last_routed = _later(self.last_routed, decision.at)
            case Outcome.BELOW_FLOOR:
                self.below_floor.add(decision.signal)
            case _:
                hits = self.held.setdefault(decision.held_by or "", _Hits())
                hits.signals.add(decision.signal)
                hits.last = _later(hits.last, decision.at)
                hits.until = _later(hits.until, decision.held_until)

    def outcome(self) -> AttackOutcome:
        held: set[str] = set().union(*(hits.signals for hits in self.held.values()))
        return AttackOutcome(
            routed=len(self.routed),
            quiet=len(self.quiet - self.routed),
            held=len(held),
            below_floor=len(self.below_floor),
            unheard=len((self.quiet | held | self.below_floor) - self.routed),
            last_routed=self.last_routed,
            held_by=tuple(
                HeldSignals(name, len(hits.signals), hits.last, hits.until)
                for name, hits in sorted(self.held.items())
                if name
            ),
        )


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((time for time in (one, other) if time is not None), default=None)
