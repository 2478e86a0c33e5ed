"""How deliveries leave: every one ends sent, skipped, owed or dead, and no destination's trouble reaches another."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest

from router.app.clock import now
from router.deliver import Answers, Deliverer, Sending, deliver_due
from router.deliver.files import append
from router.deliver.http import Http
from router.deliver.logs import Logs
from router.deliver.tokens import Tokens
from router.domain.asks import AppendLines, Conversation, HttpRequest, Result
from router.domain.decisions import Change
from router.domain.deliveries import DeliveryState
from router.domain.errors import Rejected, Unauthorized, Unavailable
from router.domain.lanes import LEASE
from router.domain.notices import Attempt, Receipt
from router.domain.pauses import PROBE
from router.domain.ports import Deduplication
from router.domain.rulebook import Lane
from router.store.sqlite import SqliteStore
from router.telemetry import Telemetry
from tests.builders import NOW
from tests.store.acts import states
from tests.store.builders import a_delivery

type Answer = Callable[[Attempt], Result]


class Scripted:
    """A kind of destination that answers each attempt as a test says."""

    name: ClassVar[str] = "scripted"
    lane: ClassVar[Lane] = Lane.TICKET
    deduplicates: ClassVar[Deduplication] = Deduplication.NONE
    batch: ClassVar[int] = 1
    Config: ClassVar[type[Any]] = object

    def __init__(self, config: Answer) -> None:
        self._answer = config
        self.attempts: list[Attempt] = []

    def address(self) -> str:
        return "nowhere"

    def conversation_for(self, attempts: Sequence[Attempt]) -> Conversation:
        self.attempts.extend(attempts)
        yield from ()
        return [self._answer(attempt) for attempt in attempts]


class InBatches(Scripted):
    """The same, many deliveries to a send."""

    batch: ClassVar[int] = 10


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """An empty store."""
    store = SqliteStore(tmp_path)
    yield store
    asyncio.run(store.close())


@pytest.fixture
def clock() -> Clock:
    """A clock at the builders' now."""
    return Clock()


def drain(store: SqliteStore, clock: Clock, **kinds: Scripted) -> None:
    """Delivers what is due at the named destinations."""
    asyncio.run(_drain(store, clock, kinds))


async def _drain(store: SqliteStore, clock: Clock, kinds: Mapping[str, Scripted]) -> None:
    async with Http(ssl.create_default_context()) as http:
        answers = Answers(
            http, Logs(http, lambda endpoint: pytest.fail(endpoint), now), Tokens(http, time.monotonic, now)
        )
        deliverers = [
            Deliverer(
                "cwpp",
                name,
                Sending(kind, answers, {}, clock, LEASE[Lane.TICKET], Telemetry().delivering),
                outbox=store.outbox,
                clock=clock,
                slots=4,
            )
            for name, kind in kinds.items()
        ]
        await deliver_due(deliverers, store.outbox, clock, [("cwpp", list(kinds))])


def owe(store: SqliteStore, clock: Clock, count: int = 1) -> None:
    asyncio.run(store.outbox.add([a_delivery(key=f"k{n}") for n in range(count)], clock()))


def sent(attempt: Attempt) -> Result:
    return Receipt(reference=attempt.delivery.key)


@pytest.mark.parametrize("kind", [Scripted, InBatches])
def test_everything_that_is_due_is_sent_once(store: SqliteStore, clock: Clock, kind: type[Scripted]) -> None:
    """More deliveries than slots, one by one or in batches."""
    owe(store, clock, 57)
    desk = kind(sent)
    drain(store, clock, tickets=desk)
    assert sorted(attempt.delivery.key for attempt in desk.attempts) == sorted(f"k{n}" for n in range(57))
    assert states(store) == {DeliveryState.SENT: 57}


