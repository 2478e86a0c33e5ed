"""What messages say of coverage is kept before they count as taken in, whoever takes them in, on both stores."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.coverage.documents import read_document
from router.coverage.facts import RecommendationFact
from router.coverage.readers import facts_in
from router.domain.catalogue import Catalogue
from router.domain.coverage_sources import LastHeard
from router.domain.documents import DocumentKind, StoredDocument
from router.domain.errors import StoreError
from router.domain.hubs import Arrival
from router.domain.notices import RecordEntry
from router.domain.recommendations import EDR_INSTALLED as EDR
from router.domain.signals import Stream
from router.ingest.coverage_notes import OFTEN, OFTEN_OF_POSTURE
from router.ingest.intake import Intake, Message
from router.store.documents import list_documents, put_document
from router.store.sources import list_sources
from tests.builders import NOW, RESOURCE, SUBSCRIPTION, a_message, a_rulebook, alert_body
from tests.coverage_messages import RETIRED_EDR, coverage_body
from tests.examples import some_of
from tests.store.acts import DAY, run
from tests.store.deadly import Deadly
from tests.store.opened import Store, open_store
from tests.store.watching import watched
from tests.store.within import within

BOOKS = {stream: a_rulebook(stream=stream) for stream in Stream}
MINUTE = timedelta(minutes=1)
CONTAINERS = "e599a9fe-30e3-47c6-a173-8b4b6d9d3255"
WORKLOAD, HERE = f"workload:{RESOURCE.lower()}", f"subscription:{SUBSCRIPTION}"


def an_intake(store: Any) -> Intake:
    """The intake of both streams, as a process just begun has it."""
    return Intake(store, BOOKS, Catalogue())


def ingest(store: Any, *messages: Message, now: datetime = NOW) -> list[RecordEntry]:
    """Messages come to a process that was just begun."""
    return run(an_intake(store).ingest(messages, now))


def sources(store: Store) -> dict[str, LastHeard]:
    """When each source was last heard of."""
    return {one.heard.source.id: one.heard for one in run(within(store, list_sources))}


def facts(store: Store) -> dict[tuple[str, str], str]:
    """The status of each assessment of each resource, as the gate reads it."""
    found: dict[tuple[str, str], str] = {}
    for document in run(within(store, list_documents, DocumentKind.FACT)):
        for item in read_document(document.body, document.id).items:
            for fact in facts_in(item):
                if isinstance(fact, RecommendationFact):
                    assert fact.subject == document.id
                    assert found.setdefault((fact.subject, fact.recommendation), fact.code) == fact.code
    return found


def a_file(*bodies: bytes, name: str = "file", again: int = 0) -> list[Message]:
    """The messages of a file."""
    return [Message(body, f"{name}[{n}]", Arrival(name, n, again=again)) for n, body in enumerate(bodies)]


def machine(number: object) -> str:
    """One of many machines."""
    return f"{RESOURCE}-{number}"


def counted(store: Store, asked: list[tuple[str, int]]) -> Store:
    """The same store, which says how many sources are written, and facts looked up and written, each time."""
    kinds = {
        "SELECT * FROM documents WHERE kind=? AND id": "find",
        "SELECT id, version FROM documents": "put",
        "INSERT INTO sources": "hear",
    }

    def look(sql: str, values: Sequence[Any]) -> None:
        for beginning, kind in kinds.items():
            if sql.startswith(beginning):
                asked.append((kind, len(values if kind == "hear" else values[1])))

    return watched(store, look)


def test_in_the_steady_state_nothing_is_asked_of_storage(sqlite: Store) -> None:
    """Alerts are written once an hour for each sort of watcher, recommendations once a minute, resources once a batch."""
    asked: list[tuple[str, int]] = []
    intake = an_intake(counted(sqlite, asked))

    def ask(at: datetime, *bodies: bytes) -> list[tuple[str, int]]:
        asked.clear()
        run(intake.ingest([a_message(one, at=at, origin=f"{at}", place=n) for n, one in enumerate(bodies)], at))
        return [*asked]

    for minutes, expected in ((0, [("hear", 6)]), (59, []), (60, [("hear", 6)])):
        alerts = [alert_body(f"{minutes}-{n}", AzureResourceId=machine(n)) for n in range(5)]
        assert ask(NOW + minutes * MINUTE, *alerts) == expected
    at = NOW + OFTEN
    for type, written in {"VM_A": 1, "SIMULATED_A": 0, "VM_B": 0, "ARM_A": 1, "VM_C": 0, "ARM_B": 0}.items():
        assert ask(at := at + MINUTE, alert_body(type, AlertType=type)) == [("hear", 1)] * written
    assert [[one.type for one in sources(sqlite)[id].by_watcher] for id in (WORKLOAD, HERE)] == [["VM_A", "ARM_A"], []]
    for seconds, written in ((0, 1), (59, 0), (60, 1), (61, 0), (119, 0)):
        at = NOW + 2 * OFTEN + timedelta(seconds=seconds)
        assert ask(at, coverage_body("another", title="another")) == [("hear", 1)] * written
    assert sources(sqlite)[HERE].posture == NOW + 2 * OFTEN + OFTEN_OF_POSTURE
    plan = coverage_body(CONTAINERS, "Unhealthy", resource=f"/subscriptions/{SUBSCRIPTION}")
    rows = [
        coverage_body(key, "Healthy", resource=machine(n), isSnapshot=True) for n in range(4) for key in (EDR, "other")
    ]
    for seconds, heard in ((0, [("hear", 2)]), (1, [])):
        assert ask(NOW + 5 * OFTEN + timedelta(seconds=seconds), plan, *rows) == [*heard, ("find", 5), ("put", 5)]
    here = sources(sqlite)[HERE]
    assert here.snapshot == here.healthy == here.posture == NOW + 5 * OFTEN
    assert f"plan:{SUBSCRIPTION}:Containers" in sources(sqlite)
    assert facts(sqlite)[f"/subscriptions/{SUBSCRIPTION}", CONTAINERS] == "unhealthy"


def test_a_file_that_is_read_again_says_nothing_anew(sqlite: Store) -> None:
    """Its rows are on record; what was quarantined says for the first time what it says. A hub says when it got what comes."""
    rows = coverage_body(EDR, "Healthy", isSnapshot=True), alert_body()
    before = Intake(sqlite, {Stream.CWPP: BOOKS[Stream.CWPP]}, Catalogue())
    entries = run(before.ingest(a_file(*rows), NOW))
    assert [one.outcome for one in entries] == ["quarantined", "routed"]
    assert (facts(sqlite), sources(sqlite)[HERE].posture) == ({}, None)
    for minutes in (1, 3):
        ingest(sqlite, *a_file(*rows, again=1), now=NOW + minutes * MINUTE)
        assert facts(sqlite) == {(RESOURCE.lower(), EDR): "healthy"}
    known = sources(sqlite)
    assert (known[HERE].posture, known[WORKLOAD].alert) == (NOW + MINUTE, NOW)
    for days in (1, 7):
        ingest(sqlite, *a_file(*rows), *a_file(*rows, again=2), now=NOW + days * DAY)
    assert sources(sqlite) == known
    event = a_message(alert_body("hub"), at=NOW + 2 * MINUTE, origin="hub/0", place=7)
    for days in (0, 7):
        ingest(sqlite, event, now=NOW + days * DAY + 2 * MINUTE)
    assert sources(sqlite)[WORKLOAD].alert == NOW + 2 * MINUTE
    ingest(sqlite, *a_file(alert_body(), name="other"), now=NOW + 7 * DAY)
    assert sources(sqlite)[WORKLOAD].alert == NOW + 7 * DAY


@pytest.mark.usefixtures("either")
def test_a_worker_whose_batch_was_taken_back_writes_its_notes_again(store: Store) -> None:
    """They went with the batch, at whichever statement the state failed."""
    for step in count(1):
        failing = Deadly(store, step, is_done=False)
        intake, message = an_intake(failing), a_message(alert_body(f"{step}", AzureResourceId=machine(step)), at=NOW)
        with suppress(StoreError):
            run(intake.ingest([message], NOW))
        if not failing.died:
            return
        failing.died = False
        run(intake.ingest([message], NOW))
        assert f"workload:{machine(step).lower()}" in sources(store)


def test_what_is_damaged_or_was_written_by_a_wrong_clock_is_written_anew(store: Store) -> None:
    """It stops no message, also in the process that wrote it; a source's row is set aside when it is read."""
    run(within(store, put_document, StoredDocument(kind=DocumentKind.FACT, id=RESOURCE.lower(), at=NOW, body=b"?")))
    ingest(store, a_message(alert_body(), at=NOW))
    run(within(store, lambda tx: tx.execute("UPDATE sources SET posture=?", 2**62)))
    assert sources(store) == {}
    intake = an_intake(store)
    for days, name in ((400, "wrong"), (0, "right")):
        run(intake.ingest(a_file(coverage_body(EDR, name.title()), name=name), NOW + days * DAY))
    assert sources(store)[HERE].posture == NOW
    (document,) = run(within(store, list_documents, DocumentKind.FACT))
    (item,) = read_document(document.body, "state").items
    assert (item.find("status", "code"), item.body["seen"]) == ("Right", NOW.isoformat())


