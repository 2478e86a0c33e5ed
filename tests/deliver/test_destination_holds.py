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
from router.domain.documents import DocumentKind
from router.domain.errors import StoreError
from router.domain.rulebook import Lane
from router.store.documents import list_documents
from router.store.store import Store
from tests.builders import NOW
from tests.deliver.engines import TICKETS, Engine, Held, InBatches, Scripted, engine_of_state, hold, sent
from tests.store.acts import HOUR, INSTANT, SECOND
from tests.store.watching import watched
from tests.waiting import until

SENT, OWED = DeliveryState.SENT, DeliveryState.OWED


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An engine with nothing owed."""
    yield from engine_of_state(tmp_path)


async def release(store: Store, now: datetime) -> DestinationHold | None:
    """Has a person release `tickets`."""
    return await release_destination(store, "cwpp", TICKETS, author="ben", reason="it is there", now=now)


@pytest.mark.parametrize(("lane", "hours", "ends"), [(Lane.TICKET, 2, 2), (Lane.PAGE, 48, 4), (Lane.ROWS, 2, 2)])
def test_a_held_destination_is_not_asked_until_that_ends(engine: Engine, lane: Lane, hours: int, ends: int) -> None:
    """To the microsecond, it alone, and that spends no attempt. The lane counts in which it is delivered to now: it may have
    been another one where it was held."""
    for name in (TICKETS, "oncall"):
        engine.owe("k0", lane=lane, destination=name)
    engine.holds = HoldReader(engine.store, {("cwpp", TICKETS): lane})
    kind = (InBatches if lane is Lane.ROWS else Scripted)(sent)
    loop = engine.loop({TICKETS: kind, "oncall": kind}, lane=lane)
    engine.run(hold(engine.store, NOW, hours=hours, lane=Lane.TICKET))
    assert engine.deliver(loop) == [SENT]
    engine.clock.now = NOW + ends * HOUR - INSTANT
    assert engine.deliver(loop) == []
    engine.clock.now += INSTANT
    assert engine.deliver(loop) == [SENT]
    assert [(one.delivery.destination, one.number) for one in kind.attempts] == [("oncall", 1), (TICKETS, 1)]


def test_what_is_in_flight_is_finished_and_what_is_claimed_behind_it_is_put_back(engine: Engine) -> None:
    """A hold touches no send that has begun; the others are owed as if nobody had claimed them, and sent after a release."""
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
    assert engine.states() == {SENT: 2, OWED: 4}
    engine.run(release(engine.store, engine.clock()))
    engine.clock.now += FRESH + SECOND
    later = Scripted(sent)
    engine.deliver(engine.worker(later))
    assert [attempt.number for attempt in later.attempts] == [1] * 4


def test_holds_are_read_at_most_every_fifteen_seconds_and_where_they_cannot_be_nobody_is_asked(engine: Engine) -> None:
    """All workers of a process ask one reader; where the clock was set back or stands still, they look again as well. What a
    person holds is not asked because storage was down for a moment."""
    listed, passed, is_down = 0, 0.0, False

    def look(sql: str, values: Sequence[object]) -> None:
        nonlocal listed
        listed += 1
        if is_down:
            raise StoreError("storage is down")

    reader = HoldReader(watched(engine.store, look), ticks=lambda: passed)

    async def asked(now: datetime) -> int:
        before = listed
        await asyncio.gather(*(reader.held_in(stream, now) for stream in ["cwpp", "cspm"] * 20))
        return listed - before

    times = [NOW, NOW, NOW + FRESH, NOW + FRESH + SECOND, NOW + FRESH]
    assert [engine.run(asked(time)) for time in times] == [1, 0, 0, 1, 1]
    found = []
    for seconds in (15, 1, 15, 15.1):
        passed += seconds
        found.append(engine.run(asked(times[-1])))
    assert found == [0, 1, 0, 1]
    engine.owe("k0")
    engine.holds, is_down, passed = reader, True, 100.0
    kind = Scripted(sent)
    with pytest.raises(StoreError):
        engine.deliver(engine.worker(kind))
    assert kind.attempts == []
    is_down = False
    assert engine.deliver(engine.worker(kind)) == [SENT]


def test_every_hold_and_every_release_is_on_record(engine: Engine) -> None:
    """Who, what, when, why and until when, in the order of time; a release of what is not held changes nothing."""
    store, hours = engine.store, [NOW + number * HOUR for number in range(6)]
    assert engine.run(release(store, NOW)) is None
    engine.run(hold(store, NOW))
    engine.run(hold(store, hours[1]))
    engine.run(release(store, hours[2]))
    assert engine.run(release(store, hours[2])) is None
    engine.run(hold(store, hours[3]))
    changes, undecodable = read_changes(engine.ask(list_documents, DocumentKind.CHANGE))
    assert [(one.action, one.author, one.reason, one.at, one.until) for one in changes] == [
        (ChangeAction.ADDED, "ana", "it is moved", NOW, hours[2]),
        (ChangeAction.EXTENDED, "ana", "it is moved", hours[1], hours[3]),
        (ChangeAction.RELEASED, "ben", "it is there", hours[2], hours[2]),
        (ChangeAction.ADDED, "ana", "it is moved", hours[3], hours[5]),
    ]
    assert ({one.id for one in changes}, undecodable) == ({"cwpp/tickets"}, 0)


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
    """Whatever people write; their ids sort as their times do, so that a store lists them so, and the same change written again
    is the same document."""
    documents = sorted(map(document_of_change, changes), key=lambda document: document.id)
    read = read_changes(documents)
    assert [one.at for one in documents] == [change.at for change in read.values] == sorted(one.at for one in changes)
    assert (set(read.values), read.undecodable) == (set(changes), 0)
    assert len({one.id for one in documents}) == len(set(changes))


def test_what_does_not_decode_is_skipped_and_counted(subtests: pytest.Subtests) -> None:
    """One that is damaged hides no other; half a change says something that nobody did."""
    held = ChangeEntry(
        subject=ChangeSubject.HOLD, id="cwpp/oncall", stream="cwpp", action=ChangeAction.ADDED, at=NOW, author="ana",
        reason="the pager is moved", until=NOW + 2 * HOUR,
    )  # fmt: skip
    document = document_of_change(held)
    parts = {b'"hold"': b'"other"', b'"added"': b'"other"', b'"ana"': b"7", b'Z"': b'"', b'"cwpp"': b"null"}
    halves = [document.body.replace(written, instead) for written, instead in parts.items()]
    assert document.body not in halves
    nothing = (b"", b"{", b"[]", b"1", b"null", b"{}", b"\xff", b'{"subject":"hold"}', b"[" * 100_000)
    for body in (*nothing, *halves):
        with subtests.test(ascii(body[:99])):
            assert read_changes([replace(document, body=body), document]) == ([held], 1)
