"""The life of a signal, read from each store: whole, each thing once, and nothing that is another's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.app.signal_life import Presence, SignalLife, read_life
from router.app.signal_search import MOST_SIGNALS, Found, find_meant
from router.cli.signal_paging import PagingCode, paging_answer, waits_of
from router.domain.decisions import Change
from router.domain.deliveries import OPEN, DeliveryState, DeliveryStatus, Pause
from router.domain.destination_holds import words_of_hold
from router.domain.notices import RecordEntry
from router.domain.rulebook import By, Grouping, Lane, Limit, Rulebook
from router.domain.signals import Stream
from router.domain.suppression import SuppressionRule
from router.store.dead_letters import discard, list_dead_letters
from router.store.decisions import put_on_record
from router.store.delivery_status import count_deliveries
from router.store.destinations import pause_destination, resume_destination
from router.store.documents import document_of_hold, put_document
from router.store.ledger import RECORD
from router.store.store import Store
from tests.builders import (
    NOW,
    RESOURCE,
    a_destination,
    a_message,
    a_route,
    a_rule,
    a_rulebook,
    alert_body,
    an_ip,
    without_rules,
)
from tests.examples import some_of
from tests.grouping.test_grouping import a_grouping_book
from tests.store.acts import decisions_between, run
from tests.store.builders import a_hold, an_entry
from tests.store.life import Life
from tests.store.opened import Place, empty, open_store
from tests.store.within import within

HELD: dict[str, Any] = {"Entities": [an_ip("10.20.0.5")]}
HOUR = timedelta(hours=1)
ALIKE = Grouping((By.ALERT_TYPE,), HOUR)


def a_paging_book(*rules: SuppressionRule, grouped: Collection[str] = ()) -> Rulebook:
    """Everything goes to a pager and to tickets, and each decision to the record's second home."""
    specs = [a_destination("oncall", Lane.PAGE), a_destination("tickets"), a_destination("sentinel", Lane.ROWS)]
    return a_rulebook(
        *rules,
        routes=[a_route("page", "oncall", "tickets")],
        destinations=[replace(one, group=ALIKE, limit=Limit(1, HOUR)) if one.name in grouped else one for one in specs],
        record=a_destination(RECORD, Lane.ROWS),
    )


@pytest.fixture
def life(store: Store) -> Life:
    """A router over each store, which pages."""
    return Life(store, a_paging_book(a_rule()))


def found(life: Life, text: str, only: Stream | None = None) -> Found:
    return run(find_meant(life.store, text, only))


def keys_of(life: Life, text: str) -> list[str]:
    """The keys of the signals that a text may mean."""
    return [one.key for one in found(life, text).signals]


def life_of(life: Life, text: str) -> SignalLife:
    """The life of the one signal that a text means."""
    (meant,) = found(life, text).signals
    return run(read_life(life.store, meant, life.now))


def answer(life: Life, text: str) -> PagingCode:
    return paging_answer(life_of(life, text), life.now).code


def test_a_signal_is_found_by_whatever_is_in_hand(life: Life) -> None:
    """Its id in any case, the end of it, its key, its ticket's number, its machine; a whole id is no end of another.

    The digits of a ticket may be the end of an id: both may be meant, and a signal that is meant by both is meant once. A
    message that was not understood is found by its id in the quarantine, or by a text of some length, whatever its case.
    """
    life.alert("2517-AAAA-beef"), life.alert("beef"), life.alert("elsewhere", AzureResourceId=f"{RESOURCE}-b")
    key, beef, elsewhere = map(life.key, ("2517-aaaa-beef", "beef", "elsewhere"))
    for text, keys in ((" aaaa-beef ", [key]), (key.upper(), [key]), ("beef", [beef]), ("VM-1-b", [elsewhere])):
        assert keys_of(life, text) == keys
    assert sorted(keys_of(life, "vm-1")) == sorted([key, beef])
    life.deliver()
    life.alert("2517-INC0012345")
    both = {one.key: one.via for one in found(life, "inc0012345").signals}
    via = "oncall INC0012345"
    assert both == {life.key("2517-inc0012345"): None, key: via, beef: via, elsewhere: via}
    life.alert("INC0012345")
    assert keys_of(life, "INC0012345") == [life.key("INC0012345")]
    for text in ("nobody", "0123456789abcdef" * 2, "", "INC9"):
        assert found(life, text) == Found()
    assert found(life, "beef", Stream.CSPM) == Found()
    life.ingest(a_message(b'{"SystemAlertId": "2517-LOST", '))
    (quarantined,) = found(life, "2517-lost").quarantined
    assert (found(life, quarantined.id).quarantined, found(life, "lost")) == ((quarantined,), Found())


