"""What messages say of sources is kept, and who is silent is told once, whoever takes in, looks or dies; in every store."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from copy import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.coverage.documents import read_document
from router.coverage.expected.manifest import CoverageManifest
from router.coverage.expected.silence import look_at
from router.coverage.facts import RecommendationFact
from router.coverage.readers import facts_in
from router.domain.catalogue import Catalogue
from router.domain.coverage_sources import LastHeard
from router.domain.documents import DocumentKind, StoredDocument
from router.domain.errors import StoreError
from router.domain.hubs import Arrival, HubEpoch, Loss, Partition, Span
from router.domain.keys import signal_key
from router.domain.notices import RecordEntry
from router.domain.recommendations import EDR_INSTALLED as EDR
from router.domain.signals import Stream
from router.domain.silent_sources import SourceWatch, finding_id_of
from router.ingest.coverage_notes import OFTEN, OFTEN_OF_POSTURE
from router.ingest.intake import Intake, Message
from router.ingest.silent_sources import BEHIND, SilentSources, SourceReport
from router.store.decisions import find_decisions
from router.store.delivery_status import list_deliveries
from router.store.documents import document_of_watch, find_document, find_value, list_documents, put_document
from router.store.forgetting import forget
from router.store.partitions import write_losses
from router.store.retention import Retention
from router.store.sources import list_sources, write_heard
from tests.builders import NOW, RESOURCE, SUBSCRIPTION, a_message, a_rulebook, alert_body
from tests.coverage_messages import RETIRED_EDR, coverage_body
from tests.domain.silence_model import ONE, TWO, of_subscription, subscriptions
from tests.examples import some_of
from tests.store.acts import DAY, HOUR, MINUTE, SECOND, an_empty_store, ask, run
from tests.store.deadly import Deadly
from tests.store.opened import Store, changed
from tests.store.watching import watched

BOOKS = {stream: a_rulebook(stream=stream) for stream in Stream}
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
    return {one.heard.source.id: one.heard for one in ask(store, list_sources)}


def facts(store: Store) -> dict[tuple[str, str], str]:
    """The status of each assessment of each resource, as the gate reads it."""
    found: dict[tuple[str, str], str] = {}
    for document in ask(store, list_documents, DocumentKind.FACT):
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


KINDS = {
    "SELECT * FROM documents WHERE kind=? AND id": "find",
    "SELECT id, version FROM documents": "put",
    "INSERT INTO sources": "hear",
}
"""What asks storage for facts, and writes them and sources."""


def test_in_the_steady_state_nothing_is_asked_of_storage(sqlite: Store) -> None:
    """Alerts are written once an hour for each sort of watcher, recommendations once a minute, resources once a batch."""
    asked: list[tuple[str, int]] = []

    def look(sql: str, values: Sequence[Any]) -> None:
        for beginning, kind in KINDS.items():
            if sql.startswith(beginning):
                asked.append((kind, len(values if kind == "hear" else values[1])))

    intake = an_intake(watched(sqlite, look))

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
    rows = [coverage_body(key, "Healthy", resource=machine(n), isSnapshot=True) for n in range(4) for key in (EDR, "x")]
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
    ask(store, put_document, StoredDocument(kind=DocumentKind.FACT, id=RESOURCE.lower(), at=NOW, body=b"?"))
    ingest(store, a_message(alert_body(), at=NOW))
    ask(store, lambda tx: tx.execute("UPDATE sources SET posture=?", 2**62))
    assert sources(store) == {}
    intake = an_intake(store)
    for days, name in ((400, "wrong"), (0, "right")):
        run(intake.ingest(a_file(coverage_body(EDR, name.title()), name=name), NOW + days * DAY))
    assert sources(store)[HERE].posture == NOW
    (document,) = ask(store, list_documents, DocumentKind.FACT)
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
def test_in_whatever_order_the_same_is_known(events: Sequence[tuple[str, int, int]], data: st.DataObject) -> None:
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
    with an_empty_store() as store:
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


# Who is silent.


BOTH = subscriptions(ONE, TWO)


def sources_of(store: Store, manifest: CoverageManifest = BOTH) -> SilentSources:
    """What watches, as a process just begun has it."""
    book = a_rulebook(stream=Stream.CSPM)
    intake = Intake(store, {Stream.CSPM: book}, Catalogue(), Stream.CSPM)
    return SilentSources(intake, store, partial(look_at, manifest), is_expected=manifest.is_given)


async def looked(store: Store, at: datetime) -> list[str]:
    """A look of a process just begun, up to whose beginning all was taken in; the outcomes on record."""
    return outcomes(await sources_of(store).look(at, at))


def look(store: Store, at: datetime) -> list[str]:
    """The same."""
    return run(looked(store, at))


def outcomes(report: SourceReport) -> list[str]:
    """The outcomes of what a look put on record."""
    return [entry.outcome for entry in report.entries]


def live(store: Store, until: datetime, since: datetime = NOW) -> list[str]:
    """A look at the beginning and one at the end; what lies between is quiet, and the router was at work all the time."""
    found = look(store, since)
    at_work(store, until)
    return [*found, *look(store, until)]


def at_work(store: Store, until: datetime) -> None:
    """Nothing is heard until then, and the router was at work all the time."""
    document = ask(store, find_document, DocumentKind.SILENT_SOURCES, "cspm")
    assert document is not None
    watch = find_value(SourceWatch, document.body)
    assert watch is not None
    quiet = document_of_watch("cspm", replace(watch, taken=until), document.version)
    assert ask(store, put_document, quiet) is not None


def hear(store: Store, at: datetime, *subscriptions: str) -> None:
    """A row of a snapshot speaks of some subscriptions, and is Healthy."""
    heard = [LastHeard(source=of_subscription(id), posture=at, snapshot=at, healthy=at) for id in subscriptions]
    ask(store, write_heard, heard, at)


def key_of(id: str) -> str:
    """The key of the finding that a subscription is silent."""
    return signal_key("cspm", "coverage", finding_id_of(of_subscription(id)))


def owed(store: Store) -> list[list[tuple[str, int]]]:
    """What `tickets` is owed of each of both."""
    found = [ask(store, list_deliveries, key_of(id)) for id in (ONE, TWO)]
    return [[(one.change.value, one.turn) for one in some if one.destination == "tickets"] for some in found]


def test_a_source_falls_silent_speaks_again_and_falls_silent_again_whoever_looks(store: Store, twin: Store) -> None:
    """Each is a turn of one finding, with its place on record and its notice; of workers at once one tells it."""

    async def all_look(at: datetime) -> list[str]:
        looks = await asyncio.gather(*(looked(one, at) for one in (store, twin, store, twin)))
        return [outcome for some in looks for outcome in some]

    assert live(store, NOW + 8 * DAY) == []
    assert run(all_look(NOW + 8 * DAY + SECOND)) == ["routed", "routed"]
    hear(store, NOW + 9 * DAY, ONE)
    at_work(twin, NOW + 9 * DAY)
    assert run(all_look(NOW + 9 * DAY + SECOND)) == ["resolved"]
    assert live(store, NOW + 18 * DAY, NOW + 9 * DAY + HOUR) == ["routed"]
    assert owed(store) == [[("opened", 1), ("resolved", 2), ("opened", 3)], [("opened", 1)]]
    places = [one.key for one in ask(store, find_decisions, key_of(ONE), 2)]
    assert places == [f"coverage:{ONE}:export:{turn}" for turn in (3, 2)]


def test_while_something_waits_in_the_hub_nobody_is_judged(store: Store) -> None:
    """A quarter of an hour may wait, since that is what is under way; nor where it is not known what waits."""
    live(store, NOW + 8 * DAY)
    until = NOW + 8 * DAY + SECOND
    looks = ((None, until), (until, until + BEHIND + SECOND), (until, until + BEHIND))
    assert [len(run(sources_of(store).look(taken, at)).entries) for taken, at in looks] == [0, 0, 2]


def test_what_was_lost_may_have_spoken_of_everybody(store: Store) -> None:
    """Times begin anew with the last loss that was declared; one that a wrong clock dated counts for nothing."""
    epoch, lost = HubEpoch(Partition("cspm", "0"), 1), NOW + 8 * DAY
    live(store, lost)
    losses = [Loss(epoch, Span(n, n), at, "gone") for n, at in enumerate([NOW, lost, NOW + 900 * DAY])]
    ask(store, write_losses, losses)
    assert live(store, lost + 8 * DAY, lost + SECOND) == []
    assert look(store, lost + 8 * DAY + SECOND) == ["routed", "routed"]


def test_a_restored_or_damaged_state_makes_no_storm_and_its_next_turns_are_told(store: Store) -> None:
    """Times begin anew; the number of a source's next turn is after the one on record, also where its row is damaged."""

    def damage(id: str) -> None:
        assert run(changed(store, "UPDATE sources SET turn=-1 WHERE subject=?", id)) == 1

    assert live(store, NOW + 9 * DAY) == ["routed", "routed"]
    assert run(changed(store, "DELETE FROM documents WHERE kind=?", DocumentKind.SILENT_SOURCES.value)) == 1
    damage(TWO)
    assert live(store, NOW + 17 * DAY, NOW + 9 * DAY + HOUR) == []
    hear(store, NOW + 17 * DAY + SECOND, ONE, TWO)
    assert look(store, NOW + 17 * DAY + HOUR) == ["resolved"]
    damage(ONE)
    assert live(store, NOW + 26 * DAY, NOW + 17 * DAY + 2 * HOUR) == ["routed", "repeat"]
    hear(store, NOW + 26 * DAY, TWO)
    assert look(store, NOW + 26 * DAY + HOUR) == ["resolved"]
    assert owed(store) == [[("opened", 1), ("resolved", 2), ("opened", 3)], [("opened", 1), ("resolved", 2)]]


