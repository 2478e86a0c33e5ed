"""Who made what of a silence or of a hold, when, and why: a change is written once, stays as it is, and goes after 400 days."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from typing import NamedTuple

from router.domain.documents import BodyFields, DocumentKind, StoredDocument, body_of, find_in_body


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


class ReadChanges(NamedTuple):
    """The changes that documents hold, by time, and how many of the documents do not decode."""

    changes: Sequence[ChangeEntry]
    undecodable: int


def document_of_change(change: ChangeEntry) -> StoredDocument:
    """The document of a change. Ids sort by time, and the same change written again has the same id."""
    body = body_of(
        {
            "subject": change.subject,
            "id": change.id,
            "stream": change.stream,
            "action": change.action,
            "at": change.at,
            "author": change.author,
            "reason": change.reason,
            "until": change.until,
        }
    )
    at = change.at.astimezone(UTC)
    id = f"{at:%Y-%m-%dT%H:%M:%S.%fZ}-{sha256(body).hexdigest()[:12]}"
    return StoredDocument(kind=DocumentKind.CHANGE, id=id, at=change.at, body=body)


def read_changes(documents: Iterable[StoredDocument]) -> ReadChanges:
    """The changes that documents hold, earliest first."""
    found = [find_in_body(document.body, _change_in) for document in documents]
    changes = [change for change in found if change is not None]
    return ReadChanges(sorted(changes, key=lambda change: change.at), len(found) - len(changes))


def _change_in(fields: BodyFields) -> ChangeEntry:
    return ChangeEntry(
        subject=ChangeSubject(fields.text("subject")),
        id=fields.text("id"),
        stream=fields.text("stream"),
        action=ChangeAction(fields.text("action")),
        at=fields.instant("at"),
        author=fields.text("author"),
        reason=fields.text("reason"),
        until=fields.instant("until"),
    )
