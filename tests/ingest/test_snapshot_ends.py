"""Findings of which no message says that they are over end when two whole snapshots came without them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256

import pytest

from router.domain.decisions import Outcome
from router.domain.hubs import Event, Partition
from router.domain.ledger import Arrival, LedgerRow
from router.domain.notices import Notice
from router.domain.reasons import Code
from router.domain.signals import Stream
from router.domain.snapshots import REMEMBERED
from router.ingest.intake import Message
from router.store import signals
from router.store.decisions import find_decisions, search_signals
from router.store.partitions import read_losses
from tests.builders import NOW, a_rule, a_rulebook, an_element, without_rules
from tests.constructed.weeks import CHANGED, row_of
from tests.ingest.snapshot_model import Said
from tests.ingest.weeks import DAY, HOUR, Weeks, notices
from tests.store.acts import decisions_between, find_rows
from tests.store.opened import Place, open_store
from tests.store.within import within

WEEK = 7 * DAY
NAMES = tuple("abcdefgh")
REST = NAMES[:-1]
"""All but `h`, which is the one that goes."""


@pytest.fixture
def weeks(place: Place) -> Iterator[Weeks]:
    """A router over an empty store."""
    weeks = Weeks(open_store(place))
    yield weeks
    asyncio.run(weeks.store.close())


def rows(names: Iterable[str], at: datetime, kind: str = "recommendation") -> list[Said]:
    """A snapshot of some findings."""
    return [Said(name, kind, at + timedelta(seconds=n)) for n, name in enumerate(names)]


def swept(weeks: Weeks, at: datetime) -> list[tuple[str, str]]:
    """What people are told by a sweep."""
    weeks.now = at

    async def sweep() -> list[tuple[str, str]]:
        await weeks.sweep()
        return notices(await weeks.deliver())

    return asyncio.run(sweep())


def live(weeks: Weeks, *snapshots: Sequence[str]) -> datetime:
    """Weekly snapshots come in, each looked at two days later; returns when the next one comes."""
    for names in snapshots:
        weeks.publish(rows(names, weeks.now))
        start = weeks.now
        swept(weeks, start + 2 * DAY)
        weeks.now = start + WEEK
    return weeks.now


def ended(weeks: Weeks) -> list[str]:
    """The findings that ended because they were not seen, by their titles, in order."""
    found = asyncio.run(within(weeks.store, decisions_between, NOW - DAY, weeks.now + DAY, 1000, {Outcome.RESOLVED}))
    return sorted((one.title or "").split()[-1] for one in found if "snapshots.unseen" in one.steps)


def row_in(weeks: Weeks, name: str) -> LedgerRow:
    """The ledger's row of a finding."""
    (entry,) = asyncio.run(within(weeks.store, search_signals, f"assessments/{name}", 2))
    (row,) = find_rows(weeks.store, [entry.signal]).values()
    return row


def test_what_two_snapshots_came_without_has_ended_and_is_not_said_to_be_fixed(weeks: Weeks) -> None:
    """The ticket hears since when it was not seen, what it was and where; the record has the reason and the step."""
    start = live(weeks, NAMES, REST)
    weeks.publish(rows(REST, start))
    assert swept(weeks, start + DAY - HOUR) == []
    weeks.now = start + DAY + HOUR

    async def look() -> tuple[str, Notice]:
        _, (entry,) = await weeks.sweep()
        (claim,) = await weeks.deliver()
        assert isinstance(claim.delivery.content, Notice)
        assert claim.delivery.change == "resolved"
        assert (entry.outcome, entry.steps[-2:]) == ("resolved", ("snapshots.unseen", "ledger.open"))
        return entry.reason, claim.delivery.content

    reason, notice = asyncio.run(look())
    assert reason == "not_seen: not seen since 2026-11-24, two snapshots came without it"
    assert (notice.title, notice.package and notice.package.name) == ("Update h", "h")
    assert (notice.resource or "").endswith("vm-h")
    assert (notice.closing, notice.status, notice.cause) == (reason.partition(": ")[2], None, None)
    assert swept(weeks, start + 3 * DAY) == []


def test_one_snapshot_without_it_ends_nothing(weeks: Weeks) -> None:
    """Nor do two with another between them that has it."""
    start = live(weeks, NAMES, REST, NAMES, REST)
    assert swept(weeks, start + WEEK) == []
    assert not row_in(weeks, "h").state.resolved


def test_a_snapshot_that_stopped_halfway_does_not_count(weeks: Weeks) -> None:
    """Twice in a row, too: what it lacks stands."""
    live(weeks, NAMES, NAMES[:4], NAMES[4:])
    assert live(weeks, NAMES) and swept(weeks, weeks.now + DAY) == []


