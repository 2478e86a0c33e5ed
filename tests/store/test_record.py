"""What every store promises of the record: outcomes by message, and signals by the end of their id or resource."""

from __future__ import annotations

from datetime import timedelta

import pytest

from router.decide.suppression import find_suppressor
from router.domain.decisions import Outcome
from router.domain.deliveries import DeliveryState, FailedAttempt
from router.domain.hubs import Arrival
from router.domain.keys import same_id
from router.domain.notices import Notice
from router.domain.owners import NO_OWNERS
from router.domain.rule_fields import signal_of
from router.store.decisions import find_decisions, find_outcomes, put_on_record, search_signals, search_signals_at
from router.store.delivery_status import find_last_notice, list_deliveries
from router.store.store import Store
from tests.builders import NOW, RESOURCE, a_message, a_rule, a_rulebook, alert_body, an_alert, an_ip
from tests.store.acts import read_fields, run
from tests.store.builders import an_entry, noise
from tests.store.life import Life
from tests.store.within import within


def put(store: Store, key: str, outcome: Outcome = Outcome.ROUTED, at: str = "2026-11-24T12:00:00Z") -> None:
    """Puts one decision on record."""
    run(within(store, put_on_record, [an_entry(key, outcome=outcome.value, at=at)]))


def test_the_first_outcome_of_a_message_is_its_outcome(store: Store) -> None:
    """Create-if-absent by its key, also within one batch: what comes later changes nothing."""
    routed, repeat = (an_entry("cwpp:0:1:7", outcome=outcome.value) for outcome in (Outcome.ROUTED, Outcome.REPEAT))
    run(within(store, put_on_record, [routed, repeat]))
    run(within(store, put_on_record, [repeat, an_entry("cwpp:0:1:8", outcome=Outcome.NOTED.value)]))
    found = run(within(store, find_outcomes, ["cwpp:0:1:7", "cwpp:0:1:8", "cwpp:0:1:9"]))
    assert found == {"cwpp:0:1:7": Outcome.ROUTED, "cwpp:0:1:8": Outcome.NOTED}


def test_a_further_decision_on_a_message_is_its_latest_outcome(store: Store) -> None:
    """A message is looked up by its own key; that of a further decision finds nothing."""
    put(store, "h:7", Outcome.SUPPRESSED)
    put(store, "h:7@9", Outcome.ROUTED)
    put(store, "h:7@10", Outcome.RESOLVED)
    assert run(within(store, find_outcomes, ["h:7"])) == {"h:7": Outcome.RESOLVED}
    put(store, "h:7@1", Outcome.REPEAT, at="2026-11-24T12:00:00.5Z")
    assert run(within(store, find_outcomes, ["h:7", "h:7@1", "h:7@10"])) == {"h:7": Outcome.REPEAT}
    assert run(within(store, find_outcomes, ["h:7@1"])) == {}


def test_the_signals_of_one_message_are_on_record_apart(store: Store) -> None:
    """Each has its own outcome, and so has each of them that is decided once more."""
    arrivals = [Arrival("cwpp:0:1", 7, part=part) for part in (0, 1, 10)]
    for arrival, outcome in zip(arrivals, (Outcome.NOTED, Outcome.ROUTED, Outcome.REPEAT), strict=True):
        put(store, arrival.key, outcome)
    put(store, f"{arrivals[1].key}@2", Outcome.RESOLVED, at="2026-11-24T12:00:01Z")
    assert run(within(store, find_outcomes, [arrivals[2].key])) == {arrivals[2].key: Outcome.REPEAT}
    assert run(within(store, find_outcomes, [one.key for one in arrivals])) == {
        arrivals[0].key: Outcome.NOTED,
        arrivals[1].key: Outcome.RESOLVED,
        arrivals[2].key: Outcome.REPEAT,
    }


def test_a_batch_that_is_partly_on_record_is_put_there_whole(store: Store) -> None:
    """Who repeats a step after dying in it finds some of it done."""
    entries = [an_entry(f"h:{place}", outcome=Outcome.ROUTED.value) for place in range(250)]
    run(within(store, put_on_record, []))
    run(within(store, put_on_record, entries[::7]))
    run(within(store, put_on_record, entries))
    assert len(run(within(store, find_outcomes, [entry.key for entry in entries]))) == 250


MINUTE = timedelta(minutes=1)


@pytest.fixture
def life(store: Store) -> Life:
    """A router over each store."""
    return Life(store)


def found(store: Store, id: str, most: int = 10) -> list[str]:
    """The ids of the signals that are found by an id."""
    return [one.id for one in run(within(store, search_signals, id, most))]


def test_a_signal_is_found_by_its_id_or_the_end_of_it(life: Life) -> None:
    """Whatever the case in which somebody types it; whole ids first."""
    for id in (
        "2517-AAAA-beef",
        "1111-beef",
        "beef",
        "beef-2",
        "a/b\\c#d?e%f",
        "ünïcode-İ",
        "tab\tand\x7f.",
        "'quoted'",
    ):
        assert found(life.store, life.alert(id).id or "")[0] == same_id(id)
    assert found(life.store, "AAAA-BEEF") == ["2517-aaaa-beef"]
    assert found(life.store, " Beef ")[0] == "beef"
    assert sorted(found(life.store, "beef")) == ["1111-beef", "2517-aaaa-beef", "beef"]
    assert len(found(life.store, "beef", most=2)) == 2
    assert found(life.store, "ee") == found(life.store, "") == []
    (one,) = run(within(life.store, search_signals, "1111-beef", 10))
    assert (one.signal, one.stream, one.resource) == (life.key("1111-beef"), "cwpp", RESOURCE.lower())


