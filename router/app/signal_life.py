"""Reads the life of a signal from a state; nothing is decided anew."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
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
from router.domain.ledger import RECORD, LedgerRow, record_key
from router.domain.notices import RecordEntry
from router.domain.rulebook import DestinationSpec, Lane, written
from router.domain.signal_life import DestinationLife, GroupLife, SignalLife
from router.domain.silence_documents import find_silence_in
from router.domain.silences import Silence, find_silence_id
from router.domain.texts import counted
from router.store import groups
from router.store.decisions import find_decisions
from router.store.delivery_status import list_deliveries, list_deliveries_at
from router.store.destinations import list_pauses
from router.store.documents import find_documents, list_documents
from router.store.signals import find_signals
from router.store.store import Store
from router.store.transaction import Transaction

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
        decisions = await find_decisions(tx, key, MOST_DECISIONS + 1)
        entries = tuple(sorted(decisions[:MOST_DECISIONS], key=_in_order))
        row = (await find_signals(tx, [key])).get(key)
        stream = row.stream if row is not None else meant.stream
        owed = await list_deliveries(tx, key)
        names = sorted(_names(entries, row, owed))
        destinations = [await _destination_life(tx, stream, name, key, owed, facts) for name in names]
        destinations += await _record_deliveries(tx, stream, entries)
        pauses, held = await list_pauses(tx, stream), await _holds(tx, stream, now)
        return SignalLife(
            key=key,
            stream=stream,
            decisions=entries,
            has_earlier=len(decisions) > MOST_DECISIONS,
            row=row,
            silences=await _silences(tx, entries, row),
            destinations=tuple(
                replace(one, pause=pauses.get(one.name), held=held.get(one.name)) for one in destinations
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
    tx: Transaction, stream: str, name: str, key: str, owed: Sequence[DeliveryStatus], facts: DestinationFacts
) -> DestinationLife:
    deliveries = [one for one in owed if one.destination == name]
    group = await _group_life(tx, stream, name, key)
    spec = facts.specs.get((stream, name))
    limit = spec.limit if spec is not None else None
    # What was owed there last says its lane before the rules do.
    lanes = [one.lane for one in reversed([*deliveries, *(group.deliveries if group else ())])]
    return DestinationLife(
        name=name,
        lane=lanes[0] if lanes else spec.lane if spec is not None else None,
        deliveries=tuple(deliveries),
        group=group,
        unready=facts.unready.get((stream, name)),
        limit=f"{counted(limit.most, 'opening')} within {written(limit.window)}" if limit is not None else None,
    )


async def _group_life(tx: Transaction, stream: str, name: str, key: str) -> GroupLife | None:
    """The group of which a signal is a member at a destination, with its deliveries; None where it is a member of none."""
    member = (await groups.find_members(tx, stream, name, [key])).get(key)
    if member is None:
        return None
    state = (await groups.find_groups(tx, stream, name, [member.group])).get(member.group)
    group = state.group if state is not None else None
    return GroupLife(
        key=member.group,
        by=group.by if group is not None else (),
        total=group.total if group is not None else None,
        standing=group.standing if group is not None else None,
        is_summary=group is not None and group.limited,
        waits_for_room=state is not None and state.waits is not None,
        stands=member.stands,
        changed=member.at,
        deliveries=tuple(await _deliveries_at(tx, stream, name, [member.group])),
        joined=member.group_turn,
        is_named=group is not None and any(one.key == key for one in group.named),
    )


async def _deliveries_at(
    tx: Transaction, stream: str, destination: str, keys: Collection[str]
) -> Sequence[DeliveryStatus]:
    found = await list_deliveries_at(tx, stream, [destination], keys)
    return [one for key in keys for one in found.get((destination, key), ())]


async def _record_deliveries(tx: Transaction, stream: str, entries: Sequence[RecordEntry]) -> list[DestinationLife]:
    """What the record's second home was owed of some decisions; nothing where there is none."""
    keys = [record_key(entry.key, entry.stream or stream) for entry in entries]
    deliveries = tuple(await _deliveries_at(tx, stream, RECORD, keys))
    return [DestinationLife(name=RECORD, lane=Lane.ROWS, deliveries=deliveries)] if deliveries else []


async def _silences(tx: Transaction, entries: Sequence[RecordEntry], row: LedgerRow | None) -> dict[str, Silence]:
    """The silences that held a signal ever, by their names, as far as their documents are kept and can be read."""
    held_by = row.held_by.rule if row is not None and row.held_by is not None else None
    names = dict.fromkeys(name for name in (held_by, *(entry.suppressed_by for entry in entries)) if name)
    ids = {name: id for name in names if (id := find_silence_id(name)) is not None}
    documents = await find_documents(tx, DocumentKind.SILENCE, ids.values())
    found = ((name, find_silence_in(documents[id])) for name, id in ids.items() if id in documents)
    return {name: silence for name, silence in found if silence is not None}


async def _holds(tx: Transaction, stream: str, now: datetime) -> dict[str, str]:
    """By whom, until when and why destinations of a stream are held now, by their names."""
    holds = read_holds(await list_documents(tx, DocumentKind.HOLD, now - SKEW)).holds
    return {one.destination: words_of_hold(one) for one in holds_in_force(holds, now) if one.stream == stream}
