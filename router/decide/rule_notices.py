"""What people are told of the lives of rules, silences and holds, and who is: ordinary deliveries. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from router.decide.notice import iso
from router.domain.clocks import is_possible
from router.domain.counts import RuleHits, counted_name
from router.domain.decisions import Change
from router.domain.deliveries import Delivery
from router.domain.destination_holds import DestinationHold, is_over, is_to_be_warned_of
from router.domain.keys import announcement_key, bounded
from router.domain.notices import ANNOUNCEMENT, Group, NamedMember, Notice
from router.domain.readable import counted
from router.domain.rulebook import DestinationSpec
from router.domain.severity import Severity, gravity_of
from router.domain.silences import Silence
from router.domain.suppression import SuppressionRule
from router.domain.urls import is_mail_address
from router.domain.values import Value

LOOKBACK = timedelta(days=14)
"""How long after an end people hear of it: after that it is no news. A router that was down for a week tells it all."""

SOON = timedelta(hours=1)
"""How long before its end people hear of a long silence."""

LONG = timedelta(hours=4)
"""A silence that holds for longer without a break is a long one."""

UNUSED = timedelta(days=30)
"""How long a rule holds nothing before people hear of it."""


class EventKind(StrEnum):
    """What happened. Its values are stored, and sort as a notice tells them."""

    ENDED = "ended"
    ENDS_SOON = "ends_soon"
    HOLDS_NOTHING = "holds_nothing"


class EventSubject(StrEnum):
    """What it happened to. Its values are stored."""

    RULE = "rule"
    SILENCE = "silence"
    WINDOW = "window"
    HOLD = "hold"


class HeldNow(Value, kw_only=True):
    """What a rule or silence holds now that still stands.

    Attributes:
        count: how many signals.
        gravest: some of them, the gravest first.
    """

    count: int
    gravest: Sequence[NamedMember] = ()


class RuleEvent(Value, kw_only=True):
    """One thing that people are notified of once.

    Attributes:
        kind: what happened.
        subject: what it happened to.
        name: the name of the rule, the id of the silence, the name of the destination that is held.
        at: what makes it this event and no other: the end, or the beginning of a spell in which a rule holds nothing.
        until: when the rule, silence or hold ends.
        person: whose it is: an owner's or author's address or name; None where none is known.
        about: the reason, or the file that a rule stands in.
        opened: when the window of a recurring silence began: people hear of its end if it held something since.
        hits: how often it held a signal in its life; None where it never did.
        held: what it holds now; None where it was not looked at.
    """

    kind: EventKind
    subject: EventSubject
    name: str
    at: datetime
    until: datetime
    person: str | None = None
    about: str = ""
    opened: datetime | None = None
    hits: RuleHits | None = None
    held: HeldNow | None = None

    @property
    def id(self) -> str:
        """What no two events of a stream share."""
        return bounded(f"{self.kind}/{self.subject}/{self.at.isoformat()}/{self.name}")


def sorted_by_end(rules: Iterable[SuppressionRule]) -> Sequence[SuppressionRule]:
    """The rules that are in force until they end, that which ends first first. One that is disabled ended when it was."""
    return sorted((rule for rule in rules if rule.enabled), key=lambda rule: (rule.expires, rule.name))


def ends_of_rules(by_end: Sequence[SuppressionRule], warn: timedelta, now: datetime) -> Iterator[RuleEvent]:
    """The ends of rules that are near, and those that were lately. A hundred thousand rules cost no more than those."""
    first, last = (bisect_right(by_end, at, key=lambda rule: rule.expires) for at in (now - LOOKBACK, now + warn))
    for rule in by_end[first:last]:
        yield _of_rule(rule, EventKind.ENDED if rule.expires <= now else EventKind.ENDS_SOON, rule.expires)


def rules_that_hold_nothing(
    rules: Iterable[SuppressionRule], since: Mapping[str, datetime], now: datetime
) -> Iterator[RuleEvent]:
    """The rules in force that hold nothing, of those that are counted among `since` with when that began."""
    for rule in rules:
        if (begins := since.get(counted_name(rule.name))) is not None and rule.is_active(now):
            yield _of_rule(rule, EventKind.HOLDS_NOTHING, begins)


def _of_rule(rule: SuppressionRule, kind: EventKind, at: datetime) -> RuleEvent:
    return RuleEvent(
        kind=kind,
        subject=EventSubject.RULE,
        name=rule.name,
        at=at,
        until=rule.expires,
        person=rule.owner,
        about=rule.source,
    )


def ends_of_silences(silences: Iterable[Silence], now: datetime) -> Iterator[RuleEvent]:
    """The ends of silences that are near, where they are long ones, and those that were lately.

    Each window of a recurring one is an end; the end of the last window is that of the silence.
    """
    for silence in silences:
        if not is_possible(silence.made, now):
            continue
        open = silence.find_window_at(now)
        if open is not None and open.ends - open.begins > LONG and open.ends - now <= SOON:
            opened = open.begins if silence.every is not None else None
            yield _of_silence(silence, EventKind.ENDS_SOON, open.ends, opened)
        since, until = max(silence.begins, now - LOOKBACK), min(silence.end, now)
        if silence.every is not None and since < until:
            for window in silence.every.windows_between(since, until):
                if window.ends <= now and window.ends < silence.end:
                    yield _of_silence(silence, EventKind.ENDED, window.ends, max(window.begins, silence.begins))
        if now - LOOKBACK < silence.end <= now:
            yield _of_silence(silence, EventKind.ENDED, silence.end)


def _of_silence(silence: Silence, kind: EventKind, at: datetime, opened: datetime | None = None) -> RuleEvent:
    return RuleEvent(
        kind=kind,
        subject=EventSubject.SILENCE if opened is None else EventSubject.WINDOW,
        name=silence.id,
        at=at,
        until=silence.end,
        person=silence.author,
        about=silence.reason,
        opened=opened,
    )


def ends_of_holds(holds: Iterable[DestinationHold], now: datetime) -> Iterator[RuleEvent]:
    """The ends of holds that are near, where they are long ones, and those that were lately."""
    for hold in holds:
        is_past = is_over(hold, now) and now - hold.ends < LOOKBACK
        if is_past or is_to_be_warned_of(hold, now):
            yield RuleEvent(
                kind=EventKind.ENDED if is_past else EventKind.ENDS_SOON,
                subject=EventSubject.HOLD,
                name=hold.destination,
                at=hold.ends,
                until=hold.ends,
                person=hold.author,
                about=hold.reason,
            )


MOST_LINES = 20
"""Events that a notice tells one by one; of the others it says how many they are."""

MOST_NAMED = 5
"""Signals that a notice names of those that stand."""

QUIET = Severity.INFORMATIONAL.label
"""How severe an announcement is: it pages no one and takes no colour of an alert's."""

