"""Reads the life of a signal from a state, and finds the signal that people mean; nothing is decided anew."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple

from router.app.destination_readiness import Readiness
from router.app.rules import Rules, specs_of
from router.domain.clocks import SKEW
from router.domain.counts import decided_at
from router.domain.deliveries import DeliveryStatus
from router.domain.destination_holds import holds_in_force, read_holds, words_of_hold
from router.domain.documents import DocumentKind
from router.domain.groups import GroupState
from router.domain.holders import find_silence_id
from router.domain.keys import same_id, signal_key
from router.domain.ledger import RECORD, LedgerRow, record_key
from router.domain.lookups import SignalLookup, with_signal
from router.domain.notices import RecordEntry
from router.domain.plurals import counted
from router.domain.ports.store import Store
from router.domain.quarantine import QuarantineEntry
from router.domain.rulebook import DestinationSpec, Lane, written
from router.domain.signal_life import DestinationLife, GroupLife, SignalLife
from router.domain.signals import Kind, Stream
from router.domain.silence_documents import find_silence_in
from router.domain.silences import Silence

MOST_DECISIONS = 200
"""Decisions that are told of one signal, the latest: a finding that only repeats itself makes one a snapshot."""

MOST_SIGNALS = 20
"""Signals of which an end of an id may be meant; more are not told apart."""

_SHORTEST = 6
"""Characters of a text that is looked for in the bodies of quarantined messages: anything shorter is in all of them."""

_KEY_DIGITS, _DIGITS = 32, frozenset("0123456789abcdef")


class Meant(NamedTuple):
    """A signal that people may mean.

    Attributes:
        key: its key.
        stream: its stream.
        via: how it was found, where that is not by its own id: the reference of a ticket, or a resource.
    """

    key: str
    stream: str
    via: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What an id of some kind leads to.

    Attributes:
        signals: the signals that may be meant, each once.
        has_more: whether there are more of them.
        quarantined: messages in quarantine that are called so, or that say it; looked for where no signal is found.
    """

    signals: tuple[Meant, ...] = ()
    has_more: bool = False
    quarantined: tuple[QuarantineEntry, ...] = ()


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


async def find_meant(store: Store, text: str, only: Stream | None) -> Found:
    """The signals that a text may mean: a key, an id, the end of one or the reference of a ticket, a resource or its end.

    The first of these that leads anywhere counts, so that a whole id is never mistaken for the end of another. The end of an id
    and a reference count alike: many ticket systems number their tickets with a few digits, and so end ids.
    """
    text = text.strip()
    for look in (_by_key, _by_whole_id, _by_end_or_reference, _by_resource):
        found = [one for one in await look(store, text, only) if only is None or one.stream == only]
        if found:
            signals: dict[tuple[str, str], Meant] = {}
            for one in found:
                signals.setdefault((one.key, one.stream), one)
            return Found(tuple(signals.values())[:MOST_SIGNALS], has_more=len(signals) > MOST_SIGNALS)
    return Found(quarantined=tuple(await _in_quarantine(store, text)))


async def _by_key(store: Store, text: str, only: Stream | None) -> list[Meant]:
    """The signal with that key, or the members of a group with it."""
    key = text.lower()
    if len(key) == _KEY_DIGITS and set(key) <= _DIGITS:
        if statuses := await store.outbox.deliveries_of(key):
            return await _signals_notified_by(store, statuses, None)
        if entries := await store.record.decisions_of(key, 1):
            return [Meant(key, entries[0].stream or "")]
        if rows := await store.ledger.find_rows([key]):
            return [Meant(row.key, row.stream) for row in rows.values()]
    return []


async def _by_whole_id(store: Store, text: str, only: Stream | None) -> list[Meant]:
    """The signals of that id; also those of which only the ledger knows."""
    found = await store.record.find_signals(text, MOST_SIGNALS + 1, only)
    if whole := [_meant(one) for one in found if one.id == same_id(text)]:
        return whole
    # No look-up leads to what an older program wrote in an account.
    keys = [signal_key(stream, kind, same_id(text)) for stream in Stream for kind in Kind]
    return [Meant(row.key, row.stream) for row in (await store.ledger.find_rows(keys)).values()]


async def _by_end_or_reference(store: Store, text: str, only: Stream | None) -> list[Meant]:
    """The signals whose ids end so, and those that a ticket of that number tells of, as it is written or in capitals."""
    found = [_meant(one) for one in await store.record.find_signals(text, MOST_SIGNALS + 1, only)]
    for reference in dict.fromkeys((text, text.upper())):
        if statuses := await store.outbox.find_by_reference(reference):
            via = f"{statuses[0].destination} {reference}"
            return [*found, *await _signals_notified_by(store, statuses, via)]
    return found


async def _signals_notified_by(store: Store, statuses: Iterable[DeliveryStatus], via: str | None) -> list[Meant]:
    """The signals that deliveries tell of: by themselves, or as members of groups, as far as those are still named."""
    keys = dict.fromkeys((one.stream, one.destination, one.key) for one in statuses if one.destination != RECORD)
    found = [one for key in keys for one in await _signals_of(store, *key)]
    return [Meant(key, stream, via) for key, stream in dict.fromkeys(found)]


