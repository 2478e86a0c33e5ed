"""Finds what happens in the life of rules, silences and holds that people are notified of. Pure.

Each function returns what is so at an instant, each time it is asked; the caller leaves out what people heard of already.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from router.domain.clocks import is_possible
from router.domain.counts import RuleHits, counted_name
from router.domain.destination_holds import DestinationHold, is_over, is_to_be_warned_of
from router.domain.keys import bounded
from router.domain.notices import NamedMember
from router.domain.silences import Silence
from router.domain.suppression import SuppressionRule

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


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldNow:
    """What a rule or silence holds now that still stands.

    Attributes:
        count: how many signals.
        gravest: some of them, the gravest first.
    """

    count: int
    gravest: Sequence[NamedMember] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleEvent:
    """One thing that people are notified of once.

    Attributes:
        kind: what happened.
        subject: what it happened to.
        name: the name of the rule, the id of the silence, the name of the destination that is held.
        at: what makes it this event and no other: the end, or the beginning of a spell in which a rule holds nothing.
        until: when the rule, silence or hold ends.
        person: whose it is: an owner's or author's address or name; None where nobody is known.
        about: the reason, or the file that a rule stands in.
        opened: when the window of a recurring silence began: people hear of its end if it held something since.
        hits: how often it held a signal in its life; None where it never did.
        held: what it holds now; None where nobody looked.
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
