"""What silences hold together is bounded, and a scope that lies within another is known to."""

from collections.abc import Sequence
from copy import replace
from datetime import datetime, timedelta
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.app.silence_bounds import find_overrun, lies_within, needed_since, silenced_share, with_first
from router.domain.patterns import AddressRanges
from router.domain.silences import BREAK, Silence, SilenceBounds, Window, find_latest_end, spans_between
from router.domain.suppression import Element, Field, Operator
from tests.builders import NOW, an_element
from tests.silences import HOUR, a_silence, called, machine, named, weekly

INSTANT = timedelta(microseconds=1)
SLOT = timedelta(minutes=10)
DAY = timedelta(days=1)
LONGEST = timedelta(hours=24)
BOUNDS = SilenceBounds(longest=LONGEST, recurring=90 * DAY)


def an_address(*texts: str) -> tuple[Element, ...]:
    """An element on addresses and ranges of them."""
    ranges = AddressRanges.from_networks(ip_network(text) for text in texts if "/" in text)
    values = frozenset(text for text in texts if "/" not in text)
    return (Element(Field("ip", "address"), Operator.IN, values, ranges),)


ID = "/subscriptions/s/resourcegroups/rg-web/providers/microsoft.compute/virtualmachines/vm-1"
BY_ID = (an_element("resourceid", ID),)
IN_GROUP = (Element(Field(None, "resourceid"), Operator.LIKE, frozenset({"*/resourcegroups/rg-web/*"})),)


NARROWER: tuple[tuple[list[tuple[Element, ...]], list[tuple[Element, ...]]], ...] = (
    ([named("vm-1")], [named("vm-1", "vm-2")]),
    ([named("vm-1*")], [named("vm-*")]),
    ([named("vm-1"), machine("a")], [named("vm-1")]),
    ([named("vm-1")], [called("vm-1")]),
    ([machine("a")], [machine("a", "b")]),
    ([machine("vm-1")], [called("vm-1")]),
    ([machine("vm-1")], [called("vm-*")]),
    ([called("vm-1")], [called("vm-1", "vm-2")]),
    ([BY_ID], [named("vm-1")]),
    ([BY_ID], [called("vm-1")]),
    ([BY_ID], [IN_GROUP]),
    ([an_address("10.0.0.5")], [an_address("10.0.0.0/24")]),
    ([an_address("10.0.0.0/25")], [an_address("10.0.0.0/24")]),
)
APART: tuple[tuple[list[tuple[Element, ...]], list[tuple[Element, ...]]], ...] = (
    ([named("web-*")], [named("*-prod")]),
    ([machine("vm-1")], [named("vm-1")]),
    ([BY_ID], [named("vm-2")]),
    ([an_address("10.0.0.5")], [called("10.0.0.5")]),
    ([an_address("10.0.1.5")], [an_address("10.0.0.0/24")]),
    ([an_address("10.0.0.0/25", "10.9.9.9")], [an_address("10.0.0.0/24")]),
)


def test_one_scope_lies_within_another_where_it_covers_nothing_else() -> None:
    """Both directions; two halves that overlap lie in neither."""
    assert lies_within(a_silence(groups=(named("vm-1"),)), a_silence(groups=(named("vm-1"),)))
    for pairs, is_within in ((NARROWER, True), (APART, False)):
        for groups in pairs:
            one, other = (a_silence(groups=tuple(some)) for some in groups)
            assert (lies_within(one, other), lies_within(other, one)) == (is_within, False), groups


def test_one_without_a_type_is_about_all_types() -> None:
    """Whatever case they are written in; silences of two streams have nothing to do with each other."""
    for outer in (None, "VM_X"):
        for inner in (None, "vm_x", "VM_X", "VM_Y"):
            is_within = outer is None or inner in ("vm_x", "VM_X")
            assert lies_within(a_silence(alert_type=inner), a_silence(alert_type=outer)) is is_within
    assert not lies_within(a_silence(stream="cspm"), a_silence())


def test_one_that_begins_less_than_an_hour_after_another_ended_goes_on_with_it() -> None:
    """An hour's break makes it another one, and so does a wider scope; of many the first one counts, whatever their order."""
    before = a_silence("before", lasts=20 * HOUR, ended=NOW + 10 * HOUR)
    for pause, goes_on in ((timedelta(), True), (HOUR - INSTANT, True), (HOUR, False)):
        after = a_silence("after", begins=NOW + 10 * HOUR + pause, lasts=HOUR, groups=(named("vm-1"), machine("a")))
        assert with_first(after, [before]).first == (NOW if goes_on else after.begins)
    before = a_silence("before", groups=(named("vm-1"), machine("a")))
    assert with_first(a_silence("after", begins=NOW + HOUR), [before]).first == NOW + HOUR
    chain = [a_silence(f"{number}", begins=NOW + number * 5 * HOUR, lasts=4.5 * HOUR) for number in range(4)]
    assert with_first(a_silence("last", begins=NOW + 19 * HOUR, lasts=HOUR), reversed(chain)).first == NOW


