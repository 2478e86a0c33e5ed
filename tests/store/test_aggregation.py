"""Groups when workers die and when several take in and sweep at once: each told once, all in order, within the limit."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.domain.catalogue import Catalogue
from router.domain.deliveries import Claim, DeliveryState, Settlement
from router.domain.errors import StoreError
from router.domain.notices import Notice
from router.domain.rulebook import By, Grouping, Lane, Limit, Rulebook
from router.domain.signals import Stream
from router.ingest.grouping import tell_waiting
from router.ingest.intake import Intake, Message
from router.store.claims import Recipient, settle_claims
from router.store.dead_letters import abandon_deliveries
from router.store.forgetting import forget
from router.store.retention import Retention
from tests.builders import NOW, RESOURCE, a_destination, a_message, a_rulebook, alert_body
from tests.builders_constructed_updates import a_posture_book, an_update
from tests.examples import some_of
from tests.grouping.backlog import Backlog
from tests.grouping.test_grouping import HOUR, a_grouping_book
from tests.store.acts import groups_at, letters_in, run
from tests.store.deadly import Deadly
from tests.store.opened import Store, empty, everything_in, open_store
from tests.store.within import claim_in, within

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
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
        await within(
            store,
            settle_claims,
            [Settlement(claim=one, state=DeliveryState.SENT, at=now) for one in claims],
        )
    return found


def story(claims: Sequence[Claim]) -> list[tuple[str, int, int]]:
    """What each notice changes, at which turn, and how many signals it counts."""
    notices = [one.delivery.content for one in claims]
    counts = [one.group.total if isinstance(one, Notice) and one.group else 1 for one in notices]
    return [(one.delivery.change.value, one.delivery.turn, count) for one, count in zip(claims, counts, strict=True)]


def batch(*ids: str, **fields: object) -> list[Message]:
    return [a_message(alert_body(id, **fields)) for id in ids]


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


def test_a_clock_that_dies_at_any_statement_tells_everything_once(store: Store) -> None:
    """Two tickets owe a note, and two groups that wait may open: the next clock tells what the dead one did not."""
    book = a_posture_book(Limit(2, DAY))
    for step in count(1):
        first, day = NOW + step * 30 * DAY, f"of day {step}"
        backlog = Backlog(store, book, run)
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
    for _, claim in told:
        key, change = claim.delivery.key, claim.delivery.change
        assert (key in open_now) is (change != "opened"), (key, change)
        (open_now.discard if change == "resolved" else open_now.add)(key)
    groups = await groups_at(store, *AT)
    assert open_now == {key for key, one in groups.items() if one.is_open} == groups.keys()
    async with store.session() as tx:
        rows = await tx.fetch(
            "SELECT group_key AS key, count(*) AS many FROM members WHERE stands=1 GROUP BY group_key"
        )
    assert {row.text("key"): row.whole("many") for row in rows} == {
        key: one.group.standing for key, one in groups.items()
    }


def _assert_limited(told: list[tuple[datetime, Claim]], book: Rulebook) -> None:
    limit = book.destinations["tickets"].limit
    opened = [(at, one.delivery.content) for at, one in told if one.delivery.change == "opened"]
    assert limit is not None
    for since, _ in opened:
        within = [one for at, one in opened if since <= at < since + limit.window]
        summaries = [one for one in within if isinstance(one, Notice) and one.group is not None and one.group.limited]
        assert len(within) - len(summaries) <= limit.most
        assert len(summaries) <= limit.most + 1


def test_a_group_that_stands_for_longer_than_anything_is_kept_still_takes_others_in(store: Store) -> None:
    """Nothing came for a year and the state was forgotten as far as it goes: the next machine joins the same ticket."""
    backlog = Backlog(store, a_posture_book(), run)
    backlog.take([an_update("vm-1", "p")], NOW)
    backlog.pass_by(NOW)
    later = NOW + timedelta(days=366)
    for step in range(8):
        run(forget(store, later + step * HOUR, Retention(), 100))
    backlog.take([an_update("vm-2", "p")], later)
    assert backlog.pass_by(later + HOUR) == ["updated"]
    assert len(backlog.tickets) == 1


def test_what_waits_at_a_destination_that_the_policy_drops_becomes_a_dead_letter(store: Store) -> None:
    """Two groups wait at `tickets`, which the policy then calls otherwise: they are given up where people see it."""
    backlog = Backlog(store, a_posture_book(Limit(2, DAY)), run)
    backlog.take([an_update("vm-1", f"p{n}") for n in range(4)], NOW)
    backlog.pass_by(NOW)
    backlog.book = a_rulebook(stream=Stream.CSPM, destinations=[a_destination("intake")], otherwise=("intake",))
    for minute in (1, 2):
        now = NOW + minute * MINUTE
        backlog.sweep(now)
        run(within(store, abandon_deliveries, "cspm", ["intake"], now, now))
    letters = run(letters_in(store))
    contents = [one.delivery.content for one in letters if one.delivery is not None]
    titles = {one.title for one in contents if isinstance(one, Notice)}
    assert len(titles) == 2
    assert titles.isdisjoint(one.last.title for one in backlog.of_values())


LONG = "\u00e4\u4e2d" * 35_000


@pytest.mark.parametrize("field", ["Severity", "AlertType", "AzureResourceId", "CompromisedEntity", "CorrelationKey"])
def test_no_text_is_too_long_for_a_row(store: Store, field: str) -> None:
    """What an index holds is bounded, and its neighbours are taken in with it."""
    book = a_grouping_book(Grouping((By.ALERT_TYPE, By.RESOURCE, By.ENTITY, By.CORRELATION), HOUR), Limit(1, HOUR))
    fields: dict[str, object] = {"CompromisedEntity": "vm", "CorrelationKey": "k"}
    long = a_message(alert_body("long", AlertDisplayName=LONG, **(fields | {field: LONG})))
    entries = run(intake(store, book).ingest([*batch("a", **fields), long], NOW))
    assert [entry.outcome for entry in entries] == ["routed", "routed"]
    assert {one.delivery.change for one in run(delivered(store))} == {"opened"}
