"""The boards of grouped destinations in SQLite."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from router.domain.groups import Board, Cards, GroupCard
from router.store.cards import TYPES, at_of, standing_of, typed
from router.store.codec import decode, encode
from router.store.sqlite.connection import Connection
from router.store.sqlite.schema import micros


class SqliteGroups:
    """Boards in the table `groupings`, and their cards in `cards`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def board(self, stream: str, destination: str) -> Board:
        """The board of a destination; an empty one where nothing is kept yet."""
        with self._connection.reading() as db:
            found = db.execute(
                "SELECT body, version FROM groupings WHERE stream=? AND destination=?", (stream, destination)
            ).fetchone()
        return replace(decode("Board", found[0]), version=found[1]) if found is not None else Board()

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
        asked = zip(TYPES, (members, groups, slots), strict=True)
        return Cards(*(self._cards(stream, destination, type, keys) for type, keys in asked))

    def _cards(self, stream: str, destination: str, type: str, keys: Collection[str]) -> dict[str, Any]:
        if not keys:
            return {}
        sql = (
            "SELECT key, body FROM cards WHERE stream=? AND destination=? AND type=? "
            "AND key IN (SELECT value FROM json_each(?))"
        )
        with self._connection.reading() as db:
            found = db.execute(sql, (stream, destination, type, json.dumps(list(keys)))).fetchall()
        return {key: decode(type, body) for key, body in found}

    async def standing_groups(self, stream: str, destination: str) -> Mapping[str, GroupCard]:
        """The groups of a board in which somebody stands."""
        sql = "SELECT key, body FROM cards WHERE stream=? AND destination=? AND type='GroupCard' AND standing>0"
        with self._connection.reading() as db:
            found = db.execute(sql, (stream, destination)).fetchall()
        return {key: decode("GroupCard", body) for key, body in found}

    async def write(self, stream: str, destination: str, board: Board, cards: Cards) -> bool:
        """Writes a board and some of its cards, all or none of it; False if somebody wrote the board meanwhile."""
        with self._connection.writing() as db:
            version = int(board.version or 0)
            body = encode(replace(board, version=None))
            if version == 0:
                sql = (
                    "INSERT INTO groupings (body, version, stream, destination) VALUES (?,1,?,?) ON CONFLICT DO NOTHING"
                )
                written = db.execute(sql, (body, stream, destination)).rowcount
            else:
                sql = "UPDATE groupings SET body=?, version=version+1 WHERE stream=? AND destination=? AND version=?"
                written = db.execute(sql, (body, stream, destination, version)).rowcount
            if written:
                db.executemany(
                    "INSERT OR REPLACE INTO cards (stream, destination, type, key, standing, at, body) "
                    "VALUES (?,?,?,?,?,?,?)",
                    [
                        (stream, destination, type, key, standing_of(card), micros(at_of(card)), encode(card))
                        for type, key, card in typed(cards)
                    ],
                )
        return bool(written)
