"""What holds of every sequence of messages, however it is ordered, repeated and cut into batches."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from random import Random
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.domain.catalogue import Catalogue
from router.domain.decisions import Outcome
from router.domain.hubs import Arrival, message_of
from router.domain.keys import signal_key
from router.domain.rulebook import Lane, Rulebook
from router.domain.severity import Severity
from router.domain.signals import Stream
from router.ingest.intake import Intake, Message
from router.store.decisions import find_decisions
from router.store.store import Store, Transaction
from tests.builders import NOW, a_destination, a_message, a_route, a_rule, a_rulebook, alert_body, an_ip, finding_body
from tests.examples import some_of
from tests.grouping.test_grouping import a_grouping_book
from tests.store.acts import find_rows, run
from tests.store.life import Life, a_life
from tests.store.opened import open_store
from tests.store.within import within

MINUTE = timedelta(minutes=1)
few = settings(max_examples=some_of(60))
STATES = ["Unhealthy", "Healthy", "Unhealthy"]
BODIES = [finding_body(status=status, changed=NOW + place * MINUTE) for place, status in enumerate(STATES)]
CUTS = st.lists(st.integers(0, 20), max_size=4)


def batches(messages: Sequence[Message], cuts: Sequence[int]) -> Iterator[Sequence[Message]]:
    """The messages cut into batches at some places."""
    start = 0
    for end in sorted({cut % (len(messages) + 1) for cut in cuts} | {len(messages)}):
        if end > start:
            yield messages[start:end]
        start = end


@few
@given(st.permutations(range(3)), CUTS, st.lists(st.integers(0, 2), max_size=6))
def test_open_resolve_reopen_makes_three_notices_and_any_replays_none(
    order: list[int], cuts: list[int], replays: list[int]
) -> None:
    """In order in one batch or many, or in any order in one batch; with any of the three replayed afterwards."""
    with a_life(a_rulebook(stream=Stream.CSPM)) as life:
        if cuts:
            order = sorted(order)
        messages = [a_message(BODIES[place]) for place in order]
        for batch in [*batches(messages, cuts), *batches([a_message(BODIES[place]) for place in replays], cuts)]:
            life.ingest(*batch)
        assert life.changes_at("sentinel") == ["opened", "resolved", "opened"]


MESSAGES = st.one_of(
    st.builds(
        lambda name, severity, status, ip: alert_body(name, Severity=severity, Status=status, Entities=[an_ip(ip)]),
        st.sampled_from("abc"),
        st.sampled_from(["Low", "Medium", "High", None]),
        st.sampled_from(["New", "Active", "InProgress", "Resolved", "Dismissed"]),
        st.sampled_from(["10.20.0.5", "192.0.2.1"]),
    ),
    st.builds(finding_body, st.sampled_from("abc"), st.sampled_from(["Healthy", "Unhealthy", "NotApplicable"])),
    st.binary(max_size=20),
)


@few
@given(st.lists(MESSAGES, max_size=12), CUTS)
def test_every_message_ends_in_exactly_one_outcome_and_no_stream_reaches_the_others_destinations(
    bodies: list[bytes], cuts: list[int]
) -> None:
    """Each message is on record once; alerts never reach posture's destinations, nor findings the SOC's."""
    names = {Stream.CWPP: ("tickets", "sentinel"), Stream.CSPM: ("backlog", "posture")}
    books = {
        stream: a_rulebook(
            a_rule(),
            stream=stream,
            routes=[a_route("all", people)],
            always=[rows],
            otherwise=[people],
            destinations=[a_destination(people), a_destination(rows, Lane.ROWS)],
        )
        for stream, (people, rows) in names.items()
    }
    messages = [a_message(body) for body in bodies]
    with a_life(books[Stream.CWPP]) as life:
        life.other = books[Stream.CSPM]
        entries = [entry for batch in batches(messages, cuts) for entry in life.ingest(*batch)]
        assert [entry.key for entry in entries] == [message.arrival.key for message in messages]
        assert {entry.outcome for entry in entries} <= {outcome.value for outcome in Outcome}
        for stream, others in ((Stream.CWPP, Stream.CSPM), (Stream.CSPM, Stream.CWPP)):
            life.book = books[stream]
            assert [life.owed(name) for name in names[others]] == [[], []]
            assert {claim.delivery.stream for name in names[stream] for claim in life.owed(name)} <= {stream.value}


@few
@given(st.lists(st.sampled_from(["New", "InProgress", "Resolved"]), min_size=1, max_size=8), st.data())
def test_a_resolution_reaches_every_open_place_whatever_rules_changed_and_never_overtakes_the_opening(
    statuses: list[str], data: st.DataObject
) -> None:
    """After any history under changing routes, a resolution closes each place that is open, and points at its opening."""
    routes = [[a_route("tickets", "tickets")], [a_route("page", "oncall")], [a_route("quiet")]]
    with a_life(a_rulebook()) as life:
        for status in [*statuses, "Resolved"]:
            floor = data.draw(st.sampled_from([Severity.LOW, Severity.CRITICAL]))
            life.book = a_rulebook(routes=data.draw(st.sampled_from(routes)), floor=floor)
            life.alert(Status=status)
        for name in ("tickets", "oncall", "sentinel"):
            told = [(claim.delivery.change.value, claim.delivery) for claim in life.owed(name)]
            assert is_well_formed([change for change, _ in told]), (name, told)
            for (earlier, before), (change, after) in pairwise(told):
                assert change != "resolved" or earlier == "resolved" or after.opened == before.opened
        row = life.row()
        assert row is not None and row.open == {}


def is_well_formed(told: Sequence[str]) -> bool:
    """Openings and resolutions alternate, updates only in between, and nothing stays open; a stray resolution may go to
    `always` for what the ledger never saw."""
    is_open = False
    for change in told:
        if (change == "updated" and not is_open) or (change == "opened" and is_open):
            return False
        is_open = change != "resolved"
    return not is_open


DAY = timedelta(days=1)
FAR = datetime.fromisoformat("9999-12-31T23:59:59Z")


class Timed(NamedTuple):
    """A message says that a signal stands or is over, since when, and comes from a hub or a file; by a clock that is off."""

    is_over: bool
    changed: datetime | None
    is_from_hub: bool
    clock: datetime
    hubs_clock: datetime


TIMES = [NOW - DAY, NOW - timedelta(minutes=1), NOW + 2 * DAY, NOW + 400 * DAY, FAR]
CLOCKS = st.sampled_from([NOW, NOW, NOW + 3 * DAY, NOW + 3_000 * DAY])
TIMED = st.builds(Timed, st.booleans(), st.sampled_from([None, *TIMES]), st.booleans(), CLOCKS, CLOCKS)


def outcome_of(life: Life, place: int, one: Timed) -> str:
    """The outcome of a message that comes in."""
    life.now = one.clock
    times = {"ProcessingEndTime": one.changed.isoformat()} if one.changed is not None else {}
    arrival = Arrival("hub/0", place, one.hubs_clock) if one.is_from_hub else Arrival(f"file-{place}", 1)
    body = alert_body(Status="Resolved" if one.is_over else "New", **times)
    (entry,) = life.ingest(Message(body, f"test:{place}", arrival))
    return entry.outcome


@few
@given(st.lists(TIMED, max_size=5), st.booleans())
def test_no_time_silences_what_comes_later(timed: list[Timed], is_from_hub: bool) -> None:
    """A message's own time, the hub's or this machine's: what is impossible counts for nothing.

    Once the clock is right the signal stands, is over, and stands again, each a little later.
    """
    with a_life(a_rulebook()) as life:
        for place, one in enumerate(timed):
            outcome_of(life, place, one)
        row = life.row()
        is_over = row is not None and not row.state.resolved
        for step in range(3):
            now = NOW + timedelta(minutes=step)
            outcome = outcome_of(life, len(timed) + step, Timed(is_over, now, is_from_hub, now, now))
            assert outcome == ("resolved" if is_over else "routed")
            is_over = not is_over


@pytest.mark.parametrize("book", [a_rulebook(), a_grouping_book()], ids=["alone", "grouped"])
def test_what_several_workers_take_in_at_once_is_decided_once_each(
    database: str, postgres_store: Store, book: Rulebook
) -> None:
    """Four, each with a connection of its own, whose batches overlap: new signals, changes and ends, in any order, and as an
    alert or an incident of the same id."""
    statuses = ["New", "InProgress", "Resolved"]
    messages = [a_message(b"?", origin="hub/0", place=100 + n) for n in range(5)]
    for n in range(30):
        at, status, is_incident = NOW + n * MINUTE, statuses[n // 10], n // 10 == 1
        body = alert_body(f"a-{n % 10}", Status=status, ProcessingEndTime=at.isoformat(), IsIncident=is_incident)
        messages.append(a_message(body, origin=f"hub/{n % 4}", place=n, at=at))
    shuffled = Random(7)  # noqa: S311  It keeps no secret.

    async def work() -> None:
        store = open_store(database)
        for _ in range(3):
            await Intake(store, {Stream.CWPP: book}, Catalogue()).ingest(shuffled.sample(messages, 15), NOW)
        await store.close()

    async def raced() -> None:
        await asyncio.gather(*(work() for _ in range(4)))
        await Intake(postgres_store, {Stream.CWPP: book}, Catalogue()).ingest(messages, NOW)

    run(raced())
    assert run(within(postgres_store, _count_twice)) == (35, 35)
    kinds = ("alert", "incident")
    rows = find_rows(postgres_store, [signal_key("cwpp", kind, f"a-{n}") for n in range(10) for kind in kinds])
    assert [row.state.resolved for row in rows.values()] == [True] * 10
    for row in rows.values():
        entries = run(within(postgres_store, find_decisions, row.key, 100))
        turns = sorted(entry.turn for entry in entries if entry.turn is not None)
        assert turns == list(range(1, row.turn + 1))
        assert len({message_of(entry.key) for entry in entries}) == 3


async def _count_twice(tx: Transaction) -> tuple[int, int]:
    """How many messages are on record, and how many of the decisions were not counted, or twice."""
    decided = await tx.value("SELECT count(*) FROM decisions")
    counted = await tx.value("SELECT sum(count) FROM counts")
    messages = await tx.value("SELECT count(*) FROM decisions WHERE message IS NULL")
    return messages, messages + decided - int(counted)
