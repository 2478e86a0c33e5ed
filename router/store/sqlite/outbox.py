"""The outbox in SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from router.domain.clocks import latest
from router.domain.damage import Past
from router.domain.decisions import Change
from router.domain.deliveries import (
    SUSPECT,
    Backlog,
    Claim,
    DamagedLetter,
    DeadLetter,
    DeliveryState,
    NextDue,
    Pause,
    Pointer,
    Redrive,
    Settlement,
)
from router.domain.endings import DEADLY, DISCARDED, LAST_TROUBLE, NOWHERE
from router.domain.errors import Undecodable
from router.domain.notices import Delivery
from router.domain.rulebook import Lane
from router.domain.signals import Stream
from router.store.codec import attempt, encode, readable, tag_of
from router.store.columns import MOST_TURNS, Columns
from router.store.sqlite.connection import Clock, Connection
from router.store.sqlite.delivery_rows import (
    COLUMNS,
    ODD,
    WITH_PAYLOAD,
    claim_of,
    delivery_of,
    letter_id,
    letter_of,
    park,
    see_to_odd,
)
from router.store.sqlite.pauses import SqlitePauses
from router.store.sqlite.repairs import died_of_age_after, set_right
from router.store.sqlite.schema import EPOCH, micros
from router.store.sqlite.selecting import columns_of

# Deliveries of one signal to one destination go in the order of their turns.
_FIRST = (
    "NOT EXISTS (SELECT 1 FROM deliveries e WHERE e.key=d.key AND e.destination=d.destination "
    "AND e.turn<d.turn AND e.state IN ('owed', 'claimed'))"
)

# A lease that ended makes a claimed delivery due again, so claimed rows keep the end of their lease as `due`. One that is
# claimed again has lost its worker once more.
_CLAIMABLE = f"""
SELECT {COLUMNS},
       (SELECT o.receipt FROM deliveries o WHERE o.key=d.key AND o.destination=d.destination AND o.turn=d.opened)
       AS receipt_of_opening,
       d.lost + (d.state='claimed') AS losses
FROM {WITH_PAYLOAD}
WHERE d.stream=? AND d.destination=? AND d.state IN ('owed', 'claimed') AND d.due<=? AND {_FIRST}
  AND d.lost + (d.state='claimed') BETWEEN ? AND ?
ORDER BY d.due, d.rowid LIMIT ?
"""  # noqa: S608

# Nobody was told that it opened, so nobody needs to hear that it is over, unless an earlier end never got through.
_UNSAID = """
SELECT r.key, r.opened, r.turn FROM deliveries r
JOIN deliveries o ON o.key=r.key AND o.destination=r.destination AND o.turn=r.opened
WHERE r.stream=? AND r.destination=? AND r.state='owed' AND r.change='resolved' AND r.lane IN ('page', 'ticket')
  AND o.turn<r.turn AND o.state IN ('owed', 'dead', 'skipped')
  AND NOT EXISTS (SELECT 1 FROM deliveries a WHERE a.key=r.key AND a.destination=r.destination AND a.turn>=r.opened
                  AND a.turn<r.turn AND (a.attempts>0 OR a.redriven>0))
  AND NOT EXISTS (SELECT 1 FROM deliveries p WHERE p.key=r.key AND p.destination=r.destination AND p.turn<r.opened
                  AND p.change='resolved' AND p.state='dead')
"""

# An update that was never tried and that another one follows, which says all that it says.
_SAID_AGAIN = """
UPDATE deliveries AS d SET state='skipped', settled=?
WHERE d.stream=? AND d.destination=? AND d.state='owed' AND d.change='updated' AND d.lane IN ('page', 'ticket')
  AND d.attempts=0 AND d.redriven=0
  AND EXISTS (SELECT 1 FROM deliveries e WHERE e.key=d.key AND e.destination=d.destination AND e.opened=d.opened
              AND e.turn>d.turn AND e.change='updated' AND e.state='owed')
"""

_ENDED = f"? || coalesce('{LAST_TROUBLE}' || error, '')"

# What a destination was told since leaves nothing to say for an older notice: an opening or an update would be stale, and
# a resolution would close what was opened again.
_OVERTAKEN = """
SELECT 1 FROM deliveries WHERE key=? AND destination=? AND turn>? AND state='sent' AND CASE ?
  WHEN 'opened' THEN change IN ('opened', 'updated') WHEN 'updated' THEN 1 ELSE change='opened' END
