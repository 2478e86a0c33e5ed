"""Groups that last, and histories of groups: limits, one ticket each, a note an hour, and a turn for all."""

import tracemalloc
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from copy import replace
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.decide import decide, notice_for
from router.domain.catalogue import Catalogue
from router.domain.decisions import Change
from router.domain.deliveries import Claim
from router.domain.keys import signal_key
from router.domain.notices import Group, Notice
from router.domain.owners import Owner, Owners, Ownership
from router.domain.rulebook import By, Grouping, Lane, Limit
from router.domain.severity import gravity_of
from router.domain.signals import Finding, Kind, Stream
from router.ingest.grouping import explain_grouping, tell_waiting
from router.parse import evidence_of, read_signals
from router.store.groups import GroupState, MemberState
from router.store.store import Store
from tests.builders import NOW, RESOURCE, a_message, alert_body
from tests.builders_constructed_updates import LASTING, SUBSCRIPTION, a_posture_book, an_update
from tests.examples import some_of
from tests.grouping.test_grouping import a_grouping_book
from tests.store.acts import DAY, HOUR, MINUTE, an_empty_store, groups_at, members_at, run
from tests.store.life import Life, a_life

AT = (Stream.CSPM.value, "tickets")


@dataclass
class Ticket:
    """What was received of one group: when, and what it changed."""

    notices: list[tuple[datetime, Change, Notice]] = field(default_factory=list)

    @property
    def changes(self) -> list[str]:
        """What each notice changed."""
        return [change.value for _, change, _ in self.notices]

    @property
    def last(self) -> Notice:
        """The latest notice."""
        return self.notices[-1][2]

    @property
    def group(self) -> Group:
        """The group of the latest notice, which tells of several."""
        assert self.last.group is not None
        return self.last.group

    @property
    def is_summary(self) -> bool:
        """Whether it counts what waits."""
        return self.last.group is not None and self.last.group.limited

    @property
    def standing(self) -> int:
        """How many signals stand, as its latest notice says."""
        return self.group.standing if self.last.group is not None else int(self.changes[-1] != "resolved")


@dataclass
class Backlog(Life):
    """The destination `tickets` of a rulebook; `tickets` are what it received, by the keys of their groups."""

    tickets: dict[str, Ticket] = field(default_factory=dict)

    def take(self, bodies: Iterable[bytes], now: datetime) -> None:
        """Takes messages in, all at once."""
        self.now = now
        self.ingest(*(a_message(body, at=now) for body in bodies))

    def sweep(self, now: datetime) -> None:
        """Lets the clock tell what is due."""
        run(tell_waiting(self.store, self.book, now))

    def receive(self, now: datetime) -> list[Claim]:
        """Receives what is owed, and keeps it in mind."""
        self.now = now
        claims = self.owed("tickets")
        for one in claims:
            assert isinstance(one.delivery.content, Notice)
            ticket = self.tickets.setdefault(one.delivery.key, Ticket())
            ticket.notices.append((now, one.delivery.change, one.delivery.content))
        return claims

    def pass_by(self, now: datetime) -> Sequence[str]:
        """Sweeps and receives; returns what each notice changed."""
        self.sweep(now)
        return [one.delivery.change.value for one in self.receive(now)]

    def standing(self) -> dict[str, GroupState]:
        """The groups in which somebody stands."""
        return run(groups_at(self.store, *AT))

    def of_values(self) -> list[Ticket]:
        """The tickets of groups, without summaries."""
        return [one for one in self.tickets.values() if not one.is_summary]

    def summaries(self) -> list[Ticket]:
        """The tickets that count what waits."""
        return [one for one in self.tickets.values() if one.is_summary]


TWO_A_DAY = Limit(2, DAY)
WEEKLY = Grouping(LASTING.by, 7 * DAY)


@pytest.fixture
def backlog(sqlite: Store) -> Backlog:
    """A destination whose groups last, without a limit."""
    return Backlog(sqlite, a_posture_book())


def test_the_first_opens_at_once_and_the_rest_is_one_note_an_hour_as_long_as_one_stands(backlog: Backlog) -> None:
    """A year later it is still the same ticket. A resolution says all that was not told before, and a later one opens anew."""
    year = 365 * DAY
    backlog.take([an_update("vm-1", "openssl")], NOW)
    assert backlog.pass_by(NOW) == ["opened"]
    for minute in (1, 2):
        backlog.take([an_update(f"vm-{minute + 1}", "openssl")], NOW + minute * MINUTE)
        assert backlog.pass_by(NOW + minute * MINUTE) == []
    assert backlog.pass_by(NOW + HOUR) == []
    assert backlog.pass_by(NOW + HOUR + MINUTE) == ["updated"]
    (ticket,) = backlog.tickets.values()
    group = ticket.group
    assert (group.total, group.standing, len(group.named)) == (3, 3, 3)
    assert backlog.pass_by(NOW + 3 * HOUR) == [], "when nothing changed, nothing is said"
    backlog.take([an_update("vm-4", "openssl")], NOW + year)
    backlog.take([an_update(f"vm-{n}", "openssl", status="Healthy") for n in range(1, 5)], NOW + year + MINUTE)
    assert backlog.pass_by(NOW + year + MINUTE) == ["resolved"]
    assert ticket.group.total == 4
    backlog.take([an_update("vm-5", "openssl")], NOW + year + MINUTE)
    assert backlog.pass_by(NOW + year + 2 * HOUR) == ["opened"]
    assert len(backlog.tickets) == 2


