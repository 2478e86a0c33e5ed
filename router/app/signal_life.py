"""The life of a signal as the state has it: what was decided, what was owed to whom, and what became of that."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from copy import replace
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from router.app.destination_readiness import Unready
from router.app.rules import Rules, specs_of
from router.app.signal_search import Meant
from router.decide.preview import Matcher, silence_matcher
from router.deliver.destination_holds import list_holds
from router.domain.counts import decided_at
from router.domain.decisions import Change, Outcome
from router.domain.deliveries import OPEN, DeliveryState, DeliveryStatus, Pause
from router.domain.destination_holds import words_of_hold
from router.domain.documents import DocumentKind
from router.domain.notices import RecordEntry
from router.domain.readable import counted
from router.domain.rule_fields import signal_of
from router.domain.rulebook import DestinationSpec, Lane, Rulebook, length_text
from router.domain.silences import Silence, find_silence_id
from router.domain.values import Value
from router.store import groups
from router.store.changes import ChangeEntry, find_changes
from router.store.decisions import find_decisions
from router.store.delivery_status import list_deliveries, list_deliveries_at
from router.store.destinations import list_pauses
from router.store.documents import find_documents, find_silence_in, list_documents, read_silences
from router.store.ledger import RECORD, Held, LedgerRow, record_key
from router.store.signals import find_signals, read_fields
from router.store.store import Store, Transaction


class Presence(StrEnum):
    """What a destination has of a signal, by what was delivered there; what is only decided or owed is not there yet."""

    OPEN = "open at"
    OWED = "owed to"
    DEAD = "given up on at"
    NOT_KEPT = "opened, of which no delivery is kept, at"


class GroupLife(Value, kw_only=True):
    """The group that a signal joined last at one destination.

    Attributes:
        is_summary: whether it is one of what the destination's limit held back.
        waits_for_room: whether it waits to open until that limit has room.
        stands: whether the signal was not over when it last changed the group.
        joined: the turn of the group to which the signal's latest turn led; None where it led to no notice.
        is_named: whether the group's notices name the signal: they name only the gravest and the latest of many.
    """

    key: str
    by: tuple[tuple[str, str], ...]
    total: int | None
    standing: int | None
    is_summary: bool
    waits_for_room: bool
    stands: bool
    changed: datetime
    deliveries: tuple[DeliveryStatus, ...] = ()
    joined: int | None = None
    is_named: bool = False

    @property
    def is_open(self) -> bool:
        """Whether its destination took it, and not its end."""
        return _presence_by(self.deliveries) is Presence.OPEN


class DestinationLife(Value, kw_only=True):
    """What a signal has to do with one destination.

    Attributes:
        lane: None where neither a delivery nor the rules say it.
        deliveries: the signal's own deliveries there, by turn; those of the record's second home by decision.
        held: by whom, until when and why it is held, in words that begin so; None where it is not held.
        unready: what it lacks to be asked, in words; None where it lacks nothing, or that is not known.
        limit: how many openings it gets, in words; None where it has no limit, or the rules are not at hand.
    """

    name: str
    lane: Lane | None
    deliveries: tuple[DeliveryStatus, ...] = ()
    group: GroupLife | None = None
    pause: Pause | None = None
    held: str | None = None
    unready: str | None = None
    limit: str | None = None

    @property
    def all_deliveries(self) -> tuple[DeliveryStatus, ...]:
        """The signal's own deliveries there, and those of its group."""
        return (*self.deliveries, *(self.group.deliveries if self.group is not None else ()))

    @property
    def is_waited_for(self) -> bool:
        """Whether anything is still to happen there."""
        is_open = any(one.state in OPEN for one in self.all_deliveries)
        return is_open or (self.group is not None and self.group.waits_for_room)

    def presence_since(self, came: datetime | None) -> Presence | None:
        """Return what it has of a signal that came then, alone or in a group; None where it has nothing and is owed nothing."""
        own, group = _presence_by(self.deliveries), self.group
        if own is not None or group is None or not group.stands:
            return own
        # What the group told before the signal came did not tell of the signal, unless nothing more was to be said.
        told = [
            one
            for one in group.deliveries
            if came is None or one.born >= came or group.joined is None or one.turn >= group.joined
        ]
        return _presence_by(told) or (Presence.OWED if group.waits_for_room else None)


