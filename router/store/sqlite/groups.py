"""The boards of grouped destinations in SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from router.domain.damage import Past
from router.domain.errors import Undecodable
from router.domain.groups import Board, Cards, GroupCard, MemberCard
from router.store.cards import TYPES, Card, at_of, card_of, mended_board, mended_card, standing_of, typed
from router.store.codec import attempt, decode, encode
from router.store.columns import MOST_STEPS, Columns, is_sound
from router.store.forms import BOARD, GROUP_CARD, MEMBER_CARD
from router.store.sqlite.connection import Clock, Connection
from router.store.sqlite.damaged_rows import set_aside, sound, take_out
from router.store.sqlite.schema import micros
from router.store.sqlite.selecting import columns_of

type PastFor = Callable[[Collection[str]], Mapping[str, Sequence[Past]]]
"""Tells which deliveries were ever owed for some keys."""


class SqliteGroups:
    """Boards in the table `groupings`, and their cards in `cards`."""

    def __init__(self, connection: Connection, clock: Clock, past: PastFor) -> None:
        self._connection = connection
        self._clock = clock
        self._past = past

    async def board(self, stream: str, destination: str) -> Board:
        """The board of a destination; an empty one where nothing is kept yet."""
        where, place = "stream=? AND destination=?", (stream, destination)
        if found := sound(self._connection, self._clock, "groupings", where, place, _board):
            return found[0]
        # One that was damaged begins anew, with what its cards know.
        board = mended_board(await self.standing_groups(stream, destination))
        if board == Board() or not await self.write(stream, destination, board, Cards()):
            return board
        return replace(board, version=1)

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
        where = "stream=? AND destination=? AND type=? AND key IN (SELECT value FROM json_each(?))"
        values = (stream, destination, type, json.dumps(list(keys)))
        with self._connection.reading() as db:
            rows = columns_of(db.execute(f"SELECT * FROM cards WHERE {where}", values))  # noqa: S608
        read = {row.text("key"): (row, attempt(_card, row)) for row in rows}
        damaged = {key: one for key, one in read.items() if isinstance(one[1], Undecodable)}
        cards = {key: card for key, (_, card) in read.items() if key not in damaged}
        # A group is asked for by who is in it, so that one that is not there was damaged.
        gone = [key for key in keys if key not in read] if type == GROUP_CARD else []
        if damaged or gone:
            cards |= self._mended(stream, destination, type, damaged, gone)
        return cards

    def _mended(
        self,
        stream: str,
        destination: str,
        type: str,
        damaged: Mapping[str, tuple[Columns, Any]],
        gone: Sequence[str],
    ) -> dict[str, Any]:
        """Sets damaged cards aside, and puts in the place of each what the others on the board know of it."""
        with self._connection.writing() as db:
            for row, fault in damaged.values():
                set_aside(db, self._clock, "cards", row, fault)
                take_out(db, "cards", row)
            rows = columns_of(db.execute("SELECT * FROM cards WHERE stream=? AND destination=?", (stream, destination)))
            read = [attempt(_keyed, row) for row in rows]
            others = [one for one in read if not isinstance(one, Undecodable)]
            lost = [*damaged, *gone]
            past = self._past(lost) if type == GROUP_CARD else {}
            cards = {key: mended_card(type, key, others, past.get(key, ()), self._clock()) for key in lost}
            known = {key: card for key, card in cards.items() if card is not None}
            _put(db, stream, destination, [(type, key, card) for key, card in known.items()])
        return known

    async def standing_groups(self, stream: str, destination: str) -> Mapping[str, GroupCard]:
        """The groups of a board in which somebody stands."""
        sql = "SELECT key FROM cards WHERE stream=? AND destination=? AND type=? AND standing<>0"
        with self._connection.reading() as db:
            keys = [
                key
                for (key,) in db.execute(sql, (stream, destination, GROUP_CARD))
                if isinstance(key, str) and is_sound(key)
            ]
        cards = self._cards(stream, destination, GROUP_CARD, keys)
        return {key: card for key, card in cards.items() if card.group.standing > 0}

    async def destinations(self, stream: str) -> Collection[str]:
        """The destinations of a stream where groups stand, whatever its policy names. Walks all boards."""
        sql = "SELECT DISTINCT destination FROM cards WHERE stream=? AND type=? AND standing<>0"
        with self._connection.reading() as db:
            return [
                name for (name,) in db.execute(sql, (stream, GROUP_CARD)) if isinstance(name, str) and is_sound(name)
            ]

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
                _put(db, stream, destination, typed(cards))
        return bool(written)

    def joined(self, keys: Collection[str]) -> Mapping[str, Mapping[str, int]]:
        """Where some signals stand in groups, and with which of their turns, by key and destination."""
        with self._connection.reading() as db:
            rows = columns_of(
                db.execute(
                    "SELECT * FROM cards WHERE type=? AND key IN (SELECT value FROM json_each(?))",
                    (MEMBER_CARD, json.dumps(list(keys))),
                )
            )
        found: dict[str, dict[str, int]] = {}
        for row in rows:
            card = attempt(_card, row)
            if isinstance(card, MemberCard) and card.stands:
                found.setdefault(row.text("key"), {})[row.words("destination")] = card.turn
        return found


def _put(db: sqlite3.Connection, stream: str, destination: str, cards: Iterable[tuple[str, str, Card]]) -> None:
    db.executemany(
        "INSERT OR REPLACE INTO cards (stream, destination, type, key, standing, at, body) VALUES (?,?,?,?,?,?,?)",
        [
            (stream, destination, type, key, standing_of(card), micros(at_of(card)), encode(card))
            for type, key, card in cards
        ],
    )


def _board(row: Columns) -> Board:
    board: Board = decode(BOARD, row.body("body"))
    return replace(board, version=row.whole("version", 1, MOST_STEPS))


def _keyed(row: Columns) -> tuple[str, Card]:
    return row.text("key"), _card(row)


def _card(row: Columns) -> Any:
    return card_of(row.text("type"), row.body("body"))
