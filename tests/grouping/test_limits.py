"""Whatever comes, a notice names or counts every signal that stands: the promise of limits as a property over histories."""

from __future__ import annotations

import asyncio
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.domain.decisions import Change
from router.domain.keys import signal_key
from router.domain.notices import Notice
from router.domain.owners import Owner, Owners, Ownership
from router.domain.rulebook import By, Grouping, Lane, Limit, Rulebook
from router.domain.severity import gravity_of
from router.ingest.grouping import tell_waiting
from router.store.groups import MemberState
from tests.builders import NOW, RESOURCE, a_message, alert_body
from tests.examples import some_of
from tests.grouping.test_grouping import a_grouping_book, an_incident
from tests.ingest.test_intake import House
from tests.store.acts import members_at

MINUTE = timedelta(minutes=1)
WINDOW = 10 * MINUTE
YEAR = timedelta(days=365)
IDS = "abcdefgh"
SEVERITIES = ["Medium", "High", "Critical", None]
OWNERS = Owners((Ownership(lambda _, group: group == "rg-b", Owner(group="b", pager="B_KEY")),))


@dataclass(frozen=True)
class Act:
    """A message about a signal, so many minutes after the one before, and whether what is owed is delivered at once."""

    id: str
    status: str
    severity: str | None
    wait: int
    is_delivered: bool
    is_wrong: bool
    """Whether the clock is a year ahead while it is taken in."""


_ONE = st.builds(
    Act,
    st.sampled_from(IDS),
    st.sampled_from(["New", "InProgress", "Resolved"]),
    st.sampled_from(SEVERITIES),
    st.integers(0, 3),
    st.booleans(),
    st.integers(0, 9).map(lambda n: n == 0),
)
_FLAP = st.builds(
    lambda one, severity, is_wrong: [
        Act(one, status, severity, 0, True, is_wrong) for status in ("New", "Resolved") * 3
    ],
    st.sampled_from(IDS),
    st.sampled_from(SEVERITIES),
    st.integers(0, 3).map(lambda n: n == 0),
)
ACTS = st.lists(st.one_of(_FLAP, _ONE.map(lambda one: [one])), min_size=2, max_size=8).map(
    lambda some: [act for acts in some for act in acts]
)
"""Single messages, and signals that come and go so fast that a limit has no room left."""


def body(act: Act, index: int) -> bytes:
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

    def take(self, act: Act, index: int, now: datetime) -> None:
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


def lived(acts: Sequence[Act], book: Rulebook) -> list[str]:
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
        end = now + WINDOW
        asyncio.run(tell_waiting(life.house.store, book, end))
        life.deliver(len(acts), end)
        left = [id for id in life.stood_at if not life.is_named(id)]
        asyncio.run(life.house.store.close())
    return left


@settings(max_examples=some_of(60), deadline=None)
@given(
    ACTS,
    st.sampled_from([1, 2, None]),
    st.sampled_from([None, By.ALERT_TYPE, By.SUBSCRIPTION]),
    st.sampled_from([Lane.TICKET, Lane.PAGE]),
)
def test_once_the_window_has_passed_every_signal_that_stands_was_named_or_counted(
    acts: list[Act], most: int | None, by: By | None, lane: Lane
) -> None:
    """Openings, updates, ends and clocks that are wrong for a moment: each signal that stands was named to its destination,
    or counted among those that a notice does not name; one that was graver than all before it in its group was named."""
    limit = Limit(most, WINDOW) if most is not None else None
    grouping = Grouping((by or By.INCIDENT,), WINDOW) if by is not None or limit is None else None
    book = replace(a_grouping_book(grouping, limit, lane), owners=OWNERS)
    assert lived(acts, book) == []


def test_the_one_that_was_graver_is_named_however_many_follow_it() -> None:
    """A High, then thirty more before anything is delivered: the only notice that is left names the first High still."""
    acts = [Act("a", "New", "Medium", 0, True, False)]
    with tempfile.TemporaryDirectory() as directory:
        house = House(Path(directory), a_grouping_book(Grouping((By.SUBSCRIPTION,), WINDOW)))
        life = Life(house)
        life.take(acts[0], 0, NOW)
        life.deliver(0, NOW)
        house.ingest(a_message(alert_body("grave", Severity="High", AlertDisplayName="grave")), now=NOW)
        for number in range(30):
            house.ingest(a_message(alert_body(f"n{number}", Severity="High", AlertDisplayName="other")), now=NOW)
        life.deliver(1, NOW)
        asyncio.run(house.store.close())
    (_, last) = life.received[-1]
    assert last.group is not None
    assert "grave" in [one.title for one in last.group.named]
    assert last.group.standing > len(last.group.named)


