"""A destination that a person holds is not asked until that ends, and who held what is on record."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.deliver.destination_holds import (
    FRESH,
    ChangeAction,
    ChangeEntry,
    ChangeSubject,
    HoldReader,
    document_of_change,
    read_changes,
    release_destination,
)
from router.domain.deliveries import DeliveryState
from router.domain.destination_holds import DestinationHold
from router.domain.documents import DocumentKind, StoredDocument
from router.domain.errors import StoreError, Unauthorized
from router.domain.rulebook import Lane
from router.store.destinations import list_pauses
from router.store.documents import list_documents
from router.store.store import Store
from tests.builders import NOW
from tests.deliver.engines import TICKETS, Engine, Held, InBatches, Scripted, engine_of_state, hold, sent
from tests.store.acts import HOUR, INSTANT, SECOND
from tests.store.watching import watched
from tests.store.within import within
from tests.waiting import until


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An engine with nothing owed."""
    yield from engine_of_state(tmp_path)


async def release(store: Store, now: datetime) -> DestinationHold | None:
    """Has a person release `tickets`."""
    return await release_destination(store, "cwpp", TICKETS, author="ben", reason="it is there", now=now)


@pytest.mark.parametrize(("kind", "lane"), [(Scripted, Lane.TICKET), (InBatches, Lane.ROWS)])
def test_a_held_destination_is_not_asked_and_one_that_is_released_is(
    engine: Engine, kind: type[Scripted], lane: Lane
) -> None:
    """In every lane, and no other destination. Holding spends no attempt."""
    engine.owe(*(f"k{n}" for n in range(5)), lane=lane)
    engine.owe("k0", destination="oncall")
    destination = kind(sent)
    worker = engine.worker(destination, lane=lane)
    engine.run(hold(engine.store, NOW, lane=lane))
    assert engine.deliver(worker) == []
    assert engine.deliver(engine.worker(Scripted(sent), destination="oncall")) == [DeliveryState.SENT]
    assert set(engine.run(engine.holds.held_in("cwpp", NOW))) == {TICKETS}
    assert engine.run(engine.holds.held_in("cspm", NOW)) == {}
    engine.run(release(engine.store, NOW + SECOND))
    engine.clock.now += FRESH + SECOND
    assert engine.deliver(worker) == [DeliveryState.SENT] * 5
    assert [attempt.number for attempt in destination.attempts] == [1] * 5


@pytest.mark.parametrize(("lane", "hours", "ends"), [(Lane.TICKET, 2, 2), (Lane.PAGE, 48, 4)])
def test_a_hold_ends_when_it_says_or_its_lane_does(engine: Engine, lane: Lane, hours: int, ends: int) -> None:
    """To the microsecond. The lane counts in which it is delivered to now: it may have been another one where it was held."""
    engine.owe("k0", lane=lane)
    engine.holds = HoldReader(engine.store, {("cwpp", TICKETS): lane})
    worker = engine.worker(Scripted(sent), lane=lane)
    engine.run(hold(engine.store, NOW, hours=hours, lane=Lane.TICKET))
    engine.clock.now = NOW + ends * HOUR - INSTANT
    assert engine.deliver(worker) == []
    engine.clock.now += INSTANT
    assert engine.deliver(worker) == [DeliveryState.SENT]


def test_what_is_in_flight_is_finished_and_what_is_claimed_behind_it_is_put_back(engine: Engine) -> None:
    """A hold touches no send that has begun; the others are owed as if nobody had claimed them."""
    engine.owe(*(f"k{n}" for n in range(6)))
    destination = Held()

    async def delivered() -> None:
        working = asyncio.create_task(engine.worker(destination, concurrency=2).deliver_due(lambda: False))
        await until(lambda: destination.waiting == 2)
        await hold(engine.store, NOW)
        engine.clock.now += FRESH + SECOND
        destination.open()
        await working

    engine.run(delivered())
    assert engine.states() == {DeliveryState.SENT: 2, DeliveryState.OWED: 4}
    engine.run(release(engine.store, engine.clock()))
    engine.clock.now += FRESH + SECOND
    later = Scripted(sent)
    engine.deliver(engine.worker(later))
    assert [attempt.number for attempt in later.attempts] == [1] * 4


class Counted:
    """How often the holds of a store are listed; it can be down."""

    def __init__(self, store: Store) -> None:
        self.store = watched(store, self._look)
        self.listed = 0
        self.is_down = False

    def _look(self, sql: str, values: Sequence[object]) -> None:
        self.listed += 1
        if self.is_down:
            raise StoreError("storage is down")


def test_holds_are_read_at_most_every_fifteen_seconds_however_many_ask(engine: Engine) -> None:
    """All workers of a process ask one reader; where the clock was set back or stands still, they look again as well."""
    documents = Counted(engine.store)
    passed = 0.0
    reader = HoldReader(documents.store, ticks=lambda: passed)

    async def asked(now: datetime) -> int:
        before = documents.listed
        await asyncio.gather(*(reader.held_in(stream, now) for stream in ["cwpp", "cspm"] * 20))
        return documents.listed - before

    times = [NOW, NOW, NOW + FRESH, NOW + FRESH + SECOND, NOW + FRESH]
    assert [engine.run(asked(time)) for time in times] == [1, 0, 0, 1, 1]
    found = []
    for seconds in (15, 1, 15, 15.1):
        passed += seconds
        found.append(engine.run(asked(times[-1])))
    assert found == [0, 1, 0, 1]


