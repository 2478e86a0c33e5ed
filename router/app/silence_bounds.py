"""What the policy allows a silence, extensions counted, and for how much of a month a scope was silenced. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from copy import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from router.app.fields import duration_text
from router.domain.errors import BadField
from router.domain.patterns import covers_glob
from router.domain.readable import timestamp
from router.domain.silences import BREAK, Silence, SilenceBounds, Window, spans_between
from router.domain.suppression import MACHINE, RESOURCE_NAME, Element, Field, Operator

MONTH = timedelta(days=30)
"""How far back it is asked for how much of the time a scope was silenced."""

_WEEK = timedelta(days=7)
"""A recurring silence pauses for up to a week: one that begins so soon after another goes on with it."""


class Overrun(NamedTuple):
    """How a silence would hold for longer than the policy allows, counted from when the first began that it goes on with.

    `is_series` says that it is the whole series of a recurring silence that is too long, and no window of it.
    """

    span: Window
    allowed: timedelta
    is_series: bool = False


def with_first(silence: Silence, others: Iterable[Silence]) -> Silence:
    """Return a silence that knows when the first of the silences began that it goes on with.

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
    """Return how a silence would hold for longer than a policy allows, with those that it goes on with; None if it does not."""
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
    """Return for how much of the last 30 days all that a silence is about was silenced, by it or by others; from 0 to 1.

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
    """Return since when silences that ended must be known, to judge a new one and to say how much was silenced."""
    return now - max(MONTH, bounds.longest + BREAK, _WEEK)


type Group = tuple[Element, ...]

_RESOURCE_ID = Field(None, "resourceid")
_NAMES = (_RESOURCE_ID, RESOURCE_NAME, Field("host", "hostname"), Field(None, "compromisedentity"))
"""What a machine may be called by."""


def lies_within(inner: Silence, outer: Silence) -> bool:
    """Return whether it is certain that a silence covers nothing but what another covers, whenever either holds anything."""
    if inner.stream != outer.stream:
        return False
    if outer.alert_type is not None and (inner.alert_type or "").casefold() != outer.alert_type.casefold():
        return False
    return all(any(_implies(narrow, wide) for narrow in inner.groups) for wide in outer.groups)


def _implies(narrow: Group, wide: Group) -> bool:
    """Return whether what meets one group meets another: both are about one entity, or about the signal itself."""
    if wide[0].field == MACHINE:
        return any(one.field in (MACHINE, *_NAMES) and _is_narrower(one, wide[0]) for one in narrow)
    if narrow[0].field.entity != wide[0].field.entity:
        return False
    return all(any(_is_narrower(one, other) for one in narrow) for other in wide)


def _is_narrower(narrow: Element, wide: Element) -> bool:
    if narrow.operator is Operator.CONTAINS or wide.operator is Operator.CONTAINS:
        return narrow.field == wide.field and narrow.operator is wide.operator and narrow.values <= wide.values
    if narrow.field == wide.field or (wide.field == MACHINE and narrow.field != _RESOURCE_ID):
        return _are_all_in(narrow, wide, str)
    is_named_by_id = narrow.field == _RESOURCE_ID and wide.field in (RESOURCE_NAME, MACHINE)
    if is_named_by_id and narrow.operator is Operator.IN:
        return _are_all_in(narrow, wide, lambda name: name.rstrip("/").rpartition("/")[2])
    return False


def _are_all_in(narrow: Element, wide: Element, as_wide: Callable[[str], str]) -> bool:
    if narrow.operator is Operator.LIKE and wide.operator is Operator.IN:
        return False
    return all(_is_in(as_wide(value), wide) for value in narrow.values) and all(map(wide.ranges.covers, narrow.ranges))


def _is_in(value: str, wide: Element) -> bool:
    """Return whether a text, or all that a glob fits, meets an element."""
    if wide.operator is Operator.LIKE:
        return any(covers_glob(glob, value) for glob in wide.values)
    return value in wide.values or wide.ranges.find(value) is not None


def refuse_overrun(
    field: str, silence: Silence, others: Collection[Silence], bounds: SilenceBounds, given_from: datetime | None = None
) -> None:
    """Raise BadField where a silence would hold for longer than the policy allows; says what to write instead.

    Lengths are counted from `given_from`, or else from its beginning.
    """
    overrun = find_overrun(silence, others, bounds)
    if overrun is None:
        return
    whole, allowed = duration_text(overrun.span.ends - overrun.span.begins), duration_text(overrun.allowed)
    begun = f", counted from {timestamp(overrun.span.begins)}, when the first began that it goes on with"
    counted = begun if overrun.span.begins < silence.begins else ""
    if silence.every is not None and not overrun.is_series:
        raise BadField(
            "every",
            f"{silence.every} holds for {whole} without an hour's break; the policy allows {allowed}: "
            "write a shorter window, or fewer days",
        )
    what = f"a series of {whole}" if overrun.is_series else f"{whole} without an hour's break"
    given_from = given_from or silence.begins
    # As long as one may be, or until a break before a later one into which it would run.
    later = {
        window.begins - BREAK for one in others for window in one.windows_between(silence.begins, silence.end + BREAK)
    }
    instead = next(
        (
            f"write `for` {duration_text(end - given_from)} at most"
            for end in sorted({overrun.span.begins + overrun.allowed, *later}, reverse=True)
            if end - given_from >= timedelta(minutes=1)
            and find_overrun(replace(silence, until=end), others, bounds) is None
        ),
        "what is to be held longer wants a suppression rule",
    )
    raise BadField(field, f"makes {what}{counted}; the policy allows {allowed}: {instead}")
