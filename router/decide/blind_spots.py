"""What of ATT&CK the rules and silences in force could hide, and what nobody heard of. Pure.

A rule is about one alert type. Which tactics that stands for is in the catalogue; which techniques is known only of types
whose signals were seen, since Defender publishes none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from router.decide.attack_outcomes import NOT_SEEN, AttackOutcome, AttackOutcomes, HeldSignals
from router.domain.catalogue import Attack
from router.domain.rulebook import Rulebook
from router.domain.silences import Silence, Silences


class Cover(NamedTuple):
    """What a rule or silence in force could hide, as far as its scope reaches.

    Attributes:
        name: its name on record.
        until: when it ends.
        alert_type: the alert type that it is about, case-folded; None for any.
        attack: the tactics and techniques that signals of this type stand for, as far as that is known.
    """

    name: str
    until: datetime
    alert_type: str | None
    attack: Attack = Attack()

    @property
    def is_unknown(self) -> bool:
        """Whether nothing is known of what it could hide."""
        return not self.attack.techniques and not self.attack.tactics


class Hider(NamedTuple):
    """A rule or silence that hid signals of a technique or tactic, or could.

    Attributes:
        name: its name on record.
        held: what it held of them; None where it held none.
        cover: what it could hold of them; None where it is not in force any more.
    """

    name: str
    held: HeldSignals | None
    cover: Cover | None

    @property
    def until(self) -> datetime | None:
        """When it ends or was to end; of one that is in force, as the rules have it now."""
        if self.cover is not None:
            return self.cover.until
        return self.held.until if self.held is not None else None


class BlindSpot(NamedTuple):
    """A technique or tactic of which nobody heard, or of which a rule in force could keep some from being heard.

    Attributes:
        id: its id.
        outcome: what became of its signals.
        hiders: the rules and silences that hid signals of it or could, by name.
    """

    id: str
    outcome: AttackOutcome
    hiders: tuple[Hider, ...]

    @property
    def is_unheard(self) -> bool:
        """Whether signals of it were seen and none of them was routed to anybody."""
        return not self.outcome.routed and self.outcome.unheard > 0


def covers_of(book: Rulebook, silences: Silences, now: datetime, by_type: Mapping[str, Attack]) -> tuple[Cover, ...]:
    """What the rules and silences in force could hide, by name; `by_type` is what signals of each type were seen to name."""
    rules = (
        Cover(rule.name, rule.expires, rule.alert_type, _attack_for(rule.alert_type, book, by_type))
        for rule in book.suppressions.active(now)
    )
    covers = [*rules, *_covers_of_silences(silences.by_name.values(), book, now, by_type)]
    return tuple(sorted(covers, key=lambda cover: cover.name))


def _covers_of_silences(
    silences: Iterable[Silence], book: Rulebook, now: datetime, by_type: Mapping[str, Attack]
) -> Iterator[Cover]:
    for silence in silences:
        # Between its windows one that comes again holds nothing, and will.
        if silence.begins <= now < silence.end:
            type = silence.alert_type.casefold() if silence.alert_type is not None else None
            yield Cover(
                silence.name, silence.end, type, _attack_for(type, book, by_type) if type is not None else Attack()
            )


def _attack_for(alert_type: str, book: Rulebook, by_type: Mapping[str, Attack]) -> Attack:
    seen = by_type.get(alert_type, Attack())
    tactics = set(seen.tactics)
    if known := book.catalogue.find_type(alert_type):
        tactics.update(*map(book.attack.tactics_for, known.tactics))
    return Attack(tuple(sorted(tactics)), seen.techniques)


def blind_techniques(outcomes: AttackOutcomes, covers: Sequence[Cover]) -> list[BlindSpot]:
    """The techniques of which nobody heard or which could be hidden, by id."""
    return _blind(outcomes.techniques, covers, lambda attack: attack.techniques)


def blind_tactics(outcomes: AttackOutcomes, covers: Sequence[Cover]) -> list[BlindSpot]:
    """The tactics of which nobody heard or which could be hidden, by id."""
    return _blind(outcomes.tactics, covers, lambda attack: attack.tactics)


def _blind(
    outcomes: Mapping[str, AttackOutcome], covers: Sequence[Cover], ids_of: Callable[[Attack], Iterable[str]]
) -> list[BlindSpot]:
    in_force = {cover.name: cover for cover in covers}
    hiders: dict[str, dict[str, Hider]] = {}
    for id, outcome in outcomes.items():
        # What held some can hold more while it is in force, whatever else is known of it.
        hiders[id] = {held.name: Hider(held.name, held, in_force.get(held.name)) for held in outcome.held_by}
    for cover in covers:
        for id in ids_of(cover.attack):
            hiders.setdefault(id, {}).setdefault(cover.name, Hider(cover.name, None, cover))
    spots = [
        BlindSpot(id, outcomes.get(id, NOT_SEEN), tuple([those[name] for name in sorted(those)]))
        for id, those in sorted(hiders.items())
    ]
    return [spot for spot in spots if spot.is_unheard or any(hider.cover is not None for hider in spot.hiders)]
