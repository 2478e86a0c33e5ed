"""Who made what of a silence or of a hold, when, and why: a change is written once, stays as it is, and goes after 400 days."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256

from router.domain.documents import DocumentKind, StoredDocument
from router.store.bodies import ReadValues, find_value, read_values
from router.store.codec import encode


class ChangeSubject(StrEnum):
    """What a change is about. Its values are stored."""

    SILENCE = "silence"
    HOLD = "hold"


class ChangeAction(StrEnum):
    """What was made of it. Its values are stored.

    A person ends a silence, and releases a hold. What ends by itself has no change for that: the last one says when.
    """

    ADDED = "added"
    EXTENDED = "extended"
    ENDED = "ended"
    RELEASED = "released"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeEntry:
    """One change.

    Attributes:
        subject: whether it is about a silence or a hold.
        id: the silence's id; of a hold the stream and the destination's name, joined by a slash.
        stream: the stream.
        action: what was made of it.
        at: when.
        author: who made it so.
        reason: why, in that person's words.
        until: when it ends since then; the instant of the change itself where that ended it.
    """

    subject: ChangeSubject
    id: str
    stream: str
    action: ChangeAction
    at: datetime
    author: str
    reason: str
    until: datetime


def document_of_change(change: ChangeEntry) -> StoredDocument:
    """The document of a change. Ids sort by time, and the same change written again has the same id."""
    body = encode(change)
    at = change.at.astimezone(UTC)
    id = f"{at:%Y-%m-%dT%H:%M:%S.%fZ}-{sha256(body).hexdigest()[:12]}"
    return StoredDocument(kind=DocumentKind.CHANGE, id=id, at=change.at, body=body)


def read_changes(documents: Iterable[StoredDocument]) -> ReadValues[ChangeEntry]:
    """The changes that documents hold, earliest first."""
    changes, undecodable = read_values(documents, lambda document: find_value(ChangeEntry, document.body))
    return ReadValues(sorted(changes, key=lambda change: change.at), undecodable)
