"""The funnel: how many messages came in, with which outcomes, and where they went."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from msgspec import field
from rich.console import Console

from router.app.destination_readiness import Unready
from router.app.destination_states import read_backlogs
from router.cli.printing import plain
from router.cli.screen import print_table, table_of
from router.domain.catalogue import AttackTable
from router.domain.decisions import OUTCOMES, Change, Outcome
from router.domain.deliveries import OPEN, Backlog, DeliveryState
from router.domain.destination_holds import DestinationHold, words_of_hold
from router.domain.notices import RecordEntry
from router.domain.readable import timestamp
from router.domain.severity import Severity
from router.domain.silences import name_in_words
from router.domain.values import Value
from router.store.delivery_status import count_deliveries
from router.store.destinations import list_delivered, list_pauses
from router.store.groups import count_waiting
from router.store.store import Store

UNKNOWN = "unknown"
NOBODY = "told nobody"


class Tally(Value):
    """Counts of the entries of a run.

    Attributes:
        reasons: by outcome and the code of its reason.
        held: by suppression rule and the instant until which it holds.
        notices: those that were routed, by what people were notified of (opened, updated, resolved), or NOBODY.
        severities, tactics: by severity or ATT&CK tactic id, and outcome.
        named: by destination that a decision names.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    held: Counter[tuple[str, str]] = field(default_factory=Counter)
    shadowed: Counter[str] = field(default_factory=Counter)
    notices: Counter[str] = field(default_factory=Counter)
    severities: Counter[tuple[str, str]] = field(default_factory=Counter)
    tactics: Counter[tuple[str, str]] = field(default_factory=Counter)
    named: Counter[str] = field(default_factory=Counter)

    @property
    def received(self) -> int:
        """How many signals there were, those that could not be understood among them."""
        return self.outcomes.total()

    def add(self, entries: Iterable[RecordEntry]) -> None:
        """Count some more."""
        for entry in entries:
            self.outcomes[entry.outcome] += 1
            self.reasons[entry.outcome, entry.reason.partition(": ")[0]] += 1
            if entry.suppressed_by is not None:
                self.held[entry.suppressed_by, entry.suppressed_until or ""] += 1
            self.shadowed.update(entry.shadowed_by)
            if entry.outcome == Outcome.ROUTED:
                self.notices[entry.notice or NOBODY] += 1
            if entry.outcome != Outcome.QUARANTINED:
                self.severities[entry.severity or UNKNOWN, entry.outcome] += 1
            self.tactics.update((tactic, entry.outcome) for tactic in entry.tactics)
            self.named.update(entry.destinations)


class Standing(Value, kw_only=True):
    """The deliveries of one destination after a run, and what keeps it from getting them, in words.

    What was sent, skipped and died is counted in this run, what is owed and dead altogether; `waiting` are groups that wait for
    room under its limit.
    """

    stream: str
    destination: str
    sent: int
    skipped: int
    died: int
    owed: int
    dead: int
    next: Backlog | None
    paused: str | None
    held: str | None
    unready: str | None
    waiting: int


type Counts = Mapping[tuple[str, DeliveryState], int]


async def standings_in(
    store: Store,
    stream: str,
    before: Counts,
    since: datetime,
    unready: Sequence[Unready],
    held: Mapping[str, DestinationHold],
) -> list[Standing]:
    """Return how it stands with every destination of a stream, given the counts when the run began, and those held."""
    async with store.session() as tx:
        counts, pauses = await count_deliveries(tx, stream, since), await list_pauses(tx, stream)
        waiting, delivered = await count_waiting(tx, stream), await list_delivered(tx, stream)
    backlogs = await read_backlogs(store, stream, unready, held)
    lacking = {one.destination: one.why for one in unready if one.stream == stream}

    def new(destination: str, state: DeliveryState) -> int:
        return counts.get((destination, state), 0) - before.get((destination, state), 0)

    return [
        Standing(
            stream=stream,
            destination=name,
            sent=new(name, DeliveryState.SENT),
            skipped=max(new(name, DeliveryState.SKIPPED), 0),
            died=max(new(name, DeliveryState.DEAD), 0),
            owed=sum(counts.get((name, state), 0) for state in OPEN),
            dead=counts.get((name, DeliveryState.DEAD), 0),
            next=backlogs.get(name),
            paused=pauses[name].error if name in pauses else None,
            held=words_of_hold(held[name]) if name in held else None,
            unready=lacking.get(name),
            waiting=waiting[name],
        )
        for name in sorted({*(name for name, _ in counts), *delivered, *held})
    ]


_SEVERITIES = (*(severity.label for severity in sorted(Severity, reverse=True)), UNKNOWN)


