"""What every store counts: each decision once, whatever is redelivered, whoever works beside, and whoever dies of it."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.domain.catalogue import Catalogue
from router.domain.counts import Cell, cell_of, counted
from router.domain.errors import StoreError
from router.domain.hubs import message_of
from router.domain.notices import RecordEntry
from router.domain.signals import Stream
from router.ingest.intake import Intake, Message
from router.store.decisions import put_on_record
from router.store.rules import hits_in, read_hits
from router.store.store import Store
from tests.builders import NOW, a_message, a_rule, a_rulebook, alert_body, an_ip
from tests.store.acts import decisions_between, read_counts, run
from tests.store.builders import an_entry, noise
from tests.store.deadly import Deadly
from tests.store.opened import is_shared
from tests.store.within import within

BOOK = a_rulebook(a_rule(expires=NOW + timedelta(days=3)))
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
LONG_AGO, FAR_AHEAD = NOW - timedelta(days=400), NOW + timedelta(days=400)
_ORIGINS = itertools.count()


def hour_of(at: datetime) -> datetime:
    """The hour in which an instant lies."""
    return at.replace(minute=0, second=0, microsecond=0)


def counts_of(store: Store) -> dict[datetime, Counter[Cell]]:
    """All that a store counted."""
    found = run(within(store, read_counts, LONG_AGO, FAR_AHEAD))
    return {hour: Counter(cells) for hour, cells in found.items()}


def on_record(store: Store) -> Sequence[RecordEntry]:
    """Everything that is on record, and was decided in the hours of these tests: a longer time asks an account for more."""
    return run(within(store, decisions_between, NOW, NOW + 5 * HOUR + timedelta(microseconds=1), 100_000))


def test_a_decision_is_counted_by_all_that_people_ask_for(store: Store) -> None:
    """Stream, outcome, severity, plan, type, rule, tactics and destinations, under the hour in which it was made."""
    intake = Intake(store, {Stream.CWPP: BOOK}, Catalogue())
    at = NOW + timedelta(minutes=59)
    (entry,) = run(intake.ingest([a_message(alert_body("a", Intent="Execution"))], at))
    cell = Cell("cwpp", "routed", "High", "", "VM_Test", "", ("TA0002",), ("sentinel", "tickets"))
    assert counts_of(store) == {hour_of(at): Counter({cell: 1})}
    run(intake.ingest([a_message(alert_body("b", Intent="Execution"))], at))
    run(intake.ingest([a_message(b"?")], at + HOUR))
    assert counts_of(store) == {
        hour_of(at): Counter({cell: 2}),
        hour_of(at + HOUR): Counter({Cell("", "quarantined", "", "", "", ""): 1}),
    }
    assert list(run(within(store, read_counts, hour_of(at), hour_of(at) + HOUR))) == [hour_of(at)]
    assert list(run(within(store, read_counts, hour_of(at) + SECOND, FAR_AHEAD))) == [hour_of(at + HOUR)]
    assert entry.outcome == "routed"


def test_a_cell_longer_than_an_index_holds_is_counted(store: Store) -> None:
    """A policy may name hundreds of destinations; what a message says is cut."""
    names = tuple(sorted(noise(40 + number).hex() for number in range(99)))
    given = {"at": NOW.isoformat(), "destinations": names, "type": "x" * 100_000}
    entries = [an_entry(f"h:{number}", **given) for number in range(2)]
    for entry in entries:
        run(within(store, put_on_record, [entry]))
    cell = cell_of(entries[0])
    assert (counts_of(store), cell.type) == ({hour_of(NOW): Counter({cell: 2})}, "x" * 200)


@dataclass(frozen=True)
class Batch:
    """Some messages that a worker takes in, and how it dies of them.

    Attributes:
        worker: which of the two it is.
        messages: which of the messages it takes in.
        dies_at: its last write.
        is_done: whether that write is done.
        hours: when that is.
    """

    worker: int
    messages: Sequence[int]
    dies_at: int
    is_done: bool
    hours: int


BATCHES = st.builds(
    Batch,
    worker=st.integers(0, 1),
    messages=st.lists(st.integers(0, 7), min_size=1, max_size=6),
    dies_at=st.integers(1, 25),
    is_done=st.booleans(),
    hours=st.integers(0, 3),
)

FIELDS: Sequence[dict[str, object]] = (
    {"Severity": "High"},
    {"Severity": "Low"},
    {"Status": "Resolved"},
    {"Entities": [an_ip("10.20.0.5")]},
)


def some_messages() -> list[Message]:
    """Eight messages about two signals, from an origin of their own, and one that nobody understands."""
    origin = f"hub/{next(_ORIGINS)}"
    bodies = [alert_body(f"{origin}-{n % 2}", **FIELDS[n % 4]) for n in range(7)]
    return [a_message(body, origin=origin, place=place) for place, body in enumerate([*bodies, b"?"], 1)]


@pytest.mark.parametrize("examples", [2, pytest.param(100, marks=pytest.mark.soak)])
def test_counts_are_those_of_what_is_on_record(store: Store, twin: Store, examples: int) -> None:
    """Two workers, side by side, in any order, each dying at any write: then everything comes once more."""
    if not is_shared(store):
        examples *= 20

    @settings(max_examples=examples, deadline=None)
    @given(st.lists(st.lists(BATCHES, min_size=1, max_size=2), max_size=5))
    def whatever_happens(history: list[list[Batch]]) -> None:
        _counts_once(store, twin, history)

    whatever_happens()


def _counts_once(store: Store, twin: Store, history: list[list[Batch]]) -> None:
    messages, stores = some_messages(), (store, twin)

    async def take(batch: Batch) -> None:
        deadly = Deadly(stores[batch.worker], batch.dies_at, batch.is_done)
        intake = Intake(deadly, {Stream.CWPP: BOOK}, Catalogue())
        try:
            await intake.ingest([messages[place] for place in batch.messages], NOW + batch.hours * HOUR)
        except StoreError:
            return

    async def live() -> None:
        for batches in history:
            await asyncio.gather(*map(take, batches))
        await Intake(store, {Stream.CWPP: BOOK}, Catalogue()).ingest(messages, NOW + 5 * HOUR)

    run(live())
    entries = on_record(store)
    ours = {message_of(entry.key) for entry in entries if entry.key.startswith(messages[0].arrival.origin + ":")}
    assert ours == {message.arrival.key for message in messages}
    assert len({entry.key for entry in entries}) == len(entries)
    assert counts_of(store) == counts_of(twin) == counted(entries)
    for stream in ("cwpp", "cspm"):
        expected = {name: hits for (of, name), hits in hits_in(entries).items() if of == stream}
        assert run(within(store, read_hits, stream)) == expected
