"""The boards of grouped destinations in a table: a partition for each, so that a board and its cards change together."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from itertools import batched
from typing import Any

from router.domain.groups import Board, Cards, GroupCard
from router.store.azure_storage.bodies import unpacked
from router.store.azure_storage.shards import sorting
from router.store.azure_storage.tables import Entity, Step, Table, quoted, version_of
from router.store.cards import TYPES, Card, at_of, standing_of, typed
from router.store.codec import decode, encode

_BOARD = "Board"
_AT_A_TIME = 1000
_NO_ROW_KEY = frozenset("/\\#?")
"""https://learn.microsoft.com/rest/api/storageservices/understanding-the-table-service-data-model"""


class AzureGroups:
    """Boards and cards in the table `groups`; a board's version is its row's etag. Raises StoreError."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def board(self, stream: str, destination: str) -> Board:
        """The board of a destination; an empty one where nothing is kept yet."""
        row = await self._table.find(_partition(stream, destination), _BOARD)
        return replace(decode(_BOARD, unpacked(row["body"])), version=version_of(row)) if row is not None else Board()

    async def find(
        self,
        stream: str,
        destination: str,
        *,
        members: Collection[str] = (),
        groups: Collection[str] = (),
        slots: Collection[str] = (),
    ) -> Cards:
        """Those of some cards that are on a board."""
        asked = list(zip(TYPES, (members, groups, slots), strict=True))
        partition = _partition(stream, destination)
        rows = await self._table.find_all(
            ((partition, _row(type, key)) for type, keys in asked for key in keys), ("RowKey", "body")
        )
        found: dict[str, dict[str, Any]] = {type: {} for type in TYPES}
        for (_, name), row in rows.items():
            type, _, key = name.partition(":")
            found[type][key] = decode(type, unpacked(row["body"]))
        return Cards(*found.values())

    async def standing_groups(self, stream: str, destination: str) -> Mapping[str, GroupCard]:
        """The groups of a board in which somebody stands."""
        partition = quoted(_partition(stream, destination))
        # Up to the sign that follows the colon.
        groups = "RowKey ge 'GroupCard:' and RowKey lt 'GroupCard;'"
        standing = f"PartitionKey eq '{partition}' and {groups} and standing gt 0"
        rows = [row async for row in self._table.query(standing, ("RowKey", "body"))]
        return {str(row["RowKey"]).partition(":")[2]: decode("GroupCard", unpacked(row["body"])) for row in rows}

    async def write(self, stream: str, destination: str, board: Board, cards: Cards) -> bool:
        """Writes a board and some of its cards, all or none of it; False if somebody wrote the board meanwhile."""
        partition = _partition(stream, destination)
        head = {"PartitionKey": partition, "RowKey": _BOARD, "body": _packed(replace(board, version=None))}
        first = Step("create", head) if board.version is None else Step("replace", head, str(board.version))
        others = (
            Step(
                "put",
                {
                    "PartitionKey": partition,
                    "RowKey": _row(type, key),
                    "standing": standing_of(card),
                    "at": sorting(at_of(card)),
                    "body": _packed(card),
                },
            )
            for type, key, card in typed(cards)
        )
        (written,) = await self._table.write([(first, *others)])
        return written is not None

    async def standing(self, keys: Collection[str]) -> Collection[str]:
        """Those of some groups, by their keys, that still stand."""
        return {key for key, row in (await self._anywhere("GroupCard", keys)).items() if row["standing"]}

    async def has_any(self, keys: Collection[str]) -> Collection[str]:
        """Those of some signals that still have a card on any board."""
        return (await self._anywhere("MemberCard", keys)).keys()

    async def _anywhere(self, type: str, keys: Collection[str]) -> dict[str, Entity]:
        """The cards of a type on whichever board they are."""
        boards = [row["PartitionKey"] async for row in self._table.query(f"RowKey eq '{_BOARD}'", ("PartitionKey",))]
        sound = [_row(type, key) for key in keys if not _NO_ROW_KEY.intersection(key)]
        found: dict[str, Entity] = {}
        for some in batched(sound, _AT_A_TIME, strict=False):
            rows = await self._table.find_all(
                [(board, row) for board in boards for row in some], ("RowKey", "standing")
            )
            found |= {name.partition(":")[2]: row for (_, name), row in rows.items()}
        return found

    async def forget(self, before: datetime) -> None:
        """Takes away the cards of what is over since before an instant. Walks the table."""
        over = f"standing eq 0 and at le '{sorting(before)}'"
        rows = [row async for row in self._table.query(over, ("PartitionKey", "RowKey"))]
        await self._table.write([(Step("delete", row, version_of(row)),) for row in rows])


def _packed(value: Board | Card) -> bytes:
    # What cards keep of messages is bounded, so that packed it always fits into its column.
    return zlib.compress(encode(value))


def _partition(stream: str, destination: str) -> str:
    return f"{stream}.{destination}"


def _row(type: str, key: str) -> str:
    return f"{type}:{key}"
