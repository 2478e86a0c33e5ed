"""Since when each rule of a stream is known: of one that holds nothing that says whether it is useless or only new. Pure.

What is known is one document for each stream, which is written when rules come or go; so a hundred thousand rules cost nothing
while none does. Names are those of `router.domain.holders`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from router.domain.clocks import is_possible
from router.domain.document_bodies import BodyFields, body_of, find_in_body, instant_in
from router.domain.documents import DocumentKind, StoredDocument
from router.domain.ledger import Version
from router.domain.retention import FIRST

GONE = timedelta(days=1)
"""How long a rule may be away and be the same when it comes back: so long, workers with older rules may run beside."""

RENEWED = timedelta(days=100)
"""How old what is written may get while no rule comes or goes: documents are forgotten that nobody writes."""


@dataclass(frozen=True, slots=True)
class KnownRules:
    """The rules of a stream that were seen.

    Attributes:
        since: when each was first seen, by its name on record.
        gone: when those of them were first missing that are there no more.
    """

    since: Mapping[str, datetime] = field(default_factory=dict)
    gone: Mapping[str, datetime] = field(default_factory=dict)

    def find_since(self, name: str, now: datetime) -> datetime | None:
        """Since when a rule is known; None where it is not, or a clock that was wrong wrote when."""
        since = self.since.get(name)
        return since if since is not None and _counts(since, now) else None

    def is_possible(self, now: datetime) -> bool:
        """Whether clocks that were right can have written all of it."""
        return all(_counts(since, now) for since in {*self.since.values(), *self.gone.values()})


NONE_KNOWN = KnownRules()
"""Where no rule was seen yet."""


def known_after(before: KnownRules, names: Collection[str], now: datetime) -> KnownRules:
    """What is known after the rules that are there were seen; the same where nothing changed."""
    since: dict[str, datetime] = {}
    for name in names:
        known, went = before.find_since(name, now), before.gone.get(name)
        is_same = known is not None and (went is None or now - went <= GONE)
        since[name] = known if known is not None and is_same else now
    gone: dict[str, datetime] = {}
    for name in before.since.keys() - since.keys():
        went = before.gone.get(name)
        went = went if went is not None and _counts(went, now) else now
        if now - went <= GONE:
            gone[name] = went
            since[name] = before.since[name]
    after = KnownRules(since, gone)
    return before if after == before else after


def document_of_rules(stream: str, known: KnownRules, now: datetime, version: Version | None = None) -> StoredDocument:
    """The document of what is known of a stream's rules, to be written over a version of it."""
    body = body_of({"since": _by_instant(known.since), "gone": _by_instant(known.gone)})
    return StoredDocument(kind=DocumentKind.RULES, id=stream, at=now, body=body, version=version)


def known_rules_in(body: bytes) -> KnownRules:
    """What a document says is known; nothing where it does not decode, so that every rule counts as new."""
    return find_in_body(body, _known_rules_in) or NONE_KNOWN


def is_to_be_renewed(document: StoredDocument, now: datetime) -> bool:
    """Whether a document is written again though nothing changed."""
    return not timedelta() <= now - document.at < RENEWED


def _counts(instant: datetime, now: datetime) -> bool:
    """Whether a clock that was right can have written it."""
    return instant >= FIRST and is_possible(instant, now)


def _by_instant(instants: Mapping[str, datetime]) -> Mapping[str, list[str]]:
    """Names by their instants: whole rulebooks are first seen together."""
    names: dict[datetime, list[str]] = {}
    for name, instant in instants.items():
        names.setdefault(instant, []).append(name)
    return {instant.isoformat(): sorted(names[instant]) for instant in sorted(names)}


def _known_rules_in(fields: BodyFields) -> KnownRules:
    return KnownRules(_by_name(fields.fields("since")), _by_name(fields.fields("gone")))


def _by_name(names: BodyFields) -> Mapping[str, datetime]:
    return {name: instant for written in names for instant in (instant_in(written),) for name in names.texts(written)}
