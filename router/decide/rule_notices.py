"""What people are told of a batch of events about rules, silences and holds, and who is: ordinary deliveries. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import NamedTuple

from router.decide.notice import iso
from router.domain.bare_notices import bare_notice
from router.domain.decisions import Change
from router.domain.deliveries import Delivery
from router.domain.keys import announcement_key
from router.domain.mail_addresses import is_mail_address
from router.domain.notices import ANNOUNCEMENT, Group, NamedMember, Notice
from router.domain.plurals import counted
from router.domain.rule_events import EventBatch, EventKind, EventSubject, RuleEvent
from router.domain.rulebook import DestinationSpec
from router.domain.severity import Severity, gravity_of

MOST_LINES = 20
"""Events that a notice tells one by one; of the others it says how many they are."""

MOST_NAMED = 5
"""Signals that a notice names of those that stand."""

QUIET = Severity.INFORMATIONAL.label
"""How severe an announcement is: it pages nobody and takes no colour of an alert's."""

LONGEST = 500
"""Characters of what a person wrote that a notice repeats."""

_ORDER = (
    EventKind.ENDED,
    EventKind.ENDS_SOON,
    EventKind.HOLDS_LONG,
    EventKind.HOLDS_NOTHING,
    EventKind.MADE,
    EventKind.EXTENDED,
)
_IN_GENERAL = {
    EventKind.ENDED: "ended",
    EventKind.ENDS_SOON: "end soon",
    EventKind.HOLDS_LONG: "hold for long",
    EventKind.HOLDS_NOTHING: "hold nothing",
    EventKind.MADE: "made",
    EventKind.EXTENDED: "extended",
}
_SUBJECTS = {
    EventSubject.RULE: "suppression rule",
    EventSubject.SILENCE: "silence",
    EventSubject.HOLD: "hold of the destination",
}
_PERSONAL = frozenset(EventKind) - {EventKind.MADE, EventKind.EXTENDED}
"""What happened that its owner or author does not know already."""


@dataclass(frozen=True, slots=True)
class Recipients:
    """Who hears.

    Attributes:
        destinations: the destinations that the policy's `notify` names.
        mail: the one of them through which owners and authors are mailed; None where none of them sends mail.
        reached: the mail addresses, case-folded, that hear by those destinations already.
    """

    destinations: Sequence[DestinationSpec]
    mail: DestinationSpec | None = None
    reached: frozenset[str] = frozenset()

    def is_mailed(self, person: str | None) -> bool:
        """Whether a person is mailed of what is theirs: it is an address, which does not hear already."""
        return (
            self.mail is not None
            and person is not None
            and is_mail_address(person)
            and person.casefold() not in self.reached
        )

    def notified_of(self, person: str | None) -> list[str]:
        """Who hears of the end of what is a person's: the names of destinations, and the person's own address."""
        return [*(one.name for one in self.destinations), *([person] if person and self.is_mailed(person) else [])]


class _Letter(NamedTuple):
    """What one destination is to tell; to one person alone where there is a recipient."""

    destination: DestinationSpec
    recipient: str | None
    events: Sequence[RuleEvent]


def announcements_of(batch: EventBatch, stream: str, recipients: Recipients, rulebook: str) -> list[Delivery]:
    """The deliveries that tell a batch: one for each destination, and one for each person whose events they are."""
    events = sorted(batch.events, key=lambda one: (_ORDER.index(one.kind), one.at, one.name))
    return [_delivery(letter, batch, stream, rulebook) for letter in _letters(events, recipients)]


def _letters(events: Sequence[RuleEvent], recipients: Recipients) -> Iterator[_Letter]:
    for destination in recipients.destinations:
        yield _Letter(destination, None, events)
    if recipients.mail is None:
        return
    of_person: dict[str, list[RuleEvent]] = {}
    written: dict[str, str] = {}
    for event in events:
        if event.person is not None and event.kind in _PERSONAL and recipients.is_mailed(event.person):
            person = event.person.casefold()
            written.setdefault(person, event.person)
            of_person.setdefault(person, []).append(event)
    for person, some in of_person.items():
        yield _Letter(recipients.mail, written[person], some)


def _delivery(letter: _Letter, batch: EventBatch, stream: str, rulebook: str) -> Delivery:
    ids = sorted(event.id for event in letter.events)
    key = announcement_key(stream, batch.at.isoformat(), ids, (letter.recipient or "").casefold())
    return Delivery(
        stream=stream,
        destination=letter.destination.name,
        lane=letter.destination.lane,
        key=key,
        turn=1,
        change=Change.OPENED,
        opened=1,
        content=notice_of(letter.events, key, stream, batch.at, letter.recipient, rulebook),
    )


def notice_of(
    events: Sequence[RuleEvent], key: str, stream: str, at: datetime, recipient: str | None, rulebook: str
) -> Notice:
    """The notice of some events."""
    reason = "notify: the policy's `notify`" if recipient is None else "notify: whose it is"
    return replace(
        bare_notice(stream, ANNOUNCEMENT, reason),
        key=key,
        turn=1,
        id=key,
        type=events[0].kind.value if len({event.kind for event in events}) == 1 else "several",
        title=_title_of(events, at),
        description="\n\n".join(_paragraphs(events, at)),
        severity=QUIET,
        severity_written=QUIET,
        rulebook=rulebook,
        remediation=tuple(_to_do(events)),
        changed=iso(at),
        group=_held_by(events),
        is_whole=True,
        recipient=recipient,
    )


