"""What retention takes out of the file, in small steps: each is a transaction of its own, and finds by an index what is old.

What goes is decided in `router/domain/retention.py`. Whatever is looked at and stays is marked with when to look again, so
that no step meets it at every sweep.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime
from typing import Any

from router.domain.clocks import latest
from router.domain.counts import Rule, RuleHits
from router.domain.decisions import Outcome
from router.domain.documents import DocumentKind
from router.domain.groups import GroupState
from router.domain.ledger import RECORD, LedgerRow, record_key
from router.domain.retention import (
    AGAIN,
    BELOW_FLOOR,
    COUNTS,
    LONGEST,
    SILENT,
    Disposition,
    Forgotten,
    Retention,
    deliveries_beyond_opening,
    deliveries_to_forget,
    disposition_of_group,
    document_age,
    is_dated,
    is_rule_forgotten,
    latest_to_come,
    review_of_signal,
)
from router.domain.signals import Stream
from router.store.aggregation_entries import entry_of as card_in
from router.store.codec import attempt
from router.store.row_reader import Columns
from router.store.sqlite.connection import Connection
from router.store.sqlite.delivery_rows import see_to_odd
from router.store.sqlite.entry_rows import SqliteEntry
from router.store.sqlite.ledger import SqliteLedger
from router.store.sqlite.old_deliveries import entries_by_key, forget_deliveries, forget_payloads
from router.store.sqlite.schema import ACTED_ON, instant, micros
from router.store.sqlite.selecting import columns_of
from router.store.stored_names import GROUP_STATE, MEMBER_STATE

STEP = 25
"""Decisions, signals or groups that one transaction sees to."""

MANY = 500
"""Rows that go unseen, of which one transaction takes so many."""

FEW = 10
"""Bodies, each of which may be as large as a message, of which one transaction takes so many."""

_THOSE = "SELECT value FROM json_each(?)"


class SqliteForgetting:
    """Sweeps the state; raises StoreError. Safe to repeat, and to break off anywhere."""

    def __init__(self, connection: Connection, ledger: SqliteLedger) -> None:
        self._connection = connection
        self._ledger = ledger

    def forget(self, now: datetime, retention: Retention, rules: Collection[Rule], most: int) -> Forgotten:
        """Takes away what is old enough, in at most so many steps."""
        gone = Forgotten()
        for step in self._steps(now, retention, rules):
            is_done = False
            while not is_done:
                if most <= 0:
                    return gone.and_then(Forgotten(is_done=False))
                with self._connection.writing() as db:
                    found = step(db)
                gone, is_done = gone.and_then(found), found.is_done
                # To look and to find nothing costs next to nothing.
                most -= not is_done
        return gone.and_then(Forgotten())

    def _steps(
        self, now: datetime, retention: Retention, rules: Collection[Rule]
    ) -> Iterator[Callable[[sqlite3.Connection], Forgotten]]:
        yield lambda db: self._see_to_odd(db, now)
        yield lambda db: _bring_back(db, now)
        yield lambda db: self._decisions(db, now, retention)
        yield lambda db: _outlived(db, now - retention.deliveries)
        yield lambda db: _groups(db, now)
        yield lambda db: self._signals(db, now, retention)
        yield lambda db: _bodies(db, now)
        yield lambda db: _counts(db, now)
        yield lambda db: _hits(db, now, rules)
        yield lambda db: _documents(db, now)

    def _see_to_odd(self, db: sqlite3.Connection, now: datetime) -> Forgotten:
        """Sees to rows whose columns hold what no row has, before anything goes by them."""
        see_to_odd(db, now)
        self._ledger.set_odd_aside()
        return Forgotten()

    def _decisions(self, db: sqlite3.Connection, now: datetime, retention: Retention) -> Forgotten:
        """The oldest decisions of an outcome, each with its deliveries."""
        for outcome, age in retention.decisions.items():
            found = db.execute(
                "SELECT rowid, key, signal, turn FROM record INDEXED BY decided WHERE outcome=? AND decided<=? "
                "ORDER BY decided LIMIT ?",
                (outcome.value, micros(now - age), STEP),
            ).fetchall()
            if found:
                turns: dict[str, set[int]] = defaultdict(set)
                for _, key, signal, turn in found:
                    if isinstance(signal, str) and isinstance(turn, int):
                        turns[signal].add(turn)
                    for stream in Stream:
                        turns[record_key(str(key), stream)].add(1)
                deliveries = self._deliveries(db, turns, now - retention.deliveries)
                db.execute(f"DELETE FROM record WHERE rowid IN ({_THOSE})", (_json(row[0] for row in found),))
                _forget_strays(db, {signal for _, _, signal, _ in found if isinstance(signal, str)})
                return Forgotten(decisions=len(found), deliveries=deliveries, is_done=False)
        return Forgotten()

    def _deliveries(self, db: sqlite3.Connection, turns: dict[str, set[int]], settled_until: datetime) -> int:
        """Takes away what was delivered by some turns of signals."""
        entries = entries_by_key(db, turns)
        rows = self._ledger.rows_of(entries)
        going = [
            entry
            for key, by_destination in entries.items()
            for destination, some in by_destination.items()
            for entry in deliveries_to_forget(some, rows.get(key), destination, turns[key], settled_until)
        ]
        return forget_deliveries(db, going)

    def _signals(self, db: sqlite3.Connection, now: datetime, retention: Retention) -> Forgotten:
        """Signals of which nothing came for long enough, and those that are to be looked at again."""
        keys = list(_old_signals(db, now))
        if not keys:
            return Forgotten()
        rows, entries, members = self._ledger.rows_of(keys), entries_by_key(db, keys), _members_among(db, keys)
        reduced: list[tuple[LedgerRow, datetime]] = []
        going: list[str] = []
        for key, row in rows.items():
            review = review_of_signal(row, entries.get(key, {}), is_member=key in members, retention=retention, now=now)
            if review.disposition is Disposition.FORGET:
                going.append(key)
            elif review.disposition is Disposition.REDUCE:
                reduced.append((row, review.again))
            else:
                _look_again(db, key, review.again)
                if not is_dated(row, now):
                    _date(db, row, now)
        beyond = [
            entry
            for row, _ in reduced
            for destination, some in entries.get(row.key, {}).items()
            for entry in deliveries_beyond_opening(some, row, destination)
        ]
        closed = [entry for key in going for some in entries.get(key, {}).values() for entry in some]
        deliveries = forget_deliveries(db, [*beyond, *closed])
        forget_payloads(db, [*going, *(row.key for row, _ in reduced)])
        for row, again in reduced:
            _look_again(db, row.key, again)
        unmatched = _json([*going, *(row.key for row, _ in reduced)])
        db.execute(f"DELETE FROM rule_fields WHERE key IN ({_THOSE})", (unmatched,))
        for table, column in (("lookups", "signal"), ("held", "key"), ("ledger", "key")):
            db.execute(f"DELETE FROM {table} WHERE {column} IN ({_THOSE})", (_json(going),))
        return Forgotten(deliveries=deliveries, signals=len(going), reduced=len(reduced), is_done=False)


def _forget_strays(db: sqlite3.Connection, keys: Collection[str]) -> None:
    """Takes away what finds signals that are not known any more: version 3 forgot those, and kept the decisions on them."""
    db.execute(
        f"DELETE FROM lookups WHERE signal IN ({_THOSE}) AND NOT EXISTS (SELECT 1 FROM ledger l WHERE l.key=lookups.signal)",
        (_json(keys),),
    )


def _bring_back(db: sqlite3.Connection, now: datetime) -> Forgotten:
    """Counts what a clock that was wrong dated ahead as of now: it would stay for ever."""
    ahead = micros(latest_to_come(now))
    brought = 0
    for outcome in Outcome:
        brought += db.execute(
            "UPDATE record SET decided=? WHERE rowid IN (SELECT rowid FROM record WHERE outcome=? AND decided>? LIMIT ?)",
            (micros(now), outcome.value, ahead, MANY - brought),
        ).rowcount
        brought += db.execute(
            "UPDATE ledger SET heard=? WHERE key IN "
            "(SELECT key FROM ledger WHERE outcome=? AND heard>? AND review_at IS NULL LIMIT ?)",
            (micros(now), outcome.value, ahead, MANY - brought),
        ).rowcount
    brought += db.execute(
        "UPDATE ledger SET review_at=? WHERE key IN (SELECT key FROM ledger WHERE review_at>? LIMIT ?)",
        (micros(now), micros(latest(now, SILENT)), MANY - brought),
    ).rowcount
    return Forgotten(is_done=brought == 0)


def _old_signals(db: sqlite3.Connection, now: datetime) -> Iterator[str]:
    """The keys of some signals that are old enough to be looked at."""
    left = STEP
    for outcome in Outcome:
        age = BELOW_FLOOR if outcome is Outcome.BELOW_FLOOR else LONGEST
        # What an older program wrote does not say when the signal was last heard of.
        for since in ("heard IS NULL", "heard<=?"):
            sql = f"SELECT key FROM ledger INDEXED BY aging WHERE outcome=? AND {since} AND review_at IS NULL LIMIT {left}"
            values = (outcome.value, micros(now - age))[: sql.count("?")]
            for (key,) in db.execute(sql, values).fetchall():
                left -= 1
                yield key
    sql = f"SELECT key FROM ledger INDEXED BY reviewing WHERE review_at<=? LIMIT {left}"
    yield from (key for (key,) in db.execute(sql, (micros(now),)).fetchall())


def _look_again(db: sqlite3.Connection, key: str, at: datetime) -> None:
    db.execute("UPDATE ledger SET review_at=? WHERE key=?", (micros(at), key))


def _date(db: sqlite3.Connection, row: LedgerRow, now: datetime) -> None:
    """Counts a signal as heard of now, or as ended now, of which nothing says when it was: it would stay for ever."""
    closed = micros(now) if row.closed_at is not None else None
    db.execute("UPDATE ledger SET heard=?, closed_at=? WHERE key=?", (micros(now), closed, row.key))


def _members_among(db: sqlite3.Connection, keys: Collection[str]) -> set[str]:
    """Those signals of which a group has the state of a member."""
    sql = f"SELECT key FROM cards WHERE type=? AND key IN ({_THOSE})"
    return {key for (key,) in db.execute(sql, (MEMBER_STATE, _json(keys)))}


def _outlived(db: sqlite3.Connection, settled_until: datetime) -> Forgotten:
    """What the record's second home was owed for decisions that went while it was a dead letter."""
    sql = (
        f"SELECT key FROM deliveries INDEXED BY acted_on WHERE {ACTED_ON} AND settled<=? AND NOT EXISTS "
        "(SELECT 1 FROM record r WHERE r.key=substr(deliveries.key, 1, length(deliveries.key)-5)) LIMIT ?"
    )
    # The key names the stream after the decision, which has four letters.
    keys = {key for (key,) in db.execute(sql, (micros(settled_until), STEP)) if isinstance(key, str)}
    going = [one for some in entries_by_key(db, keys).values() for one in some.get(RECORD, ())]
    return Forgotten(deliveries=forget_deliveries(db, going), is_done=not going)


