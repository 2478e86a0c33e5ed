"""Rows of the ledger for retention, which is inside a transaction of SQLite's own."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping

from router.domain.ledger import LedgerRow
from router.store.ledger_rows import row_in
from router.store.sqlite.connection import Clock, Connection
from router.store.sqlite.damaged_rows import sound
from router.store.sqlite.schema import ODD_ROW


class SqliteLedger:
    """Reads rows of the ledger."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    def rows_of(self, keys: Collection[str]) -> Mapping[str, LedgerRow]:
        """The rows of those signals that are known."""
        where = "key IN (SELECT value FROM json_each(?))"
        rows = sound(self._connection, self._clock, "ledger", where, (json.dumps(list(keys)),), row_in)
        return {row.key: row for row in rows}

    def set_odd_aside(self) -> None:
        """Sets rows aside whose columns hold what no row has, before retention goes by them."""
        sound(self._connection, self._clock, "ledger", ODD_ROW, (), row_in)
