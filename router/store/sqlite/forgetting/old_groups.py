"""States of members, groups and windows of which nothing changed for long enough."""

from __future__ import annotations

import sqlite3
from datetime import datetime

from router.domain.groups import GroupState
from router.domain.retention import AGAIN, LONGEST, Disposition, Forgotten, disposition_of_group
from router.store.aggregation_entries import entry_of
from router.store.codec import attempt
from router.store.delivery_rows import StoredEntry
from router.store.row_reader import Columns
from router.store.sqlite.forgetting.old_deliveries import entries_by_key, forget_deliveries, forget_payloads
from router.store.sqlite.forgetting.steps import STEP, THOSE, as_json
from router.store.sqlite.schema import micros
from router.store.sqlite.selecting import columns_of
from router.store.stored_names import GROUP_STATE


def forget_groups(db: sqlite3.Connection, now: datetime) -> Forgotten:
    """Takes some of them away, or leaves key and place of a group that stands."""
    sql = "SELECT rowid AS place, * FROM cards INDEXED BY aging_cards WHERE reduced=0 AND at<=? ORDER BY at LIMIT ?"
    rows = columns_of(db.execute(sql, (micros(now - LONGEST), STEP)))
    if not rows:
        return Forgotten()
    groups = {row.words("key"): row for row in rows if row.raw("type") == GROUP_STATE}
    entries = entries_by_key(db, groups)
    going: list[int] = []
    reduced: list[int] = []
    closed: list[StoredEntry] = []
    forgotten: list[str] = []
    for row in rows:
        place, standing = row.raw("place"), row.raw("standing")
        state = _group_in(row)
        if state is None:
            (reduced if standing else going).append(place)
            continue
        key = row.words("key")
        some = entries.get(key, {}).get(row.words("destination"), [])
        match disposition_of_group(state, some):
            case Disposition.KEEP:
                db.execute("UPDATE cards SET at=? WHERE rowid=?", (micros(now - LONGEST + AGAIN), place))
            case Disposition.REDUCE:
                reduced.append(place)
                closed += [entry for entry in some if entry.turn != state.opened]
                forgotten.append(key)
            case Disposition.FORGET:
                going.append(place)
                closed += some
                forgotten.append(key)
    deliveries = forget_deliveries(db, closed)
    forget_payloads(db, forgotten)
    db.execute(f"DELETE FROM cards WHERE rowid IN ({THOSE})", (as_json(going),))
    db.execute(f"UPDATE cards SET reduced=1 WHERE rowid IN ({THOSE})", (as_json(reduced),))
    return Forgotten(groups=len(going), reduced=len(reduced), deliveries=deliveries, is_done=False)


def _group_in(row: Columns) -> GroupState | None:
    """The state of a group that a row holds; None for another's, and for one that is damaged, which goes by its columns."""
    if row.raw("type") != GROUP_STATE:
        return None
    state = attempt(entry_of, GROUP_STATE, row.raw("body"))
    return state if isinstance(state, GroupState) else None