LONGEST = 500
"""Characters of what a person wrote that a notice repeats."""

_KINDS = list(EventKind)
_IN_GENERAL = {EventKind.ENDED: "ended", EventKind.ENDS_SOON: "end soon", EventKind.HOLDS_NOTHING: "hold nothing"}
_SUBJECTS = {
    EventSubject.RULE: "suppression rule",
    EventSubject.SILENCE: "silence",
    EventSubject.WINDOW: "a window of the silence",
    EventSubject.HOLD: "hold of the destination",
}


class Recipients(Value):
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


def announcements_of(
    events: Sequence[RuleEvent], at: datetime, stream: str, recipients: Recipients, rulebook: str
) -> list[Delivery]:
    """The deliveries that tell events: one for each destination, and one for each person whose events they are."""
    ordered = sorted(events, key=lambda one: (_KINDS.index(one.kind), one.at, one.name))
    letters = [(one, None, ordered) for one in recipients.destinations] if ordered else []
    of_person = defaultdict[str, list[RuleEvent]](list)
    for event in ordered:
        if recipients.is_mailed(event.person):
            of_person[(event.person or "").casefold()].append(event)
    mails = [(recipients.mail, some[0].person, some) for some in of_person.values()]
    return [
        _delivery(to, recipient, some, at, stream, rulebook)
        for to, recipient, some in (*letters, *mails)
        if to is not None
    ]


def _delivery(
    to: DestinationSpec, recipient: str | None, events: Sequence[RuleEvent], at: datetime, stream: str, rulebook: str
) -> Delivery:
    key = announcement_key(stream, at.isoformat(), sorted(one.id for one in events), (recipient or "").casefold())
    return Delivery(
        stream=stream,
        destination=to.name,
        lane=to.lane,
        key=key,
        turn=1,
        change=Change.OPENED,
        opened=1,
        content=notice_of(events, key, stream, at, recipient, rulebook),
    )


