"""Finds what happens in the life of rules, silences and holds that people are notified of. Pure.

Every function gives what is so at an instant, each time it is asked; who asks leaves out what people were notified of already.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from router.domain.changes import ChangeAction, ChangeEntry, ChangeSubject
from router.domain.clocks import is_possible
from router.domain.counts import RuleHits, counted_name
from router.domain.destination_holds import DestinationHold, is_over, is_to_be_warned_of
from router.domain.known_rules import KnownRules
from router.domain.recurrences import Window
from router.domain.rule_events import LOOKBACK, EventKind, EventSubject, RuleEvent
from router.domain.silence_bounds import silenced_share
from router.domain.silences import Silence
from router.domain.suppression import SuppressionRule

SOON = timedelta(hours=1)
"""How long before its end people hear of a long silence."""

LONG = timedelta(hours=4)
"""A silence that holds for longer without a break is a long one."""

UNUSED = timedelta(days=30)
"""How long a rule holds nothing before people hear of it."""

NEW = timedelta(days=2)
"""How long after it people hear that a silence or a hold was made."""

HALF = 0.5
"""The share of the last 30 days for which a scope may be silenced before people hear."""

MOST_SCOPES = 100
"""Silences in force of which that is asked, those that go on for longest first: each is compared with all others."""

AN_HOUR = timedelta(hours=1)


class EndingRules(NamedTuple):
    """The rules in force of a stream, by their ends.

    Attributes:
        rules: the rules, that which ends first first.
        ends: their ends.
    """

    rules: Sequence[SuppressionRule]
    ends: Sequence[datetime]

    @classmethod
    def of(cls, rules: Iterable[SuppressionRule]) -> EndingRules:
        """Those of some rules that are in force until they end: one that is disabled ended when somebody disabled it."""
        enabled = sorted((rule for rule in rules if rule.enabled), key=lambda rule: (rule.expires, rule.name))
        return cls(enabled, [rule.expires for rule in enabled])


def ends_of_rules(ending: EndingRules, warn: timedelta, now: datetime) -> Iterator[RuleEvent]:
    """The ends of rules that are near, and those that were lately. A hundred thousand rules cost no more than those."""
    first, last = bisect_right(ending.ends, now - LOOKBACK), bisect_right(ending.ends, now + warn)
    for rule in ending.rules[first:last]:
        yield _of_rule(rule, EventKind.ENDED if rule.expires <= now else EventKind.ENDS_SOON, rule.expires)


def _of_rule(rule: SuppressionRule, kind: EventKind, at: datetime) -> RuleEvent:
    return RuleEvent(
        kind=kind,
        subject=EventSubject.RULE,
        name=rule.name,
        at=at,
        person=rule.owner,
        about=rule.source,
        until=rule.expires,
    )


class EventCandidate(NamedTuple):
    """An event that people may hear of.

    Attributes:
        event: the event.
        since: since when what it is about must have held something for people to hear; None where they hear anyway.
    """

    event: RuleEvent
    since: datetime | None = None


def ends_of_silences(silences: Iterable[Silence], now: datetime) -> Iterator[EventCandidate]:
    """The ends of silences that are near, where they are long ones, and those that were lately.

    Each window of a recurring one is an end, of which people hear if it held something.
    """
    for silence in silences:
        if not is_possible(silence.made, now):
            continue
        open = silence.find_window_at(now)
        if open is not None and open.ends - open.begins > LONG and open.ends - now <= SOON:
            since = open.begins if silence.every is not None else None
            yield EventCandidate(_of_silence(silence, EventKind.ENDS_SOON, open.ends), since)
        for window in _windows_over(silence, now):
            event = _of_silence(silence, EventKind.ENDED, window.ends, is_window=True)
            yield EventCandidate(event, window.begins)
        if now - LOOKBACK < silence.end <= now:
            yield EventCandidate(_of_silence(silence, EventKind.ENDED, silence.end))


def _windows_over(silence: Silence, now: datetime) -> Iterator[Window]:
    """The windows of a recurring silence that ended lately; the end of the last of them is that of the silence."""
    if silence.every is None:
        return
    since, until = max(silence.begins, now - LOOKBACK), min(silence.end, now)
    if since >= until:
        return
    for window in silence.every.windows_between(since, until):
        if window.ends <= now and window.ends < silence.end:
            yield Window(max(window.begins, silence.begins), window.ends)


def _of_silence(silence: Silence, kind: EventKind, at: datetime, *, is_window: bool = False) -> RuleEvent:
    return RuleEvent(
        kind=kind,
        subject=EventSubject.SILENCE,
        name=silence.id,
        at=at,
        person=silence.author,
        about=silence.reason,
        until=silence.end,
        is_window=is_window,
    )


def scopes_silenced_for_long(silences: Collection[Silence], now: datetime) -> Iterator[RuleEvent]:
    """The silences in force whose scope was silenced for more than half of the last 30 days, by them or by others."""
    active = sorted((one for one in silences if one.is_active(now)), key=lambda one: one.first)
    for silence in active[:MOST_SCOPES]:
        share = silenced_share(silence, silences, now)
        if share > HALF:
            event = _of_silence(silence, EventKind.HOLDS_LONG, silence.first)
            yield replace(event, number=int(share * 100))


def ends_of_holds(holds: Iterable[DestinationHold], now: datetime) -> Iterator[RuleEvent]:
    """The ends of holds that are near, where they are long ones, and those that were lately."""
    for hold in holds:
        if is_to_be_warned_of(hold, now):
            yield _of_hold(hold, EventKind.ENDS_SOON)
        elif is_over(hold, now) and now - hold.ends < LOOKBACK:
            yield _of_hold(hold, EventKind.ENDED)


def _of_hold(hold: DestinationHold, kind: EventKind) -> RuleEvent:
    return RuleEvent(
        kind=kind,
        subject=EventSubject.HOLD,
        name=hold.destination,
        at=hold.ends,
        person=hold.author,
        about=hold.reason,
        until=hold.ends,
    )


_SUBJECTS = {ChangeSubject.SILENCE: EventSubject.SILENCE, ChangeSubject.HOLD: EventSubject.HOLD}
_KINDS = {ChangeAction.ADDED: EventKind.MADE, ChangeAction.EXTENDED: EventKind.EXTENDED}


def made(changes: Iterable[ChangeEntry], now: datetime) -> Iterator[RuleEvent]:
    """The silences and holds that were made or extended lately."""
    for change in changes:
        if change.action in _KINDS and now - change.at < NEW and is_possible(change.at, now):
            yield RuleEvent(
                kind=_KINDS[change.action],
                subject=_SUBJECTS[change.subject],
                name=change.id.removeprefix(f"{change.stream}/"),
                at=change.at,
                person=change.author,
                about=change.reason,
                until=change.until,
            )


def rules_that_hold_nothing(
    rules: Iterable[SuppressionRule],
    known: KnownRules,
    hits: Mapping[str, RuleHits],
    holding: Collection[str],
    now: datetime,
) -> Iterator[RuleEvent]:
    """The rules in force that held nothing for `UNUSED`, and that hold nothing now.

    A spell begins with the last that a rule held, or when the rule was first known. `holding` are the names of what holds
    signals now that still stand.
    """
    for rule in rules:
        since = known.find_since(rule.name, now)
        if since is None or not rule.is_active(now) or rule.name in holding:
            continue
        held = hits.get(counted_name(rule.name))
        begins = max(since, held.last) if held is not None else since
        if now - begins >= UNUSED:
            yield _of_rule(rule, EventKind.HOLDS_NOTHING, begins)
