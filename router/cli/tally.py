"""What a run came to, counted from the entries that it put on record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from router.domain.decisions import Outcome
from router.domain.deliveries import DeliveryState, NextDue
from router.domain.destination_holds import DestinationHold, words_of_hold
from router.domain.destination_readiness import Unready
from router.domain.notices import RecordEntry
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
