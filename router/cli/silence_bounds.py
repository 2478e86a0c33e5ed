"""What the policy allows a silence, extensions counted, and for how much of a month a scope was silenced. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from router.cli.silence_scopes import lies_within
from router.domain.silences import BREAK, Silence, SilenceBounds, Window, spans_between

MONTH = timedelta(days=30)
"""How far back it is asked for how much of the time a scope was silenced."""

_WEEK = timedelta(days=7)
"""A recurring silence pauses for up to a week: one that begins so soon after another goes on with it."""


class Overrun(NamedTuple):
    """How a silence would hold for longer than the policy allows.

    Attributes:
        span: the span that would be too long: from when the first of those began that it goes on with.
        allowed: how long it may be.
        is_series: whether it is the whole series of a recurring silence that is too long, and no window of it.
    """

    span: Window
    allowed: timedelta
    is_series: bool = False


def with_first(silence: Silence, others: Iterable[Silence]) -> Silence:
    """A silence that knows when the first of the silences began that it goes on with.

    It goes on with those whose scope it lies within and that ended less than an hour before it begins, or later; a series also
    with another series that ended less than a week before.
    """
    wider = [one for one in others if one.id != silence.id and lies_within(silence, one)]
    if silence.every is None:
        spans = spans_between([silence, *wider], min(one.begins for one in [silence, *wider]), silence.end)
        begun = [span.begins for span in spans if span.begins <= silence.begins < span.ends]
        return replace(silence, first=min([silence.first, *begun]))
    before = [one.first for one in wider if one.every is not None and silence.begins - one.end < _WEEK]
    return replace(silence, first=min([silence.first, *before]))


def find_overrun(silence: Silence, others: Iterable[Silence], bounds: SilenceBounds) -> Overrun | None:
    """How a silence would hold for longer than a policy allows, with those that it goes on with; None where it does not."""
    if silence.every is not None and silence.end - silence.first > bounds.recurring:
        return Overrun(Window(silence.first, silence.end), bounds.recurring, is_series=True)
    wider = [one for one in others if one.id != silence.id and lies_within(silence, one)]
    # What is further away than the longest time and a break makes no difference.
    margin = bounds.longest + BREAK
    spans = spans_between([silence, *wider], silence.begins - margin, silence.end + margin)
    for window in silence.windows_between(silence.begins, silence.end):
        span = next(one for one in spans if one.begins <= window.begins < one.ends)
        if span.ends - span.begins > bounds.longest:
            return Overrun(span, bounds.longest)
    return None


def silenced_share(scope: Silence, silences: Iterable[Silence], now: datetime) -> float:
    """For how much of the last 30 days all that a silence is about was silenced, by it or by others; from 0 to 1.

    Two that held at the same time count once.
    """
    since = now - MONTH
    holding = [one for one in silences if lies_within(scope, one)]
    silenced, reached = timedelta(), since
    for window in sorted(window for one in holding for window in one.windows_between(since, now)):
        begins, ends = max(window.begins, reached), min(window.ends, now)
        if ends > begins:
            silenced, reached = silenced + (ends - begins), ends
    return silenced / MONTH


def needed_since(bounds: SilenceBounds, now: datetime) -> datetime:
    """Since when silences that ended must be known, to judge a new one and to say how much was silenced."""
    return now - max(MONTH, bounds.longest + BREAK, _WEEK)