@pytest.mark.usefixtures("either")
def test_more_signals_than_are_read_are_not_all_told_apart(life: Life) -> None:
    """It is said that there are more. Of one stream a signal is found among many of the other."""
    life.ingest(*(a_message(alert_body(f"{number}-end")) for number in range(MOST_SIGNALS)))
    assert (len(keys_of(life, "-end")), found(life, "-end").has_more) == (MOST_SIGNALS, False)
    life.alert("another-end")
    assert (len(keys_of(life, "-end")), found(life, "-end").has_more) == (MOST_SIGNALS, True)
    finding = an_entry("f", stream="cspm", kind="finding", id="f-end", signal="s", resource=RESOURCE.lower())
    run(within(life.store, put_on_record, [finding]))
    for text in ("-end", "vm-1", RESOURCE):
        assert [one.key for one in found(life, text, Stream.CSPM).signals] == ["s"]
        assert len(found(life, text, Stream.CWPP).signals) == MOST_SIGNALS


def test_what_is_open_for_long_is_found_though_nothing_on_record_is_kept(life: Life) -> None:
    """The decisions of a signal that is open for long are forgotten; that it is open, and its opening's receipt, are not."""
    life.alert("2517-old")
    life.deliver()
    life.goes_on(120)
    life.forget()
    assert life.decisions("2517-old") == []
    told = life_of(life, "2517-OLD")
    assert (told.key, told.decisions) == (life.key("2517-old"), ())
    assert told.row is not None and set(told.row.open) == {"oncall", "tickets", "sentinel"}
    for text in (told.key, "INC0012345"):
        assert keys_of(life, text) == [told.key]
    assert answer(life, "2517-old") is PagingCode.PAGED


def test_a_group_is_told_with_its_own_deliveries(store: Store) -> None:
    """Of each member: how many are in it, what was sent, and that the second of them called nobody anew.

    A group is no signal: what means it means its members.
    """
    life = Life(store, a_grouping_book(ALIKE, lane=Lane.PAGE))
    life.alert("a")
    life.deliver()
    life.goes_on(1 / 48)
    life.alert("b")
    life.deliver()
    for id, code in (("a", PagingCode.PAGED), ("b", PagingCode.GROUPED)):
        told = life_of(life, id)
        (tickets,) = [one for one in told.destinations if one.name == "tickets"]
        group = tickets.group
        assert group is not None and tickets.deliveries == ()
        assert (group.total, group.standing, group.is_open) == (2, 2, True)
        assert [one.turn for one in group.deliveries] == [1, 2]
        assert paging_answer(told, life.now).code is code
        for text in (group.key, "INC0012345"):
            assert sorted(keys_of(life, text)) == sorted([life.key("a"), life.key("b")])


def test_a_pause_and_a_hold_of_a_destination_are_told_while_they_last(life: Life) -> None:
    """Its own and no other's, by whom, until when and why; the pause that the hold hides comes out after it."""
    life.alert()
    pause = Pause(stream="cwpp", destination="oncall", since=NOW, probe=NOW + HOUR, error="401")
    run(within(life.store, pause_destination, pause))
    assert {one.name: one.pause for one in life_of(life, "alert-1").destinations if one.pause} == {"oncall": pause}
    hold = a_hold(destination="oncall", lane=Lane.PAGE, until=NOW + HOUR)
    run(within(life.store, put_document, document_of_hold(hold)))
    held = {one.name: one.held for one in life_of(life, "alert-1").destinations if one.held}
    assert (held, answer(life, "alert-1")) == ({"oncall": words_of_hold(hold)}, PagingCode.DESTINATION_HELD)
    life.now += HOUR
    assert answer(life, "alert-1") is PagingCode.PAUSED
    run(within(life.store, resume_destination, "cwpp", "oncall"))
    assert answer(life, "alert-1") is PagingCode.OWED


FIELDS = st.fixed_dictionaries(
    {
        "Severity": st.sampled_from(["High", "Medium", "Low", "Informational"]),
        "Status": st.sampled_from(["New", "InProgress", "Resolved"]),
    },
    optional={"Entities": st.just([an_ip("10.20.0.5")])},
)
ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("alert"), st.sampled_from("abc"), FIELDS),
        st.tuples(st.just("deliver"), st.sampled_from([DeliveryState.SENT, DeliveryState.DEAD]), st.none()),
        st.tuples(st.just("fail"), st.just("oncall"), st.none()),
        st.tuples(st.just("discard"), st.none(), st.none()),
        st.tuples(st.just("rules change"), st.none(), st.none()),
    ),
    max_size=14,
)

