"""What became of the signals of each ATT&CK technique and tactic, and what rules in force could hide of them. Pure.

Signals are counted, not messages: one that was routed and then updated counts once, and one that was held and came out later
counts as both. Samples count for nothing: they show that a way is open, not that people hear of an attack.

A rule is about one alert type. Which tactics that stands for is in the catalogue; which techniques is known only of types
whose signals were seen, since Defender publishes none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from router.domain.catalogue import AttackTable
from router.domain.counts import TECHNIQUE
from router.domain.decisions import Outcome
from router.domain.rulebook import Rulebook
from router.domain.silences import Silences

LOOKED_AT = (Outcome.ROUTED, Outcome.SUPPRESSED, Outcome.BELOW_FLOOR)
"""The outcomes that say what became of a signal; a repeat or a resolution says nothing new of that."""


class PastDecision(NamedTuple):
    """A decision that was made, as far as it says what became of a technique or tactic.

    Attributes:
        at: when it was decided; None where that is not known.
        held_by, held_until: the name of what held it, and until when that was to hold.
        tactics, techniques: as they were decided, under the table of that time.
        is_quiet: whether it was routed by quiet routes alone, so that no people were notified.
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


@dataclass(slots=True)
class HeldSignals:
    """What one rule or silence held of a technique or tactic; `last` is when, `until` the latest end that it was to have."""

    signals: set[str] = field(default_factory=set)
    last: datetime | None = None
    until: datetime | None = None


@dataclass(slots=True)
class AttackOutcome:
    """The signals of one technique or tactic, by what became of them.

    Attributes:
        routed: those routed to people, the last one at `last_routed`.
        unnotified: those routed by quiet routes, so that no people were notified then.
        held_by: those held, by the name of what held them; such sets overlap.
    """

    routed: set[str] = field(default_factory=set)
    unnotified: set[str] = field(default_factory=set)
    below_floor: set[str] = field(default_factory=set)
    held_by: dict[str, HeldSignals] = field(default_factory=lambda: defaultdict(HeldSignals))
    last_routed: datetime | None = None

    def add(self, decision: PastDecision) -> None:
        """Count a decision."""
        match decision.outcome:
            case Outcome.ROUTED if decision.is_quiet:
                self.unnotified.add(decision.signal)
            case Outcome.ROUTED:
                self.routed.add(decision.signal)
                self.last_routed = _later(self.last_routed, decision.at)
            case Outcome.BELOW_FLOOR:
                self.below_floor.add(decision.signal)
            case _:
                held = self.held_by[decision.held_by or ""]
                held.signals.add(decision.signal)
                held.last = _later(held.last, decision.at)
                held.until = _later(held.until, decision.held_until)

    @property
    def quiet(self) -> set[str]:
        """Those routed by quiet routes alone."""
        return self.unnotified - self.routed

    @property
    def held(self) -> set[str]:
        """Those held, whatever held them."""
        return set().union(*(held.signals for held in self.held_by.values()))

    @property
    def is_unheard(self) -> bool:
        """Whether there are signals and none of them was routed to people."""
        return not self.routed and bool(self.unnotified or self.held_by or self.below_floor)


@dataclass(slots=True)
class AttackOutcomes:
    """What became of the signals of decisions, which come in any order and in as many pages as there are.

    Attributes:
        techniques: by the ids that are current today.
        by_type: the tactics and the techniques that signals of a type named, by the type, case-folded.
        not_techniques: what stood for a technique and is no id of one.
    """

    table: AttackTable
    techniques: dict[str, AttackOutcome] = field(default_factory=lambda: defaultdict(AttackOutcome))
    tactics: dict[str, AttackOutcome] = field(default_factory=lambda: defaultdict(AttackOutcome))
    by_type: dict[str, tuple[set[str], set[str]]] = field(default_factory=lambda: defaultdict(lambda: (set(), set())))
    decisions: int = 0
    signals: set[str] = field(default_factory=set)
    samples: set[str] = field(default_factory=set)
    not_techniques: set[str] = field(default_factory=set)
    rulebooks: set[str] = field(default_factory=set)
    _with_technique: set[str] = field(default_factory=set)

    def add(self, decisions: Iterable[PastDecision]) -> None:
        """Count some decisions. What they say of other outcomes than those looked at counts for nothing."""
        for decision in decisions:
            if decision.outcome in LOOKED_AT and decision.is_sample:
                self.samples.add(decision.signal)
            elif decision.outcome in LOOKED_AT:
                self._count(decision)

    def _count(self, decision: PastDecision) -> None:
        self.decisions += 1
        self.signals.add(decision.signal)
        self.rulebooks |= {decision.rulebook} - {""}
        named = {self.table.technique_for(id.strip().upper()) for id in decision.techniques if id.strip()}
        techniques = {id for id in named if TECHNIQUE.fullmatch(id)}
        self.not_techniques |= named - techniques
        if techniques:
            self._with_technique.add(decision.signal)
        for ids, outcomes in ((techniques, self.techniques), (decision.tactics, self.tactics)):
            for id in ids:
                outcomes[id].add(decision)
        if techniques or decision.tactics:
            tactics_of_type, techniques_of_type = self.by_type[decision.type.casefold()]
            tactics_of_type.update(decision.tactics)
            techniques_of_type |= techniques

    @property
    def bare(self) -> set[str]:
        """The signals that named no technique."""
        return self.signals - self._with_technique


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((time for time in (one, other) if time is not None), default=None)