def print_tally(
    to: Console, tally: Tally, attack: AttackTable, authors: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Print how many signals came in, what became of them, by severity and tactic too, and what shadow rules would hold.

    `authors` says whose the silences are, by their names on record.
    """
    rows: list[tuple[str, object, str]] = [("received", tally.received, "")]
    for outcome, words in OUTCOMES.items():
        first, *more = _details(tally, outcome, authors) or [""]
        rows += [(words, tally.outcomes[outcome], first), *(("", "", detail) for detail in more)]
    _print(to, ("", "", ""), rows, numbers=(1,))
    if tally.shadowed:
        _print(to, ("shadow rule", "would have held"), sorted(tally.shadowed.items()), numbers=(1,))
    _print_by_outcome(to, "by severity", tally.severities, {name: name for name in _SEVERITIES})
    _print_by_outcome(to, f"by ATT&CK tactic (v{attack.version})", tally.tactics, attack.tactics)


def print_named(to: Console, tally: Tally) -> None:
    """Print how many decisions name each destination, where nothing is sent."""
    _print(to, ("would go to", "signals"), sorted(tally.named.items()), numbers=(1,))


def print_standings(to: Console, standings: Sequence[Standing], now: datetime, state: object) -> None:
    """Print what each destination was sent and is owed, and what keeps it from getting that."""
    if shown := [one for one in standings if one.sent or one.skipped or one.owed or one.dead]:
        names = ["sent", *(["skipped"] if any(one.skipped for one in shown) else []), "owed", "dead"]
        rows = [(one.stream, one.destination, *(getattr(one, name) for name in names)) for one in shown]
        _print(to, ("delivered", "to", *names), rows, numbers=range(2, 2 + len(names)))
    else:
        to.print("\n  nothing sent, nothing owed")
    for one in standings:
        for line in _remarks(one, now, state):
            to.print(f"  {one.stream} {one.destination}: {plain(line)}")


def _remarks(one: Standing, now: datetime, state: object) -> Iterator[str]:
    if one.unready is not None and one.owed:
        yield f"{one.owed} owed, not tried: {one.unready}"
    if one.paused is not None:
        yield f"paused, {one.paused}"
    if one.held is not None:
        yield one.held
    if one.next is not None and one.next.due is not None:
        seconds = max((one.next.due - now).total_seconds(), 0)
        wait = f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
        # The trouble of a paused destination is that of the pause.
        why = f": {one.next.error}" if one.next.error is not None and one.paused is None else ""
        yield f"{one.owed} owed, next due {timestamp(one.next.due)} (in {wait}){why}"
    if one.waiting:
        yield f"{one.waiting} beyond its limit wait until it has room; a run after that tells of them"
    if one.dead:
        number = f"{one.died} given up on" if one.died else f"{one.dead} given up on before"
        yield f"{number}; see alert-router dead-letters list --state {state}"


def _details(tally: Tally, outcome: Outcome, authors: Mapping[str, str]) -> list[str]:
    match outcome:
        case Outcome.SUPPRESSED:
            return [
                f"{count} by {name_in_words(name)}{f' of {plain(authors[name])}' if name in authors else ''} "
                # A fraction of a second is of no use to a reader.
                f"until {f'{until.partition(".")[0]}Z' if '.' in until else until}"
                for (name, until), count in sorted(tally.held.items())
            ]
        case Outcome.ROUTED:
            shown = [f"{what} {tally.notices[what]}" for what in (*Change, NOBODY) if tally.notices[what]]
        case Outcome.QUARANTINED | Outcome.REPEAT:
            shown = [f"{code} {count}" for (of, code), count in sorted(tally.reasons.items()) if of == outcome]
        case _:
            shown = []
    return [", ".join(shown)] if shown else []


def _print_by_outcome(to: Console, head: str, counts: Mapping[tuple[str, str], int], names: Mapping[str, str]) -> None:
    """Print a table of names by outcome, without the names and outcomes that did not occur."""
    shown = [one for one in names if any(counts.get((one, outcome)) for outcome in OUTCOMES)]
    columns = [outcome for outcome in OUTCOMES if any(counts.get((one, outcome)) for one in shown)]
    if shown:
        rows = [(names[one], *(counts.get((one, outcome)) or "." for outcome in columns)) for one in shown]
        heads = [head, *(OUTCOMES[outcome] for outcome in columns)]
        _print(to, heads, rows, numbers=range(1, len(heads)))


def _print(to: Console, heads: Sequence[str], rows: Iterable[Sequence[object]], numbers: Iterable[int]) -> None:
    to.print()
    print_table(to, table_of(heads, rows, numbers))
