"""Any JSON document, however hostile, has the same outcome over both engines, and delays no other message."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from router.domain.catalogue import Catalogue
from router.domain.decisions import Outcome
from router.domain.deliveries import DeliveryState, Pointer, Settlement
from router.domain.notices import RecordEntry
from router.domain.rulebook import Lane
from router.ingest.intake import Intake, Message
from tests.builders import NOW, a_message, a_rulebook, alert_body, finding_body, without_rules
from tests.stack.postgres import Server
from tests.store.acts import LEASE, RUNNER
from tests.store.opened import Place, open_store

type Json = Any

LONG = "".join(map(chr, range(40_000, 46_000)))
"""A text that no index holds whole, and that cannot be compressed to fit."""

TEXTS = st.one_of(
    st.text(st.characters(), max_size=20),
    st.sampled_from(
        ["\0", "a\0b", "\ud800", "\udfff\ud800", "\ufeff", "\u202e", "", " ", "'", "?", "%s", "$1", "\\", LONG]
    ),
    st.sampled_from(["x", "\0", "\U0001f600", "'"]).flatmap(
        lambda text: st.integers(1, 20_000).map(lambda n: text * n)
    ),
)
NUMBERS = st.one_of(
    st.integers(-(10**40), 10**40), st.sampled_from([2**63, -(2**63) - 1, 2**64, 0, -1]), st.floats(), st.booleans()
)
LEAVES = st.one_of(st.none(), NUMBERS, TEXTS)
NESTED = st.integers(1, 300).map(lambda depth: json.loads("[" * depth + "]" * depth))
VALUES = st.one_of(
    LEAVES,
    NESTED,
    st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4)),
)


def places_in(document: Json, way: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The ways to all that a document holds."""
    parts = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for name, part in parts:
        yield (*way, name)
        yield from places_in(part, (*way, name))


def put_in(document: Json, way: tuple[str | int, ...], value: Json) -> None:
    """Puts a value in a place of a document, if it is still there."""
    *first, last = way
    try:
        for name in first:
            document = document[name]
        document[last] = value
    except (TypeError, KeyError, IndexError):
        return


@st.composite
def documents(draw: st.DrawFn) -> Json:
    """Something of a real shape in which some values are hostile; or anything."""
    if draw(st.integers(0, 9)) == 0:
        return draw(VALUES)
    document = orjson.loads(draw(st.sampled_from([alert_body(), finding_body(), alert_body(Status="Resolved")])))
    for way in draw(st.lists(st.sampled_from(list(places_in(document))), min_size=1, max_size=4)):
        put_in(document, way, draw(VALUES))
    if draw(st.booleans()):
        document[draw(TEXTS)] = draw(VALUES)
    return document


class House:
    """A store and an intake over it."""

    def __init__(self, place: Place) -> None:
        self.store = open_store(place)
        book = a_rulebook()
        self.intake = Intake(self.store, {one.stream: one for one in (book, without_rules(book))}, Catalogue())

    async def take(self, messages: list[Message]) -> Mapping[str, object]:
        """What comes of messages: on record, in quarantine, and at destinations."""
        decided = await self.intake.ingest(messages, NOW)
        return {
            "decided": [shown(entry) for entry in decided],
            "outcomes": dict(await self.store.record.find_outcomes([entry.key for entry in decided])),
            "quarantined": sorted(
                (one.source, one.quarantined.reason.code, one.quarantined.body)
                for one in await self.store.quarantine.list_quarantined()
            ),
            "told": [await self.told(destination) for destination in ("tickets", "sentinel")],
        }

    async def told(self, destination: str) -> list[object]:
        """What a destination is told, all of which it takes."""
        told: list[object] = []
        pointer = Pointer("cwpp", Lane.TICKET, destination)
        while claims := await self.store.outbox.claim(pointer, NOW, NOW + LEASE, 10):
            await self.store.outbox.settle(
                [Settlement(delivery=one.delivery, claim=one.id, state=DeliveryState.SENT, at=NOW) for one in claims]
            )
            told += [(one.delivery.key, one.delivery.turn, one.delivery.change, one.delivery.content) for one in claims]
        return sorted(told, key=lambda one: one[:2])  # type: ignore[index]


def shown(entry: RecordEntry) -> RecordEntry:
    """An entry without what the run alone gives it."""
    return replace(entry, at="")


@pytest.fixture(scope="module")
def houses(tmp_path_factory: pytest.TempPathFactory, postgres: Server) -> Iterator[tuple[House, House]]:
    """A house over each engine, for all examples."""
    one, other = House(tmp_path_factory.mktemp("one")), House(postgres.new_database())
    RUNNER.run(other.store.upgrade())
    yield one, other
    for house in (one, other):
        RUNNER.run(house.store.close())


@given(hostile=st.lists(documents(), min_size=1, max_size=3))
@example(hostile=[orjson.loads(alert_body("a\0b"))])
def test_any_document_has_the_same_outcome_over_both_engines_and_delays_no_other(
    houses: tuple[House, House], hostile: list[Json]
) -> None:
    """NUL, halves of surrogate pairs, huge numbers, long texts where ids are, deep nesting: what is beside them is routed."""
    plain = [a_message(alert_body(f"plain-{number}")) for number in range(2)]
    messages = [plain[0], *(a_message(json.dumps(one).encode()) for one in hostile), plain[1]]
    one, other = (RUNNER.run(house.take(messages)) for house in houses)
    assert one == other
    decided = one["decided"]
    assert isinstance(decided, list)
    assert one["outcomes"] == {entry.key: entry.outcome for entry in decided}
    outcomes = {entry.source.partition("[")[0]: entry.outcome for entry in decided}
    assert outcomes.keys() == {message.source for message in messages}
    assert {outcomes[message.source] for message in plain} <= {Outcome.ROUTED, Outcome.REPEAT}
