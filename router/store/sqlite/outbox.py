"""The outbox in SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from router.domain.clocks import latest
from router.domain.decisions import Change
from router.domain.deliveries import (
    SUSPECT,
    Backlog,
    Claim,
    DeadLetter,
    DeliveryState,
    NextDue,
    Pause,
    Redrive,
    Settlement,
)
from router.domain.notices import Delivery
from router.domain.rulebook import Lane
from router.store.codec import decode, encode
from router.store.endings import DEADLY, DISCARDED, LAST_TROUBLE, NOWHERE
from router.store.sqlite.connection import Connection
from router.store.sqlite.repairs import died_of_age_after, set_right
from router.store.sqlite.schema import instant, micros

_DELIVERY = "d.id, d.stream, d.destination, d.lane, d.key, d.turn, d.change, d.opened, d.type, d.trace, p.body"
_WIDTH = 11
_WITH_PAYLOAD = "deliveries d JOIN payloads p ON p.key=d.key AND p.turn=d.turn AND p.type=d.type"

# Deliveries of one signal to one destination go in the order of their turns.
_FIRST = (
    "NOT EXISTS (SELECT 1 FROM deliveries e WHERE e.key=d.key AND e.destination=d.destination "
    "AND e.turn<d.turn AND e.state IN ('owed', 'claimed'))"
)

# A lease that ended makes a claimed delivery due again, so claimed rows keep the end of their lease as `due`. One that is
# claimed again has lost its worker once more.
_CLAIMABLE = f"""
SELECT {_DELIVERY}, d.attempts, d.born,
       (SELECT o.receipt FROM deliveries o WHERE o.key=d.key AND o.destination=d.destination AND o.turn=d.opened),
       d.lost + (d.state='claimed')
