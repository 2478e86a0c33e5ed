"""Findings of which no message says that they are over end when two whole snapshots came without them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import count
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.domain.decisions import Code
from router.domain.errors import StoreError
from router.domain.hubs import Arrival
from router.domain.notices import Notice
from router.domain.signals import Stream
from router.ingest.intake import Message
from router.ingest.snapshot_ends import SnapshotEnds
from router.store import snapshots
from router.store.decisions import find_decisions
from router.store.delivery_status import list_deliveries
from router.store.forgetting import forget
from router.store.partitions import read_losses
from router.store.quarantine import list_quarantined
from router.store.retention import Retention
from tests.builders import NOW, SUBSCRIPTION, a_rule, a_rulebook, an_element, without_rules
from tests.constructed.weeks import CHANGED, row_of
from tests.examples import some_of
from tests.ingest.weeks import DAY, HOUR, WEEK, Model, Said, Weeks, a_life_of_weeks, body_of, notices
from tests.store.acts import find_rows, run
from tests.store.deadly import Deadly
from tests.store.opened import Store, changed
from tests.store.within import within

NAMES = "abcdefgh"
REST = NAMES[:-1]
"""All but `h`, which is the one that goes."""
SECOND = timedelta(seconds=1)
WHOLE, LACKING = [row_of(name) for name in NAMES], [row_of(name) for name in REST]


@pytest.fixture
def weeks(sqlite: Store) -> Weeks:
    """A router over an empty store."""
    return Weeks(sqlite)


def on_record(weeks: Weeks) -> list[tuple[str, str]]:
    """Where what is decided of `h` is on record, and the reason, the latest first."""
    return [(one.key, one.reason) for one in run(within(weeks.store, find_decisions, weeks.row("h").key, 20))]


def test_what_two_snapshots_came_without_has_ended_and_is_not_said_to_be_fixed(weeks: Weeks) -> None:
    """The ticket hears since when it was not seen, what it was and where; the record has the reason and the step."""
    weeks.lives(NAMES, REST)
    weeks.publish_rows(REST)
    assert weeks.sweeps(DAY - HOUR) == []
    weeks.now += 2 * HOUR
    _, (entry,) = run(weeks.sweep())
    (claim,) = weeks.deliver()
    notice = claim.delivery.content
    assert isinstance(notice, Notice)
    assert (claim.delivery.change, entry.outcome) == ("resolved", "resolved")
    assert entry.steps[-2:] == ("snapshots.unseen", "ledger.open")
    assert entry.reason == "not_seen: not seen since 2026-11-24, two snapshots came without it"
    last = int((weeks.now - DAY - HOUR + 6 * SECOND).timestamp())
    assert on_record(weeks)[0] == (f"unseen:{SUBSCRIPTION}:{weeks.row('h').key}:{last}", entry.reason)
    assert (notice.title, notice.package and notice.package.name) == ("Update h", "h")
    assert (notice.resource or "").endswith("vm-h")
    assert (notice.closing, notice.status, notice.cause) == (entry.reason.partition(": ")[2], None, None)
    assert weeks.sweeps(2 * DAY) == []


FEW = NAMES[:2]
SNAPSHOTS: dict[str, tuple[list[str], str]] = {
    "one without it": ([NAMES, REST, NAMES, REST], ""),
    "two that stopped halfway": ([NAMES, NAMES[:4], NAMES[4:], NAMES], ""),
    "a mass repair": ([NAMES, NAMES, FEW, FEW, FEW], ""),
    "a mass repair that is confirmed": ([NAMES, NAMES, FEW, FEW, FEW, FEW], NAMES[2:]),
}


def test_only_two_whole_snapshots_in_a_row_end_a_finding(subtests: pytest.Subtests) -> None:
    """A mass repair looks like one that stopped: its tickets close weeks late. A subscription that went silent ends nothing."""
    for name, (names, ended) in SNAPSHOTS.items():
        with subtests.test(name), a_life_of_weeks() as weeks:
            weeks.publish_body(row_of("early", is_snapshot=False), weeks.now - DAY, 1)
            weeks.lives(names[0])
            assert not weeks.has_ended("early")
            weeks.lives(*names[1:])
            assert "".join(filter(weeks.has_ended, NAMES)) == ended
            for _ in range(4):
                for other in "xyz":
                    weeks.publish_body(row_of(other, subscription="22222222-2222-2222-2222-222222222222"), weeks.now)
                weeks.lives(())
            assert "".join(filter(weeks.has_ended, NAMES)) == ended


def test_an_export_that_was_switched_off_ends_nothing_of_its_kind(weeks: Weeks) -> None:
    """Of a kind that is missing in one of two snapshots; what is missing of another kind ends."""
    weeks.publish_rows("v", "attack_path")
    weeks.lives(NAMES)
    weeks.publish_rows("w", "attack_path")
    weeks.lives(REST)
    weeks.publish_rows(REST)
    assert weeks.sweeps(2 * DAY) == [("resolved", "h")]
    for both, told in (("vw", []), ("w", []), ("w", [("resolved", "v")])):
        weeks.now += 5 * DAY
        weeks.publish_rows(REST)
        weeks.publish_rows(both, "attack_path", HOUR)
        assert weeks.sweeps(2 * DAY) == told


def test_what_ended_and_comes_again_stands_again_whatever_its_own_time(weeks: Weeks) -> None:
    """Only in a message that came after the end; one that came before it and is heard of late is a repeat."""
    weeks.lives(NAMES, REST, REST)
    ended = weeks.now - WEEK + 2 * DAY
    for partition, at in enumerate((ended - HOUR, ended + HOUR)):
        weeks.publish([Said("h", "recommendation", at, is_snapshot=False)], partition)
    assert weeks.sweeps(timedelta()) == [("opened", "h")]
    assert [reason.partition(": ")[0] for _, reason in on_record(weeks)].count(Code.OLDER) == 1


def test_what_another_message_named_since_has_not_ended(subtests: pytest.Subtests) -> None:
    """Since the first of the two snapshots began; an older state, which is a repeat, names it, too."""
    row = row_of("h", is_snapshot=False)
    older = row.replace(CHANGED.encode(), b"2020-01-01T00:00:00Z")
    for later, body in ((-SECOND, row), (timedelta(), row), (HOUR, older)):
        with subtests.test(later=later), a_life_of_weeks() as weeks:
            weeks.lives(NAMES)
            weeks.publish_body(body, weeks.now + later, 1)
            weeks.lives(REST, REST)
            assert weeks.has_ended("h") is (later < timedelta())


def test_what_is_unread_holds_a_snapshot_up_and_what_is_lost_spoils_it(weeks: Weeks) -> None:
    """Nobody knows which rows those are: nothing ends for the lack of them."""
    weeks.lives(NAMES, REST)
    weeks.publish_rows(REST)
    weeks.publish([Said(name, "recommendation", weeks.now + HOUR) for name in "ha"], 1)
    weeks.shelf.silent = {"1"}
    assert weeks.sweeps(3 * DAY) == []
    weeks.shelf.silent = set()
    weeks.shelf.trim(1, 1)
    assert weeks.sweeps(DAY) == []
    assert len(run(within(weeks.store, read_losses, "cspm"))) == 1
    weeks.now += 3 * DAY
    weeks.publish_rows(REST)
    assert weeks.sweeps(2 * DAY) == [("resolved", "h")]


def test_a_finding_that_a_rule_holds_ends_and_is_let_go_of(weeks: Weeks) -> None:
    """Nobody hears. What is decided again when the rule ends is no row of a snapshot: what it held had come back in a file."""
    resource = row_of("h").decode().partition('"Id":"')[2].partition('"')[0]
    scope, book = [[an_element("entities.azureresource.resourceid", resource)]], weeks.book
    weeks.book = a_rulebook(a_rule(alert_type="h", groups=scope, expires=NOW + 400 * DAY), stream=Stream.CSPM)
    weeks.lives(NAMES, REST, REST)
    assert weeks.has_ended("h")
    weeks.book, holding = without_rules(book), weeks.book
    assert (weeks.release(), weeks.deliver()) == ([], [])
    weeks.book = holding
    weeks.take([row_of("h")], "held")
    before = run(within(weeks.store, snapshots.read_days, SUBSCRIPTION, weeks.now))
    weeks.book, weeks.now = without_rules(book), weeks.now + 3 * DAY
    assert [entry.title for entry in weeks.release()] == ["Update h"]
    assert run(within(weeks.store, snapshots.read_days, SUBSCRIPTION, weeks.now)) == before


def test_a_finding_below_the_floor_ends_in_silence(weeks: Weeks) -> None:
    """Of it nothing is kept that rules can match, so the record says what it is."""
    weeks.publish_body(row_of("low", severity="Low"), NOW)
    weeks.lives(NAMES, NAMES)
    weeks.publish_rows(NAMES)
    weeks.now += 2 * DAY
    _, (entry,) = run(weeks.sweep())
    assert (entry.title, entry.outcome, entry.destinations) == ("Update low", "resolved", ())
    assert entry.reason.startswith("no_destination: ")


def test_a_clock_that_was_wrong_for_a_run_costs_nothing_once_it_is_right(weeks: Weeks) -> None:
    """A file that was taken in years ahead names no finding for years, and puts off no snapshot."""
    for day in (0, 4000, 7, 14):
        assert ("resolved", "h") not in weeks.reads(day, LACKING if 0 < day < 4000 else WHOLE)
    assert weeks.reads(21, LACKING) == [("resolved", "h")]


def test_what_ended_and_comes_again_in_the_very_same_file_has_a_second_place_on_record(weeks: Weeks) -> None:
    """A file that is read by a clock from before the end is a replay: it came before, as far as anybody knows."""
    weeks.reads(0, WHOLE, "whole")
    for start in (7, 28):
        weeks.reads(start, LACKING), weeks.reads(start + 7, LACKING)
        assert weeks.reads(start + 9, ()) == [("resolved", "h")]
        assert weeks.reads(start + 8.9, WHOLE, "whole") == []
        assert weeks.reads(start + 14, WHOLE, "whole") == [("opened", "h")]
    entries = run(within(weeks.store, find_decisions, weeks.row("h").key, 20))
    assert [one.outcome for one in reversed(entries) if one.turn] == ["routed", "resolved"] * 2 + ["routed"]
    assert len({one.key for one in entries}) == len(entries)


def test_an_old_event_of_a_hub_whose_clock_was_wrong_opens_nothing_that_ended(weeks: Weeks) -> None:
    """Nobody knows when the hub got it, but it is on record."""
    event = Message(row_of("h"), "hub", Arrival("cspm/0", 5, NOW + 4000 * DAY))
    weeks.reads(0, LACKING)
    run(weeks.intake.ingest([event], NOW))
    weeks.reads(7, LACKING), weeks.reads(14, LACKING)
    assert ("resolved", "h") in weeks.reads(16, ())
    run(weeks.intake.ingest([event], NOW + 21 * DAY))
    assert notices(weeks.deliver()) == []


def test_no_finding_is_counted_while_no_snapshot_can_have_ended(weeks: Weeks, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep costs nothing more for all the findings that there are, nor for rows that still come."""
    weeks.lives(NAMES, NAMES)

    def counted(tx: object, subscription: str) -> None:
        raise AssertionError(subscription)

    monkeypatch.setattr(snapshots, "count_named", counted)
    for hours in (0, 20, 20):
        weeks.publish_rows("a")
        weeks.sweeps(hours * HOUR)


