"""What people do is on record: one change for each thing, kept with what it records or not at all, on both engines."""

from collections.abc import Awaitable, Callable, Sequence
from copy import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.app.destination_states import KnownDestination, hold, preview_hold, release
from router.app.repairs import (
    RetakeResult,
    discard_letters,
    discard_messages,
    preview_redrive,
    preview_retake,
    record_shown,
    redrive_letters,
    retake_messages,
)
from router.app.rules import Rules
from router.app.silences import SilenceOver, add_silence, end_silence, extend_silence, stored_silences
from router.app.silencing import WantedSilence, draft_silence, make_silence
from router.domain.deliveries import Pause
from router.domain.errors import BadField, StoreError
from router.domain.rulebook import Lane
from router.domain.signals import Stream
from router.rulebook.lints import KnownTypes
from router.store.changes import ChangeAction, ChangeEntry, find_changes, list_changes, write_change
from router.store.dead_letters import list_dead_letters
from router.store.destinations import pause_destination
from router.store.documents import document_of_hold, document_of_silence, put_document
from router.store.quarantine import list_quarantined, put_in_quarantine
from router.store.store import Store
from tests.builders import NOW, a_rulebook, alert_body
from tests.silences import HOUR, a_silence
from tests.store.acts import INSTANT, ask, owe, run
from tests.store.builders import OPENING, a_hold, a_quarantined
from tests.store.opened import changed, everything_in
from tests.store.watching import watched

pytestmark = pytest.mark.usefixtures("either")

TICKETS = KnownDestination(Stream.CWPP, "tickets", Lane.TICKET)
BOOK = a_rulebook()
RULES = Rules({Stream.CWPP: BOOK}, ())
BY = {"author": "ana", "reason": "a drill"}
UNDERSTOOD = a_quarantined(body=alert_body())
PAUSE = Pause(stream="cwpp", destination="tickets", since=NOW, probe=NOW + HOUR, error="answered 401")


async def a_dead_letter(store: Store) -> None:
    """A delivery that was given up on."""
    await changed(store, "UPDATE deliveries SET state='dead', settled=?", NOW)


class Act(NamedTuple):
    """What a person does: to what was there before, and what the change says of it."""

    action: ChangeAction
    subject: str | None
    do: Callable[[Store], Awaitable[object]]
    before: Callable[[Store], object] = lambda store: None


async def letters(store: Store) -> Any:
    async with store.session() as tx:
        return await list_dead_letters(tx)


async def quarantined(store: Store) -> Any:
    async with store.session() as tx:
        return await list_quarantined(tx)


def dead(store: Store) -> None:
    owe(store, OPENING)
    run(a_dead_letter(store))


def silenced(store: Store) -> None:
    ask(store, put_document, document_of_silence(a_silence()))


def unread(store: Store) -> None:
    ask(store, put_in_quarantine, [UNDERSTOOD])


ACTS: dict[str, Act] = {
    "a silence is made": Act(
        ChangeAction.SILENCE_MADE, None, lambda store: add_silence(store, a_silence("", author="ana", reason="a drill"))
    ),
    "a silence is extended": Act(
        ChangeAction.SILENCE_EXTENDED,
        "ab12cd",
        lambda store: extend_silence(store, "ab12cd", NOW + 9 * HOUR, {}, NOW, **BY),
        silenced,
    ),
    "a silence is ended": Act(
        ChangeAction.SILENCE_ENDED, "ab12cd", lambda store: end_silence(store, "ab12cd", NOW, **BY), silenced
    ),
    "a destination is held": Act(
        ChangeAction.HELD, "tickets", lambda store: hold(store, TICKETS, NOW + HOUR, NOW, **BY)
    ),
    "a hold is released": Act(
        ChangeAction.RELEASED,
        "tickets",
        lambda store: release(store, TICKETS, NOW, **BY),
        lambda store: (ask(store, put_document, document_of_hold(a_hold())), ask(store, pause_destination, PAUSE)),
    ),
    "a pause is ended": Act(
        ChangeAction.RELEASED,
        "tickets",
        lambda store: release(store, TICKETS, NOW, **BY),
        lambda store: ask(store, pause_destination, PAUSE),
    ),
    "a dead letter is redriven": Act(
        ChangeAction.REDRIVEN, OPENING.id, lambda store: on_letters(store, redrive_letters), dead
    ),
    "a dead letter is discarded": Act(
        ChangeAction.DEAD_LETTERS_DISCARDED, OPENING.id, lambda store: on_letters(store, discard_letters), dead
    ),
    "a message is retaken": Act(ChangeAction.RETAKEN, "q1", lambda store: retaken(store), unread),
    "a message is discarded": Act(
        ChangeAction.QUARANTINE_DISCARDED, "q1", lambda store: discard_messages(store, [UNDERSTOOD], NOW, **BY), unread
    ),
    "a body is shown": Act(
        ChangeAction.BODY_SHOWN, "q1", lambda store: record_shown(store, None, "q1", NOW, author="ana"), unread
    ),
}


