"""The boards of grouped destinations in a table: a partition for each, so that a board and its cards change together."""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import batched
from typing import Any

from router.domain.damage import Past
from router.domain.errors import Undecodable
from router.domain.groups import Board, Cards, GroupCard, MemberCard
from router.store.azure.bodies import unpacked
from router.store.azure.damaged_rows import Aside
from router.store.azure.shards import sorting
from router.store.azure.tables import Entity, Step, Table, quoted, version_of
from router.store.cards import TYPES, Card, at_of, card_of, mended_board, mended_card, standing_of, typed
from router.store.codec import attempt, decode, encode
from router.store.forms import BOARD, GROUP_CARD, MEMBER_CARD

type PastFor = Callable[[Collection[str]], Awaitable[Mapping[str, Sequence[Past]]]]
"""Tells which deliveries were ever owed for some keys."""

_STANDING = f"RowKey ge '{GROUP_CARD}:' and RowKey lt '{GROUP_CARD};' and not (standing eq 0)"
"""The cards of groups in which somebody stands, up to the sign that follows the colon."""

_COLUMN = 64 * 1024
_BODY = ("body", *(f"body{number}" for number in range(1, 15)))
"""The columns of a board, and the bytes that each holds; a row holds 1 MiB."""

_AT_A_TIME = 1000
_NO_ROW_KEY = frozenset("/\\#?")
"""https://learn.microsoft.com/rest/api/storageservices/understanding-the-table-service-data-model"""


