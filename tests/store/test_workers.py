"""Workers at once, or that die or lose their line: each group and delivery is told once, in order, within the limit."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from itertools import count, pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.domain.catalogue import Catalogue
from router.domain.decisions import Change
from router.domain.deliveries import Claim, Delivery, DeliveryState, Settlement
from router.domain.errors import StoreError
from router.domain.keys import signal_key
from router.domain.notices import Notice
from router.domain.rulebook import By, Grouping, Lane, Limit, Rulebook
from router.domain.signals import Kind, Stream
from router.ingest.grouping import tell_waiting
from router.ingest.intake import Intake, Message
from router.store.claims import Recipient, claim_due, decide_depending, settle_claims
from router.store.dead_letters import Redrive, abandon_deliveries, discard, redrive
from router.store.deliveries import add_deliveries
from tests.builders import NOW, RESOURCE, a_destination, a_message, a_rulebook, alert_body
from tests.builders_constructed_updates import a_posture_book, an_update
from tests.examples import some_of
from tests.grouping.test_grouping import a_grouping_book
from tests.grouping.test_histories import Backlog
from tests.stack.postgres import Server, Way
from tests.store.acts import DAY, HOUR, LEASE, MINUTE, ask, claim, groups_at, letters_in, owe, run, settle, states
from tests.store.builders import OPENING, a_delivery
from tests.store.deadly import Deadly
from tests.store.opened import Store, changed, empty, everything_in, open_store
from tests.store.within import claim_in, within

AT = ("cwpp", "tickets")
BOOK = a_grouping_book()


def intake(store: Store, book: Rulebook = BOOK) -> Intake:
    return Intake(store, {Stream.CWPP: book}, Catalogue())


async def delivered(store: Store, now: datetime = NOW) -> list[Claim]:
    """Every delivery that `tickets` gets, in order, each acknowledged."""
    found: list[Claim] = []
    recipient = Recipient(AT[0], Lane.TICKET, AT[1])
    while claims := await claim_in(store, recipient, now, now + MINUTE, 10):
        found += claims
        await within(store, settle_claims, [Settlement(claim=one, state=DeliveryState.SENT, at=now) for one in claims])
    return found


def story(claims: Sequence[Claim]) -> list[tuple[str, int, int]]:
    """What each notice changes, at which turn, and how many signals it counts."""
    notices = [one.delivery.content for one in claims]
    counts = [one.group.total if isinstance(one, Notice) and one.group else 1 for one in notices]
    return [(one.delivery.change.value, one.delivery.turn, count) for one, count in zip(claims, counts, strict=True)]


def batch(*ids: str, **fields: object) -> list[Message]:
    return [a_message(alert_body(id, **fields)) for id in ids]


@pytest.mark.usefixtures("either")
def test_a_worker_that_dies_at_any_statement_leaves_all_of_its_batch_or_none(store: Store) -> None:
    """It leaves all where only the answer to its commit is lost. The batch that comes again is told once."""
    everything = run(everything_in(store))
    kept = []
    for step in count(1):
        messages = [*batch(f"a{step}", f"b{step}"), a_message(b"?")]
        deadly = Deadly(store, step, is_done=True)
        with suppress(StoreError):
            run(intake(deadly).ingest(messages, NOW))
        left = run(everything_in(store))
        kept.append(left != everything)
        run(intake(store).ingest(messages, NOW))
        everything = run(everything_in(store))
        assert everything == left or not kept[-1]
        if not deadly.died:
            break
    assert kept == [False] * (len(kept) - 2) + [True, True]
    assert story(run(delivered(store))) == [("opened", 1, 2), ("updated", len(kept), 2 * len(kept))]


@pytest.mark.usefixtures("either")
def test_a_clock_that_dies_at_any_statement_tells_everything_once(store: Store) -> None:
    """Two tickets owe a note, and two groups that wait may open: the next clock tells what the dead one did not."""
    book = a_posture_book(Limit(2, DAY))
    for step in count(1):
        first, day = NOW + step * 30 * DAY, f"of day {step}"
        backlog = Backlog(store, book)
        backlog.take([an_update("vm-1", f"p{n} {day}") for n in range(4)], first)
        assert sorted(backlog.pass_by(first)) == ["opened"] * 3
        backlog.take([an_update("vm-2", f"p{n} {day}") for n in range(4)], first + MINUTE)
        deadly = Deadly(store, step, is_done=bool(step % 2))
        with suppress(StoreError):
            run(tell_waiting(deadly, book, first + DAY))
        for later in (DAY, DAY + 2 * HOUR):
            backlog.pass_by(first + later)
        for ticket in backlog.tickets.values():
            assert Counter(ticket.changes)["opened"] == 1
            turns = [notice.turn for _, _, notice in ticket.notices]
            assert turns == sorted(set(turns))
        assert len(backlog.of_values()) == 4
        assert {one.changes[-1] for one in backlog.summaries()} == {"resolved"}
        assert {one.standing for one in backlog.of_values()} == {2}
        if not deadly.died:
            return


type Act = tuple[str, int, str]
type Round = tuple[int, list[list[Act]]]

ACTS = st.tuples(st.sampled_from("abcdef"), st.integers(0, 3), st.sampled_from(["New", "InProgress", "Resolved"]))
"""What a message says: of which alert, on which resource, and its status."""

BATCHES = st.lists(st.lists(ACTS, min_size=1, max_size=4), min_size=1, max_size=4)
ROUNDS = st.lists(st.tuples(st.integers(1, 40), BATCHES), min_size=1, max_size=5)
"""After so many minutes each of up to four workers takes a batch in and sweeps, all at once."""


def test_workers_that_take_in_and_sweep_at_once_are_like_one(database: str, postgres_store: Store) -> None:
    """Whatever comes in whatever order: no more openings in a window than the limit lets, each notice of a group after its
    opening, and in the end what is open counts exactly the alerts that stand.
    """

    @settings(max_examples=some_of(50), deadline=None)
    @given(ROUNDS, st.sampled_from([1, 2]), st.sampled_from([By.RESOURCE, By.INCIDENT, By.ALERT_TYPE]))
    def whatever_comes(rounds: list[Round], most: int, by: By) -> None:
        run(empty(postgres_store))
        run(_lived(database, postgres_store, rounds, a_grouping_book(Grouping((by,), HOUR), Limit(most, HOUR))))

    whatever_comes()


async def _lived(database: str, store: Store, rounds: list[Round], book: Rulebook) -> None:
    now, stores = NOW, [open_store(database) for _ in range(4)]

    async def work(worker: Store, acts: list[Act]) -> None:
        bodies = [alert_body(id, Status=status, AzureResourceId=f"{RESOURCE}-{n}") for id, n, status in acts]
        await intake(worker, book).ingest([a_message(body) for body in bodies], now)
        await tell_waiting(worker, book, now)

    told: list[tuple[datetime, Claim]] = []
    for wait, batches in rounds:
        now += wait * MINUTE
        await asyncio.gather(*(work(one, acts) for one, acts in zip(stores, batches, strict=False)))
        told += [(now, one) for one in await delivered(store, now)]
    await asyncio.gather(*(one.close() for one in stores))
    await tell_waiting(store, book, now + HOUR)
    told += [(now + HOUR, one) for one in await delivered(store, now + HOUR)]
    _assert_limited(told, book)
    open_now: set[str] = set()
    for _, one in told:
        key, change = one.delivery.key, one.delivery.change
        assert (key in open_now) is (change != "opened"), (key, change)
        (open_now.discard if change == "resolved" else open_now.add)(key)
    groups = await groups_at(store, *AT)
    assert open_now == {key for key, one in groups.items() if one.is_open} == groups.keys()
    async with store.session() as tx:
        rows = await tx.fetch("SELECT group_key, count(*) AS many FROM members WHERE stands=1 GROUP BY group_key")
    counts = {row.text("group_key"): row.whole("many") for row in rows}
    assert counts == {key: one.group.standing for key, one in groups.items()}


def _assert_limited(told: list[tuple[datetime, Claim]], book: Rulebook) -> None:
    limit = book.destinations["tickets"].limit
    opened = [(at, one.delivery.content) for at, one in told if one.delivery.change == "opened"]
    assert limit is not None
    for since, _ in opened:
        within = [one for at, one in opened if since <= at < since + limit.window]
        summaries = [one for one in within if isinstance(one, Notice) and one.group is not None and one.group.limited]
        assert len(within) - len(summaries) <= limit.most
        assert len(summaries) <= limit.most + 1


def test_what_waits_at_a_destination_that_the_policy_drops_becomes_a_dead_letter(store: Store) -> None:
    """Two groups wait at `tickets`, which the policy then calls otherwise: they are given up where people see it."""
    backlog = Backlog(store, a_posture_book(Limit(2, DAY)))
    backlog.take([an_update("vm-1", f"p{n}") for n in range(4)], NOW)
    backlog.pass_by(NOW)
    backlog.book = a_rulebook(stream=Stream.CSPM, destinations=[a_destination("intake")], otherwise=("intake",))
    for minute in (1, 2):
        now = NOW + minute * MINUTE
        backlog.sweep(now)
        ask(store, abandon_deliveries, "cspm", ["intake"], now, now)
    letters = run(letters_in(store))
    contents = [one.delivery.content for one in letters if one.delivery is not None]
    titles = {one.title for one in contents if isinstance(one, Notice)}
    assert len(titles) == 2
    assert titles.isdisjoint(one.last.title for one in backlog.of_values())


LONG = "\u00e4\u4e2d" * 35_000


@pytest.mark.usefixtures("either")
def test_no_text_is_too_long_for_a_row(store: Store) -> None:
    """What an index holds is bounded, and its neighbours are taken in with it."""
    book = a_grouping_book(Grouping((By.ALERT_TYPE, By.RESOURCE, By.ENTITY, By.CORRELATION), HOUR), Limit(1, HOUR))
    fields: dict[str, object] = {"CompromisedEntity": "vm", "CorrelationKey": "k", "AlertDisplayName": LONG}
    named = ("Severity", "AlertType", "AzureResourceId", "CompromisedEntity", "CorrelationKey")
    long = [a_message(alert_body(f"long {name}", **(fields | {name: LONG}))) for name in named]
    entries = run(intake(store, book).ingest([*batch("a", **fields), *long], NOW))
    assert {entry.outcome for entry in entries} == {"routed"}
    assert {one.delivery.change for one in run(delivered(store))} == {"opened"}


@pytest.mark.usefixtures("either")
def test_an_id_has_one_key_however_it_is_written_and_workers_open_it_once(store: Store) -> None:
    """Vendors know signals by keys: that of the id in lower case. An alert that became an incident has the same."""
    spellings = ("al-1", "AL-1", " al-1", "Al-1\t", "AL-1\n")
    key = "d514942e2c49820379427f6300815543"
    assert {signal_key("cwpp", Kind.ALERT, id) for id in spellings} == {key}

    async def at_once() -> None:
        bodies = [alert_body(id, IsIncident=flag) for id in spellings for flag in (False, True)]
        await asyncio.gather(*(intake(store).ingest([a_message(body)], NOW) for body in bodies))

    run(at_once())
    ((change, _, _), *later), ended = story(run(delivered(store))), batch("Al-1", Status="Resolved")
    assert (change, {what for what, _, _ in later} <= {"updated"}) == ("opened", True)
    run(intake(store).ingest(ended, NOW))
    assert [what for what, _, _ in story(run(delivered(store)))] == ["resolved"]


MOST_IDLE = 10
TICKETS = Recipient("cwpp", Lane.TICKET, "tickets")
LIFE = ((1, Change.OPENED), (2, Change.UPDATED), (3, Change.RESOLVED))


def some_lives(many: int, turns: int = 3) -> list[Delivery]:
    """The first deliveries of each of so many signals."""
    return [a_delivery(turn, change, key=f"k{key:02}") for key in range(many) for turn, change in LIFE[:turns]]


def ended(claim: Claim, state: DeliveryState = DeliveryState.SENT) -> Settlement:
    """What a worker writes down of a claim."""
    due = NOW if state is DeliveryState.OWED else None
    return Settlement(claim=claim, state=state, at=NOW, due=due)


def test_of_several_workers_that_claim_at_once_each_delivery_is_one_workers(store: Store, twin: Store) -> None:
    """None is claimed twice, none is left, and no later turn is claimed beside the first."""
    owe(store, *some_lives(100, 2))

    async def raced() -> list[Sequence[Claim]]:
        workers = (store, twin, store, twin)
        return list(await asyncio.gather(*(claim_in(one, TICKETS, NOW, NOW + LEASE, 30) for one in workers)))

    claimed = [(one.delivery.key, one.delivery.turn) for claims in run(raced()) for one in claims]
    assert sorted(claimed) == [(one.key, 1) for one in some_lives(100, 1)]


def test_what_is_acknowledged_while_its_next_step_is_decided_is_not_sent_again(store: Store, twin: Store) -> None:
    """Another worker had claimed it for too long; what waits behind it is claimed in its place."""
    owe(store, *some_lives(1, 2))
    (slow,) = claim(store)
    now, until = NOW + LEASE, NOW + 2 * LEASE
    found = ask(twin, claim_due, {TICKETS: 1}, now, until)
    settle(store, slow, DeliveryState.SENT)
    (next,) = ask(twin, decide_depending, found.depending, now, until)
    assert next.delivery.turn == 2
    assert states(store) == {DeliveryState.SENT: 1, DeliveryState.CLAIMED: 1}


def test_a_dead_letter_that_two_people_redrive_is_owed_once(store: Store, twin: Store) -> None:
    """The second is told that it is dead no more."""
    owe(store, OPENING)
    settle(store, claim(store)[0], DeliveryState.DEAD, error="400")

    async def raced() -> list[Redrive]:
        return list(await asyncio.gather(*(within(one, redrive, OPENING.id, NOW) for one in (store, twin))))

    assert sorted(run(raced())) == [Redrive.OWED, Redrive.UNKNOWN]
    assert not ask(twin, discard, OPENING.id, NOW)
    assert len(claim(store)) == 1


def test_all_turns_of_all_signals_are_told_in_order_by_the_worker_that_is_free(store: Store, twin: Store) -> None:
    """Turns are added while workers settle; each fails the first time. An update may be skipped that another one follows."""
    sent: list[tuple[str, int]] = []

    async def work(worker: Store) -> None:
        """Claims and settles until a number of times nothing is due."""
        idle = 0
        while idle < MOST_IDLE:
            claims = await claim_in(worker, TICKETS, NOW, NOW + LEASE, 2)
            sent.extend((one.delivery.key, one.delivery.turn) for one in claims if one.number > 1)
            ends = [ended(one, DeliveryState.OWED if one.number == 1 else DeliveryState.SENT) for one in claims]
            await within(worker, settle_claims, ends)
            idle = 0 if claims else idle + 1

    async def add_turns() -> None:
        for turn, change in enumerate((Change.OPENED, Change.UPDATED, Change.UPDATED), 1):
            await within(store, add_deliveries, [a_delivery(turn, change, key=f"k{key}") for key in range(6)], NOW)

    async def raced() -> None:
        await asyncio.gather(add_turns(), *(work(one) for one in (store, twin, store)))
        # What was owed after the others had stopped to ask.
        await work(store)

    run(raced())
    assert states(store).keys() <= {DeliveryState.SENT, DeliveryState.SKIPPED}
    by_signal = [[turn for key, turn in sent if key == f"k{number}"] for number in range(6)]
    assert all(turns in ([1, 2, 3], [1, 3]) for turns in by_signal), by_signal


# Round trips.


def trips(way: Way, store: Store, deliveries: list[Delivery], state: DeliveryState) -> list[int]:
    """The round trips to owe, to claim and to settle deliveries."""
    counted = [way.trips]
    owe(store, *deliveries)
    counted.append(way.trips)
    claims = claim(store, limit=len(deliveries))
    counted.append(way.trips)
    ask(store, settle_claims, [ended(one, state) for one in claims])
    return [after - before for before, after in pairwise([*counted, way.trips])]


def test_a_hundred_deliveries_take_as_many_round_trips_as_two(postgres: Server, database: str) -> None:
    """Each step is a handful of statements, its beginning and its end among them."""
    with Way(postgres.url) as way:
        store = open_store(way.to(database))
        trips(way, store, [OPENING], DeliveryState.SENT)
        for turns, state in product((1, 3), (DeliveryState.SENT, DeliveryState.OWED)):
            counted = []
            for many in (2, 100):
                run(changed(store, "DELETE FROM deliveries"))
                counted.append(trips(way, store, some_lives(many, turns), state))
            assert counted[0] == counted[1]
            assert max(counted[0]) <= 6
        run(store.close())