def notice_of(
    events: Sequence[RuleEvent], key: str, stream: str, at: datetime, recipient: str | None, rulebook: str
) -> Notice:
    """The notice of some events."""
    reason = "notify: the policy's `notify`" if recipient is None else "notify: whose it is"
    return Notice(
        key=key,
        turn=1,
        stream=stream,
        kind=ANNOUNCEMENT,
        id=key,
        type=events[0].kind.value if len({event.kind for event in events}) == 1 else "several",
        title=_title_of(events, at),
        description="\n\n".join(_paragraphs(events, at)),
        severity=QUIET,
        severity_written=QUIET,
        reason=reason,
        rulebook=rulebook,
        remediation=tuple(_to_do({(event.kind, event.subject) for event in events})),
        changed=iso(at),
        group=_held_by(events),
        is_whole=True,
        recipient=recipient,
    )


def _title_of(events: Sequence[RuleEvent], at: datetime) -> str:
    if len(events) == 1:
        return _sentence(events[0], at)
    counts = Counter(event.kind for event in events)
    parts = ", ".join(f"{counts[kind]} {_IN_GENERAL[kind]}" for kind in _KINDS if counts[kind])
    return f"Rules, silences and holds: {parts}"


def _sentence(event: RuleEvent, at: datetime) -> str:
    """What happened, in one sentence that a title can be."""
    subject = f"{_SUBJECTS[event.subject]} {event.name}"
    what = f"{subject[:1].upper()}{subject[1:]}"
    match event.kind:
        case EventKind.ENDS_SOON:
            return f"{what} ends {_written(event.at)}"
        case EventKind.ENDED:
            return f"{what} ended {_written(event.at)}"
        case EventKind.HOLDS_NOTHING:
            return f"{what} has held nothing for {(at - event.at).days} days"


def _paragraphs(events: Sequence[RuleEvent], at: datetime) -> Iterator[str]:
    for event in events[:MOST_LINES]:
        yield " ".join([f"{_sentence(event, at)}.", *_facts(event)])
    if len(events) > MOST_LINES:
        yield f"And {len(events) - MOST_LINES} more."


def _facts(event: RuleEvent) -> Iterator[str]:
    """What else is known of an event, in sentences."""
    is_rule = event.subject is EventSubject.RULE
    if event.kind is EventKind.HOLDS_NOTHING:
        yield f"It is in force until {_written(event.until)}."
    if event.hits is not None:
        yield f"It held {counted(event.hits.total, 'message')} in its life, the last {_written(event.hits.last)}."
    elif event.held is not None:
        yield "It never held anything."
    if event.held is not None and event.held.count:
        stand = f"{counted(event.held.count, 'signal')} that it holds still stand{'s' if event.held.count == 1 else ''}"
        when = "now" if event.kind is EventKind.ENDED else "when it ends"
        yield f"{stand}: what no other rule or silence holds is told {when}."
    elif event.held is not None and event.hits is not None:
        yield "Nothing that it holds stands any more."
    if event.about:
        yield f"{'File' if is_rule else 'Reason'}: {_clipped(event.about)}."
    if event.person:
        yield f"{'Owner' if is_rule else 'Author'}: {_clipped(event.person)}."


def _held_by(events: Sequence[RuleEvent]) -> Group | None:
    """The gravest of what those events hold that still stands, in the form in which notices name signals."""
    held = [event.held for event in events if event.held is not None]
    named = sorted((one for some in held for one in some.gravest), key=lambda one: -gravity_of(one.severity))
    count = sum(one.count for one in held)
    return Group(by=(), total=count, standing=count, named=tuple(named[:MOST_NAMED])) if named else None


def _to_do(happened: Set[tuple[EventKind, EventSubject]]) -> Iterator[str]:
    if (EventKind.ENDED, EventSubject.RULE) in happened:
        yield "Take the file of a rule that ended away, or renew it in a pull request."
    if (EventKind.ENDS_SOON, EventSubject.RULE) in happened:
        yield "Renew a rule that is still right: set a later expirationDateUtc in its file, in a pull request."
        yield "Or let it end: what it holds and still stands is told then."
    if any(kind is EventKind.ENDS_SOON and subject is not EventSubject.RULE for kind, subject in happened):
        yield "Let it end, or extend it on the command line, within what the policy allows."
    if (EventKind.HOLDS_NOTHING, EventSubject.RULE) in happened:
        yield "Take a rule away that covers nothing any more: it may hide tomorrow what nobody thought of."
    yield "`alert-router rules list` shows every rule and silence with its end and what it held."


def _written(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _clipped(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