def test_a_failed_delivery_is_due_again_and_costs_the_others_nothing(store: SqliteStore, clock: Clock) -> None:
    """Its next attempt is its second, and it is not tried before it is due."""
    owe(store, clock, 5)

    def once(attempt: Attempt) -> Result:
        failed = attempt.delivery.key == "k3" and attempt.number == 1
        return Unavailable("503", retry_after=60) if failed else Receipt()

    desk = Scripted(once)
    drain(store, clock, tickets=desk)
    assert states(store) == {DeliveryState.SENT: 4, DeliveryState.OWED: 1}
    clock.now += timedelta(seconds=59)
    drain(store, clock, tickets=desk)
    assert states(store) == {DeliveryState.SENT: 4, DeliveryState.OWED: 1}
    clock.now += timedelta(seconds=1)
    drain(store, clock, tickets=desk)
    assert states(store) == {DeliveryState.SENT: 5}


def test_a_destination_that_refuses_our_credentials_is_paused_and_probed_by_one(
    store: SqliteStore, clock: Clock
) -> None:
    """One probe every five minutes; the first that gets through lets the rest go."""
    owe(store, clock, 30)
    refusing = Scripted(lambda _: Unauthorized("401"))
    drain(store, clock, tickets=refusing)
    assert 1 <= len(refusing.attempts) <= 4  # no more than were under way at once
    assert states(store) == {DeliveryState.OWED: 30}
    tried = len(refusing.attempts)
    clock.now += PROBE - timedelta(microseconds=1)
    drain(store, clock, tickets=refusing)
    assert len(refusing.attempts) == tried
    clock.now += timedelta(microseconds=1)
    drain(store, clock, tickets=refusing)
    assert len(refusing.attempts) == tried + 1
    assert list(asyncio.run(store.outbox.pauses("cwpp"))) == ["tickets"]
    clock.now += PROBE + timedelta(seconds=10)
    drain(store, clock, tickets=Scripted(sent))
    assert states(store) == {DeliveryState.SENT: 30}
    assert asyncio.run(store.outbox.pauses("cwpp")) == {}


def test_one_delivery_that_is_refused_for_itself_keeps_no_other_waiting_for_ever(
    store: SqliteStore, clock: Clock
) -> None:
    """Something on the way may dislike what one alert says, and answer 403 to it alone: another one probes."""
    owe(store, clock, 30)
    picky = Scripted(lambda attempt: Unauthorized("403") if attempt.delivery.key == "k0" else sent(attempt))
    drain(store, clock, tickets=picky)
    clock.now += PROBE
    drain(store, clock, tickets=picky)
    assert states(store) == {DeliveryState.SENT: 29, DeliveryState.OWED: 1}


def test_a_probe_that_neither_got_through_nor_was_refused_is_the_only_one(store: SqliteStore, clock: Clock) -> None:
    """A paused destination that answers 503 to its probe stays paused: the rest waits for the next probe."""
    owe(store, clock, 10)
    drain(store, clock, tickets=Scripted(lambda _: Unauthorized("401")))
    clock.now += PROBE
    busy = Scripted(lambda _: Unavailable("503"))
    drain(store, clock, tickets=busy)
    assert len(busy.attempts) == 1
    assert list(asyncio.run(store.outbox.pauses("cwpp"))) == ["tickets"]


def test_what_falls_due_while_a_drain_runs_is_left_to_the_next(store: SqliteStore, clock: Clock) -> None:
    """A destination that keeps failing must not keep a run from its end."""
    owe(store, clock, 3)

    def slow(attempt: Attempt) -> Result:
        clock.now += timedelta(seconds=30)
        return Unavailable("503", retry_after=1)

    desk = Scripted(slow)
    drain(store, clock, tickets=desk)
    assert len(desk.attempts) == 3


def test_a_line_that_was_cut_off_is_not_continued(tmp_path: Path) -> None:
    """After a torn write the next lines begin on a line of their own."""
    path = tmp_path / "out.ndjson"
    path.write_bytes(b'{"half":')
    append(AppendLines(path=str(path), lines=b"{}\n"))
    append(AppendLines(path=str(path), lines=b"{}\n"))
    assert path.read_bytes() == b'{"half":\n{}\n{}\n'


