"""Deliveries without instants that only a clock that was wrong can have set."""

from __future__ import annotations

import json
import sqlite3
from datetime import datetime, timedelta

from router.domain.clocks import latest
from router.domain.lanes import LONGEST, LONGEST_WAIT
from router.store.columns import is_sound
from router.store.sqlite.schema import micros

_OPEN = "deliveries INDEXED BY due WHERE state IN ('owed', 'claimed')"

# Put off by a clock that was wrong, or further than anything is put off.
_PUT_OFF = "state='owed' AND (coalesce(settled, born)>?2 OR due>json_extract(?3, '$.' || lane))"

_SET_RIGHT = f"""
UPDATE deliveries INDEXED BY due
SET born=min(born, ?1), settled=min(settled, ?1), due=CASE WHEN {_PUT_OFF} THEN ?1 ELSE due END
WHERE state IN ('owed', 'claimed') AND (born>?2 OR {_PUT_OFF})
"""  # noqa: S608

# It may be this clock that is wrong: what was written is kept, and counts again once it is possible.
_KEEP = f"INSERT OR IGNORE INTO births (id, born) SELECT id, born FROM {_OPEN} AND born>?"  # noqa: S608
_GIVE_BACK = """
UPDATE deliveries SET born=(SELECT b.born FROM births b WHERE b.id=deliveries.id)
WHERE id IN (SELECT id FROM births WHERE born<=?)
"""
_FORGET = f"DELETE FROM births WHERE born<=? OR id NOT IN (SELECT id FROM {_OPEN})"  # noqa: S608

_DIED_OF_AGE = (
    "SELECT id FROM deliveries WHERE state='dead' AND settled>? AND settled-born>="
    # A dead letter that is damaged may bear any lane, and a path that is none would end the query.
    "CASE WHEN lane IN ('page', 'ticket', 'rows') THEN json_extract(?, '$.' || lane) END"
)


def set_right(db: sqlite3.Connection, now: datetime) -> int:
    """Owes at once what only a wrong clock can have put off, as old as if it were owed from now on; returns how many."""
    possible = micros(latest(now))
    waits = {lane.value: micros(latest(now, wait)) for lane, wait in LONGEST_WAIT.items()}
    for statement in (_GIVE_BACK, _FORGET, _KEEP):
        db.execute(statement, (possible,))
    return db.execute(_SET_RIGHT, (micros(now), possible, json.dumps(waits))).rowcount


def died_of_age_after(db: sqlite3.Connection, instant: datetime) -> list[str]:
    """The ids of the dead letters that died after an instant, as old as they might grow or older."""
    lives = {lane.value: life // timedelta(microseconds=1) for lane, life in LONGEST.items()}
    found = db.execute(_DIED_OF_AGE, (micros(instant), json.dumps(lives)))
    return [id for (id,) in found if isinstance(id, str) and is_sound(id)]