def a_third_snapshot(weeks: Weeks) -> None:
    """Three snapshots came in, of which the last two lack `h`; the last one was not looked at yet."""
    weeks.lives(NAMES, REST)
    weeks.publish_rows(REST)
    weeks.sweeps(HOUR)
    weeks.now += 2 * DAY


def turns_of(weeks: Weeks) -> list[tuple[str, int]]:
    """What tickets were owed of `h`."""
    owed = run(within(weeks.store, list_deliveries, weeks.row("h").key))
    return [(one.change.value, one.turn) for one in owed if one.destination == "tickets"]


def test_two_workers_end_a_finding_once(store: Store, twin: Store) -> None:
    """Both judge, and one of them wins."""
    weeks = Weeks(store)
    a_third_snapshot(weeks)

    async def both() -> list[str]:
        found = await asyncio.gather(weeks.end(weeks.now), Weeks(twin, now=weeks.now).end(weeks.now))
        return [entry.title or "" for entries in found for entry in entries]

    assert run(both()) == ["Update h"]
    assert turns_of(weeks) == [("opened", 1), ("resolved", 2)]
    assert run(both()) == []


def test_a_look_that_stops_or_dies_at_any_statement_is_done_by_the_next_one() -> None:
    """Each finding ends once, also where only the answer to a commit is lost."""
    for is_done in (False, True):
        with a_life_of_weeks() as weeks:
            a_third_snapshot(weeks)
            store = weeks.store
            stopping = SnapshotEnds(weeks.intake, store, weeks.book, lambda: True)
            assert run(stopping.end_unseen(weeks.now, weeks.now)) == []
            for step in count(1):
                weeks.store = deadly = Deadly(store, step, is_done)
                with suppress(StoreError):
                    run(weeks.end(weeks.now))
                weeks.store = store
                if not deadly.died:
                    break
            assert step > 8
            assert turns_of(weeks) == [("opened", 1), ("resolved", 2)]


