"""Hits of rules, silences and shadow rules: each decision once, whatever comes again, and longer than it is on record."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.domain.catalogue import Catalogue
from router.domain.counts import RuleHits
from router.domain.deliveries import Claim
from router.domain.notices import RecordEntry
from router.domain.rulebook import Rulebook
from router.domain.signals import Stream
from router.domain.silences import shadow_name, silence_name
from router.domain.suppression import Suppressions
from router.ingest.intake import Intake, Message, release_held
from router.store.documents import document_of_silence, put_document
from router.store.forgetting import forget
from router.store.retention import Retention
from router.store.rules import note_rules, read_hits
from tests.builders import NOW, a_message, a_rule, a_rulebook, alert_body, an_element, an_ip, without_rules
from tests.examples import some_of
from tests.silences import a_silence
from tests.store.acts import decisions_between, run
from tests.store.life import Life
from tests.store.opened import Store, is_shared, open_store
from tests.store.within import within

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


@dataclass(frozen=True)
class Step:
    """What happens.

    Attributes:
        hour: when, in hours from the beginning.
        workers: the messages that each of two workers takes in, side by side.
        releases: whether both of them then decide again what is held, as rules changed.
    """

    hour: int
    workers: tuple[Sequence[int], Sequence[int]]
    releases: bool


STEPS = st.builds(
    Step,
    hour=st.integers(0, 4),
    workers=st.tuples(*[st.lists(st.integers(0, 7), max_size=5)] * 2),
    releases=st.booleans(),
)


def some_messages() -> list[Message]:
    """Eight messages about four signals, one for each address, from an origin of their own."""
    origin = f"hub/{next(_ORIGINS)}"
    return [
        a_message(
            alert_body(f"{origin}-{n % 4}", Severity=("High", "Medium")[n // 4], Entities=[an_ip(ADDRESSES[n % 4])]),
            origin=origin,
            place=n + 1,
        )
        for n in range(8)
    ]


def hits_of(entries: Sequence[RecordEntry]) -> dict[str, RuleHits]:
    """The hits that decisions on record make, read off them one by one."""
    hits: dict[str, RuleHits] = {}
    for entry in entries:
        if "ledger.still_held" in entry.steps:
            continue
        at = datetime.fromisoformat(entry.at)
        names = [shadow_name(name) for name in entry.shadowed_by]
        for name in [*names, *([entry.suppressed_by] if entry.suppressed_by else [])]:
            one = hits.get(name)
            hits[name] = RuleHits(one.total + 1, min(one.first, at), max(one.last, at)) if one else RuleHits(1, at, at)
    return hits


@pytest.mark.parametrize("examples", [3, pytest.param(100, marks=pytest.mark.soak)])
def test_hits_are_those_of_what_was_decided_and_outlive_it(store: Store, twin: Store, examples: int) -> None:
    """Two workers, everything redelivered, rules that change and end: then the record is forgotten, and they stay."""
    if not is_shared(store):
        examples *= 10

    @settings(max_examples=examples, deadline=None)
    @given(st.lists(STEPS, max_size=6))
    def whatever_happens(history: list[Step]) -> None:
        _counts_hits(store, twin, sorted(history, key=lambda step: step.hour))

    whatever_happens()
    # Longer than any decision stays, and not so long that hits of a silence go.
    book, long_after = a_book(), NOW + timedelta(days=300)
    run(within(store, note_rules, "cwpp", names_in(book), NOW))
    before = run(within(store, read_hits, "cwpp"))
    while not run(forget(store, long_after, Retention(), 100_000)).is_done:
        pass
    assert run(within(store, decisions_between, NOW, NOW + 10 * HOUR, 100_000)) == []
    assert run(within(store, read_hits, "cwpp")) == run(within(twin, read_hits, "cwpp")) == before
    assert {"scanner", silence_name("ab"), shadow_name("wide"), shadow_name("narrow")} <= before.keys()


def _counts_hits(store: Store, twin: Store, history: Sequence[Step]) -> None:
    messages, hashes = some_messages(), itertools.count()

    async def take(worker: Store, some: Sequence[int], at: datetime) -> None:
        await Intake(worker, {Stream.CWPP: a_book()}, Catalogue()).ingest([messages[place] for place in some], at)

    async def release(worker: Store, hash: str, at: datetime) -> None:
        book = a_book(hash=hash)
        await release_held(Intake(worker, {Stream.CWPP: book}, Catalogue()), worker, book, at)

    async def live() -> None:
        await within(store, put_document, document_of_silence(a_silence("ab", groups=SILENCED)))
        for step in history:
            at = NOW + step.hour * HOUR
            await asyncio.gather(*(take(one, some, at) for one, some in zip((store, twin), step.workers, strict=True)))
            if step.releases:
                hash = f"changed-{next(hashes)}"
                await asyncio.gather(*(release(one, hash, at) for one in (store, twin)))
        for at in (NOW, NOW + 5 * HOUR):
            await take(store, range(8), at)
        await release(twin, "last", NOW + 5 * HOUR)

    run(live())
    entries = run(within(store, decisions_between, NOW, NOW + 6 * HOUR, 100_000))
    assert run(within(store, read_hits, "cwpp")) == run(within(twin, read_hits, "cwpp")) == hits_of(entries)


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
class Event:
    """An alert that comes in, or time that goes by."""

    id: int
    address: str
    severity: str
    status: str
    hours: int


EVENTS = st.builds(
    Event,
    id=st.integers(0, 2),
    address=st.sampled_from(ADDRESSES),
    severity=st.sampled_from(["High", "Medium", "Low"]),
    status=st.sampled_from(["New", "InProgress", "Resolved"]),
    hours=st.integers(0, 2),
)


@settings(max_examples=some_of(100), deadline=None)
@given(st.lists(EVENTS, min_size=1, max_size=8), st.sets(st.sampled_from(ADDRESSES), max_size=4))
def test_no_shadow_rule_changes_what_is_decided_noticed_or_delivered(events: list[Event], addresses: set[str]) -> None:
    """Whatever comes in, ends and comes out, and whatever shadow rules cover: all but `shadowed_by` is the same."""
    bare = replace(a_book(), shadows=Suppressions.from_rules(()))
    shadows = Suppressions.from_rules(
        [a_rule(f"try-{number}", ip=[one]) for number, one in enumerate(sorted(addresses))]
    )
    alone, beside = _lived(bare, events), _lived(replace(bare, shadows=shadows), events)
    assert [replace(entry, shadowed_by=()) for entry in beside[0]] == alone[0]
    assert [one.delivery for one in beside[1]] == [one.delivery for one in alone[1]]
    assert all(not entry.shadowed_by for entry in alone[0])


def _lived(book: Rulebook, events: Sequence[Event]) -> tuple[list[RecordEntry], list[Claim]]:
    """What is on record in the end, and all that was delivered, in their order."""
    with TemporaryDirectory() as directory:
        life = Life(open_store(Path(directory)), book)
        delivered: list[Claim] = []
        try:
            for place, event in enumerate(events, 1):
                life.now += event.hours * HOUR
                fields = {"Severity": event.severity, "Status": event.status, "Entities": [an_ip(event.address)]}
                body = alert_body(f"alert-{event.id}", **fields)
                life.ingest(a_message(body, at=life.now + timedelta(seconds=place), place=place))
                life.release()
                delivered += life.deliver()
            entries = run(within(life.store, decisions_between, NOW, life.now + HOUR, 1_000))
            return list(entries), delivered
        finally:
            run(life.store.close())