def test_a_device_is_written_without_being_synced() -> None:
    """`/dev/null` and its like cannot be synced, and need not be."""
    append(AppendLines(path="/dev/null", lines=b"{}\n"))


def test_a_fault_of_ours_makes_a_dead_letter_and_the_lane_goes_on(store: SqliteStore, clock: Clock) -> None:
    """What the destination's code cannot handle is parked with reason `internal`."""
    owe(store, clock, 3)

    def breaks(attempt: Attempt) -> Result:
        if attempt.delivery.key == "k1":
            raise ZeroDivisionError
        return Receipt()

    drain(store, clock, tickets=Scripted(breaks))
    assert states(store) == {DeliveryState.SENT: 2, DeliveryState.DEAD: 1}
    assert [letter.error for letter in asyncio.run(store.outbox.dead())] == ["internal: ZeroDivisionError"]


def test_in_a_batch_each_delivery_has_its_own_result(store: SqliteStore, clock: Clock) -> None:
    """One bad row does not cost its neighbours."""
    owe(store, clock, 10)
    desk = InBatches(lambda attempt: Rejected("400") if attempt.delivery.key == "k4" else Receipt())
    drain(store, clock, tickets=desk)
    assert states(store) == {DeliveryState.SENT: 9, DeliveryState.DEAD: 1}


def test_an_update_is_given_the_receipt_of_its_opening(store: SqliteStore, clock: Clock) -> None:
    """So a ticket is updated by its own number."""
    asyncio.run(store.outbox.add([a_delivery(), a_delivery(2, Change.UPDATED)], NOW))
    desk = Scripted(sent)
    drain(store, clock, tickets=desk)
    assert [(attempt.delivery.turn, attempt.opening) for attempt in desk.attempts] == [
        (1, None), (2, Receipt(reference="k")),
    ]  # fmt: skip


def test_what_the_policy_no_longer_names_becomes_a_dead_letter(store: SqliteStore, clock: Clock) -> None:
    """A destination that went away does not take its deliveries with it."""
    owe(store, clock, 1)
    drain(store, clock, oncall=Scripted(sent))
    assert [letter.error for letter in asyncio.run(store.outbox.dead())] == [
        "no_destination: the policy no longer names it"
    ]


def test_a_request_that_gets_no_answer_is_raised_into_the_destination(store: SqliteStore, clock: Clock) -> None:
    """Nobody listens on that port; the text names no URL."""

    class Posting(Scripted):
        def conversation_for(self, attempts: Sequence[Attempt]) -> Conversation:
            yield HttpRequest(method="POST", url="http://127.0.0.1:9/secret?sig=canary")
            raise AssertionError("an answer came from a port where nobody listens")

    owe(store, clock, 1)
    drain(store, clock, tickets=Posting(sent))
    assert states(store) == {DeliveryState.OWED: 1}


def test_lines_are_appended_to_a_file_and_its_troubles_are_retried(
    store: SqliteStore, clock: Clock, tmp_path: Path
) -> None:
    """A file that cannot be written now may be written later."""

    class Filing(Scripted):
        def conversation_for(self, attempts: Sequence[Attempt]) -> Conversation:
            for attempt in attempts:
                yield AppendLines(path=str(tmp_path / attempt.delivery.key / "out.ndjson"), lines=b"{}\n")
            return [Receipt() for _ in attempts]

    (tmp_path / "k1").write_text("a file where a directory should be")
    owe(store, clock, 2)
    drain(store, clock, tickets=Filing(sent))
    assert (tmp_path / "k0" / "out.ndjson").read_bytes() == b"{}\n"
    assert states(store) == {DeliveryState.SENT: 1, DeliveryState.OWED: 1}