async def _signals_of(store: Store, stream: str, destination: str, key: str) -> list[tuple[str, str]]:
    """The signals of a key, each with its stream: its own, or those that the group with it names, or named when it ended.

    Where no decision is kept, and there is no such group, it is that of a signal: a group goes with its deliveries.
    """
    if await store.record.decisions_of(key, 1):
        return [(key, stream)]
    states = await store.groups.read_aggregation(stream, destination, groups=[key])
    if (state := states.groups.get(key)) is None:
        return [(key, stream)]
    last = await store.outbox.find_last_notice(stream, destination, key)
    named = [one.key for one in (*state.group.named, *(last.group.named if last and last.group else ()))]
    speaker = [signal_key(stream, last.kind, last.id)] if last is not None else []
    known = [one for one in dict.fromkeys([*named, *speaker]) if await store.record.decisions_of(one, 1)]
    if known:
        return [(one, stream) for one in known]
    # A summary names groups, and of a signal that stands for long no decision may be kept.
    others = [one for one in dict.fromkeys(named) if one != key]
    return [signal for one in others for signal in await _signals_of(store, stream, destination, one)]


async def _by_resource(store: Store, text: str, only: Stream | None) -> list[Meant]:
    found = await store.record.find_signals_at(text, MOST_SIGNALS + 1, only)
    whole = [one for one in found if one.resource == same_id(text)]
    return [_meant(one)._replace(via=one.resource) for one in whole or found]


def _meant(found: SignalLookup) -> Meant:
    return Meant(found.signal, found.stream)


async def _in_quarantine(store: Store, text: str) -> list[QuarantineEntry]:
    """The messages in quarantine that are called so, or in whose bodies the text stands, whatever its case."""
    wanted = text.lower()
    inside = wanted.encode() if len(wanted) >= _SHORTEST else None
    return [
        one
        for one in await store.quarantine.list_quarantined()
        if one.id == wanted or (inside is not None and inside in one.quarantined.body.lower())
    ]


async def read_life(store: Store, meant: Meant, now: datetime, facts: DestinationFacts = NO_FACTS) -> SignalLife:
    """The life of a signal, with what stands in the way of its destinations at an instant."""
    key = meant.key
    decisions, rows, owed = await asyncio.gather(
        store.record.decisions_of(key, MOST_DECISIONS + 1),
        store.ledger.find_rows([key]),
        store.outbox.deliveries_of(key),
    )
    row = rows.get(key)
    entries = tuple(with_signal(entry) for entry in sorted(decisions[:MOST_DECISIONS], key=_in_order))
    stream = row.stream if row is not None else meant.stream
    destinations = await asyncio.gather(
        *(
            _destination_life(store, stream, name, key, row, [one for one in owed if one.destination == name], facts)
            for name in sorted(_names(entries, row, owed))
        )
    )
    pauses = await store.outbox.pauses(stream) if destinations else {}
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
        names |= {*row.open, *row.grouped, *(one.destination for one in (row.pending.targets if row.pending else ()))}
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
        lane=next(_lanes(name, row, [*deliveries, *(group.deliveries if group else ())], spec), None),
        deliveries=tuple(deliveries),
        group=group,
        unready=facts.unready.get((stream, name)),
        limit=f"{counted(limit.most, 'opening')} within {written(limit.window)}" if limit is not None else None,
    )


def _lanes(
    name: str, row: LedgerRow | None, deliveries: Sequence[DeliveryStatus], spec: DestinationSpec | None
) -> Iterator[Lane]:
    """What says the lane of a destination, what was owed there last before what is planned, and that before the rules."""
    yield from (one.lane for one in reversed(deliveries))
    if row is not None and row.pending is not None:
        yield from (target.lane for target in row.pending.targets if target.destination == name)
    if spec is not None:
        yield spec.lane


async def _group_life(store: Store, stream: str, name: str, key: str) -> GroupLife | None:
    """The group of which a signal is a member at a destination, with its deliveries; None where it is a member of none."""
    member = (await store.groups.read_aggregation(stream, name, members=[key])).members.get(key)
    if member is None:
        return None
    states, admission, deliveries = await asyncio.gather(
        store.groups.read_aggregation(stream, name, groups=[member.group]),
        store.groups.read_admission(stream, name),
        store.outbox.deliveries_at(stream, name, member.group),
    )
    state: GroupState | None = states.groups.get(member.group)
    return GroupLife(
        key=member.group,
        by=state.group.by if state is not None else (),
        total=state.group.total if state is not None else None,
        standing=state.group.standing if state is not None else None,
        is_summary=state is not None and state.group.limited,
        is_open=state is not None and state.is_open,
        waits_for_room=member.group in admission.waiting or (state is not None and state.is_held),
        stands=member.stands,
        changed=member.at,
        deliveries=tuple(deliveries),
    )


async def _record_deliveries(store: Store, stream: str, entries: Sequence[RecordEntry]) -> list[DestinationLife]:
    """What the record's second home was owed of some decisions; nothing where there is none."""
    found = await asyncio.gather(
        *(
            store.outbox.deliveries_at(entry.stream or stream, RECORD, record_key(entry.key, entry.stream or stream))
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
    documents = await asyncio.gather(*(store.documents.find_document(DocumentKind.SILENCE, id) for id in ids.values()))
    found = ((name, find_silence_in(one)) for name, one in zip(ids, documents, strict=True) if one is not None)
    return {name: silence for name, silence in found if silence is not None}


async def _holds(store: Store, stream: str, now: datetime) -> dict[str, str]:
    """By whom, until when and why destinations of a stream are held now, by their names."""
    holds = read_holds(await store.documents.list_documents(DocumentKind.HOLD, now - SKEW)).holds
    return {one.destination: words_of_hold(one) for one in holds_in_force(holds, now) if one.stream == stream}
