"""A layer of the ATT&CK Navigator, format 4.5: what became of each technique, and which signals were hidden or could be. Pure.

A layer annotates techniques only, so what there is to say of tactics stands in its metadata. `tactic` is left out of every
technique: the short names of tactics change between versions, and a technique is meant wherever it stands.

https://github.com/mitre-attack/attack-navigator/blob/master/layers/spec/v4.5/layerformat.md
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import orjson

from router.decide.blind_spots import AttackOutcomes, AttackSpot, Cover, Hider, attack_spots, covers_of
from router.domain.readable import counted, legible, one_line, timestamp
from router.domain.rulebook import Rulebook
from router.domain.silences import NO_SILENCES, Silences, find_silence_id

UNHEARD, COULD_BE_HIDDEN = "#d7301f", "#fdcc8a"

_MAJOR = re.compile(r"\d+", re.ASCII)
_MOST_LISTED = 10
"""The most words of a list that may be of any length."""


@dataclass(slots=True)
class AttackReport:
    """What became of ATT&CK in a stream.

    Attributes:
        book: the rules in force.
        source: where the decisions are from, in words.
        since, until: the span that was asked for; None where it was not bounded.
        silences: those in force; None where the source does not say.
        left_out: how much of the source was left out, by why.
        covers: what the rules and silences in force could hide.
        techniques, tactics: those whose signals were seen, or could be hidden.
    """

    book: Rulebook
    at: datetime
    source: str
    since: datetime | None
    until: datetime | None
    silences: Silences | None
    left_out: Mapping[str, int]
    outcomes: AttackOutcomes
    covers: Sequence[Cover] = field(init=False)
    techniques: Sequence[AttackSpot] = field(init=False)
    tactics: Sequence[AttackSpot] = field(init=False)

    def __post_init__(self) -> None:
        self.covers = covers_of(self.book, self.silences or NO_SILENCES, self.at, self.outcomes.by_type)
        self.techniques = attack_spots(self.outcomes.techniques, self.covers, lambda cover: cover.techniques)
        self.tactics = attack_spots(self.outcomes.tactics, self.covers, lambda cover: cover.tactics)

    @property
    def span(self) -> str:
        """The span of time that decisions were looked at in, in words."""
        since = f"from {timestamp(self.since)}" if self.since is not None else "all of it"
        return f"{since} to {timestamp(self.until)}" if self.until is not None else since

    def name_of(self, tactic: str) -> str:
        """Return a tactic by id and name; its id alone where the table does not have it."""
        name = self.book.attack.tactics.get(tactic)
        return f"{tactic} {name}" if name else tactic

    def is_over(self, hider: Hider) -> bool:
        """Return whether what held signals is known not to be in force."""
        return hider.cover is None and (self.silences is not None or find_silence_id(hider.name) is None)


def layer_of(report: AttackReport) -> dict[str, object]:
    """Return the layer as JSON has it."""
    outcomes = report.outcomes
    layer: dict[str, object] = orjson.loads(Path(__file__).with_name("attack_layer.json").read_bytes())
    # Without a version of ATT&CK the Navigator takes the newest that it has.
    major = _MAJOR.match(report.book.attack.version)
    bare = f"{len(outcomes.bare)} of {counted(len(outcomes.signals), 'signal')} name no technique"
    about = f"alert-router, stream {report.book.stream}. {layer['description']} Source: {report.source}, {report.span}."
    return layer | {
        "name": f"{report.book.stream}: blind spots",
        "versions": {**({"attack": major[0]} if major else {}), "navigator": "5.0.0", "layer": "4.5"},
        "description": legible(
            f"{about} {bare}: they are in no cell, and their tactics are in the metadata of the layer."
        ),
        "techniques": [_technique(report, spot) for spot in report.techniques],
        "gradient": {
            "colors": ["#deebf7", "#08519c"],
            "minValue": 0,
            # Nothing is painted where the least and the most are the same.
            "maxValue": max([1, *(len(spot.outcome.routed) for spot in report.techniques)]),
        },
        "metadata": _metadata([*_facts(report), *_tactics(report), *_unknown(report)]),
    }


def _technique(report: AttackReport, spot: AttackSpot) -> dict[str, object]:
    last = spot.outcome.last_routed
    known = _metadata([*([("routed last", timestamp(last))] if last is not None else []), *_holders(report, spot)])
    color = UNHEARD if spot.outcome.is_unheard else COULD_BE_HIDDEN
    return {
        "techniqueID": spot.id,
        "score": len(spot.outcome.routed),
        "comment": legible(_words_for(spot)),
        **({"color": color} if spot.is_blind else {}),
        **({"metadata": known} if known else {}),
    }


def _tactics(report: AttackReport) -> Iterator[tuple[str, str]]:
    for spot in report.tactics:
        holders = (f"{name} {what}" for name, what in _holders(report, spot))
        yield f"tactic {report.name_of(spot.id)}", "; ".join([_words_for(spot), *holders])


def _unknown(report: AttackReport) -> Iterator[tuple[str, str]]:
    for cover in report.covers:
        if cover.is_unknown:
            about = f"{cover.alert_type}, of which ATT&CK is not known" if cover.alert_type else "any alert type"
            yield cover.name, f"in force for {about}, until {timestamp(cover.until)}"


def _facts(report: AttackReport) -> Iterator[tuple[str, str]]:
    outcomes = report.outcomes
    yield "made at", timestamp(report.at)
    yield "source", report.source
    yield "looked at", report.span
    yield "decisions", str(outcomes.decisions)
    yield "signals", str(len(outcomes.signals))
    yield "signals without a technique", str(len(outcomes.bare))
    yield "rulebook in force", report.book.hash
    yield "rulebooks that decided", _listed(outcomes.rulebooks) or "none"
    yield "ATT&CK version of the rules", report.book.attack.version or "not known"
    if report.silences is None:
        yield "silences in force", "not known from a file"
    if outcomes.samples:
        yield "samples left out", str(len(outcomes.samples))
    for why, number in sorted(report.left_out.items()):
        if number:
            yield f"left out: {why}", str(number)
    if outcomes.not_techniques:
        yield "no ids of techniques", _listed(outcomes.not_techniques)


def _listed(words: Iterable[str]) -> str:
    some = sorted(words)
    more = [f"and {len(some) - _MOST_LISTED} more"] if len(some) > _MOST_LISTED else []
    return ", ".join([*some[:_MOST_LISTED], *more])


def _words_for(spot: AttackSpot) -> str:
    """Return what became of the signals of a technique or tactic, and whether that is a blind spot."""
    one = spot.outcome
    quiet = f", {len(one.quiet)} routed to nobody" if one.quiet else ""
    routed = counted(len(one.routed), "signal")
    became = f"{routed} routed{quiet}, {len(one.held)} held, {len(one.below_floor)} below the floor"
    if not spot.is_blind:
        return became
    if one.is_unheard:
        return f"{became}: nobody heard of it"
    return f"{became}: some may be hidden" if one.routed else "no signal of it was seen"


def _holders(report: AttackReport, spot: AttackSpot) -> Iterator[tuple[str, str]]:
    """Yield what held signals of a technique or tactic, and what in force could hold some."""
    for hider in spot.hiders:
        until = f", until {timestamp(hider.until)}" if hider.until is not None else ""
        if (held := hider.held) is None:
            yield hider.name, f"could hold some{until}"
        else:
            last = f", last {timestamp(held.last)}" if held.last is not None else ""
            over = ", not in force" if spot.is_blind and report.is_over(hider) else ""
            yield hider.name, f"held {counted(len(held.signals), 'signal')}{last}{until}{over}"


def _metadata(items: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": one_line(name), "value": one_line(value)} for name, value in items]
