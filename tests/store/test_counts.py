"""What every store counts, decisions and hits of rules: each once, whatever comes again, whoever works beside or dies of it."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.domain.catalogue import Catalogue
from router.domain.counts import Cell, RuleHits, cell_of, counted
from router.domain.errors import StoreError
from router.domain.hubs import message_of
from router.domain.notices import RecordEntry
from router.domain.rulebook import Rulebook
from router.domain.signals import Stream
from router.domain.silences import shadow_name, silence_name
from router.domain.suppression import Suppressions
from router.ingest.intake import Intake, Message, release_held
from router.store.decisions import put_on_record
from router.store.documents import document_of_silence, put_document
from router.store.forgetting import forget
from router.store.retention import Retention
from router.store.rules import note_rules, read_hits
from tests.builders import NOW, a_message, a_rule, a_rulebook, alert_body, an_element, an_ip, without_rules
from tests.silences import a_silence
from tests.store.acts import decisions_between, read_counts, run
from tests.store.builders import an_entry, noise
from tests.store.deadly import Deadly
from tests.store.life import Life
from tests.store.opened import Store, is_shared
from tests.store.within import within

pytestmark = pytest.mark.usefixtures("either")

HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
FAR_AHEAD = NOW + timedelta(days=400)


def hour_of(at: datetime) -> datetime:
    """The hour in which an instant lies."""
    return at.replace(minute=0, second=0, microsecond=0)


def counts_of(store: Store) -> dict[datetime, Counter[Cell]]:
    """All that a store counted."""
    found = run(within(store, read_counts, NOW - timedelta(days=400), FAR_AHEAD))
    return {hour: Counter(cells) for hour, cells in found.items()}


def test_a_decision_is_counted_by_all_that_people_ask_for(store: Store) -> None:
    """Stream, outcome, severity, plan, type, rule, tactics and destinations, under the hour in which it was made."""
    intake = Intake(store, {Stream.CWPP: a_book()}, Catalogue())
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


HOUR = timedelta(hours=1)
RULE, SILENCE, SHADOW = "10.20.0.5", "10.20.0.6", "10.20.0.7"
SILENCED = ((an_element("entities.ip.address", SILENCE),),)
ADDRESSES = (RULE, SILENCE, SHADOW, "192.0.2.1")
_ORIGINS = itertools.count()


def a_book(*, ends: datetime = NOW + 3 * HOUR, hash: str = "one") -> Rulebook:
    """A rule for one address, and two shadow rules: for that address too, and for another one."""
    shadows = [a_rule("wide", ip=[RULE, SHADOW]), a_rule("narrow", ip=[SHADOW])]
    return replace(a_rulebook(a_rule(expires=ends), hash=hash), shadows=Suppressions.from_rules(shadows))


def names_in(book: Rulebook) -> set[str]:
    """The names on record of the rules and shadow rules of a rulebook."""
    return {*book.suppressions.by_name, *map(shadow_name, book.shadows.by_name)}


def test_hits_stay_as_long_as_what_made_them_is_there(store: Store) -> None:
    """Of a rule or shadow rule until 400 days after the last where it is gone; of a silence while the state knows that."""
    lasting = a_silence("ab", groups=SILENCED, lasts=timedelta(days=90))
    run(within(store, put_document, document_of_silence(lasting)))
    life = Life(store, a_book())
    for address in (RULE, SILENCE, SHADOW):
        life.alert(address, Entities=[an_ip(address)])
    bare = replace(life.book, shadows=Suppressions.from_rules(()))
    rule, silence, shadows = {"scanner"}, {"silence:ab"}, {"shadow:narrow", "shadow:wide"}
    for days, book, names in (
        (401, life.book, rule | silence | shadows),
        (401, bare, rule | silence),
        (489, bare, rule | silence),
        (491, bare, rule),
        (491, without_rules(bare), set()),
    ):
        run(within(store, note_rules, "cwpp", names_in(book), NOW))
        life.now = NOW + timedelta(days=days)
        for _ in range(2):  # A silence's document goes after what it held was looked at.
            life.forget()
        assert run(within(store, read_hits, "cwpp")).keys() == names


@dataclass(frozen=True)
class Step:
    """What happens, so many hours from the beginning, and whether both workers then decide again what is held."""

    hour: int
    workers: Sequence[tuple[Sequence[int], int, bool]]
    """The messages that each of two takes in, side by side, its last write, and whether that is done."""
    releases: bool


WORKER = st.tuples(st.lists(st.integers(0, 8), max_size=5), st.integers(1, 30), st.booleans())
STEPS = st.builds(
    Step, hour=st.integers(0, 4), workers=st.lists(WORKER, min_size=1, max_size=2), releases=st.booleans()
)
SAID: Sequence[dict[str, object]] = ({}, {"Severity": "Medium"}, {"Status": "Resolved"}, {"Severity": "Low"})


def some_messages() -> list[Message]:
    """Eight messages about four signals, one for each address, from an origin of their own, and one that is not understood."""
    origin = f"hub/{next(_ORIGINS)}"
    bodies = [
        alert_body(f"{origin}-{n % 4}", **SAID[n // 4 * n % 4], Entities=[an_ip(ADDRESSES[n % 4])]) for n in range(8)
    ]
    return [a_message(body, origin=origin, place=place) for place, body in enumerate([*bodies, b"?"], 1)]


def hits_of(entries: Sequence[RecordEntry]) -> dict[str, RuleHits]:
    """The hits that decisions on record make, read off them one by one."""
    hits: dict[str, RuleHits] = {}
    for entry in entries:
        if "ledger.still_held" in entry.steps:
            continue
        at = datetime.fromisoformat(entry.at)
        for name in [*map(shadow_name, entry.shadowed_by), *filter(None, [entry.suppressed_by])]:
            one = hits.get(name)
            hits[name] = RuleHits(one.total + 1, min(one.first, at), max(one.last, at)) if one else RuleHits(1, at, at)
    return hits


@pytest.mark.parametrize("examples", [3, pytest.param(100, marks=pytest.mark.soak)])
def test_counts_and_hits_are_those_of_what_was_decided_and_hits_outlive_it(
    store: Store, twin: Store, examples: int
) -> None:
    """Two workers, each dying at any write, everything redelivered, rules that change and end; then the record is forgotten."""

    @settings(max_examples=examples if is_shared(store) else examples * 10, deadline=None)
    @given(st.lists(STEPS, max_size=6))
    def whatever_happens(history: list[Step]) -> None:
        _counts_once(store, twin, sorted(history, key=lambda step: step.hour))

    whatever_happens()
    # Longer than any decision stays, and not so long that hits of a silence go.
    book, long_after = a_book(), NOW + timedelta(days=300)
    run(within(store, note_rules, "cwpp", names_in(book), NOW))
    before = run(within(store, read_hits, "cwpp"))
    while not run(forget(store, long_after, Retention(), 100_000)).is_done:
        pass
    assert on_record(store) == []
    assert run(within(store, read_hits, "cwpp")) == run(within(twin, read_hits, "cwpp")) == before
    assert {"scanner", silence_name("ab"), shadow_name("wide"), shadow_name("narrow")} <= before.keys()


def on_record(store: Store) -> Sequence[RecordEntry]:
    """Everything that is on record, and was decided in the hours of these tests."""
    return run(within(store, decisions_between, NOW, NOW + 6 * HOUR, 100_000))


def _counts_once(store: Store, twin: Store, history: Sequence[Step]) -> None:
    messages, hashes, stores = some_messages(), itertools.count(), (store, twin)

    async def take(worker: Store, some: Iterable[int], at: datetime) -> None:
        with suppress(StoreError):
            intake = Intake(worker, {Stream.CWPP: a_book()}, Catalogue())
            await intake.ingest([messages[place] for place in some], at)

    async def release(worker: Store, hash: str, at: datetime) -> None:
        book = a_book(hash=hash)
        await release_held(Intake(worker, {Stream.CWPP: book}, Catalogue()), worker, book, at)

    async def live() -> None:
        await within(store, put_document, document_of_silence(a_silence("ab", groups=SILENCED)))
        for step in history:
            at = NOW + step.hour * HOUR
            workers = zip(stores, step.workers, strict=False)
            await asyncio.gather(
                *(take(Deadly(one, dies, is_done), some, at) for one, (some, dies, is_done) in workers)
            )
            if step.releases:
                hash = f"changed-{next(hashes)}"
                await asyncio.gather(*(release(one, hash, at) for one in stores))
        for at in (NOW, NOW + 5 * HOUR):
            await take(store, range(9), at)
        await release(twin, "last", NOW + 5 * HOUR)

    run(live())
    entries = on_record(store)
    ours = {message_of(entry.key) for entry in entries if entry.key.startswith(messages[0].arrival.origin + ":")}
    assert ours == {message.arrival.key for message in messages}
    assert len({entry.key for entry in entries}) == len(entries)
    assert counts_of(store) == counts_of(twin) == counted(entries)
    assert run(within(store, read_hits, "cwpp")) == run(within(twin, read_hits, "cwpp")) == hits_of(entries)
