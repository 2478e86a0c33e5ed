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

from hypothesis import given, settings
from hypothesis import strategies as st

from router.coverage.documents import read_document
from router.coverage.facts import RecommendationFact
from router.coverage.readers.assessments import facts_in
from router.domain.catalogue import Catalogue
from router.domain.coverage_sources import LastHeard
from router.domain.documents import DocumentKind, StoredDocument
from router.domain.errors import StoreError
from router.domain.ledger import Arrival
from router.domain.notices import RecordEntry
from router.domain.recommendation_table import EDR_INSTALLED as EDR
from router.domain.retention import Retention
from router.domain.signals import Stream
from router.ingest.coverage_notes import OFTEN, OFTEN_OF_POSTURE
from router.ingest.intake import Intake, Message
from router.store.documents import list_documents, put_document
from router.store.quarantine import list_quarantined
from router.store.sources import list_sources
from tests.builders import NOW, RESOURCE, SUBSCRIPTION, a_message, a_rulebook, alert_body
from tests.coverage_messages import RETIRED_EDR, coverage_body
from tests.examples import some_of
from tests.store.acts import run
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


def a_file(*bodies: bytes, name: str = "file") -> list[Message]:
    """The messages of a file."""
    return [Message(body, f"{name}[{place}]", Arrival(name, place)) for place, body in enumerate(bodies)]


def machine(number: int) -> str:
    """One of many machines."""
    return f"{RESOURCE}-{number}"


class Counting:
    """How many sources are written, and facts looked up and written, each time; to write poison is a fault of ours."""

    def __init__(self, store: Store) -> None:
        self.store = watched(store, self._look)
        self.asked: list[tuple[str, int]] = []
        self.poison = ""

    def _look(self, sql: str, values: Sequence[Any]) -> None:
        if sql.startswith("SELECT * FROM documents WHERE kind=? AND id"):
            self.asked.append((f"find {values[0]}", len(values[1])))
        elif sql.startswith("SELECT id, version FROM documents"):
            self.asked.append((f"put {values[0]}", len(values[1])))
        elif "sources" in sql:
            self.asked.append(("put source", len(values)))
            if any(self.poison and self.poison in row[1] for row in values):
                raise ZeroDivisionError


def test_messages_are_heard_of_and_what_they_say_of_sensors_is_kept(store: Store) -> None:
    """Of a batch, together, with when its messages came."""
    plan = coverage_body(CONTAINERS, "Unhealthy", resource=f"/subscriptions/{SUBSCRIPTION}")
    ingest(
        store,
        a_message(alert_body(AlertType="SIMULATED_VM_Test"), at=NOW - MINUTE),
        a_message(coverage_body(EDR, "Healthy", isSnapshot=True), at=NOW - 3 * MINUTE),
        a_message(plan, at=NOW - 2 * MINUTE),
    )
    found = sources(store)
    assert found.keys() == {WORKLOAD, HERE, f"plan:{SUBSCRIPTION}:Containers"}
    here = found[HERE]
    assert (here.alert, here.real_alert, here.posture) == (NOW - MINUTE, None, NOW - 2 * MINUTE)
    assert here.snapshot == here.healthy == NOW - 3 * MINUTE
    assert facts(store) == {
        (RESOURCE.lower(), EDR): "healthy",
        (f"/subscriptions/{SUBSCRIPTION}", CONTAINERS): "unhealthy",
    }


def test_in_the_steady_state_nothing_is_asked_of_storage(sqlite: Store) -> None:
    """The same resources within the hour; after it, once for all of them."""
    counting = Counting(sqlite)
    intake = an_intake(counting.store)
    for at in (NOW, NOW + OFTEN - MINUTE, NOW + OFTEN):
        alerts = [a_message(alert_body(f"{at}-{one}", AzureResourceId=machine(one)), at=at) for one in range(5)]
        run(intake.ingest(alerts, at))
    assert counting.asked == [("put source", 6)] * 2
    assert {one.alert for one in sources(sqlite).values()} == {NOW + OFTEN}


