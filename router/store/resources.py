"""What was decided of one resource, the latest first, and which resources a text may mean."""

from __future__ import annotations

import re

from router.store.codec import MOST, PageEnd
from router.store.decisions import ending, written
from router.store.store import Transaction

_BEYOND = "\U0010ffff"
"""Sorts after every text that begins as what stands before it."""

# Each resource once, by as many steps along the index, however many signals it has.
_NAMED = """
WITH RECURSIVE ends (name) AS (
    SELECT min(resource_end) FROM lookups WHERE resource_end>=? AND resource_end<?
    UNION ALL
    SELECT (SELECT min(resource_end) FROM lookups WHERE resource_end>ends.name AND resource_end<?) FROM ends
    WHERE name IS NOT NULL
)
SELECT name FROM ends WHERE name IS NOT NULL LIMIT ?
"""
_AT = (
    "SELECT at, signal FROM lookups WHERE resource_end=? AND (at, signal)<(?, ?) ORDER BY at DESC, signal DESC LIMIT ?"
)


async def find_resources(tx: Transaction, text: str, most: int) -> list[str]:
    """Return the resources, in lower case, whose names end so; where the text is the whole last part of some, those alone."""
    if not (end := ending(text)):
        return []
    rows = await tx.fetch(_NAMED, end, end + _BEYOND, end + _BEYOND, most)
    found, name = [written(row.text("name")) for row in rows], written(end)
    return [one for one in found if re.split(r"[/:]", one)[-1] == name or one == name] or found


async def list_at_resource(tx: Transaction, resource: str, after: PageEnd | None, most: int) -> list[PageEnd]:
    """Return the signals at a resource of that whole name after one: the latest first, and no more than so many.

    When each was is when a message on it was last decided that was no repeat.
    """
    rows = await tx.fetch(_AT, ending(resource), *(after or (MOST, "")), most)
    return [PageEnd(row.raw("at"), row.raw("signal")) for row in rows]
