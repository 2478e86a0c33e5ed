"""Which rows are of one snapshot, in whatever order they come; and that a flood of findings takes bounded memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from router.domain.rulebook import Limit
from router.store.snapshots import DAY, REMEMBERED, Appearances, Snapshot, day_of, joined
from router.store.store import Store
from tests.builders import NOW
from tests.builders_constructed_updates import a_posture_book, a_snapshot
from tests.grouping.backlog import Backlog
from tests.store.acts import run

HOURS = st.one_of(st.integers(0, 600), st.integers(0, 20).map(lambda halves: halves * 12))
COMING = st.lists(HOURS.map(lambda hours: NOW + timedelta(hours=hours)), min_size=1, max_size=12)


def chained(times: Sequence[datetime]) -> list[tuple[datetime, datetime]]:
    """The first and the last times of snapshots, as the definition says."""
    found: list[tuple[datetime, datetime]] = []
    for time in sorted(times):
        if found and time - found[-1][1] < DAY:
            found[-1] = (found[-1][0], time)
        else:
            found.append((time, time))
    return found


@given(COMING)
def test_a_snapshot_is_all_rows_with_less_than_a_day_between_them(times: list[datetime]) -> None:
    """Each finding knows its days alone; with when rows of a day came these give the snapshots, and in which it came."""
    appearances = Appearances("s", "recommendation", times[0])
    for time in times:
        appearances = appearances.in_snapshot_at(time)
    assert (appearances.named, appearances.in_snapshot) == (max(times), max(times))
    assert appearances.days == tuple(sorted({day_of(time) for time in times}))[-REMEMBERED:]
    by_day = {day: [time for time in times if day_of(time) == day] for day in map(day_of, times)}
    found = joined(Snapshot(min(some), max(some), frozenset([day])) for day, some in by_day.items())
    assert [(one.first, one.last) for one in found] == chained(times)
    assert [one.days for one in found] == [
        frozenset(day_of(time) for time in times if one.first <= time <= one.last) for one in found
    ]


def test_what_names_a_finding_half_a_week_later_is_news() -> None:
    """A row of a snapshot after the last row, and another message after the last message."""
    one = Appearances("s", "recommendation", NOW + DAY, NOW)
    found = [
        (days, in_snapshot)
        for days in (3.49, 3.5, 4.49, 4.5)
        for in_snapshot in (True, False)
        if one.is_news_at(NOW + days * DAY, in_snapshot=in_snapshot)
    ]
    assert found == [(3.5, True), (4.49, True), (4.5, True), (4.5, False)]


def _peak_of(act: Callable[[], object]) -> int:
    tracemalloc.start()
    act()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_what_a_sweep_takes_in_memory_does_not_grow_with_what_waits(store: Store) -> None:
    """Ten times as many groups wait, and a walk over them keeps keys alone."""
    backlog = Backlog(store, a_posture_book(Limit(1, DAY)), run)
    peaks: list[int] = []
    for packages in (40, 400):
        backlog.take(a_snapshot(1, packages, 1), NOW)
        backlog.pass_by(NOW)
        peaks.append(_peak_of(lambda: backlog.sweep(NOW + DAY + len(peaks) * DAY)))
        backlog.receive(NOW + DAY)
    assert peaks[1] < 3 * peaks[0] + 4 * 2**20, peaks
