"""One signal has one key, however its id is written and whether or not Defender calls it an incident by now."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.domain.catalogue import Catalogue
from router.domain.deliveries import DeliveryState, Settlement
from router.domain.keys import signal_key
from router.domain.rulebook import Clause, Lane
from router.domain.signals import Kind, Stream
from router.ingest.intake import Intake, Message
from router.store.claims import Recipient, settle_claims
from tests.builders import NOW, a_message, a_route, a_rulebook, alert_body
from tests.examples import some_of
from tests.store.acts import run
from tests.store.opened import Store
from tests.store.within import claim_in, within

BOOK = a_rulebook(always=())
POSTURE = a_rulebook(always=(), stream=Stream.CSPM)
MINUTE = timedelta(minutes=1)
_NUMBERS = itertools.count(1)


def ingest(store: Store, *messages: Message) -> list[str]:
    """What messages come to that are taken in together."""
    intake = Intake(store, {Stream.CWPP: BOOK, Stream.CSPM: POSTURE}, Catalogue())
    return [entry.outcome for entry in run(intake.ingest(messages, NOW))]


def delivered(store: Store, stream: str = "cwpp") -> list[tuple[str, str]]:
    """The key and the change of every delivery that `tickets` gets, in order, each acknowledged."""
    found: list[tuple[str, str]] = []
    while claims := run(claim_in(store, Recipient(stream, Lane.TICKET, "tickets"), NOW, NOW + MINUTE, 10)):
        done = [Settlement(claim=one, state=DeliveryState.SENT, at=NOW) for one in claims]
        run(within(store, settle_claims, done))
        found += [(one.delivery.key, one.delivery.change.value) for one in claims]
    return found


def tells(store: Store, *messages: Message) -> list[tuple[str, str]]:
    """What `tickets` gets as messages are taken in, one after the other."""
    return [one for message in messages for _ in [ingest(store, message)] for one in delivered(store)]


def an_id() -> str:
    """An id of its own, in the form in which ids are compared."""
    return f"al-{next(_NUMBERS)}"


def key_of(id: str, kind: Kind = Kind.ALERT) -> str:
    return signal_key("cwpp", kind, id)


def alert(id: str, status: str = "New", **fields: object) -> Message:
    return a_message(alert_body(id, Status=status, **fields))


def test_an_id_that_was_trimmed_and_in_lower_case_keeps_its_key() -> None:
    """Vendors know signals by keys; every other spelling has the key of that one."""
    assert signal_key("cwpp", "alert", "al-1") == "d514942e2c49820379427f6300815543"
    assert {signal_key("cwpp", "alert", id) for id in ("AL-1", " al-1", "Al-1\t")} == {
        signal_key("cwpp", "alert", "al-1")
    }


def test_who_is_told_of_incidents_only_hears_of_an_alert_that_became_one(sqlite: Store) -> None:
    """The flag is a change that is decided anew: it may be for other people."""
    incidents = Clause("kind", "incident", lambda signal, _: signal.kind is Kind.INCIDENT)
    book = a_rulebook(always=(), routes=[a_route("page", "oncall", when=[incidents])])
    intake = Intake(sqlite, {Stream.CWPP: book}, Catalogue())
    id = an_id()
    run(intake.ingest([alert(id), alert(id, IsIncident=True), alert(id, IsIncident=True)], NOW))
    (claim,) = run(claim_in(sqlite, Recipient("cwpp", Lane.PAGE, "oncall"), NOW, NOW + MINUTE, 10))
    assert (claim.delivery.key, claim.delivery.change) == (key_of(id), "opened")


def test_workers_that_take_spellings_of_one_id_at_a_time_open_it_once(postgres_store: Store) -> None:
    """They meet at the row of its one key."""
    id = an_id()
    intake = Intake(postgres_store, {Stream.CWPP: BOOK}, Catalogue())

    async def at_once() -> None:
        await asyncio.gather(*(intake.ingest([alert(spell(id))], NOW) for spell in SPELLINGS for _ in range(3)))

    run(at_once())
    assert delivered(postgres_store) == [(key_of(id), "opened")]


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
    """Any spellings and flags, cut into any batches: each opening is ended once, under its key, by an end in any spelling."""
    store: Store = request.getfixturevalue(kept)

    @settings(max_examples=some_of(80) if kept == "sqlite" else 5, deadline=None)
    @given(STEPS, st.booleans())
    def holds(steps: list[tuple[object, bool, str]], at_once: bool) -> None:
        id = an_id()
        minutes = itertools.count(1)

        def message(spell: object, flag: bool, status: str) -> Message:
            at = (NOW + next(minutes) * MINUTE).isoformat()
            return alert(spell(id), status, IsIncident=flag, ProcessingEndTime=at)  # type: ignore[operator]

        said: list[tuple[str, str]] = []
        messages = [message(*step) for step in steps]
        ends = [message(spell, flag, "Resolved") for spell in SPELLINGS for flag in (False, True)]
        for batch in [messages] if at_once else [[one] for one in messages]:
            ingest(store, *batch)
            said += delivered(store)
        assert _most_open(said) <= 1, said
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