class Cover(NamedTuple):
    """What a rule or silence in force could hide until it ends, as far as its scope reaches and that is known.

    Attributes:
        alert_type: the alert type that it is about, case-folded; None for any.
    """

    name: str
    until: datetime
    alert_type: str | None
    tactics: Collection[str] = ()
    techniques: Collection[str] = ()

    @property
    def is_unknown(self) -> bool:
        """Whether nothing is known of what it could hide."""
        return not self.techniques and not self.tactics


class Hider(NamedTuple):
    """A rule or silence that hid signals of a technique or tactic, or could.

    Attributes:
        held: what it held of them; None where it held none.
        cover: what it could hold of them; None where it is not in force any more.
    """

    name: str
    held: HeldSignals | None
    cover: Cover | None

    @property
    def until(self) -> datetime | None:
        """When it ends or was to end; of one that is in force, as the rules have it now."""
        return self.cover.until if self.cover is not None else self.held.until if self.held is not None else None


class AttackSpot(NamedTuple):
    """A technique or tactic, with what hid signals of it or could, by name."""

    id: str
    outcome: AttackOutcome
    hiders: Sequence[Hider]

    @property
    def is_blind(self) -> bool:
        """Whether it is unheard, or something in force could keep some of it from being heard."""
        return self.outcome.is_unheard or any(hider.cover is not None for hider in self.hiders)


def covers_of(
    book: Rulebook, silences: Silences, now: datetime, by_type: Mapping[str, tuple[set[str], set[str]]]
) -> list[Cover]:
    """Return what the rules and silences in force could hide, by name; `by_type` is what signals of a type named."""
    covers = [Cover(rule.name, rule.expires, rule.alert_type) for rule in book.suppressions.active(now)]
    # Between its windows a silence that comes again holds nothing, and will.
    covers += [
        Cover(one.name, one.end, one.alert_type.casefold() if one.alert_type is not None else None)
        for one in silences.by_name.values()
        if one.begins <= now < one.end
    ]
    for place, cover in enumerate(covers):
        if cover.alert_type is not None:
            seen, techniques = by_type.get(cover.alert_type, (set(), set()))
            known = book.catalogue.find_type(cover.alert_type)
            words = known.tactics if known is not None else ()
            tactics = seen.union(*map(book.attack.tactics_for, words))
            covers[place] = cover._replace(tactics=sorted(tactics), techniques=sorted(techniques))
    return sorted(covers, key=lambda cover: cover.name)


def attack_spots(
    outcomes: Mapping[str, AttackOutcome], covers: Sequence[Cover], ids_of: Callable[[Cover], Iterable[str]]
) -> list[AttackSpot]:
    """Return the techniques, or tactics, that were seen or could be hidden, by id; `ids_of` names those of a cover."""
    in_force = {cover.name: cover for cover in covers}
    # What held some can hold more while it is in force, whatever else is known of it.
    hiders = {
        id: {name: Hider(name, held, in_force.get(name)) for name, held in outcome.held_by.items() if name}
        for id, outcome in outcomes.items()
    }
    for cover in covers:
        for id in ids_of(cover):
            hiders.setdefault(id, {}).setdefault(cover.name, Hider(cover.name, None, cover))
    return [
        AttackSpot(id, outcomes.get(id, AttackOutcome()), [those[name] for name in sorted(those)])
        for id, those in sorted(hiders.items())
    ]