def test_an_alert_of_another_watcher_is_written_once_an_hour_for_each(sqlite: Store) -> None:
    """What raised the last alerts is known to the hour; the subscription's have no watcher, and a sample counts for none."""
    counting = Counting(sqlite)
    intake = an_intake(counting.store)
    types = ["VM_A", "SIMULATED_A", "VM_B", "ARM_A", "VM_A", "ARM_B", "SIMULATED_B", "VM_B"]
    for minute, type in enumerate(types):
        at = NOW + minute * MINUTE
        run(intake.ingest([a_message(alert_body(f"{minute}", AlertType=type), at=at)], at))
    assert counting.asked == [("put source", 2), ("put source", 1)]
    assert [one.type for one in sources(sqlite)[WORKLOAD].by_watcher] == ["VM_A", "ARM_A"]
    assert sources(sqlite)[HERE].by_watcher == ()


def test_recommendations_are_heard_of_to_the_minute(sqlite: Store) -> None:
    """From then on silence counts: a source that may be silent for 8 days is told after no less. Within it nothing is asked."""
    counting = Counting(sqlite)
    intake = an_intake(counting.store)
    for seconds in (0, 59, 60, 61, 119):
        at = NOW + timedelta(seconds=seconds)
        run(intake.ingest([a_message(coverage_body("another", title="another"), at=at)], at))
    assert counting.asked == [("put source", 1)] * 2
    assert sources(sqlite)[HERE].posture == NOW + OFTEN_OF_POSTURE


def test_a_snapshot_is_heard_of_once_and_each_resource_is_written_once_a_batch(sqlite: Store) -> None:
    """However many rows there are."""
    counting = Counting(sqlite)
    intake = an_intake(counting.store)
    for _ in range(2):
        rows = [
            a_message(coverage_body(key, "Healthy", title=key, resource=machine(one), isSnapshot=True), at=NOW)
            for one in range(4)
            for key in (EDR, "another")
        ]
        run(intake.ingest(rows, NOW))
    first = [("put source", 1), ("find fact", 4), ("put fact", 4)]
    assert counting.asked == [*first, ("find fact", 4), ("put fact", 4)]


def test_a_file_that_is_read_again_says_nothing_anew(sqlite: Store) -> None:
    """Its rows are on record. What a hub brings again says when the hub got it."""
    rows = a_file(coverage_body(EDR, "Healthy", isSnapshot=True), alert_body())
    ingest(sqlite, *rows, now=NOW)
    before = sources(sqlite)
    assert {one.last for one in before.values()} == {NOW}
    for days in (1, 7):
        ingest(sqlite, *rows, now=NOW + timedelta(days=days))
    again = [Message(one.body, one.source, Arrival("file", one.arrival.place, again=2)) for one in rows]
    ingest(sqlite, *again, now=NOW + timedelta(days=7))
    assert sources(sqlite) == before
    event = a_message(alert_body("hub"), at=NOW + MINUTE, origin="hub/0", place=7)
    for days in (0, 7):
        ingest(sqlite, event, now=NOW + timedelta(days=days, minutes=1))
    assert {one.alert for one in sources(sqlite).values()} <= {NOW, NOW + MINUTE}
    ingest(sqlite, *a_file(alert_body(), name="other"), now=NOW + timedelta(days=7))
    assert sources(sqlite)[WORKLOAD].alert == NOW + timedelta(days=7)


def test_what_was_quarantined_is_kept_when_it_is_read_again(sqlite: Store) -> None:
    """From a file, too: it says for the first time what it says."""
    (message,) = a_file(coverage_body(EDR, "Unhealthy"))
    before = Intake(sqlite, {Stream.CWPP: BOOKS[Stream.CWPP]}, Catalogue())
    (entry,) = run(before.ingest([message], NOW))
    assert (entry.outcome, facts(sqlite)) == ("quarantined", {})
    again = Message(message.body, message.source, Arrival("file", message.arrival.place, again=1))
    ingest(sqlite, again, now=NOW + MINUTE)
    assert facts(sqlite) == {(RESOURCE.lower(), EDR): "unhealthy"}
    assert sources(sqlite)[HERE].posture == NOW + MINUTE
    ingest(sqlite, again, now=NOW + 3 * MINUTE)
    assert sources(sqlite)[HERE].posture == NOW + MINUTE


