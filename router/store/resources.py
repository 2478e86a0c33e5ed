"""What was decided of one resource, the latest first, and which resources a text may mean."""

from __future__ import annotations

import re
from typing import NamedTuple

from router.store.codec import MOST
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


class ResourcePlace(NamedTuple):
    """A place in the order of a resource's signals: that of one, after which the next page begins.

    Attributes:
        at: when a message on it was last decided that was no repeat, in microseconds since 1970, UTC.
    """

    at: int
    signal: str

    def __str__(self) -> str:
        """Return it as a URL has it."""
        return f"{self.at}.{self.signal}"

    @classmethod
    def parse(cls, text: str) -> ResourcePlace | None:
        """Return the place that a text is; None where it is none."""
        found = re.fullmatch(r"([0-9]{1,18})\.([!-~]{1,64})", text, re.ASCII)
        return cls(int(found[1]), found[2]) if found is not None else None


async def find_resources(tx: Transaction, text: str, most: int) -> list[str]:
    """Return the resources, in lower case, whose names end so; where the text is the whole last part of some, those alone."""
    if not (end := ending(text)):
        return []
    rows = await tx.fetch(_NAMED, end, end + _BEYOND, end + _BEYOND, most)
    found, name = [written(row.text("name")) for row in rows], written(end)
    return [one for one in found if re.split(r"[/:]", one)[-1] == name or one == name] or found


async def list_at_resource(
    tx: Transaction, resource: str, after: ResourcePlace | None, most: int
) -> list[ResourcePlace]:
    """Return the signals at a resource of that whole name from a place on; the latest first, and no more than so many."""
    rows = await tx.fetch(_AT, ending(resource), *(after or (MOST, "")), most)
    return [ResourcePlace(row.raw("at"), row.raw("signal")) for row in rows]
