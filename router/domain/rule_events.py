"""What people are notified of about rules, silences and holds, and which of it they were already. Pure.

What was notified is one document for each stream, which one worker at a time writes over the version it has read. It takes a
batch of events down before anything is owed: so a batch is published whole, whoever dies, and no event is in two.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from router.domain.clocks import is_possible
from router.domain.document_bodies import BodyFields, body_of, find_in_body
from router.domain.documents import DocumentKind, StoredDocument
from router.domain.ledger import Version
from router.domain.retention import latest_to_come

LOOKBACK = timedelta(days=14)
"""How long after it ended people hear of it: after that it is no news. A router that was down for a week tells it all."""

MOST_AT_ONCE = 1_000
"""Events of one batch; what is more waits for the next sweep."""

_DONE = LOOKBACK + timedelta(days=16)
"""How long after it was notified an event may come up again."""

_SPELL = timedelta(days=1500)
"""How long after it was notified an event may come up again that is so for as long as a rule or silence is there."""

_LEAP = timedelta(days=2)
"""How much later than the last batch a clock is believed, where what was notified is to be forgotten."""


class EventKind(StrEnum):
    """What happened. Its values are stored."""

    ENDS_SOON = "ends_soon"
    ENDED = "ended"
    MADE = "made"
    EXTENDED = "extended"
    HOLDS_NOTHING = "holds_nothing"
    HOLDS_LONG = "holds_long"


_LASTING = frozenset({EventKind.HOLDS_NOTHING, EventKind.HOLDS_LONG})


class EventSubject(StrEnum):
    """What it happened to. Its values are stored."""

    RULE = "rule"
    SILENCE = "silence"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class HeldSignal:
    """A signal that is held and still stands.

    Attributes:
        title: its title, without markup.
        severity: its severity; None where none is known.
        location: where it is.
    """

    title: str
    severity: str | None
    location: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldNow:
    """What a rule or silence holds now that still stands.

    Attributes:
        count: how many signals.
        is_whole: whether all were counted; if not, there are at least so many.
        gravest: some of them, the gravest first; empty where nobody looked.
    """

    count: int
    is_whole: bool = True
    gravest: tuple[HeldSignal, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleEvent:
    """One thing that people are notified of once.

    Attributes:
        kind: what happened.
        subject: what it happened to.
        name: the name of the rule, the id of the silence, the name of the destination that is held.
        at: what makes it this event and no other: the end, the beginning of a spell, the instant of a change.
        person: whose it is: an owner's or author's address or name; None where nobody is known.
        about: more of it in a person's words: the reason, or the file that a rule stands in.
        until: when it ends, where it has not and `at` is not that.
        hits: how often it held a signal in its life; None where nobody looked.
        last: when it last did; None where it never did.
        held: what it holds now; None where nobody looked.
        number: what share in percent, where the event counts something.
        is_window: whether it is the end of one window of a recurring silence.
    """

    kind: EventKind
    subject: EventSubject
    name: str
    at: datetime
    person: str | None = None
    about: str = ""
    until: datetime | None = None
    hits: int | None = None
    last: datetime | None = None
    held: HeldNow | None = None
    number: int | None = None
    is_window: bool = False

    @property
    def id(self) -> str:
        """What no two events of a stream share."""
        return f"{self.kind}/{self.subject}/{self.name}/{self.at.isoformat()}"


@dataclass(frozen=True, slots=True)
class EventBatch:
    """Events that people are notified of together.

    Attributes:
        at: when they were found.
        events: the events.
    """

    at: datetime
    events: tuple[RuleEvent, ...]


@dataclass(frozen=True, slots=True)
class EventLog:
    """Which events of a stream people were notified of.

    Attributes:
        notified: when, by the ids of the events.
        batch: the batch that is not all published yet; None where there is none.
    """

    notified: Mapping[str, datetime] = field(default_factory=dict)
    batch: EventBatch | None = None

    def is_news(self, event: RuleEvent, now: datetime) -> bool:
        """Whether people were not notified of an event yet; what a wrong clock will have written counts for nothing."""
        at = self.notified.get(event.id)
        return at is None or not is_possible(at, now)


NO_EVENTS = EventLog()
"""Where people were notified of nothing yet."""


def log_after(
    log: EventLog, seen: Collection[RuleEvent], news: Sequence[RuleEvent], now: datetime, last: datetime
) -> EventLog:
    """The log with a batch to be published, of those events that were `seen`; `last` is when the log was last written.

    What cannot come up again is left out; a clock that is ahead leaves out little of it, and one that is behind nothing.
    """
    by = min(now, last + _LEAP)
    kept = {id: at for id, at in log.notified.items() if at <= latest_to_come(now) and _may_come_again(id, at, by)}
    fresh = {event.id: now for event in seen}
    return EventLog({**kept, **fresh}, EventBatch(now, tuple(news)) if news else None)


def _may_come_again(id: str, at: datetime, now: datetime) -> bool:
    kind, _, rest = id.partition("/")
    if kind in _LASTING:
        # One that is there no more costs a line.
        return now - at <= _SPELL
    about = datetime.fromisoformat(rest.rpartition("/")[2])
    return now - max(at, about) <= _DONE


def published(log: EventLog) -> EventLog:
    """The log after its batch was published."""
    return replace(log, batch=None)


def document_of_log(stream: str, log: EventLog, now: datetime, version: Version | None = None) -> StoredDocument:
    """The document of a stream's log, to be written over a version of it."""
    batch = log.batch
    body = body_of(
        {
            "notified": log.notified,
            "batch": {"at": batch.at, "events": list(map(_written, batch.events))} if batch is not None else None,
        }
    )
    return StoredDocument(kind=DocumentKind.RULE_EVENTS, id=stream, at=now, body=body, version=version)


