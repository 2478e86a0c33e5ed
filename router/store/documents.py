"""Documents: silences, holds, tags, facts, and what else is small and read by every worker; and what they say.

A body is the JSON of its value. One that does not decode is None, and costs nothing but itself: such a silence or hold holds
nothing, and such tags are written anew when they are read again. Each thing has its own instant at which its tags were read,
and the later one counts: a reader of a part of a subscription takes nothing from what others read of the rest.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from copy import replace
from datetime import UTC, datetime
from heapq import nlargest
from ipaddress import ip_network
from itertools import groupby
from typing import NamedTuple

from msgspec.structs import astuple

from router.domain.clocks import is_recent
from router.domain.destination_holds import DestinationHold, id_of_hold
from router.domain.documents import DocumentKind, StoredDocument, Version
from router.domain.patterns import AddressRanges
from router.domain.silences import DAYS, Silence
from router.domain.silent_sources import SourceWatch
from router.domain.suppression import Element, Field, Operator
from router.domain.values import Value
from router.store.codec import MOST_STEPS, RowForm, attempt, decode, encode
from router.store.quarantine import read_sound
from router.store.retention import LONGEST
from router.store.store import Transaction

_DOCUMENT = RowForm(StoredDocument, {"version": lambda row: row.whole("version", 1, MOST_STEPS)})
_NEW = "INSERT INTO documents (kind, id, at, body, version) VALUES (?,?,?,?,0) ON CONFLICT (kind, id) DO NOTHING"
_VERSIONS = "SELECT id, version FROM documents WHERE kind=? AND id = ANY(?) ORDER BY id FOR UPDATE"
_WRITE = "UPDATE documents SET at=?, body=?, version=version+1 WHERE kind=? AND id=? AND version=?"


async def put_document(tx: Transaction, document: StoredDocument) -> Version | None:
    """Write a document if its stored version is still `version`; return the new one, None if another worker was faster."""
    return (await put_documents(tx, [document])).get(document.id)


async def put_documents(tx: Transaction, documents: Sequence[StoredDocument]) -> Mapping[str, Version]:
    """Write documents of one kind, each id once; return the new versions of those with which no other worker was faster."""
    if not documents:
        return {}
    kind, ordered = documents[0].kind, sorted(documents, key=lambda one: one.id)
    # A new one is locked as one that is there: first it gets a row, of version 0.
    await tx.write_many(_NEW, [(kind, one.id, one.at, one.body) for one in ordered if not one.version])
    rows = await tx.fetch(_VERSIONS, kind, [one.id for one in ordered])
    stored = {row.raw("id"): row.raw("version") for row in rows}
    won = [one for one in ordered if stored.get(one.id) == (one.version or 0)]
    await tx.write_many(_WRITE, [(one.at, one.body, kind, one.id, stored[one.id]) for one in won])
    return {one.id: stored[one.id] + 1 for one in won}


async def find_document(tx: Transaction, kind: DocumentKind, id: str) -> StoredDocument | None:
    """Return one document."""
    return (await find_documents(tx, kind, [id])).get(id)


async def find_documents(tx: Transaction, kind: DocumentKind, ids: Collection[str]) -> Mapping[str, StoredDocument]:
    """Return those of some documents of a kind that are there, by their ids."""
    found = await _read(tx, "id = ANY(?)", kind, list(ids)) if ids else []
    return {one.id: one for one in found}


async def list_documents(
    tx: Transaction, kind: DocumentKind, since: datetime | None = None
) -> Sequence[StoredDocument]:
    """Return all documents of a kind, or those whose instant is not before another, by their ids."""
    # In no order, which would have SQLite walk all of the kind by their ids, and not the index on instants.
    found = await (_read(tx, "at>=?", kind, since) if since is not None else _read(tx, "TRUE", kind))
    return sorted(found, key=lambda one: one.id)


async def list_documents_under(tx: Transaction, kind: DocumentKind, beginning: str) -> Sequence[StoredDocument]:
    """Return the documents of a kind whose ids begin so."""
    return await _read(tx, "id>=? AND id<?", kind, beginning, f"{beginning[:-1]}{chr(ord(beginning[-1]) + 1)}")


async def _read(tx: Transaction, where: str, kind: DocumentKind, *values: object) -> list[StoredDocument]:
    sql = f"SELECT * FROM documents WHERE kind=? AND {where}"
    return await read_sound(tx, "documents", sql, (kind, *values), _DOCUMENT.read)


class ReadValues[T](NamedTuple):
    """What documents say, in their order, and how many of them do not decode."""

    values: Sequence[T]
    undecodable: int


def find_value[T](kind: type[T], body: bytes) -> T | None:
    """Return the value of a class that a body says; None if it does not decode."""
    value = attempt(decode, kind, body)
    return value if isinstance(value, kind) and _has_sound_times(value) else None


def read_values[T](kind: type[T], documents: Iterable[StoredDocument]) -> ReadValues[T]:
    """Return the values of a class that documents say."""
    found = [find_value(kind, one.body) for one in documents]
    return ReadValues([value for value in found if value is not None], found.count(None))


def read_silences(documents: Iterable[StoredDocument]) -> ReadValues[Silence]:
    """Return the silences that documents hold."""
    found = [find_silence_in(one) for one in documents]
    return ReadValues([silence for silence in found if silence is not None], found.count(None))


def _has_sound_times(value: object) -> bool:
    """Whether each instant in a value has a zone, and is no so near an end of time that reckoning with it fails."""
    if isinstance(value, datetime):
        return value.tzinfo is not None and 1970 <= value.year < 9000
    if isinstance(value, Value):
        value = astuple(value)
    return all(map(_has_sound_times, value)) if isinstance(value, tuple) else True


def document_of_hold(hold: DestinationHold, version: Version | None = None) -> StoredDocument:
    """Return the document of a hold, to be written over a version of it."""
    id = id_of_hold(hold.stream, hold.destination)
    return StoredDocument(kind=DocumentKind.HOLD, id=id, at=hold.ends, body=encode(hold), version=version)


def document_of_watch(stream: str, watch: SourceWatch, version: Version | None = None) -> StoredDocument:
    """Return the document of a stream's looks at its sources, to be written over a version of it."""
    kind = DocumentKind.SILENT_SOURCES
    return StoredDocument(kind=kind, id=stream, at=watch.taken, body=encode(watch), version=version)


