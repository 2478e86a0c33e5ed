"""Walks over the signals that stand, in SQLite: some rows at a time, by key, so that no walk holds more than those."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence

from router.domain.decisions import Outcome
from router.domain.lookback import HeldCounts, StandingPage, StandingSignal
from router.domain.rule_fields import RuleFields
from router.domain.severity import find_severity
from router.domain.signals import Stream
from router.store.codec import readable
from router.store.row_reader import Columns
from router.store.sqlite.connection import Connection
from router.store.sqlite.selecting import columns_of

_AT_A_TIME = 2_000
"""Rows that are looked at together."""

_STANDS = "l.stream=? AND l.outcome IN ('routed', 'suppressed') AND l.resolved=0 AND typeof(l.key)='text'"

_SELECT = (
    "SELECT l.key, l.outcome, l.severity, h.rule, u.type FROM ledger l LEFT JOIN held h ON h.key=l.key "
    f"LEFT JOIN lookups u ON u.signal=l.key WHERE l.key>CAST(? AS TEXT) AND {_STANDS} ORDER BY l.key LIMIT ?"
)

_SELECT_HELD = (
    "SELECT l.key, l.outcome, l.severity, h.rule, NULL AS type FROM held h JOIN ledger l ON l.key=h.key "
    f"WHERE h.key>CAST(? AS TEXT) AND {_STANDS} AND l.outcome='suppressed' AND h.rule=? ORDER BY h.key LIMIT ?"
)

# CROSS makes SQLite begin with what is held, of which there is less than of what stands.
_COUNT_HELD = (
    "SELECT h.rule, count(*) FROM held h CROSS JOIN ledger l ON l.key=h.key "
    f"WHERE {_STANDS} AND l.outcome='suppressed' AND typeof(h.rule)='text' GROUP BY h.rule"
)

type FieldsReader = Callable[[Collection[str]], Awaitable[Mapping[str, RuleFields]]]


class SqliteStanding:
    """Gives pages of the signals that stand, with what rules can match of them."""

    def __init__(self, connection: Connection, read_fields: FieldsReader, at_a_time: int = _AT_A_TIME) -> None:
        self._connection = connection
        self._read_fields = read_fields
        self._at_a_time = at_a_time

    async def walk_standing(self, stream: str, types: Collection[str] | None) -> AsyncIterator[StandingPage]:
        """The signals of a stream that stand, but for those that are known to be of other types."""
        # A finding may be of a category that its look-up does not say.
        by_type = types if stream == Stream.CWPP else None
        async for rows, is_whole in self._pages(_SELECT, stream):
            signals = await self._signals([row for row in rows if _may_be(row, by_type)])
            yield StandingPage([one for one in signals if one.is_of_type(types)], is_whole)

    async def walk_held(self, stream: str, name: str) -> AsyncIterator[StandingPage]:
        """The signals of a stream that are held under a name."""
        async for rows, is_whole in self._pages(_SELECT_HELD, stream, name):
            yield StandingPage(await self._signals(rows), is_whole)

    async def held_counts(self, stream: str) -> HeldCounts:
        """How many signals of a stream are held, by the name of what holds them."""
        with self._connection.reading() as db:
            return HeldCounts(dict(db.execute(_COUNT_HELD, (stream,))), is_whole=True)

    async def _pages(self, select: str, *values: str) -> AsyncIterator[tuple[list[Columns], bool]]:
        after = b""
        while True:
            with self._connection.reading() as db:
                rows = columns_of(db.execute(select, (after, *values, self._at_a_time)))
            yield rows, len(rows) < self._at_a_time
            if len(rows) < self._at_a_time:
                return
            # A key that is not UTF-8 must not end the walk.
            after = str(rows[-1].raw("key")).encode("utf-8", "surrogateescape")

    async def _signals(self, rows: Sequence[Columns]) -> list[StandingSignal]:
        # A damaged row is set aside when its signal is asked for.
        found = [one for row in rows if (one := readable(None, _standing, row)) is not None]
        fields = await self._read_fields([one.key for one in found])
        return [one._replace(fields=fields.get(one.key)) for one in found]


def _may_be(row: Columns, types: Collection[str] | None) -> bool:
    type = row.raw("type")
    return types is None or not isinstance(type, str) or type.casefold() in types


def _standing(row: Columns) -> StandingSignal:
    outcome = row.word("outcome", Outcome)
    return StandingSignal(
        key=row.text("key"),
        outcome=outcome,
        severity=find_severity(row.raw("severity")),
        held_by=row.words("rule") if outcome is Outcome.SUPPRESSED and row.raw("rule") is not None else None,
        fields=None,
    )
