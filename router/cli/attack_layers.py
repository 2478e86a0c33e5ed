"""The three layers of `attack layer`: what was routed, what was held, and what nobody heard of or could hear of. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from router.cli.formats.navigator import Layer, Painted
from router.decide.attack_outcomes import AttackOutcome, AttackOutcomes, HeldSignals
from router.decide.blind_spots import BlindSpot, Cover, Hider
from router.domain.holders import find_silence_id
from router.domain.plurals import counted
from router.domain.timestamps import timestamp

_BLUES = ("#deebf7", "#08519c")
_ORANGES = ("#fee6ce", "#a63603")
_GREYS = ("#f0f0f0", "#636363")

_MOST_LISTED = 10
"""The most words of a list that nobody bounds."""

UNHEARD, COULD_BE_HIDDEN = "#d7301f", "#fdcc8a"


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


def attack_layers_of(report: AttackReport) -> list[Layer]:
    """What was routed, what was held, and the blind spots."""
    return [_routed(report), _held(report), _blind(report)]


def _routed(report: AttackReport) -> Layer:
    return Layer(
        name=f"{report.stream}: routed",
        description=_described(
            report, "The score of a technique is how many different signals that name it were routed to somebody."
        ),
        techniques=[
            Painted(id, one.routed, _sum(one), metadata=_last("routed last", one.last_routed))
            for id, one in report.outcomes.techniques.items()
            if one.routed
        ],
        colors=_BLUES,
        legend=((_BLUES[1], "most signals routed"),),
        metadata=[
            *_facts(report),
            *((_tactic(report, id), _sum(one)) for id, one in report.outcomes.tactics.items() if one.routed),
        ],
    )


def _held(report: AttackReport) -> Layer:
    return Layer(
        name=f"{report.stream}: held",
        description=_described(
            report,
            "The score of a technique is how many different signals that name it were held by a suppression rule or a "
            "silence; one that came out later counts here too. What each of these held is in a technique's metadata: "
            "these numbers overlap and add up to nothing.",
        ),
        techniques=[
            Painted(id, one.held, _sum(one), metadata=[(f"held by {held.name}", _hits(held)) for held in one.held_by])
            for id, one in report.outcomes.techniques.items()
            if one.held
        ],
        colors=_ORANGES,
        legend=((_ORANGES[1], "most signals held"),),
        metadata=[
            *_facts(report),
            *((_tactic(report, id), _listed_hits(one)) for id, one in report.outcomes.tactics.items() if one.held),
        ],
    )


def _blind(report: AttackReport) -> Layer:
    unknown = [cover for cover in report.covers if cover.is_unknown]
    return Layer(
        name=f"{report.stream}: blind spots",
        description=_described(
            report,
            "Red: signals that name the technique came, and each was held, below the floor or routed to nobody, so nobody "
            "heard of it. Yellow: somebody heard of it, and a rule or silence in force is about an alert type whose signals "
            "name it, so some may be hidden, as far as the scope of that reaches. The score is how many signals were never "
            "routed to anybody. Of a type that no signal was of only tactics are known: these are in the metadata of the "
            "layer.",
        ),
        techniques=[
            Painted(
                spot.id,
                spot.outcome.unheard,
                _blindness(spot),
                UNHEARD if spot.is_unheard else COULD_BE_HIDDEN,
                list(_hidden_by(report, spot)),
            )
            for spot in report.techniques_in_the_dark
        ],
        colors=_GREYS,
        legend=((UNHEARD, "nobody heard of it"), (COULD_BE_HIDDEN, "a rule in force may hide some")),
        metadata=[
            *_facts(report),
            *((_tactic(report, spot.id), _listed_hiders(report, spot)) for spot in report.tactics_in_the_dark),
            *((cover.name, f"{_unknown(cover)}, until {timestamp(cover.until)}") for cover in unknown),
        ],
    )


def _described(report: AttackReport, what: str) -> str:
    outcomes = report.outcomes
    bare = (
        f"{outcomes.without_technique} of {counted(outcomes.signals, 'signal')} name no technique: they are in no cell, and "
        "their tactics are in the metadata of the layer."
    )
    return f"alert-router, stream {report.stream}. {what} Source: {report.source}, {span_of(report)}. {bare}"


def span_of(report: AttackReport) -> str:
    """The span of time that decisions were looked at in, in words."""
    if report.since is None:
        return f"all of it to {timestamp(report.until)}" if report.until is not None else "all of it"
    span = f"from {timestamp(report.since)}"
    if report.until is not None:
        span += f" to {timestamp(report.until)}"
    return span


def _facts(report: AttackReport) -> list[tuple[str, str]]:
    """What every layer says of itself."""
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


def _tactic(report: AttackReport, id: str) -> str:
    return f"tactic {report.name_of(id)}"


def _sum(one: AttackOutcome) -> str:
    """What became of the signals of a technique or tactic."""
    said = [f"{counted(one.routed, 'signal')} routed"]
    if one.quiet:
        said.append(f"{one.quiet} routed to nobody")
    return ", ".join([*said, f"{one.held} held", f"{one.below_floor} below the floor"])


def _blindness(spot: BlindSpot) -> str:
    if spot.is_unheard:
        return f"{_sum(spot.outcome)}: nobody heard of it"
    return f"{_sum(spot.outcome)}: some may be hidden" if spot.outcome.routed else "no signal of it was seen"


def _hits(held: HeldSignals) -> str:
    last = [f"last {timestamp(held.last)}"] if held.last is not None else []
    until = [f"until {timestamp(held.until)}"] if held.until is not None else []
    return ", ".join([counted(held.signals, "signal"), *last, *until])


def _listed_hits(one: AttackOutcome) -> str:
    return "; ".join([_sum(one), *(f"{held.name} held {_hits(held)}" for held in one.held_by)])


def _hidden_by(report: AttackReport, spot: BlindSpot) -> Iterator[tuple[str, str]]:
    """What held signals of it, and what in force could hold some."""
    for hider in spot.hiders:
        ends = f", until {timestamp(hider.until)}" if hider.until is not None else ""
        if hider.held is None:
            yield hider.name, f"could hold some{ends}"
        else:
            held = hider.held._replace(until=hider.until)
            yield hider.name, f"held {_hits(held)}{', not in force' if report.is_over(hider) else ''}"


def _listed_hiders(report: AttackReport, spot: BlindSpot) -> str:
    return "; ".join([_blindness(spot), *(f"{name} {what}" for name, what in _hidden_by(report, spot))])


def _unknown(cover: Cover) -> str:
    return (
        "in force for any alert type"
        if cover.alert_type is None
        else f"in force for {cover.alert_type}, of which ATT&CK is not known"
    )


def _last(name: str, time: datetime | None) -> list[tuple[str, str]]:
    return [(name, timestamp(time))] if time is not None else []