def test_a_worker_whose_batch_was_taken_back_writes_its_notes_again(store: Store) -> None:
    """They went with the batch, at whichever statement the state failed."""
    for step in count(1):
        failing = Deadly(store, step, is_done=False)
        intake, message = an_intake(failing), a_message(alert_body(f"{step}", AzureResourceId=machine(step)), at=NOW)
        with suppress(StoreError):
            run(intake.ingest([message], NOW))
        if not failing.died:
            return
        failing.revive()
        run(intake.ingest([message], NOW))
        assert f"workload:{machine(step).lower()}" in sources(store)


def test_a_fault_of_ours_in_a_note_costs_no_message_beside_it(sqlite: Store) -> None:
    """The message at fault lies in the quarantine, whole; its neighbours are routed, and heard of."""
    counting = Counting(sqlite)
    counting.poison = machine(1).lower()
    alerts = [a_message(alert_body(f"a-{one}", AzureResourceId=machine(one)), at=NOW) for one in range(3)]
    entries = ingest(counting.store, *alerts)
    assert [entry.outcome for entry in entries] == ["routed", "quarantined", "routed"]
    assert [one.quarantined.body for one in run(within(sqlite, list_quarantined))] == [alerts[1].body]
    assert sources(sqlite).keys() == {HERE, f"workload:{machine(0).lower()}", f"workload:{machine(2).lower()}"}


def test_what_is_damaged_is_written_anew(sqlite: Store) -> None:
    """It stops no message; a source's row is set aside when it is read."""
    run(within(sqlite, put_document, StoredDocument(kind=DocumentKind.FACT, id=RESOURCE.lower(), at=NOW, body=b"?")))
    ingest(sqlite, a_message(alert_body(), at=NOW))
    run(within(sqlite, lambda tx: tx.execute("UPDATE sources SET posture=?", 2**62)))
    assert sources(sqlite) == {}
    ingest(sqlite, a_message(coverage_body(EDR, "Healthy"), at=NOW))
    assert sources(sqlite)[HERE].posture == NOW
    assert facts(sqlite) == {(RESOURCE.lower(), EDR): "healthy"}


def test_of_workers_at_once_none_loses_what_another_writes(store: Store, twin: Store) -> None:
    """Each over the version that it read, and again where somebody was faster."""
    resources = [machine(number) for number in range(6)]
    keys = (EDR, RETIRED_EDR)

    async def both() -> None:
        batches = [
            an_intake(one).ingest(
                [
                    a_message(coverage_body(key, "Healthy", resource=resource), at=NOW, origin=f"hub/{number}")
                    for resource in (resources if number else resources[::-1])
                ],
                NOW,
            )
            for number, (one, key) in enumerate(zip((store, twin), keys, strict=True))
        ]
        await asyncio.gather(*batches)

    run(both())
    assert facts(store) == {(resource.lower(), key): "healthy" for resource in resources for key in keys}
    assert sources(store).keys() == {HERE}


def test_a_clock_that_was_wrong_for_a_minute_hides_no_source(sqlite: Store) -> None:
    """What it wrote counts for nothing once it is right, also for the process that wrote it."""
    intake = an_intake(sqlite)
    for days, name in ((400, "wrong"), (0, "right")):
        run(intake.ingest(a_file(coverage_body(EDR, name.title()), name=name), NOW + timedelta(days=days)))
    assert sources(sqlite)[HERE].posture == NOW
    (document,) = run(within(sqlite, list_documents, DocumentKind.FACT))
    (item,) = read_document(document.body, "state").items
    assert (item.find("status", "code"), item.body["seen"]) == ("Right", NOW.isoformat())


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
            heard[f"workload:{resource.lower()}", "alert"] = heard[HERE, "alert"] = at
            if what == "alert":
                heard[f"workload:{resource.lower()}", "real_alert"] = heard[HERE, "real_alert"] = at
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


def test_a_source_is_known_for_400_days_after_it_was_last_heard_of(store: Store) -> None:
    """Longer than any may be silent."""
    for number, at in ((3, NOW), (7, NOW + OFTEN)):
        ingest(store, a_message(alert_body(f"{number}", AzureResourceId=machine(number)), at=at), now=at)

    def known(at: datetime) -> set[str]:
        while not run(store.forget(at, Retention(), (), 100)).is_done:
            pass
        return set(sources(store))

    both = {HERE, *(f"workload:{machine(number).lower()}" for number in (3, 7))}
    assert known(NOW + timedelta(days=400) - MINUTE) == both
    assert known(NOW + timedelta(days=400)) == both - {f"workload:{machine(3).lower()}"}
