"""Where deliveries lie of which a wrong clock may have written an instant, and since when they were owed before."""

from __future__ import annotations

import json
import sqlite3
from datetime import datetime

from router.domain.clocks import latest
from router.domain.lane_limits import LONGEST_WAIT
from router.store.sqlite.entry_rows import IS_OPEN
from router.store.sqlite.schema import micros

_OPEN = f"deliveries INDEXED BY due WHERE {IS_OPEN}"

# It may be this clock that is wrong: what was written is kept, and counts again once it is possible.
_KEEP = f"INSERT OR IGNORE INTO births (id, born) SELECT id, born FROM {_OPEN} AND born>?"

# A dead letter keeps the birth by which it died: if this clock gave up on it for its age, the right one must see that it did.
_GIVE_BACK = f"""
UPDATE deliveries SET born=(SELECT b.born FROM births b WHERE b.id=deliveries.id)
WHERE {IS_OPEN} AND id IN (SELECT id FROM births WHERE born<=?)
"""
_FORGET = f"DELETE FROM births WHERE born<=? OR id NOT IN (SELECT id FROM {_OPEN})"

_IMPOSSIBLE = f"SELECT rowid FROM {_OPEN} AND (born>?1 OR settled>?1 OR due>json_extract(?2, '$.' || lane))"


def with_impossible_times(db: sqlite3.Connection, now: datetime) -> list[int]:
    """The places of open deliveries with an instant that is not possible; since when they were owed is kept.

    Of those that are still open and whose instant has become possible since, what was kept is given back before.
    """
    possible = micros(latest(now))
    waits = {lane.value: micros(latest(now, wait)) for lane, wait in LONGEST_WAIT.items()}
    for statement in (_GIVE_BACK, _FORGET, _KEEP):
        db.execute(statement, (possible,))
    return [place for (place,) in db.execute(_IMPOSSIBLE, (possible, json.dumps(waits)))]


def died_after(db: sqlite3.Connection, instant: datetime) -> list[int]:
    """The places of the dead letters that died after an instant."""
    sql = "SELECT rowid FROM deliveries INDEXED BY dead WHERE state='dead' AND settled>?"
    return [place for (place,) in db.execute(sql, (micros(instant),))]
