"""Changes: what people did to silences, destinations, dead letters and the quarantine. Append only; each stays 400 days."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from router.domain.documents import StoredDocument
from router.domain.readable import timestamp
from router.domain.values import Value
from router.store.codec import EPOCH, MOST, RowForm, decode, insert
from router.store.documents import put_document
from router.store.partitions import free_partitions
from router.store.quarantine import read_sound
from router.store.store import Transaction


class ChangeAction(StrEnum):
    """What a person did. Its values are stored.

    What ends by itself is no change: the last one says when.
    """

    SILENCE_MADE = "silence_made"
    SILENCE_EXTENDED = "silence_extended"
    SILENCE_ENDED = "silence_ended"
    REDRIVEN = "redriven"
    DEAD_LETTERS_DISCARDED = "dead_letters_discarded"
    RETAKEN = "retaken"
    QUARANTINE_DISCARDED = "quarantine_discarded"
    HELD = "held"
    RELEASED = "released"
    BODY_SHOWN = "body_shown"
    RESTORED = "restored"


class ChangeEntry(Value, kw_only=True):
    """What a person did to one thing.

    Attributes:
        stream: None where that is not known.
        subject: the id of the silence, the delivery or the entry in quarantine; of a destination the name.
        reason: why, in that person's words; empty where nothing was said.
        detail: what else is worth knowing, such as since then when a silence `ends`.
        number: its number in the order in which changes were written; 0 before it is.
    """

    at: datetime
    author: str
    action: ChangeAction
    stream: str | None
    subject: str
    reason: str = ""
    detail: Mapping[str, str] = {}
    number: int = 0


_CHANGE = RowForm(ChangeEntry, {"detail": lambda row: decode(dict[str, str], row.text("detail").encode())}, ["number"])
_INSERT = insert("changes", _CHANGE.columns)
_LATEST = "SELECT * FROM changes WHERE place<? AND at>=? {more}ORDER BY place DESC LIMIT ?"
_AUTHORS = "SELECT DISTINCT author FROM changes WHERE at>=? AND author<>'' ORDER BY author LIMIT ?"
_KNOWN = """
SELECT coalesce((SELECT max(at) FROM sweeps), (SELECT at FROM decisions ORDER BY place DESC LIMIT 1),
                (SELECT max(at) FROM changes)) AS known
"""
_ABOUT = "SELECT * FROM changes WHERE subject = ANY(?) ORDER BY place"


async def write_change(tx: Transaction, change: ChangeEntry) -> None:
    """Put on record what a person did, in the transaction in which it is done."""
    await tx.write(_INSERT, *_CHANGE.values(change))


async def write_restore(tx: Transaction, grace: timedelta = timedelta()) -> None:
    """Put on record that the state is again as it was when it was written to last, unless that is less than `grace` ago.

    All sessions end: some of them had. Who read a partition then is not there any more.
    """
    known = (await tx.fetch(_KNOWN))[0].find_time("known")
    if known is not None and tx.now - (known := min(known, tx.now)) >= grace:
        await tx.write("UPDATE sessions SET until=?, seen=0", tx.now)
        await free_partitions(tx)
        word, detail = ChangeAction.RESTORED, {"until": timestamp(known)}
        await write_change(tx, ChangeEntry(at=tx.now, author="", action=word, stream=None, subject=word, detail=detail))


async def find_last_restore(tx: Transaction) -> datetime | None:
    """Return when the state was put back last as it was before; None where it never was."""
    changes = (await find_changes(tx, [ChangeAction.RESTORED])).get(ChangeAction.RESTORED, ())
    return max((one.at for one in changes if one.action is ChangeAction.RESTORED), default=None)


async def put_with_change(tx: Transaction, document: StoredDocument, change: ChangeEntry) -> bool:
    """Write a document and who changed it; False if another worker was faster, and then neither."""
    is_written = await put_document(tx, document) is not None
    if is_written:
        await write_change(tx, change)
    return is_written


async def list_changes(
    tx: Transaction, before: int | None, most: int, *, since: datetime = EPOCH, author: str = ""
) -> Sequence[ChangeEntry]:
    """Return changes, the latest first: those before a number, or from the last one on, and no more than so many.

    They are those since an instant, of an author where one is named.
    """
    more, values = ("AND author=? ", [author]) if author else ("", [])
    return await _read(tx, _LATEST.format(more=more), MOST if before is None else before, since, *values, most)


async def list_authors(tx: Transaction, since: datetime, most: int) -> Sequence[str]:
    """Return who changed anything since an instant, by name, and no more than so many."""
    return [row.words("author") for row in await tx.fetch(_AUTHORS, since, most)]


async def find_changes(tx: Transaction, subjects: Collection[str]) -> Mapping[str, Sequence[ChangeEntry]]:
    """Return the changes of some subjects, by these, the earliest first."""
    found: defaultdict[str, list[ChangeEntry]] = defaultdict(list)
    for change in await _read(tx, _ABOUT, list(subjects)) if subjects else []:
        found[change.subject].append(change)
    return found


async def _read(tx: Transaction, sql: str, *values: object) -> list[ChangeEntry]:
    return await read_sound(tx, "changes", sql, values, lambda row: _CHANGE.read(row, number=row.whole("place")))
