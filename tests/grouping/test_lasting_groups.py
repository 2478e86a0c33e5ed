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
WEEKLY = Grouping(LASTING.by, 7 * DAY)

type Build = Callable[..., Backlog]


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Build]:
    """Builds a destination under a rulebook; its store is closed when the test ends."""
    store = open_store(tmp_path)
    with asyncio.Runner() as runner:
        yield lambda book=None: Backlog(store, book or a_posture_book(), runner.run)
        runner.run(store.close())


def test_the_first_opens_at_once_and_the_rest_is_one_note_an_hour_as_long_as_one_stands(build: Build) -> None:
    """A year later it is still the same ticket. A resolution says all that was not told before, and a later one opens anew."""
    backlog, year = build(), timedelta(days=365)
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
    backlog.take([an_update("vm-4", "openssl")], NOW + year)
    backlog.take([an_update(f"vm-{n}", "openssl", status="Healthy") for n in range(1, 5)], NOW + year + MINUTE)
    assert backlog.pass_by(NOW + year + MINUTE) == ["resolved"]
    assert group_in(ticket.last).total == 4
    backlog.take([an_update("vm-5", "openssl")], NOW + year + MINUTE)
    assert backlog.pass_by(NOW + year + 2 * HOUR) == ["opened"]
    assert len(backlog.tickets) == 2


def test_what_a_limit_holds_opens_when_it_is_its_turn_the_gravest_first(build: Build) -> None:
    """Six packages, two a day: two tickets and a summary of four; two more each day; then the summary is over. No new group
    takes the room of those that wait, and who joins one that waits is told when it opens."""
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
    assert (group_in(summary.last).groups, summary.standing) == (3, 3)
    backlog.take([an_update("vm-1", "p6", status="Healthy")], NOW + DAY + 2 * HOUR)
    assert sorted(backlog.pass_by(NOW + 2 * DAY)) == ["opened", "opened", "resolved"]
    assert summary.changes == ["opened", "updated", "updated", "resolved"]
    assert group_in(summary.last).total == 6, "what it ever counted"
    assert len(backlog.of_values()) == 6, "one whose members were over while it waited never opens"
    assert backlog.pass_by(NOW + 3 * DAY) == []


def test_a_limit_that_is_lifted_keeps_none_waiting(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock under the new rules opens all, so many in a transaction, and then ends the summary; so do notes."""
    monkeypatch.setattr("router.ingest.grouping.group_turns.AT_ONCE", 3)
    backlog = build(a_posture_book(TWO_A_DAY))
    backlog.take([an_update("vm-1", f"p{n}") for n in range(10)], NOW)
    backlog.pass_by(NOW)
    backlog.book = a_posture_book()
    assert sorted(backlog.pass_by(NOW + MINUTE)) == ["opened"] * 8 + ["resolved"]
    backlog.take([an_update("vm-2", f"p{n}") for n in range(10)], NOW + MINUTE)
    assert backlog.pass_by(NOW + HOUR + MINUTE) == ["updated"] * 10


@pytest.mark.parametrize("then", [None, WEEKLY, Grouping((By.RESOURCE,), 7 * DAY)])
def test_what_waits_opens_too_when_the_policy_groups_otherwise(build: Build, then: Grouping | None) -> None:
    """Groups of a policy that had open windows get their turn under the next policy, and who changes in one that waits does
    not jump the queue."""
    backlog = build(a_posture_book(TWO_A_DAY))
    backlog.take([an_update("vm-1", f"p{n}") for n in range(4)], NOW)
    backlog.pass_by(NOW)
    backlog.book = a_posture_book(TWO_A_DAY, then)
    backlog.take([an_update("vm-1", f"p{n}", severity="Critical") for n in range(4)], NOW + MINUTE)
    backlog.pass_by(NOW + MINUTE)
    assert len(backlog.of_values()) == 2
    assert sorted(backlog.pass_by(NOW + DAY)) == ["opened", "opened", "resolved"]
    assert len(backlog.of_values()) == 4


def test_groups_of_a_policy_with_ends_go_on_under_one_with_open_windows(build: Build) -> None:
    """What the older policy opened takes others in that are alike, as long as one stands in it. What a worker deferred whose
    clock was a year ahead is told by the next sweep whose clock is right."""
    backlog = build(a_posture_book(None, WEEKLY))
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