def _title_of(events: Sequence[RuleEvent], at: datetime) -> str:
    if len(events) == 1:
        sentence = _sentence(events[0], at)
        return f"{sentence[:1].upper()}{sentence[1:]}"
    counts = Counter(event.kind for event in events)
    parts = ", ".join(f"{counts[kind]} {_IN_GENERAL[kind]}" for kind in _ORDER if counts[kind])
    return f"Rules, silences and holds: {parts}"


def _sentence(event: RuleEvent, at: datetime) -> str:
    """What happened, in one clause that a title can be."""
    what = f"{_SUBJECTS[event.subject]} {event.name}"
    match event.kind:
        case EventKind.ENDS_SOON:
            return f"{what} ends {_written(event.at)}"
        case EventKind.ENDED if event.is_window:
            return f"a window of the {what} ended {_written(event.at)}"
        case EventKind.ENDED:
            return f"{what} ended {_written(event.at)}"
        case EventKind.MADE:
            return f"{what} was made by {_clipped(event.person or 'somebody')}{_until(event)}"
        case EventKind.EXTENDED:
            return f"{what} was extended by {_clipped(event.person or 'somebody')}{_until(event)}"
        case EventKind.HOLDS_NOTHING:
            return f"{what} has held nothing for {(at - event.at).days} days"
        case EventKind.HOLDS_LONG:
            return f"what the {what} covers was silenced for {event.number} % of the last 30 days"


def _until(event: RuleEvent) -> str:
    return f", until {_written(event.until)}" if event.until is not None else ""


def _paragraphs(events: Sequence[RuleEvent], at: datetime) -> Iterator[str]:
    for event in events[:MOST_LINES]:
        sentence = _sentence(event, at)
        yield " ".join([f"{sentence[:1].upper()}{sentence[1:]}.", *_facts(event)])
    if len(events) > MOST_LINES:
        yield f"And {len(events) - MOST_LINES} more."


def _facts(event: RuleEvent) -> Iterator[str]:
    """What else is known of an event, in sentences."""
    if event.kind is EventKind.HOLDS_NOTHING:
        yield f"It is in force until {_written(event.until)}." if event.until is not None else ""
    if event.hits is not None:
        last = f", the last {_written(event.last)}" if event.last is not None and event.hits else ""
        yield (
            f"It held {counted(event.hits, 'message')} in its life{last}." if event.hits else "It never held anything."
        )
    if (held := event.held) is not None and (event.hits or held.count):
        yield _standing(event, held.count, is_whole=held.is_whole)
    if event.about:
        yield f"{'File' if event.subject is EventSubject.RULE else 'Reason'}: {_clipped(event.about)}."
    if event.person and event.kind in _PERSONAL:
        yield f"{'Owner' if event.subject is EventSubject.RULE else 'Author'}: {_clipped(event.person)}."


def _standing(event: RuleEvent, count: int, *, is_whole: bool) -> str:
    if not count:
        return "Nothing that it holds stands any more." if is_whole else "How much of that still stands is not known."
    least = "" if is_whole else "At least "
    stand = f"{least}{counted(count, 'signal')} that it holds still stand{'s' if count == 1 else ''}"
    if event.kind is EventKind.ENDED:
        return f"{stand}: what no other rule or silence holds is told now."
    return f"{stand}: what no other rule or silence holds is told when it ends."


def _held_by(events: Sequence[RuleEvent]) -> Group | None:
    """The gravest of what those events hold that still stands, in the form in which notices name signals."""
    held = [event.held for event in events if event.held is not None and event.held.count]
    named = sorted((one for some in held for one in some.gravest), key=lambda one: -gravity_of(one.severity))
    if not named:
        return None
    count = sum(one.count for one in held)
    members = [
        NamedMember(key="", title=one.title, severity=one.severity, place=one.location) for one in named[:MOST_NAMED]
    ]
    return Group(by=(), total=count, standing=count, named=tuple(members))


def _to_do(events: Sequence[RuleEvent]) -> Iterator[str]:
    subjects: Mapping[EventKind, set[EventSubject]] = {
        kind: {event.subject for event in events if event.kind is kind} for kind in EventKind
    }
    if EventSubject.RULE in subjects[EventKind.ENDED]:
        yield "Take the file of a rule that ended away, or renew it in a pull request."
    if EventSubject.RULE in subjects[EventKind.ENDS_SOON]:
        yield "Renew a rule that is still right: set a later expirationDateUtc in its file, in a pull request."
        yield "Or let it end: what it holds and still stands is told then."
    if subjects[EventKind.ENDS_SOON] - {EventSubject.RULE}:
        yield "Let it end, or extend it on the command line, within what the policy allows."
    if subjects[EventKind.HOLDS_LONG]:
        yield "Look at what is held, and make the scope narrower or end it where it hides what somebody should see."
    if subjects[EventKind.HOLDS_NOTHING]:
        yield "Take a rule away that covers nothing any more: it may hide tomorrow what nobody thought of."
    yield "`alert-router rules list` shows every rule and silence with its end and what it held."


def _written(instant: datetime | None) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if instant is not None else "at an unknown time"


def _clipped(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