class SignalLife(Value, kw_only=True):
    """All that the state has of one signal.

    Attributes:
        has_earlier: whether there are earlier ones, which were not read.
        silences: those silences that held it ever and are still kept, by their names on record.
        changes: what people did to its deliveries, its group's, or to what is kept of it.
    """

    key: str
    stream: str
    decisions: tuple[RecordEntry, ...] = ()
    has_earlier: bool = False
    row: LedgerRow | None = None
    silences: Mapping[str, Silence] = {}
    destinations: tuple[DestinationLife, ...] = ()
    changes: tuple[ChangeEntry, ...] = ()

    @property
    def holder(self) -> Held | None:
        """What holds it now; None where nothing does."""
        return self.row.held if self.row is not None else None

    def end_of_hold(self, holder: str, until: datetime) -> datetime:
        """When what holds it until then lets go, which a silence does as it stands now: one may be extended or ended."""
        if (silence := self.silences.get(holder)) is None:
            return until
        window = silence.find_window_at(until - datetime.resolution)
        return window.ends if window is not None else min(until, silence.end)

    @property
    def came(self) -> datetime | None:
        """When it was first routed since it was last over, as far as the decisions that are known say."""
        came: str | None = None
        is_over = False
        for entry in self.decisions:
            if entry.outcome == Outcome.ROUTED and (came is None or is_over):
                came = entry.at
            is_over = entry.outcome == Outcome.RESOLVED or (is_over and entry.outcome != Outcome.ROUTED)
        return datetime.fromisoformat(came) if came is not None and not self.has_earlier else None

    @property
    def presences(self) -> Mapping[str, Presence]:
        """What each destination has of it, by name; without those that have nothing and are owed nothing."""
        found: dict[str, Presence] = {}
        for one in self.destinations:
            presence = None if one.name == RECORD else one.presence_since(self.came)
            if presence is None and not one.all_deliveries and self.row is not None and one.name in self.row.open:
                presence = Presence.NOT_KEPT
            if presence is not None:
                found[one.name] = presence
        return found

    @property
    def latest(self) -> RecordEntry | None:
        """The latest decision; None where none is kept."""
        return self.decisions[-1] if self.decisions else None


def _presence_by(deliveries: Sequence[DeliveryStatus]) -> Presence | None:
    """Return what the deliveries of one key come to: by the last that was sent, else by what is owed or dead."""
    sent = [one for one in deliveries if one.state is DeliveryState.SENT]
    if sent and max(sent, key=lambda one: one.turn).change is not Change.RESOLVED:
        return Presence.OPEN
    opened = max((one.opened for one in deliveries), default=0)
    states = {one.state for one in deliveries if one.opened == opened and one.change is not Change.RESOLVED}
    if states & OPEN:
        return Presence.OWED
    return Presence.DEAD if DeliveryState.DEAD in states else None


MOST_DECISIONS = 200
"""Decisions that are told of one signal, the latest: a finding that only repeats itself makes one a snapshot."""


class DestinationFacts(Value):
    """What is known of destinations beside the state.

    Attributes:
        unready: what those lack that cannot be asked, in words, by stream and name.
        console_url: where people reach the console; None where no setting says it.
    """

    specs: Mapping[tuple[str, str], DestinationSpec] = {}
    unready: Mapping[tuple[str, str], str] = {}
    console_url: str | None = None


NO_FACTS = DestinationFacts()
"""Where the rules are not at hand."""


def facts_of(rules: Rules, unready: Sequence[Unready] | None, console_url: str | None = None) -> DestinationFacts:
    """Return what rules say of destinations, and which cannot be asked; None where they are asked by other settings."""
    specs = {(stream.value, spec.name): spec for stream, book in rules.books.items() for spec in specs_of(book)}
    return DestinationFacts(specs, {(one.stream, one.destination): one.why for one in unready or ()}, console_url)


