"""A flood of findings takes bounded memory at a ticket destination whose groups last."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from datetime import timedelta

from router.domain.rulebook import Limit
from router.store.store import Store
from tests.builders import NOW
from tests.builders_constructed_updates import a_posture_book, a_snapshot
from tests.grouping.backlog import Backlog
from tests.store.acts import run

DAY = timedelta(days=1)


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
