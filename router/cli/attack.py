"""`alert-router attack layer`: what of ATT&CK was routed, what was held, and what nobody heard of or could hear of."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import orjson
from rich.console import Console

from router.cli.attack_layer import AttackReport, layer_of, span_of
from router.cli.given import clock_for, rules_given
from router.cli.opened_state import store_in
from router.cli.printing import json_of, print_json
from router.cli.screen import print_table, screen, table_of
from router.decide.attack_outcomes import LOOKED_AT, AttackCounter, PastDecision, past_decision_of, past_signal_key
from router.decide.blind_spots import BlindSpot, blind_tactics, blind_techniques, covers_of
from router.domain.decisions import Outcome
from router.domain.errors import BadFile
from router.domain.rulebook import Rulebook
from router.domain.signals import Stream
from router.domain.silences import NO_SILENCES, Silences
from router.domain.texts import timestamp
from router.ingest.readers import SilenceReader
from router.store.decisions import walk_decisions

NO_DECISION = "lines that are no decisions"
OTHER_STREAM = "decisions of the other stream"
OTHER_TIME = "decisions of another time"
NO_TIME = "decisions that do not say when they were made"

_OUTCOMES = frozenset(Outcome)


class DecisionSpan(NamedTuple):
    """A span of time.

    Attributes:
        since: its first instant; None where it has no beginning.
        until: the first instant after it; None where it has no end.
    """

    since: datetime | None
    until: datetime | None

    @property
    def is_bounded(self) -> bool:
        """Whether it has a beginning or an end."""
        return self.since is not None or self.until is not None

    def has(self, at: datetime) -> bool:
        """Whether an instant is in it."""
        return (self.since is None or self.since <= at) and (self.until is None or at < self.until)


def decisions_in(path: Path, stream: Stream, span: DecisionSpan, left_out: Counter[str]) -> Iterator[PastDecision]:
    """The decisions of a stream in a decisions file, in its order; raises BadFile where it holds none at all.

    How many of its lines are left out, and why, is counted in `left_out`.
    """
    is_any = False
    for line in _lines_of(path):
        decision = _find_decision(line)
        if decision is None:
            left_out[NO_DECISION] += 1
            continue
        is_any = True
        if decision.stream != stream:
            left_out[OTHER_STREAM] += decision.stream is not None
        elif span.is_bounded and decision.past.at is None:
            left_out[NO_TIME] += 1
        elif decision.past.at is not None and not span.has(decision.past.at):
            left_out[OTHER_TIME] += 1
        else:
            yield decision.past
    if not is_any and left_out[NO_DECISION]:
        raise BadFile(f"{path}: holds no decisions; alert-router run --decisions FILE writes them")


def _lines_of(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            yield from (line for line in file if line.strip())
    except OSError as fault:
        raise BadFile(f"{path}: cannot be read: {fault.strerror}") from fault


class _Line(NamedTuple):
    """A line of a decisions file.

    Attributes:
        stream: the stream that it is of; None where the message was not understood.
        past: what it says.
    """

    stream: str | None
    past: PastDecision


def _find_decision(line: bytes) -> _Line | None:
    """What a line says; None where it is no decision."""
    try:
        body = orjson.loads(line)
        outcome = body["outcome"]
        if outcome not in _OUTCOMES:
            return None
        stream, kind, id = _find_text(body["stream"]), _find_text(body["kind"]), _find_text(body["id"])
        past = PastDecision(
            signal=past_signal_key(stream or "", kind or "", id or ""),
            type=_find_text(body["type"]) or "",
            outcome=Outcome(outcome),
            at=_find_instant(body.get("at")),
            held_by=_find_text(body["suppressed_by"]),
            held_until=_find_instant(body["suppressed_until"]),
            tactics=_texts(body["tactics"]),
            techniques=_texts(body["techniques"]),
            rulebook=_find_text(body["rulebook"]) or "",
            is_quiet=body["notice"] is None,
            is_sample=body["sample"] is True,
        )
    except (ValueError, TypeError, LookupError, AttributeError):
        return None
    return _Line(stream, past)


def _find_text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise TypeError("not a text")


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise TypeError("not texts")
    return tuple(value)


def _find_instant(value: object) -> datetime | None:
    written = _find_text(value)
    if written is None:
        return None
    instant = datetime.fromisoformat(written)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


LOOK_BACK = timedelta(days=30)
"""How far back a state is looked at unless `--since` says otherwise."""

_TICK = timedelta(microseconds=1)


class _Looked(NamedTuple):
    """What was found in a source.

    Attributes:
        source: what it is, in words.
        span: the span of time that was asked for.
        silences: the silences that the source has; None where it does not say.
    """

    source: str
    span: DecisionSpan
    silences: Silences | None = None


def layer(options: Namespace) -> int:
    """Prints the blind spots, or the layer as JSON; writes the layer into a file where one is named."""
    now = clock_for(options.now)()
    stream = Stream(options.stream or Stream.CWPP)
    book = rules_given(options.rules, stream, now).books[stream]
    counter = AttackCounter(book.attack)
    left_out: Counter[str] = Counter()
    looked = (
        _look_in_file(options, stream, now, counter, left_out)
        if options.file is not None
        else asyncio.run(_look_in_state(options, stream, counter))
    )
    report = _report_of(book, now, looked, counter, left_out)
    layers = [layer_of(report)]
    if options.out is not None:
        _write(options.out, json_of(layers))
    if options.format == "json":
        print_json(layers)
    else:
        print_blind_spots(report)
        if options.out is not None:
            screen().print(f"\nlayer  {options.out}")
    return 0


def _span(options: Namespace, now: datetime, back: timedelta) -> tuple[datetime, datetime]:
    """The span that reaches so far back from the end that is meant; unless one is given, this very instant is in it."""
    end = options.until or now
    return end - back, options.until or now + _TICK


def _look_in_file(
    options: Namespace, stream: Stream, now: datetime, counter: AttackCounter, left_out: Counter[str]
) -> _Looked:
    bounds = _span(options, now, options.since) if options.since is not None else (None, options.until)
    span = DecisionSpan(*bounds)
    counter.add(decisions_in(options.file, stream, span, left_out))
    return _Looked(str(options.file), span)


async def _look_in_state(options: Namespace, stream: Stream, counter: AttackCounter) -> _Looked:
    async with store_in(options) as store:
        now = clock_for(options.now, store.now)()
        since, until = _span(options, now, options.since or LOOK_BACK)
        async with store.session() as tx:
            async for entries in walk_decisions(tx, stream, since, until, LOOKED_AT):
                counter.add(map(past_decision_of, entries))
        silences = await SilenceReader(store).silences(stream, now)
    return _Looked(f"the state in {options.state}", DecisionSpan(since, until), silences)


def _report_of(
    book: Rulebook, now: datetime, looked: _Looked, counter: AttackCounter, left_out: Counter[str]
) -> AttackReport:
    outcomes = counter.outcomes()
    covers = covers_of(book, looked.silences or NO_SILENCES, now, outcomes.by_type)
    return AttackReport(
        stream=book.stream,
        rulebook=book.hash,
        attack_version=book.attack.version,
        tactics=book.attack.tactics,
        at=now,
        source=looked.source,
        since=looked.span.since,
        until=looked.span.until,
        knows_silences=looked.silences is not None,
        left_out=left_out,
        outcomes=outcomes,
        covers=covers,
        techniques_in_the_dark=blind_techniques(outcomes, covers),
        tactics_in_the_dark=blind_tactics(outcomes, covers),
    )


def _write(path: Path, document: bytes) -> None:
    try:
        path.write_bytes(document)
    except OSError as fault:
        raise BadFile(f"{path}: the layer cannot be written there: {fault.strerror}") from fault


def print_blind_spots(report: AttackReport) -> None:
    """Prints for people what nobody heard of and what could be hidden, by which rule, until when."""
    shown = screen()
    print_table(shown, table_of(("", ""), list(_summary(report))), indent=0)
    _print_spots(shown, report, "technique", report.techniques_in_the_dark)
    _print_spots(shown, report, "tactic", report.tactics_in_the_dark)
    _print_unknown(shown, report)


def _summary(report: AttackReport) -> Iterator[tuple[str, str]]:
    outcomes = report.outcomes
    yield "stream", report.stream
    yield "rules", f"{report.rulebook}, ATT&CK {report.attack_version or 'of no known version'}"
    yield "source", f"{report.source}, {span_of(report)}"
    yield "signals", f"{outcomes.signals}, of which {outcomes.without_technique} name no technique"
    if outcomes.samples:
        yield "samples", f"{outcomes.samples}, left out"
    for why, number in report.left_out.items():
        if number:
            yield "left out", f"{number} {why}"


def _print_spots(shown: Console, report: AttackReport, what: str, spots: Sequence[BlindSpot]) -> None:
    shown.print()
    if not spots:
        shown.print(f"no {what} is hidden, as far as that is known")
        return
    heads = (
        what,
        "heard",
        "routed",
        "to nobody",
        "held",
        "below floor",
        "rule or silence",
        "until",
        "has held",
        "last",
    )
    first = sorted(spots, key=lambda spot: not spot.is_unheard)
    rows = [row for spot in first for row in _rows(report, what, spot)]
    print_table(shown, table_of(heads, rows, numbers=(2, 3, 4, 5, 8)), indent=0)


def _rows(report: AttackReport, what: str, spot: BlindSpot) -> Iterator[tuple[object, ...]]:
    """A row for each rule or silence that held or could hold signals of it; the numbers of all stand in the first."""
    one = spot.outcome
    name = report.name_of(spot.id) if what == "tactic" else spot.id
    lead: tuple[object, ...] = (
        name,
        _heard(spot),
        one.routed,
        one.quiet,
        one.held,
        one.below_floor,
    )
    for hider in spot.hiders:
        over = ", not in force" if report.is_over(hider) else ""
        until = f"{timestamp(hider.until)}{over}" if hider.until is not None else None
        signals, last = (hider.held.signals, hider.held.last) if hider.held is not None else (0, None)
        yield *lead, hider.name, until, signals, timestamp(last) if last is not None else None
        lead = ("",) * len(lead)
    if not spot.hiders:
        yield *lead, None, None, None, None


def _heard(spot: BlindSpot) -> str:
    if spot.is_unheard:
        return "never"
    return "yes" if spot.outcome.routed else "no signal"


def _print_unknown(shown: Console, report: AttackReport) -> None:
    """Prints the rules and silences in force of which nothing is known in ATT&CK: that they are missing above says nothing."""
    rows = [
        (cover.name, cover.alert_type or "any", timestamp(cover.until)) for cover in report.covers if cover.is_unknown
    ]
    if rows:
        shown.print()
        print_table(shown, table_of(("not known what it hides", "alert type", "until"), rows), indent=0)
