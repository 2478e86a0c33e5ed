"""What every store finds again: signals by the end of their id or resource, decisions by signal and by time, tickets."""

from __future__ import annotations

from datetime import timedelta

import pytest

from router.decide.suppression import find_suppressor
from router.domain.deliveries import DeliveryState, FailedAttempt
from router.domain.notices import Notice
from router.domain.owners import NO_OWNERS
from router.domain.rule_fields import signal_of
from router.store.decisions import find_decisions, search_signals, search_signals_at
from router.store.delivery_status import find_last_notice, list_deliveries
from router.store.store import Store
from tests.builders import NOW, RESOURCE, a_message, a_rule, a_rulebook, alert_body, an_alert, an_ip
from tests.store.acts import read_fields, run
from tests.store.builders import noise
from tests.store.life import Life
from tests.store.within import within

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
    for id in ("2517-AAAA-beef", "1111-beef", "beef", "beef-2"):
        life.alert(id)
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
