"""The three layers of `attack layer`: what was routed, what was held, and what nobody heard of or could hear of. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from router.cli.formats.navigator import DIVIDER, Layer, Painted
from router.cli.formats.values import counted
from router.decide.attack_outcomes import AttackOutcome, AttackOutcomes, HeldSignals
from router.decide.blind_spots import BlindSpot, Cover

_BLUES = ("#deebf7", "#08519c")
_ORANGES = ("#fee6ce", "#a63603")
_GREYS = ("#f0f0f0", "#636363")

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
        looked_back_to: how far back decisions were looked at, where that is less far than was asked for.
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
    looked_back_to: datetime | None
    left_out: Mapping[str, int]
    outcomes: AttackOutcomes
    covers: tuple[Cover, ...]
    techniques_in_the_dark: Sequence[BlindSpot]
    tactics_in_the_dark: Sequence[BlindSpot]

    def name_of(self, tactic: str) -> str:
        """A tactic by id and name; its id alone where the table does not have it."""
        name = self.tactics.get(tactic)
        return f"{tactic} {name}" if name else tactic


def attack_layers_of(report: AttackReport) -> list[Layer]:
    """What was routed, what was held, and the blind spots."""
    return [_routed(report), _held(report), _blind(report)]


def _routed(report: AttackReport) -> Layer:
    return Layer(
        name=f"{report.stream}: routed",
        description=_described(
            report, "The score of a technique is how many different signals that name it were routed."
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
            *((report.name_of(id), _sum(one)) for id, one in report.outcomes.tactics.items() if one.routed),
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
            *(
                (
                    report.name_of(id),
                    "; ".join([_sum(one), *(f"by {held.name}: {_hits(held)}" for held in one.held_by)]),
                )
                for id, one in report.outcomes.tactics.items()
                if one.held
            ),
        ],
    )


def _blind(report: AttackReport) -> Layer:
    return Layer(
        name=f"{report.stream}: blind spots",
        description=_described(
            report,
            "Red: signals that name the technique came, and each was held or below the floor, so nobody heard of it. "
            "Yellow: somebody heard of it, and a rule or silence in force is about an alert type whose signals name it, so "
            "some may be hidden, as far as the scope of that reaches. The score is how many signals were not routed. Of a "
            "rule whose type no signal had only tactics are known: these are in the metadata of this layer.",
        ),
        techniques=[
            Painted(
                spot.id,
                spot.outcome.held + spot.outcome.below_floor,
                f"{_sum(spot.outcome)}: {'nobody heard of it' if spot.is_unheard else 'some may be hidden'}",
                UNHEARD if spot.is_unheard else COULD_BE_HIDDEN,
                list(_hidden_by(spot)),
            )
            for spot in report.techniques_in_the_dark
        ],
        colors=_GREYS,
        legend=((UNHEARD, "nobody heard of it"), (COULD_BE_HIDDEN, "a rule in force may hide some")),
        metadata=[
            *_facts(report),
            *(
                (
                    report.name_of(spot.id),
                    "; ".join([_blindness(spot), *(f"{name}: {how}" for name, how in _hidden_by(spot))]),
                )
                for spot in report.tactics_in_the_dark
            ),
            DIVIDER,
            *(
                (f"in force: {cover.name}", f"until {written_time(cover.until)}; {_what_is_known(cover)}")
                for cover in report.covers
                if cover.is_unknown
            ),
        ],
    )


def _blindness(spot: BlindSpot) -> str:
    if spot.is_unheard:
        return f"{_sum(spot.outcome)}, nobody heard of it"
    return _sum(spot.outcome) if spot.outcome.routed else "no signal of it was seen"


def _hidden_by(spot: BlindSpot) -> Iterator[tuple[str, str]]:
    """What held signals of it, and what in force could."""
    for held in spot.outcome.held_by:
        yield f"held by {held.name}", _hits(held)
    for cover in spot.covers:
        yield f"could be held by {cover.name}", f"until {written_time(cover.until)}"


def _what_is_known(cover: Cover) -> str:
    return "of any alert type" if cover.alert_type is None else f"nothing is known of {cover.alert_type} in ATT&CK"


def _described(report: AttackReport, what: str) -> str:
    outcomes = report.outcomes
    said = [
        f"alert-router, stream {report.stream}. {what}",
        f"Source: {report.source}; {span_of(report)}.",
        f"{outcomes.without_technique} of {counted(outcomes.signals, 'signal')} name no technique: they are in no cell, and "
        f"their tactics are in the metadata of the layer.",
    ]
    return " ".join(said)


def span_of(report: AttackReport) -> str:
    """The span of time that decisions were looked at in, in words."""
    since = report.looked_back_to or report.since
    span = " ".join(
        [
            f"from {written_time(since)}" if since is not None else "all of it",
            *([f"to {written_time(report.until)}"] if report.until is not None else []),
        ]
    )
    if report.looked_back_to is None:
        return span
    asked = f", not to {written_time(report.since)}" if report.since is not None else ""
    return f"{span}, as far back as was looked{asked}"


def _facts(report: AttackReport) -> list[tuple[str, str] | None]:
    """What every layer says of itself; then a line."""
    outcomes = report.outcomes
    facts = [
        ("made at", written_time(report.at)),
        ("source", report.source),
        ("looked at", span_of(report)),
        ("decisions", str(outcomes.decisions)),
        ("signals", str(outcomes.signals)),
        ("signals without a technique", str(outcomes.without_technique)),
        ("rulebook in force", report.rulebook),
        ("rulebooks that decided", ", ".join(outcomes.rulebooks) or "none"),
        ("ATT&CK version of the rules", report.attack_version or "not known"),
        *([("samples left out", str(outcomes.samples))] if outcomes.samples else []),
        *((f"left out: {why}", str(number)) for why, number in report.left_out.items() if number),
        *([("no ids of techniques", ", ".join(outcomes.not_techniques))] if outcomes.not_techniques else []),
    ]
    return [*facts, DIVIDER]


def _sum(one: AttackOutcome) -> str:
    """What became of the signals of a technique or tactic."""
    return f"{counted(one.routed, 'signal')} routed, {one.held} held, {one.below_floor} below the floor"


def _hits(held: HeldSignals) -> str:
    until = [f"until {written_time(held.until)}"] if held.until is not None else []
    last = [f"last {written_time(held.last)}"] if held.last is not None else []
    return ", ".join([counted(held.signals, "signal"), *last, *until])


def _last(name: str, time: datetime | None) -> list[tuple[str, str] | None]:
    return [(name, written_time(time))] if time is not None else []


def written_time(time: datetime) -> str:
    """An instant in ISO 8601, to the second."""
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"