@pytest.mark.usefixtures("either")
def test_a_look_that_dies_anywhere_tells_each_source_once(store: Store) -> None:
    """At whichever statement, before or after it is done: the next look goes on."""
    at = NOW + 8 * DAY
    live(store, at)
    for is_done in (False, True):
        for step in count(1):
            at += SECOND
            failing = Deadly(store, step, is_done=is_done)
            with suppress(StoreError):
                look(failing, at)
            if not failing.died:
                break
    look(store, at + SECOND)
    assert owed(store) == [[("opened", 1)]] * 2


@pytest.mark.parametrize("table", ["signals", "decisions", "sources"])
def test_a_fault_of_ours_in_one_source_keeps_no_other_from_being_told(store: Store, table: str) -> None:
    """It is named in the sweep's log, once while it lasts, and told as soon as it can be."""
    at_fault = ONE if table == "sources" else key_of(ONE)

    def fail(sql: str, rows: Sequence[object]) -> None:
        if f"INSERT INTO {table} (" in sql and any(at_fault in str(row) for row in rows):
            raise ZeroDivisionError

    live(store, NOW + 8 * DAY)
    sick, found = sources_of(watched(store, fail)), list[object]()
    for minutes in (1, 5, 12):
        report = run(sick.look(at := NOW + 8 * DAY + minutes * MINUTE, at))
        found.append((outcomes(report), [*report.warnings]))
    line = f"subscription:{ONE}: cannot be told of, ZeroDivisionError"
    assert found == [(["routed"], [line]), ([], []), ([], [])]
    assert look(store, at + SECOND) == ["routed"]
    assert owed(store) == [[("opened", 1)]] * 2


def test_what_is_told_of_is_known_for_as_long_as_it_is_silent(store: Store) -> None:
    """Else what speaks again after years would never be said to."""
    assert live(store, NOW + 9 * DAY) == ["routed", "routed"]
    while not run(forget(store, NOW + 500 * DAY, Retention(), 100)).is_done:
        pass
    assert look(store, NOW + 500 * DAY) == []
    hear(store, NOW + 500 * DAY, ONE)
    assert look(store, NOW + 500 * DAY + HOUR) == ["resolved"]