@dataclass
class Limited:
    """The destination `tickets` under a limit: messages are taken in, a clock ticks, and it receives notices."""

    house: House

    def take(self, *ids: str, at: timedelta = timedelta(), **fields: object) -> None:
        self.take_bodies(*(alert_body(id, **fields) for id in ids), at=at)

    def take_bodies(self, *bodies: bytes, at: timedelta = timedelta()) -> None:
        self.house.ingest(*map(a_message, bodies), now=NOW + at)

    def receive(self, at: timedelta = timedelta()) -> list[tuple[str, Notice]]:
        """What each notice changes, and the notice."""
        claims = self.house.owed("tickets", NOW + at)
        return [
            (one.delivery.change.value, one.delivery.content)
            for one in claims
            if isinstance(one.delivery.content, Notice)
        ]

    def sweep(self, at: timedelta) -> list[tuple[str, str]]:
        """What each notice changes after the clock has ticked, and in whose words."""
        asyncio.run(tell_waiting(self.house.store, self.house.book, NOW + at))
        return [(change, notice.title) for change, notice in self.receive(at)]

    def flap(self) -> None:
        """A opens, B and C come and go beyond the limit, and D stands with no room left."""
        statuses = [("A", "New"), ("B", "New"), ("B", "Dismissed"), ("C", "New"), ("C", "Dismissed"), ("D", "New")]
        for minute, (id, status) in enumerate(statuses):
            self.take(id, at=minute * MINUTE, Status=status, AlertDisplayName=id)
            self.receive(minute * MINUTE)


ONE = Limit(1, WINDOW)
PAGED = a_grouping_book(None, ONE, Lane.PAGE)
SAMPLE: dict[str, Any] = {"AlertDisplayName": "[SAMPLE ALERT] test"}
THEIRS = RESOURCE.replace("rg-web", "rg-b")
TWO_PAGERS = Owners(
    (
        Ownership(lambda _, group: group == "rg-web", Owner(group="a", pager="A_KEY")),
        Ownership(lambda _, group: group == "rg-b", Owner(group="b", pager="B_KEY")),
    )
)

type Build = Callable[..., Limited]


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Build]:
    """Builds such a destination; its store is closed when the test ends."""
    built: list[Limited] = []

    def build(book: Rulebook | None = None) -> Limited:
        built.append(Limited(House(tmp_path, book or a_grouping_book(None, ONE))))
        return built[-1]

    yield build
    for one in built:
        asyncio.run(one.house.store.close())


def test_a_signal_beyond_the_limit_opens_as_soon_as_there_is_room(build: Build) -> None:
    """No other message comes: the clock opens D once the first opening has left the window, and not before."""
    tickets = build()
    tickets.flap()
    assert tickets.sweep(WINDOW - timedelta(microseconds=1)) == []
    assert tickets.sweep(WINDOW) == [("opened", "D")]
    assert tickets.sweep(2 * WINDOW) == [], "it opens once"
    tickets.take("D", at=2 * WINDOW, Status="Dismissed")
    assert [change for change, _ in tickets.receive(2 * WINDOW)] == ["resolved"]


def test_the_next_message_finds_the_room_taken_by_what_waited_longer(build: Build) -> None:
    """E comes when there is room for one: D, which waited, opens, and E joins it."""
    tickets = build()
    tickets.flap()
    tickets.take("E", at=WINDOW, AlertDisplayName="E")
    (opened, updated) = tickets.receive(WINDOW)
    assert (opened[0], opened[1].title, updated[0]) == ("opened", "D", "updated")
    assert updated[1].group is not None
    assert {one.title for one in updated[1].group.named} == {"D", "E"}


