"""What the router itself knows, as documents of the gate: what messages said, when sources were last heard of, drills. Pure.

All that one state holds is one document in a report: of an estate there may be thousands of facts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime

from router.coverage.documents import CoverageDocument, Item, Refusal
from router.coverage.workloads import OFF_CLUSTERS, OFF_MACHINES, excluding
from router.domain.documents import DocumentKind, StoredDocument
from router.domain.source_turns import KnownSource
from router.store.documents import TagsById, find_tags_in, find_watch

READ_KINDS = (DocumentKind.FACT, DocumentKind.TAGS, DocumentKind.SILENT_SOURCES)
"""The kinds of stored documents that say something of coverage."""

KEY = "alertRouter"
"""The key under which an object that the router wrote says what it is: one of these.

Sources and the watch hold values of the domain, which only a state can give: no file says when a source was heard of.
"""

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
    heard = [one.heard for one in sources if one.heard.last is not None]
    items = tuple(
        Item(body={KEY: SOURCE, SOURCE: one}, document=f"{name} {one.source.id}", known_at=NO_INSTANT) for one in heard
    )
    yield CoverageDocument(name=name, items=items, why_empty="" if stored or heard else _EMPTY)
    since = {one.heard.source.id: one.since for one in sources if one.since is not None}
    for document in stored:
        yield _document(name, document, since)


def _document(name: str, stored: StoredDocument, since: Mapping[str, datetime]) -> CoverageDocument:
    where = f"{name} {stored.id}"
    items: Iterable[Item] | None = None
    if stored.kind is DocumentKind.TAGS:
        items = None if (tags := find_tags_in(stored)) is None else _tag_items(name, tags)
    elif stored.kind is DocumentKind.SILENT_SOURCES:
        if (watch := find_watch(stored)) is not None:
            body = {KEY: WATCH, WATCH: watch, "since": since}
            items = [Item(body=body, document=where, known_at=watch.taken.isoformat())]
    else:
        with suppress(ValueError, RecursionError):
            items = _items(where, json.loads(stored.body))
    if items is None:
        return CoverageDocument(name=name, refusals=(Refusal(where, f"{stored.id} is damaged and cannot be read"),))
    return CoverageDocument(name=name, items=tuple(items))


def _tag_items(name: str, tags: TagsById) -> Iterator[Item]:
    """The tags of the resources that have one which keeps a sensor off: of an estate few of a hundred thousand."""
    for id, one in tags.items():
        if excluding(one.tags, OFF_CLUSTERS | OFF_MACHINES):
            body = {KEY: TAGS, "resource": id, "tags": dict(one.tags)}
            yield Item(body=body, document=f"{name} tags of {id}", known_at=one.read.isoformat())


def _items(where: str, value: object) -> Iterator[Item]:
    """The objects of a body: a list of them, or one alone. They say what was heard, and never that it is all there is."""
    listed: Iterable[object] = value if isinstance(value, list) else [value]
    for number, one in enumerate(listed):
        if isinstance(one, Mapping):
            at = f"{where} [{number}]" if isinstance(value, list) else where
            yield Item(body=one, document=at, known_at=NO_INSTANT)
