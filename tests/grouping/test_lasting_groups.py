"""Groups that last as long as one of their members stands: one ticket each, a note an hour, and their turn under a limit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from router.decide import decide, notice_for
from router.domain.catalogue import Catalogue
from router.domain.rulebook import By, Grouping, Limit
from router.domain.signals import Finding
from router.ingest.grouping import explain_grouping
from router.parse import evidence_of, read_signals
from tests.builders import NOW
from tests.builders_constructed_updates import HOUR, LASTING, a_posture_book, an_update
from tests.grouping.backlog import MINUTE, Backlog, group_in
from tests.store.opened import open_store

DAY = timedelta(days=1)
TWO_A_DAY = Limit(2, DAY)

type Build = Callable[..., Backlog]


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Build]:
    """Builds a destination under a rulebook; its store is closed when the test ends."""
    store = open_store(tmp_path)
    with asyncio.Runner() as runner:
        yield lambda book=None: Backlog(store, book or a_posture_book(), runner.run)
        runner.run(store.close())


def test_the_first_opens_at_once_and_what_joins_within_the_hour_is_one_note_an_hour_later(build: Build) -> None:
    """Three machines lack a package: one ticket, and an hour after the second came one note that counts three."""
    backlog = build()
    backlog.take([an_update("vm-1", "openssl")], NOW)
    assert backlog.pass_by(NOW) == ["opened"]
    for minute in (1, 2):
        backlog.take([an_update(f"vm-{minute + 1}", "openssl")], NOW + minute * MINUTE)
        assert backlog.pass_by(NOW + minute * MINUTE) == []
    assert backlog.pass_by(NOW + HOUR) == []
    assert backlog.pass_by(NOW + HOUR + MINUTE) == ["updated"]
    (ticket,) = backlog.tickets.values()
    group = group_in(ticket.last)
    assert (group.total, group.standing, len(group.named)) == (3, 3, 3)
    assert backlog.pass_by(NOW + 3 * HOUR) == [], "when nothing changed, nothing is said"


def test_a_group_takes_others_in_as_long_as_one_stands_and_a_later_one_opens_anew(build: Build) -> None:
    """A year later the same ticket; once all are over, another one."""
    backlog = build()
    year = timedelta(days=365)
    backlog.take([an_update("vm-1", "openssl")], NOW)
    backlog.take([an_update("vm-2", "openssl")], NOW + year)
    backlog.pass_by(NOW + year + HOUR)
    (ticket,) = backlog.tickets.values()
    assert (ticket.changes, ticket.standing) == (["opened", "updated"], 2)
    backlog.take([an_update(f"vm-{n}", "openssl", status="Healthy") for n in (1, 2)], NOW + year + 2 * HOUR)
    assert [one.delivery.change for one in backlog.receive(NOW + year + 2 * HOUR)] == ["resolved"]
    backlog.take([an_update("vm-3", "openssl")], NOW + year + 2 * HOUR)
    backlog.receive(NOW + year + 2 * HOUR)
    assert [one.changes for one in backlog.tickets.values()] == [["opened", "updated", "resolved"], ["opened"]]


def test_a_resolution_says_all_that_was_not_told_before(build: Build) -> None:
    """What was deferred is told with the end, and never after it."""
    backlog = build()
    backlog.take([an_update("vm-1", "openssl")], NOW)
    backlog.pass_by(NOW)
    backlog.take([an_update("vm-2", "openssl")], NOW)
    backlog.take([an_update(f"vm-{n}", "openssl", status="Healthy") for n in (1, 2)], NOW + MINUTE)
    assert backlog.pass_by(NOW + MINUTE) == ["resolved"]
    assert backlog.pass_by(NOW + 2 * HOUR) == []
    (ticket,) = backlog.tickets.values()
    assert group_in(ticket.last).total == 2


def test_what_a_limit_holds_opens_when_it_is_its_turn_the_gravest_first(build: Build) -> None:
    """Six packages, two a day: two tickets and a summary of four; two more each day; then the summary is over."""
    backlog = build(a_posture_book(TWO_A_DAY))
    severities = ("High", "High", "Medium", "Critical", "Medium", "Critical")
    # One after the other, so that the first two take the room whatever comes later.
    for number, severity in enumerate(severities):
        backlog.take([an_update("vm-1", f"p{number}", severity=severity)], NOW)
    assert sorted(backlog.pass_by(NOW)) == ["opened"] * 3
    (summary,) = backlog.summaries()
    group = group_in(summary.last)
    assert (group.groups, group.standing, group.total) == (4, 4, 4)
    assert {one.title for one in group.named[:2]} == {"Update p3", "Update p5"}
    assert backlog.pass_by(NOW + DAY - MINUTE) == []
    assert backlog.pass_by(NOW + DAY) == ["opened", "opened"]
    told = {one.last.title for one in backlog.of_values()}
    assert told == {"Update p0", "Update p1", "Update p3", "Update p5"}
    assert backlog.pass_by(NOW + DAY + HOUR) == ["updated"], "the summary says how many are left"
    assert (group_in(summary.last).groups, summary.standing) == (2, 2)
    assert sorted(backlog.pass_by(NOW + 2 * DAY)) == ["opened", "opened", "resolved"]
    assert summary.changes == ["opened", "updated", "resolved"]
    assert len(backlog.of_values()) == 6
    assert backlog.pass_by(NOW + 3 * DAY) == []


def test_a_waiting_group_whose_members_are_over_never_opens(build: Build) -> None:
    """The third package is mended while it waits: no ticket, and the summary of it is over."""
    backlog = build(a_posture_book(TWO_A_DAY))
    backlog.take([an_update("vm-1", f"p{n}") for n in range(3)], NOW)
    backlog.pass_by(NOW)
    (waiting,) = [one.words for one in backlog.standing().values() if one.waits]
    assert waiting is not None
    package = waiting.title.removeprefix("Update ")
    backlog.take([an_update("vm-1", package, status="Healthy")], NOW + HOUR)
    assert backlog.pass_by(NOW + HOUR) == ["resolved"]
    assert backlog.pass_by(NOW + 2 * DAY) == []
    assert len(backlog.of_values()) == 2


def test_who_joins_a_waiting_group_waits_with_it_and_is_told_when_it_opens(build: Build) -> None:
    """The opening of a group that waited counts all that stand in it by then."""
    backlog = build(a_posture_book(Limit(1, DAY)))
    backlog.take([an_update("vm-1", "p0"), an_update("vm-1", "p1")], NOW)
    backlog.pass_by(NOW)
    first = {one.last.title for one in backlog.of_values()}
    (other,) = {"Update p0", "Update p1"} - first
    backlog.take([an_update(f"vm-{n}", other.removeprefix("Update ")) for n in (2, 3)], NOW + MINUTE)
    assert backlog.pass_by(NOW + HOUR + MINUTE) == ["updated"], "the summary counts them"
    assert backlog.summaries()[0].standing == 3
    assert sorted(backlog.pass_by(NOW + DAY)) == ["opened", "resolved"]
    (ticket,) = [one for one in backlog.of_values() if one.last.title == other]
    assert (ticket.changes, ticket.standing) == (["opened"], 3)


def test_no_new_group_takes_the_room_of_those_that_wait(build: Build) -> None:
    """The day is over and no clock has ticked yet: a new package waits behind the graver one that waited."""
    backlog = build(a_posture_book(Limit(1, DAY)))
    backlog.take([an_update("vm-1", "p0")], NOW)
    backlog.take([an_update("vm-1", "p1", severity="Critical")], NOW)
    backlog.pass_by(NOW)
    backlog.take([an_update("vm-1", "p2")], NOW + DAY)
    assert backlog.receive(NOW + DAY) == []
    assert backlog.pass_by(NOW + DAY) == ["opened"]
    assert {one.last.title for one in backlog.of_values()} == {"Update p0", "Update p1"}


def test_a_limit_that_is_lifted_keeps_none_waiting(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock under the new rules opens all, so many in a transaction, and then ends the summary; so do notes."""
    monkeypatch.setattr("router.ingest.grouping.aggregator.AT_ONCE", 3)
    backlog = build(a_posture_book(TWO_A_DAY))
    backlog.take([an_update("vm-1", f"p{n}") for n in range(10)], NOW)
    backlog.pass_by(NOW)
    backlog.book = a_posture_book()
    assert sorted(backlog.pass_by(NOW + MINUTE)) == ["opened"] * 8 + ["resolved"]
    backlog.take([an_update("vm-2", f"p{n}") for n in range(10)], NOW + MINUTE)
    assert backlog.pass_by(NOW + HOUR + MINUTE) == ["updated"] * 10