def _groups(db: sqlite3.Connection, now: datetime) -> Forgotten:
    """States of members, groups and windows of which nothing changed for long enough."""
    sql = "SELECT rowid AS place, * FROM cards INDEXED BY aging_cards WHERE reduced=0 AND at<=? ORDER BY at LIMIT ?"
    rows = columns_of(db.execute(sql, (micros(now - LONGEST), STEP)))
    if not rows:
        return Forgotten()
    groups = {row.words("key"): row for row in rows if row.raw("type") == GROUP_STATE}
    entries = entries_by_key(db, groups)
    going: list[int] = []
    reduced: list[int] = []
    closed: list[SqliteEntry] = []
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
    db.execute(f"DELETE FROM cards WHERE rowid IN ({_THOSE})", (_json(going),))
    db.execute(f"UPDATE cards SET reduced=1 WHERE rowid IN ({_THOSE})", (_json(reduced),))
    return Forgotten(groups=len(going), reduced=len(reduced), deliveries=deliveries, is_done=False)


def _group_in(row: Columns) -> GroupState | None:
    """The state of a group that a row holds; None for another's, and for one that is damaged, which goes by its columns."""
    if row.raw("type") != GROUP_STATE:
        return None
    state = attempt(card_in, GROUP_STATE, row.raw("body"))
    return state if isinstance(state, GroupState) else None


