"""One drill of one subject at a time: two cannot tell their samples apart, and would dismiss each other's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta

from router.domain import own_objects
from router.domain.clocks import is_possible
from router.domain.document_bodies import BodyFields, body_of, find_in_body
from router.domain.documents import DocumentKind, StoredDocument
from router.domain.errors import BadUsage, StoreError
from router.domain.timestamps import timestamp
from router.drill.results import result_id
from router.drill.subjects import DrillSubject
from router.store.documents import find_document, put_document, remove_document
from router.store.store import Store

AFTER = timedelta(minutes=10)
"""How long a drill may take beside the time in which it follows its alerts."""


@asynccontextmanager
async def alone(store: Store, subject: DrillSubject, now: datetime, within: timedelta) -> AsyncIterator[None]:
    """A context in which no other drill of a subject begins by the same state.

    Raises BadUsage where one is under way, and StoreError. One whose process was killed is under way until its time is over.
    """
    id = f"under-way:{result_id(subject)}"
    async with store.session() as tx:
        found = await find_document(tx, DocumentKind.FACT, id)
    until = find_in_body(found.body, _until_in) if found is not None else None
    # One that a wrong clock set would stand in the way for ever.
    if until is not None and until > now and is_possible(until, now, _LONGEST):
        raise _under_way(subject, f", and over at {timestamp(until)} at the latest")
    over = now + within + AFTER
    body = {own_objects.KEY: own_objects.DRILL_UNDER_WAY, "began": now.isoformat(), "until": over.isoformat()}
    own = StoredDocument(
        kind=DocumentKind.FACT,
        id=id,
        at=over,
        body=body_of(body),
        version=found.version if found is not None else None,
    )
    version = await store.run(lambda tx: put_document(tx, own))
    if version is None:
        raise _under_way(subject, "")
    try:
        yield
    finally:
        # What is left of it ends by itself.
        with suppress(StoreError):
            await store.run(lambda tx: remove_document(tx, replace(own, version=version)))


def _under_way(subject: DrillSubject, more: str) -> BadUsage:
    return BadUsage(f"drill: another one, {subject.words}, is under way by this state{more}; nothing was raised")


def _until_in(fields: BodyFields) -> datetime:
    return fields.instant("until")


_LONGEST = timedelta(hours=4) + AFTER
