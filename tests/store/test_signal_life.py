"""What a state knows of a signal, beside its notice and when people ask: whole, each thing once, nothing that is another's."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from copy import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.app.paging_answer import PagingCode, paging_answer, waits_of
from router.app.signal_life import Presence, SignalLife, read_life
from router.app.signal_search import MOST_SIGNALS, Found, find_meant
from router.deliver.background import BackgroundReader
from router.domain.decisions import Change
from router.domain.deliveries import OPEN, SUSPECT, Background, Claim, Counterpart, DeliveryState, Earlier, Pause
from router.domain.destination_holds import words_of_hold
from router.domain.notices import RecordEntry
from router.domain.rulebook import By, Grouping, Lane, Limit, Rulebook
from router.domain.signals import Stream
from router.domain.suppression import SuppressionRule
from router.store.dead_letters import discard, list_dead_letters, redrive
from router.store.decisions import put_on_record
from router.store.delivery_status import count_deliveries
from router.store.destinations import pause_destination, resume_destination
from router.store.documents import document_of_hold, put_document
from router.store.ledger import RECORD
from router.store.store import Store
from tests.builders import NOW, RESOURCE, a_destination, a_message, a_rule, a_rulebook, alert_body, an_ip, without_rules
from tests.examples import some_of
from tests.grouping.test_grouping import a_grouping_book
from tests.store.acts import DAY, HOUR, SECOND, all_decisions, ask, run
from tests.store.builders import a_hold, an_entry
from tests.store.faulty import faulty
from tests.store.life import Life, a_life
from tests.store.opened import Place, changed

ALIKE = Grouping((By.ALERT_TYPE,), HOUR)


def a_paging_book(*rules: SuppressionRule, grouped: Collection[str] = (), limited: Collection[str] = ()) -> Rulebook:
    """Everything goes to a pager and to tickets, and each decision to the record's second home."""
    specs = [a_destination("oncall", Lane.PAGE), a_destination("tickets"), a_destination("sentinel", Lane.ROWS)]
    limit = Limit(1, HOUR)
    return a_rulebook(
        *rules,
        routes=(),
        otherwise=("oncall", "tickets"),
        destinations=[
            replace(one, group=ALIKE if one.name in grouped else None, limit=limit if one.name in limited else None)
            for one in specs
        ],
        record=a_destination(RECORD, Lane.ROWS),
    )


@pytest.fixture
def life(store: Store) -> Life:
    """A router over each store, which pages."""
    return Life(store, a_paging_book(a_rule()))


# Beside a notice, as the deliver room reads it.


def background(life: Life, one: Claim, store: Store | None = None, lease: timedelta = 120 * SECOND) -> Background:
    """What is read beside a claim."""
    reader = BackgroundReader("cwpp", life.book.destinations.values(), store or life.store)
    return run(reader.read([one], lease)).get(one.id, Background())


def send(life: Life, destination: str) -> list[Background]:
    """Sends what is due at a destination; what was read beside each."""
    read = []
    for one in life.claims(destination):
        read.append(background(life, one))
        life.settle(one, DeliveryState.SENT)
    return read


def elsewhere(life: Life, destination: str) -> list[list[str]]:
    """Sends what is due at a destination; where else each was open then."""
    return [[one.destination for one in read.elsewhere] for read in send(life, destination)]


def began_anew(life: Life) -> dict[str, Any]:
    """What an alert says that stands since now."""
    return {"StartTimeUtc": life.now.isoformat(), "TimeGenerated": life.now.isoformat()}


@pytest.mark.usefixtures("either")
def test_the_later_of_page_and_ticket_names_the_earlier(life: Life) -> None:
    """Whichever is sent first names nobody; what is over there, or on its way to be, is named no more, nor is a dead letter."""
    life.alert()
    assert elsewhere(life, "tickets") == [[]]
    (read,) = send(life, "oncall")
    assert read.elsewhere == (Counterpart(destination="tickets", lane=Lane.TICKET, reference="INC0012345"),)
    life.alert(Status="Resolved")
    assert elsewhere(life, "oncall") == [[]]
    send(life, "tickets")
    life.goes_on(1)
    life.alert(**began_anew(life))
    (dead,) = life.claims("tickets")
    life.settle(dead, DeliveryState.DEAD, error="400")
    assert elsewhere(life, "oncall") == [[]]


