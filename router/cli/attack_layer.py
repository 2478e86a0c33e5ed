"""A layer of the ATT&CK Navigator, format 4.5: what became of each technique, and what nobody heard of or could hear of. Pure.

A layer annotates techniques only, so what there is to say of tactics stands in its metadata. `tactic` is left out of every
technique: the short names of tactics change between versions, and a technique is meant wherever it stands.

https://github.com/mitre-attack/attack-navigator/blob/master/layers/spec/v4.5/layerformat.md
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from router.decide.attack_outcomes import NOT_SEEN, AttackOutcome, AttackOutcomes
from router.decide.blind_spots import BlindSpot, Cover, Hider
from router.domain.silences import find_silence_id
from router.domain.texts import counted, legible, one_line, timestamp

UNHEARD, COULD_BE_HIDDEN = "#d7301f", "#fdcc8a"
_BLUES = ("#deebf7", "#08519c")

_MAJOR = re.compile(r"\d+", re.ASCII)
_MOST_LISTED = 10
"""The most words of a list that nobody bounds."""

_ABOUT = (
    "The score of a technique is how many different signals that name it were routed to somebody. Red: each was held, below "
    "the floor or routed to nobody, so nobody heard of it. Yellow: a rule or silence in force is about an alert type whose "
    "signals name it, so some may be hidden, as far as the scope of that reaches. What each rule held overlaps with what "
    "others held. Of a type that no signal was of only tactics are known: these are in the metadata of the layer."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttackReport:
    """What became of ATT&CK in a stream, and where that is known from.

    Attributes:
        stream: the stream.
        rulebook: the hash of the rulebook in force.
        attack_version: the version of ATT&CK of its table.
        tactics: the names of tactics by id.
        at: the present time.
        source: where the decisions are from, in words.
        since, until: the span that was asked for; None where it was not bounded.
        knows_silences: whether the source says which silences are in force.
        left_out: what else of the source was left out: how much by why.
        outcomes: what became of the signals.
        covers: what the rules and silences in force could hide.
        techniques_in_the_dark: the techniques of which nobody heard or which could be hidden.
        tactics_in_the_dark: the same of tactics.
    """

    stream: str
    rulebook: str
    attack_version: str
    tactics: Mapping[str, str]
    at: datetime
    source: str
    since: datetime | None
    until: datetime | None
    knows_silences: bool
    left_out: Mapping[str, int]
    outcomes: AttackOutcomes
    covers: tuple[Cover, ...]
    techniques_in_the_dark: Sequence[BlindSpot]
    tactics_in_the_dark: Sequence[BlindSpot]

    def name_of(self, tactic: str) -> str:
        """A tactic by id and name; its id alone where the table does not have it."""
        name = self.tactics.get(tactic)
        return f"{tactic} {name}" if name else tactic

    def is_over(self, hider: Hider) -> bool:
        """Whether what held signals is known not to be in force."""
        return hider.cover is None and (self.knows_silences or find_silence_id(hider.name) is None)


def layer_of(report: AttackReport) -> dict[str, object]:
    """Return the layer as JSON has it."""
    outcomes = report.outcomes
    spots = {spot.id: spot for spot in report.techniques_in_the_dark}
    ids = sorted(outcomes.techniques.keys() | spots.keys())
    major = _MAJOR.match(report.attack_version)
    return {
        "name": f"{report.stream}: blind spots",
        # Without a version of ATT&CK the Navigator takes the newest that it has.
        "versions": {**({"attack": major[0]} if major else {}), "navigator": "5.0.0", "layer": "4.5"},
        "domain": "enterprise-attack",
        "description": legible(_described(report)),
        "sorting": 3,
        "layout": {
            "layout": "side",
            "showID": True,
            "showName": True,
            "showAggregateScores": False,
            "countUnscored": False,
            "aggregateFunction": "max",
            "expandedSubtechniques": "annotated",
        },
        "hideDisabled": False,
        "techniques": [_technique(report, id, outcomes.techniques.get(id, NOT_SEEN), spots.get(id)) for id in ids],
        # Nothing is painted where the least and the most are the same.
        "gradient": {
            "colors": list(_BLUES),
            "minValue": 0,
            "maxValue": max([1, *(one.routed for one in outcomes.techniques.values())]),
        },
        "legendItems": [
            {"label": "nobody heard of it", "color": UNHEARD},
            {"label": "a rule in force may hide some", "color": COULD_BE_HIDDEN},
            {"label": "most signals routed", "color": _BLUES[1]},
        ],
        "metadata": _metadata([*_facts(report), *_tactics(report), *_unknown(report)]),
    }


def _technique(report: AttackReport, id: str, outcome: AttackOutcome, spot: BlindSpot | None) -> dict[str, object]:
    color = (UNHEARD if spot.is_unheard else COULD_BE_HIDDEN) if spot is not None else None
    known = _metadata([*_last(outcome), *(_hidden_by(report, spot) if spot is not None else _held_by(outcome))])
    return {
        "techniqueID": id,
        "score": outcome.routed,
        "comment": legible(_said(outcome, spot)),
        **({"color": color} if color is not None else {}),
        **({"metadata": known} if known else {}),
    }


def _tactics(report: AttackReport) -> Iterator[tuple[str, str]]:
    spots = {spot.id: spot for spot in report.tactics_in_the_dark}
    for id in sorted(report.outcomes.tactics.keys() | spots.keys()):
        outcome, spot = report.outcomes.tactics.get(id, NOT_SEEN), spots.get(id)
        hiders = _hidden_by(report, spot) if spot is not None else _held_by(outcome)
        yield (
            f"tactic {report.name_of(id)}",
            "; ".join([_said(outcome, spot), *(f"{name} {what}" for name, what in hiders)]),
        )


def _unknown(report: AttackReport) -> Iterator[tuple[str, str]]:
    for cover in report.covers:
        if cover.is_unknown:
            about = f"{cover.alert_type}, of which ATT&CK is not known" if cover.alert_type else "any alert type"
            yield cover.name, f"in force for {about}, until {timestamp(cover.until)}"


def _described(report: AttackReport) -> str:
    outcomes = report.outcomes
    bare = (
        f"{outcomes.without_technique} of {counted(outcomes.signals, 'signal')} name no technique: they are in no cell, and "
        "their tactics are in the metadata of the layer."
    )
    return f"alert-router, stream {report.stream}. {_ABOUT} Source: {report.source}, {span_of(report)}. {bare}"


def span_of(report: AttackReport) -> str:
    """The span of time that decisions were looked at in, in words."""
    if report.since is None:
        return f"all of it to {timestamp(report.until)}" if report.until is not None else "all of it"
    span = f"from {timestamp(report.since)}"
    if report.until is not None:
        span += f" to {timestamp(report.until)}"
    return span


def _facts(report: AttackReport) -> list[tuple[str, str]]:
    """What the layer says of itself."""
    outcomes = report.outcomes
    return [
        ("made at", timestamp(report.at)),
        ("source", report.source),
        ("looked at", span_of(report)),
        ("decisions", str(outcomes.decisions)),
        ("signals", str(outcomes.signals)),
        ("signals without a technique", str(outcomes.without_technique)),
        ("rulebook in force", report.rulebook),
        ("rulebooks that decided", _listed(outcomes.rulebooks) or "none"),
        ("ATT&CK version of the rules", report.attack_version or "not known"),
        *([] if report.knows_silences else [("silences in force", "not known from a file")]),
        *([("samples left out", str(outcomes.samples))] if outcomes.samples else []),
        *((f"left out: {why}", str(number)) for why, number in sorted(report.left_out.items()) if number),
        *([("no ids of techniques", _listed(outcomes.not_techniques))] if outcomes.not_techniques else []),
    ]


def _listed(words: Sequence[str]) -> str:
    more = [f"and {len(words) - _MOST_LISTED} more"] if len(words) > _MOST_LISTED else []
    return ", ".join([*words[:_MOST_LISTED], *more])


def _said(one: AttackOutcome, spot: BlindSpot | None) -> str:
    """What became of the signals of a technique or tactic, and whether that is a blind spot."""
    quiet = f", {one.quiet} routed to nobody" if one.quiet else ""
    became = f"{counted(one.routed, 'signal')} routed{quiet}, {one.held} held, {one.below_floor} below the floor"
    if spot is None:
        return became
    if spot.is_unheard:
        return f"{became}: nobody heard of it"
    return f"{became}: some may be hidden" if one.routed else "no signal of it was seen"


def _held_by(one: AttackOutcome) -> Iterator[tuple[str, str]]:
    for held in one.held_by:
        yield held.name, f"held {_hits(held.signals, held.last, held.until)}"


def _hidden_by(report: AttackReport, spot: BlindSpot) -> Iterator[tuple[str, str]]:
    """What held signals of it, and what in force could hold some."""
    for hider in spot.hiders:
        if hider.held is None:
            yield hider.name, f"could hold some{f', until {timestamp(hider.until)}' if hider.until is not None else ''}"
        else:
            over = ", not in force" if report.is_over(hider) else ""
            yield hider.name, f"held {_hits(hider.held.signals, hider.held.last, hider.until)}{over}"


def _hits(signals: int, last: datetime | None, until: datetime | None) -> str:
    times = (("last", last), ("until", until))
    return ", ".join([counted(signals, "signal"), *(f"{name} {timestamp(at)}" for name, at in times if at is not None)])


def _last(one: AttackOutcome) -> list[tuple[str, str]]:
    return [("routed last", timestamp(one.last_routed))] if one.last_routed is not None else []


def _metadata(items: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": one_line(name), "value": one_line(value)} for name, value in items]
