"""Silences: what a person holds back at run time, until an end. Pure.

What holds a signal back is on record, and its hits are counted, under one name: a suppression rule by its own, in which no
colon can be; a silence and a shadow rule say before it what they are.
They hold all the time, or in windows that come again every week, in the local time of a zone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple
from zoneinfo import ZoneInfo

from router.domain.clocks import is_possible
from router.domain.severity import Severity
from router.domain.suppression import (
    NO_RULES,
    NO_SUPPRESSIONS,
    Element,
    SuppressionRule,
    Suppressions,
    TypeIndex,
    index_over,
)
from router.domain.values import Value

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
"""What the days of a week are called, as datetime counts them."""

_DAY = timedelta(days=1)


class Window(NamedTuple):
    """A span of time."""

    begins: datetime
    ends: datetime


class Recurrence(Value):
    """A window on some days of each week."""

    days: frozenset[int]
    begins: time
    ends: time
    zone: str

    def __str__(self) -> str:
        days = ",".join(DAYS[day] for day in sorted(self.days))
        return f"{days} {self.begins:%H:%M}-{self.ends:%H:%M} {self.zone}"

    def windows_between(self, since: datetime, until: datetime) -> Iterator[Window]:
        """The windows that have an instant from one to before another, in their order, whole and in UTC."""
        zone = ZoneInfo(self.zone)
        # One that began the day before may still be open; and a zone's date is at most a day away from that in UTC.
        day = since.astimezone(zone).date() - _DAY
        while day <= until.astimezone(zone).date():
            if day.weekday() in self.days:
                ends = day if self.ends > self.begins else day + _DAY
                window = Window(
                    datetime.combine(day, self.begins, zone).astimezone(UTC),
                    datetime.combine(ends, self.ends, zone).astimezone(UTC),
                )
                if window.begins < until and window.ends > since and window.ends > window.begins:
                    yield window
            day += _DAY


_SILENCE = "silence:"
_SHADOW = "shadow:"

RESERVED = (_SILENCE, _SHADOW)
"""How no suppression rule's name may begin."""


class HolderKind(StrEnum):
    """What holds signals back, or only says what it would hold. Its values are stored."""

    RULE = "rule"
    SILENCE = "silence"
    SHADOW = "shadow"


def silence_name(id: str) -> str:
    """The name of the silence with an id."""
    return f"{_SILENCE}{id}"


def shadow_name(rule: str) -> str:
    """The name under which the hits of a shadow rule are counted."""
    return f"{_SHADOW}{rule}"


def find_silence_id(name: str) -> str | None:
    """The id of the silence that a name is of; None where it is that of a rule."""
    return name.removeprefix(_SILENCE) if name.startswith(_SILENCE) else None


def find_shadow_rule(name: str) -> str | None:
    """The name of the shadow rule whose hits are counted under a name; None where they are another's."""
    return name.removeprefix(_SHADOW) if name.startswith(_SHADOW) else None


def kind_of(name: str) -> HolderKind:
    """The kind of what has a name on record."""
    return HolderKind(name.partition(":")[0]) if name.startswith(RESERVED) else HolderKind.RULE


def name_in_words(name: str) -> str:
    """What has a name, for people who think of rules: a rule by its name alone, `silence ab12cd`, `shadow web`."""
    return name.replace(":", " ", 1) if name.startswith(RESERVED) else name


def holder_words(name: str) -> str:
    """What has a name, for people, where anything may be meant: `rule web`, `silence ab12cd`."""
    return name_in_words(name) if name.startswith(RESERVED) else f"rule {name}"


