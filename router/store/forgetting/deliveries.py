"""Deliveries as retention meets them: all of some signals or groups, and how they go."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from router.store.codec import attempt
from router.store.deliveries import ENTRY, StoredEntry, entry_of
from router.store.engine import Transaction

STEP = 25
"""Decisions, signals or groups that one transaction sees to: it is to be short."""

_OF_KEYS = f"SELECT {', '.join(ENTRY)}, destination FROM deliveries WHERE key = ANY(?)"
_TOLD = "SELECT DISTINCT key, turn, type FROM deliveries WHERE place = ANY(?) ORDER BY key, turn, type"
_FORGET_TOLD = """
DELETE FROM notices WHERE key=? AND turn=? AND type=? AND NOT EXISTS
(SELECT 1 FROM deliveries d WHERE d.key=notices.key AND d.turn=notices.turn AND d.type=notices.type)
"""


async def entries_by_key(tx: Transaction, keys: Collection[str]) -> dict[str, dict[str, list[StoredEntry]]]:
    """Return the deliveries of some signals or groups, by key and destination. What is damaged is seen to elsewhere."""
    found: dict[str, dict[str, list[StoredEntry]]] = {}
    for row in await tx.fetch(_OF_KEYS, list(keys)) if keys else ():
        entry = attempt(entry_of, row)
        if isinstance(entry, StoredEntry):
            found.setdefault(entry.key, {}).setdefault(row.words("destination"), []).append(entry)
    return found


async def forget_deliveries(tx: Transaction, entries: Sequence[StoredEntry]) -> int:
    """Take deliveries away, and what only they told; return how many."""
    if not entries:
        return 0
    places = [entry.row_id for entry in entries]
    told = await tx.fetch(_TOLD, places)
    gone = await tx.execute("DELETE FROM deliveries WHERE place = ANY(?)", places)
    await tx.execute_many(_FORGET_TOLD, [(row.raw("key"), row.raw("turn"), row.raw("type")) for row in told])
    return gone


async def forget_payloads(tx: Transaction, keys: Collection[str]) -> None:
    """Take away whatever deliveries of some signals or groups told; none of them is owed or dead."""
    await tx.execute("DELETE FROM notices WHERE key = ANY(?)", list(keys))
