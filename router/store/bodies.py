"""What the documents of the state say: silences, holds, tags, and the looks at silent sources.

A body is the JSON of its value. One that does not decode is None, and costs nothing but itself: such a silence or hold holds
nothing, and such tags are written anew when they are read again. Each thing has its own instant at which its tags were read,
and the later one counts: a reader of a part of a subscription takes nothing from what others read of the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from heapq import nlargest
from ipaddress import ip_network
from itertools import groupby
from typing import NamedTuple

from router.domain.clocks import is_recent
from router.domain.destination_holds import DestinationHold, id_of_hold
from router.domain.documents import DocumentKind, StoredDocument, Version
from router.domain.patterns import AddressRange, AddressRanges
from router.domain.silences import DAYS, Silence
from router.domain.source_turns import SourceWatch
from router.domain.suppression import Element, Field, Operator
from router.store.codec import attempt, decode, encode


class ReadValues[T](NamedTuple):
    """What documents say, in their order, and how many of them do not decode."""

    values: Sequence[T]
    undecodable: int


def find_value[T](kind: type[T], body: bytes) -> T | None:
    """Return the value of a class that a body says; None if it does not decode."""
    value = attempt(decode, kind, body, strict=True)
    return value if isinstance(value, kind) and _has_sound_times(value) else None


def read_values[T](documents: Iterable[StoredDocument], find: Callable[[StoredDocument], T | None]) -> ReadValues[T]:
    """Return what is found in documents."""
    found = [find(document) for document in documents]
    values = [value for value in found if value is not None]
    return ReadValues(values, len(found) - len(values))


def _has_sound_times(value: object) -> bool:
    """Whether each instant in a value has a zone, and is no so near an end of time that reckoning with it fails."""
    match value:
        case datetime():
            return value.tzinfo is not None and 1970 <= value.year < 9000
        case tuple():
            return all(map(_has_sound_times, value))
        case _ if is_dataclass(value):
            return all(_has_sound_times(getattr(value, one.name)) for one in fields(value))
        case _:
            return True


def document_of_hold(hold: DestinationHold, version: Version | None = None) -> StoredDocument:
    """Return the document of a hold, to be written over a version of it."""
    id = id_of_hold(hold.stream, hold.destination)
    return StoredDocument(kind=DocumentKind.HOLD, id=id, at=hold.ends, body=encode(hold), version=version)


def find_hold_in(document: StoredDocument) -> DestinationHold | None:
    """Return the hold that a document has; None if it does not decode."""
    return find_value(DestinationHold, document.body)


def read_holds(documents: Iterable[StoredDocument]) -> ReadValues[DestinationHold]:
    """Return the holds that documents have, those that are over among them."""
    return read_values(documents, find_hold_in)


def document_of_watch(stream: str, watch: SourceWatch, version: Version | None = None) -> StoredDocument:
    """Return the document of a stream's looks at its sources, to be written over a version of it."""
    kind = DocumentKind.SILENT_SOURCES
    return StoredDocument(kind=kind, id=stream, at=watch.taken, body=encode(watch), version=version)


