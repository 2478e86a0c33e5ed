"""What the router found of the sources that coverage.yaml expects, and what people were notified of: one document. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from router.domain.coverage import Rung
from router.domain.coverage_sources import CoverageSource, CoverageSourceKind
from router.domain.document_bodies import BodyFields, body_of, find_in_body, instant_in
from router.domain.documents import DocumentKind, StoredDocument
from router.domain.ledger import Arrival, Version

RUNGS: Mapping[CoverageSourceKind, Rung] = {
    CoverageSourceKind.SUBSCRIPTION: Rung.EXPORT,
    CoverageSourceKind.PLAN: Rung.PLAN,
    CoverageSourceKind.CLUSTER: Rung.INTEGRATION,
}
"""Which rung of the ladder is in doubt where a source is silent."""

ORIGIN = "coverage:"
"""How the origin begins of the messages that the router writes about silent sources."""

MESSAGE_TYPE = "alertRouter/silentSource"
"""The type of those messages."""


class SourceState(StrEnum):
    """What was found of a source. Their values are stored.

    Attributes:
        SILENT: it is silent for longer than it may.
        SPEAKS: it was heard of again.
        EXCUSED: somebody answers for its silence until an end.
        UNEXPECTED: the manifest no longer expects it, or lets it be silent for longer.
    """

    SILENT = "silent"
    SPEAKS = "speaks"
    EXCUSED = "excused"
    UNEXPECTED = "unexpected"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTurn:
    """The latest turn of the finding that a source is silent.

    Attributes:
        source: the source.
        number: which turn it is, from 1.
        state: what was found.
        at: when; later than the turn before, whatever the clock says.
        last: when the source was last heard of, as was known then; None where it never was.
        since: from when on its silence counted.
        within: how long it may be silent.
        entry: which entry of the manifest expects it, from 1; 0 where the manifest has no entries.
        name: what people call the subscription or cluster.
        subscription: the id of the subscription whose snapshots speak of it; None where nobody knows it.
        others: how many further sources of its kind were silent with it.
        excuse: until when its silence is excused, and by whom; empty where it is not.
        missing: since when the manifest does not expect it; None where it does.
        is_published: whether people were notified of it.
    """

    source: CoverageSource
    number: int
    state: SourceState
    at: datetime
    last: datetime | None = None
    since: datetime
    within: timedelta
    entry: int
    name: str
    subscription: str | None = None
    others: int = 0
    excuse: str = ""
    missing: datetime | None = None
    is_published: bool = False

    @property
    def rung(self) -> Rung:
        """The rung that is in doubt."""
        return RUNGS[self.source.kind]

    @property
    def finding_id(self) -> str:
        """The id of the finding that the source is silent."""
        return finding_id_of(self.source)

    @property
    def arrival(self) -> Arrival:
        """The place on record of what this turn says."""
        return Arrival(f"{ORIGIN}{self.source.id.partition(':')[2]}:{self.rung}", self.number)


def finding_id_of(source: CoverageSource) -> str:
    """The id of the finding that a source is silent."""
    return f"{source.id}/{RUNGS[source.kind]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceWatch:
    """What is known of the sources beside when they were heard of.

    Attributes:
        anew: from when on times count at the earliest: since the first run, or since the router was down.
        taken: up to when the hub was last seen to be taken in.
        since: since when sources are expected that were never heard of, by their ids.
        held: since when snapshots of subscriptions are seen to bring Healthy rows without a break, by the subscriptions' ids.
        turns: the latest turns, by the ids of their sources.
        unmatched: what there is to say of patterns of the manifest that fit nothing.
    """

    anew: datetime
    taken: datetime
    since: Mapping[str, datetime] = field(default_factory=dict)
    held: Mapping[str, datetime] = field(default_factory=dict)
    turns: Mapping[str, SourceTurn] = field(default_factory=dict)
    unmatched: tuple[str, ...] = ()

    @property
    def unpublished(self) -> tuple[SourceTurn, ...]:
        """The turns of which people are not notified yet."""
        return tuple(turn for turn in self.turns.values() if not turn.is_published)

    @property
    def silent(self) -> tuple[SourceTurn, ...]:
        """The turns of the sources that are silent."""
        return tuple(turn for turn in self.turns.values() if turn.state is SourceState.SILENT)

    def with_turns(self, turns: Mapping[str, SourceTurn]) -> SourceWatch:
        """The same with some turns in place of those of the same sources."""
        return replace(self, turns={**self.turns, **turns})


def document_of_watch(stream: str, watch: SourceWatch, version: Version | None = None) -> StoredDocument:
    """The document of what is known of a stream's sources, to be written over a version of it."""
    body = body_of(
        {
            "anew": watch.anew,
            "taken": watch.taken,
            "since": _by_instant(watch.since),
            "held": _by_instant(watch.held),
            "turns": [_fields_of(watch.turns[id]) for id in sorted(watch.turns)],
            "unmatched": watch.unmatched,
        }
    )
    return StoredDocument(kind=DocumentKind.SILENT_SOURCES, id=stream, at=watch.taken, body=body, version=version)


def find_watch(document: StoredDocument) -> SourceWatch | None:
    """What a document says; None where it does not decode."""
    return find_in_body(document.body, _watch_in)


def _by_instant(instants: Mapping[str, datetime]) -> Mapping[str, list[str]]:
    """Ids by their instants: most begin together."""
    ids: dict[str, list[str]] = {}
    for id in sorted(instants):
        ids.setdefault(instants[id].isoformat(), []).append(id)
    return dict(sorted(ids.items()))


def _instants_in(fields: BodyFields) -> Mapping[str, datetime]:
    return {id: instant for written in fields for instant in (instant_in(written),) for id in fields.texts(written)}


def _fields_of(turn: SourceTurn) -> Mapping[str, object]:
    return {
        "kind": turn.source.kind,
        "subject": turn.source.subject,
        "plan": turn.source.plan or None,
        "number": turn.number,
        "state": turn.state,
        "at": turn.at,
        "last": turn.last,
        "since": turn.since,
        "within": turn.within // timedelta(seconds=1),
        "entry": turn.entry,
        "name": turn.name,
        "subscription": turn.subscription,
        "others": turn.others,
        "excuse": turn.excuse,
        "missing": turn.missing,
        "is_published": turn.is_published,
    }


def _watch_in(fields: BodyFields) -> SourceWatch:
    turns = [_turn_in(one) for one in fields.each("turns")]
    return SourceWatch(
        anew=fields.instant("anew"),
        taken=fields.instant("taken"),
        since=_instants_in(fields.fields("since")),
        held=_instants_in(fields.fields("held")),
        turns={turn.source.id: turn for turn in turns},
        unmatched=tuple(fields.texts("unmatched")),
    )


def _turn_in(fields: BodyFields) -> SourceTurn:
    kind = CoverageSourceKind(fields.text("kind"))
    if kind not in RUNGS or (number := fields.number("number")) < 1:
        raise ValueError("no turn of a source that can be silent")
    return SourceTurn(
        source=CoverageSource(kind, fields.text("subject"), fields.optional("plan", fields.text) or ""),
        number=number,
        state=SourceState(fields.text("state")),
        at=fields.instant("at"),
        last=fields.optional("last", fields.instant),
        since=fields.instant("since"),
        within=timedelta(seconds=fields.number("within")),
        entry=fields.number("entry"),
        name=fields.text("name"),
        subscription=fields.optional("subscription", fields.text),
        others=fields.number("others"),
        excuse=fields.text("excuse"),
        missing=fields.optional("missing", fields.instant),
        is_published=fields.flag("is_published"),
    )