def test_a_mass_repair_closes_its_tickets_some_weeks_late(weeks: Weeks) -> None:
    """When the snapshots that came after it look like each other: the third brings both again, and the fourth confirms it."""
    few = NAMES[:2]
    start = live(weeks, NAMES, NAMES, few, few, few)
    assert row_in(weeks, "h").state.resolved is False
    weeks.publish(rows(few, start))
    assert sorted(swept(weeks, start + 2 * DAY)) == [("resolved", name) for name in NAMES[2:]]


def test_a_subscription_that_went_silent_ends_nothing(weeks: Weeks) -> None:
    """Another one goes on as ever."""
    other = "22222222-2222-2222-2222-222222222222"
    live(weeks, NAMES, NAMES)
    for _ in range(4):
        for name in "xyz":
            weeks.publish_body(row_of(name, subscription=other), weeks.now)
        live(weeks, ())
    assert all(not row_in(weeks, name).state.resolved for name in NAMES)


@pytest.mark.parametrize("kind", ["vulnerability", "attack_path"])
def test_an_export_that_was_switched_off_ends_nothing_of_its_kind(weeks: Weeks, kind: str) -> None:
    """Of a kind that is missing in one of two snapshots; what is missing of another kind ends."""
    weeks.publish(rows("v", weeks.now, kind))
    weeks.publish(rows(NAMES, weeks.now))
    live(weeks, ())
    weeks.publish(rows("w", weeks.now, kind))
    start = live(weeks, REST)
    weeks.publish(rows(REST, start))
    assert swept(weeks, start + 2 * DAY) == [("resolved", "h")]
    for both in ("vw", "w", "w"):
        weeks.now = weeks.now + WEEK
        weeks.publish(rows(both, weeks.now, kind))
        live(weeks, REST)
    assert notices(asyncio.run(weeks.deliver())) == []
    assert ended(weeks) == ["h", "v"]


@pytest.mark.parametrize("later", [timedelta(seconds=-1), timedelta()])
def test_what_another_message_named_since_has_not_ended(weeks: Weeks, later: timedelta) -> None:
    """Since the first of the two snapshots began; an older state names it, too."""
    start = live(weeks, NAMES)
    named = replace(Said("h", "recommendation", start + later), is_snapshot=False)
    weeks.publish([named], 1)
    live(weeks, REST, REST)
    assert row_in(weeks, "h").state.resolved is (later < timedelta())


def test_an_older_state_names_a_finding_too(weeks: Weeks) -> None:
    """The message is a repeat, and yet it says that the finding is there."""
    start = live(weeks, NAMES)
    weeks.publish_body(row_of("h", is_snapshot=False).replace(CHANGED.encode(), b"2020-01-01T00:00:00Z"), start + HOUR)
    live(weeks, REST, REST)
    assert not row_in(weeks, "h").state.resolved


def test_what_ended_and_comes_again_stands_again_whatever_its_own_time(weeks: Weeks) -> None:
    """Only in a message that came after the end; one that came before it and is heard of late is a repeat."""
    start = live(weeks, NAMES, REST, REST)
    ended = start - WEEK + 2 * DAY
    assert row_in(weeks, "h").state.resolved
    late, fresh = ended - HOUR, ended + HOUR
    for at in (late, fresh):
        weeks.publish([replace(Said("h", "recommendation", at), is_snapshot=False)], int(at is fresh))
    assert swept(weeks, start) == [("opened", "h")]
    on_record = asyncio.run(within(weeks.store, find_decisions, row_in(weeks, "h").key, 9))
    assert [entry.reason.partition(": ")[0] for entry in on_record].count(Code.OLDER) == 1


def test_what_is_unread_holds_a_snapshot_up_and_what_is_lost_spoils_it(weeks: Weeks) -> None:
    """Nobody knows which rows those are: nothing ends for the lack of them."""
    start = live(weeks, NAMES, REST)
    weeks.publish(rows(REST, start))
    weeks.publish(rows("ha", start + HOUR), 1)
    weeks.shelf.silent = {"1"}
    assert swept(weeks, start + 3 * DAY) == []
    weeks.shelf.silent = set()
    weeks.shelf.trim(1, 1)
    assert swept(weeks, start + 4 * DAY) == []
    assert len(asyncio.run(within(weeks.store, read_losses, "cspm"))) == 1
    weeks.publish(rows(REST, start + WEEK))
    assert swept(weeks, start + WEEK + 2 * DAY) == [("resolved", "h")]


def test_a_gap_holds_a_snapshot_up(weeks: Weeks) -> None:
    """Events that were taken in beyond a number that was not."""
    start = live(weeks, NAMES, REST)
    weeks.publish(rows(REST, start))
    place = Partition("cspm", "1")
    events = [Event(n, start + n * HOUR, row_of("h")) for n in range(2)]
    weeks.shelf.events[place] = events
    weeks.now = start + 2 * DAY
    asyncio.run(weeks.event_intake.ingest_events(place, events[1:], weeks.now))
    weeks.shelf.breaks_at = 1
    assert swept(weeks, start + 3 * DAY) == []
    assert not row_in(weeks, "h").state.resolved


