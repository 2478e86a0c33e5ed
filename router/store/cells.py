"""Cells of counts as they are stored: a JSON array of texts."""

from __future__ import annotations

from typing import Any

import orjson

from router.domain.counts import Cell
from router.domain.errors import Undecodable

_TEXTS = 6
"""Parts of a cell that are one text each; the two after them are lists of texts."""


def text_of(cell: Cell) -> str:
    """A cell as it is stored."""
    return orjson.dumps(tuple(cell)).decode()


def cell_in(text: str) -> Cell:
    """The cell that was stored so; raises Undecodable."""
    try:
        parts: Any = orjson.loads(text)
    except orjson.JSONDecodeError as fault:
        raise Undecodable("cell: is no JSON") from fault
    if not isinstance(parts, list) or len(parts) != len(Cell._fields):
        raise Undecodable("cell: is no cell")
    texts, lists = parts[:_TEXTS], parts[_TEXTS:]
    if not _are_texts(texts) or not all(isinstance(one, list) and _are_texts(one) for one in lists):
        raise Undecodable("cell: is no cell")
    return Cell(*texts, *map(tuple, lists))


def _are_texts(values: list[Any]) -> bool:
    return all(isinstance(value, str) for value in values)