def test_what_cannot_be_read_keeps_no_other_finding_from_its_end(subtests: pytest.Subtests) -> None:
    """A row that does not say when it was named is set aside; a day that cannot be read counts as not there."""
    for damage in ("snapshot_days='x'", "kind='x'", "named=NULL", "snapshot_days='99999999'"):
        with subtests.test(row=damage), a_life_of_weeks() as weeks:
            weeks.lives(NAMES, REST)
            key = weeks.row("a").key
            run(changed(weeks.store, f"UPDATE signals SET {damage} WHERE key=?", key))
            weeks.publish_rows(REST[1:])
            assert weeks.sweeps(2 * DAY) == [("resolved", "h")]
            assert find_rows(weeks.store, [key]) == {}
            assert len(run(within(weeks.store, list_quarantined))) == 1
    for damage in ("counts=7", "last=last+864000000000"):
        with subtests.test(day=damage), a_life_of_weeks() as weeks:
            weeks.lives(NAMES)
            run(changed(weeks.store, f"UPDATE snapshots SET {damage}"))
            weeks.lives(REST, REST)
            assert len(run(within(weeks.store, list_quarantined))) == 1
            assert weeks.has_ended("h")


def test_what_is_judged_of_a_silent_subscription_is_forgotten_after_90_days(weeks: Weeks) -> None:
    """The findings stay."""
    weeks.lives(NAMES)

    def days(after: int) -> int:
        while not run(forget(weeks.store, weeks.now - WEEK + after * DAY, Retention(), 100)).is_done:
            pass
        return len(run(within(weeks.store, snapshots.read_days, SUBSCRIPTION, weeks.now)))

    assert [days(89), days(90), days(91)] == [1, 1, 0]
    assert weeks.row("a").turn == 1