async def read_life(store: Store, meant: Meant, now: datetime, facts: DestinationFacts = NO_FACTS) -> SignalLife:
    """Return the life of a signal, with what stands in the way of its destinations at an instant."""
    key = meant.key
    async with store.session() as tx:
        decisions = await find_decisions(tx, key, MOST_DECISIONS + 1)
        entries = tuple(sorted(decisions[:MOST_DECISIONS], key=_in_order))
        row = (await find_signals(tx, [key])).get(key)
        stream = row.stream if row is not None else meant.stream
        owed = await list_deliveries(tx, key)
        names = sorted(_names(entries, row, owed))
        destinations = [await _destination_life(tx, stream, name, key, owed, facts) for name in names]
        destinations += await _record_deliveries(tx, stream, entries, facts)
        pauses, holds = await list_pauses(tx, stream), await list_holds(store, now)
        held = {one.destination: words_of_hold(one) for one in holds if one.stream == stream}
        holders = [row.held.rule if row is not None and row.held is not None else None]
        holders += [entry.suppressed_by for entry in entries]
        subjects = [key, *(it.id for one in destinations for it in one.all_deliveries)]
        return SignalLife(
            key=key,
            stream=stream,
            decisions=entries,
            has_earlier=len(decisions) > MOST_DECISIONS,
            row=row,
            silences=await find_silences(tx, holders),
            destinations=tuple(
                replace(one, pause=pauses.get(one.name), held=held.get(one.name)) for one in destinations
            ),
            changes=tuple(it for some in (await find_changes(tx, subjects)).values() for it in some),
        )


class ActiveSilence(NamedTuple):
    """A silence that holds something now, until when it does, and what it covers by the rules of its stream."""

    silence: Silence
    until: datetime
    matcher: Matcher


async def read_active_silences(tx: Transaction, book: Rulebook | None, now: datetime) -> list[ActiveSilence]:
    """Return the silences of a stream that hold anything now; none where its rules are not at hand."""
    known = read_silences(await list_documents(tx, DocumentKind.SILENCE, now)).values if book is not None else []
    return [
        ActiveSilence(one, window.ends, silence_matcher(one, book))
        for one in known
        if book is not None and one.stream == book.stream and (window := one.find_window_at(now)) is not None
    ]


async def with_active_silences(store: Store, life: SignalLife, book: Rulebook, now: datetime) -> SignalLife:
    """Return the same life with the silences, too, that hold what comes of the signal now, by the rules of its stream."""
    async with store.session() as tx:
        fields = (await read_fields(tx, [life.key])).get(life.key)
        active = await read_active_silences(tx, book, now) if fields is not None else []
    held = {one.silence.name: one.silence for one in active if fields and one.matcher.covers(signal_of(fields))}
    return replace(life, silences={**life.silences, **held})


def _in_order(entry: RecordEntry) -> tuple[datetime, bool, int, str]:
    """Return where a decision stands among those on its signal: engines order those of one instant as they like."""
    return decided_at(entry), entry.turn is None, entry.turn or 0, entry.key


def _names(entries: Iterable[RecordEntry], row: LedgerRow | None, owed: Iterable[DeliveryStatus]) -> set[str]:
    """Return the names of all destinations that a signal has to do with."""
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
        limit=f"{counted(limit.most, 'opening')} within {length_text(limit.window)}" if limit is not None else None,
    )


async def _group_life(tx: Transaction, stream: str, name: str, key: str) -> GroupLife | None:
    """Return the group that a signal is in at a destination, with its deliveries; None where it is in none."""
    member = (await groups.find_members(tx, stream, [name], [key])).get((name, key))
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


async def _record_deliveries(
    tx: Transaction, stream: str, entries: Sequence[RecordEntry], facts: DestinationFacts
) -> list[DestinationLife]:
    """Return what the record's second home was owed of some decisions; nothing where there is none."""
    keys = [record_key(entry.key, entry.stream or stream) for entry in entries]
    deliveries = tuple(await _deliveries_at(tx, stream, RECORD, keys))
    unready = facts.unready.get((stream, RECORD))
    return [DestinationLife(name=RECORD, lane=Lane.ROWS, deliveries=deliveries, unready=unready)] if deliveries else []


async def find_silences(tx: Transaction, holders: Iterable[str | None]) -> dict[str, Silence]:
    """Return the silences among what holds or held signals, by their names, as far as their documents are kept and sound."""
    ids = {name: id for name in holders if name and (id := find_silence_id(name)) is not None}
    documents = await find_documents(tx, DocumentKind.SILENCE, ids.values())
    found = ((name, find_silence_in(documents[id])) for name, id in ids.items() if id in documents)
    return {name: silence for name, silence in found if silence is not None}