def test_what_a_limit_holds_opens_when_it_is_its_turn_the_gravest_first(backlog: Backlog) -> None:
    """Six packages, two a day: two tickets and a summary of four; two more each day; then the summary is over. No new group
    takes the room of those that wait, and who joins one that waits is told when it opens."""
    backlog.book = a_posture_book(TWO_A_DAY)
    severities = ("High", "High", "Medium", "Critical", "Medium", "Critical")
    # One after the other, so that the first two take the room whatever comes later.
    for number, severity in enumerate(severities):
        backlog.take([an_update("vm-1", f"p{number}", severity=severity)], NOW)
    assert sorted(backlog.pass_by(NOW)) == ["opened"] * 3
    (summary,) = backlog.summaries()
    group = summary.group
    assert (group.groups, group.standing, group.total) == (4, 4, 4)
    assert {one.title for one in group.named[:2]} == {"Update p3", "Update p5"}
    backlog.take([an_update("vm-2", "p5", severity="Critical")], NOW + MINUTE)
    assert backlog.pass_by(NOW + HOUR + MINUTE) == ["updated"], "the summary counts it"
    assert summary.standing == 5
    assert backlog.pass_by(NOW + DAY - MINUTE) == []
    backlog.take([an_update("vm-1", "p6")], NOW + DAY)
    assert backlog.receive(NOW + DAY) == []
    assert backlog.pass_by(NOW + DAY) == ["opened", "opened"]
    told = {one.last.title: one for one in backlog.of_values()}
    assert told.keys() == {"Update p0", "Update p1", "Update p3", "Update p5"}
    assert (told["Update p5"].changes, told["Update p5"].standing) == (["opened"], 2)
    assert backlog.pass_by(NOW + DAY + HOUR) == ["updated"], "the summary says how many are left"
    assert (summary.group.groups, summary.standing) == (3, 3)
    backlog.take([an_update("vm-1", "p6", status="Healthy")], NOW + DAY + 2 * HOUR)
    assert sorted(backlog.pass_by(NOW + 2 * DAY)) == ["opened", "opened", "resolved"]
    assert summary.changes == ["opened", "updated", "updated", "resolved"]
    assert summary.group.total == 6, "what it ever counted"
    assert len(backlog.of_values()) == 6, "one whose members were over while it waited never opens"
    assert backlog.pass_by(NOW + 3 * DAY) == []