def _bodies(db: sqlite3.Connection, now: datetime) -> Forgotten:
    """Bodies that no rule holds any more; what waits for its rule to end keeps its body, however long nobody looked."""
    gone = db.execute(
        "DELETE FROM held WHERE rowid IN (SELECT h.rowid FROM held h INDEXED BY holding WHERE h.until<=? AND NOT EXISTS "
        "(SELECT 1 FROM ledger l WHERE l.key=h.key AND l.outcome=?) LIMIT ?)",
        (micros(now), Outcome.SUPPRESSED.value, FEW),
    ).rowcount
    return Forgotten(bodies=gone, is_done=gone < FEW)


def _counts(db: sqlite3.Connection, now: datetime) -> Forgotten:
    """Counts of hours that are long over."""
    gone = db.execute(
        "DELETE FROM counts WHERE (hour, cell) IN (SELECT hour, cell FROM counts WHERE hour<=? LIMIT ?)",
        (micros(now - COUNTS), MANY),
    ).rowcount
    return Forgotten(counts=gone, is_done=gone < MANY)


def _hits(db: sqlite3.Connection, now: datetime, rules: Collection[Rule]) -> Forgotten:
    """The hits of rules that are there no more."""
    found = db.execute("SELECT stream, rule, total, first, last FROM hits WHERE last<=?", (micros(now - COUNTS),))
    gone = [
        (stream, name)
        for stream, name, total, first, last in found.fetchall()
        if is_rule_forgotten((stream, name), RuleHits(total, instant(first), instant(last)), rules, now)
    ]
    db.executemany("DELETE FROM hits WHERE stream=? AND rule=?", gone)
    return Forgotten(counts=len(gone))


def _documents(db: sqlite3.Connection, now: datetime) -> Forgotten:
    """Documents whose time is long over."""
    gone = 0
    for kind in DocumentKind:
        gone += db.execute(
            "DELETE FROM documents WHERE (kind, id) IN (SELECT kind, id FROM documents WHERE kind=? AND at<=? LIMIT ?)",
            (kind.value, micros(now - document_age(kind)), MANY),
        ).rowcount
    return Forgotten(documents=gone, is_done=gone == 0)


def _json(values: Iterable[Any]) -> str:
    return json.dumps(list(values))
