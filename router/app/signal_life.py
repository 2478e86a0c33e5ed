"""Reads the life of a signal from a state; nothing is decided anew."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from router.app.destination_readiness import Readiness
from router.app.rules import Rules, specs_of
from router.app.signal_search import Meant
from router.domain.clocks import SKEW
from router.domain.counts import decided_at
from router.domain.deliveries import DeliveryStatus
from router.domain.destination_holds import holds_in_force, read_holds, words_of_hold
from router.domain.documents import DocumentKind
from router.domain.holders import find_silence_id
from router.domain.ledger import RECORD, LedgerRow, record_key
from router.domain.notices import RecordEntry
from router.domain.plurals import counted
from router.domain.rulebook import DestinationSpec, Lane, written
from router.domain.signal_life import DestinationLife, GroupLife, SignalLife
from router.domain.silence_documents import find_silence_in
from router.domain.silences import Silence
from router.store import groups
from router.store.decisions import find_decisions
from router.store.delivery_status import list_deliveries, list_deliveries_at
from router.store.destinations import list_pauses
from router.store.documents import find_documents, list_documents
from router.store.signals import find_signals
from router.store.store import Store

MOST_DECISIONS = 200
"""Decisions that are told of one signal, the latest: a finding that only repeats itself makes one a snapshot."""


@dataclass(frozen=True, slots=True)
class DestinationFacts:
    """What is known of destinations beside the state.

    Attributes:
        specs: the destinations of the rules, by stream and name.
        unready: what those lack that cannot be asked, in words, by stream and name.
    """

    specs: Mapping[tuple[str, str], DestinationSpec] = field(default_factory=dict)
    unready: Mapping[tuple[str, str], str] = field(default_factory=dict)


NO_FACTS = DestinationFacts()
"""Where the rules are not at hand."""


def facts_of(rules: Rules, readiness: Readiness | None) -> DestinationFacts:
    """What rules say of destinations, and the settings, where they are those by which destinations are asked."""
    return DestinationFacts(
        {(stream.value, spec.name): spec for stream, book in rules.books.items() for spec in specs_of(book)},
        {(one.stream, one.destination): one.why for one in readiness.unready} if readiness is not None else {},
    )


async def read_life(store: Store, meant: Meant, now: datetime, facts: DestinationFacts = NO_FACTS) -> SignalLife:
    """The life of a signal, with what stands in the way of its destinations at an instant."""
    key = meant.key
    async with store.session() as tx:
        decisions, owed = await asyncio.gather(
            find_decisions(tx, key, MOST_DECISIONS + 1),
            _deliveries_of(store, key),
        )
    async with store.session() as tx:
        row = (await find_signals(tx, [key])).get(key)
    entries = tuple(sorted(decisions[:MOST_DECISIONS], key=_in_order))
    stream = row.stream if row is not None else meant.stream
    destinations = await asyncio.gather(
        *(
            _destination_life(store, stream, name, key, row, [one for one in owed if one.destination == name], facts)
            for name in sorted(_names(entries, row, owed))
        )
    )
    async with store.session() as tx:
        pauses = await list_pauses(tx, stream) if destinations else {}
    held = await _holds(store, stream, now)
    record = await _record_deliveries(store, stream, entries)
    return SignalLife(
        key=key,
        stream=stream,
        decisions=entries,
        has_earlier=len(decisions) > MOST_DECISIONS,
        row=row,
        silences=await _silences(store, entries, row),
        destinations=tuple(
            replace(one, pause=pauses.get(one.name), held=held.get(one.name)) for one in (*destinations, *record)
        ),
    )


def _in_order(entry: RecordEntry) -> tuple[datetime, bool, int, str]:
    """Where a decision stands among those on its signal: stores give those of one instant in orders of their own."""
    return decided_at(entry), entry.turn is None, entry.turn or 0, entry.key


def _names(entries: Iterable[RecordEntry], row: LedgerRow | None, owed: Iterable[DeliveryStatus]) -> set[str]:
    """The names of all destinations that a signal has to do with."""
    names = {name for entry in entries for name in entry.destinations} | {one.destination for one in owed}
    if row is not None:
        names |= {*row.open, *row.grouped}
    return names


async def _destination_life(
    store: Store,
    stream: str,
    name: str,
    key: str,
    row: LedgerRow | None,
    deliveries: Sequence[DeliveryStatus],
    facts: DestinationFacts,
) -> DestinationLife:
    group = await _group_life(store, stream, name, key)
    spec = facts.specs.get((stream, name))
    limit = spec.limit if spec is not None else None
    return DestinationLife(
        name=name,
        lane=next(_lanes([*deliveries, *(group.deliveries if group else ())], spec), None),
        deliveries=tuple(deliveries),
        group=group,
        unready=facts.unready.get((stream, name)),
        limit=f"{counted(limit.most, 'opening')} within {written(limit.window)}" if limit is not None else None,
    )


def _lanes(deliveries: Sequence[DeliveryStatus], spec: DestinationSpec | None) -> Iterator[Lane]:
    """What says the lane of a destination: what was owed there last, before the rules."""
    yield from (one.lane for one in reversed(deliveries))
    if spec is not None:
        yield spec.lane


async def _group_life(store: Store, stream: str, name: str, key: str) -> GroupLife | None:
    """The group of which a signal is a member at a destination, with its deliveries; None where it is a member of none."""
    async with store.session() as tx:
        member = (await groups.find_members(tx, stream, name, [key])).get(key)
        if member is None:
            return None
        state = (await groups.find_groups(tx, stream, name, [member.group])).get(member.group)
    deliveries = await _deliveries_at(store, stream, name, member.group)
    return GroupLife(
        key=member.group,
        by=state.group.by if state is not None else (),
        total=state.group.total if state is not None else None,
        standing=state.group.standing if state is not None else None,
        is_summary=state is not None and state.group.limited,
        waits_for_room=state is not None and state.waits is not None,
        stands=member.stands,
        changed=member.at,
        deliveries=tuple(deliveries),
        joined=member.group_turn,
        is_named=state is not None and any(one.key == key for one in state.group.named),
    )


async def _deliveries_of(store: Store, key: str) -> Sequence[DeliveryStatus]:
    async with store.session() as tx:
        return await list_deliveries(tx, key)


async def _deliveries_at(store: Store, stream: str, destination: str, key: str) -> Sequence[DeliveryStatus]:
    async with store.session() as tx:
        return (await list_deliveries_at(tx, stream, [destination], [key])).get((destination, key), ())


async def _record_deliveries(store: Store, stream: str, entries: Sequence[RecordEntry]) -> list[DestinationLife]:
    """What the record's second home was owed of some decisions; nothing where there is none."""
    found = await asyncio.gather(
        *(
            _deliveries_at(store, entry.stream or stream, RECORD, record_key(entry.key, entry.stream or stream))
            for entry in entries
        )
    )
    deliveries = tuple(one for some in found for one in some)
    return [DestinationLife(name=RECORD, lane=Lane.ROWS, deliveries=deliveries)] if deliveries else []


async def _silences(store: Store, entries: Sequence[RecordEntry], row: LedgerRow | None) -> dict[str, Silence]:
    """The silences that held a signal ever, by their names, as far as their documents are kept and can be read."""
    held_by = row.held_by.rule if row is not None and row.held_by is not None else None
    names = dict.fromkeys(name for name in (held_by, *(entry.suppressed_by for entry in entries)) if name)
    ids = {name: id for name in names if (id := find_silence_id(name)) is not None}
    async with store.session() as tx:
        documents = await find_documents(tx, DocumentKind.SILENCE, ids.values())
    found = ((name, find_silence_in(documents[id])) for name, id in ids.items() if id in documents)
    return {name: silence for name, silence in found if silence is not None}


async def _holds(store: Store, stream: str, now: datetime) -> dict[str, str]:
    """By whom, until when and why destinations of a stream are held now, by their names."""
    async with store.session() as tx:
        holds = read_holds(await list_documents(tx, DocumentKind.HOLD, now - SKEW)).holds
    return {one.destination: words_of_hold(one) for one in holds_in_force(holds, now) if one.stream == stream}
