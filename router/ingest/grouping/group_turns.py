"""Applies turns of signals to the groups of their destinations, and tells on the clock what is due of groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import zip_longest

from router.domain.clocks import SKEW, latest
from router.domain.deliveries import Delivery
from router.domain.rulebook import DestinationSpec, Lane, Rulebook
from router.domain.signals import Stream
from router.ingest.grouping.aggregation import APART, Aggregation
from router.ingest.grouping.group_notices import NAMED
from router.ingest.grouping.grouping_keys import (
    MemberTurn,
    held_key_for,
    member_keys_for,
    member_turns_of,
    named_alert_keys_for,
    window_keys_for,
)
from router.ingest.grouping.lasting_groups import LastingAggregation, is_summary_due, tell_due, tell_summary
from router.ingest.grouping.limits import Room
from router.store import groups
from router.store.deliveries import add_deliveries
from router.store.groups import Asked, States
from router.store.ledger import Turn
from router.store.store import Store, Transaction

AT_ONCE = 200
"""Groups of which one transaction opens so many on the clock, and tells notes of as many."""

_EVER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


async def aggregate_turns(
    tx: Transaction, rulebooks: Mapping[Stream, Rulebook], turns: Sequence[Turn], now: datetime
) -> list[Delivery]:
    """Lets the signals of turns join, change in or leave the groups of their destinations; returns the notices owed.

    Each turn is applied once, in the transaction that makes it.
    """
    owed: list[Delivery] = []
    for stream, by_destination in _by_destination(turns):
        book = rulebooks.get(Stream(stream))
        specs = {name: book.destinations.get(name) if book is not None else None for name in by_destination}
        every = [(one, specs[name]) for name, some in by_destination.items() for one in some]
        asked = Asked(
            signals={key for one, _ in every for key in member_keys_for(one)},
            named_alerts={key for one, spec in every for key in named_alert_keys_for(one, spec)},
            windows={key for one, spec in every for key in window_keys_for(one, spec)},
        )
        await groups.lock_admissions(tx, stream, specs)
        found = await _read(tx, stream, await _find_room(tx, stream, specs, now), specs, asked)
        for name, aggregation in found.items():
            for wave in _waves(by_destination[name]):
                aggregation.apply_all(wave)
            owed += aggregation.owed
        await _write(tx, stream, found)
    return owed


async def tell_waiting(store: Store, rulebook: Rulebook, now: datetime) -> int:
    """Opens the groups of a stream that waited and for which limits have room by now, and tells what is due on the clock.

    Where the policy names their destination no longer, they open at once: the dead letter says so. Returns of how many groups
    it told.
    """
    stream, count = rulebook.stream.value, 0
    async with store.session() as tx:
        destinations = await groups.list_grouped(tx, stream)
    for destination in destinations:
        spec = rulebook.destinations.get(destination)
        tell = partial(_tell_some, stream=stream, destination=destination, spec=spec, now=now)
        while told := await store.run(tell):
            count += told
    return count


async def _tell_some(
    tx: Transaction, stream: str, destination: str, spec: DestinationSpec | None, now: datetime
) -> int:
    """Opens some of the groups of a destination that wait, tells some notes, and once all are open the summaries.

    Returns of how many groups it told.
    """
    await groups.lock_admissions(tx, stream, [destination])
    rooms = await _find_room(tx, stream, {destination: spec}, now)
    most = min(AT_ONCE, rooms[destination].left)
    asked = Asked(
        windows=[held_key_for(sample) for sample in (False, True)],
        waiting=most + NAMED,
        # One that a wrong clock put off is due now.
        due=((_EVER[0], now), (latest(now, APART) + timedelta(microseconds=1), _EVER[1])),
        most=AT_ONCE,
    )
    found = await _read(tx, stream, rooms, {destination: spec}, asked)
    aggregation = found[destination]
    is_all_open = tell_due(aggregation) < AT_ONCE
    await _write(tx, stream, found)
    for sample in (False, True):
        if is_all_open and is_summary_due(aggregation, sample):
            tell_summary(aggregation, sample, await groups.count_held(tx, stream, destination, sample=sample))
            await _write(tx, stream, found)
    await add_deliveries(tx, aggregation.owed, now)
    return len(aggregation.owed)


async def _find_room(
    tx: Transaction, stream: str, specs: Mapping[str, DestinationSpec | None], now: datetime
) -> dict[str, Room]:
    """The room that limits leave at destinations that the transaction has locked, in the order of their names."""
    limits = {name: spec.limit for name, spec in sorted(specs.items()) if spec is not None and spec.limit is not None}
    spans = {name: (now - limit.window, now + SKEW) for name, limit in limits.items()}
    counts = await groups.count_openings(tx, stream, spans)
    # What goes to one that the policy names no longer becomes a dead letter, like a ticket.
    lanes = {name: spec.lane if spec is not None else Lane.TICKET for name, spec in sorted(specs.items())}
    return {name: Room(limits.get(name), lane, now, counts.get(name, {})) for name, lane in lanes.items()}


async def _read(
    tx: Transaction,
    stream: str,
    rooms: Mapping[str, Room],
    specs: Mapping[str, DestinationSpec | None],
    asked: Asked,
) -> dict[str, Aggregation]:
    """The groups of destinations that the transaction has locked, ready for turns."""
    states = await groups.read_states(tx, stream, list(rooms), asked)
    found: dict[str, Aggregation] = {}
    for name, room in rooms.items():
        spec = specs[name]
        kind = LastingAggregation if spec is not None and spec.is_lasting else Aggregation
        found[name] = kind(name, spec, room, states[name], room.now)
    return found


async def _write(tx: Transaction, stream: str, found: Mapping[str, Aggregation]) -> None:
    """Writes what changed since it was read, or written."""
    changes: dict[str, States] = {}
    for name, one in found.items():
        changes[name], one.changed = one.changed, States()
        changes[name].openings, one.room.openings = one.room.openings, []
    await groups.write_states(tx, stream, changes)


def _by_destination(turns: Sequence[Turn]) -> list[tuple[str, dict[str, list[MemberTurn]]]]:
    """Turns as the destinations of each stream see them that are notified of groups, by stream and by name."""
    found: dict[str, dict[str, list[MemberTurn]]] = {}
    for one in (one for turn in turns for one in member_turns_of(turn)):
        found.setdefault(one.notice.stream, {}).setdefault(one.target.destination, []).append(one)
    return sorted(found.items())


def _waves(member_turns: Sequence[MemberTurn]) -> Iterator[list[MemberTurn]]:
    """Turns in waves, each with at most one of a signal, in the order of their numbers."""
    by_signal: dict[str, list[MemberTurn]] = {}
    for one in member_turns:
        by_signal.setdefault(one.notice.key, []).append(one)
    for wave in zip_longest(*by_signal.values()):
        yield [one for one in wave if one is not None]