def test_where_holds_cannot_be_read_nobody_is_asked(engine: Engine) -> None:
    """What a person holds is not asked because storage was down for a moment."""
    engine.owe("k0")
    documents = Counted(engine.store)
    documents.is_down = True
    engine.holds = HoldReader(documents.store)
    destination = Scripted(sent)
    worker = engine.worker(destination)
    with pytest.raises(StoreError):
        engine.deliver(worker)
    assert destination.attempts == []
    documents.is_down = False
    assert engine.deliver(worker) == [DeliveryState.SENT]


def test_a_paused_destination_is_not_probed_while_it_is_held(engine: Engine) -> None:
    """Its pause is as it was when it is released, and is probed then."""
    engine.owe("k0")
    engine.deliver(engine.worker(Scripted(lambda _: Unauthorized("401"))))
    pauses = engine.run(within(engine.store, list_pauses, "cwpp"))
    engine.clock.now += FRESH + SECOND
    engine.run(hold(engine.store, engine.clock()))
    engine.clock.now += HOUR
    worker = engine.worker(Scripted(sent))
    assert engine.deliver(worker) == []
    assert engine.run(within(engine.store, list_pauses, "cwpp")) == pauses != {}
    engine.run(release(engine.store, engine.clock()))
    engine.clock.now += FRESH + SECOND
    assert engine.deliver(worker) == [DeliveryState.SENT]
    assert engine.run(within(engine.store, list_pauses, "cwpp")) == {}


def test_every_hold_and_every_release_is_on_record(engine: Engine) -> None:
    """Who, what, when, why and until when, in the order of time; a release of what is not held changes nothing."""
    store, hours = engine.store, [NOW + number * HOUR for number in range(6)]
    assert engine.run(release(store, NOW)) is None
    engine.run(hold(store, NOW))
    engine.run(hold(store, hours[1]))
    engine.run(release(store, hours[2]))
    assert engine.run(release(store, hours[2])) is None
    engine.run(hold(store, hours[3]))
    changes, undecodable = read_changes(engine.run(within(store, list_documents, DocumentKind.CHANGE)))
    assert [(one.action, one.author, one.reason, one.at, one.until) for one in changes] == [
        (ChangeAction.ADDED, "ana", "it is moved", NOW, hours[2]),
        (ChangeAction.EXTENDED, "ana", "it is moved", hours[1], hours[3]),
        (ChangeAction.RELEASED, "ben", "it is there", hours[2], hours[2]),
        (ChangeAction.ADDED, "ana", "it is moved", hours[3], hours[5]),
    ]
    assert ({one.id for one in changes}, undecodable) == ({"cwpp/tickets"}, 0)


HELD = ChangeEntry(
    subject=ChangeSubject.HOLD,
    id="cwpp/oncall",
    stream="cwpp",
    action=ChangeAction.ADDED,
    at=NOW,
    author="ana",
    reason="the pager is moved",
    until=NOW + timedelta(hours=2),
)

CHANGES = st.builds(
    ChangeEntry,
    subject=st.sampled_from(ChangeSubject),
    id=st.text(),
    stream=st.sampled_from(["cwpp", "cspm"]),
    action=st.sampled_from(ChangeAction),
    at=st.integers(0, 5).map(lambda seconds: NOW + timedelta(seconds=seconds)),
    author=st.text(),
    reason=st.text(),
    until=st.integers(0, 10**6).map(lambda seconds: NOW + timedelta(seconds=seconds)),
)


@given(st.lists(CHANGES))
def test_changes_come_back_as_they_were_made_in_the_order_of_time(changes: list[ChangeEntry]) -> None:
    """Whatever people write; and their ids sort as their times do, so that a store lists them so."""
    documents = sorted(map(document_of_change, changes), key=lambda document: document.id)
    read = read_changes(documents)
    assert [change.at for change in read.values] == sorted(change.at for change in changes)
    assert [one.at for one in documents] == [change.at for change in read.values]
    assert set(read.values) == set(changes)
    assert read.undecodable == 0
    assert len({one.id for one in documents}) == len(set(changes))


def test_the_same_change_written_again_is_the_same_document() -> None:
    """A command that was broken off and is given again leaves one change."""
    assert document_of_change(HELD).id == document_of_change(replace(HELD)).id
    assert document_of_change(HELD).id != document_of_change(replace(HELD, author="ben")).id


def test_what_does_not_decode_is_skipped_and_counted(subtests: pytest.Subtests) -> None:
    """One that is damaged hides no other."""
    for body in (b"", b"{", b"[]", b"1", b"null", b"{}", b"\xff", b'{"subject":"hold"}', b"[" * 100_000):
        with subtests.test(ascii(body)):
            damaged = StoredDocument(kind=DocumentKind.CHANGE, id="x", at=NOW, body=body)
            assert read_changes([damaged, document_of_change(HELD)]) == ([HELD], 1)


def test_a_change_of_which_a_field_is_damaged_is_skipped(subtests: pytest.Subtests) -> None:
    """Half a change says something that nobody did."""
    for written, instead in (
        (b'"hold"', b'"other"'),
        (b'"added"', b'"other"'),
        (b'"ana"', b"7"),
        (b'Z"', b'"'),
        (b'"cwpp"', b"null"),
    ):
        with subtests.test(ascii(written)):
            document = document_of_change(HELD)
            damaged = replace(document, body=document.body.replace(written, instead))
            assert damaged.body != document.body
            assert read_changes([damaged]) == ([], 1)