"""


class SqliteOutbox:
    """The deliveries, in the tables `deliveries` and `payloads`; a turn's payload is kept once for all destinations."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
        self._pauses = SqlitePauses(connection, clock)

    async def add(self, deliveries: Sequence[Delivery], now: datetime) -> None:
        """Owes deliveries, create-if-absent by their id."""
        if not deliveries:
            return
        payloads = {(one.key, one.turn, tag_of(one.content)): one.content for one in deliveries}
        with self._connection.writing() as db:
            db.executemany(
                "INSERT OR IGNORE INTO payloads (key, turn, type, body) VALUES (?,?,?,?)",
                [(*place, encode(content)) for place, content in payloads.items()],
            )
            db.executemany(
                "INSERT OR IGNORE INTO deliveries (id, stream, destination, lane, key, turn, change, opened, type, "
                "trace, state, attempts, redriven, born, due) VALUES (?,?,?,?,?,?,?,?,?,?,'owed',0,0,?,?)",
                [(*_values(one), micros(now), micros(now)) for one in deliveries],
            )

    async def claim(self, pointer: Pointer, due: datetime, until: datetime, limit: int) -> Sequence[Claim]:
        """Claims up to `limit` deliveries that are due at a pointer's destination; it knows of no place within that."""
        stream, destination = pointer.stream, pointer.destination
        where = (stream, destination, micros(due))
        with self._connection.writing() as db:
            see_to_odd(db, due)
            self._skip_unsaid(db, stream, destination, due)
            claims = self._claim(db, (*where, 0, SUSPECT - 1), due, until, limit)
            if not claims and limit > 0:
                # What may kill its worker is tried when nothing else is left, and alone.
                claims = self._claim(db, (*where, SUSPECT, SUSPECT), due, until, 1)
                self._give_up_on_deadly(db, where)
        return claims

    def _claim(
        self, db: sqlite3.Connection, where: tuple[object, ...], at: datetime, until: datetime, limit: int
    ) -> list[Claim]:
        """Claims what can be decoded, and parks what cannot, until there is enough or nothing left."""
        claims: list[Claim] = []
        while limit > len(claims):
            found = columns_of(db.execute(_CLAIMABLE, (*where, limit - len(claims))))
            read = [(row, attempt(claim_of, row)) for row in found]
            for row, claim in read:
                if isinstance(claim, Undecodable):
                    park(db, row, claim, at)
            won = [(row, claim) for row, claim in read if isinstance(claim, Claim)]
            db.executemany(
                "UPDATE deliveries SET state='claimed', attempts=attempts+1, lost=?, due=? WHERE rowid=?",
                [(claim.lost, micros(until), row.raw("place")) for row, claim in won],
            )
            claims += [claim for _, claim in won]
            if len(won) == len(found):
                break
        return claims

    def _give_up_on_deadly(self, db: sqlite3.Connection, where: tuple[str, str, int]) -> None:
        db.execute(
            f"UPDATE deliveries AS d SET state='dead', settled=?, error={_ENDED} WHERE d.stream=? AND d.destination=? "  # noqa: S608
            f"AND d.state='claimed' AND d.due<=? AND d.lost>=? AND {_FIRST}",
            (where[-1], DEADLY, *where, SUSPECT),
        )

    def _skip_unsaid(self, db: sqlite3.Connection, stream: str, destination: str, now: datetime) -> None:
        for key, opened, resolved in db.execute(_UNSAID, (stream, destination)).fetchall():
            db.execute(
                "UPDATE deliveries SET state='skipped', settled=? "
                "WHERE destination=? AND key=? AND opened=? AND turn<=? AND state='owed'",
                (micros(now), destination, key, opened, resolved),
            )
        db.execute(_SAID_AGAIN, (micros(now), stream, destination))

    async def requeue(self, pointer: Pointer, until: datetime) -> None:
        """Does nothing: here what is due is found by itself."""

    async def settle(self, settlements: Sequence[Settlement]) -> None:
        """Writes down what became of claims, all or none of them."""
        with self._connection.writing() as db:
            db.executemany(
                "UPDATE deliveries SET state=?1, due=coalesce(?, due), settled=?, receipt=coalesce(?, receipt), error=?, "
                # What a faster twin put on record stays, except that an acknowledgement always counts.
                "lost=lost*?, attempts=attempts-? WHERE id=? AND state<>'sent' AND (state='claimed' OR ?1='sent')",
                [
                    (
                        one.state.value,
                        micros(one.due),
                        micros(one.at),
                        encode(one.receipt) if one.receipt is not None else None,
                        one.error,
                        0 if one.spent else 1,  # what was put back untried is as suspect as before
                        0 if one.spent else 1,
                        one.delivery.id,
                    )
                    for one in settlements
                ],
            )
            db.executemany(
                "INSERT OR IGNORE INTO reached (stream, destination) VALUES (?,?)",
                {
                    (one.delivery.stream, one.delivery.destination)
                    for one in settlements
                    if one.state is DeliveryState.SENT
                },
            )

    async def repair_times(self, now: datetime) -> int:
        """Owes at once what only a wrong clock can have put off or given up on; returns how many deliveries."""
        with self._connection.writing() as db:
            see_to_odd(db, now)
            count = set_right(db, now)
            letters = died_of_age_after(db, latest(now))
            for id in letters:
                await self.redrive(id, now)
        return count + len(letters)

    async def abandon(self, stream: str, named: Collection[str], born_before: datetime, now: datetime) -> int:
        """Gives up on deliveries that old of a stream to destinations that the policy does not name; returns how many."""
        where = "stream=? AND destination NOT IN (SELECT value FROM json_each(?))"
        unnamed = (stream, json.dumps(list(named)))
        with self._connection.writing() as db:
            db.execute(f"DELETE FROM pauses WHERE {where}", unnamed)  # noqa: S608
        return self._give_up(f"{where} AND born<=?", (*unnamed, micros(born_before)), NOWHERE, now)

    async def give_up(self, stream: str, destination: str, born_until: datetime, error: str, now: datetime) -> int:
        """Gives up on what was owed until an instant at a destination that nobody can ask; returns how many deliveries."""
        with self._connection.writing() as db:
            self._skip_unsaid(db, stream, destination, now)
            where = (stream, destination, micros(born_until))
            return self._give_up("stream=? AND destination=? AND born<=?", where, error, now)

    async def has_delivered(self, stream: str, destination: str) -> bool:
        """Whether a destination ever took a delivery; an older program left nothing but the delivery itself."""
        with self._connection.reading() as db:
            found = db.execute(
                "SELECT 1 FROM reached WHERE stream=?1 AND destination=?2 UNION ALL "
                "SELECT 1 FROM deliveries WHERE stream=?1 AND destination=?2 AND state='sent' LIMIT 1",
                (stream, destination),
            )
            return found.fetchone() is not None

    def _give_up(self, where: str, values: tuple[object, ...], error: str, now: datetime) -> int:
        # A claim whose lease ended is nobody's; `due` is when it did.
        free = "(state='owed' OR (state='claimed' AND due<=?1))"
        sql = f"UPDATE deliveries SET state='dead', settled=?1, error={_ENDED} WHERE {free} AND {where}"  # noqa: S608
        with self._connection.writing() as db:
            see_to_odd(db, now)
            return db.execute(sql, (micros(now), error, *values)).rowcount

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
        with self._connection.reading() as db:
            found = columns_of(
                db.execute(
                    "SELECT d.destination, min(d.due) AS due, d.error FROM deliveries d "  # noqa: S608
                    f"WHERE d.stream=? AND d.state IN ('owed', 'claimed') AND {_FIRST} GROUP BY d.destination",
                    (stream,),
                )
            )
        # Beside min() SQLite gives the columns of the row that has it: https://www.sqlite.org/lang_select.html#bareagg
        return {
            row.words("destination"): NextDue(readable(EPOCH, row.time, "due"), row.words("error") or None)
            for row in found
        }

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
        with self._connection.writing() as db:
            return db.execute("UPDATE deliveries SET state='owed', due=0 WHERE state='claimed'").rowcount

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

    async def dead(self) -> Sequence[DeadLetter | DamagedLetter]:
        """The dead letters, oldest first; those that are damaged, and not given up on yet, among them."""
        with self._connection.reading() as db:
            found = columns_of(
                db.execute(
                    f"SELECT {COLUMNS} FROM {WITH_PAYLOAD} WHERE d.state='dead' ORDER BY d.settled, d.id"  # noqa: S608
                )
            )
            found += columns_of(
                db.execute(f"SELECT {COLUMNS} FROM {WITH_PAYLOAD} WHERE d.rowid IN ({ODD}) AND d.state<>'dead'")  # noqa: S608
            )
        letters = [(row, letter_of(row)) for row in found]
        return [
            letter
            for row, letter in letters
            if row.raw("state") == DeliveryState.DEAD
            or isinstance(letter, DamagedLetter)
            or isinstance(attempt(row.word, "state", DeliveryState), Undecodable)
        ]

    def past(self, keys: Collection[str]) -> Mapping[str, Sequence[Past]]:
        """The deliveries that were ever owed for some keys and are kept, by key; of damaged ones what can be read."""
        with self._connection.reading() as db:
            found = columns_of(
                db.execute(
                    "SELECT stream, destination, key, turn, change, opened FROM deliveries "
                    "WHERE key IN (SELECT value FROM json_each(?))",
                    (json.dumps(list(keys)),),
                )
            )
        past: dict[str, list[Past]] = {}
        for row in found:
            if not isinstance(one := attempt(_past, row), Undecodable):
                past.setdefault(row.text("key"), []).append(one)
        return past

    async def redrive(self, id: str, now: datetime) -> Redrive:
        """Owes a dead letter again, and the resolution that came after it; one that a later notice overtook is let go.

        One that cannot be decoded stays.
        """
        at = micros(now)
        with self._connection.writing() as db:
            see_to_odd(db, now)
            found = self._find_dead(db, id)
            if found is None:
                return Redrive.UNKNOWN
            delivery = attempt(delivery_of, found)
            if isinstance(delivery, Undecodable):
                return Redrive.DAMAGED
            key, destination, turn = delivery.key, delivery.destination, delivery.turn
            change, opened = delivery.change.value, delivery.opened
            if db.execute(_OVERTAKEN, (key, destination, turn, change)).fetchone():
                db.execute("UPDATE deliveries SET state='skipped', settled=? WHERE id=?", (at, id))
                return Redrive.OVERTAKEN
            db.execute(
                "UPDATE deliveries SET state='owed', redriven=1, born=?, due=?, settled=NULL WHERE id=? OR "
                "(key=? AND destination=? AND opened=? AND turn>? AND change='resolved' AND state<>'claimed')",
                (at, at, id, key, destination, opened, turn),
            )
        return Redrive.OWED

    async def discard(self, id: str, now: datetime) -> bool:
        """Forgets a dead letter for good; False if there is none."""
        with self._connection.writing() as db:
            see_to_odd(db, now)
            found = self._find_dead(db, id)
            if found is None:
                return False
            gone = db.execute(
                "UPDATE deliveries SET state='skipped', settled=?, error=? WHERE rowid=?",
                (micros(now), DISCARDED, found.raw("place")),
            )
            return bool(gone.rowcount)

    def _find_dead(self, db: sqlite3.Connection, id: str) -> Columns | None:
        """The dead letter of that id, by the id under which it is listed."""
        see_to = f"SELECT {COLUMNS} FROM {WITH_PAYLOAD} WHERE d.state='dead' AND "  # noqa: S608
        found = columns_of(db.execute(f"{see_to} d.id=?", (id,)))
        if not found:
            # One whose id is damaged is listed under what can be shown of it.
            found = [row for row in columns_of(db.execute(f"{see_to} 1=1")) if letter_id(row) == id]
        return found[0] if found else None


def _values(delivery: Delivery) -> tuple[object, ...]:
    return (
        delivery.id,
        delivery.stream,
        delivery.destination,
        delivery.lane.value,
        delivery.key,
        delivery.turn,
        delivery.change.value,
        delivery.opened,
        tag_of(delivery.content),
        delivery.trace,
    )


def _past(row: Columns) -> Past:
    return Past(
        stream=row.word("stream", Stream).value,
        destination=row.text("destination"),
        turn=row.whole("turn", 1, MOST_TURNS),
        change=row.word("change", Change),
        opened=row.whole("opened", 1, MOST_TURNS),
    )
