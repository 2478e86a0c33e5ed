"""The outbox in SQLite."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from router.domain.deliveries import Backlog, DeliveryState, DeliveryStatus, NextDue, Pause, Pointer
from router.domain.delivery_lifecycle import released
from router.domain.histories import History
from router.domain.notices import Notice
from router.domain.rulebook import Lane
from router.domain.turn_order import Waiting, next_due_of
from router.store.codec import readable
from router.store.outbox import Move, TableOutbox
from router.store.row_reader import printable, time_of
from router.store.sqlite.connection import Clock, Connection
from router.store.sqlite.delivery_status import SqliteDeliveryStatus
from router.store.sqlite.entry_rows import IS_OPEN, SqliteEntry
from router.store.sqlite.outbox_table import SqliteOutboxTable
from router.store.sqlite.pauses import SqlitePauses
from router.store.sqlite.schema import EPOCH
from router.store.sqlite.selecting import columns_of


class SqliteOutbox(TableOutbox[SqliteEntry]):
    """The deliveries, in the tables `deliveries` and `payloads`; what is due is found by itself."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._pauses = SqlitePauses(connection, clock)
        self._rows = SqliteOutboxTable(connection, clock)
        self._status = SqliteDeliveryStatus(connection)
        super().__init__(self._rows)

    async def requeue(self, pointer: Pointer, until: datetime) -> None:
        """Does nothing: here what is due is found by itself."""

    async def abandon(self, stream: str, named: Collection[str], born_before: datetime, now: datetime) -> int:
        """Gives up on deliveries that old of a stream to destinations that the policy does not name; returns how many."""
        with self._connection.writing():
            await self._pauses.forget_others(stream, named)
            return await super().abandon(stream, named, born_before, now)

    async def has_delivered(self, stream: str, destination: str) -> bool:
        """Whether a destination ever took a delivery; an older program left nothing but the delivery itself."""
        with self._connection.reading() as db:
            found = db.execute(
                "SELECT 1 FROM reached WHERE stream=?1 AND destination=?2 UNION ALL "
                "SELECT 1 FROM deliveries WHERE stream=?1 AND destination=?2 AND state='sent' LIMIT 1",
                (stream, destination),
            )
            return found.fetchone() is not None

    async def deliveries_of(self, key: str) -> Sequence[DeliveryStatus]:
        """The deliveries that are kept of a signal or group, by destination and turn."""
        return self._status.of_key(key)

    async def find_by_reference(self, reference: str) -> Sequence[DeliveryStatus]:
        """The deliveries whose receipt has that reference, as the vendor writes it."""
        return self._status.of_reference(reference)

    async def find_last_notice(self, stream: str, destination: str, key: str) -> Notice | None:
        """The notice of a signal or group that a destination last took; None where it took none, or none is kept."""
        return self._status.last_notice(stream, destination, key)

    async def find_history(self, stream: str, destination: str, key: str, opened: int) -> History:
        """What a destination was told of a signal or group since the turn that opened it there. Damage says nothing."""
        return self._status.history(stream, destination, key, opened)

    async def deliveries_at(self, stream: str, destination: str, key: str) -> Sequence[DeliveryStatus]:
        """The deliveries that are kept of a signal or group at one destination, by turn."""
        return self._status.at_destination(stream, destination, key)

    async def counts(self, stream: str) -> Mapping[tuple[str, DeliveryState], int]:
        """How many deliveries there are by destination and state; one whose state is damaged is as good as dead."""
        with self._connection.reading() as db:
            found = columns_of(
                db.execute(
                    "SELECT destination, state, count(*) AS many FROM deliveries WHERE stream=? GROUP BY destination, state",
                    (stream,),
                )
            )
        total: Counter[tuple[str, DeliveryState]] = Counter()
        for row in found:
            state = readable(DeliveryState.DEAD, row.word, "state", DeliveryState)
            total[row.words("destination"), state] += row.whole("many")
        return dict(total)

    async def next_due(self, stream: str) -> Mapping[str, NextDue]:
        """When each destination that is owed something is next due; what waits for an earlier turn does not count."""
        waiting: dict[str, list[Waiting]] = defaultdict(list)
        with self._connection.reading() as db:
            found = db.execute(
                "SELECT destination, key, turn, due, rowid FROM deliveries INDEXED BY due "
                f"WHERE stream=? AND {IS_OPEN}",
                (stream,),
            )
            for destination, key, turn, due, place in found:
                # What is damaged is seen to at once.
                at = readable(EPOCH, time_of, due, "due")
                waiting[printable(destination)].append(Waiting(key, turn if type(turn) is int else 0, at, place))
            firsts = {name: first for name, some in waiting.items() if (first := next_due_of(some)) is not None}
            places = json.dumps([first.location for first in firsts.values()])
            rows = columns_of(
                db.execute(
                    "SELECT rowid AS place, error FROM deliveries WHERE rowid IN (SELECT value FROM json_each(?))",
                    (places,),
                )
            )
        errors = {row.raw("place"): row.words("error") or None for row in rows}
        return {name: NextDue(first.due, errors[first.location], len(waiting[name])) for name, first in firsts.items()}

    async def backlog(self, stream: str) -> Mapping[str, Backlog]:
        """What is open and what is dead by destination, for every destination of which deliveries are kept."""
        with self._connection.reading() as db:
            found = columns_of(
                db.execute(
                    "SELECT destination, lane, min(CASE WHEN state IN ('owed', 'claimed') THEN born END) AS oldest, "
                    "sum(state='dead') AS dead FROM deliveries WHERE stream=? GROUP BY destination",
                    (stream,),
                )
            )
        return {
            row.words("destination"): Backlog(
                readable(Lane.TICKET, row.word, "lane", Lane),
                readable(None, row.find_time, "oldest"),
                row.whole("dead"),
            )
            for row in found
        }

    async def release_claims(self) -> int:
        """Gives back claims that no living process can hold; for the one holder of the state only. None counts as lost."""
        with self._connection.writing():
            claimed = await self._rows.claimed()
            await self._rows.move([Move(one, released(one)) for one in claimed])
        return len(claimed)

    async def pause(self, pause: Pause) -> None:
        """Remembers that a destination refuses our credentials."""
        await self._pauses.pause(pause)

    async def probe(self, pause: Pause, next: datetime) -> bool:
        """Takes the one probe that a paused destination is due, deferring the next one; False if another took it."""
        return await self._pauses.probe(pause, next)

    async def resume(self, stream: str, destination: str) -> None:
        """Forgets a pause."""
        await self._pauses.resume(stream, destination)

    async def pauses(self, stream: str) -> Mapping[str, Pause]:
        """The pauses of a stream by destination."""
        return await self._pauses.all(stream)
