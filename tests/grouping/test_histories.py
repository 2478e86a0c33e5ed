"""Whatever comes, over histories: limits, one ticket each, a note an hour, and a turn for all."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from router.domain.decisions import Change
from router.domain.keys import signal_key
from router.domain.notices import Notice
from router.domain.owners import Owner, Owners, Ownership
from router.domain.rulebook import By, Grouping, Lane, Limit, Rulebook
from router.domain.severity import gravity_of
from router.domain.signals import Kind
from router.ingest.grouping import tell_waiting
from router.store.groups import MemberState
from tests.builders import NOW, RESOURCE, a_message, alert_body
from tests.builders_constructed_updates import HOUR, SUBSCRIPTION, a_posture_book, an_update
from tests.examples import some_of
from tests.grouping.backlog import AT, MINUTE, Backlog
from tests.grouping.test_grouping import a_grouping_book
from tests.ingest.test_intake import House
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


SHORT = 10 * MINUTE
YEAR = timedelta(days=365)
IDS = "abcdefgh"
SEVERITIES = ["Medium", "High", "Critical", None]
OWNERS = Owners((Ownership(lambda _, group: group == "rg-b", Owner(group="b", pager="B_KEY")),))


@dataclass(frozen=True)
class Said:
    """A message about a signal, so many minutes after the one before, and whether what is owed is delivered at once."""

    id: str
    status: str
    severity: str | None
    wait: int
    is_delivered: bool
    is_wrong: bool
    """Whether the clock is a year ahead while it is taken in."""


_ONE = st.builds(
    Said,
    st.sampled_from(IDS),
    st.sampled_from(["New", "InProgress", "Resolved"]),
    st.sampled_from(SEVERITIES),
    st.integers(0, 3),
    st.booleans(),
    st.integers(0, 9).map(lambda n: n == 0),
)
_FLAP = st.builds(
    lambda one, severity, is_wrong: [
        Said(one, status, severity, 0, True, is_wrong) for status in ("New", "Resolved") * 3
    ],
    st.sampled_from(IDS),
    st.sampled_from(SEVERITIES),
    st.integers(0, 3).map(lambda n: n == 0),
)
SAID = st.lists(st.one_of(_FLAP, _ONE.map(lambda one: [one])), min_size=2, max_size=8).map(
    lambda some: [act for acts in some for act in acts]
)
"""Single messages, and signals that come and go so fast that a limit has no room left."""


def body(act: Said, index: int) -> bytes:
    """The alert of an act: the later letters are of another owner, `d` and `h` are samples, two are alike in type."""
    number = IDS.index(act.id)
    return alert_body(
        act.id,
        Status=act.status,
        Severity=act.severity,
        AlertType=f"T{number // 2}",
        AlertDisplayName="[SAMPLE ALERT] x" if act.id in "dh" else act.id,
        AzureResourceId=RESOURCE.replace("rg-web", "rg-b") if number >= 4 else RESOURCE,
        ProcessingEndTime=(NOW + index * MINUTE).isoformat(),
    )


@dataclass
class Life:
    """A house under a policy, what its destination received, and what a reader of the promise would keep in mind."""

    house: House
    received: list[tuple[int, Notice]] = field(default_factory=list)
    stood_at: dict[str, int] = field(default_factory=dict)
    """At which act each signal that stands was last opened or changed."""
    gravest: dict[str, int] = field(default_factory=dict)
    """How grave each group has been since nobody stood in it."""
    standing: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    members: dict[str, MemberState] = field(default_factory=dict)
    breaking: set[str] = field(default_factory=set)
    """The signals that were graver than all before them in their group when they last joined it."""

    def take(self, act: Said, index: int, now: datetime) -> None:
        self.house.ingest(a_message(body(act, index)), now=now)
        key = signal_key("cwpp", "alert", act.id)
        before, member = self.members.get(act.id), self.find_member(key)
        if member is None or (before is not None and before.turn == member.turn):
            return  # a repeat
        self.members[act.id] = member
        stood_alone = self.standing[member.group] <= {key}
        for others in self.standing.values():
            others.discard(key)
        if not member.stands:
            self.stood_at.pop(act.id, None)
            self.breaking.discard(act.id)
            return
        if stood_alone and (before is None or not before.stands):
            self.gravest[member.group] = -1
        gravity = gravity_of(act.severity)
        if gravity > self.gravest.get(member.group, -1):
            self.gravest[member.group] = gravity
            self.breaking.add(act.id)
            self.stood_at[act.id] = index
        self.standing[member.group].add(key)
        self.stood_at.setdefault(act.id, index)

    def find_member(self, key: str) -> MemberState | None:
        return asyncio.run(members_at(self.house.store, "cwpp", "tickets", key)).get(key)

    def deliver(self, index: int, now: datetime) -> None:
        for claim in self.house.owed("tickets", now):
            content = claim.delivery.content
            assert isinstance(content, Notice)
            if claim.delivery.change is not Change.RESOLVED:
                self.received.append((index, content))

    def is_named(self, id: str) -> bool:
        """Whether a notice of its group that came after the signal stood names it, or says how many it does not name."""
        key = signal_key("cwpp", "alert", id)
        member = self.find_member(key)
        assert member is not None
        for index, notice in self.received:
            if index < self.stood_at[id] or notice.key != member.group:
                continue
            named = {one.key for one in notice.group.named} if notice.group is not None else set()
            if notice.id == id or key in named:
                return True
            if notice.group is not None and notice.group.standing > len(named) and id not in self.breaking:
                return True
        return False


def left_by(acts: Sequence[Said], book: Rulebook) -> list[str]:
    """The signals that stand in the end and that no notice named or counted once the window had passed."""
    with tempfile.TemporaryDirectory() as directory:
        life = Life(House(Path(directory), book))
        now = NOW
        for index, act in enumerate(acts):
            now += act.wait * MINUTE
            then = now + YEAR if act.is_wrong else now
            life.take(act, index, then)
            if act.is_delivered or act.is_wrong:
                life.deliver(index, then)
        end = now + SHORT
        asyncio.run(tell_waiting(life.house.store, book, end))
        life.deliver(len(acts), end)
        left = [id for id in life.stood_at if not life.is_named(id)]
        asyncio.run(life.house.store.close())
    return left


@settings(max_examples=some_of(60), deadline=None)
@given(
    SAID,
    st.sampled_from([1, 2, None]),
    st.sampled_from([None, By.ALERT_TYPE, By.SUBSCRIPTION]),
    st.sampled_from([Lane.TICKET, Lane.PAGE]),
)
def test_once_the_window_has_passed_every_signal_that_stands_was_named_or_counted(
    acts: list[Said], most: int | None, by: By | None, lane: Lane
) -> None:
    """Openings, updates, ends and clocks that are wrong for a moment: each signal that stands was named to its destination,
    or counted among those that a notice does not name; one that was graver than all before it in its group was named."""
    limit = Limit(most, SHORT) if most is not None else None
    grouping = Grouping((by or By.INCIDENT,), SHORT) if by is not None or limit is None else None
    book = replace(a_grouping_book(grouping, limit, lane), owners=OWNERS)
    assert left_by(acts, book) == []
