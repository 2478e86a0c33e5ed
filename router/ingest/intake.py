"""The shell of rooms 1 and 2: takes messages in, so that each has its outcome on record and is owed where it must go.

Every step is safe to repeat, and whoever meets an unfinished intent completes it as it stands. No destination is called
here, and nothing is raised but StoreError.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import zip_longest

from router.domain.catalogue import Catalogue
from router.domain.decisions import Outcome
from router.domain.errors import StoreError
from router.domain.keeping import Kept
from router.domain.keys import fingerprint_of, kept_id
from router.domain.ledger import Row, Turn, record_delivery
from router.domain.notices import RecordEntry
from router.domain.ports import Store
from router.domain.reasons import Code, Reason
from router.domain.rulebook import Rulebook
from router.domain.signals import Quarantined, Stream
from router.grouping import Aggregator
from router.ingest.messages import Message, Reader, Unread
from router.ingest.observations import Sighting, in_time_order
from router.ingest.transitions import Fold, fold

__all__ = ["Intake", "Message"]


class Intake:
    """Takes messages in. With `only`, a signal of the other stream is on the wrong one and is quarantined."""

    def __init__(
        self, store: Store, rulebooks: Mapping[Stream, Rulebook], catalogue: Catalogue, only: Stream | None = None
    ) -> None:
        self._store = store
        self._aggregator = Aggregator(store, rulebooks)
        self._rulebooks = rulebooks
        self._reader = Reader(rulebooks, catalogue, only)
        self._only = only

    async def ingest(self, messages: Sequence[Message], now: datetime) -> list[RecordEntry]:
        """Takes a batch in and returns what each signal in it came to, in their order; raises StoreError."""
        try:
            return await self._take(messages, now)
        except StoreError:
            raise
        except Exception as fault:  # noqa: BLE001  One of the program's two: a fault of ours must not cost a message.
            return await self._take_singly(messages, fault, now)

    async def _take(self, messages: Sequence[Message], now: datetime) -> list[RecordEntry]:
        readings = [reading for message in messages for reading in self._reader.read(message)]
        with self._store.atomically():
            entries = await self._keep([reading for reading in readings if isinstance(reading, Unread)], now)
            for wave in _waves([reading for reading in readings if isinstance(reading, Sighting)], now):
                entries |= await self._advance(wave, now)
        return [entries[reading.arrival.key] for reading in readings]

    async def _take_singly(self, messages: Sequence[Message], fault: Exception, now: datetime) -> list[RecordEntry]:
        """Takes messages one at a time, so that the one at fault is parked and costs its neighbours nothing."""
        if len(messages) > 1:
            return [entry for message in messages for entry in await self.ingest([message], now)]
        return await self.refuse(messages, type(fault).__name__, now)

    async def refuse(self, messages: Sequence[Message], why: str, now: datetime) -> list[RecordEntry]:
        """Keeps messages unread, because they cannot be taken in; raises StoreError."""
        reason = Reason(Code.INTERNAL, why)
        unread = [Unread(Quarantined(reason=reason, body=one.body), one.arrival, one.source) for one in messages]
        return list((await self._keep(unread, now)).values())

    async def complete(self, rows: Sequence[Row], now: datetime) -> None:
        """Completes the intents that rows carry, as they stand."""
        await self._fulfil([row.intent for row in rows if row.intent is not None], now)
        await self._store.ledger.finish({row.key: row.version for row in rows if row.version is not None})

    async def admit_waiting(self, stream: Stream, now: datetime) -> int:
        """Lets groups of signals open that waited until a limit had room; returns how many did. Raises StoreError."""
        return await self._aggregator.admit_waiting(stream, now)

    async def queue_unnotified(self, stream: Stream, now: datetime) -> None:
        """Lets groups wait for room that an older program counted in silence, and those open that wait nowhere any more.

        Raises StoreError.
        """
        await self._aggregator.queue_unnotified(stream, now)

    def digest_of_destinations(self, stream: Stream) -> str:
        """A digest of the names of a stream's destinations: another one where the policy named one, or ceased to."""
        return fingerprint_of(*sorted(self._rulebooks[stream].destinations))

    async def _fulfil(self, turns: Sequence[Turn], now: datetime) -> None:
        """Owes what turns owe, and puts them on record."""
        await self._store.outbox.add([delivery for turn in turns for delivery in turn.deliveries()], now)
        await self._aggregator.aggregate_turns(turns, now)
        await self._put_on_record([turn.entry for turn in turns], now)

    async def _keep(self, unread: Sequence[Unread], now: datetime) -> dict[str, RecordEntry]:
        """Keeps what was not understood, whole, before anything says so; what is on record so was kept, and may be gone."""
        stream = self._only.value if self._only is not None else None
        on_record = await self._store.record.find([one.arrival.key for one in unread])
        fresh = [one for one in unread if on_record.get(one.arrival.key) is not Outcome.QUARANTINED]
        await self._store.quarantine.add(
            [
                Kept(
                    id=kept_id(replace(one.arrival, again=0).key),
                    source=one.source,
                    arrival=one.arrival,
                    stream=stream,
                    at=now,
                    quarantined=one.quarantined,
                )
                for one in fresh
            ]
        )
        entries = [self._reader.entry_for(one, now) for one in unread]
        await self._put_on_record(entries, now)
        return {entry.key: entry for entry in entries}

    async def _advance(self, wave: Sequence[Sighting], now: datetime) -> dict[str, RecordEntry]:
        """Folds one sighting of each signal, again and again for those whose row somebody else wrote meanwhile.

        Also for those that end a signal in one row, and are left to end it in another.
        """
        entries: dict[str, RecordEntry] = {}
        while wave:
            folds = list(zip(wave, await self._fold(wave, now), strict=True))
            rows = [row for _, one in folds for row in (one.row, *one.let_go) if row is not None]
            versions = await self._store.ledger.write(rows)
            won = [(sighting, one) for sighting, one in folds if one.row is None or one.row.key in versions]
            turns = {
                one.row.key: one.row.intent for _, one in won if one.row is not None and one.row.intent is not None
            }
            await self._put_on_record([one.entry for _, one in won if one.row is None or one.row.intent is None], now)
            await self._fulfil(list(turns.values()), now)
            await self._store.ledger.finish({key: versions[key] for key in turns})
            entries = {sighting.arrival.key: one.entry for sighting, one in won} | entries
            ended = {sighting.identity for sighting, one in won if not one.open}
            wave = [sighting for sighting in wave if sighting.identity not in ended]
        return entries

    async def _fold(self, wave: Sequence[Sighting], now: datetime) -> list[Fold]:
        on_record = await self._store.record.find([sighting.arrival.key for sighting in wave])
        rows = await self._rows([key for sighting in wave for key in sighting.keys], now)

        def folded(sighting: Sighting, rows: Mapping[str, Row]) -> Fold:
            known = [rows[key] for key in (*sighting.keys, *sighting.other_keys) if key in rows]
            rulebook = self._rulebooks[sighting.signal.stream]
            return fold(sighting, known, rulebook, now, on_record=on_record.get(sighting.arrival.key))

        folds = [folded(sighting, rows) for sighting in wave]
        # Only what opens or ends a signal asks whether it came in as another kind before: it is a request for each.
        asking = [sighting for sighting, one in zip(wave, folds, strict=True) if one.opens or sighting.signal.resolved]
        others = await self._rows([key for sighting in asking for key in sighting.other_keys], now)
        if not others:
            return folds
        return [
            one if others.keys().isdisjoint(sighting.other_keys) else folded(sighting, {**rows, **others})
            for sighting, one in zip(wave, folds, strict=True)
        ]

    async def _rows(self, keys: Sequence[str], now: datetime) -> Mapping[str, Row]:
        """The rows of some keys, what they intended completed."""
        if not keys:
            return {}
        rows = await self._store.ledger.find(keys)
        unfinished = [row for row in rows.values() if row.intent is not None]
        if not unfinished:
            return rows
        await self.complete(unfinished, now)
        return {**rows, **await self._store.ledger.find([row.key for row in unfinished])}

    async def _put_on_record(self, entries: Sequence[RecordEntry], now: datetime) -> None:
        await self._store.record.add(entries)
        await self._store.outbox.add(
            [record_delivery(entry, stream) for entry in entries for stream in self._recorders(entry)], now
        )

    def _recorders(self, entry: RecordEntry) -> list[str]:
        """The stream whose record has a second home for this entry; one that belongs to no stream goes to each."""
        stream = self._only or next((stream for stream in self._rulebooks if stream.value == entry.stream), None)
        streams = [stream] if stream is not None else list(self._rulebooks)
        return [s.value for s in streams if (book := self._rulebooks.get(s)) is not None and book.record is not None]


def _waves(sightings: Sequence[Sighting], now: datetime) -> Iterator[list[Sighting]]:
    """Sightings in waves of at most one for each signal, those of one signal in the order of time."""
    by_signal: dict[tuple[str, str], list[Sighting]] = {}
    for sighting in sightings:
        by_signal.setdefault(sighting.identity, []).append(sighting)
    for wave in zip_longest(*(in_time_order(some, now) for some in by_signal.values())):
        yield [sighting for sighting in wave if sighting is not None]
