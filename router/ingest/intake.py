"""Ingests messages: each gets its outcome on record, and its notices are owed to destinations.

A batch is one transaction. No destination is called here, and nothing is raised but StoreError.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from copy import replace
from datetime import datetime, timedelta
from itertools import batched
from typing import NamedTuple

from router.domain.catalogue import Catalogue
from router.domain.coverage_sources import LastHeard
from router.domain.decisions import Code, Outcome, Reason
from router.domain.errors import StoreError, Unstorable
from router.domain.hubs import message_of
from router.domain.keys import quarantine_id
from router.domain.notices import RecordEntry
from router.domain.rulebook import Rulebook
from router.domain.signals import Quarantined, Stream
from router.ingest.coverage_notes import CoverageNotes
from router.ingest.grouping import aggregate_turns, tell_waiting
from router.ingest.messages import Message, MessagePart, MessageReader, NotUnderstood
from router.ingest.observations import Observation, in_time_order
from router.ingest.state_cache import SilenceReader, TagReader
from router.ingest.transitions import SignalTransition, transition_for
from router.store.decisions import find_outcomes, put_on_record
from router.store.deliveries import add_deliveries
from router.store.ledger import LedgerRow, Turn, record_delivery
from router.store.quarantine import QuarantineEntry, put_in_quarantine
from router.store.signals import (
    drop_held,
    find_held,
    find_in_doubt,
    find_last_turns,
    lock_signals,
    write_appearances,
    write_signals,
)
from router.store.snapshots import add_snapshot_rows
from router.store.store import Store, Transaction

__all__ = ["Ingested", "Intake", "Message", "release_held"]

AT_A_TIME = 100
"""Signals that are decided again at a time."""


class Ingested(NamedTuple):
    """What a transaction took in."""

    entries: list[RecordEntry]
    heard: Mapping[str, LastHeard]


async def fault_of[T](work: Awaitable[T]) -> T | Exception:
    """Return what comes of ingesting messages, or the fault of one of them; raises StoreError where the state is at fault."""
    try:
        return await work
    except Unstorable as fault:
        return fault
    except StoreError:
        raise
    except Exception as fault:  # noqa: BLE001  One of the program's two: a fault of ours must not cost a message.
        return fault


class Intake:
    """Ingests messages. With `only`, a signal of the other stream is on the wrong one and is quarantined.

    Intakes of one process may share `tags`, by which they know the tags of resources.
    """

    def __init__(
        self,
        store: Store,
        rulebooks: Mapping[Stream, Rulebook],
        catalogue: Catalogue,
        only: Stream | None = None,
        tags: TagReader | None = None,
    ) -> None:
        self._store = store
        self._rulebooks = rulebooks
        self._reader = MessageReader(rulebooks, catalogue, only)
        self._only = only
        longest = max((book.silences.longest for book in rulebooks.values()), default=timedelta())
        self.silences = SilenceReader(store, longest)
        self.tags = tags if tags is not None else TagReader(store, rulebooks)
        self._coverage_notes = CoverageNotes(store, self.tags)

    async def ingest(self, messages: Sequence[Message], now: datetime) -> list[RecordEntry]:
        """Ingests a batch, and returns the record's entry of each signal in it, in their order; raises StoreError."""
        ingested = await fault_of(self._store.run(lambda tx: self.ingest_in(tx, messages, now)))
        if isinstance(ingested, Exception):
            return await self._ingest_singly(messages, ingested, now)
        self.remember(ingested)
        return ingested.entries

    async def ingest_in(self, tx: Transaction, messages: Sequence[Message], now: datetime) -> Ingested:
        """Ingests a batch in a transaction, after whose commit `remember` is to be called; raises StoreError."""
        parts = [part for message in messages for part in self._reader.read_message(message.as_storable())]
        return await self._take_in(tx, parts, now)

    async def _take_in(self, tx: Transaction, parts: Sequence[MessagePart], now: datetime) -> Ingested:
        """Decides and writes; reads come first, tables in the order in which they are locked, and counts last."""
        not_understood = [part for part in parts if isinstance(part, NotUnderstood)]
        observations = [part for part in parts if isinstance(part, Observation)]
        signals = await lock_signals(tx, sorted({key for one in observations for key in one.keys}))
        # Another worker may be making the same signal under the other one of its keys.
        new = {one.keys for one in observations if len(one.keys) > 1 and not signals.keys() & set(one.keys)}
        if new and await tx.wait_for(*map(min, new)):
            signals |= await lock_signals(tx, sorted({key for keys in new for key in keys}))
        # What was decided of a message when it came first is under its own key, also where it is decided once more.
        keys = {key for part in parts for key in (part.arrival.key, message_of(part.arrival.key))}
        on_record = await find_outcomes(tx, sorted(keys))
        transitions = await self._transitions_for(tx, observations, signals, dict(on_record), now)
        rows, named = _rows_after(transitions)
        decided = [(part.arrival.key, self._reader.entry_for(part, now)) for part in not_understood]
        decided += [(one.arrival.key, one.entry) for one in transitions]
        await write_signals(tx, rows)
        await write_appearances(tx, named)
        await self._publish(
            tx, [one.turn for one in transitions if one.turn is not None], [entry for _, entry in decided], now
        )
        heard = await self._coverage_notes.write_notes(tx, observations, on_record, now)
        await add_snapshot_rows(tx, [one.snapshot for one in transitions if one.snapshot is not None])
        await self._quarantine(tx, not_understood, on_record, now)
        await put_on_record(tx, [entry for _, entry in decided], on_record)
        # A message that is twice in a batch is what it was first.
        entries = dict(reversed(decided))
        return Ingested([entries[part.arrival.key] for part in parts], heard)

    def remember(self, ingested: Ingested) -> None:
        """Remembers what need not be written again, once it is committed."""
        self._coverage_notes.remember(ingested.heard)

    async def _ingest_singly(self, messages: Sequence[Message], fault: Exception, now: datetime) -> list[RecordEntry]:
        """Ingests messages one at a time, so that the one at fault is quarantined and its neighbours are not."""
        if len(messages) > 1:
            return [entry for message in messages for entry in await self.ingest([message], now)]
        return await self.refuse(messages, type(fault).__name__, now)

    async def refuse(self, messages: Sequence[Message], why: str, now: datetime) -> list[RecordEntry]:
        """Quarantines messages unread, because they cannot be ingested; raises StoreError."""
        return await self._store.run(lambda tx: self.refuse_in(tx, messages, why, now))

    async def refuse_in(
        self, tx: Transaction, messages: Sequence[Message], why: str, now: datetime
    ) -> list[RecordEntry]:
        """The same in a transaction."""
        reason = Reason(Code.INTERNAL, why)
        parts = [
            NotUnderstood(Quarantined(reason=reason, body=one.body), one.arrival, one.as_storable().source)
            for one in messages
        ]
        return (await self._take_in(tx, parts, now)).entries

    async def admit_waiting(self, stream: Stream, now: datetime) -> int:
        """Lets groups of signals open that waited until a limit had room; returns how many did. Raises StoreError."""
        return await tell_waiting(self._store, self._rulebooks[stream], now)

    async def write(self, tx: Transaction, turns: Sequence[tuple[LedgerRow, Turn]], now: datetime) -> list[RecordEntry]:
        """Writes signals that were locked, with the turns that changed them; returns the entries of these."""
        await write_signals(tx, [row for row, _ in turns])
        entries = [turn.entry for _, turn in turns]
        await self._publish(tx, [turn for _, turn in turns], entries, now)
        await put_on_record(tx, entries)
        return entries

    async def _publish(
        self, tx: Transaction, turns: Sequence[Turn], entries: Sequence[RecordEntry], now: datetime
    ) -> None:
        """Applies turns to groups, and owes what destinations are told of turns and of decisions."""
        grouped = await aggregate_turns(tx, self._rulebooks, turns, now)
        owed = [delivery for turn in turns for delivery in turn.deliveries()]
        recorded = [record_delivery(entry, stream) for entry in entries for stream in self._recorders(entry)]
        await add_deliveries(tx, [*owed, *recorded, *grouped], now)

    async def _quarantine(
        self,
        tx: Transaction,
        not_understood: Sequence[NotUnderstood],
        on_record: Mapping[str, Outcome],
        now: datetime,
    ) -> None:
        """Quarantines what was not understood, whole.

        What is on record as quarantined already was kept before, and a person may have discarded it.
        """
        stream = self._only.value if self._only is not None else None
        fresh = [one for one in not_understood if on_record.get(one.arrival.key) is not Outcome.QUARANTINED]
        await put_in_quarantine(
            tx,
            [
                QuarantineEntry(
                    id=quarantine_id(message_of(one.arrival.key)),
                    source=one.source,
                    arrival=one.arrival,
                    stream=stream,
                    at=now,
                    quarantined=one.quarantined,
                )
                for one in fresh
            ],
        )

    async def _transitions_for(
        self,
        tx: Transaction,
        observations: Sequence[Observation],
        rows: dict[str, LedgerRow],
        on_record: dict[str, Outcome],
        now: datetime,
    ) -> list[SignalTransition]:
        """The transitions of all observations, those of one signal one after the other, over what is known of signals."""
        unknown = {one.keys[0] for one in observations if not any(key in rows for key in one.keys)}
        last_turns = await find_last_turns(tx, sorted(unknown)) if unknown else {}
        streams = {one.signal.stream for one in observations}
        silences = {stream: await self.silences.silences(stream.value, now) for stream in streams}
        rulebooks = {stream: await self.tags.rulebook(stream, now) for stream in streams}
        transitions = []
        for observation in _in_order(observations, now):
            stream, message = observation.signal.stream, observation.arrival.key
            transition = transition_for(
                observation,
                next((rows[key] for key in observation.keys if key in rows), None),
                rulebooks[stream],
                now,
                on_record=on_record.get(message),
                silences=silences[stream],
                last_turn=last_turns.get(observation.keys[0], 0),
            )
            if (row := transition.row or transition.named) is not None:
                rows[row.key] = row
            if transition.entry.key != message or message not in on_record:
                on_record[message_of(transition.entry.key)] = Outcome(transition.entry.outcome)
            transitions.append(transition)
        return transitions

    def _recorders(self, entry: RecordEntry) -> list[str]:
        """The streams whose record has a second home for this entry; an entry of no stream goes to all of them."""
        stream = self._only or next((stream for stream in self._rulebooks if stream.value == entry.stream), None)
        streams = [stream] if stream is not None else list(self._rulebooks)
        return [s.value for s in streams if (book := self._rulebooks.get(s)) is not None and book.record is not None]