def test_a_summary_opens_in_the_words_of_one_that_stands_and_never_where_none_does(build: Build) -> None:
    """D waits, E joins it, D ends: it counts one, and names E. Once E is over too, nothing is opened or resolved."""
    tickets = build()
    tickets.flap()
    tickets.take("E", at=6 * MINUTE, Severity="Medium", AlertDisplayName="E")
    tickets.take("D", at=7 * MINUTE, Status="Dismissed")
    other = replace(tickets.house.book, destinations=a_grouping_book(None, None).destinations)
    tickets.house.book, before = other, tickets.house.book
    assert tickets.sweep(8 * MINUTE) == [("opened", "E")], "a limit that is lifted keeps nothing waiting"
    tickets.house.book = before
    tickets.take("E", at=8 * MINUTE, Status="Dismissed")
    assert [change for change, _ in tickets.receive(8 * MINUTE)] == ["resolved"]
    tickets.take("F", at=8 * MINUTE)
    tickets.take("F", at=9 * MINUTE, Status="Dismissed")
    assert tickets.sweep(2 * WINDOW) == []


def test_samples_use_up_no_limit_of_real_alerts(build: Build) -> None:
    """However many samples came: the real alert opens by itself, not in a summary."""
    tickets = build()
    tickets.take("s1", "s2", "s3", **SAMPLE)
    tickets.receive()
    tickets.take("real")
    assert [(change, notice.group) for change, notice in tickets.receive()] == [("opened", None)]


@pytest.mark.parametrize(
    ("ahead", "is_alone"), [(timedelta(days=365), True), (timedelta(seconds=30), False)], ids=["wrong", "a little"]
)
def test_an_opening_in_an_impossible_future_counts_for_nothing(build: Build, ahead: timedelta, is_alone: bool) -> None:
    """Nor does a window that ends there take others in; but the clocks of two workers may differ by seconds."""
    tickets = build()
    tickets.take("A", at=ahead)
    tickets.receive(ahead)
    tickets.take("B")
    assert [(change, notice.group is None) for change, notice in tickets.receive()] == [("opened", is_alone)]


def test_severities_that_alternate_make_no_storm_of_pages(build: Build) -> None:
    """Beyond the limit a graver one opens a page of its own, but not again and again within the window."""
    pager = build(PAGED)
    opened = 0
    for status in ("New", "Resolved") * 8:
        for severity in ("Medium", "High"):
            pager.take(severity, Severity=severity, Status=status)
            opened += [change for change, _ in pager.receive()].count("opened")
    # One by itself; two summaries, the limit being one; and the one that was graver than those before it.
    assert opened <= 1 + 2 + 1
    pager.take("last", AlertDisplayName="last")
    assert ("opened", "last") in pager.sweep(WINDOW + MINUTE)


@pytest.mark.parametrize("order", [("i", "b"), ("b", "i")])
@pytest.mark.parametrize("is_sample", [True, False])
def test_an_incident_takes_no_alert_of_another_pager_and_a_sample_no_real_one(
    build: Build, order: tuple[str, str], is_sample: bool
) -> None:
    """It names an alert on B's resource, or a real one in a drill: that opens by itself, whichever comes first."""
    theirs, drill = ({}, SAMPLE) if is_sample else ({"AzureResourceId": THEIRS}, {})
    pager = build(replace(a_grouping_book(lane=Lane.PAGE), owners=TWO_PAGERS))
    bodies = {"i": an_incident("i", "b", AzureResourceId=RESOURCE, **drill), "b": alert_body("b", **theirs)}
    pagers = []
    for id in order:
        pager.take_bodies(bodies[id])
        pagers += [notice.owner and notice.owner.pager for change, notice in pager.receive() if change == "opened"]
    assert sorted(map(str, pagers)) == (["A_KEY", "A_KEY"] if is_sample else ["A_KEY", "B_KEY"])


@pytest.mark.parametrize("is_b_free", [False, True])
def test_one_that_moves_to_another_pager_takes_none_along_that_waits_with_it(build: Build, is_b_free: bool) -> None:
    """D and E wait for A's pager, and D turns out to be B's: A's pager is called for E all the same."""
    pager = build(replace(PAGED, owners=TWO_PAGERS))
    if not is_b_free:
        pager.take("1", "2", "3", AzureResourceId=THEIRS)
        pager.receive()
    pager.flap()
    pager.take("E", at=6 * MINUTE)
    pager.take("D", at=7 * MINUTE, AzureResourceId=THEIRS, Severity="Critical")
    asyncio.run(tell_waiting(pager.house.store, pager.house.book, NOW + WINDOW))
    notices = [notice for _, notice in pager.receive(WINDOW)]
    (called,) = [one.owner for one in notices if one.group and one.group.standing == 2]
    assert called is not None
    assert called.pager == "A_KEY"
