"""Documents of the state: what a person or a sweep sets down for every worker."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from router.domain.values import Value, repr_without

type Version = int | str
"""The version of a document, or of a row."""


class DocumentKind(StrEnum):
    """The kinds of documents, whose values are stored. Changes, sources, snapshots and what is known of rules have tables."""

    SILENCE = "silence"
    HOLD = "hold"
    FACT = "fact"
    SOURCE = "source"
    TAGS = "tags"
    RULES = "rules"
    SILENT_SOURCES = "silent_sources"
    COVERAGE = "coverage"


class StoredDocument(Value, kw_only=True):
    """A document.

    Attributes:
        at: from when on its retention counts: its end, if it has one, else when it was last written.
        version: what the store calls this state of it; None where it is not stored yet.
    """

    kind: DocumentKind
    id: str
    at: datetime
    body: bytes
    version: Version | None = None

    __repr__ = repr_without("body")
