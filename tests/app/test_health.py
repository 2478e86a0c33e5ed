"""The health page: a line for each thing that is wrong, no secret, and always an answer; and what cannot be delivered."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from copy import replace
from datetime import datetime, timedelta
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from alert_router_demo.soc import Status
from router.app.destination_readiness import Remark, Unready, given_up_until, remark_on
from router.app.health import LATE, STALE, Health, health_of
from router.app.maintenance import ROLLOUT, give_up_undeliverable
from router.app.rules import load_rules
from router.app.settings import Lack, Settings, Why, now
from router.app.wiring import open_service
from router.deliver.destination_holds import hold_destination, release_destination
from router.domain.deliveries import LONGEST_LIFE, DeliveryState, Pause, Receipt
from router.domain.errors import StoreError
from router.domain.hubs import Extent, HubEpoch, Loss, Partition, Span
from router.domain.rulebook import Lane
from router.domain.signals import Stream
from router.domain.silent_sources import DOWN
from router.eventhubs import HubReader, Namespace
from router.ingest.gaps import Hub
from router.store.dead_letters import give_up_deliveries
from router.store.deliveries import add_deliveries
from router.store.destinations import pause_destination
from router.store.documents import document_of_watch, put_document
from router.store.partitions import Taken, lock_partition, take, write_losses, write_sweep_end
from router.store.sources import write_watched
from tests.builders import NOW, a_rulebook, alert_body
from tests.domain.silence_model import ONE, TWO, Life, subscriptions
from tests.eventhubs.hubs import LEFT_BEHIND, run
from tests.hubs import Shelf
from tests.secrecy import found_in, secrets_in
from tests.stack.stack import stack_running
from tests.store.acts import DAY, ask, claim, letters_in, owe, settle, states
from tests.store.builders import OPENING, a_delivery, a_hold
from tests.store.faulty import faulty
from tests.store.opened import Store, open_new_store, open_store
from tests.waiting import until

pytestmark = LEFT_BEHIND

HOUR, SECOND, MOMENT = timedelta(hours=1), timedelta(seconds=1), timedelta(microseconds=1)
WEEK = timedelta(days=7)
PLACE = Partition("cwpp", "0")
BOOK = a_rulebook()


@contextmanager
def swept(at: datetime | None = NOW) -> Iterator[Store]:
    """A store that was swept just now, or at another instant, or never."""
    with TemporaryDirectory() as directory:
        store = open_new_store(Path(directory))
        if at is not None:
            ask(store, write_sweep_end, "cwpp", at)
        yield store
        run(store.close())


@pytest.fixture
def store() -> Iterator[Store]:
    """A store that was swept just now."""
    with swept() as store:
        yield store


def health(store: Store, hub: Hub | None = None, patience: timedelta = timedelta(seconds=30)) -> Health:
    """The health of one stream."""
    return run(health_of(store, {Stream.CWPP: hub or Shelf()}, {Stream.CWPP: BOOK}, NOW, patience))


def figures(health: Health, stream: str = "cwpp") -> dict[str, Any]:
    """The figures of a stream, as they come out of JSON."""
    found: dict[str, Any] = json.loads(json.dumps(health.document))["streams"][stream]
    return found


def test_where_nothing_is_wrong_the_page_says_ok(store: Store) -> None:
    """With the rulebook in use, the last sweep, and how far each partition has come."""
    assert health(store).document == {
        "status": "ok",
        "problems": [],
        "not_yet": [],
        "held": [],
        "at": "2026-11-24T12:00:00Z",
        "streams": {
            "cwpp": {
                "rulebook": BOOK.hash,
                "swept": "2026-11-24T12:00:00Z",
                "set_aside": 0,
                "destinations": {},
                "lost": [],
                "hub": {"reached": True, "lag": {"0": 0}},
            }
        },
    }


def test_a_delivery_that_waits_too_long_is_a_problem(subtests: pytest.Subtests) -> None:
    """How long that is depends on the lane; the oldest counts."""
    for lane in Lane:
        with subtests.test(lane.value), swept() as store:
            ask(store, add_deliveries, [a_delivery(key="new", lane=lane)], NOW)
            ask(store, add_deliveries, [a_delivery(key="old", lane=lane)], NOW - LATE[lane])
            in_time = health(store)
            assert in_time.problems == ()
            assert figures(in_time)["destinations"]["tickets"] == {
                "lane": lane.value,
                "oldest_seconds": LATE[lane].total_seconds(),
                "dead": 0,
                "waiting": 0,
                "paused": None,
                "held_until": None,
            }
            ask(store, add_deliveries, [a_delivery(key="older", lane=lane)], NOW - LATE[lane] - SECOND)
            late = health(store)
            assert late.document["status"] == "failing"
            since = f"{NOW - LATE[lane] - SECOND:%Y-%m-%dT%H:%M:%SZ}"
            assert late.problems == (f"cwpp tickets: the oldest of its deliveries waits since {since}",)


def test_a_destination_that_a_person_holds_is_named_and_is_no_problem(store: Store) -> None:
    """With who, until when and why, on one line whatever is in it, also where it was never owed anything; until it is over."""
    for name, hours in (("tickets", 2), ("oncall", 1)):
        wanted = a_hold(
            destination=name, lane=Lane.PAGE, reason="it is\nmoved", since=NOW - HOUR, until=NOW + hours * HOUR
        )
        run(hold_destination(store, wanted, NOW - HOUR))
    ask(store, add_deliveries, [a_delivery(lane=Lane.PAGE)], NOW - LATE[Lane.PAGE])
    page = health(store)
    assert page.document["held"] == [
        "cwpp oncall: held by ana since 2026-11-24T11:00:00Z until 2026-11-24T13:00:00Z: it is moved",
        "cwpp tickets: held by ana since 2026-11-24T11:00:00Z until 2026-11-24T14:00:00Z: it is moved",
    ]
    assert page.document["status"] == "ok"
    assert figures(page)["destinations"]["tickets"]["held_until"] == "2026-11-24T14:00:00Z"
    run(release_destination(store, "cwpp", "tickets", author="ben", reason="there", now=NOW))
    assert [line.split(":")[0] for line in health(store).held] == ["cwpp oncall"]


def owed(store: Store, at: datetime = NOW, *names: str, destination: str = "tickets") -> None:
    """Deliveries are owed since an instant."""
    deliveries = [replace(a_delivery(key=name), destination=destination) for name in names or ("due",)]
    ask(store, add_deliveries, deliveries, at)


def ended(store: Store, state: DeliveryState, *destinations: str) -> None:
    """All that is owed to some destinations has ended so."""
    for one in (claimed for name in destinations for claimed in claim(store, destination=name)):
        settle(store, one, state, receipt=Receipt() if state is DeliveryState.SENT else None)


def lacking(*whys: Why, lane: Lane = Lane.TICKET) -> Unready:
    """A destination that lacks things."""
    lacks = tuple(Lack(f"KEY{number}", why) for number, why in enumerate(whys))
    return Unready(stream="cwpp", destination="tickets", lane=lane, lacks=lacks)


LACKING = lacking(Why.MISSING, Why.REFERENCE)


def test_what_was_never_there_is_not_yet_and_what_was_or_is_a_mistake_is_a_problem(subtests: pytest.Subtests) -> None:
    """Whatever it is that is missing. A mistake would not go away by itself, and is named beside what is missing."""
    for why in (Why.MISSING, Why.REFERENCE, Why.EXAMPLE, Why.NOT_INSTALLED):
        with subtests.test(why.value):
            for has_delivered, begin in ((False, "not yet"), (True, "cannot be asked")):
                said = f"cwpp tickets: {begin}: KEY0 {why}"
                assert remark_on(lacking(why), has_delivered=has_delivered) == Remark(said, has_delivered)
    for why in (Why.UNFIT, Why.SHARED):
        with subtests.test(why.value):
            said = f"cwpp tickets: cannot be asked: KEY0 is missing, KEY1 {why}"
            assert remark_on(lacking(Why.MISSING, why), has_delivered=False) == Remark(said, is_problem=True)


def test_a_destination_that_is_not_there_yet_is_no_problem_until_something_is_late(subtests: pytest.Subtests) -> None:
    """What is owed there becomes late, and dead, as anywhere; that one took a delivery before is known from the state, and of a
    mistake the page does not wait for one."""
    in_time, late = NOW - LATE[Lane.TICKET], NOW - LATE[Lane.TICKET] - SECOND
    lacks = "KEY0 is missing, KEY1 is still a reference to Key Vault"

    def given_up(store: Store) -> None:
        owed(store, late)
        assert ask(store, give_up_deliveries, "cwpp", "tickets", NOW, LACKING.error, NOW) == 1

    def sent(store: Store) -> None:
        owed(store)
        ended(store, DeliveryState.SENT, "tickets")

    mistake = lacking(Why.UNFIT)
    cases: tuple[tuple[str, Callable[[Store], None], list[str]], ...] = (
        ("nothing is owed", lambda store: None, []),
        ("in time", lambda store: owed(store, in_time), []),
        (
            "late",
            lambda store: owed(store, late),
            [f"cwpp tickets: the oldest of its deliveries waits since {late:%FT%TZ}"],
        ),
        ("dead", given_up, ["cwpp tickets: 1 dead letter"]),
        ("somebody took away what was there", sent, [f"cwpp tickets: cannot be asked: {lacks}"]),
    )
    for name, deed, problems in cases:
        with subtests.test(name), swept() as store:
            deed(store)
            found = run(health_of(store, {Stream.CWPP: Shelf()}, {Stream.CWPP: BOOK}, NOW, unready=[LACKING]))
            assert list(found.problems) == problems
            assert found.not_yet == (() if deed is sent else (f"cwpp tickets: not yet: {lacks}",))
            assert found.document["status"] == ("failing" if problems else "ok")
            found = run(health_of(store, {Stream.CWPP: Shelf()}, {Stream.CWPP: BOOK}, NOW, unready=[mistake]))
            assert (found.not_yet, found.problems[0]) == ((), f"cwpp tickets: cannot be asked: KEY0 {Why.UNFIT}")


def give_up(store: Store, named: Sequence[str], now: datetime, since: datetime, *unready: Unready) -> None:
    """Gives up where the policy of `cwpp` names some destinations."""
    run(give_up_undeliverable(store, {"cwpp": named}, unready, {}, now, since))


def test_what_others_may_still_deliver_to_is_not_given_up_on_yet(sqlite: Store) -> None:
    """While an older policy may be at work beside this one."""
    owe(sqlite, OPENING)
    before = NOW + ROLLOUT - MOMENT
    give_up(sqlite, ["oncall"], before, before - ROLLOUT)
    assert states(sqlite) == {DeliveryState.OWED: 1}
    give_up(sqlite, ["oncall"], NOW + ROLLOUT, NOW)
    assert states(sqlite) == {DeliveryState.DEAD: 1}


def test_what_nobody_can_ask_is_owed_for_as_long_as_its_lane_lets_it_live(sqlite: Store) -> None:
    """Six hours for a page, three days for the others. It is a dead letter then, which says what is missing. A step that fails
    keeps no other from being done; what it raised is raised in the end."""
    for lane in Lane:
        assert NOW - given_up_until(lacking(Why.MISSING, lane=lane), NOW) == LONGEST_LIFE[lane] >= timedelta(hours=6)
    owe(sqlite, OPENING)
    end = NOW + LONGEST_LIFE[Lane.TICKET]
    give_up(sqlite, ["tickets"], end - MOMENT, NOW, LACKING)
    assert states(sqlite) == {DeliveryState.OWED: 1}
    broken, state = faulty(sqlite)
    state.down.add("abandon")
    with pytest.raises(StoreError):
        give_up(broken, ["tickets"], end, NOW, LACKING)
    error = "never tried: KEY0 is missing, KEY1 is still a reference to Key Vault"
    assert [letter.error for letter in run(letters_in(sqlite))] == [error]


def test_dead_letters_and_a_destination_that_refuses_us_are_problems(store: Store) -> None:
    """As many as there are at each destination; since when, and what it says."""
    owed(store, NOW, "a", "b")
    owed(store, NOW, "c", destination="backlog")
    ended(store, DeliveryState.DEAD, "tickets", "backlog")
    dead = ["cwpp backlog: 1 dead letter", "cwpp tickets: 2 dead letters"]
    assert sorted(health(store).problems) == dead
    assert figures(health(store))["destinations"]["tickets"]["dead"] == 2
    pause = Pause(stream="cwpp", destination="tickets", since=NOW - SECOND, probe=NOW, error="answered 401")
    ask(store, pause_destination, pause)
    refusal = "cwpp tickets: refuses our credentials since 2026-11-24T11:59:59Z"
    assert sorted(health(store).problems) == [*dead, refusal]
    assert figures(health(store))["destinations"]["tickets"]["paused"] == "answered 401"


def test_sweeps_that_do_not_end_are_a_problem(subtests: pytest.Subtests) -> None:
    """A few may be late. One that ended in the future shows that a clock was wrong; a new router says so until its first."""
    cases = (
        (NOW - STALE, ()),
        (NOW - STALE - SECOND, ("cwpp: the last sweep ended 2026-11-24T11:54:59Z",)),
        (NOW + 2 * STALE, ("cwpp: the last sweep ended 2026-11-24T12:10:00Z",)),
        (None, ("cwpp: the last sweep ended never",)),
    )
    for at, problems in cases:
        with subtests.test(at=str(at)), swept(at) as store:
            assert health(store).problems == problems


def test_losses_of_a_week_are_a_problem(store: Store) -> None:
    """Each event counts; what was lost earlier does not."""
    epoch = HubEpoch(PLACE, 1)
    losses = [Loss(epoch, Span(0, 9), NOW - WEEK, "trimmed"), Loss(epoch, Span(20, 22), NOW - WEEK + SECOND, "trimmed")]
    ask(store, write_losses, losses[:1])
    assert health(store).problems == ()
    ask(store, write_losses, [*losses, Loss(epoch, Span(30, 30), NOW, "trimmed")])
    assert health(store).problems == ("cwpp: 4 events were lost in the last 7 days",)
    assert figures(health(store))["lost"] == [
        {"hub": "cwpp", "partition": "0", "epoch": 1, "first": 20, "last": 22, "at": "2026-11-17T12:00:01Z"},
        {"hub": "cwpp", "partition": "0", "epoch": 1, "first": 30, "last": 30, "at": "2026-11-24T12:00:00Z"},
    ]


def test_what_was_not_taken_in_yet_is_counted_by_partition(store: Store) -> None:
    """Up to the last event that the hub has; a partition that nothing was taken of is behind by all that it holds."""
    hub = Shelf(partitions=3)
    hub.publish(10)
    hub.publish(7, partition=1)
    hub.trim(3, partition=1)
    epoch = HubEpoch(PLACE, 1)
    ask(store, lock_partition, PLACE)
    ask(store, take, epoch, (), Taken(Span(0, 5), NOW, NOW, NOW))
    assert figures(health(store, hub))["hub"] == {"reached": True, "lag": {"0": 4, "1": 4, "2": 0}}
    assert health(store, hub).problems == ()


def test_what_cannot_be_reached_or_says_nothing_is_a_problem_and_does_not_hold_up_the_page(
    store: Store, subtests: pytest.Subtests
) -> None:
    """It is asked for so long, and no longer; what the other says is on the page all the same."""
    shelf, half = Shelf(), timedelta(seconds=0.5)
    shelf.publish(1)

    async def page_over(port: int, patience: timedelta, *, is_hub: bool) -> Health:
        way = f"Endpoint=sb://127.0.0.1:{port};SharedAccessKeyName=n;SharedAccessKey=k;UseDevelopmentEmulator=true"
        hub = HubReader(Namespace(connection_string=way), "cwpp") if is_hub else shelf
        asked = store if is_hub else open_store(f"postgresql://router@127.0.0.1:{port}/state")
        page = await health_of(asked, {Stream.CWPP: hub}, {Stream.CWPP: BOOK}, NOW, patience)
        if not is_hub:
            await asked.close()
        return page

    for what, silent in product(("hub", "state"), (False, True)):
        with subtests.test(what, silent=silent), somebody(silent=silent) as port:
            page = run(page_over(port, half if silent else timedelta(seconds=30), is_hub=what == "hub"))
            late = ["cwpp: state: no answer within 0.5 s", "cwpp: hub cwpp: no answer within 0.5 s"]
            if silent:
                assert page.problems == tuple(late[what == "hub" :])
            else:
                begin = "cwpp: hub cwpp: " if what == "hub" else "cwpp: 127.0.0.1, database state: "
                assert page.problems
                assert all(problem.startswith(begin) for problem in page.problems)
                reached = {"hub": {"reached": what != "hub"}}
                assert figures(page).items() >= {"rulebook": BOOK.hash, **reached}.items()
            assert what == "state" or figures(page)["swept"] == "2026-11-24T12:00:00Z"


class Clinging(Shelf):
    """A hub that says nothing, and does not let go when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.over = asyncio.Event()

    async def read_extents(self) -> Mapping[Partition, Extent]:
        with suppress(asyncio.CancelledError):
            await self.over.wait()
        await self.over.wait()
        raise ConnectionError("closed meanwhile")