class Silence(Value, kw_only=True):
    """A silence. It holds what meets its scope, and of what meets it nothing that the policy refuses to hold.

    Attributes:
        alert_type: the alert type, or the recommendation category, that it is about; None for any.
        first: when the first of the silences began that it goes on with; else its own beginning.
    """

    id: str
    stream: str
    alert_type: str | None
    groups: tuple[tuple[Element, ...], ...]
    begins: datetime
    until: datetime
    reason: str
    author: str
    made: datetime
    first: datetime
    every: Recurrence | None = None
    ticket: str | None = None
    ended: datetime | None = None

    @property
    def name(self) -> str:
        """Its name on record."""
        return silence_name(self.id)

    @property
    def end(self) -> datetime:
        """The first instant at which it holds nothing any more."""
        return self.until if self.ended is None else min(self.until, self.ended)

    def find_window_at(self, now: datetime) -> Window | None:
        """The window in which it holds signals at an instant; None where it holds nothing then.

        One that a clock made which was ahead holds nothing: what it would hold is rather told. Of two windows that overlap
        where clocks are put back, it is the one that ends last.
        """
        open = self.windows_between(now, now + datetime.resolution) if is_possible(self.made, now) else ()
        return max(open, key=lambda one: one.ends, default=None)

    def is_active(self, now: datetime) -> bool:
        """Whether it holds anything at an instant."""
        return self.find_window_at(now) is not None

    def windows_between(self, since: datetime, until: datetime) -> Iterator[Window]:
        """The windows that have an instant from one to before another, in their order and whole."""
        if self.every is None:
            if self.begins < min(self.end, until) and self.end > since:
                yield Window(self.begins, self.end)
            return
        for window in self.every.windows_between(max(since, self.begins), min(until, self.end)):
            cut = Window(max(window.begins, self.begins), min(window.ends, self.end))
            if cut.begins < until and cut.ends > since:
                yield cut

    def find_next_window(self, now: datetime) -> Window | None:
        """The window that is open at an instant, or else the next one; None where none comes any more."""
        return self.find_window_at(now) or next(self.windows_between(now, self.end), None)

    def as_rule(self) -> SuppressionRule:
        """The same as a suppression rule, whose scope is asked like any other; of windows that knows nothing."""
        return SuppressionRule(
            name=self.name,
            alert_type=(self.alert_type or "").casefold(),
            expires=self.end,
            enabled=True,
            groups=self.groups,
            comment=self.reason,
            owner=self.author,
        )


class SilenceBounds(Value, kw_only=True):
    """What the policy of a stream allows silences.

    Attributes:
        ticket: the pattern that the ticket of each must match; None where none is needed.
        refuse: the lowest severity of signals that no silence holds, nor any of unknown severity; None where there is none.
    """

    longest: timedelta = timedelta(hours=24)
    recurring: timedelta = timedelta(days=90)
    ticket: str | None = None
    refuse: Severity | None = None

    def refuses(self, level: Severity | None) -> bool:
        """Whether no silence may hold a signal of that level."""
        return self.refuse is not None and (level is None or level >= self.refuse)


BOUNDS = SilenceBounds()
"""What a policy allows that says nothing of silences."""


class Silences(Value):
    """The silences of one stream that are not long over."""

    by_name: Mapping[str, Silence] = {}
    of_types: Suppressions = NO_SUPPRESSIONS
    of_any: TypeIndex = NO_RULES

    @classmethod
    def from_list(cls, silences: Iterable[Silence]) -> Silences:
        """The index over some silences, whose ids are distinct."""
        by_name = {silence.name: silence for silence in silences}
        if not by_name:
            return NO_SILENCES
        typed = [silence.as_rule() for silence in by_name.values() if silence.alert_type is not None]
        untyped = [silence.as_rule() for silence in by_name.values() if silence.alert_type is None]
        return cls(MappingProxyType(by_name), Suppressions.from_rules(typed), index_over(untyped))

    def active(self, now: datetime) -> list[Silence]:
        """Those that hold anything at an instant."""
        return [silence for silence in self.by_name.values() if silence.is_active(now)]


NO_SILENCES = Silences()
"""No silences: there are none, or a file is decided without a state."""


BREAK = timedelta(hours=1)
"""A pause between two silences that is shorter than this is none: the second one goes on with the first."""


def spans_between(silences: Iterable[Silence], since: datetime, until: datetime) -> list[Window]:
    """The spans in which any of some silences holds, of the windows that have an instant from one to before another.

    Windows that are not a whole break apart are one span. Windows are whole, so the first span may begin before `since`.
    """
    spans: list[Window] = []
    for window in sorted(window for one in silences for window in one.windows_between(since, until)):
        if spans and window.begins - spans[-1].ends < BREAK:
            spans[-1] = Window(spans[-1].begins, max(spans[-1].ends, window.ends))
        else:
            spans.append(window)
    return spans


def find_latest_end(silences: Iterable[Silence], now: datetime, longest: timedelta) -> datetime | None:
    """Until when at the latest silences hold what all of them cover, of which one holds now; None where none does.

    It is not after now where they have held it for the longest time already.
    """
    # What ended earlier is a whole break away from whatever began less than the longest time ago.
    spans = spans_between(
        [one for one in silences if is_possible(one.made, now)], now - longest - BREAK, now + datetime.resolution
    )
    return spans[-1].begins + longest if spans and spans[-1].begins <= now < spans[-1].ends else None