async def on_letters(store: Store, do: Callable[..., Awaitable[object]]) -> None:
    await do(store, await letters(store), NOW, **BY)


async def retaken(store: Store) -> list[RetakeResult]:
    return await retake_messages(store, [UNDERSTOOD], RULES, None, lambda: NOW, **BY)


def test_every_action_is_tried() -> None:
    """Whoever adds one adds what is done here. A restore is not done by the router, which finds that it was."""
    assert {one.action for one in ACTS.values()} == set(ChangeAction) - {ChangeAction.RESTORED}


@pytest.mark.parametrize("name", ACTS)
def test_what_a_person_does_is_one_change_that_is_kept_with_it_or_not_at_all(store: Store, name: str) -> None:
    """Whichever statement fails. It says who did what to what, when and why; once more there is nothing to do."""
    act = ACTS[name]
    act.before(store)
    before = run(everything_in(store))
    asked = 0

    def failing(number: int) -> Store:
        """The same store, in which a statement finds storage down."""

        def look(sql: str, values: Sequence[object]) -> None:
            nonlocal asked
            asked += 1
            if asked == number:
                raise StoreError("storage is down")

        return watched(store, look)

    failed = 1
    while True:
        asked = 0
        try:
            run(act.do(failing(failed)))  # type: ignore[arg-type]  # A store around a store is no Store by its class.
        except StoreError:
            kept = run(everything_in(store))
            assert kept["changes"] == []
            # Who retakes a message takes it in first.
            assert act.action is ChangeAction.RETAKEN or kept == before
            assert kept["quarantine"] == before["quarantine"]
            failed += 1
            continue
        break
    (change,) = ask(store, list_changes, None, 10)
    reason = "" if act.action is ChangeAction.BODY_SHOWN else BY["reason"]
    assert (change.action, change.author, change.reason, change.at) == (act.action, "ana", reason, NOW)
    (made,) = (one.id for one in run(stored_silences(store, None)).values) if act.subject is None else (act.subject,)
    assert change.subject == made
    is_more_kept = run(everything_in(store)) | {"changes": []} != before
    assert is_more_kept is (act.action is not ChangeAction.BODY_SHOWN)


def test_silences_that_were_drafted_at_once_are_bounded_together(store: Store) -> None:
    """Each is allowed by itself. The same draft again is the silence that it made, and neither is made twice on record."""
    days = [NOW + day * 24 * HOUR for day in range(3)]
    wanted = [
        WantedSilence(stream=Stream.CWPP, hosts=["web-1"], begins=begins, until=until, author="ana", reason="a drill")
        for begins, until in pairwise(days)
    ]
    types = KnownTypes.of(())
    first, second = (run(draft_silence(store, one, BOOK, types, NOW)) for one in wanted)
    again = run(draft_silence(store, replace(wanted[0], begins=None), BOOK, types, NOW + HOUR))
    made = run(make_silence(store, first))
    assert run(make_silence(store, first)) == run(make_silence(store, again)) == made
    with pytest.raises(BadField, match="makes 2d without an hour's break"):
        run(make_silence(store, second))
    (change,) = ask(store, list_changes, None, 10)
    assert change.subject == made.id