def test_nor_does_one_that_does_not_let_go(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """Closing a connection may hang as asking does; what comes of it in the end bothers nobody."""

    async def found() -> tuple[Health, bool]:
        hub = Clinging()
        page = await health_of(store, {Stream.CWPP: hub}, {Stream.CWPP: BOOK}, NOW, timedelta(seconds=0.1))
        is_clinging = not hub.over.is_set()
        hub.over.set()
        await until(lambda: asyncio.all_tasks() == {asyncio.current_task()})
        return page, is_clinging

    page, is_clinging = run(found())
    assert is_clinging
    assert page.problems == ("cwpp: hub cwpp: no answer within 0.1 s",)
    assert caplog.messages == []


def test_the_page_holds_no_secret(postgresql: str) -> None:
    """Where destinations say in their answers what they were shown, and hubs are gone."""
    with stack_running(postgresql) as stack:
        account = stack.soc.accounts["cwpp"]
        shown = f"{account.servicenow_user}:{account.servicenow_password}"
        basic = b64encode(shown.encode()).decode()
        refusal = Status(401, body={"error": {"message": shown, "detail": f"Basic {basic}"}})
        stack.soc.pagerduty.faults.add(Status(400, body={"errors": [account.routing_key]}))
        stack.soc.servicenow.faults.add(refusal, times=None)
        stack.hubs.append("cwpp", 0, alert_body("alert-1"))

        async def found() -> Health:
            rules = load_rules(stack.rules, list(Stream), now())
            settings = Settings(stack.environment | {"ALERT_ROUTER_GRACE": "0.001"})
            async with open_service(rules, settings, now) as service:
                await service.sweep()
                for lane in (Lane.PAGE, Lane.TICKET):
                    await service.loops[Stream.CWPP, lane].deliver_due(lambda: False)
                stack.hubs.stop_accepting()
                return await service.health()

        page = run(found())
        text = json.dumps(page.document)
        assert found_in(text, {*secrets_in(stack.environment), basic}) == []
        assert "://" not in text
        wrong = [re.sub(r"since .*|hub (\w+): .*", "", problem) for problem in page.problems]
        assert wrong == [
            "cwpp oncall: 1 dead letter",
            "cwpp tickets: refuses our credentials ",
            "cwpp: ",
            "cspm: ",
        ]


def test_who_is_silent_is_counted_and_that_nobody_was_judged_for_long_is_a_problem(sqlite: Store) -> None:
    """Who is silent is told as any finding, and what fits nothing is named: neither is a problem by itself. A router without a
    manifest has no sources to be silent."""

    def sources(at: datetime) -> tuple[object, ...]:
        ask(sqlite, write_sweep_end, "cspm", at)
        page = run(
            health_of(sqlite, {Stream.CSPM: Shelf(name="cspm")}, {Stream.CSPM: a_rulebook(stream=Stream.CSPM)}, at)
        )
        return figures(page, "cspm").get("sources"), page.problems

    assert sources(NOW) == (None, ())
    life, judged = Life(subscriptions(ONE, TWO, "eeee*")), NOW + 9 * DAY
    life.lives(judged, since=NOW)
    assert life.watch is not None
    assert ask(sqlite, put_document, document_of_watch("cspm", life.watch)) is not None
    ask(sqlite, write_watched, life.known.values(), NOW)
    unmatched = ["coverage.yaml expect[0].name: 'eeee*' fits nothing that was ever heard of"]
    silent = {"silent": 2, "unmatched": unmatched, "judged": "2026-12-03T12:00:00Z"}
    assert sources(judged + DOWN) == (silent, ())
    late = "cspm: no source was judged silent or not since 2026-12-03T12:00:00Z"
    assert sources(judged + DOWN + SECOND) == (silent, (late,))


@contextmanager
def somebody(*, silent: bool) -> Iterator[int]:
    """A port at which somebody listens and never says a word, or at which nobody does."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if silent:
            listener.listen()
        yield listener.getsockname()[1]
