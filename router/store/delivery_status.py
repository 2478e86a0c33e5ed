"""How far deliveries have come, as people and notices ask for it. What cannot be decoded is left out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from router.domain.deliveries import DeliveryState, DeliveryStatus
from router.domain.delivery_lifecycle import status_of
from router.domain.errors import Undecodable
from router.domain.histories import History, last_taken, owed_since
from router.domain.keys import bounded, delivery_key
from router.domain.notices import Notice
from router.domain.signals import Stream
from router.store.codec import attempt, content_of, decode, readable
from router.store.delivery_rows import ENTRY, WHOLE, entry_of
from router.store.engine import Engine
from router.store.row_reader import Columns
from router.store.stored_names import RECEIPT

_STATUS = f"SELECT {', '.join(ENTRY)}, stream, destination, receipt FROM deliveries"


class DeliveryStatuses:
    """Finds deliveries by their signal, or by what a vendor calls what it made of them; raises StoreError."""

    _engine: Engine

    async def deliveries_of(self, key: str) -> Sequence[DeliveryStatus]:
        """Return the deliveries that are kept of a signal or group, by destination and turn."""
        return await self._read_statuses("key=? ORDER BY destination, turn", key)

    async def deliveries_at(self, stream: str, destination: str, key: str) -> Sequence[DeliveryStatus]:
        """Return the deliveries that are kept of a signal or group at one destination, by turn."""
        return await self._read_statuses("key=? AND destination=? AND stream=? ORDER BY turn", key, destination, stream)

    async def find_by_reference(self, reference: str) -> Sequence[DeliveryStatus]:
        """Return the deliveries whose receipt has that reference, as the vendor writes it."""
        return await self._read_statuses("reference=? ORDER BY place", bounded(reference))

    async def find_last_notice(self, stream: str, destination: str, key: str) -> Notice | None:
        """Return the notice of a signal or group that a destination last took; None where none is kept."""
        where = "d.key=? AND d.destination=? AND d.stream=? AND d.state=? ORDER BY d.turn DESC LIMIT 1"
        return await self._find_notice(where, key, destination, stream, DeliveryState.SENT.value)

    async def deliveries_at_each(
        self, stream: str, destinations: Collection[str], keys: Collection[str]
    ) -> Mapping[tuple[str, str], Sequence[DeliveryStatus]]:
        """Return the deliveries that are kept of some signals or groups at some destinations, by destination and key."""
        where = "stream=? AND destination = ANY(?) AND key = ANY(?) ORDER BY key, destination, turn"
        found: dict[tuple[str, str], list[DeliveryStatus]] = {}
        for one in await self._read_statuses(where, stream, list(destinations), list(keys)) if keys else ():
            found.setdefault((one.destination, one.key), []).append(one)
        return found

    async def find_histories(self, stream: str, destination: str, opened: Mapping[str, int]) -> Mapping[str, History]:
        """Return what a destination was told of some signals or groups since the turns that opened them there."""
        statuses = await self.deliveries_at_each(stream, [destination], opened)
        told = {key: statuses.get((destination, key), ()) for key in opened}
        last = {key: one for key, turn in opened.items() if (one := last_taken(told[key], turn)) is not None}
        notices = await self._find_notices([delivery_key(key, one.turn, destination) for key, one in last.items()])
        receipts = {key: one.receipt for key, one in last.items() if one.receipt is not None}
        return {
            key: History(
                last=notices.get(key),
                handles=receipts[key].handles if key in receipts else {},
                opened=owed_since(told[key], turn),
            )
            for key, turn in opened.items()
        }

    async def _find_notices(self, ids: Collection[str]) -> dict[str, Notice]:
        """The notices of some deliveries of different signals, by the signals' keys."""
        if not ids:
            return {}
        async with self._engine.session() as tx:
            rows = await tx.fetch(f"{WHOLE} WHERE d.id = ANY(?)", list(ids))
        found = {row.words("key"): attempt(content_of, row.words("type"), row.raw("body")) for row in rows}
        return {key: one for key, one in found.items() if isinstance(one, Notice)}

    async def _find_notice(self, where: str, *values: str) -> Notice | None:
        async with self._engine.session() as tx:
            row = await tx.find(f"{WHOLE} WHERE {where}", *values)
        content = attempt(content_of, row.words("type"), row.raw("body")) if row is not None else None
        return content if isinstance(content, Notice) else None

    async def _read_statuses(self, where: str, *values: str | list[str]) -> list[DeliveryStatus]:
        async with self._engine.session() as tx:
            rows = await tx.fetch(f"{_STATUS} WHERE {where}", *values)
        return [one for row in rows if not isinstance(one := attempt(_status_of, row), Undecodable)]


def _status_of(row: Columns) -> DeliveryStatus:
    receipt = row.raw("receipt")
    return status_of(
        entry_of(row),
        stream=row.word("stream", Stream).value,
        destination=row.text("destination"),
        key=row.text("key"),
        receipt=readable(None, decode, RECEIPT, receipt) if receipt is not None else None,
    )
