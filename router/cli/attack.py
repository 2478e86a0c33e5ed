"""`attack layer`: what of ATT&CK was routed, what was held, and what was hidden or could be."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError
from rich.console import Console

from router.cli.attack_layer import AttackReport, layer_of
from router.cli.open_state import store_in
from router.cli.option_values import clock_for, rules_given
from router.cli.printing import json_of, print_json
from router.cli.screen import print_table, screen, table_of
from router.decide.blind_spots import LOOKED_AT, AttackOutcomes, AttackSpot, PastDecision
from router.domain.decisions import Outcome, StepCode
from router.domain.errors import BadFile
from router.domain.keys import signal_key
from router.domain.readable import timestamp
from router.domain.rulebook import Rulebook
from router.domain.signals import Kind, Stream
from router.ingest.state_cache import SilenceReader
from router.store.search import walk_decisions

LOOK_BACK = timedelta(days=30)
"""How far back a state is looked at unless `--since` says otherwise."""

_TICK = timedelta(microseconds=1)


def layer(options: Namespace) -> int:
    """Print the blind spots, or the layer as JSON; write the layer into a file where one is named."""
    now = clock_for(options.now)()
    stream = Stream(options.stream or Stream.CWPP)
    book = rules_given(options.rules, stream, now).books[stream]
    report = _read_file(options, book, now) if options.file else asyncio.run(_read_state(options, book, now))
    layers = [layer_of(report)]
    if options.out is not None:
        try:
            options.out.write_bytes(json_of(layers))
        except OSError as fault:
            raise BadFile(f"{options.out}: the layer cannot be written there: {fault.strerror}") from fault
    if options.format == "json":
        print_json(layers)
        return 0
    print_blind_spots(report)
    if options.out is not None:
        screen().print(f"\nlayer  {options.out}")
    return 0


async def _read_state(options: Namespace, book: Rulebook, at: datetime) -> AttackReport:
    outcomes = AttackOutcomes(book.attack)
    async with store_in(options) as store:
        now = clock_for(options.now, store.now)()
        # Unless an end is given, this very instant is in the span.
        since, until = (options.until or now) - (options.since or LOOK_BACK), options.until or now + _TICK
        async with store.session() as tx:
            async for entries in walk_decisions(tx, book.stream, since, until, LOOKED_AT):
                outcomes.add(past_decision(DecisionLine.model_validate(entry)) for entry in entries)
        silences = await SilenceReader(store).silences(book.stream, now)
    return AttackReport(book, at, f"the state in {options.state}", since, until, silences, {}, outcomes)


def _read_file(options: Namespace, book: Rulebook, now: datetime) -> AttackReport:
    outcomes, left_out = AttackOutcomes(book.attack), Counter[str]()
    since = (options.until or now) - options.since if options.since is not None else None
    until = options.until or (now + _TICK if options.since is not None else None)
    outcomes.add(_decisions_in(options.file, book.stream, since, until, left_out))
    return AttackReport(book, now, str(options.file), since, until, None, left_out, outcomes)


_Instant = Annotated[datetime, AfterValidator(lambda at: at if at.tzinfo else at.replace(tzinfo=UTC))]


class DecisionLine(BaseModel):
    """A decision on record or a line of a decisions file, as far as it says what became of a technique or tactic."""

    model_config = ConfigDict(from_attributes=True)

    stream: str | None
    kind: str | None
    id: str | None
    type: str | None
    outcome: Outcome
    at: _Instant | None = None
    notice: str | None
    suppressed_by: str | None
    suppressed_until: _Instant | None
    tactics: tuple[str, ...]
    techniques: tuple[str, ...]
    rulebook: str | None
    sample: bool
    signal: str | None = None
    steps: tuple[str, ...] = ()


def past_decision(line: DecisionLine) -> PastDecision:
    """Return what it says of a signal; an alert that came back as an incident is the same."""
    kind = Kind.ALERT if line.kind == Kind.INCIDENT else line.kind
    return PastDecision(
        signal=line.signal or signal_key(line.stream or "", kind or "", line.id or ""),
        type=line.type or "",
        outcome=line.outcome,
        at=line.at,
        held_by=line.suppressed_by,
        held_until=line.suppressed_until,
        tactics=line.tactics,
        techniques=line.techniques,
        rulebook=line.rulebook or "",
        # Of a mere status no pager hears while the signal is open there.
        is_quiet=line.notice is None and StepCode.LEDGER_OPEN not in line.steps,
        is_sample=line.sample,
    )


def _decisions_in(
    path: Path, stream: Stream, since: datetime | None, until: datetime | None, left_out: Counter[str]
) -> Iterator[PastDecision]:
    """Yield the decisions of a stream and a span in a file, in its order, and count in `left_out` what is left out.

    Raises BadFile where the file cannot be read, or holds no decision at all.
    """
    is_any = False
    try:
        with path.open("rb") as file:
            for line in filter(bytes.strip, file):
                try:
                    found = DecisionLine.model_validate_json(line)
                except ValidationError:
                    left_out["lines that are no decisions"] += 1
                    continue
                is_any = True
                if found.stream != stream:
                    left_out["decisions of the other stream"] += found.stream is not None
                elif found.at is None and (since or until):
                    left_out["decisions that do not say when they were made"] += 1
                elif found.at and ((since and found.at < since) or (until and found.at >= until)):
                    left_out["decisions of another time"] += 1
                else:
                    yield past_decision(found)
    except OSError as fault:
        raise BadFile(f"{path}: cannot be read: {fault.strerror}") from fault
    if left_out and not is_any:
        raise BadFile(f"{path}: holds no decisions; alert-router run --decisions FILE writes them")


def print_blind_spots(report: AttackReport) -> None:
    """Print for people what was hidden and what could be, by which rule, until when."""
    to, outcomes = screen(), report.outcomes
    summary = [
        ("stream", report.book.stream),
        ("rules", f"{report.book.hash}, ATT&CK {report.book.attack.version or 'of no known version'}"),
        ("source", f"{report.source}, {report.span}"),
        ("signals", f"{len(outcomes.signals)}, of which {len(outcomes.bare)} name no technique"),
        *([("samples", f"{len(outcomes.samples)}, left out")] if outcomes.samples else []),
        *(("left out", f"{number} {why}") for why, number in report.left_out.items() if number),
    ]
    print_table(to, table_of(("", ""), summary), indent=0)
    _print_spots(to, report, "technique", report.techniques)
    _print_spots(to, report, "tactic", report.tactics)
    # That what is not known is missing above says nothing.
    unknown = [(one.name, one.alert_type or "any", timestamp(one.until)) for one in report.covers if one.is_unknown]
    if unknown:
        to.print()
        print_table(to, table_of(("not known what it hides", "alert type", "until"), unknown), indent=0)


_HEADS = ("heard", "routed", "to nobody", "held", "below floor", "rule or silence", "until", "has held", "last")


def _print_spots(to: Console, report: AttackReport, what: str, spots: Sequence[AttackSpot]) -> None:
    to.print()
    blind = [spot for spot in spots if spot.is_blind]
    if not blind:
        to.print(f"no {what} is hidden, as far as that is known")
        return
    unheard_first = sorted(blind, key=lambda spot: not spot.outcome.is_unheard)
    rows = [row for spot in unheard_first for row in _rows(report, what, spot)]
    print_table(to, table_of((what, *_HEADS), rows, numbers=(2, 3, 4, 5, 8)), indent=0)


def _rows(report: AttackReport, what: str, spot: AttackSpot) -> Iterator[tuple[object, ...]]:
    """Yield a row for each rule or silence that held or could hold signals; the numbers of all stand in the first."""
    one = spot.outcome
    heard = "never" if one.is_unheard else "yes" if one.routed else "no signal"
    name = report.name_of(spot.id) if what == "tactic" else spot.id
    lead: tuple[object, ...] = (name, heard, *map(len, (one.routed, one.quiet, one.held, one.below_floor)))
    for hider in spot.hiders:
        over = ", not in force" if report.is_over(hider) else ""
        until = f"{timestamp(hider.until)}{over}" if hider.until is not None else None
        signals, last = (len(hider.held.signals), hider.held.last) if hider.held is not None else (0, None)
        yield *lead, hider.name, until, signals, timestamp(last) if last is not None else None
        lead = ("",) * len(lead)
    if not spot.hiders:
        yield *lead, None, None, None, None
