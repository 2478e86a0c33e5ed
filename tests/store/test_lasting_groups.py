"""What is told on a clock when workers die and several sweep at once: once each, nothing lost, all in order, on both stores."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from router.domain.errors import StoreError
from router.domain.notices import Notice
from router.domain.retention import Retention
from router.domain.rulebook import Limit
from router.domain.signals import Stream
from router.store.dead_letters import abandon_deliveries
from tests.builders import NOW, a_destination, a_message, a_rulebook
from tests.builders_constructed_updates import HOUR, a_posture_book, an_update
from tests.grouping.backlog import MINUTE, Backlog
from tests.store.acts import letters_in, run
from tests.store.deadly import Deadly
from tests.store.opened import Store, open_store
from tests.store.within import within

DAY = timedelta(days=1)
BOOK = a_posture_book(Limit(2, DAY))


def a_backlog(store: Any) -> Backlog:
    """Two tickets, a summary of two groups, and a member that no notice tells of yet in each of the four."""
    backlog = Backlog(store, BOOK, run)
    backlog.take([an_update("vm-1", f"p{n}") for n in range(4)], NOW)
    assert sorted(backlog.pass_by(NOW)) == ["opened"] * 3
    backlog.take([an_update("vm-2", f"p{n}") for n in range(4)], NOW + MINUTE)
    return backlog


NOTES, OPENINGS = HOUR + MINUTE, DAY
"""When notes are due, and when others may open."""

STEPS = [(1, False), *((step, True) for step in range(1, 8))]
"""Each write, and whether it was done: who dies before a later one leaves what is left after the one before."""

IN_TURN = [(NOTES, 1, False), (OPENINGS, 1, True), (NOTES, 3, True), (OPENINGS, 5, True), (NOTES, 7, True)]
"""Every other of them, at one moment or the other; what lies between them is for `make soak`."""


@pytest.mark.parametrize(
    ("at", "step", "is_done"),
    [
        pytest.param(*one, marks=[] if one in IN_TURN else pytest.mark.soak)
        for one in ((at, *step) for at in (NOTES, OPENINGS) for step in STEPS)
    ],
    ids=lambda one: {NOTES: "notes", OPENINGS: "openings"}.get(one, str(one)),
)
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


def test_sweeps_of_several_workers_tell_everything_once(database: str, postgres_store: Store) -> None:
    """Four sweep at once, again and again, while a fifth takes messages in: each ticket opens once."""
    backlog = a_backlog(postgres_store)

    async def raced(now: Any, package: str) -> None:
        stores = [open_store(database) for _ in range(4)]
        workers = [Backlog(store, BOOK, run) for store in stores]
        await asyncio.gather(
            *(one.intake.admit_waiting(Stream.CSPM, now) for one in workers),
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


def test_who_waits_at_a_destination_that_the_policy_drops_becomes_a_dead_letter(store: Store) -> None:
    """Two groups wait at `tickets`, which the policy then calls otherwise: they are given up where everybody can see it."""
    backlog = Backlog(store, BOOK, run)
    backlog.take([an_update("vm-1", f"p{n}") for n in range(4)], NOW)
    backlog.pass_by(NOW)
    backlog.book = a_rulebook(stream=Stream.CSPM, destinations=[a_destination("intake")], otherwise=("intake",))
    for minute in (1, 2):
        now = NOW + minute * MINUTE
        backlog.sweep(now)
        run(within(store, abandon_deliveries, "cspm", ["intake"], now, now))
    letters = run(letters_in(store))
    titles = {one.delivery.content.title for one in letters if isinstance(one.delivery.content, Notice)}
    assert len(titles) == 2
    assert titles.isdisjoint(one.last.title for one in backlog.of_values())