def test_what_is_known_beside_costs_nothing_where_reading_it_fails_hangs_or_kills(life: Life) -> None:
    """A read takes a tenth of a claim's time at most; what killed workers goes with nothing beside it."""
    life.alert()
    send(life, "tickets")
    (one,) = life.claims("oncall")
    for how in ("down", "hung"):
        broken, engine = faulty(life.store)
        getattr(engine, how).add("beside")
        assert background(life, one, broken, SECOND) == Background(opened=one.born)
        assert engine.seen["beside"] > 0
    assert background(life, replace(one, lost=SUSPECT - 1)).elsewhere
    assert background(life, replace(one, lost=SUSPECT)) == Background()


@pytest.mark.parametrize("grouped", [("oncall", "tickets"), ("oncall",), ("tickets",)])
def test_a_group_names_where_else_the_signal_is_in_whose_words_it_is(store: Store, grouped: Sequence[str]) -> None:
    """Each destination has groups and keys of its own, or none; the summary of what a limit holds back names nothing."""
    life = Life(store, a_paging_book(grouped=grouped))
    life.alert("alert-1")
    send(life, "tickets")
    assert elsewhere(life, "oncall") == [["tickets"]]
    life.alert("alert-2")
    # The group's ticket, or one of its own that is not sent yet.
    assert elsewhere(life, "oncall") == ([["tickets"]] if "tickets" in grouped else [[]])
    life.book = a_paging_book(limited=["oncall"])
    for number in (3, 4, 5):
        life.alert(f"alert-{number}", AlertType=f"VM_{number}")
    send(life, "tickets")
    assert [(len(one.elsewhere), one.earlier) for one in send(life, "oncall")] == [(1, None), (0, None)]


def test_what_is_told_comes_with_what_was_told_last_and_since_when(life: Life) -> None:
    """An opening has nothing before it, also where the alert was open before; and a notice that is damaged is no last one."""

    def known_before(**fields: object) -> tuple[str | None, datetime | None]:
        """Half a day after the last message: the severity that the pager was told before, and since when the alert is open."""
        life.alert("alert-1", **fields)
        (read,) = send(life, "oncall")
        life.goes_on(0.5)
        return read.last.severity if read.last else None, read.opened

    assert known_before(Severity="Medium") == (None, NOW)
    assert known_before(Severity="High") == ("Medium", NOW)
    assert known_before(Severity="High", Status="Resolved") == ("High", NOW)
    again, times = life.now, began_anew(life)
    assert known_before(Severity="Medium", **times) == (None, again)
    run(changed(life.store, "UPDATE notices SET body=?", b"\xff"))
    assert known_before(Severity="High", **times) == (None, again)


@pytest.mark.usefixtures("either")
def test_an_opening_says_how_often_the_same_happened_on_the_resource_before(life: Life) -> None:
    """Of the type and the resource, whatever their case, and before it; samples count with samples. An update says nothing.

    Beyond a hundred signals there may be more: a busy resource costs no more than that.
    """
    title = "[SAMPLE ALERT] Something happened"
    for id, fields in (
        ("first", {}),
        ("second", {"AlertType": "vm_test", "AzureResourceId": RESOURCE.upper()}),
        ("below the floor", {"Severity": "Low"}),
        ("another type", {"AlertType": "VM_Other"}),
        ("another resource", {"AzureResourceId": RESOURCE.replace("vm-1", "vm-2")}),
        ("a longer one", {"AzureResourceId": f"/x{RESOURCE}"}),
        ("a sample", {"AlertDisplayName": title}),
    ):
        life.alert(id, **fields)
        life.goes_on(1)
    life.deliver()
    life.alert("alert-1", Severity="Medium"), life.alert("another sample", AlertDisplayName=title)
    claims = life.claims("oncall")
    life.goes_on(1)
    life.alert("later")
    expected = [Earlier(count=3, last=NOW + 2 * DAY), Earlier(count=1, last=NOW + 6 * DAY)]
    assert [background(life, one).earlier for one in claims] == expected
    # The claim of what a group is told of, or of what is claimed alone, does not know.
    assert [background(life, replace(one, earlier=None)).earlier for one in claims] == expected
    life.deliver()
    life.alert("alert-1", Severity="High")
    assert [one.earlier for one in send(life, "oncall")] == [None]
    busy = {"AzureResourceId": f"{RESOURCE}-busy"}
    life.ingest(*(a_message(alert_body(f"before-{number}", **busy)) for number in range(101)))
    life.deliver()
    life.goes_on(1)
    life.alert("busy", **busy)
    (read,) = send(life, "oncall")
    assert read.earlier is not None
    assert (read.earlier.is_whole, read.earlier.count) in {(False, 99), (False, 100)}


