"""Weekly snapshots at a ticket destination whose groups last: one ticket for each package and owner, on both stores."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import islice

from router.domain.rulebook import Limit
from router.store.store import Store
from tests.builders import NOW
from tests.builders_constructed_updates import HOUR, a_posture_book, a_snapshot
from tests.grouping.backlog import MINUTE, Backlog
from tests.store.acts import run

DAY = timedelta(days=1)
WEEK = 7 * DAY
PARTS = 5
"""In so many parts a snapshot comes, a minute apart."""


MACHINES, PACKAGES, TEAMS = 20, 8, 3
ROWS = MACHINES * PACKAGES


def deliver(backlog: Backlog, begin: datetime, **fields: str) -> datetime:
    """Takes a snapshot in while the clock ticks, and two hours pass; returns when its last part had come."""
    rows = a_snapshot(MACHINES, PACKAGES, TEAMS, **fields)
    for number in range(PARTS):
        backlog.take(islice(rows, -(-ROWS // PARTS)), begin + number * MINUTE)
        backlog.pass_by(begin + number * MINUTE)
    for minute in range(0, 120, 10):
        backlog.pass_by(begin + (PARTS + minute) * MINUTE)
    return begin + PARTS * MINUTE


def _counts_of(backlog: Backlog) -> Counter[tuple[object, ...]]:
    """How many tickets there are for each package and owner, as their latest notices say."""
    return Counter(
        (one.last.title, one.last.owner.group if one.last.owner is not None else None) for one in backlog.of_values()
    )


def _many_in(backlog: Backlog) -> int:
    return sum(len(one.notices) for one in backlog.tickets.values())


def test_a_snapshot_makes_one_ticket_for_each_package_and_owner(store: Store) -> None:
    """An hour later each has one note, with the count that is final; the same rows a week later say nothing new."""
    backlog = Backlog(store, a_posture_book(), run)
    deliver(backlog, NOW)
    assert set(_counts_of(backlog).values()) == {1}
    assert (len(backlog.of_values()), backlog.summaries()) == (PACKAGES * TEAMS, [])
    assert {tuple(one.changes) for one in backlog.tickets.values()} <= {("opened",), ("opened", "updated")}
    assert sum(one.standing for one in backlog.tickets.values()) == ROWS
    notices = _many_in(backlog)
    deliver(backlog, NOW + WEEK)
    assert _many_in(backlog) == notices
    deliver(backlog, NOW + 2 * WEEK, status="Waiting")
    assert len(backlog.tickets) == PACKAGES * TEAMS
    assert _many_in(backlog) == notices + PACKAGES * TEAMS, "one note each"


def test_under_a_limit_all_of_them_come_in_as_many_days_as_that_takes(store: Store) -> None:
    """Its number and one summary on the first day, its number on each day after, and no summary in the end."""
    most, tickets = 5, PACKAGES * TEAMS
    backlog = Backlog(store, a_posture_book(Limit(most, DAY)), run)
    end = deliver(backlog, NOW)
    (summary,) = backlog.summaries()
    for day in range(1, -(-tickets // most) + 1):
        for hour in range(1, 24, 2):
            backlog.pass_by(end + (day - 1) * DAY + hour * HOUR)
        expected = min(day * most, tickets)
        assert len(backlog.of_values()) == expected
        if expected < tickets:
            group = summary.last.group
            assert group is not None and group.groups == tickets - expected
            backlog.pass_by(end + day * DAY)
    assert (summary.changes[-1], len(backlog.summaries()), set(_counts_of(backlog).values())) == ("resolved", 1, {1})
    assert sum(one.standing for one in backlog.of_values()) == ROWS


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