def test_a_finding_that_a_rule_holds_ends_and_is_let_go_of(weeks: Weeks) -> None:
    """Nobody hears, and nothing is decided again when the rule ends."""
    scope = [[an_element("entities.azureresource.resourceid", _resource("h"))]]
    book = weeks.book
    weeks.book = a_rulebook(a_rule(alert_type="h", groups=scope, expires=NOW + 400 * DAY), stream=Stream.CSPM)
    start = live(weeks, NAMES, REST, REST)
    row = row_in(weeks, "h")
    assert (row.outcome, row.state.resolved) == ("resolved", True)
    weeks.book = without_rules(book)
    weeks.now = start
    assert asyncio.run(weeks.release()) == []
    assert notices(asyncio.run(weeks.deliver())) == []


def _resource(name: str) -> str:
    body = row_of(name).decode()
    return body.partition('"Id":"')[2].partition('"')[0]


def test_a_finding_below_the_floor_ends_in_silence(weeks: Weeks) -> None:
    """Of it nothing is kept that rules can match, so the record says what it is."""
    weeks.publish_body(row_of("low", severity="Low"), NOW)
    start = live(weeks, NAMES, NAMES)
    weeks.publish(rows(NAMES, start))
    weeks.now = start + 2 * DAY
    _, (entry,) = asyncio.run(weeks.sweep())
    assert (entry.title, entry.outcome, entry.destinations) == ("Update low", "resolved", ())
    assert entry.reason.startswith("no_destination: ")


def test_a_delete_ends_at_once_and_says_so(weeks: Weeks) -> None:
    """As ever; and two snapshots later it does not end again."""
    start = live(weeks, NAMES)
    gone = Said("h", "recommendation", start, is_snapshot=False, is_delete=True)
    weeks.publish([gone], 1)
    assert swept(weeks, start + HOUR) == [("resolved", "h")]
    live(weeks, REST, REST, REST)
    assert row_in(weeks, "h").turn == 2


def test_a_finding_remembers_its_last_snapshots_only(weeks: Weeks) -> None:
    """However many weeks it stands."""
    live(weeks, *[NAMES] * (REMEMBERED + 3))
    appearances = row_in(weeks, "h").appearances
    assert appearances is not None
    assert len(appearances.snapshots) == REMEMBERED


def test_a_clock_that_was_wrong_for_a_run_costs_nothing_once_it_is_right(weeks: Weeks) -> None:
    """A file that was taken in years ahead names no finding for years."""

    def run(at: datetime, names: Sequence[str]) -> list[tuple[str, str]]:
        weeks.now = at

        async def go() -> list[tuple[str, str]]:
            await weeks.run([row_of(name) for name in names], f"{at}{names}")
            return notices(await weeks.deliver())

        return asyncio.run(go())

    run(NOW, NAMES)
    run(NOW + 4000 * DAY, NAMES)
    for number in (1, 2):
        assert run(NOW + number * WEEK, REST) == []
    assert run(NOW + 3 * WEEK, REST) == [("resolved", "h")]


def ran(weeks: Weeks, day: float, bodies: Sequence[bytes], name: str | None = None) -> list[tuple[str, str]]:
    """What people are told after a run over a file on a day; a file is the same one by its name, else by what it holds."""
    weeks.now = NOW + day * DAY

    async def go() -> list[tuple[str, str]]:
        await weeks.run(bodies, name or sha256(b"".join(bodies)).hexdigest())
        return notices(await weeks.deliver())

    return asyncio.run(go())


WHOLE = [row_of(name) for name in NAMES]
LACKING = [row_of(name) for name in REST]


def test_what_ended_and_comes_again_in_the_very_same_file_stands_again(weeks: Weeks) -> None:
    """A weekly file is the same, byte by byte, where all is as it was: half a week after a finding was last in one, it is news.

    So it is whenever it ends and comes again, and what is on record of each time has a place of its own.
    """
    ran(weeks, 0, WHOLE)
    for start in (7, 28):
        assert ran(weeks, start, LACKING) + ran(weeks, start + 7, LACKING) == []
        assert ran(weeks, start + 9, ()) == [("resolved", "h")]
        assert ran(weeks, start + 14, WHOLE) == [("opened", "h")]
        assert ran(weeks, start + 14.1, WHOLE) == []
    on_record = asyncio.run(within(weeks.store, find_decisions, row_in(weeks, "h").key, 20))
    assert [one.outcome for one in reversed(on_record) if one.turn] == ["routed", "resolved"] * 2 + ["routed"]
    assert len({one.key for one in on_record}) == len(on_record)