def test_a_signal_never_counts_itself(life: Life) -> None:
    """However often it came before, was over, and is sent again."""
    life.alert()
    life.goes_on(1)
    life.alert(Status="Resolved")
    life.deliver()
    life.goes_on(1)
    life.alert("ALERT-1 ", **began_anew(life))
    (one,) = life.claims("oncall")
    assert (one.delivery.change, background(life, one).earlier) == (Change.OPENED, None)
    life.settle(one, DeliveryState.DEAD, error="400")
    life.now += HOUR
    ask(life.store, redrive, one.delivery.id, life.now)
    assert [one.earlier for one in send(life, "oncall")] == [None]


# As people ask.


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
    ask(life.store, put_on_record, [finding])
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
    ask(life.store, pause_destination, pause)
    assert {one.name: one.pause for one in life_of(life, "alert-1").destinations if one.pause} == {"oncall": pause}
    hold = a_hold(destination="oncall", lane=Lane.PAGE, until=NOW + HOUR)
    ask(life.store, put_document, document_of_hold(hold))
    held = {one.name: one.held for one in life_of(life, "alert-1").destinations if one.held}
    assert (held, answer(life, "alert-1")) == ({"oncall": words_of_hold(hold)}, PagingCode.DESTINATION_HELD)
    life.now += HOUR
    assert answer(life, "alert-1") is PagingCode.PAUSED
    ask(life.store, resume_destination, "cwpp", "oncall")
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
                for letter in ask(life.store, list_dead_letters)[:1]:
                    ask(life.store, discard, letter.id, life.now)
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
    told: dict[tuple[str, str, int], DeliveryState] = {}
    for life in lives:
        listed = [delivery for at in life.destinations for delivery in at.all_deliveries]
        here = {(one.destination, one.key, one.turn): one.state for one in listed}
        assert len(here) == len(listed)
        assert not {name for name in here.keys() & told.keys() if name[1] == life.key or name[0] == RECORD}
        told |= here
    return Counter((destination, state) for (destination, _, _), state in told.items())


@pytest.mark.parametrize("grouped", [(), ("oncall",)])
def test_whatever_happened_each_decision_and_delivery_is_told_once(place: Place, grouped: Collection[str]) -> None:
    """The lives of all signals together are the state: statuses, severities, rules that end, deliveries that fail."""

    @settings(max_examples=5 if isinstance(place, str) else some_of(50), deadline=None)
    @given(ACTS)
    def holds(acts: Sequence[tuple[str, object, object]]) -> None:
        with a_life(a_paging_book(a_rule(), grouped=grouped, limited=grouped), place) as life:
            decided, took = live(life, acts)
            told = [life_of(life, id) for id in sorted({str(entry.id) for entry in decided})]
            entries = [entry for one in told for entry in one.decisions]
            on_record = ask(life.store, all_decisions)
            assert sorted(entries, key=str) == sorted(on_record, key=str)
            there = ask(life.store, count_deliveries, "cwpp")
            deliveries = once(told)
            for at, number in there.items():
                # Of a group that none of its members is in any more nobody knows whose it was.
                assert deliveries[at] <= number if at[0] in grouped else deliveries[at] == number
            assert deliveries.keys() <= there.keys()
            for one in told:
                assert {entry.signal for entry in one.decisions} == {one.key}
                waiting = Counter((two.key, two.destination, two.turn) for two in waits_of(one, life.now) if two.key)
                still_open = [d for at in one.destinations for d in at.all_deliveries if d.state in OPEN]
                assert waiting == Counter((d.key, d.destination, d.turn) for d in still_open)
                assert paging_answer(one, life.now).words
                is_open = {name for name, presence in one.presences.items() if presence is Presence.OPEN}
                # Of a group that is open one member may be over, or not told yet.
                assert is_open.difference(grouped) == open_by(one, took).difference(grouped, {RECORD})
                assert is_open <= open_by(one, took)

    holds()
