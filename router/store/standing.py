"""What stands, the gravest and newest first, by what people filter it.

The order is an index's. A filter that no index serves is asked of one signal after the other, of a bounded number in one call.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import NamedTuple

from router.domain.decisions import Outcome
from router.domain.severity import GRAVITIES, gravity_of
from router.domain.values import Value
from router.store.codec import EPOCH, Columns
from router.store.ledger import LedgerRow
from router.store.signals import AS_GRAVE, find_signals, type_as_found
from router.store.store import Transaction

MOST_LOOKED_AT = 20_000
"""Signals that one call looks at."""

MOST_COUNTED = 1_001
"""Signals up to which they are counted."""

_PAGE = 500
_BEYOND = (2**63 - 1, "\U0010ffff")
"""Sorts after every signal of one gravity."""

# What fits, and of all that was looked at the last and how many they are. Of a span of time PostgreSQL expects few rows
# whatever its ends, so that it takes the index that has them in their order, and sorts nothing.
_LOOK = f"""
WITH looked AS MATERIALIZED (
    SELECT since, key, CASE WHEN {{fits}} THEN 1 ELSE 0 END AS fits FROM signals
    WHERE {AS_GRAVE}{{held}} AND (since, key)<(?, ?) AND since>=? AND since<=? ORDER BY since DESC, key DESC LIMIT ?
)
SELECT since, key, 0 AS many FROM looked WHERE fits=1
UNION ALL SELECT last.since, last.key, (SELECT count(*) FROM looked)
FROM (SELECT since, key FROM looked ORDER BY since, key LIMIT 1) AS last
"""

# Of most findings the row says it. Of a subquery for a value PostgreSQL asks an index; an EXISTS it might turn into a look at
# the whole table.
_IN_SUBSCRIPTION = """
CASE WHEN subscription IS NOT NULL THEN subscription=?
ELSE (SELECT CASE WHEN l.resource>=? AND l.resource<? THEN 1 END FROM lookups l WHERE l.signal=signals.key)=1 END
"""
_OPEN_AT = "replace(open, ?, '')<>open"
_PAGED = "lane='page' AND d.state='sent' AND d.change<>'resolved' AND d.born>=signals.since"
_PAGED_NOBODY = f"""
NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.key=signals.key AND d.{_PAGED})
AND NOT EXISTS (
    SELECT 1 FROM members m JOIN deliveries d ON d.key=m.group_key AND d.destination=m.destination
    WHERE m.signal=signals.key AND m.stream=signals.stream AND m.stands=1 AND d.{_PAGED}
)
"""


class StandingFilter(Value, kw_only=True):
    """What people want to see of what stands; all of it by default.

    Attributes:
        severities: as Defender writes them, or `unknown`; none for any.
        owner: what owners.yaml calls it.
        subscription: its id.
        type: in any case.
        destination: one where it is open.
        held_by: the name on record of what holds it.
        since: it stands since then, or since later.
        paged_nobody: since it stands, no pager took it, nor what was told of its group.
    """

    severities: tuple[str, ...] = ()
    outcome: Outcome | None = None
    owner: str | None = None
    subscription: str | None = None
    cluster: str | None = None
    type: str | None = None
    destination: str | None = None
    held_by: str | None = None
    since: datetime | None = None
    paged_nobody: bool = False
    has_no_owner: bool = False

    @property
    def gravities(self) -> Collection[int]:
        """How grave it may be, the gravest first."""
        named = {gravity_of(one.capitalize()) for one in self.severities}
        return [one for one in GRAVITIES if one in named] if named else GRAVITIES

    def conditions(self) -> Iterator[tuple[str, tuple[object, ...]]]:
        """Yield what no index answers, each as SQL with its values."""
        for name in ("outcome", "owner", "cluster"):
            if (value := getattr(self, name)) is not None:
                yield f"{name}=?", (value,)
        if self.type is not None:
            yield "type=?", (type_as_found(self.type),)
        if self.has_no_owner:
            yield "owner IS NULL", ()
        if self.destination is not None:
            yield _OPEN_AT, (f'"{self.destination}":',)
        if self.subscription is not None:
            id = self.subscription.strip().lower()
            root = f"/subscriptions/{id}"
            # What begins with the id and goes on with a slash, after which comes a nought.
            yield _IN_SUBSCRIPTION, (id, root, f"{root}0")
        if self.paged_nobody:
            yield _PAGED_NOBODY, ()


class StandingPlace(NamedTuple):
    """A place in the order of what stands: that of a signal, after which the next page begins.

    Attributes:
        since: microseconds since 1970, UTC.
    """

    gravity: int
    since: int
    key: str

    def __str__(self) -> str:
        """Return it as a URL has it."""
        return f"{self.gravity}.{self.since}.{self.key}"

    @classmethod
    def parse(cls, text: str) -> StandingPlace | None:
        """Return the place that a text is; None where it is none."""
        found = re.fullmatch(r"([1-6])\.([0-9]{1,18})\.([!-~]{1,64})", text, re.ASCII)
        return cls(int(found[1]), int(found[2]), found[3]) if found is not None else None


class StandingCount(NamedTuple):
    """How many stand, up to MOST_COUNTED; of a count that is not whole, there may be more."""

    number: int
    is_whole: bool


class StandingPage(NamedTuple):
    """Some of what stands, and how many are wanted in all.

    Attributes:
        after: where to go on; None at the end.
        looked_at: how many signals were looked at.
        is_whole: whether there are as many rows as were asked for, or all. Else so many were looked at that the rest is left
            to another call.
    """

    rows: list[LedgerRow]
    after: StandingPlace | None
    looked_at: int
    is_whole: bool
    total: StandingCount


async def list_standing(
    tx: Transaction,
    stream: str,
    wanted: StandingFilter,
    after: StandingPlace | None = None,
    most: int = 50,
    look_at: int = MOST_LOOKED_AT,
) -> StandingPage:
    """Return the signals of a stream that stand and are wanted, from a place on; the gravest and newest first."""
    look = await _look(tx, stream, wanted, after, max(most, MOST_COUNTED) if after is None else most, look_at)
    total = StandingCount(min(len(look.found), MOST_COUNTED), look.is_whole) if after is None else None
    if len(look.found) > most:
        look = look._replace(found=look.found[:most], after=look.found[most - 1], is_whole=True)
    found = await find_signals(tx, [one.key for one in look.found])
    rows = [row for one in look.found if (row := found.get(one.key)) is not None and row.stands]
    total = total or await count_standing(tx, stream, wanted)
    return StandingPage(rows, look.after, look.looked_at, look.is_whole, total)


async def count_standing(tx: Transaction, stream: str, wanted: StandingFilter) -> StandingCount:
    """Return how many signals of a stream stand and are wanted."""
    look = await _look(tx, stream, wanted, None, MOST_COUNTED, MOST_LOOKED_AT)
    return StandingCount(len(look.found), look.is_whole)


class _Looked(NamedTuple):
    """The places of what is wanted, and the rest of a StandingPage."""

    found: list[StandingPlace]
    after: StandingPlace | None
    looked_at: int
    is_whole: bool


async def _look(
    tx: Transaction, stream: str, wanted: StandingFilter, after: StandingPlace | None, most: int, look_at: int
) -> _Looked:
    """Look through the order. Steps grow: mostly all fit, and where few do, some statements look at many."""
    conditions = list(wanted.conditions())
    # What one rule or silence holds, an index has by itself.
    held, by = (" AND held_by=?", (wanted.held_by,)) if wanted.held_by is not None else ("", ())
    sql = _LOOK.format(fits=" AND ".join(one for one, _ in conditions) or "TRUE", held=held)
    asked = [value for _, values in conditions for value in values]
    found, looked_at, step = list[StandingPlace](), 0, most + 1
    for gravity in wanted.gravities:
        if after is not None and gravity > after.gravity:
            continue
        place = after if after is not None and gravity == after.gravity else StandingPlace(gravity, *_BEYOND)
        is_end = False
        while not is_end:
            step = min(step, _PAGE, look_at - looked_at)
            span = (*by, *place[1:], wanted.since or EPOCH, place.since)
            rows = await tx.fetch(sql, *asked, stream, gravity, *span, step)
            fitting = [row for row in rows if row.raw("many") == 0]
            found += sorted((_place_of(gravity, row) for row in fitting), reverse=True)
            last = next((row for row in rows if row.raw("many")), None)
            many = last.whole("many") if last is not None else 0
            looked_at += many
            if len(found) > most:
                return _Looked(found[:most], found[most - 1], looked_at, True)
            is_end = last is None or many < step
            place, step = _place_of(gravity, last) if last is not None else place, step * 4
            if looked_at >= look_at:
                return _Looked(found, place, looked_at, False)
    return _Looked(found, None, looked_at, True)


def _place_of(gravity: int, row: Columns) -> StandingPlace:
    return StandingPlace(gravity, row.raw("since"), row.raw("key"))