def _in_order(observations: Sequence[Observation], now: datetime) -> Iterator[Observation]:
    """Observations, those of one signal in the order of time."""
    by_signal: defaultdict[str, list[Observation]] = defaultdict(list)
    for observation in observations:
        by_signal[min(observation.keys)].append(observation)
    for some in by_signal.values():
        yield from in_time_order(some, now)


def _rows_after(transitions: Sequence[SignalTransition]) -> tuple[list[LedgerRow], list[LedgerRow]]:
    """The rows of signals as transitions leave them, and those of which only that changes when messages named them."""
    rows: dict[str, LedgerRow] = {}
    named: dict[str, LedgerRow] = {}
    for one in transitions:
        if (row := one.row or (one.named if one.named is not None and one.named.key in rows else None)) is not None:
            before = rows.get(row.key)
            # A row without what rules can match keeps what is stored, and that of the transition before is not yet.
            rows[row.key] = replace(row, fields=before.fields) if before is not None and row.fields is None else row
        elif one.named is not None:
            named[one.named.key] = one.named
    return list(rows.values()), [row for key, row in named.items() if key not in rows]


async def release_held(
    intake: Intake, store: Store, rulebook: Rulebook, now: datetime, is_stopped: Callable[[], bool] = lambda: False
) -> list[RecordEntry]:
    """Decides again every signal that still stands and whose rule ended, was removed, disabled or changed, until stopped.

    So with silences, as the store has them by now: one that was extended a moment ago lets go of nothing. Returns the entries
    of those signals that are no longer held; raises StoreError.
    """
    stream = rulebook.stream.value
    await intake.silences.read_again(now)
    silences = await intake.silences.silences(stream, now)
    active = {one.name for holders in (rulebook.suppressions, silences) for one in holders.active(now)}
    async with store.session() as tx:
        keys = await find_in_doubt(tx, stream, rulebook.hash, active, now)
    released: list[RecordEntry] = []
    for some in batched(keys, AT_A_TIME, strict=False):
        released += await _decide_again(intake, store, some, now)
        if is_stopped():
            break
    return released


async def _decide_again(intake: Intake, store: Store, keys: Sequence[str], now: datetime) -> list[RecordEntry]:
    async with store.session() as tx:
        rows = await find_held(tx, keys)
    messages = {
        row.key: Message(
            body=row.held.body or b"",
            source=row.held.source,
            # Its own place on record: the message's first outcome, that it was held, stays what it was.
            arrival=replace(row.seen.arrival, again=row.turn),
        )
        for row in rows
        if row.held is not None
    }
    entries = await intake.ingest(list(messages.values()), now)
    not_understood = {entry.key for entry in entries if entry.outcome == Outcome.QUARANTINED}
    # A body that is damaged is in the quarantine now, whole; it would be no other the next time.
    lost = [(row.key, row.turn) for row in rows if messages[row.key].arrival.key in not_understood]
    await store.run(lambda tx: drop_held(tx, lost))
    return [entry for entry in entries if entry.suppressed_by is None]