def test_what_goes_on_with_another_ends_when_that_would_have_to() -> None:
    """To the moment: no chain of short ones lasts longer than one may; also with one that is to come."""
    before = a_silence("before", lasts=20 * HOUR)
    for lasts, is_over in ((4 * HOUR, False), (4 * HOUR + INSTANT, True)):
        after = with_first(a_silence("after", begins=NOW + 20 * HOUR, lasts=lasts), [before])
        overrun = find_overrun(after, [before], BOUNDS)
        assert (overrun.span if overrun is not None else None) == (Window(NOW, after.end) if is_over else None)
    coming = a_silence("coming", begins=NOW + 20 * HOUR, lasts=20 * HOUR)
    assert find_overrun(a_silence(lasts=19.5 * HOUR), [coming], BOUNDS) is not None
    assert find_overrun(a_silence(lasts=19 * HOUR), [coming], BOUNDS) is None


def test_a_window_of_a_recurring_one_is_as_long_as_any_may_be() -> None:
    """Also where clocks are put back, and where one day follows another."""
    autumn = datetime.fromisoformat("2026-10-20T00:00:00+00:00")
    for begins, days, ends, zone, is_over in (
        (NOW, (5,), "00:00", "UTC", False),
        (NOW, (5, 6), "00:00", "UTC", True),
        (NOW, (5, 6), "23:00", "UTC", False),
        (NOW, (5, 6), "23:01", "UTC", True),
        (autumn, (6,), "00:00", "UTC", False),
        (autumn, (6,), "00:00", "Europe/Berlin", True),
    ):
        every = weekly(*days, begins="00:00", ends=ends, zone=zone)
        assert (find_overrun(a_silence(begins=begins, lasts=60 * DAY, every=every), [], BOUNDS) is not None) is is_over


def test_a_series_lasts_as_long_as_the_policy_says_from_its_first_start() -> None:
    """Another series within a week goes on with it."""
    every = weekly(5)
    assert find_overrun(a_silence(lasts=90 * DAY, every=every), [], BOUNDS) is None
    overrun = find_overrun(a_silence(lasts=90 * DAY + INSTANT, every=every), [], BOUNDS)
    assert overrun is not None
    assert overrun.is_series
    before = a_silence("before", lasts=80 * DAY, every=every)
    for pause, is_over in ((7 * DAY - INSTANT, True), (7 * DAY, False)):
        after = with_first(a_silence("after", begins=before.end + pause, lasts=11 * DAY, every=every), [before])
        assert (find_overrun(after, [before], BOUNDS) is not None) is is_over


def test_one_in_between_two_windows_of_another_counts_from_its_own_beginning() -> None:
    """A series that has been there for long keeps nobody from silencing the same for an hour."""
    series = a_silence("series", begins=NOW - 40 * DAY, lasts=80 * DAY, every=weekly(5))
    now = with_first(a_silence("now", lasts=20 * HOUR), [series])
    assert (now.first, find_overrun(now, [series], BOUNDS)) == (NOW, None)


def test_the_share_of_a_month_counts_what_two_silenced_once() -> None:
    """And only as far back as 30 days, and only what lay around all of the scope."""
    one = a_silence("a", begins=NOW - 20 * DAY, lasts=10 * DAY)
    other = a_silence("b", begins=NOW - 15 * DAY, lasts=10 * DAY, groups=(named("vm-*"),))
    narrower = a_silence("c", begins=NOW - 5 * DAY, lasts=5 * DAY, groups=(named("vm-1"), machine("a")))
    for silences, days in (
        ([], 0),
        ([one, other, narrower], 15),
        ([replace(one, begins=NOW - 50 * DAY)], 20),
        ([replace(one, until=NOW + DAY)], 20),
        ([a_silence("d", begins=NOW + DAY)], 0),
    ):
        assert silenced_share(a_silence(), silences, NOW) == pytest.approx(days / 30)
    assert needed_since(SilenceBounds(longest=40 * DAY), NOW) == NOW - 40 * DAY - BREAK


SPANS = st.lists(st.tuples(st.integers(0, 100), st.integers(1, 30), st.none() | st.integers(0, 30)), max_size=8)
"""Silences by their beginnings, lengths and early ends, in tens of minutes."""


def silences_of(spans: Sequence[tuple[int, int, int | None]]) -> list[Silence]:
    """Silences of one scope."""
    made = []
    for number, (begins, lasts, ended) in enumerate(spans):
        end = NOW + (begins + ended) * SLOT if ended is not None else None
        made.append(a_silence(f"{number}", begins=NOW + begins * SLOT, lasts=lasts * SLOT, ended=end))
    return made


@given(SPANS, st.integers(1, 6))
def test_nothing_is_held_for_longer_than_the_longest_time_without_an_hours_break(
    spans: Sequence[tuple[int, int, int | None]], hours: int
) -> None:
    """Whatever silences there are: how they came to be makes no difference to what they hold together."""
    silences, longest = silences_of(spans), hours * HOUR
    held = [
        now
        for now in (NOW + place * SLOT for place in range(140))
        if any(one.is_active(now) for one in silences)
        and (latest := find_latest_end(silences, now, longest)) is not None
        and now < latest
    ]
    begun = None
    for before, now in zip([None, *held], held, strict=False):
        if before is None or now - before > HOUR:
            begun = now
        assert begun is not None
        assert now - begun < longest


@given(SPANS)
def test_one_whole_silence_is_never_cut(spans: Sequence[tuple[int, int, int | None]]) -> None:
    """What lies an hour and more from all others holds to its end, where it is no longer than one may be."""
    silences = silences_of(spans)
    for span in spans_between(silences, NOW - DAY, NOW + 100 * DAY):
        whole = span.ends - span.begins
        assert find_latest_end(silences, span.begins, whole) == span.ends
        assert find_latest_end(silences, span.ends - INSTANT, whole) in (span.ends, None)
