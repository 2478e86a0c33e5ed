"""The funnel: how many messages came in, with which outcomes, and where they went."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from rich.console import Console

from router.app.destination_readiness import Unready
from router.cli.printing import plain
from router.cli.screen import print_table, table_of
from router.domain.catalogue import AttackTable
from router.domain.decisions import Change, Outcome
from router.domain.deliveries import DeliveryState, NextDue
from router.domain.destination_holds import DestinationHold, words_of_hold
from router.domain.notices import RecordEntry
from router.domain.severity import Severity
from router.domain.silences import name_in_words
from router.domain.texts import timestamp
from router.store.delivery_status import count_deliveries, list_next_due
from router.store.destinations import list_delivered, list_pauses
from router.store.groups import count_waiting
from router.store.store import Store

UNKNOWN = "unknown"
NOBODY = "told nobody"


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of the entries of a run.

    Attributes:
        outcomes: by outcome.
        reasons: by outcome and the code of its reason.
        held: by suppression rule and the instant until which it holds.
        shadowed: by shadow rule that would have held them.
        notices_by_change: those that were routed, by what people were notified of (opened, updated, resolved), or NOBODY.
        severities: by severity and outcome.
        tactics: by ATT&CK tactic id and outcome.
        named: by destination that a decision names.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    held: Counter[tuple[str, str]] = field(default_factory=Counter)
    shadowed: Counter[str] = field(default_factory=Counter)
    notices_by_change: Counter[str] = field(default_factory=Counter)
    severities: Counter[tuple[str, str]] = field(default_factory=Counter)
    tactics: Counter[tuple[str, str]] = field(default_factory=Counter)
    named: Counter[str] = field(default_factory=Counter)

    @property
    def received(self) -> int:
        """How many signals there were, those that could not be understood among them."""
        return self.outcomes.total()

    def add(self, entries: Iterable[RecordEntry]) -> None:
        """Counts some more."""
        for entry in entries:
            self.outcomes[entry.outcome] += 1
            self.reasons[entry.outcome, entry.reason.partition(": ")[0]] += 1
            if entry.suppressed_by is not None:
                self.held[entry.suppressed_by, entry.suppressed_until or ""] += 1
            self.shadowed.update(entry.shadowed_by)
            if entry.outcome == Outcome.ROUTED:
                self.notices_by_change[entry.notice or NOBODY] += 1
            if entry.outcome != Outcome.QUARANTINED:
                self.severities[entry.severity or UNKNOWN, entry.outcome] += 1
            self.tactics.update((tactic, entry.outcome) for tactic in entry.tactics)
            self.named.update(entry.destinations)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The deliveries of one destination after a run.

    Attributes:
        stream: its stream.
        destination: its name.
        sent: how many this run sent.
        skipped: how many this run skipped: openings that were never sent, with their resolutions, of which nobody need know.
        died: how many this run gave up on.
        owed: how many are owed altogether.
        dead: how many were given up on altogether.
        due: when the next one is due.
        error: its last error, if it had any.
        paused: why it is paused, where it is: it refuses our credentials.
        held: who holds it until when, and why, where a person does.
        unready: what it lacks, where it cannot be asked.
        waiting: how many groups wait for room under its limit.
    """

    stream: str
    destination: str
    sent: int
    skipped: int
    died: int
    owed: int
    dead: int
    due: datetime | None = None
    error: str | None = None
    paused: str | None = None
    held: str | None = None
    unready: str | None = None
    waiting: int = 0


type Counts = Mapping[tuple[str, DeliveryState], int]


