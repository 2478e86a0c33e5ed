"""What a rule or a silence would have held: it is asked about what was decided, and about what stands now. Pure.

It is asked as if it were in force all the time. Only signals that were past the floor and not resolved are asked about, since
no other ever gets as far as a rule. What a signal says is known as it was last heard of it, and not as it was at each decision.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from heapq import nsmallest

from router.decide.preview import Amount, NamedSignal, Preview, Spared, StandingPreview
from router.decide.suppression import Matcher
from router.domain.counts import decided_at
from router.domain.decisions import Change, Outcome
from router.domain.notices import RecordEntry
from router.domain.rule_fields import StandingSignal
from router.domain.severity import gravity_of
from router.domain.signals import Signal, Stream

ASKED_ABOUT = frozenset({Outcome.ROUTED, Outcome.SUPPRESSED})
"""The outcomes of decisions on signals that rules were asked about."""

NAMED = 5
"""Signals that a preview names, the gravest first, and of those the latest."""


class Previewer:
    """Asks one rule or silence about decisions and about signals that stand, in any number of pages, and adds up."""

    def __init__(self, matcher: Matcher) -> None:
        self.matcher = matcher
        self._looked_at = 0
        self._held = _Amounts()
        self._by_day = _AmountsBy[date]()
        self._by_severity = _AmountsBy[str]()
        self._by_tactic = _AmountsBy[str]()
        self._by_type = _AmountsBy[str]()
        self._held_already: Counter[str] = Counter()
        self._spared: Counter[str] = Counter()
        self._openings_spared: Counter[str] = Counter()
        self._let_go = _Amounts()
        self._unjudged = 0
        self._named: dict[str, NamedSignal] = {}
        self._stand_looked_at = 0
        self._stand: Counter[str] = Counter()
        self._stand_held_already: Counter[str] = Counter()
        self._stand_let_go = 0
        self._stand_unjudged = 0
        self._stand_named: dict[str, NamedSignal] = {}

    def may_cover(self, entry: RecordEntry) -> bool:
        """Whether what is on record leaves it open that it covers the signal, or held it: only then is the signal needed."""
        types, type = self.matcher.types, entry.type
        # The record does not say of which category a finding is.
        is_about = types is None or type is None or type.casefold() in types or entry.stream != Stream.CWPP
        return is_about or entry.suppressed_by == self.matcher.name

    def look_at_decision(self, entry: RecordEntry, signal: Signal | None) -> None:
        """Asks about a decision, the latest first, given what is known of its signal now; None where nothing is."""
        self._looked_at += 1
        if not self.may_cover(entry):
            return
        if signal is None:
            self._unjudged += 1
            return
        key = entry.signal or entry.key
        if not self.matcher.covers(signal):
            if entry.suppressed_by == self.matcher.name:
                self._let_go.add(key)
            return
        if self._held.add(key):
            self._named = dict(_gravest([*self._named.items(), (key, _named_of(entry))]))
        elif (named := self._named.get(key)) is not None:
            told = tuple(sorted({*named.destinations, *entry.destinations}))
            self._named[key] = replace(named, destinations=told)
        self._by_day.add(decided_at(entry).astimezone(UTC).date(), key)
        self._by_severity.add(entry.severity or "", key)
        self._by_type.add(entry.type or "", key)
        for tactic in entry.tactics or ("",):
            self._by_tactic.add(tactic, key)
        if entry.suppressed_by is not None:
            self._held_already[entry.suppressed_by] += 1
        elif entry.notice is not None:
            self._spared.update(entry.destinations)
            self._openings_spared.update(entry.destinations if entry.notice == Change.OPENED else ())

    def look_at_standing(self, standing: StandingSignal, signal: Signal | None) -> None:
        """Asks about a signal that stands, given what is known of it; None where nothing is."""
        if not standing.is_of_type(self.matcher.types):
            return
        self._stand_looked_at += 1
        if signal is None:
            self._stand_unjudged += 1
        elif self.matcher.covers(signal):
            named = _named_standing(standing, signal)
            self._stand[named.severity or ""] += 1
            self._stand_named = dict(_gravest([*self._stand_named.items(), (standing.key, named)]))
            if standing.held_by is not None:
                self._stand_held_already[standing.held_by] += 1

    def look_at_held(self, signal: Signal | None) -> None:
        """Asks about a signal that something of its name holds now."""
        if signal is not None and not self.matcher.covers(signal):
            self._stand_let_go += 1

    def preview(self, since: datetime, until: datetime) -> Preview:
        """What came of it, of a span that was looked at."""
        return Preview(
            name=self.matcher.name,
            since=since,
            until=until,
            looked_at=self._looked_at,
            held=self._held.amount,
            held_already=_most_first(self._held_already),
            by_day=dict(sorted(self._by_day.amounts.items())),
            by_severity={name: self._by_severity.amounts[name] for name in _by_gravity(self._by_severity.amounts)},
            by_tactic=_largest_first(self._by_tactic.amounts),
            by_type=_largest_first(self._by_type.amounts),
            named=list(self._named.values()),
            spared={name: Spared(self._openings_spared[name], number) for name, number in sorted(self._spared.items())},
            let_go=self._let_go.amount,
            unjudged=self._unjudged,
            standing=StandingPreview(
                looked_at=self._stand_looked_at,
                signals=self._stand.total(),
                by_severity={name: self._stand[name] for name in _by_gravity(self._stand)},
                held_already=_most_first(self._stand_held_already),
                let_go=self._stand_let_go,
                named=list(self._stand_named.values()),
                unjudged=self._stand_unjudged,
            ),
        )


class _Amounts:
    """Counts decisions, and signals once each."""

    def __init__(self) -> None:
        self._keys: set[str] = set()
        self._decisions = 0

    def add(self, key: str) -> bool:
        """Counts a decision on a signal; returns whether it is the first on that."""
        is_new = key not in self._keys
        self._keys.add(key)
        self._decisions += 1
        return is_new

    @property
    def amount(self) -> Amount:
        return Amount(len(self._keys), self._decisions)


class _AmountsBy[Name]:
    """The same by some name."""

    def __init__(self) -> None:
        self._by_name: dict[Name, _Amounts] = {}

    def add(self, name: Name, key: str) -> None:
        self._by_name.setdefault(name, _Amounts()).add(key)

    @property
    def amounts(self) -> dict[Name, Amount]:
        return {name: one.amount for name, one in self._by_name.items()}


def _named_of(entry: RecordEntry) -> NamedSignal:
    return NamedSignal(
        id=entry.id,
        type=entry.type,
        title=entry.title,
        severity=entry.severity,
        resource=entry.resource,
        at=decided_at(entry),
        outcome=entry.outcome,
        held_by=entry.suppressed_by,
        destinations=entry.destinations,
    )


def _named_standing(standing: StandingSignal, signal: Signal) -> NamedSignal:
    return NamedSignal(
        id=signal.id,
        type=signal.type,
        title=signal.title,
        severity=standing.severity.label if standing.severity is not None else None,
        resource=signal.resource,
        outcome=standing.outcome,
        held_by=standing.held_by,
    )


def _gravest(signals: Iterable[tuple[str, NamedSignal]]) -> list[tuple[str, NamedSignal]]:
    """The gravest of some signals, by their keys, and of those the latest."""

    def rank(keyed: tuple[str, NamedSignal]) -> tuple[int, float, str]:
        key, one = keyed
        return -gravity_of(one.severity), -one.at.timestamp() if one.at is not None else 0, key

    return nsmallest(NAMED, signals, key=rank)


def _by_gravity(names: Iterable[str]) -> list[str]:
    return sorted(names, key=gravity_of, reverse=True)


def _most_first(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda one: (-one[1], one[0])))


def _largest_first(amounts: Mapping[str, Amount]) -> dict[str, Amount]:
    return dict(sorted(amounts.items(), key=lambda one: (-one[1].signals, -one[1].decisions, one[0])))