def test_what_is_not_done_is_no_change(store: Store) -> None:
    """What is over, is not there, is not allowed, or is only looked at before it is done."""
    ask(store, put_document, document_of_silence(a_silence(ended=NOW)))
    for change in (
        end_silence(store, "ab12cd", NOW, author="ana"),
        extend_silence(store, "ab12cd", NOW + 9 * HOUR, {}, NOW, author="ana"),
    ):
        with pytest.raises(SilenceOver):
            run(change)
    with pytest.raises(BadField):
        run(hold(store, TICKETS, NOW + 49 * HOUR, NOW, **BY))
    assert run(release(store, TICKETS, NOW, **BY)) is None
    dead(store)
    unread(store)
    (letter,) = run(letters(store))
    gone = [replace(letter, id="0" * 12)]
    assert run(redrive_letters(store, gone, NOW, author="ana")).owed == 1, "another owes it already"
    assert run(discard_letters(store, gone, NOW, author="ana")) == 0
    assert run(discard_messages(store, [a_quarantined("q2")], NOW, author="ana")) == 0
    unreadable = a_quarantined("q3", body=b"?")
    (stays,) = run(retake_messages(store, [unreadable], RULES, None, lambda: NOW, author="ana"))
    assert (stays.is_retaken, "still not understood" in stays.words) == (False, True)
    assert ask(store, list_changes, None, 10) == []


def test_what_would_come_of_an_action_is_shown_and_changes_nothing(store: Store) -> None:
    """And is what comes of it then."""
    dead(store)
    unread(store)
    before = run(everything_in(store))
    found = run(letters(store))
    shown, would_hold = run(preview_redrive(store, found, NOW)), run(preview_hold(store, TICKETS, NOW + HOUR, NOW))
    (retake,) = preview_retake([UNDERSTOOD], RULES, None)
    assert run(everything_in(store)) == before
    assert shown == run(redrive_letters(store, found, NOW, **BY))
    assert (shown.owed, [one.addressed_to for one, _ in shown.results]) == (1, ["cwpp tickets"])
    made = run(hold(store, TICKETS, NOW + HOUR, NOW, author="", reason=""))
    assert would_hold == made._replace(owed=0)
    assert made.document["owed"] == 1
    (done,) = run(retaken(store))
    assert retake.is_retaken is done.is_retaken is True
    assert retake.words == "cwpp alert: Something happened"


CHANGES = st.builds(
    ChangeEntry,
    at=st.integers(0, 5).map(lambda seconds: NOW + timedelta(seconds=seconds)),
    author=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    action=st.sampled_from(ChangeAction),
    stream=st.sampled_from(["cwpp", "cspm", None]),
    subject=st.sampled_from("abc"),
    reason=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    detail=st.dictionaries(st.text("ab"), st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))),
)


@given(st.lists(CHANGES, max_size=7), st.integers(1, 4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_changes_come_back_as_they_were_written_the_latest_first(
    store: Store, changes: list[ChangeEntry], page: int
) -> None:
    """Page by page none is left out and none comes twice, though one is written meanwhile; and of a subject in their order."""
    run(changed(store, "DELETE FROM changes"))
    for change in changes:
        ask(store, write_change, change)
    found: list[ChangeEntry] = []
    while some := ask(store, list_changes, found[-1].number if found else None, page):
        found += some
        ask(store, write_change, ChangeEntry(at=NOW, author="", action=ChangeAction.HELD, stream=None, subject="later"))
    assert [replace(one, number=0) for one in reversed(found)] == changes
    about = ask(store, find_changes, ["a", "b"])
    for subject in "ab":
        told = [replace(one, number=0) for one in about.get(subject, ())]
        assert told == [one for one in changes if one.subject == subject]


@pytest.mark.parametrize(("column", "value"), [("action", "?"), ("detail", "{"), ("detail", "[1]"), ("at", 2**63 - 1)])
def test_a_damaged_change_hides_no_other_and_is_set_aside(store: Store, column: str, value: object) -> None:
    """Half a change says something that nobody did."""
    one = ChangeEntry(at=NOW, author="ana", action=ChangeAction.HELD, stream="cwpp", subject="tickets")
    ask(store, write_change, one)
    run(changed(store, f"UPDATE changes SET {column}=?", value))
    ask(store, write_change, replace(one, at=NOW + INSTANT))
    (left,) = ask(store, list_changes, None, 10)
    assert left.at == NOW + INSTANT
    (aside,) = run(quarantined(store))
    assert aside.source.startswith("state: changes ")