async def standings_in(
    store: Store,
    stream: str,
    before: Counts,
    since: datetime,
    unready: Sequence[Unready],
    held: Mapping[str, DestinationHold],
) -> list[Standing]:
    """How it stands with every destination of a stream, given the counts when the run began, and those that are held."""
    async with store.session() as tx:
        counts, pauses = await count_deliveries(tx, stream, since), await list_pauses(tx, stream)
        waiting, delivered = await count_waiting(tx, stream), await list_delivered(tx, stream)
    dues = await dues_in(store, stream, unready, held)
    lacking = {one.destination: one.why for one in unready if one.stream == stream}

    def new(destination: str, state: DeliveryState) -> int:
        return counts.get((destination, state), 0) - before.get((destination, state), 0)

    return [
        Standing(
            stream=stream,
            destination=destination,
            sent=new(destination, DeliveryState.SENT),
            skipped=max(new(destination, DeliveryState.SKIPPED), 0),
            died=max(new(destination, DeliveryState.DEAD), 0),
            owed=sum(counts.get((destination, state), 0) for state in (DeliveryState.OWED, DeliveryState.CLAIMED)),
            dead=counts.get((destination, DeliveryState.DEAD), 0),
            due=dues[destination].due if destination in dues else None,
            error=dues[destination].error if destination in dues else None,
            paused=pauses[destination].error if destination in pauses else None,
            held=words_of_hold(held[destination]) if destination in held else None,
            unready=lacking.get(destination),
            waiting=waiting[destination],
        )
        for destination in sorted({*(destination for destination, _ in counts), *delivered, *held})
    ]


async def dues_in(
    store: Store, stream: str, unready: Sequence[Unready], held: Mapping[str, DestinationHold]
) -> Mapping[str, NextDue]:
    """When each destination that is owed something is next tried.

    A paused one is tried when it is probed, one that a person holds when that ends, and one that is not ready never.
    """
    left = {one.destination for one in unready if one.stream == stream}
    async with store.session() as tx:
        pauses, dues = await list_pauses(tx, stream), await list_next_due(tx, stream)
    earliest = {name: pause.probe for name, pause in pauses.items()}
    for name, hold in held.items():
        earliest[name] = max(hold.ends, earliest.get(name, hold.ends))
    return {
        destination: next._replace(due=max(next.due, earliest.get(destination, next.due)))
        for destination, next in dues.items()
        if destination not in left
    }


OUTCOMES = {
    Outcome.QUARANTINED: "quarantined",
    Outcome.BELOW_FLOOR: "below the floor",
    Outcome.SUPPRESSED: "suppressed",
    Outcome.NOTED: "noted",
    Outcome.REPEAT: "repeats",
    Outcome.RESOLVED: "resolved",
    Outcome.ROUTED: "routed",
}
"""Outcomes in the order of the funnel, widest first to what people are told."""

_SEVERITIES = (*(severity.label for severity in sorted(Severity, reverse=True)), UNKNOWN)