def event_log_in(body: bytes) -> EventLog:
    """The log that a document holds; an empty one where it does not decode, so that people rather hear twice."""
    return find_in_body(body, _log_in) or NO_EVENTS


def _log_in(fields: BodyFields) -> EventLog:
    notified = fields.fields("notified")
    return EventLog(
        {id: notified.instant(id) for id in notified if _is_id(id)},
        fields.optional("batch", lambda name: _batch_in(fields.fields(name))),
    )


def _batch_in(fields: BodyFields) -> EventBatch:
    events = [event for one in fields.each("events") if (event := _event_in(one)) is not None]
    return EventBatch(fields.instant("at"), tuple(events))


def _is_id(id: str) -> bool:
    try:
        return datetime.fromisoformat(id.rpartition("/")[2]).tzinfo is not None
    except ValueError:
        return False


def _written(event: RuleEvent) -> Mapping[str, object]:
    return {
        "kind": event.kind,
        "subject": event.subject,
        "name": event.name,
        "at": event.at,
        "person": event.person,
        "about": event.about,
        "until": event.until,
        "hits": event.hits,
        "last": event.last,
        "held": _held_written(event.held) if event.held is not None else None,
        "number": event.number,
        "is_window": event.is_window,
    }


def _event_in(fields: BodyFields) -> RuleEvent | None:
    """An event; None where it is of a kind that only a later program knows."""
    kind, subject = fields.text("kind"), fields.text("subject")
    if kind not in EventKind or subject not in EventSubject:
        return None
    return RuleEvent(
        kind=EventKind(kind),
        subject=EventSubject(subject),
        name=fields.text("name"),
        at=fields.instant("at"),
        person=fields.optional("person", fields.text),
        about=fields.text("about"),
        until=fields.optional("until", fields.instant),
        hits=fields.optional("hits", fields.number),
        last=fields.optional("last", fields.instant),
        held=fields.optional("held", lambda name: _held_in(fields.fields(name))),
        number=fields.optional("number", fields.number),
        is_window=fields.flag("is_window"),
    )


def _held_written(held: HeldNow) -> Mapping[str, object]:
    signals = [{"title": one.title, "severity": one.severity, "location": one.location} for one in held.gravest]
    return {"count": held.count, "is_whole": held.is_whole, "gravest": signals}


def _held_in(fields: BodyFields) -> HeldNow:
    return HeldNow(
        count=fields.number("count"),
        is_whole=fields.flag("is_whole"),
        gravest=tuple(
            HeldSignal(one.text("title"), one.optional("severity", one.text), one.optional("location", one.text))
            for one in fields.each("gravest")
        ),
    )
