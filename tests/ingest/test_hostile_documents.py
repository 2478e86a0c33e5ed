"""Any JSON document, however hostile, has the same outcome over both engines, and delays no other message."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from copy import replace
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from router.domain.decisions import Code, Outcome
from router.domain.signals import Stream
from router.ingest.intake import Message
from router.store.decisions import AT_RESOURCE, find_outcomes, search_signals
from router.store.quarantine import list_quarantined
from tests.builders import RESOURCE, a_message, a_rulebook, alert_body, an_ip, finding_body
from tests.parse.test_properties import JSON, mutated
from tests.stack.postgres import Server
from tests.store.acts import run
from tests.store.life import Life
from tests.store.opened import open_store
from tests.store.within import within

type Json = Any

LONG = "".join(map(chr, range(40_000, 46_000)))
"""A text that no index holds whole, and that cannot be compressed to fit."""

NAMED = RESOURCE + "".join(map(chr, range(0x20_000, 0x20_320)))
"""The name of a resource that no index holds whole, and that is short enough to be one."""


DOCUMENTS = JSON | mutated(st.sampled_from([alert_body(), finding_body(), alert_body(Status="Resolved")]))
"""Something of a real shape in which some values are hostile; or anything."""


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


def come_of(life: Life, messages: list[Message]) -> Mapping[str, Any]:
    """What comes of messages: on record, in quarantine, and at destinations."""
    decided, told, found = life.ingest(*messages), [], []
    for life.book, life.other in (BOOKS, BOOKS[::-1]):
        for name in ("tickets", "sentinel"):
            claimed = [(one.delivery.key, one.delivery.turn, one.delivery) for one in life.owed(name)]
            told.append([(one.change, one.content) for *_, one in sorted(claimed)])
    for id in filter(None, (entry.id for entry in decided)):
        found += [run(within(life.store, search_signals, id, 9, None, by)) for by in ("id_end", AT_RESOURCE)]
    return {
        # Without what the run alone gives it.
        "decided": [replace(entry, at="") for entry in decided],
        "outcomes": dict(run(within(life.store, find_outcomes, [entry.key for entry in decided]))),
        "quarantined": sorted(
            (one.source, one.quarantined.reason.code, one.quarantined.body)
            for one in run(within(life.store, list_quarantined))
        ),
        "told": told,
        "found": found,
    }


BOOKS = [a_rulebook(stream=stream) for stream in Stream]


@pytest.fixture(scope="module")
def lives(tmp_path_factory: pytest.TempPathFactory, postgres: Server) -> Iterator[Sequence[Life]]:
    """A router over each engine, for all examples."""
    stores = [open_store(tmp_path_factory.mktemp("one")), open_store(postgres.new_database())]
    run(stores[1].upgrade())
    yield [Life(store, BOOKS[0], other=BOOKS[1]) for store in stores]
    for store in stores:
        run(store.close())


def shapes_of(id: str) -> list[Json]:
    """An alert, an incident and a finding, each with an id of its own."""
    entities = [an_ip("10.0.0.9")]
    return [
        orjson.loads(alert_body(f"{id}-a", Entities=entities, ExtendedProperties={"a": "b"})),
        orjson.loads(alert_body(f"{id}-i", IsIncident=True, SystemAlertIds=["a"])),
        orjson.loads(finding_body(f"{id}-f")),
    ]


@pytest.mark.parametrize(
    "value", [LONG, NAMED, "a\0b", "\ud800", 2**64, 10**400, None, []], ids=lambda one: repr(one)[1:6]
)
def test_each_place_of_a_message_may_hold_what_a_database_refuses(lives: Sequence[Life], value: Json) -> None:
    """An id that no index holds is an id like another; what comes again tells nothing anew."""
    found = []
    for number, shape in enumerate(shapes_of("")):
        for place, way in enumerate(places_in(shape)):
            document = shapes_of(f"{value!r:.9}-{place}")[number]
            own = f"{value}-{number}" if isinstance(value, str) else value + number if isinstance(value, int) else value
            put_in(document, way, own)
            found.append(json.dumps(document).encode())
    for is_again in (False, True):
        messages = [a_message(body) for body in found]
        one, other = (come_of(life, messages) for life in lives)
        assert one == other
        assert not [entry.reason for entry in one["decided"] if entry.reason.startswith(Code.INTERNAL)]
        assert any(one["told"]) is not is_again


@given(hostile=st.lists(DOCUMENTS, min_size=1, max_size=3))
@example(hostile=[orjson.loads(alert_body("a\0b"))])
def test_any_document_has_the_same_outcome_over_both_engines_and_delays_no_other(
    lives: Sequence[Life], hostile: list[Json]
) -> None:
    """NUL, halves of surrogate pairs, huge numbers, long texts where ids are, deep nesting: what is beside them is routed."""
    plain = [a_message(alert_body(f"plain-{number}")) for number in range(2)]
    messages = [plain[0], *(a_message(json.dumps(one).encode()) for one in hostile), plain[1]]
    one, other = (come_of(life, messages) for life in lives)
    assert one == other
    assert one["outcomes"] == {entry.key: entry.outcome for entry in one["decided"]}
    outcomes = {entry.source.partition("[")[0]: entry.outcome for entry in one["decided"]}
    assert outcomes.keys() == {message.source for message in messages}
    assert {outcomes[message.source] for message in plain} <= {Outcome.ROUTED, Outcome.REPEAT}