type Took = dict[tuple[str, str], Change]
"""What a destination took last of a signal or a group, by its name and their key."""


def live(life: Life, acts: Sequence[tuple[str, object, object]]) -> tuple[list[RecordEntry], Took]:
    """Messages come in, deliveries are sent, die or fail, and the rule that holds some goes; returns what came of it."""
    decided: list[RecordEntry] = []
    took: Took = {}
    for act, what, fields in acts:
        life.goes_on(1 / 24)
        match act:
            case "alert":
                decided.append(life.alert(str(what), **fields))  # type: ignore[arg-type]
            case "deliver":
                for claim in life.deliver(state := DeliveryState(str(what))):
                    if state is DeliveryState.SENT:
                        took[claim.delivery.destination, claim.delivery.key] = claim.delivery.change
            case "fail":
                for one in life.claims(str(what)):
                    life.settle(one, DeliveryState.OWED, error="503", due=life.now + HOUR / 4)
            case "discard":
                for letter in run(within(life.store, list_dead_letters))[:1]:
                    run(within(life.store, discard, letter.id, life.now))
            case _:
                life.book = without_rules(life.book)
                life.release()
    return decided, took


def open_by(told: SignalLife, took: Took) -> set[str]:
    """Where a signal is open, alone or in a group, by what destinations took: they took something, and it was no end."""
    ended = Change.RESOLVED
    keys = {one.name: [told.key, *([one.group.key] if one.group is not None else [])] for one in told.destinations}
    return {name for name, some in keys.items() if any(took.get((name, key), ended) is not ended for key in some)}


def once(lives: Iterable[SignalLife]) -> Counter[tuple[str, DeliveryState]]:
    """How many deliveries are told by destination and state; each once in a life, and in several if it is their group's."""
    told: dict[tuple[str, str, int], DeliveryStatus] = {}
    for life in lives:
        listed = [delivery for at in life.destinations for delivery in at.all_deliveries]
        here = {(one.destination, one.key, one.turn): one for one in listed}
        assert len(here) == len(listed)
        assert not {name for name in here.keys() & told.keys() if name[1] == life.key or name[0] == RECORD}
        told |= here
    return Counter((one.destination, one.state) for one in told.values())


def test_whatever_happened_each_decision_and_delivery_is_told_once_and_nothing_else(place: Place) -> None:
    """The lives of all signals together are the state: statuses, severities, rules that end, deliveries that fail."""

    async def opened(directory: str) -> Store:
        store = open_store(place if isinstance(place, str) else Path(directory))
        if store.is_shared:
            await empty(store)
        return store

    @settings(max_examples=5 if isinstance(place, str) else some_of(100), deadline=None)
    @given(ACTS, st.sampled_from([frozenset[str](), frozenset({"oncall"})]))
    def holds(acts: Sequence[tuple[str, object, object]], grouped: Collection[str]) -> None:
        with TemporaryDirectory() as directory:
            store = run(opened(directory))
            try:
                life = Life(store, a_paging_book(a_rule(), grouped=grouped))
                decided, took = live(life, acts)
                told = [life_of(life, id) for id in sorted({str(entry.id) for entry in decided})]
                entries = [entry for one in told for entry in one.decisions]
                on_record = run(within(store, decisions_between, NOW, life.now + HOUR, 1_000))
                assert sorted(entries, key=str) == sorted(on_record, key=str)
                there = run(within(store, count_deliveries, "cwpp"))
                deliveries = once(told)
                for at, number in there.items():
                    # Of a group that none of its members is in any more nobody knows whose it was.
                    assert deliveries[at] <= number if at[0] in grouped else deliveries[at] == number
                assert deliveries.keys() <= there.keys()
                for one in told:
                    assert {entry.signal for entry in one.decisions} == {one.key}
                    waiting = Counter(
                        (wait.key, wait.destination, wait.turn) for wait in waits_of(one, life.now) if wait.key
                    )
                    still_open = [d for at in one.destinations for d in at.all_deliveries if d.state in OPEN]
                    assert waiting == Counter((d.key, d.destination, d.turn) for d in still_open)
                    assert paging_answer(one, life.now).words
                    is_open = {name for name, presence in one.presences.items() if presence is Presence.OPEN}
                    # Of a group that is open one member may be over, or not told yet.
                    assert is_open.difference(grouped) == open_by(one, took).difference(grouped, {RECORD})
                    assert is_open <= open_by(one, took)
            finally:
                run(store.close())

    holds()