def test_a_limit_that_is_lifted_keeps_none_waiting(backlog: Backlog, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock under the new rules opens all, so many in a transaction, and then ends the summary; so do notes."""
    monkeypatch.setattr("router.ingest.grouping.group_turns.AT_ONCE", 3)
    backlog.book = a_posture_book(TWO_A_DAY)
    backlog.take([an_update("vm-1", f"p{n}") for n in range(10)], NOW)
    backlog.pass_by(NOW)
    backlog.book = a_posture_book()
    assert sorted(backlog.pass_by(NOW + MINUTE)) == ["opened"] * 8 + ["resolved"]
    backlog.take([an_update("vm-2", f"p{n}") for n in range(10)], NOW + MINUTE)
    assert backlog.pass_by(NOW + HOUR + MINUTE) == ["updated"] * 10


@pytest.mark.parametrize("then", [None, WEEKLY, Grouping((By.RESOURCE,), 7 * DAY)])
def test_what_waits_opens_too_when_the_policy_groups_otherwise(backlog: Backlog, then: Grouping | None) -> None:
    """Groups of a policy that had open windows get their turn under the next policy, and who changes in one that waits does
    not jump the queue."""
    backlog.book = a_posture_book(TWO_A_DAY)
    backlog.take([an_update("vm-1", f"p{n}") for n in range(4)], NOW)
    backlog.pass_by(NOW)
    backlog.book = a_posture_book(TWO_A_DAY, then)
    backlog.take([an_update("vm-1", f"p{n}", severity="Critical") for n in range(4)], NOW + MINUTE)
    backlog.pass_by(NOW + MINUTE)
    assert len(backlog.of_values()) == 2
    assert sorted(backlog.pass_by(NOW + DAY)) == ["opened", "opened", "resolved"]
    assert len(backlog.of_values()) == 4


def test_groups_of_a_policy_with_ends_go_on_under_one_with_open_windows(backlog: Backlog) -> None:
    """What the older policy opened takes others in that are alike, as long as one stands in it. What a worker deferred whose
    clock was a year ahead is told by the next sweep whose clock is right."""
    backlog.book = a_posture_book(None, WEEKLY)
    backlog.take([an_update("vm-1", "p")], NOW)
    backlog.pass_by(NOW)
    backlog.book = a_posture_book()
    backlog.take([an_update("vm-2", "p")], NOW + 30 * DAY)
    assert backlog.pass_by(NOW + 30 * DAY + HOUR) == ["updated"]
    assert [one.until for one in backlog.standing().values()] == [None]
    backlog.take([an_update("vm-3", "p")], NOW + timedelta(days=365))
    assert backlog.pass_by(NOW + 31 * DAY) == ["updated"]
    assert len(backlog.tickets) == 1


def test_explain_says_how_long_others_join_and_what_becomes_of_what_is_beyond() -> None:
    """In the words of the policy."""
    book = a_posture_book(TWO_A_DAY)
    (finding,) = read_signals(an_update("vm-1", "openssl"), Catalogue())
    assert isinstance(finding, Finding)
    notice = notice_for(finding, evidence_of(finding, book.catalogue), decide(finding, book, NOW), book, "key", 1, ())
    assert explain_grouping(notice, book.destinations["tickets"]) == (
        "with those of category SoftwareUpdate and package openssl and owner team-0 as long as one of them stands; "
        "at most 2 openings in 1d, beyond that it waits its turn, and one summary counts it"
    )


def test_what_a_sweep_takes_in_memory_does_not_grow_with_what_waits(backlog: Backlog) -> None:
    """Ten times as many groups wait, and a walk over them keeps keys alone."""
    backlog.book = a_posture_book(Limit(1, DAY))
    peaks: list[int] = []
    for packages in (40, 400):
        severities = ("Medium", "High", "Critical")
        backlog.take([an_update("vm-0", f"p-{n}", severity=severities[n % 3]) for n in range(packages)], NOW)
        backlog.pass_by(NOW)
        tracemalloc.start()
        backlog.sweep(NOW + DAY + len(peaks) * DAY)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        backlog.receive(NOW + DAY)
    assert peaks[1] < 3 * peaks[0] + 4 * 2**20, peaks


# Whatever comes.


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
    members = run(members_at(backlog.store, *AT, *standing))
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
    with an_empty_store() as store:
        backlog = Backlog(store, a_posture_book(limit))
        bodies: list[bytes] = []
        standing, now = lived(backlog, acts, bodies)
        end = now + (len(PACKAGES) * 2 + 2) * WINDOW
        while now < end:
            now += HOUR / 2
            backlog.pass_by(now)
        _assert_paced(backlog, limit)
        _assert_notified_or_counted(backlog, standing)
        count = Counter(_members(backlog, standing).values())
        open_tickets = {key: one for key, one in backlog.tickets.items() if one.changes[-1] != "resolved"}
        assert {key: one.standing for key, one in open_tickets.items()} == dict(count)
        backlog.take(bodies, now)  # all of it once more
        assert backlog.pass_by(now + 2 * HOUR) == []


SHORT = 10 * MINUTE
YEAR = 365 * DAY
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
class Reader:
    """A router under a policy, what its destination received, and what a reader of the promise would keep in mind."""

    life: Life
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
        self.life.now = now
        self.life.ingest(a_message(body(act, index)))
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
        return run(members_at(self.life.store, "cwpp", "tickets", key)).get(key)

    def deliver(self, index: int, now: datetime) -> None:
        self.life.now = now
        for claim in self.life.owed("tickets"):
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


@settings(max_examples=some_of(60), deadline=None)
@given(
    SAID,
    st.sampled_from([1, 2, None]),
    st.sampled_from([None, By.ALERT_TYPE, By.SUBSCRIPTION]),
    st.sampled_from([Lane.TICKET, Lane.PAGE]),
)
def test_after_a_window_all_that_stand_were_told(acts: list[Said], most: int | None, by: By | None, lane: Lane) -> None:
    """Openings, updates, ends and clocks that are wrong for a moment: each signal that stands was named to its destination,
    or counted among those that a notice does not name; one that was graver than all before it in its group was named."""
    limit = Limit(most, SHORT) if most is not None else None
    grouping = Grouping((by or By.INCIDENT,), SHORT) if by is not None or limit is None else None
    book = replace(a_grouping_book(grouping, limit, lane), owners=OWNERS)
    with a_life(book) as life:
        reader, now = Reader(life), NOW
        for index, act in enumerate(acts):
            now += act.wait * MINUTE
            then = now + YEAR if act.is_wrong else now
            reader.take(act, index, then)
            if act.is_delivered or act.is_wrong:
                reader.deliver(index, then)
        run(tell_waiting(life.store, book, now + SHORT))
        reader.deliver(len(acts), now + SHORT)
        assert [id for id in reader.stood_at if not reader.is_named(id)] == []
