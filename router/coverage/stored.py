"""What the router itself knows, as documents of the gate: what messages said, when sources were last heard of, drills. Pure.

All that one state holds is one document in the report: of an estate there may be thousands of facts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

from router.coverage.documents import CoverageDocument, Item, Refusal
from router.coverage.workloads import OFF_CLUSTERS, OFF_MACHINES, excluding
from router.domain.coverage_sources import LastHeard
from router.domain.documents import DocumentKind, StoredDocument
from router.domain.source_turns import KnownSource, SourceWatch
from router.store.documents import TagsById, find_tags_in, find_watch

READ_KINDS = (DocumentKind.FACT, DocumentKind.TAGS, DocumentKind.SILENT_SOURCES)
"""The kinds of stored documents that say something of coverage."""

KEY = "alertRouter"
"""The key under which an object that the router wrote says what it is: one of these."""

SOURCE = "source"
WATCH = "watch"
DRILL = "drill"
TAGS = "tags"

NO_INSTANT = ""
"""When something was known that does not say it: it has an age, which is not known."""

_EMPTY = "holds no facts of coverage yet: a router that takes recommendations in writes them"


def documents_of_state(
    name: str, stored: Sequence[StoredDocument], sources: Sequence[KnownSource] = ()
) -> Iterator[CoverageDocument]:
    """The documents of a state, all of one name, so that they count as one; at least one."""
    heard = tuple(_source_item(name, one.heard) for one in sources if one.heard.last is not None)
    yield CoverageDocument(name=name, items=heard, why_empty="" if stored or heard else _EMPTY)
    since = {one.heard.source.id: one.since.isoformat() for one in sources if one.since is not None}
    for one in stored:
        yield _document(name, one, since)


def _document(name: str, stored: StoredDocument, since: Mapping[str, str]) -> CoverageDocument:
    where = f"{name} {stored.id}"
    if stored.kind is DocumentKind.TAGS:
        tags = find_tags_in(stored)
        return (
            _damaged(name, stored) if tags is None else CoverageDocument(name=name, items=tuple(_tag_items(name, tags)))
        )
    if stored.kind is DocumentKind.SILENT_SOURCES:
        watch = find_watch(stored)
        return (
            _damaged(name, stored)
            if watch is None
            else CoverageDocument(name=name, items=(_watch_item(where, watch, since),))
        )
    try:
        value = json.loads(stored.body)
    except (ValueError, RecursionError):
        return _damaged(name, stored)
    return CoverageDocument(name=name, items=tuple(_items(where, value)))


def _damaged(name: str, stored: StoredDocument) -> CoverageDocument:
    reason = f"{stored.id} is damaged and cannot be read"
    return CoverageDocument(name=name, refusals=(Refusal(f"{name} {stored.id}", reason),))


def _tag_items(name: str, tags: TagsById) -> Iterator[Item]:
    """The tags of the resources that have one which keeps a sensor off: of an estate few of a hundred thousand."""
    for id, one in tags.items():
        if excluding(one.tags, OFF_CLUSTERS | OFF_MACHINES):
            body = {KEY: TAGS, "resource": id, "tags": dict(one.tags)}
            yield Item(body=body, document=f"{name} tags of {id}", known_at=one.read.isoformat())


def _source_item(name: str, heard: LastHeard) -> Item:
    """When a source was last heard of."""
    times = {sort: getattr(heard, sort) for sort in ("posture", "snapshot", "healthy", "alert", "real_alert")}
    body = {
        KEY: SOURCE,
        **heard.source._asdict(),
        "subscription": heard.subscription,
        **{sort: time.isoformat() for sort, time in times.items() if time is not None},
        "by_watcher": [{"at": one.at.isoformat(), "type": one.type} for one in heard.by_watcher],
    }
    return Item(body=body, document=f"{name} {heard.source.id}", known_at=NO_INSTANT)


def _watch_item(where: str, watch: SourceWatch, since: Mapping[str, str]) -> Item:
    """From when on the silence of sources counts, as the sweep counts it."""
    body = {KEY: WATCH, "anew": watch.anew.isoformat(), "since": since}
    return Item(body=body, document=where, known_at=watch.taken.isoformat())


def _items(where: str, value: object) -> Iterator[Item]:
    """The objects of a body: a list of them, or one alone. They say what was heard, and never that it is all there is."""
    listed: Iterable[object] = value if isinstance(value, list) else [value]
    for number, one in enumerate(listed):
        if isinstance(one, Mapping):
            at = f"{where} [{number}]" if isinstance(value, list) else where
            yield Item(body=one, document=at, known_at=NO_INSTANT)