def test_of_workers_at_once_none_loses_what_another_writes(store: Store, twin: Store) -> None:
    """Each over the version that it read, and again where somebody was faster."""
    resources, keys = [machine(number) for number in range(6)], (EDR, RETIRED_EDR)

    def batch(number: int) -> list[Message]:
        some = resources if number else resources[::-1]
        bodies = [coverage_body(keys[number], "Healthy", resource=one) for one in some]
        return [a_message(one, at=NOW, origin=f"hub/{number}") for one in bodies]

    async def both() -> None:
        await asyncio.gather(*(an_intake(one).ingest(batch(n), NOW) for n, one in enumerate((store, twin))))

    run(both())
    assert facts(store) == {(resource.lower(), key): "healthy" for resource in resources for key in keys}
    assert sources(store).keys() == {HERE}


EVENTS = st.tuples(
    st.sampled_from(["Healthy", "Unhealthy", "Delete", "alert", "sample"]),
    st.integers(0, 2),
    st.sampled_from([0, 1, 30, 59, 60, 61, 180]),
)
"""What comes, of which resource, so many minutes after what came before."""


@settings(max_examples=some_of(60))
@given(st.lists(EVENTS, min_size=1, max_size=12), st.data())
def test_whichever_worker_takes_in_what_in_whatever_order_the_same_is_known(
    events: Sequence[tuple[str, int, int]], data: st.DataObject
) -> None:
    """Two workers, batches of any size, messages that come again: a source is known to the hour or minute, a status exactly."""
    at, messages, last, heard = NOW, [], {}, {}
    for place, (what, number, minutes) in enumerate(events):
        at += minutes * MINUTE
        resource = machine(number)
        if what in ("alert", "sample"):
            type = "SIMULATED_X" if what == "sample" else "VM_Test"
            body = alert_body(f"{place}", AlertType=type, AzureResourceId=resource)
            for name in ("alert", *(["real_alert"] if what == "alert" else [])):
                heard[f"workload:{resource.lower()}", name] = heard[HERE, name] = at
        else:
            action, status = ("Delete", "Unhealthy") if what == "Delete" else ("Write", what)
            body = coverage_body(EDR, status, resource=resource, changed=at, action=action)
            heard[HERE, "posture"] = at
            last[resource.lower(), EDR] = what.lower()
        messages.append(a_message(body, at=at, place=place + 1))
    again = data.draw(st.lists(st.sampled_from(messages), max_size=4))
    with tempfile.TemporaryDirectory() as directory:
        store = open_store(Path(directory))
        try:
            workers = [an_intake(store), an_intake(store)]
            for message in [*data.draw(st.permutations(messages)), *again]:
                run(workers[data.draw(st.integers(0, 1))].ingest([message], at))
            found = sources(store)
            assert facts(store) == {key: status for key, status in last.items() if status != "delete"}
            assert found.keys() == {source for source, _ in heard}
            for (source, name), latest in heard.items():
                known = getattr(found[source], name)
                assert known is not None
                assert timedelta() <= latest - known < (OFTEN_OF_POSTURE if name == "posture" else OFTEN)
        finally:
            run(store.close())
