"""One signal has one key, however its id is written and whether or not Defender calls it an incident by now."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.domain.catalogue import Catalogue
from router.domain.deliveries import DeliveryState, Pointer, Settlement
from router.domain.errors import StoreError
from router.domain.keys import signal_key, written_key
from router.domain.ports.store import Store
from router.domain.rulebook import Clause, Lane, Rulebook
from router.domain.signals import Kind, Stream
from router.ingest.intake import Intake, Message
from router.ingest.messages import MessageReader
from router.ingest.observations import Observation
from router.ingest.suppression_release import release_held
from router.ingest.transitions import transition_for
from router.store.azure import AzureStore
from tests.builders import NOW, a_message, a_route, a_rule, a_rulebook, alert_body, an_ip, finding_body, without_rules
from tests.examples import some_of
from tests.store.acts import run
from tests.store.test_aggregation import Deadly

BOOK = a_rulebook(always=())
POSTURE = a_rulebook(always=(), stream=Stream.CSPM)
MINUTE = timedelta(minutes=1)
_NUMBERS = itertools.count(1)


class Before(Observation):
    """An observation by a program that took each spelling and each kind for a signal of its own."""

    @property
    def key(self) -> str:
        return written_key(self.signal.stream, self.signal.kind, self.signal.id)

    @property
    def other_keys(self) -> tuple[str, ...]:
        return ()


def ingest(store: Store, *messages: Message) -> list[str]:
    """What messages come to that are taken in together."""
    intake = Intake(store, {Stream.CWPP: BOOK, Stream.CSPM: POSTURE}, Catalogue())
    return [entry.outcome for entry in run(intake.ingest(messages, NOW))]


def took(store: Store, message: Message, book: Rulebook = BOOK) -> None:
    """Takes a message in as the program did that came before."""
    (part,) = MessageReader({Stream.CWPP: book}, Catalogue()).read_message(message)
    observation = Before(**{field.name: getattr(part, field.name) for field in fields(Observation)})
    rows = run(store.ledger.find_rows([observation.key]))
    one = transition_for(observation, list(rows.values()), book, NOW)
    if one.row is None:
        return
    versions = run(store.ledger.write_rows([one.row]))
    if one.row.pending is not None:
        run(store.outbox.put_in_outbox(one.row.pending.deliveries(), NOW))
    run(store.record.put_on_record([one.entry]))
    run(store.ledger.clear_pending(versions))


def delivered(store: Store, stream: str = "cwpp") -> list[tuple[str, str]]:
    """The key and the change of every delivery that `tickets` gets, in order, each acknowledged."""
    found: list[tuple[str, str]] = []
    while claims := run(store.outbox.claim(Pointer(stream, Lane.TICKET, "tickets"), NOW, NOW + MINUTE, 10)):
        done = [Settlement(delivery=one.delivery, claim=one.id, state=DeliveryState.SENT, at=NOW) for one in claims]
        run(store.outbox.settle(done))
        found += [(one.delivery.key, one.delivery.change.value) for one in claims]
    return found


def tells(store: Store, *messages: Message) -> list[tuple[str, str]]:
    """What `tickets` gets as messages are taken in, one after the other."""
    return [one for message in messages for _ in [ingest(store, message)] for one in delivered(store)]


def an_id() -> str:
    """An id of its own, in the form in which ids are compared."""
    return f"al-{next(_NUMBERS)}"


def key_of(id: str, kind: Kind = Kind.ALERT) -> str:
    return written_key("cwpp", kind, id)


def alert(id: str, status: str = "New", **fields: object) -> Message:
    return a_message(alert_body(id, Status=status, **fields))


def test_an_id_that_was_trimmed_and_in_lower_case_keeps_its_key() -> None:
    """Vendors know signals by keys; every other spelling has the key of that one."""
    assert signal_key("cwpp", "alert", "al-1") == "d514942e2c49820379427f6300815543"
    assert {signal_key("cwpp", "alert", id) for id in ("AL-1", " al-1", "Al-1\t")} == {
        signal_key("cwpp", "alert", "al-1")
    }


def test_spellings_of_one_id_are_one_signal(store: Store) -> None:
    """The same state in another spelling is a repeat, a change is an update, an end ends it, in one batch or several."""
    id = an_id()
    assert ingest(store, alert(id.upper()), alert(f" {id} "), alert(id, "InProgress")) == ["routed", "repeat", "routed"]
    assert ingest(store, alert(id.title(), "Resolved"), alert(id, "Dismissed")) == ["resolved", "resolved"]
    assert tells(store, alert(id.upper())) == [(key_of(id), "opened")]
    assert tells(store, alert(f"{id}\t", "Resolved")) == [(key_of(id), "resolved")]


def test_blanks_at_the_ends_of_a_findings_id_say_nothing(store: Store) -> None:
    """Findings are compared as alerts are."""
    body = finding_body("a-1")
    assert ingest(store, a_message(body), a_message(body.replace(b'"id":"/', b'"id":" /'))) == ["routed", "repeat"]


def test_a_ticket_that_was_opened_under_an_older_key_is_resolved_under_it_once(store: Store) -> None:
    """The signal goes on under the key that its ticket has."""
    id = an_id().upper()
    took(store, alert(id))
    assert delivered(store) == [(key_of(id), "opened")]
    changes = tells(store, alert(id, "InProgress"), alert(id, "Resolved"), alert(id, "Resolved"))
    assert changes == [(key_of(id), "updated"), (key_of(id), "resolved")]


@pytest.mark.parametrize("older", [("AL-{}", "al-{}"), ("al-{}", "AL-{}")])
def test_two_tickets_of_one_signal_end_together(store: Store, older: Sequence[str]) -> None:
    """Where two spellings had opened a ticket each, an end that can name both reaches each once, and people hear one update."""
    number = next(_NUMBERS)
    ids = [one.format(number) for one in older]
    for id in ids:
        took(store, alert(id))
    delivered(store)
    changes = tells(store, alert(f"AL-{number}", "InProgress"), alert(f"AL-{number}", "Resolved"))
    assert tells(store, *(alert(id, "Resolved") for id in ids)) == []
    assert sorted(key for key, change in changes if change == "resolved") == sorted(map(key_of, ids))
    assert [change for _, change in changes].count("updated") == 1


def test_an_alert_that_is_flagged_as_an_incident_stays_the_same_ticket(store: Store) -> None:
    """It is told as an update under the key that it was opened with, nothing is opened beside it, and its end reaches it."""
    id = an_id()
    said = tells(store, alert(id))
    said += tells(store, alert(id, IsIncident=True), alert(id, IsIncident=True))
    said += tells(store, alert(id, "Resolved", IsIncident=True), alert(id, "Resolved"))
    assert said == [(key_of(id), change) for change in ("opened", "updated", "resolved")]


def test_an_incident_that_is_none_any_more_stays_the_same_ticket(store: Store) -> None:
    """The other way about."""
    id = an_id()
    said = tells(store, alert(id, IsIncident=True), alert(id), alert(id, "Resolved"))
    assert said == [(key_of(id, Kind.INCIDENT), change) for change in ("opened", "updated", "resolved")]


def test_who_is_told_of_incidents_only_hears_of_an_alert_that_became_one(sqlite: Store) -> None:
    """The flag is a change that is decided anew: it may be for other people."""
    incidents = Clause("kind", "incident", lambda signal, _: signal.kind is Kind.INCIDENT)
    book = a_rulebook(always=(), routes=[a_route("page", "oncall", when=[incidents])])
    intake = Intake(sqlite, {Stream.CWPP: book}, Catalogue())
    id = an_id()
    run(intake.ingest([alert(id), alert(id, IsIncident=True), alert(id, IsIncident=True)], NOW))
    (claim,) = run(sqlite.outbox.claim(Pointer("cwpp", Lane.PAGE, "oncall"), NOW, NOW + MINUTE, 10))
    assert (claim.delivery.key, claim.delivery.change) == (key_of(id), "opened")


def test_what_an_older_program_opened_as_an_alert_and_as_an_incident_ends_together(store: Store) -> None:
    """Two tickets that it made of one signal do not outlive it, whichever flag the end bears."""
    id = an_id()
    took(store, alert(id))
    took(store, alert(id, IsIncident=True))
    delivered(store)
    ingest(store, alert(id, "Resolved"))
    ingest(store, alert(id, "Resolved", IsIncident=True))
    assert sorted(delivered(store)) == sorted((key_of(id, kind), "resolved") for kind in (Kind.ALERT, Kind.INCIDENT))


def test_a_worker_that_dies_while_it_ends_a_signal_in_both_places_leaves_none_open(azure: AzureStore) -> None:
    """At whichever of its writes: the message comes again, and the place that was not reached is."""
    # Who dies before a write leaves what somebody leaves who died after the one before it.
    for step, is_done in [(1, False), *((step, True) for step in range(1, 9))]:
        _ends_under_both_keys(azure, step, is_done)


def _ends_under_both_keys(azure: AzureStore, step: int, is_done: bool) -> None:
    id = an_id()
    took(azure, alert(id))
    took(azure, alert(id.upper()))
    delivered(azure)
    end = alert(id.upper(), "Resolved")
    deadly = Deadly(azure, step, is_done)
    try:
        run(Intake(deadly, {Stream.CWPP: BOOK}, Catalogue()).ingest([end], NOW))
    except StoreError:
        assert deadly.died
    ingest(azure, end)
    assert sorted(delivered(azure)) == sorted((key_of(one), "resolved") for one in (id, id.upper()))


def test_workers_that_take_spellings_of_one_id_at_a_time_open_it_once(azure: AzureStore) -> None:
    """They meet at the row of its one key."""
    id = an_id()
    intake = Intake(azure, {Stream.CWPP: BOOK}, Catalogue())

    async def at_once() -> None:
        await asyncio.gather(*(intake.ingest([alert(spell(id))], NOW) for spell in SPELLINGS for _ in range(3)))

    run(at_once())
    assert delivered(azure) == [(key_of(id), "opened")]


def test_what_a_rule_held_under_two_keys_comes_out_once(store: Store) -> None:
    """Each spelling was held by itself; when the rule ends people are told of one signal, and nothing is held any more."""
    rule = a_rulebook(a_rule(), always=())
    id = an_id().upper()
    for one in (id, id.lower()):
        took(store, alert(one, Entities=[an_ip("10.20.0.5")]), rule)
    book = without_rules(rule)
    intake = Intake(store, {Stream.CWPP: book}, Catalogue())
    for _ in range(2):
        run(release_held(intake, store.ledger, book, NOW))
    assert [change for _, change in delivered(store)] == ["opened"]
    assert run(release_held(intake, store.ledger, book, NOW)) == []


SPELLINGS: list[Callable[[str], str]] = [
    str.lower,
    str.upper,
    str.title,
    lambda one: f" {one}",
    lambda one: f"{one.upper()}\n",
]
STEPS = st.lists(
    st.tuples(st.sampled_from(SPELLINGS), st.booleans(), st.sampled_from(["New", "InProgress", "Resolved"])), max_size=6
)


@pytest.mark.parametrize("kept", ["sqlite", "postgres_store"])
def test_whatever_its_history_a_signal_is_open_once_and_ends_where_it_was_opened(
    kept: str, request: pytest.FixtureRequest
) -> None:
    """Any spellings and flags, cut into any batches, the first of them taken in by the program that came before.

    What this program opens, it opens only where nothing is open that it can know of; each opening is ended once, under its key,
    by an end in the spelling that it had.
    """
    store: Store = request.getfixturevalue(kept)

    @settings(max_examples=some_of(80) if kept == "sqlite" else 5, deadline=None)
    @given(STEPS, STEPS, st.booleans())
    def holds(before: list[tuple[object, bool, str]], after: list[tuple[object, bool, str]], at_once: bool) -> None:
        id = an_id()
        minutes = itertools.count(1)

        def message(spell: object, flag: bool, status: str) -> Message:
            at = (NOW + next(minutes) * MINUTE).isoformat()
            return alert(spell(id), status, IsIncident=flag, ProcessingEndTime=at)  # type: ignore[operator]

        said: list[tuple[str, str]] = []
        for step in before:
            took(store, message(*step))
            said += delivered(store)
        messages = [message(*step) for step in after]
        ends = [message(spell, flag, "Resolved") for spell in SPELLINGS for flag in (False, True)]
        for batch in [messages] if at_once else [[one] for one in messages]:
            ingest(store, *batch)
            said += delivered(store)
        assert before or _most_open(said) <= 1, said
        ingest(store, *ends)
        said += delivered(store)
        for key in {key for key, _ in said}:
            _check([change for one, change in said if one == key])
        ingest(store, *ends, *messages)
        assert delivered(store) == []

    holds()


def _most_open(said: Sequence[tuple[str, str]]) -> int:
    """How many keys are open at most at a time."""
    open: set[str] = set()
    most = 0
    for key, change in said:
        open = open - {key} if change == "resolved" else open | {key}
        most = max(most, len(open))
    return most


def _check(changes: Sequence[str]) -> None:
    """Openings and ends take turns, updates lie between them, and the last is an end."""
    is_open = False
    for change in changes:
        assert is_open == (change != "opened"), changes
        is_open = change != "resolved"
    assert not is_open, changes