@pytest.mark.parametrize("is_snapshot", [True, False])
def test_a_file_that_was_just_read_is_a_replay_also_of_what_ended_since(weeks: Weeks, is_snapshot: bool) -> None:
    """Within half a week of when it was read before; where snapshots come as fast, the finding has ended meanwhile."""
    bodies = [row_of("h", is_snapshot=is_snapshot)]
    ran(weeks, -1.1, WHOLE)
    ran(weeks, 0, bodies)
    ran(weeks, 0, LACKING)
    ran(weeks, 1.1, [*LACKING, row_of("i")])
    ran(weeks, 2.2, [*LACKING, row_of("j")])
    assert ran(weeks, 3.3, ()) == [("resolved", "h")]
    assert ran(weeks, 3.4, bodies) == []
    later = 3.6 if is_snapshot else 6.9
    assert ran(weeks, later - 0.15, bodies) == []
    assert ran(weeks, later, bodies) == ([("opened", "h")] if is_snapshot else [])
    assert ran(weeks, later + 4, bodies) == ([] if is_snapshot else [("opened", "h")])


def test_a_file_that_is_read_by_a_clock_from_before_the_end_is_a_replay(weeks: Weeks) -> None:
    """It came before the end, as far as anybody knows."""
    ran(weeks, 0, WHOLE)
    ran(weeks, 7, LACKING)
    ran(weeks, 14, LACKING)
    assert ran(weeks, 16, ()) == [("resolved", "h")]
    assert ran(weeks, 15.9, WHOLE) == []
    assert ran(weeks, 23, WHOLE) == [("opened", "h")]


def test_an_old_word_that_it_is_over_does_not_keep_down_what_was_not_seen(weeks: Weeks) -> None:
    """A new one does: then a file that is read again is a replay, as after any word that it is over."""
    deleted = [row_of("h", is_snapshot=False, action="Delete")]
    ran(weeks, -1, deleted)
    ran(weeks, 0, WHOLE)
    ran(weeks, 7, LACKING)
    ran(weeks, 14, LACKING)
    assert ran(weeks, 16, ()) == [("resolved", "h")]
    assert ran(weeks, 17, deleted) == []
    assert ran(weeks, 21, WHOLE) == [("opened", "h")]
    assert ran(weeks, 22, [*deleted, *deleted]) == [("resolved", "h")]
    assert ran(weeks, 28, WHOLE) == []


def test_a_hub_that_gives_old_events_again_opens_nothing_that_ended(weeks: Weeks) -> None:
    """They were enqueued before the end, whenever they are taken in."""
    start = live(weeks, NAMES, REST, REST)
    assert row_in(weeks, "h").state.resolved
    weeks.now = start + 3 * WEEK
    for partition, events in weeks.shelf.events.items():
        asyncio.run(weeks.event_intake.ingest_events(partition, events, weeks.now))
    assert notices(asyncio.run(weeks.deliver())) == []
    assert row_in(weeks, "h").state.resolved


def test_an_old_event_of_a_hub_whose_clock_was_wrong_opens_nothing_that_ended(weeks: Weeks) -> None:
    """Nobody knows when the hub got it, but it is on record."""
    event = Message(row_of("h"), "hub", Arrival("cspm/0", 5, NOW + 4000 * DAY))
    ran(weeks, 0, LACKING)
    asyncio.run(weeks.intake.ingest([event], NOW))
    ran(weeks, 7, LACKING)
    ran(weeks, 14, LACKING)
    assert ("resolved", "h") in ran(weeks, 16, ())
    weeks.now = NOW + 21 * DAY
    asyncio.run(weeks.intake.ingest([event], weeks.now))
    assert notices(asyncio.run(weeks.deliver())) == []


def test_an_old_row_that_comes_once_more_does_not_put_off_the_look_that_is_due(weeks: Weeks) -> None:
    """A worker that was begun anew reads events again; the snapshot after them is over when it is over."""
    start = live(weeks, NAMES, REST)
    weeks.publish(rows(REST, start))
    assert swept(weeks, start + HOUR) == []
    (old, *_) = weeks.shelf.events[Partition("cspm", "0")]
    asyncio.run(weeks.event_intake.ingest_events(Partition("cspm", "0"), [old], weeks.now))
    assert swept(weeks, start + 2 * DAY) == [("resolved", "h")]


def test_nobody_walks_the_findings_while_no_snapshot_can_have_ended(
    weeks: Weeks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run, or a sweep, costs nothing more for all the findings that there are."""
    start = live(weeks, NAMES, NAMES)

    def walked(tx: object, stream: str) -> None:
        raise AssertionError(stream)

    monkeypatch.setattr(signals, "walk_appearances", walked)
    weeks.publish([replace(one, is_snapshot=False) for one in rows(NAMES, start)])
    for hours in (1, 2, 50):
        swept(weeks, start + hours * HOUR)
