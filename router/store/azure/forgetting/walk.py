"""The slow walk past what no look-up leads to: a page at a step, and where it stands is kept in the journal.

Whoever sweeps goes on where the last one stopped. A page is taken by writing down where the next one begins, before anything
is made of it, so that two workers do not see to one page; what one that died left undone is met in the next round.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple

import orjson

from router.domain.errors import Undecodable
from router.domain.retention import Forgotten
from router.store.azure.damaged_rows import RowQuarantine
from router.store.azure.tables import Step, Table, version_of
from router.store.codec import attempt
from router.store.row_reader import Columns

_PARTITION, _ROW = "forgetting", "walk"

type Token = Mapping[str, str]
"""Where a page begins, in the words of the service."""


class WalkPage[T](NamedTuple):
    """What lies on a page, and where the next one begins; None where it is the last."""

    items: Sequence[T]
    next: Token | None


class Area[T](NamedTuple):
    """A part of the walk.

    Attributes:
        name: what it is called in the journal.
        read: reads the page that begins somewhere.
        see_to: takes away what is old on a page.
    """

    name: str
    read: Callable[[Token | None], Awaitable[WalkPage[T]]]
    see_to: Callable[[Sequence[T]], Awaitable[Forgotten]]


class _Position(NamedTuple):
    """Where the walk stands: in which area, where its page begins, and the version of the row that says so."""

    area: str
    token: Token | None
    version: str | None


class Walk:
    """Walks some areas, one after the other; raises StoreError."""

    def __init__(self, journal: Table, aside: RowQuarantine, areas: Sequence[Area[object]]) -> None:
        self._journal = journal
        self._aside = aside
        self._areas = areas
        self._written: _Position | None = None

    async def go_on(self) -> tuple[Forgotten, bool]:
        """Sees to the next page; returns what was taken away, and whether it was the last of all."""
        # Where another went on meanwhile, the version is there no more.
        position = self._written or await self._read()
        names = [area.name for area in self._areas]
        number = names.index(position.area) if position.area in names else 0
        area = self._areas[number]
        page = await area.read(position.token if position.area == area.name else None)
        is_last = page.next is None and number == len(self._areas) - 1
        after = area.name if page.next is not None else names[(number + 1) % len(names)]
        self._written = await self._write(_Position(after, page.next, position.version))
        if self._written is None:
            # Another worker took the page.
            return Forgotten(), False
        return await area.see_to(page.items), is_last

    async def _read(self) -> _Position:
        row = await self._journal.find(_PARTITION, _ROW)
        if row is None:
            return _Position("", None, None)
        position = attempt(_position_in, Columns(row), version_of(row))
        if isinstance(position, Undecodable):
            await self._aside.put("journal", row, position)
            return _Position("", None, version_of(row))
        return position

    async def _write(self, position: _Position) -> _Position | None:
        """The same with its new version; None where another worker was faster."""
        token = orjson.dumps(dict(position.token)).decode() if position.token is not None else ""
        row = {"PartitionKey": _PARTITION, "RowKey": _ROW, "area": position.area, "token": token}
        step = Step("create", row) if position.version is None else Step("replace", row, position.version)
        (written,) = await self._journal.write([(step,)])
        return position._replace(version=written[0]) if written is not None else None


def _position_in(row: Columns, version: str) -> _Position:
    text = row.find_text("token")
    try:
        token = orjson.loads(text) if text is not None else None
    except orjson.JSONDecodeError as fault:
        raise Undecodable("token: is no JSON") from fault
    if not isinstance(token, dict | None) or (token and not all(isinstance(one, str) for one in token.values())):
        raise Undecodable("token: is no position")
    return _Position(row.text("area"), token, version)
