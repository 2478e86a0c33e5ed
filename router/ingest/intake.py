"""Ingests messages: each gets its outcome on record, and its notices are owed to destinations.

A batch is one transaction. No destination is called here, and nothing is raised but StoreError.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import zip_longest

from router.domain.catalogue import Catalogue
from router.domain.decisions import Outcome
from router.domain.errors import StoreError, Unstorable
from router.domain.keys import quarantine_id
from router.domain.ledger import LedgerRow, Turn, record_delivery
from router.domain.notices import RecordEntry
from router.domain.quarantine import QuarantineEntry
from router.domain.reasons import Code, Reason
from router.domain.rulebook import Rulebook
from router.domain.signals import Quarantined, Stream
from router.grouping import Aggregator
from router.ingest.coverage_notes import CoverageNotes
from router.ingest.messages import Message, MessageReader, NotUnderstood
from router.ingest.observations import Observation, in_time_order
from router.ingest.silence_reader import SilenceReader
from router.ingest.snapshot_due import SnapshotDue
from router.ingest.tag_reader import TagReader
from router.ingest.transitions import SignalTransition, transition_for
from router.store.store import Store

__all__ = ["Intake", "Message"]


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
        self._aggregator = Aggregator(store, rulebooks)
        self._rulebooks = rulebooks
        self._reader = MessageReader(rulebooks, catalogue, only)
        self._only = only
        self._snapshot_due = SnapshotDue(store.journal, Stream.CSPM)
        longest = max((book.silences.longest for book in rulebooks.values()), default=timedelta())
        self.silences = SilenceReader(store.documents, longest)
        self.tags = tags if tags is not None else TagReader(store.documents, rulebooks)
        self._coverage_notes = CoverageNotes(store.documents, store.record, self.tags)

    async def ingest(self, messages: Sequence[Message], now: datetime) -> list[RecordEntry]:
        """Ingests a batch, and returns the record's entry of each signal in it, in their order; raises StoreError."""
        try:
            return await self._ingest_batch(messages, now)
        except Unstorable as fault:
            return await self._ingest_singly(messages, fault, now)
        except StoreError:
            raise
        except Exception as fault:  # noqa: BLE001  One of the program's two: a fault of ours must not cost a message.
            return await self._ingest_singly(messages, fault, now)

    async def _ingest_batch(self, messages: Sequence[Message], now: datetime) -> list[RecordEntry]:
        parts = [part for message in messages for part in self._reader.read_message(message.as_storable())]
        async with self._store.atomically():
            entries = await self._quarantine([part for part in parts if isinstance(part, NotUnderstood)], now)
            observations = [part for part in parts if isinstance(part, Observation)]
            # Before anything is on record: what a file says is not heard anew when it is read again.
            heard = await self._coverage_notes.write_notes(observations, now)
            for wave in _waves(observations, now):
                entries |= await self._ingest_wave(wave, now)
            if rows := [observation.came_at(now) for observation in observations if observation.is_snapshot_row]:
                await self._snapshot_due.note_row(max(rows))
        self._coverage_notes.remember(heard)
        return [entries[part.arrival.key] for part in parts]

    async def _ingest_singly(self, messages: Sequence[Message], fault: Exception, now: datetime) -> list[RecordEntry]:
        """Ingests messages one at a time, so that the one at fault is quarantined and its neighbours are not."""
        if len(messages) > 1:
            return [entry for message in messages for entry in await self.ingest([message], now)]
        return await self.refuse(messages, type(fault).__name__, now)

    async def refuse(self, messages: Sequence[Message], why: str, now: datetime) -> list[RecordEntry]:
        """Quarantines messages unread, because they cannot be ingested; raises StoreError."""
        reason = Reason(Code.INTERNAL, why)
        not_understood = [
            NotUnderstood(Quarantined(reason=reason, body=one.body), one.arrival, one.as_storable().source)
            for one in messages
        ]
        return list((await self._quarantine(not_understood, now)).values())

    async def publish_pending(self, rows: Sequence[LedgerRow], now: datetime) -> None:
        """Publishes the pending turns that rows carry, as they stand, and clears them."""
        await self._publish([row.pending for row in rows if row.pending is not None], (), now)
        await self._store.ledger.clear_pending({row.key: row.version for row in rows if row.version is not None})

    async def admit_waiting(self, stream: Stream, now: datetime) -> int:
        """Lets groups of signals open that waited until a limit had room; returns how many did. Raises StoreError."""
        return await self._aggregator.admit_waiting(stream, now)

    async def _publish(self, turns: Sequence[Turn], turnless: Sequence[RecordEntry], now: datetime) -> None:
        """Publishes turns: owes their deliveries, applies them to groups, and puts them on record, with what made no turn."""
        entries = [*turnless, *(turn.entry for turn in turns)]
        owed = [delivery for turn in turns for delivery in turn.deliveries()]
        recorded = [record_delivery(entry, stream) for entry in entries for stream in self._recorders(entry)]
        async with self._store.engine.transaction() as tx:
            grouped = await self._aggregator.aggregate_turns(tx, turns, now)
        await self._store.outbox.put_in_outbox([*owed, *recorded, *grouped], now)
        await self._store.record.put_on_record(entries)

    async def _quarantine(self, not_understood: Sequence[NotUnderstood], now: datetime) -> dict[str, RecordEntry]:
        """Quarantines what was not understood, whole, and then puts it on record.

        What is on record as quarantined already was kept before, and a person may have discarded it.
        """
        stream = self._only.value if self._only is not None else None
        on_record = await self._store.record.find_outcomes([one.arrival.key for one in not_understood])
        fresh = [one for one in not_understood if on_record.get(one.arrival.key) is not Outcome.QUARANTINED]
        await self._store.quarantine.put_in_quarantine(
            [
                QuarantineEntry(
                    id=quarantine_id(replace(one.arrival, again=0).key),
                    source=one.source,
                    arrival=one.arrival,
                    stream=stream,
                    at=now,
                    quarantined=one.quarantined,
                )
                for one in fresh
            ]
        )
        entries = [self._reader.entry_for(one, now) for one in not_understood]
        await self._publish((), entries, now)
        return {entry.key: entry for entry in entries}

    async def _ingest_wave(self, wave: Sequence[Observation], now: datetime) -> dict[str, RecordEntry]:
        """Makes the transitions of one observation of each signal, and publishes their turns.

        A transition is made again where another worker wrote the row meanwhile.
        """
        entries: dict[str, RecordEntry] = {}
        while wave:
            transitions = list(zip(wave, await self._transitions_for(wave, now), strict=True))
            rows = [one.row for _, one in transitions if one.row is not None]
            named = [one.named for _, one in transitions if one.named is not None]
            versions = {
                **await self._store.ledger.write_rows(rows),
                **(await self._store.ledger.write_appearances(named) if named else {}),
            }
            won = [
                (observation, one)
                for observation, one in transitions
                if all(row is None or row.key in versions for row in (one.row, one.named))
            ]
            turns = {
                one.row.key: one.row.pending for _, one in won if one.row is not None and one.row.pending is not None
            }
            turnless = [one.entry for _, one in won if one.row is None or one.row.pending is None]
            await self._publish(list(turns.values()), turnless, now)
            await self._store.ledger.clear_pending({key: versions[key] for key in turns})
            entries |= {observation.arrival.key: one.entry for observation, one in won}
            wave = [observation for observation in wave if observation.arrival.key not in entries]
        return entries

    async def _transitions_for(self, wave: Sequence[Observation], now: datetime) -> list[SignalTransition]:
        on_record = await self._store.record.find_outcomes([observation.arrival.key for observation in wave])
        rows = await self.find_published_rows([key for observation in wave for key in observation.keys], now)
        found = [next((rows[key] for key in observation.keys if key in rows), None) for observation in wave]
        unknown = [observation.key for observation, row in zip(wave, found, strict=True) if row is None]
        last_turns = await self._store.ledger.find_last_turns(unknown) if unknown else {}
        streams = {observation.signal.stream for observation in wave}
        silences = {stream: await self.silences.silences(stream.value, now) for stream in streams}
        rulebooks = {stream: await self.tags.rulebook(stream, now) for stream in streams}
        return [
            transition_for(
                observation,
                row,
                rulebooks[observation.signal.stream],
                now,
                on_record=on_record.get(observation.arrival.key),
                silences=silences[observation.signal.stream],
                last_turn=last_turns.get(observation.key, 0),
            )
            for observation, row in zip(wave, found, strict=True)
        ]

    async def find_published_rows(self, keys: Sequence[str], now: datetime) -> Mapping[str, LedgerRow]:
        """The rows of some signals, after their pending turns were published."""
        if not keys:
            return {}
        rows = await self._store.ledger.find_rows(keys)
        unfinished = [row for row in rows.values() if row.pending is not None]
        if not unfinished:
            return rows
        await self.publish_pending(unfinished, now)
        return {**rows, **await self._store.ledger.find_rows([row.key for row in unfinished])}

    def _recorders(self, entry: RecordEntry) -> list[str]:
        """The streams whose record has a second home for this entry; an entry of no stream goes to all of them."""
        stream = self._only or next((stream for stream in self._rulebooks if stream.value == entry.stream), None)
        streams = [stream] if stream is not None else list(self._rulebooks)
        return [s.value for s in streams if (book := self._rulebooks.get(s)) is not None and book.record is not None]


def _waves(observations: Sequence[Observation], now: datetime) -> Iterator[list[Observation]]:
    """Observations in waves, each with at most one observation of a signal; those of one signal come in the order of time."""
    by_signal: dict[tuple[str, str], list[Observation]] = {}
    for observation in observations:
        by_signal.setdefault(observation.identity, []).append(observation)
    for wave in zip_longest(*(in_time_order(some, now) for some in by_signal.values())):
        yield [observation for observation in wave if observation is not None]