def test_ids_longer_than_an_index_holds_are_found_by_their_ends(store: Store) -> None:
    """PostgreSQL refuses an index row of more than 2,704 bytes; that neither id nor resource is one costs no message."""
    life, noisy = Life(store), noise(3_000).hex()
    life.alert(f"{noisy}-id", AzureResourceId=f"{noisy}-machine")
    key = life.key(f"{noisy}-id")
    assert [one.signal for one in run(within(store, search_signals, f"{noisy}-id", 10))] == [key]
    assert [one.signal for one in run(within(store, search_signals, f"{noisy[-9:]}-id", 10))] == [key]
    assert [one.signal for one in run(within(store, search_signals_at, "-machine", 10))] == [key]


def test_a_signal_is_found_by_its_resource_or_the_end_of_it(life: Life) -> None:
    """A machine's name is enough, and so is the whole id."""
    life.alert("a")
    life.alert("b", AzureResourceId=f"{RESOURCE}2")
    life.alert("nowhere", AzureResourceId="")
    for text, ids in (("vm-1", ["a"]), (RESOURCE.upper(), ["a"]), ("VM-12", ["b"]), ("vm", []), ("", [])):
        assert [one.id for one in run(within(life.store, search_signals_at, text, 10))] == ids


def test_a_signal_that_moved_is_found_where_it_is(life: Life) -> None:
    """The latest decision says where."""
    moved = alert_body("a", Severity="Critical", AzureResourceId=f"{RESOURCE}-moved")
    life.ingest(a_message(alert_body("a")), a_message(moved))
    assert [one.resource for one in run(within(life.store, search_signals, "a", 10))] == [f"{RESOURCE}-moved".lower()]
    assert [one.id for one in run(within(life.store, search_signals_at, "vm-1-moved", 10))] == ["a"]


def test_the_decisions_on_a_signal_are_found_the_latest_first(life: Life) -> None:
    """Repeats too, and no other signal's."""
    for number, fields in enumerate(({"Severity": "High"}, {"Severity": "High"}, {"Status": "Resolved"})):
        life.alert("a", **fields)
        life.alert(f"other-{number}")
        life.goes_on(1 / 24)
    assert life.decisions("a") == ["resolved", "repeat", "routed"]
    assert [entry.turn for entry in run(within(life.store, find_decisions, life.key("a"), 2))] == [2, None]
    assert life.decisions("nobody") == []


def test_each_delivery_says_what_failed_before(life: Life) -> None:
    """The latest ten attempts, each with its time."""
    life.alert()
    (claim, *_) = life.claims("tickets")
    for number in range(12):
        life.settle(claim, DeliveryState.OWED, error=f"answered {500 + number}", due=life.now)
        life.goes_on(1 / 24)
        (claim,) = life.claims("tickets")
    life.settle(claim, DeliveryState.SENT)
    (status,) = [one for one in run(within(life.store, list_deliveries, life.key())) if one.destination == "tickets"]
    expected = [FailedAttempt(NOW + timedelta(hours=number), f"answered {500 + number}") for number in range(2, 12)]
    assert list(status.failed) == expected
    assert (status.state, status.attempts, status.settled) == (DeliveryState.SENT, 13, life.now)


def test_the_last_notice_that_a_destination_took_is_known(life: Life) -> None:
    """What was skipped, refused or is owed was not taken."""
    life.alert()
    life.deliver()
    life.alert(Severity="Critical")
    assert _last(life) == "High"
    life.deliver(DeliveryState.DEAD)
    assert _last(life) == "High"
    life.alert(Severity="Medium")
    life.deliver()
    assert _last(life) == "Medium"
    assert run(within(life.store, find_last_notice, "cwpp", "oncall", life.key())) is None


def _last(life: Life) -> str | None:
    notice = run(within(life.store, find_last_notice, "cwpp", "tickets", life.key()))
    assert isinstance(notice, Notice)
    return notice.severity


def test_what_rules_can_match_of_a_signal_is_kept(life: Life) -> None:
    """A rule that is written tomorrow is asked about what came today; a repeat changes nothing of it."""
    fields = {"Entities": [an_ip("10.20.0.5")], "ExtendedProperties": {"image": "nginx"}}
    rule = a_rulebook(a_rule()).suppressions
    for _ in range(2):
        life.alert("a", **fields)
        life.alert("b")
    kept = read_fields(life.store, [life.key("a"), life.key("b"), "nobody"])
    assert set(kept) == {life.key("a"), life.key("b")}
    assert find_suppressor(signal_of(kept[life.key("a")]), rule, NOW, NO_OWNERS) is not None
    assert find_suppressor(signal_of(kept[life.key("b")]), rule, NOW, NO_OWNERS) is None
    assert kept[life.key("a")].title == an_alert().title