def print_tally(
    screen: Console, tally: Tally, attack: AttackTable | None, authors: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Prints how many signals came in, what became of them, by severity and tactic too, and what shadow rules would hold.

    `authors` says whose the silences are, by their names on record.
    """
    _print(screen, ("", "", ""), _rows_by_outcome(tally, authors), numbers=(1,))
    if tally.shadowed:
        _print(screen, ("shadow rule", "would have held"), sorted(tally.shadowed.items()), numbers=(1,))
    severities = [(name, *_across(tally.severities, name)) for name in _SEVERITIES]
    _print_by_outcome(screen, "by severity", severities)
    if attack is not None:
        tactics = [(name, *_across(tally.tactics, id)) for id, name in attack.tactics.items()]
        _print_by_outcome(screen, f"by ATT&CK tactic (v{attack.version})", tactics)


def print_released(screen: Console, released: Tally) -> None:
    """Prints what a rule had held and came out, if anything did."""
    if released.received:
        became = ", ".join(f"{OUTCOMES[Outcome(outcome)]} {count}" for outcome, count in released.outcomes.items())
        screen.print(f"\n  {released.received} held until now came out, what held them ended or changed: {became}")


def print_ended(screen: Console, ended: Tally) -> None:
    """Prints how many findings ended without a message that says so, if any did."""
    if ended.received:
        findings = "finding" if ended.received == 1 else "findings"
        screen.print(f"\n  {ended.received} {findings} ended: not seen in two snapshots")


def print_standings(screen: Console, standings: Sequence[Standing], now: datetime, state: Path) -> None:
    """Prints what each destination was sent and is owed, and what keeps it from getting that."""
    if shown := [one for one in standings if one.sent or one.skipped or one.owed or one.dead]:
        names = ["sent", *(["skipped"] if any(one.skipped for one in shown) else []), "owed", "dead"]
        rows = [(one.stream, one.destination, *(getattr(one, name) for name in names)) for one in shown]
        _print(screen, ("delivered", "to", *names), rows, numbers=range(2, 2 + len(names)))
    else:
        screen.print("\n  nothing sent, nothing owed")
    for one in standings:
        where = f"  {one.stream} {one.destination}"
        if one.unready is not None and one.owed:
            screen.print(f"{where}: {one.owed} owed, not tried: {plain(one.unready)}")
        if one.paused is not None:
            screen.print(f"{where}: paused, {plain(one.paused)}")
        if one.held is not None:
            screen.print(f"{where}: {plain(one.held)}")
        if one.due is not None:
            screen.print(f"{where}: {one.owed} owed, next due {_when(one.due, now)}{_why(one)}")
        if one.waiting:
            screen.print(
                f"{where}: {one.waiting} beyond its limit wait until it has room; a run after that tells of them"
            )
        see = f"see alert-router dead-letters list --state {state}"
        if one.died:
            screen.print(f"{where}: {one.died} given up on; {see}")
        elif one.dead:
            screen.print(f"{where}: {one.dead} given up on before; {see}")


def print_named(screen: Console, tally: Tally) -> None:
    """Prints how many decisions name each destination, where nothing is sent."""
    _print(screen, ("would go to", "signals"), sorted(tally.named.items()), numbers=(1,))


def _rows_by_outcome(tally: Tally, authors: Mapping[str, str]) -> Iterator[tuple[str, object, str]]:
    yield "received", tally.received, ""
    for outcome, words in OUTCOMES.items():
        details = list(_details(tally, outcome, authors))
        yield words, tally.outcomes[outcome], details[0] if details else ""
        yield from (("", "", detail) for detail in details[1:])


def _details(tally: Tally, outcome: Outcome, authors: Mapping[str, str]) -> Iterable[str]:
    match outcome:
        case Outcome.SUPPRESSED:
            return [
                f"{count} by {name_in_words(name)}{_of(authors.get(name))} until {_to_the_second(until)}"
                for (name, until), count in sorted(tally.held.items())
            ]
        case Outcome.ROUTED:
            shown = [
                f"{what} {tally.notices_by_change[what]}" for what in (*Change, NOBODY) if tally.notices_by_change[what]
            ]
            return [", ".join(shown)] if shown else []
        case Outcome.QUARANTINED | Outcome.REPEAT:
            codes = [f"{code} {count}" for (of, code), count in sorted(tally.reasons.items()) if of == outcome]
            return [", ".join(codes)] if codes else []
    return []


def _to_the_second(time: str) -> str:
    """An instant on record without its fraction, which nobody needs to read."""
    return f"{time.partition('.')[0]}Z" if "." in time else time


def _of(author: str | None) -> str:
    return f" of {plain(author)}" if author is not None else ""


def _across(counts: dict[tuple[str, str], int], name: str) -> list[int]:
    return [counts.get((name, outcome), 0) for outcome in OUTCOMES]


def _print_by_outcome(screen: Console, head: str, rows: Sequence[tuple[object, ...]]) -> None:
    """Prints a table of names by outcome, without the names and outcomes that did not occur."""
    shown = [row for row in rows if any(row[1:])]
    columns = [0] + [number for number in range(1, len(OUTCOMES) + 1) if any(row[number] for row in shown)]
    if shown:
        heads = [head, *OUTCOMES.values()]
        cells = [[row[number] or "." for number in columns] for row in shown]
        _print(screen, [heads[number] for number in columns], cells, numbers=range(1, len(columns)))


def _print(
    screen: Console, heads: Sequence[str], rows: Iterable[Sequence[object]], numbers: Iterable[int] = ()
) -> None:
    screen.print()
    print_table(screen, table_of(heads, rows, numbers))


def _why(one: Standing) -> str:
    """The last trouble; that of a paused destination is said of the pause."""
    return f": {plain(one.error)}" if one.error is not None and one.paused is None else ""


def _when(due: datetime, now: datetime) -> str:
    seconds = max((due - now).total_seconds(), 0)
    wait = f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
    return f"{timestamp(due)} (in {wait})"
