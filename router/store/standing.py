"""Signals that stand, as who looks at many of them walks over them: a page at a time, by key."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence

from router.domain.decisions import Outcome
from router.domain.lookback import HeldCounts, StandingPage, StandingSignal
from router.domain.rule_fields import RuleFields
from router.domain.severity import find_severity
from router.domain.signals import Stream
from router.store.codec import decode, readable
from router.store.damaged_rows import read_sound
from router.store.engine import Engine
from router.store.instants import Clock
from router.store.row_reader import Columns
from router.store.stored_names import RULE_FIELDS

_AT_A_TIME = 2_000
"""Rows that are looked at together."""

_STANDS = "l.stream=? AND l.outcome IN ('routed', 'suppressed') AND l.resolved=0"

_STANDING = (
    "SELECT l.key, l.outcome, l.severity, h.rule, u.type FROM ledger l LEFT JOIN held h ON h.key=l.key "
    f"LEFT JOIN lookups u ON u.signal=l.key WHERE l.key>? AND {_STANDS} ORDER BY l.key LIMIT ?"
)

_HELD = (
    "SELECT l.key, l.outcome, l.severity, h.rule FROM held h JOIN ledger l ON l.key=h.key "
    f"WHERE h.key>? AND {_STANDS} AND l.outcome='suppressed' AND h.rule=? ORDER BY h.key LIMIT ?"
)

# EXISTS makes SQLite begin with what is held, of which there is less than of what stands.
_COUNT_HELD = (
    "SELECT h.rule, count(*) AS many FROM held h WHERE EXISTS (SELECT 1 FROM ledger l WHERE l.key=h.key "
    f"AND {_STANDS} AND l.outcome='suppressed') GROUP BY h.rule"
)


class StandingSignals:
    """Gives pages of the signals that stand, with what rules can match of them; every method raises StoreError."""

    def __init__(self, engine: Engine, clock: Clock, at_a_time: int = _AT_A_TIME) -> None:
        self._engine = engine
        self._clock = clock
        self._at_a_time = at_a_time

    async def read_fields(self, keys: Collection[str]) -> Mapping[str, RuleFields]:
        """Return what rules can match of those signals of which it is kept."""
        sql = "SELECT key, body FROM rule_fields WHERE key = ANY(?)"
        return dict(await read_sound(self._engine, self._clock, "rule_fields", sql, (list(keys),), _fields_in))

    async def walk_standing(self, stream: str, types: Collection[str] | None = None) -> AsyncIterator[StandingPage]:
        """Yield the signals of a stream that stand, but for those that are known to be of other types."""
        # A finding may be of a category that its look-up does not say.
        by_type = types if stream == Stream.CWPP else None
        async for rows, is_whole in self._pages(_STANDING, stream):
            signals = await self._signals([row for row in rows if _may_be(row, by_type)])
            yield StandingPage([one for one in signals if one.is_of_type(types)], is_whole)

    async def walk_held(self, stream: str, name: str) -> AsyncIterator[StandingPage]:
        """Yield the signals of a stream that are held under a name."""
        async for rows, is_whole in self._pages(_HELD, stream, name):
            yield StandingPage(await self._signals(rows), is_whole)

    async def held_counts(self, stream: str) -> HeldCounts:
        """Return how many signals of a stream are held, by the name of what holds them."""
        async with self._engine.session() as tx:
            rows = await tx.fetch(_COUNT_HELD, stream)
        return HeldCounts({row.words("rule"): row.whole("many") for row in rows}, is_whole=True)

    async def _pages(self, select: str, *values: str) -> AsyncIterator[tuple[list[Columns], bool]]:
        after = ""
        while True:
            async with self._engine.session() as tx:
                rows = await tx.fetch(select, after, *values, self._at_a_time)
            yield rows, len(rows) < self._at_a_time
            if len(rows) < self._at_a_time:
                return
            after = rows[-1].raw("key")

    async def _signals(self, rows: Sequence[Columns]) -> list[StandingSignal]:
        # A damaged row is set aside when its signal is asked for.
        found = [one for row in rows if (one := readable(None, _standing_in, row)) is not None]
        fields = await self.read_fields([one.key for one in found])
        return [one._replace(fields=fields.get(one.key)) for one in found]


def _may_be(row: Columns, types: Collection[str] | None) -> bool:
    type = row.raw("type")
    return types is None or not isinstance(type, str) or type.casefold() in types


def _standing_in(row: Columns) -> StandingSignal:
    outcome = row.word("outcome", Outcome)
    return StandingSignal(
        key=row.text("key"),
        outcome=outcome,
        severity=find_severity(row.raw("severity")),
        held_by=row.words("rule") if outcome is Outcome.SUPPRESSED and row.raw("rule") is not None else None,
        fields=None,
    )


def _fields_in(row: Columns) -> tuple[str, RuleFields]:
    return row.text("key"), decode(RULE_FIELDS, row.body("body"))
