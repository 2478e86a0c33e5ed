"""Whatever comes, where groups last: the promises of one ticket each, a note an hour and a turn for all, over histories."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from router.domain.decisions import Change
from router.domain.keys import signal_key
from router.domain.rulebook import Limit
from router.domain.signals import Kind
from tests.builders import NOW
from tests.builders_constructed_updates import HOUR, SUBSCRIPTION, a_posture_book, an_update
from tests.examples import some_of
from tests.grouping.backlog import AT, MINUTE, Backlog
from tests.store.acts import members_at
from tests.store.opened import open_store

WINDOW = 6 * HOUR
MACHINES = range(4)
PACKAGES = range(3)


@dataclass(frozen=True)
class Act:
    """A message about a package on a machine, so many minutes after the one before, and whether the clock ticks after it."""

    machine: int
    package: int
    status: str
    severity: str
    wait: int
    is_swept: bool

    def body(self, at: datetime) -> bytes:
        """The message; the machines belong to two teams."""
        return an_update(
            f"vm-{self.machine}",
            f"p{self.package}",
            team=self.machine % 2,
            status=self.status,
            severity=self.severity,
            changed=at,
        )


ACTS = st.lists(
    st.builds(
        Act,
        st.sampled_from(MACHINES),
        st.sampled_from(PACKAGES),
        st.sampled_from(["Unhealthy", "Unhealthy", "Healthy"]),
        st.sampled_from(["Medium", "High", "Critical"]),
        st.sampled_from([0, 1, 20, 59, 60, 61, 200, 400]),
        st.booleans(),
    ),
    min_size=2,
    max_size=25,
)


def key_of(machine: int, package: int) -> str:
    resource = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-{machine % 2}/providers/Microsoft.Compute"
    id = f"{resource}/virtualMachines/vm-{machine}/providers/Microsoft.Security/assessments/vm-{machine}-p{package}"
    return signal_key("cspm", Kind.RECOMMENDATION, id)


def lived(backlog: Backlog, acts: Sequence[Act], bodies: list[bytes]) -> tuple[dict[str, str], datetime]:
    """Lives a history; returns the values of each signal that stands, by its key, and when the history ended.

    The messages are kept in `bodies`.
    """
    now, standing = NOW, dict[str, str]()
    for number, act in enumerate(acts):
        now += act.wait * MINUTE
        body = act.body(now + timedelta(seconds=number))
        bodies.append(body)
        backlog.take([body], now)
        key = key_of(act.machine, act.package)
        if act.status == "Healthy":
            standing.pop(key, None)
        else:
            standing[key] = f"p{act.package}/{act.machine % 2}"
        backlog.take([body], now)  # a replay
        backlog.receive(now)
        if act.is_swept:
            backlog.pass_by(now)
            _assert_notified_or_counted(backlog, standing)
    return standing, now


def _members(backlog: Backlog, standing: dict[str, str]) -> dict[str, str]:
    """The group in which each signal stands."""
    members = asyncio.run(members_at(backlog.store, *AT, *standing))
    assert members.keys() == standing.keys()
    assert all(one.stands for one in members.values())
    return {key: one.group for key, one in members.items()}


def _assert_notified_or_counted(backlog: Backlog, standing: dict[str, str]) -> None:
    """Each standing signal is in one group, each of some values in the same; each group is told, or waits and is counted."""
    groups = {key: one for key, one in backlog.standing().items() if not one.group.limited}
    members = _members(backlog, standing)
    by_values: dict[str, set[str]] = {}
    for key, group in members.items():
        by_values.setdefault(standing[key], set()).add(group)
    assert all(len(some) == 1 for some in by_values.values()), "one group for each package and owner"
    assert Counter(members.values()) == {key: one.group.standing for key, one in groups.items()}
    waiting = {key: one for key, one in groups.items() if one.waits}
    told = {key for key, one in backlog.tickets.items() if one.changes[-1] != "resolved"}
    assert groups.keys() - waiting.keys() <= told
    assert not waiting.keys() & backlog.tickets.keys()


def _assert_paced(backlog: Backlog, limit: Limit | None) -> None:
    """A ticket gets a note an hour at most, and the destination no more openings in a window than the limit lets it."""
    for ticket in backlog.tickets.values():
        notes = [at for at, change, _ in ticket.notices if change is Change.UPDATED]
        assert all(later - earlier >= HOUR for earlier, later in pairwise(notes))
    if limit is None:
        return
    for tickets, most in ((backlog.of_values(), limit.most), (backlog.summaries(), limit.most + 1)):
        openings = sorted(at for one in tickets for at, change, _ in one.notices if change is Change.OPENED)
        for first in openings:
            assert sum(first <= at < first + limit.window for at in openings) <= most


@settings(max_examples=some_of(40), deadline=None)
@given(ACTS, st.sampled_from([1, 2, None]))
def test_whatever_comes_each_is_told_once_and_in_time(acts: list[Act], most: int | None) -> None:
    """One group for each package and owner, no more openings and notes than promised, and in the end the right counts."""
    limit = Limit(most, WINDOW) if most is not None else None
    with tempfile.TemporaryDirectory() as directory, asyncio.Runner() as runner:
        store = open_store(Path(directory))
        backlog = Backlog(store, a_posture_book(limit), runner.run)
        bodies: list[bytes] = []
        standing, now = lived(backlog, acts, bodies)
        end = now + (len(PACKAGES) * 2 + 2) * WINDOW
        while now < end:
            now += timedelta(minutes=30)
            backlog.pass_by(now)
        _assert_paced(backlog, limit)
        _assert_notified_or_counted(backlog, standing)
        count = Counter(_members(backlog, standing).values())
        open_tickets = {key: one for key, one in backlog.tickets.items() if one.changes[-1] != "resolved"}
        assert {key: one.standing for key, one in open_tickets.items()} == dict(count)
        backlog.take(bodies, now)  # all of it once more
        assert backlog.pass_by(now + 2 * HOUR) == []
        runner.run(store.close())