FROM {_WITH_PAYLOAD}
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
  AND NOT EXISTS (SELECT 1 FROM deliveries a WHERE a.key=r.key AND a.destination=r.destination AND a.opened=r.opened
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

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, deliveries: Sequence[Delivery], now: datetime) -> None:
        """Owes deliveries, create-if-absent by their id."""
        if not deliveries:
            return
        payloads = {(one.key, one.turn, type(one.content).__name__): one.content for one in deliveries}
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

    async def claim(self, stream: str, destination: str, due: datetime, until: datetime, limit: int) -> Sequence[Claim]:
        """Claims up to `limit` deliveries that are due at a destination, each the first of its signal there in turn order."""
        where = (stream, destination, micros(due))
        with self._connection.writing() as db:
            self._skip_unsaid(db, stream, destination, due)
            found = db.execute(_CLAIMABLE, (*where, 0, SUSPECT - 1, limit)).fetchall()
            if not found and limit > 0:
                # What may kill its worker is tried when nothing else is left, and alone.
                found = db.execute(_CLAIMABLE, (*where, SUSPECT, SUSPECT, 1)).fetchall()
                self._give_up_on_deadly(db, where)
            db.executemany(
                "UPDATE deliveries SET state='claimed', attempts=attempts+1, lost=?, due=? WHERE id=?",
                [(row[-1], micros(until), row[0]) for row in found],
            )
        return [_claim(row) for row in found]

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

    async def repair_times(self, now: datetime) -> int:
        """Owes at once what only a wrong clock can have put off or given up on; returns how many deliveries."""
        with self._connection.writing() as db:
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

    def _give_up(self, where: str, values: tuple[object, ...], error: str, now: datetime) -> int:
        # A claim whose lease ended is nobody's; `due` is when it did.
        free = "(state='owed' OR (state='claimed' AND due<=?1))"
        sql = f"UPDATE deliveries SET state='dead', settled=?1, error={_ENDED} WHERE {free} AND {where}"  # noqa: S608
        with self._connection.writing() as db:
            return db.execute(sql, (micros(now), error, *values)).rowcount

    async def counts(self, stream: str) -> Mapping[tuple[str, DeliveryState], int]:
        """How many deliveries there are by destination and state."""
        with self._connection.reading() as db:
            found = db.execute(
                "SELECT destination, state, count(*) FROM deliveries WHERE stream=? GROUP BY destination, state",
                (stream,),
            )
            return {(destination, DeliveryState(state)): count for destination, state, count in found}

    async def next_due(self, stream: str) -> Mapping[str, NextDue]:
        """When each destination that is owed something is next due; what waits for an earlier turn does not count."""
        with self._connection.reading() as db:
            found = db.execute(
                "SELECT d.destination, min(d.due), d.error FROM deliveries d "  # noqa: S608
                f"WHERE d.stream=? AND d.state IN ('owed', 'claimed') AND {_FIRST} GROUP BY d.destination",
                (stream,),
            )
            # Beside min() SQLite gives the columns of the row that has it: https://www.sqlite.org/lang_select.html#bareagg
            return {destination: NextDue(instant(due), error) for destination, due, error in found}

    async def backlog(self, stream: str) -> Mapping[str, Backlog]:
        """What is open and what is dead by destination, for every destination of which deliveries are kept."""
        with self._connection.reading() as db:
            found = db.execute(
                "SELECT destination, lane, min(CASE WHEN state IN ('owed', 'claimed') THEN born END), sum(state='dead') "
                "FROM deliveries WHERE stream=? GROUP BY destination",
                (stream,),
            )
            return {
                destination: Backlog(Lane(lane), instant(oldest) if oldest is not None else None, dead)
                for destination, lane, oldest, dead in found
            }

    async def release_claims(self) -> int:
        """Gives back claims that no living process can hold; for the one holder of the state only. None counts as lost."""
        with self._connection.writing() as db:
            return db.execute("UPDATE deliveries SET state='owed', due=0 WHERE state='claimed'").rowcount

    async def pause(self, pause: Pause) -> None:
        """Remembers that a destination refuses our credentials."""
        with self._connection.writing() as db:
            db.execute(
                "INSERT INTO pauses (stream, destination, since, probe, error) VALUES (?,?,?,?,?) "
                "ON CONFLICT (stream, destination) DO UPDATE SET "
                "since=min(since, excluded.since), probe=excluded.probe, error=excluded.error",
                (pause.stream, pause.destination, micros(pause.since), micros(pause.probe), pause.error),
            )

    async def resume(self, stream: str, destination: str) -> None:
        """Forgets a pause."""
        with self._connection.writing() as db:
            db.execute("DELETE FROM pauses WHERE stream=? AND destination=?", (stream, destination))

    async def pauses(self, stream: str) -> Mapping[str, Pause]:
        """The pauses of a stream by destination."""
        with self._connection.reading() as db:
            found = db.execute("SELECT destination, since, probe, error FROM pauses WHERE stream=?", (stream,))
            return {
                name: Pause(stream=stream, destination=name, since=instant(since), probe=instant(probe), error=error)
                for name, since, probe, error in found
            }

    async def dead(self) -> Sequence[DeadLetter]:
        """The dead letters, oldest first."""
        with self._connection.reading() as db:
            found = db.execute(
                f"SELECT {_DELIVERY}, d.attempts, d.born, d.settled, d.error FROM {_WITH_PAYLOAD} "  # noqa: S608
                "WHERE d.state='dead' ORDER BY d.settled, d.id"
            ).fetchall()
        return [
            DeadLetter(
                delivery=_delivery(row[:_WIDTH]),
                attempts=attempts,
                born=instant(born),
                died=instant(died),
                error=error or "",
            )
            for row in found
            for attempts, born, died, error in [row[_WIDTH:]]
        ]

    async def redrive(self, id: str, now: datetime) -> Redrive:
        """Owes a dead letter again, and the resolution that came after it; one that a later notice overtook is let go."""
        at = micros(now)
        with self._connection.writing() as db:
            found = db.execute(
                "SELECT key, destination, turn, change, opened FROM deliveries WHERE id=? AND state='dead'", (id,)
            ).fetchone()
            if found is None:
                return Redrive.UNKNOWN
            key, destination, turn, change, opened = found
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
            gone = db.execute(
                "UPDATE deliveries SET state='skipped', settled=?, error=? WHERE id=? AND state='dead'",
                (micros(now), DISCARDED, id),
            )
            return bool(gone.rowcount)


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
        type(delivery.content).__name__,
        delivery.trace,
    )


def _delivery(found: Iterable[Any]) -> Delivery:
    _, stream, destination, lane, key, turn, change, opened, type, trace, body = found
    return Delivery(
        stream=stream,
        destination=destination,
        lane=Lane(lane),
        key=key,
        turn=turn,
        change=Change(change),
        opened=opened,
        content=decode(type, body),
        trace=trace,
    )


def _claim(found: Sequence[Any]) -> Claim:
    attempts, born, receipt, lost = found[_WIDTH:]
    return Claim(
        delivery=_delivery(found[:_WIDTH]),
        number=attempts + 1,
        born=instant(born),
        opening=decode("Receipt", receipt) if receipt is not None else None,
        lost=lost,
    )