class _StoredElement(NamedTuple):
    field: Field
    operator: Operator
    values: tuple[str, ...]
    ranges: tuple[str, ...]


class _StoredSilence(Value, kw_only=True):
    """A silence without its scope, and the scope by itself: it means the same whatever the rules are by then."""

    silence: Silence
    scope: tuple[tuple[_StoredElement, ...], ...]


def document_of_silence(silence: Silence, version: Version | None = None) -> StoredDocument:
    """Return the document of a silence, to be written over a version of it."""
    scope = tuple(
        tuple(
            _StoredElement(one.field, one.operator, tuple(sorted(one.values)), tuple(map(str, one.ranges)))
            for one in group
        )
        for group in silence.groups
    )
    body = encode(_StoredSilence(silence=replace(silence, id="", groups=()), scope=scope))
    return StoredDocument(kind=DocumentKind.SILENCE, id=silence.id, at=silence.end, body=body, version=version)


def find_silence_in(document: StoredDocument) -> Silence | None:
    """Return the silence that a document is; None if it does not decode."""
    stored = find_value(_StoredSilence, document.body)
    try:
        if stored is None or ((every := stored.silence.every) and not every.days < set(range(len(DAYS) + 1))):
            return None
        if not all(group and all(one.values or one.ranges for one in group) for group in stored.scope):
            return None
        groups = tuple(
            tuple(
                Element(field, operator, frozenset(values), AddressRanges.from_networks(map(ip_network, ranges)))
                for field, operator, values, ranges in group
            )
            for group in stored.scope
        )
        # A zone that is not known here raises; one that is called like a directory of zones raises an OSError.
        stored.silence.find_next_window(datetime(2026, 1, 1, tzinfo=UTC))
    except (ValueError, LookupError, OSError):
        return None
    return replace(stored.silence, id=document.id, groups=groups)


MOST_TAGGED = 100_000
"""Things of a subscription whose tags are in its document, those that were read last: half of that, with five tags each, is a
body of 14 MB, or 0.7 MB where the store compresses it."""


class ReadTags(NamedTuple):
    """The tags of a thing, when they were read, by their names in lower case; none where it had none."""

    read: datetime
    tags: Mapping[str, str]


type TagsById = Mapping[str, ReadTags]
"""What was read, by the ids of resources, resource groups and subscriptions, in lower case and without a slash at their end."""


class _StoredTags(Value):
    """For each instant the tags of all things that were read at it, by their ids."""

    reads: tuple[tuple[datetime, Mapping[str, Mapping[str, str]]], ...]


def document_of_tags(
    subscription: str, tags: TagsById, now: datetime, version: Version | None = None
) -> StoredDocument:
    """Return the document of a subscription's tags, to be written over a version of it."""
    ordered = sorted(tags.items(), key=lambda one: (one[1].read, one[0]))
    reads = groupby(ordered, key=lambda one: one[1].read)
    body = encode(_StoredTags(tuple((read, {id: one.tags for id, one in some}) for read, some in reads)))
    newest = ordered[-1][1].read if ordered else now
    return StoredDocument(kind=DocumentKind.TAGS, id=subscription, at=newest, body=body, version=version)


def find_tags_in(document: StoredDocument) -> TagsById | None:
    """Return the tags that a document holds; None if it does not decode."""
    stored = find_value(_StoredTags, document.body)
    if stored is None:
        return None
    return {id: ReadTags(read, tags) for read, some in stored.reads for id, tags in some.items()}


def tags_after(before: TagsById, said: Mapping[str, Mapping[str, str]], now: datetime) -> TagsById:
    """What is known of a subscription after tags of some of it were read; what is too old, or too much, is left out."""
    after = dict(tags_that_count(before, now))
    for id, tags in said.items():
        # Another process may have read it later, and been the first to write.
        if (known := after.get(id)) is None or known.read <= now:
            after[id] = ReadTags(now, tags)
    return dict(nlargest(MOST_TAGGED, after.items(), key=lambda one: (one[1].read, one[0])))


def tags_that_count(tags: TagsById, now: datetime) -> TagsById:
    """Those of some tags that were read within the last 90 days, by a clock that can have been right."""
    return {id: one for id, one in tags.items() if is_recent(one.read, now, LONGEST)}


def by_subscription(said: Mapping[str, Mapping[str, str]]) -> Mapping[str, Mapping[str, Mapping[str, str]]]:
    """Tags by the subscription that each thing is in, or is."""
    found: dict[str, dict[str, Mapping[str, str]]] = {}
    for id, tags in said.items():
        found.setdefault(id.split("/")[2], {})[id] = tags
    return found
