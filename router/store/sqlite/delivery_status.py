"""How far deliveries have come, as people ask for it."""

from __future__ import annotations

from collections.abc import Sequence

from router.domain.deliveries import DeliveryState, DeliveryStatus
from router.domain.delivery_lifecycle import status_of
from router.domain.errors import Undecodable
from router.domain.histories import History, last_taken, owed_since
from router.domain.keys import delivery_key
from router.domain.notices import Notice, RecordEntry
from router.domain.signals import Stream
from router.store.codec import attempt, content_of, decode, readable
from router.store.row_reader import Columns
from router.store.sqlite.connection import Connection
from router.store.sqlite.entry_rows import ENTRY, entry_of
from router.store.sqlite.selecting import columns_of
from router.store.stored_names import RECEIPT

_STATUS = f"SELECT {', '.join(ENTRY)}, key, stream, destination, receipt FROM deliveries"


class SqliteDeliveryStatus:
    """Deliveries by their signal, or by what a vendor calls what it made of them. What is damaged is left out."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def of_key(self, key: str) -> Sequence[DeliveryStatus]:
        """Those of a signal or group, by destination and turn."""
        return self._read("key=? ORDER BY destination, turn", key)

    def of_reference(self, reference: str) -> Sequence[DeliveryStatus]:
        """Those whose receipt has that reference."""
        return self._read("reference=? ORDER BY rowid", reference)

    def last_notice(self, stream: str, destination: str, key: str) -> Notice | None:
        """The notice that a destination last took of a signal or group."""
        sql = (
            "SELECT d.type, p.body FROM deliveries d JOIN payloads p ON p.key=d.key AND p.turn=d.turn AND p.type=d.type "
            "WHERE d.key=? AND d.destination=? AND d.stream=? AND d.state=? ORDER BY d.turn DESC LIMIT 1"
        )
        with self._connection.reading() as db:
            found = columns_of(db.execute(sql, (key, destination, stream, DeliveryState.SENT.value)))
        content = attempt(_content_of, found[0]) if found else None
        return content if isinstance(content, Notice) else None

    def at_destination(self, stream: str, destination: str, key: str) -> Sequence[DeliveryStatus]:
        """Those of a signal or group at one destination, by turn."""
        return self._read("key=? AND destination=? AND stream=? ORDER BY destination, turn", key, destination, stream)

    def history(self, stream: str, destination: str, key: str, opened: int) -> History:
        """What a destination was told of a signal or group since the turn that opened it there."""
        statuses = self.at_destination(stream, destination, key)
        last = last_taken(statuses, opened)
        notice = self._notice(delivery_key(key, last.turn, destination)) if last is not None else None
        handles = last.receipt.handles if last is not None and last.receipt is not None else {}
        return History(last=notice, handles=handles, opened=owed_since(statuses, opened))

    def _notice(self, id: str) -> Notice | None:
        """The notice of one delivery, as far as it can be decoded."""
        sql = (
            "SELECT d.type, p.body FROM deliveries d JOIN payloads p ON p.key=d.key AND p.turn=d.turn AND p.type=d.type "
            "WHERE d.id=?"
        )
        with self._connection.reading() as db:
            found = columns_of(db.execute(sql, (id,)))
        content = attempt(_content_of, found[0]) if found else None
        return content if isinstance(content, Notice) else None

    def _read(self, where: str, *values: str) -> list[DeliveryStatus]:
        with self._connection.reading() as db:
            rows = columns_of(db.execute(f"{_STATUS} WHERE {where}", values))
        return [one for row in rows if not isinstance(one := attempt(_status, row), Undecodable)]


def _content_of(row: Columns) -> Notice | RecordEntry:
    return content_of(row.text("type"), row.raw("body"))


def _status(row: Columns) -> DeliveryStatus:
    receipt = row.raw("receipt")
    return status_of(
        entry_of(row),
        stream=row.word("stream", Stream).value,
        destination=row.text("destination"),
        key=row.text("key"),
        receipt=readable(None, decode, RECEIPT, receipt) if receipt is not None else None,
    )
