"""What every worker knows of the state between batches, and reads again when it is old: silences, and tags of resources."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from heapq import nlargest
from typing import NamedTuple

from router.domain.documents import DocumentKind, Version
from router.domain.rulebook import Rulebook
from router.domain.signals import Stream
from router.domain.silences import BREAK, NO_SILENCES, Silences
from router.domain.tags import Tags
from router.store.documents import ReadTags, TagsById, find_tags_in, list_documents, read_silences, tags_that_count
from router.store.retention import LONGEST
from router.store.store import Store

SILENCES_FRESH = timedelta(seconds=15)
"""How long what was read counts: a silence is obeyed within half a minute, and a batch costs no request of its own."""

LATELY = timedelta(days=2)
"""How long after their end silences are still read at least: a release says whose silence held the signal."""


class SilenceReader:
    """Reads the silences of each stream; raises StoreError. One that cannot be read holds nothing.

    `longest` is how long silences may hold the same without a break, for which those that went before are known.
    `ticks` counts seconds, whatever the clock says: a time to decide at may stand still.
    """

    def __init__(
        self, store: Store, longest: timedelta = timedelta(), ticks: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._ticks = ticks
        self._lately = max(LATELY, longest + BREAK)
        self._read_at = datetime.min.replace(tzinfo=UTC)
        self._ticked = 0.0
        self._versions: Mapping[str, Version | None] = {}
        self._silences: Mapping[str, Silences] = {}

    async def silences(self, stream: str, now: datetime) -> Silences:
        """The silences of a stream."""
        is_fresh = (
            abs(now - self._read_at) < SILENCES_FRESH and self._ticks() - self._ticked < SILENCES_FRESH.total_seconds()
        )
        if not is_fresh:
            await self.read_again(now)
        return self._silences.get(stream, NO_SILENCES)

    async def read_again(self, now: datetime) -> None:
        """Reads what the store has by now, however fresh what was read is."""
        ticked = self._ticks()
        async with self._store.session() as tx:
            documents = await list_documents(tx, DocumentKind.SILENCE, now - self._lately)
        self._read_at, self._ticked = now, ticked
        versions = {one.id: one.version for one in documents}
        if versions == self._versions:
            return
        found = read_silences(documents).values
        streams = {silence.stream for silence in found}
        self._silences = {
            stream: Silences.from_list([one for one in found if one.stream == stream]) for stream in streams
        }
        self._versions = versions


TAGS_FRESH = timedelta(minutes=5)
"""How long what was read counts. Tags are read of Azure once a day or so, and no batch waits for them."""

WHOLE = timedelta(days=1)
"""How long it is enough to read what was written since: then all is read again, and what is too old counts no more."""

SLACK = timedelta(hours=1)
"""How much earlier than the last look something may have been read of Azure that was written after it."""

MOST = 200_000
"""Things whose tags are known at a time, those that were read last. 50,000 take 16 MB, since most have the same tags as many
others."""


class TagReader:
    """Gives the rulebook of each stream with the tags of the state beneath those of its files; raises StoreError.

    Where no owners.yaml asks for the tags of the state, the store is never asked. A document that cannot be read says nothing.
    `ticks` counts seconds, whatever the clock says: a time to decide at may stand still.
    """

    def __init__(
        self,
        store: Store,
        rulebooks: Mapping[Stream, Rulebook],
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._of_files = rulebooks
        self._rulebooks = rulebooks
        self._names = frozenset[str]().union(*(book.owners.live_tags for book in rulebooks.values()))
        self._ticks = ticks
        self._look = _Look(datetime.min.replace(tzinfo=UTC), -WHOLE.total_seconds())
        self._whole = self._look
        self._known: dict[str, _SubscriptionTags] = {}

    async def rulebook(self, stream: Stream, now: datetime) -> Rulebook:
        """The rulebook of a stream."""
        if self._names and not self._look.is_within(TAGS_FRESH, now, self._ticks()):
            await self._read_again(now)
        return self._rulebooks[stream]

    async def _read_again(self, now: datetime) -> None:
        look = _Look(now, self._ticks())
        is_whole = not self._whole.is_within(WHOLE, now, look.ticked)
        since = now - LONGEST if is_whole else min(now, self._look.at) - SLACK
        async with self._store.session() as tx:
            documents = await list_documents(tx, DocumentKind.TAGS, since)
        written = [one for one in documents if one.id not in self._known or self._known[one.id].version != one.version]
        there = {one.id for one in documents}
        known = {id: one for id, one in self._known.items() if not is_whole or id in there}
        for one in written:
            known[one.id] = _SubscriptionTags(one.version, self._asked_for(find_tags_in(one) or {}))
            # A large subscription takes half a second; whatever else the process does goes on between two of them.
            await asyncio.sleep(0)
        if is_whole or written:
            self._known = known
            tags = _tags_among(known, now)
            self._rulebooks = {
                stream: book.with_tags(book.owners.tags.over(tags)) if book.owners.live_tags else book
                for stream, book in self._of_files.items()
            }
        self._look = look
        self._whole = look if is_whole else self._whole

    def _asked_for(self, tags: TagsById) -> TagsById:
        """Those that rules name; what has none of them is left out."""
        found: dict[str, ReadTags] = {}
        alike: dict[frozenset[tuple[str, str]], Mapping[str, str]] = {}
        for id, one in tags.items():
            if named := {name: value for name, value in one.tags.items() if name in self._names}:
                found[id] = ReadTags(one.read, alike.setdefault(frozenset(named.items()), named))
        return found


class _SubscriptionTags(NamedTuple):
    """The tags of a subscription that rules name, and the version of the document that said them."""

    version: Version | None
    tags: TagsById


class _Look:
    """When the store was looked at, by the clock and by what counts seconds."""

    def __init__(self, at: datetime, ticked: float) -> None:
        self.at = at
        self.ticked = ticked

    def is_within(self, span: timedelta, now: datetime, ticks: float) -> bool:
        """Whether that was less than a span ago, by either."""
        return abs(now - self.at) < span and ticks - self.ticked < span.total_seconds()


def _tags_among(known: Mapping[str, _SubscriptionTags], now: datetime) -> Tags:
    counted = {id: tags for one in known.values() for id, tags in tags_that_count(one.tags, now).items()}
    if len(counted) > MOST:
        counted = dict(nlargest(MOST, counted.items(), key=lambda one: (one[1].read, one[0])))
    return Tags({id: one.tags for id, one in counted.items()})
