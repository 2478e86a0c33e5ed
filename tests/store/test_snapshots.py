"""Weekly snapshots at a ticket destination whose groups last: one ticket for each package and owner, on both stores."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

import pytest

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


@dataclass(frozen=True)
class Estate:
    """Machines with packages, which belong to teams, and how many tickets a day their destination takes."""

    machines: int
    packages: int
    teams: int
    most: int

    @property
    def rows(self) -> int:
        """How many rows a snapshot has."""
        return self.machines * self.packages

    @property
    def tickets(self) -> int:
        """How many pairs of a package and an owner there are."""
        return self.packages * self.teams

    @property
    def limit(self) -> Limit:
        """The limit of the destination."""
        return Limit(self.most, DAY)

    def deliver(self, backlog: Backlog, begin: datetime, **fields: object) -> datetime:
        """Takes a snapshot in while the clock ticks; returns when its last part had come."""
        rows = a_snapshot(self.machines, self.packages, self.teams, **fields)  # type: ignore[arg-type]
        for number in range(PARTS):
            now = begin + number * MINUTE
            backlog.take(islice(rows, -(-self.rows // PARTS)), now)
            backlog.pass_by(now)
        return begin + PARTS * MINUTE


SMALL = Estate(machines=20, packages=8, teams=3, most=5)
on_both = pytest.mark.parametrize(
    ("store", "estate"),
    [
        pytest.param("sqlite", SMALL, id="sqlite"),
        pytest.param("postgresql", SMALL, id="postgresql"),
        pytest.param("sqlite", Estate(500, 200, 5, 100), id="sqlite-whole", marks=pytest.mark.soak),
        pytest.param("postgresql", Estate(100, 100, 5, 100), id="postgresql-tenth", marks=pytest.mark.soak),
    ],
    indirect=["store"],
)


def _counts_of(backlog: Backlog) -> Counter[tuple[object, ...]]:
    """How many tickets there are for each package and owner, as their latest notices say."""
    return Counter(
        (one.last.title, one.last.owner.group if one.last.owner is not None else None) for one in backlog.of_values()
    )


@on_both
def test_a_snapshot_makes_one_ticket_for_each_package_and_owner(store: Store, estate: Estate) -> None:
    """Without a limit all of them at once; an hour later each has one note, with the count that is final."""
    backlog = Backlog(store, a_posture_book(), run)
    end = estate.deliver(backlog, NOW)
    assert set(_counts_of(backlog).values()) == {1}
    assert (len(backlog.of_values()), backlog.summaries()) == (estate.tickets, [])
    for minute in range(0, 120, 10):
        backlog.pass_by(end + minute * MINUTE)
    assert {tuple(one.changes) for one in backlog.tickets.values()} <= {("opened",), ("opened", "updated")}
    assert sum(one.standing for one in backlog.tickets.values()) == estate.rows

    told = sum(len(one.notices) for one in backlog.tickets.values())
    end = estate.deliver(backlog, NOW + WEEK)
    for minute in range(0, 120, 10):
        backlog.pass_by(end + minute * MINUTE)
    assert sum(len(one.notices) for one in backlog.tickets.values()) == told, "the same rows say nothing new"

    end = estate.deliver(backlog, NOW + 2 * WEEK, status="Waiting")
    for minute in range(0, 120, 10):
        backlog.pass_by(end + minute * MINUTE)
    assert len(backlog.tickets) == estate.tickets
    assert sum(len(one.notices) for one in backlog.tickets.values()) == told + estate.tickets, "one note each"


@on_both
def test_under_a_limit_all_of_them_come_in_as_many_days_as_that_takes(store: Store, estate: Estate) -> None:
    """Its number and one summary on the first day, its number on each day after, and no summary in the end."""
    backlog = Backlog(store, a_posture_book(estate.limit), run)
    end = estate.deliver(backlog, NOW)
    assert (len(backlog.of_values()), len(backlog.summaries())) == (estate.most, 1)
    (summary,) = backlog.summaries()
    rows = a_snapshot(estate.machines, estate.packages, estate.teams)
    assert _peak_of(lambda: backlog.take(islice(rows, 500), end)) < ROOM
    assert _peak_of(lambda: backlog.sweep(end + HOUR)) < ROOM
    days = -(-estate.tickets // estate.most)
    for day in range(1, days + 1):
        for hour in range(1, 24, 2):
            backlog.pass_by(end + (day - 1) * DAY + hour * HOUR)
        expected = min(day * estate.most, estate.tickets)
        assert len(backlog.of_values()) == expected
        if day < days:
            group = summary.last.group
            assert group is not None
            assert group.groups == estate.tickets - expected
            backlog.pass_by(end + day * DAY)
    assert summary.changes[-1] == "resolved"
    assert set(_counts_of(backlog).values()) == {1}
    assert sum(one.standing for one in backlog.of_values()) == estate.rows
    assert len(backlog.summaries()) == 1
    told = sum(len(one.notices) for one in backlog.tickets.values())
    later = NOW + (days // 7 + 2) * WEEK
    end = estate.deliver(backlog, later)
    for hour in range(3):
        backlog.pass_by(end + hour * HOUR)
    assert sum(len(one.notices) for one in backlog.tickets.values()) == told


ROOM = 32 * 2**20
"""Bytes that five batches and a sweep may take at most, however much is stored and waits."""


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
