"""What a rule or a silence would have held of what was decided, and would hold of what stands now. Pure.

It is asked as if it were in force all the time. Only signals that were past the floor and not resolved are asked about, since
no other ever gets as far as a rule. What a signal says is known as it was last heard of it, and not as it was at each decision.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from copy import replace
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from heapq import nsmallest
from typing import NamedTuple

from router.decide.signal_facts import with_coverage_level
from router.decide.suppression import covers, is_about
from router.domain.counts import decided_at
from router.domain.decisions import Change, Outcome
from router.domain.notices import RecordEntry
from router.domain.owners import Owners
from router.domain.rule_fields import StandingSignal
from router.domain.rulebook import Rulebook
from router.domain.severity import gravity_of
from router.domain.signals import Signal, Stream
from router.domain.silences import Silence
from router.domain.suppression import SuppressionRule
from router.domain.values import Value

ASKED_ABOUT = frozenset({Outcome.ROUTED, Outcome.SUPPRESSED})
"""The outcomes of decisions on signals that rules were asked about."""

NAMED = 5
"""Signals that a preview names unless more are asked for, the gravest first, and of those the latest."""


class Matcher(Value):
    """What may hold signals back, judged as if it were in force all the time.

    Attributes:
        name: the name under which it is stored that it holds a signal.
        types: the alert types and recommendation categories that it is about, case-folded; None for any.
        covers: whether it holds a signal.
    """

    name: str
    types: Collection[str] | None
    covers: Callable[[Signal], bool]


ANY_SIGNAL = Matcher("any", None, lambda _: True)
"""What would hold every signal: by it is measured what part of them another one would."""


def rule_matcher(rule: SuppressionRule, owners: Owners) -> Matcher:
    """A suppression rule, which may ask who owns what."""
    return Matcher(
        rule.name, (rule.alert_type,), lambda signal: is_about(rule, signal) and covers(rule, signal, owners)
    )


def silence_matcher(silence: Silence, rulebook: Rulebook) -> Matcher:
    """A silence, which holds nothing that is too grave for one by the rules of its stream."""
    rule = silence.as_rule()

    def is_held(signal: Signal) -> bool:
        is_meant = silence.alert_type is None or is_about(rule, signal)
        level = with_coverage_level(signal, rulebook).level
        return is_meant and not rulebook.silences.refuses(level) and covers(rule, signal, rulebook.owners)

    return Matcher(silence.name, None if silence.alert_type is None else (rule.alert_type,), is_held)


class Amount(NamedTuple):
    """How much there is of something.

    Attributes:
        signals: how many signals, each once.
        decisions: how many decisions on them: one for each message, and one more where what held it had ended.
    """

    signals: int = 0
    decisions: int = 0


class Spared(NamedTuple):
    """What a destination would not have been told.

    Attributes:
        opened: how many openings: new pages or tickets, or members of a group's.
        notices: how many notices in all.
    """

    opened: int = 0
    notices: int = 0


class NamedSignal(Value, kw_only=True):
    """A signal that a preview names. Texts are as they arrived: mask them where they are printed.

    Attributes:
        key: its key; None where that is not on record.
        at: when the latest decision on it was made that would have been another; None for what only stands.
        outcome: what was decided.
        held_by: the name of what held it; None where it was routed.
        destinations: the destinations that were told of it in the span that was looked at; of what stands, where it is open,
            if that was noted.
    """

    key: str | None
    id: str | None
    type: str | None
    title: str | None
    severity: str | None
    resource: str | None
    at: datetime | None = None
    outcome: str
    held_by: str | None = None
    destinations: tuple[str, ...] = ()


@dataclass(slots=True)
class StandingPreview:
    """What a rule would hold of what stands now.

    Attributes:
        looked_at: how many signals that stand were looked at, of the types that the rule is about; all of them if `is_whole`.
        let_go: how many signals something of its name holds now and it would not: they would come out.
        unjudged: about how many it could not be asked, because what rules can match of them is not kept.
    """

    most_named: int
    looked_at: int = 0
    is_whole: bool = True
    let_go: int = 0
    unjudged: int = 0
    _by_severity: Counter[str] = field(default_factory=Counter)
    _held_already: Counter[str] = field(default_factory=Counter)
    _named: dict[str, NamedSignal] = field(default_factory=dict)

    @property
    def signals(self) -> int:
        """How many signals it covers."""
        return self._by_severity.total()

    @property
    def by_severity(self) -> Mapping[str, int]:
        """The same by severity, the gravest first; an empty text is a severity that is not known."""
        return {name: self._by_severity[name] for name in sorted(self._by_severity, key=gravity_of, reverse=True)}

    @property
    def held_already(self) -> Mapping[str, int]:
        """How many of them something holds now, by the name of what does."""
        return _most_first(self._held_already)

    @property
    def named(self) -> Sequence[NamedSignal]:
        """Some of them."""
        return list(_gravest(self._named, self.most_named).values())

    def note_open(self, open: Mapping[str, Collection[str]]) -> None:
        """Note where those are open that it names, by their keys."""
        self._named = {
            key: replace(one, destinations=tuple(sorted(open.get(key, ())))) for key, one in self._named.items()
        }


class Preview:
    """Asks one rule or silence about decisions and about signals that stand, in any number of pages, and adds up.

    Numbers are never to be added to those of another rule: both may hold the same.

    Attributes:
        since, until: the span that was asked for.
        looked_back_to: up to when it was looked at, from its end on; what is older was not, unless that is `since`.
        looked_at: how many decisions were looked at.
        unjudged: about how many decisions it could not be asked, because what rules can match of their signals is not kept: it
            was forgotten or damaged.
        spared: what destinations would not have been told, by their names.
        standing: what it would hold of what stands now.
    """

    def __init__(self, matcher: Matcher, since: datetime, until: datetime, most_named: int = NAMED) -> None:
        self.matcher = matcher
        self._most_named = most_named
        self.since = self.looked_back_to = since
        self.until = until
        self.looked_at = 0
        self.unjudged = 0
        self.standing = StandingPreview(most_named)
        self._held_already: Counter[str] = Counter()
        self._spared: dict[str, Spared] = {}
        self._named: dict[str, NamedSignal] = {}
        self._seen: defaultdict[str, dict[object, _Tally]] = defaultdict(dict)

    def may_cover(self, entry: RecordEntry) -> bool:
        """Whether what is on record leaves it open that it covers the signal, or held it: only then is the signal needed."""
        types, type = self.matcher.types, entry.type
        # The record does not say of which category a finding is.
        is_about = types is None or type is None or type.casefold() in types or entry.stream != Stream.CWPP
        return is_about or entry.suppressed_by == self.matcher.name

    def look_at_decision(self, entry: RecordEntry, signal: Signal | None) -> None:
        """Asks about a decision, the latest first, given what is known of its signal now; None where nothing is."""
        self.looked_at += 1
        if not self.may_cover(entry):
            return
        if signal is None:
            self.unjudged += 1
            return
        key = entry.signal or entry.key
        if not self.matcher.covers(signal):
            if entry.suppressed_by == self.matcher.name:
                self._count("let_go", None, key)
            return
        if self._count("held", None, key):
            self._named = _with(self._named, key, _named_of(entry), self._most_named)
        elif (named := self._named.get(key)) is not None:
            told = tuple(sorted({*named.destinations, *entry.destinations}))
            self._named[key] = replace(named, destinations=told)
        self._count("day", decided_at(entry).astimezone(UTC).date(), key)
        self._count("severity", entry.severity or "", key)
        self._count("type", entry.type or "", key)
        for tactic in entry.tactics or ("",):
            self._count("tactic", tactic, key)
        if entry.suppressed_by is not None:
            self._held_already[entry.suppressed_by] += 1
        elif entry.notice is not None:
            for name in entry.destinations:
                opened, notices = self._spared.get(name, Spared())
                self._spared[name] = Spared(opened + (entry.notice == Change.OPENED), notices + 1)

    def look_at_standing(self, standing: StandingSignal, signal: Signal | None) -> None:
        """Asks about a signal that stands, given what is known of it; None where nothing is."""
        if not standing.is_of_type(self.matcher.types):
            return
        it = self.standing
        it.looked_at += 1
        if signal is None:
            it.unjudged += 1
        elif self.matcher.covers(signal):
            named = _named_standing(standing, signal)
            it._by_severity[named.severity or ""] += 1
            it._named = _with(it._named, standing.key, named, it.most_named)
            if standing.held_by is not None:
                it._held_already[standing.held_by] += 1

    def look_at_held(self, signal: Signal | None) -> None:
        """Asks about a signal that something of its name holds now."""
        if signal is not None and not self.matcher.covers(signal):
            self.standing.let_go += 1

    def _count(self, by: str, name: object, key: str) -> bool:
        """Counts a decision on a signal; returns whether it is the first on that."""
        tally = self._seen[by].setdefault(name, _Tally())
        is_new = key not in tally.keys
        tally.keys.add(key)
        tally.decisions += 1
        return is_new

    def _amounts[Name](self, by: str, _: type[Name]) -> dict[Name, Amount]:
        return {name: tally.amount for name, tally in self._seen[by].items()}  # type: ignore[misc]

    @property
    def name(self) -> str:
        """The name under which it would be stored that it holds a signal."""
        return self.matcher.name

    @property
    def is_whole(self) -> bool:
        """Whether all of the span was looked at."""
        return self.looked_back_to == self.since

    @property
    def held(self) -> Amount:
        """What it would have held, also what others held."""
        return self._seen["held"].get(None, _Tally()).amount

    @property
    def let_go(self) -> Amount:
        """What something of its name held and it would not have: what a change of a rule lets through."""
        return self._seen["let_go"].get(None, _Tally()).amount

    @property
    def held_already(self) -> Mapping[str, int]:
        """How many of these decisions were that something held it, by the name of what did."""
        return _most_first(self._held_already)

    @property
    def spared(self) -> Mapping[str, Spared]:
        """What destinations would not have been told, by their names."""
        return dict(sorted(self._spared.items()))

    @property
    def by_day(self) -> Mapping[date, Amount]:
        """What it would have held, by the day in UTC."""
        return dict(sorted(self._amounts("day", date).items()))

    @property
    def by_severity(self) -> Mapping[str, Amount]:
        """The same by the severity, the gravest first; an empty text is one that is not known."""
        return dict(sorted(self._amounts("severity", str).items(), key=lambda one: gravity_of(one[0]), reverse=True))

    @property
    def by_tactic(self) -> Mapping[str, Amount]:
        """The same by ATT&CK tactic id; a signal may have several, and an empty text is none."""
        return _largest_first(self._amounts("tactic", str))

    @property
    def by_type(self) -> Mapping[str, Amount]:
        """The same by type."""
        return _largest_first(self._amounts("type", str))

    @property
    def named(self) -> Sequence[NamedSignal]:
        """Some of the signals."""
        return list(_gravest(self._named, self._most_named).values())

    @property
    def gravest(self) -> int | None:
        """How grave the gravest signal is that it would have held or would hold now, as `gravity_of` has it; None for none."""
        return max(map(gravity_of, (*self.by_severity, *self.standing.by_severity)), default=None)


@dataclass(slots=True)
class _Tally:
    """Counts decisions, and signals once each."""

    keys: set[str] = field(default_factory=set)
    decisions: int = 0

    @property
    def amount(self) -> Amount:
        return Amount(len(self.keys), self.decisions)


def _named_of(entry: RecordEntry) -> NamedSignal:
    return NamedSignal(
        key=entry.signal,
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
        key=standing.key,
        id=signal.id,
        type=signal.type,
        title=signal.title,
        severity=standing.severity.label if standing.severity is not None else None,
        resource=signal.resource,
        outcome=standing.outcome,
        held_by=standing.held_by,
    )


def _with(named: dict[str, NamedSignal], key: str, one: NamedSignal, most: int) -> dict[str, NamedSignal]:
    """Some signals and one more, by their keys; of twice as many as are to be named the gravest are kept."""
    named[key] = one
    return named if len(named) < 2 * most else _gravest(named, most)


def _gravest(named: Mapping[str, NamedSignal], most: int) -> dict[str, NamedSignal]:
    """The gravest of some signals, by their keys, and of those the latest."""

    def rank(keyed: tuple[str, NamedSignal]) -> tuple[int, float, str]:
        key, one = keyed
        return -gravity_of(one.severity), -one.at.timestamp() if one.at is not None else 0, key

    return dict(nsmallest(most, named.items(), key=rank))


def _most_first(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda one: (-one[1], one[0])))


def _largest_first(amounts: Mapping[str, Amount]) -> dict[str, Amount]:
    return dict(sorted(amounts.items(), key=lambda one: (-one[1].signals, -one[1].decisions, one[0])))
