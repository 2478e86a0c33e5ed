"""What is told on a clock when workers die and several sweep at once: once each, nothing lost, all in order, on both stores."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from router.domain.errors import StoreError
from router.domain.groups import NO_END
from router.domain.ports.store import Store
from router.domain.retention import Retention
from router.domain.rulebook import Limit
from router.domain.signals import Stream
from router.ingest.limited_groups import admit_waiting_groups
from router.store.azure import Account, Address, AzureStore
from tests.builders import NOW, a_message
from tests.builders_constructed_updates import HOUR, a_posture_book, an_update
from tests.grouping.backlog import AT, MINUTE, Backlog
from tests.store.acts import run
from tests.store.test_aggregation import Deadly

DAY = timedelta(days=1)
BOOK = a_posture_book(Limit(2, DAY))


def a_backlog(store: Any) -> Backlog:
    """Two tickets, a summary of two groups, and a member that no notice tells of yet in each of the four."""
    backlog = Backlog(store, BOOK, run)
    backlog.take([an_update("vm-1", f"p{n}") for n in range(4)], NOW)
    assert sorted(backlog.pass_by(NOW)) == ["opened"] * 3
    backlog.take([an_update("vm-2", f"p{n}") for n in range(4)], NOW + MINUTE)
    return backlog


@pytest.mark.parametrize("is_done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", range(1, 8))
@pytest.mark.parametrize("at", [HOUR + MINUTE, DAY], ids=["notes", "openings"])
def test_a_clock_that_dies_at_any_write_tells_everything_once(
    store: Store, at: timedelta, step: int, is_done: bool
) -> None:
    """Whoever sweeps next, or takes the next message in, tells what the dead one had decided, and nothing twice."""
    backlog = a_backlog(store)
    deadly = Deadly(store, step, is_done)
    backlog.store = deadly
    try:
        backlog.sweep(NOW + at)
    except StoreError:
        assert deadly.died
    backlog.store = store
    if step % 2:
        backlog.take([an_update("vm-3", "p0")], NOW + at)
    backlog.pass_by(NOW + at)
    backlog.pass_by(NOW + at + HOUR)
    backlog.pass_by(NOW + DAY)
    backlog.pass_by(NOW + DAY + 2 * HOUR)
    assert len(backlog.of_values()) == 4
    for ticket in backlog.tickets.values():
        counts = Counter(ticket.changes)
        assert counts["opened"] == 1
        turns = [notice.turn for _, _, notice in ticket.notices]
        assert turns == sorted(set(turns))
    assert {one.changes[-1] for one in backlog.summaries()} == {"resolved"}
    standing = {key: one.group.standing for key, one in backlog.standing().items()}
    assert {key: one.standing for key, one in backlog.tickets.items() if not one.is_summary} == standing


def test_sweeps_of_several_workers_tell_everything_once(address: Address, azure: AzureStore) -> None:
    """Four sweep at once, again and again, while a fifth takes messages in: each ticket opens once."""
    backlog = a_backlog(azure)

    async def raced(now: Any, package: str) -> None:
        stores = [AzureStore(Account(address)) for _ in range(4)]
        workers = [Backlog(store, BOOK, run) for store in stores]
        await asyncio.gather(
            *(admit_waiting_groups(one.intake, one.store.journal, Stream.CSPM, now) for one in workers),
            backlog.intake.ingest([a_message(an_update("vm-4", package), at=now)], now),
        )
        await asyncio.gather(*(store.close() for store in stores))

    for number, at in enumerate((HOUR + MINUTE, DAY, 2 * DAY)):
        run(raced(NOW + at, f"p{number}"))
        backlog.receive(NOW + at)
    for hour in (1, 2):
        backlog.pass_by(NOW + 2 * DAY + hour * HOUR)
    assert len(backlog.of_values()) == 4
    assert {Counter(one.changes)["opened"] for one in backlog.tickets.values()} == {1}
    assert sum(one.standing for one in backlog.of_values()) == 11


def test_a_group_that_stands_for_longer_than_anything_is_kept_still_takes_others_in(store: Store) -> None:
    """Nothing came for a year and the state was forgotten as far as it goes: the next machine joins the same ticket."""
    backlog = Backlog(store, a_posture_book(), run)
    backlog.take([an_update("vm-1", "p")], NOW)
    backlog.pass_by(NOW)
    later = NOW + timedelta(days=366)
    for step in range(8):
        run(store.forget(later + step * HOUR, Retention(), (), 100))
    backlog.take([an_update("vm-2", "p")], later)
    assert backlog.pass_by(later + HOUR) == ["updated"]
    assert len(backlog.tickets) == 1


def test_the_window_of_a_group_that_is_over_is_forgotten_in_time(store: Store) -> None:
    """While the group stands its window has no end; with its last member it ends, whoever owns that by then."""
    backlog = Backlog(store, a_posture_book(), run)
    backlog.take([an_update("vm-1", "p", team=1)], NOW)
    (state,) = backlog.standing().values()
    assert state.window_key is not None
    windows = run(store.groups.read_aggregation(*AT, windows=[state.window_key])).windows
    assert [one.until for one in windows.values()] == [NO_END]
    backlog.take([an_update("vm-1", "p", team=1, status="Healthy")], NOW + HOUR)
    windows = run(store.groups.read_aggregation(*AT, windows=[state.window_key])).windows
    assert [one.until for one in windows.values()] == [NOW + HOUR]