FINDINGS = {f"f{n}": "vulnerability" if n % 4 == 3 else "recommendation" for n in range(12)}


class Week(NamedTuple):
    """What one week brings.

    Attributes:
        rows: the findings that its snapshot names, in their order; none where it is missing.
        others: other messages, by the hours after the snapshot at which they come.
        silent: whether the second partition cannot be read on the day of the snapshot and the two after it.
        again: how many of the latest events come in once more.
    """

    rows: Sequence[str] = ()
    others: Sequence[tuple[int, str, bool]] = ()
    silent: bool = False
    again: int = 0

    def messages(self, start: datetime) -> list[Said]:
        """The messages of a week that begins at an instant, in the order in which the hub gets them."""
        snapshot = [Said(name, FINDINGS[name], start + n * HOUR + n * SECOND) for n, name in enumerate(self.rows)]
        others = [
            Said(name, FINDINGS[name], start + hours * HOUR + timedelta(seconds=1800 + n), False, deletes)
            for n, (hours, name, deletes) in enumerate(self.others)
        ]
        return sorted([*snapshot, *others], key=lambda one: one.at)


@st.composite
def some_weeks(draw: st.DrawFn) -> list[Week]:
    """Some some_weeks: most findings stay, and now and then much goes, comes again, is missing or stops halfway."""
    names, there, found = list(FINDINGS), set(FINDINGS), []
    for _ in range(draw(st.integers(3, 6))):
        there ^= set(draw(st.lists(st.sampled_from(names), max_size=2)))
        match draw(st.sampled_from([*["whole"] * 6, "half", "missing", "repair", "switched off"])):
            case "half":
                rows = sorted(there)[: len(there) // 2]
            case "missing":
                rows = []
            case "switched off":
                rows = [name for name in sorted(there) if FINDINGS[name] == "recommendation"]
            case how:
                there = set(sorted(there)[: 1 + len(there) // 5]) if how == "repair" else there
                rows = sorted(there)
        rows = draw(st.permutations(rows))
        others = draw(st.lists(st.tuples(st.integers(30, 150), st.sampled_from(names), st.booleans()), max_size=2))
        found.append(Week(rows, others, draw(st.integers(0, 5)) == 0, draw(st.integers(0, 3))))
    return found


EXAMPLES = settings(max_examples=some_of(25), deadline=None)


@EXAMPLES
@given(some_weeks())
def test_from_a_hub_findings_end_and_come_again_as_the_model_says(some: list[Week]) -> None:
    """Whatever order its partitions are read in, whatever comes twice, and at whatever time it is looked."""
    model = Model()
    with a_life_of_weeks() as router:
        for number, week in enumerate([*some, Week()]):
            start = NOW + number * WEEK
            due = week.messages(start)
            for day in range(7):
                router.now = start + (day + 1) * DAY
                ripe = [one for one in due if one.at < router.now - HOUR]
                due = due[len(ripe) :]
                for one in ripe:
                    router.publish([one], int(one.finding[1:]) % 2)
                router.shelf.silent = {"1"} if week.silent and day < 3 else set()
                until = _sweep(router, model)
                if until is not None:
                    model.looks(until)
                assert by_finding(notices(router.deliver())) == model.tells()
            for partition, events in router.shelf.events.items():
                again = events[-week.again :] if week.again else []
                run(router.event_intake.ingest_events(partition, again, router.now))
            assert router.deliver() == []


def by_finding(told: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """The changes that were told of each finding, in order."""
    found: dict[str, list[str]] = {}
    for change, finding in told:
        found.setdefault(finding, []).append(change)
    return found


def _sweep(router: Weeks, model: Model) -> datetime | None:
    """A sweep; the model hears what the sweep takes in."""
    before = {place: len(router.taken.get(place, ())) for place in ("0", "1")}
    until, _ = run(router.sweep())
    for place in ("0", "1"):
        if place not in router.shelf.silent:
            some = [one for partition, one in router.published if partition == place]
            model.hears(some[before[place] :])
            router.taken[place] = some
    return until


class Files:
    """A router and a model of it, which read files, some of them again and again."""

    def __init__(self, router: Weeks) -> None:
        self.router, self.model, self.known = router, Model(), set[str]()

    def read(self, at: datetime, name: str, said: Sequence[Said]) -> None:
        """Both read a file; people are told as the model says."""
        if name in self.known:
            self.model.hears_again(said, at)
        else:
            self.model.hears(said)
        self.known.add(name)
        self.model.looks(at)
        told = self.router.reads((at - NOW) / DAY, [body_of(one) for one in said], name)
        assert by_finding(told) == self.model.tells()


NEW = "lacking"
STAYING = ("f0", "f1", "f2", "f4")
FILES = {
    "whole": [(name, True, False) for name in (*STAYING, "f5")],
    NEW: [(name, True, False) for name in STAYING],
    "lacking, once more": [(name, True, False) for name in STAYING],
    "row": [("f5", True, False)],
    "message": [("f5", False, False)],
    "delete": [("f5", False, True)],
    "nothing": [],
}
"""What files hold: which findings, each as a row of a snapshot or not, and whether it is a Delete. One is new each time."""
READ = st.tuples(st.sampled_from([*FILES, *[NEW] * 8]), st.sampled_from([1, 25, 25, 25, 80, 170]))


@settings(EXAMPLES, max_examples=some_of(100))
@given(st.lists(READ, min_size=6, max_size=14))
def test_a_file_that_is_read_again_is_news_or_a_replay_as_the_model_says(some: list[tuple[str, int]]) -> None:
    """Whenever the same few files are read, and however soon what one of them lacks has ended."""
    at = NOW
    with a_life_of_weeks() as router:
        reader = Files(router)
        for number, (file, hours) in enumerate([("delete", 0), ("whole", 1), ("message", 1), *some]):
            at += hours * HOUR
            said = [Said(finding, FINDINGS[finding], at, *how) for finding, *how in FILES[file]]
            reader.read(at, f"{file} {number}" if file == NEW else file, said)