@pytest.mark.parametrize("then", [None, Grouping(LASTING.by, 7 * DAY), Grouping((By.RESOURCE,), 7 * DAY)])
def test_what_waits_opens_too_when_the_policy_groups_otherwise(build: Build, then: Grouping | None) -> None:
    """Groups of a policy that had open windows get their turn under the next policy, and are updated there."""
    backlog = build(a_posture_book(TWO_A_DAY))
    backlog.take([an_update("vm-1", f"p{n}") for n in range(4)], NOW)
    backlog.pass_by(NOW)
    backlog.book = a_posture_book(TWO_A_DAY, then)
    assert sorted(backlog.pass_by(NOW + DAY)) == ["opened", "opened", "resolved"]
    assert len(backlog.of_values()) == 4


def test_groups_of_a_policy_with_ends_go_on_under_one_with_open_windows(build: Build) -> None:
    """What the older policy opened takes others in that are alike, as long as somebody stands in it."""
    backlog = build(a_posture_book(None, Grouping(LASTING.by, 7 * DAY)))
    backlog.take([an_update("vm-1", "p")], NOW)
    backlog.pass_by(NOW)
    backlog.book = a_posture_book()
    backlog.take([an_update("vm-2", "p")], NOW + 30 * DAY)
    assert backlog.pass_by(NOW + 30 * DAY + HOUR) == ["updated"]
    assert len(backlog.tickets) == 1
    assert [one.until for one in backlog.standing().values()] == [None]


def test_a_wrong_clock_defers_no_note_for_a_year(build: Build) -> None:
    """A worker's clock was a year ahead for a minute: what it deferred is told by the next sweep whose clock is right."""
    backlog = build(a_posture_book())
    backlog.take([an_update("vm-1", "p")], NOW)
    backlog.pass_by(NOW)
    backlog.take([an_update("vm-2", "p")], NOW + timedelta(days=365))
    assert backlog.pass_by(NOW + HOUR) == ["updated"]


def test_who_changes_in_a_waiting_group_under_another_policy_does_not_jump_the_queue(build: Build) -> None:
    """Windows have an end again, and the limit has no room: a group that waits goes on waiting, whatever comes for it."""
    backlog = build(a_posture_book(TWO_A_DAY))
    backlog.take([an_update("vm-1", f"p{n}") for n in range(4)], NOW)
    backlog.pass_by(NOW)
    backlog.book = a_posture_book(TWO_A_DAY, Grouping(LASTING.by, 7 * DAY))
    backlog.take([an_update("vm-1", f"p{n}", severity="Critical") for n in range(4)], NOW + MINUTE)
    backlog.pass_by(NOW + MINUTE)
    assert len(backlog.of_values()) == 2
    assert backlog.pass_by(NOW + DAY) == ["opened", "opened", "resolved"]


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