class AzureGroups:
    """Boards and cards in the table `groups`; a board's version is its row's etag. Raises StoreError."""

    def __init__(self, table: Table, aside: Aside, past: PastFor) -> None:
        self._table = table
        self._aside = aside
        self._past = past

    async def board(self, stream: str, destination: str) -> Board:
        """The board of a destination; an empty one where nothing is kept yet."""
        while (row := await self._table.find(_partition(stream, destination), BOARD)) is not None:
            board = attempt(_board, row)
            if isinstance(board, Board):
                return board
            # It begins anew, with what its cards know.
            await self._aside.put("groups", row, board, stream)
            mended = replace(mended_board(await self.standing_groups(stream, destination)), version=version_of(row))
            await self.write(stream, destination, mended, Cards())
        return Board()

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
        rows = await self._table.find_all((partition, _row(type, key)) for type, keys in asked for key in keys)
        found: dict[str, dict[str, Any]] = {type: {} for type in TYPES}
        for (_, name), row in rows.items():
            type, _, key = name.partition(":")
            read = attempt(_card, type, row)
            card = await self._mend(stream, type, key, row, read) if isinstance(read, Undecodable) else read
            if card is not None:
                found[type][key] = card
        return Cards(*found.values())

    async def standing_groups(self, stream: str, destination: str) -> Mapping[str, GroupCard]:
        """The groups of a board in which somebody stands."""
        of_board = f"PartitionKey eq '{quoted(_partition(stream, destination))}' and {_STANDING}"
        keys = [str(row["RowKey"]).partition(":")[2] async for row in self._table.query(of_board, ("RowKey",))]
        found = await self.find(stream, destination, groups=keys)
        return {key: card for key, card in found.groups.items() if card.group.standing > 0}

    async def destinations(self, stream: str) -> Collection[str]:
        """The destinations of a stream where groups stand, whatever its policy names. Walks all boards."""
        # Up to the sign that follows the dot.
        of_stream = f"PartitionKey ge '{stream}.' and PartitionKey lt '{stream}/' and {_STANDING}"
        return {row["PartitionKey"].partition(".")[2] async for row in self._table.query(of_stream, ("PartitionKey",))}

    async def _mend(self, stream: str, type: str, key: str, row: Entity, why: Undecodable) -> Card | None:
        """Puts a damaged card aside, and in its place what the others on its board know of it."""
        await self._aside.put("groups", row, why, stream)
        partition = row["PartitionKey"]
        others: list[tuple[str, Card]] = []
        async for other in self._table.rows(partition):
            kind, _, name = other["RowKey"].partition(":")
            if kind in TYPES and not isinstance(card := attempt(_card, kind, other), Undecodable):
                others.append((name, card))
        past = (await self._past([key])).get(key, ()) if type == GROUP_CARD else ()
        mended = mended_card(type, key, others, past, self._aside.clock())
        place = {"PartitionKey": partition, "RowKey": row["RowKey"]}
        step = Step("delete", place) if mended is None else Step("replace", _card_row(partition, type, key, mended))
        await self._table.write([(replace(step, etag=version_of(row)),)])
        return mended

    async def joined(self, key: str) -> dict[str, int]:
        """Where a signal stands in groups, and with which of its turns, by destination."""
        found: dict[str, int] = {}
        for row in await self._rows_anywhere(MEMBER_CARD, [key]):
            card = attempt(_card, MEMBER_CARD, row)
            if isinstance(card, MemberCard) and card.stands:
                found[row["PartitionKey"].partition(".")[2]] = card.turn
        return found

    async def write(self, stream: str, destination: str, board: Board, cards: Cards) -> bool:
        """Writes a board and some of its cards, all or none of it; False if somebody wrote the board meanwhile."""
        partition = _partition(stream, destination)
        head = {"PartitionKey": partition, "RowKey": BOARD, **_in_columns(_packed(replace(board, version=None)))}
        first = Step("create", head) if board.version is None else Step("replace", head, str(board.version))
        others = (Step("put", _card_row(partition, type, key, card)) for type, key, card in typed(cards))
        (written,) = await self._table.write([(first, *others)])
        return written is not None

    async def standing(self, keys: Collection[str]) -> Collection[str]:
        """Those of some groups, by their keys, that still stand."""
        return {key for key, row in (await self._anywhere(GROUP_CARD, keys)).items() if row.get("standing") != 0}

    async def has_any(self, keys: Collection[str]) -> Collection[str]:
        """Those of some signals that still have a card on any board."""
        return (await self._anywhere(MEMBER_CARD, keys)).keys()

    async def _anywhere(self, type: str, keys: Collection[str]) -> dict[str, Entity]:
        """The cards of a type on whichever board they are."""
        rows = await self._rows_anywhere(type, keys, ("RowKey", "standing"))
        return {row["RowKey"].partition(":")[2]: row for row in rows}

    async def _rows_anywhere(
        self, type: str, keys: Collection[str], select: Collection[str] | None = None
    ) -> list[Entity]:
        boards = [row["PartitionKey"] async for row in self._table.query(f"RowKey eq '{BOARD}'", ("PartitionKey",))]
        sound = [_row(type, key) for key in keys if not _NO_ROW_KEY.intersection(key)]
        found: list[Entity] = []
        for some in batched(sound, _AT_A_TIME, strict=False):
            found += (await self._table.find_all([(board, row) for board in boards for row in some], select)).values()
        return found

    async def forget(self, before: datetime) -> None:
        """Takes away the cards of what is over since before an instant. Walks the table."""
        over = f"standing eq 0 and at le '{sorting(before)}'"
        rows = [row async for row in self._table.query(over, ("PartitionKey", "RowKey"))]
        await self._table.write([(Step("delete", row, version_of(row)),) for row in rows])


def _board(row: Entity) -> Board:
    parts = [row[name] for name in _BODY if name in row]
    board: Board = decode(BOARD, unpacked(b"".join(parts) if all(isinstance(one, bytes) for one in parts) else None))
    return replace(board, version=version_of(row))


def _in_columns(packed: bytes) -> Entity:
    """A board as columns: it remembers the openings of every owner's pager, and all that wait."""
    starts = range(0, len(packed), _COLUMN)
    return {name: packed[start : start + _COLUMN] for name, start in zip(_BODY, starts, strict=False)}


def _card(type: str, row: Entity) -> Card:
    return card_of(type, unpacked(row.get("body")))


def _card_row(partition: str, type: str, key: str, card: Card) -> Entity:
    return {
        "PartitionKey": partition,
        "RowKey": _row(type, key),
        "standing": standing_of(card),
        "at": sorting(at_of(card)),
        "body": _packed(card),
    }


def _packed(value: Board | Card) -> bytes:
    # What cards keep of messages is bounded, so that packed it always fits into its column.
    return zlib.compress(encode(value))


def _partition(stream: str, destination: str) -> str:
    return f"{stream}.{destination}"


def _row(type: str, key: str) -> str:
    return f"{type}:{key}"