def find_watch(document: StoredDocument) -> SourceWatch | None:
    """Return what a document says of the looks; None if it does not decode."""
    return find_value(SourceWatch, document.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class _StoredElement:
    field: str
    operator: Operator
    values: tuple[str, ...] = ()
    ranges: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _StoredSilence:
    """A silence without its scope, and the scope by itself: it means the same whatever the rules are by then."""

    silence: Silence
    scope: tuple[tuple[_StoredElement, ...], ...]


def document_of_silence(silence: Silence, version: Version | None = None) -> StoredDocument:
    """Return the document of a silence, to be written over a version of it."""
    scope = tuple(tuple(map(_stored_element, group)) for group in silence.groups)
    body = encode(_StoredSilence(silence=replace(silence, id="", groups=()), scope=scope))
    return StoredDocument(kind=DocumentKind.SILENCE, id=silence.id, at=silence.end, body=body, version=version)


def find_silence_in(document: StoredDocument) -> Silence | None:
    """Return the silence that a document is; None if it does not decode."""
    stored = find_value(_StoredSilence, document.body)
    try:
        if stored is None or (
            stored.silence.every is not None and not stored.silence.every.days < set(range(len(DAYS) + 1))
        ):
            return None
        groups = tuple(tuple(map(_element_of, group)) for group in stored.scope)
        # A zone that is not known here raises; one that is called like a directory of zones raises an OSError.
        stored.silence.find_next_window(datetime(2026, 1, 1, tzinfo=UTC))
    except (ValueError, LookupError, OSError):
        return None
    return replace(stored.silence, id=document.id, groups=groups) if all(groups) else None


def read_silences(documents: Iterable[StoredDocument]) -> ReadValues[Silence]:
    """Return the silences that documents hold."""
    return read_values(documents, find_silence_in)


def _stored_element(element: Element) -> _StoredElement:
    ranges = tuple(map(str, element.ranges))
    values = tuple(sorted(element.values))
    return _StoredElement(field=str(element.field), operator=element.operator, values=values, ranges=ranges)


def _element_of(stored: _StoredElement) -> Element:
    ranges = AddressRanges.of(AddressRange.of(ip_network(one)) for one in stored.ranges)
    if not stored.values and not ranges:
        raise ValueError("an element without a value")
    prefix, _, path = stored.field.partition(".")
    entity, _, name = path.partition(".")
    field = Field(entity, name) if prefix == "entities" and path else Field(None, stored.field)
    return Element(field, stored.operator, frozenset(stored.values), ranges)


@dataclass(frozen=True, slots=True)
class _TagRead:
    """The tags of all things that were read at one instant, by their ids."""

    read: datetime
    tags: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class _StoredTags:
    reads: tuple[_TagRead, ...]


def document_of_tags(
    subscription: str, tags: TagsById, now: datetime, version: Version | None = None
) -> StoredDocument:
    """Return the document of a subscription's tags, to be written over a version of it."""
    ordered = sorted(tags.items(), key=lambda one: (one[1].read, one[0]))
    reads = groupby(ordered, key=lambda one: one[1].read)
    body = encode(_StoredTags(tuple(_TagRead(read, {id: one.tags for id, one in some}) for read, some in reads)))
    newest = ordered[-1][1].read if ordered else now
    return StoredDocument(kind=DocumentKind.TAGS, id=subscription, at=newest, body=body, version=version)


def find_tags_in(document: StoredDocument) -> TagsById | None:
    """Return the tags that a document holds; None if it does not decode."""
    stored = find_value(_StoredTags, document.body)
    if stored is None:
        return None
    return {id: ReadTags(one.read, tags) for one in stored.reads for id, tags in one.tags.items()}


MOST_TAGGED = 100_000
"""Things of a subscription whose tags are in its document, those that were read last: half of that, with five tags each, is a
body of 14 MB, or 0.7 MB where the store compresses it."""


_TAGS_KEPT = timedelta(days=90)
"""How long tags count after they were read."""


class ReadTags(NamedTuple):
    """The tags of a thing, as they were read.

    Attributes:
        read: when they were.
        tags: their values by their names in lower case; none where the thing had none.
    """

    read: datetime
    tags: Mapping[str, str]


type TagsById = Mapping[str, ReadTags]
"""What was read, by the ids of resources, resource groups and subscriptions, in lower case and without a slash at their end."""


def tags_after(before: TagsById, said: Mapping[str, Mapping[str, str]], now: datetime) -> TagsById:
    """What is known of a subscription after tags of some of it were read; what is too old, or too much, is left out."""
    after = dict(tags_that_count(before, now))
    for id, tags in said.items():
        # Somebody else may have read it later, and been the first to write.
        if (known := after.get(id)) is None or known.read <= now:
            after[id] = ReadTags(now, tags)
    if len(after) <= MOST_TAGGED:
        return after
    return dict(nlargest(MOST_TAGGED, after.items(), key=lambda one: (one[1].read, one[0])))


def tags_that_count(tags: TagsById, now: datetime) -> TagsById:
    """Those of some tags that were read within the last 90 days, by a clock that can have been right."""
    return {id: one for id, one in tags.items() if is_recent(one.read, now, _TAGS_KEPT)}


def by_subscription(said: Mapping[str, Mapping[str, str]]) -> Mapping[str, Mapping[str, Mapping[str, str]]]:
    """Tags by the subscription that each thing is in, or is."""
    sorted_ids = sorted(said, key=_subscription_of)
    return {
        subscription: {id: said[id] for id in ids} for subscription, ids in groupby(sorted_ids, key=_subscription_of)
    }


def _subscription_of(id: str) -> str:
    return id.split("/")[2]
