"""What every store promises of how long things are kept."""

from __future__ import annotations

from datetime import timedelta

import pytest

from router.domain.decisions import Change, Outcome
from router.domain.deliveries import DeliveryState, Receipt
from router.domain.ledger import Held, State, Turn, record_delivery
from router.domain.ports.store import Store
from router.domain.retention import Retention
from tests.builders import NOW
from tests.store.acts import DAY, claim, owe, run, settle, states
from tests.store.builders import OPENING, RESOLUTION, a_delivery, a_row, an_entry


@pytest.mark.parametrize(("age", "gone"), [(timedelta(days=90), 1), (timedelta(days=90, microseconds=-1), 0)])
def test_a_ledger_row_is_kept_until_resolved_plus_90_days(store: Store, age: timedelta, gone: int) -> None:
    """A standing signal's row stays for ever; a resolved one's as long as a late repeat may come."""
    run(store.ledger.write_rows([a_row("standing"), a_row("resolved", closed_at=NOW)]))
    assert run(store.purge(NOW + age, Retention())).rows == gone
    assert len(run(store.ledger.find_rows(["standing", "resolved"]))) == 2 - gone


def test_a_row_is_kept_until_its_turn_is_carried_out(store: Store) -> None:
    """What it intends is not told yet, however long ago it was decided."""
    row = a_row(closed_at=NOW, pending=Turn(number=1, entry=an_entry()))
    versions = run(store.ledger.write_rows([row]))
    assert run(store.purge(NOW + 400 * DAY, Retention())).rows == 0
    run(store.ledger.clear_pending(versions))
    assert run(store.purge(NOW + 400 * DAY, Retention())).rows == 1


def test_a_row_outlives_every_delivery_of_its_signal(store: Store) -> None:
    """Turns would start anew, and a dead letter of the old turn 1 would swallow the new one."""
    owe(store, OPENING)
    settle(store, claim(store)[0], DeliveryState.DEAD, error="400")
    run(store.ledger.write_rows([a_row(closed_at=NOW)]))
    assert run(store.purge(NOW + 400 * DAY, Retention())).rows == 0


def test_a_resolution_is_kept_as_long_as_its_opening_may_be_redriven(store: Store) -> None:
    """Redriven after a month, a dead opening still finds the resolution that belongs after it."""
    owe(store, OPENING)
    settle(store, claim(store)[0], DeliveryState.DEAD, error="400")
    owe(store, RESOLUTION)
    settle(store, claim(store)[0], DeliveryState.SENT)
    run(store.purge(NOW + 31 * DAY, Retention()))
    run(store.outbox.redrive(OPENING.id, NOW))
    for expected in (Change.OPENED, Change.RESOLVED):
        (again,) = claim(store)
        assert again.delivery.change is expected
        settle(store, again, DeliveryState.SENT)


def test_an_opening_is_kept_as_long_as_its_resolution_is_owed(store: Store) -> None:
    """The resolution needs its receipt: which ticket, which key."""
    owe(store, OPENING)
    settle(store, claim(store)[0], DeliveryState.SENT, receipt=Receipt(reference="INC1"))
    run(store.outbox.put_in_outbox([RESOLUTION], NOW + 40 * DAY))
    run(store.purge(NOW + 41 * DAY, Retention()))
    (resolution,) = claim(store, after=41 * DAY)
    assert resolution.opening == Receipt(reference="INC1")


def test_a_body_that_still_waits_for_its_rule_to_end_is_kept(store: Store) -> None:
    """However long nobody ran the stream, what a rule held is there to come out."""
    held = Held(rule="r", until=NOW, rulebook="h", source="s", body=b"{}")
    run(store.ledger.write_rows([a_row(held=held, outcome=Outcome.SUPPRESSED)]))
    assert run(store.purge(NOW + 400 * DAY, Retention())).bodies == 0


@pytest.mark.parametrize(("age", "gone"), [(timedelta(days=30), 1), (timedelta(days=30, microseconds=-1), 0)])
def test_a_suppressed_body_is_kept_until_its_rule_ends_plus_30_days(store: Store, age: timedelta, gone: int) -> None:
    """Long enough to be decided again."""
    run(store.ledger.write_rows([a_row(held=Held(rule="r", until=NOW, rulebook="h", source="s", body=b"{}"))]))
    assert run(store.purge(NOW + age, Retention())).bodies == gone


@pytest.mark.parametrize(("age", "gone"), [(timedelta(days=30), 1), (timedelta(days=30, microseconds=-1), 0)])
def test_a_sent_payload_is_kept_30_days_and_a_dead_one_until_it_is_discarded(
    store: Store, age: timedelta, gone: int
) -> None:
    """Dead letters stay."""
    owe(store, OPENING, a_delivery(key="dead"))
    sent, dead = claim(store)
    settle(store, sent, DeliveryState.SENT)
    settle(store, dead, DeliveryState.DEAD, error="400")
    assert run(store.purge(NOW + age, Retention())).payloads == gone
    assert len(run(store.outbox.dead())) == 1


def test_what_the_records_second_home_got_is_kept_no_longer(store: Store) -> None:
    """It belongs to a message, not to a signal, so nothing stands that would need it."""
    delivery = record_delivery(an_entry("cwpp:0:1:7"), "cwpp")
    owe(store, delivery)
    settle(store, claim(store, destination=delivery.destination)[0], DeliveryState.SENT)
    assert run(store.purge(NOW + 30 * DAY - timedelta(microseconds=1), Retention())).payloads == 0
    assert run(store.purge(NOW + 30 * DAY, Retention())).payloads == 1


def test_what_a_standing_signal_was_told_is_kept(store: Store) -> None:
    """Its next turn needs the receipt of its opening; a resolved one has none."""
    resolved = State(resolved=True, status="resolved", severity=4)
    run(store.ledger.write_rows([a_row(), a_row("over", state=resolved, closed_at=NOW + 400 * DAY)]))
    owe(store, OPENING, a_delivery(key="over"))
    for one in claim(store):
        settle(store, one, DeliveryState.SENT)
    run(store.purge(NOW + 400 * DAY, Retention()))
    assert states(store) == {DeliveryState.SENT: 1}
    owe(store, OPENING)
    assert claim(store) == []
