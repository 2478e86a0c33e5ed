"""How long deliveries are kept in an account, and where what they tell lies when a row cannot hold it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from router.domain.deliveries import Delivery, DeliveryState, Receipt
from router.domain.retention import Retention
from router.store.azure import Account, Address, AzureStore
from tests.builders import NOW
from tests.store.acts import DAY, claim, letters_in, owe, run, settle, states
from tests.store.builders import OPENING, RESOLUTION, UPDATE, a_delivery, a_row, an_entry, noise

INSTANT = timedelta(microseconds=1)
OLD = NOW + 90 * DAY
LONG_AFTER = datetime(2900, 1, 1, tzinfo=UTC)
"""After whatever the clock of storage says."""

BIG = replace(OPENING, content=an_entry(title=noise(100_000).hex()))
"""A delivery that no row can hold."""


@pytest.fixture
def account(azure: AzureStore, address: Address) -> Iterator[Account]:
    """The account that the store is in, for who looks inside."""

    async def opened() -> Account:
        return Account(address)

    account = run(opened())
    yield account
    run(account.close())


def blobs(account: Account) -> int:
    """How much of what deliveries tell lies outside their rows."""

    async def count() -> int:
        listed = account.blobs.get_container_client("bodies").list_blobs(name_starts_with="deliveries/")
        return len([blob async for blob in listed])

    return run(count())


async def leave_behind(account: Account) -> None:
    """Writes what a delivery tells, and not its row."""
    bodies = account.blobs.get_container_client("bodies")
    await bodies.upload_blob("deliveries/cwpp.tickets.0/s:nobody:000001/x", b"")


def forget(store: AzureStore, now: datetime = OLD) -> int:
    """Takes away what is old enough at an instant; returns how many deliveries."""
    return run(store.forget(now, Retention(), (), 10_000)).deliveries


def send(store: AzureStore, delivery: Delivery = OPENING, receipt: Receipt | None = None) -> None:
    """Owes a delivery and sends it."""
    owe(store, delivery)
    settle(store, claim(store, destination=delivery.destination)[0], DeliveryState.SENT, receipt=receipt)


def test_what_no_row_can_hold_comes_back_as_it_was(azure: AzureStore, account: Account) -> None:
    """Evidence may be long; and whoever adds it again leaves nothing behind."""
    owe(azure, BIG, a_delivery(key="small"))
    owe(azure, BIG)
    assert blobs(account) == 1
    found = {one.delivery.key: one for one in claim(azure)}
    assert found["k"].delivery == BIG
    settle(azure, found["k"], DeliveryState.DEAD, error="413")
    assert [letter.delivery for letter in run(letters_in(azure.outbox))] == [BIG]


def test_a_receipt_may_be_as_long_as_it_likes(azure: AzureStore) -> None:
    """What a vendor answers is not ours to shorten, and must not keep the acknowledgement from being written."""
    receipt = Receipt(reference="INC1", handles={"note": noise(100_000).hex()})
    send(azure, OPENING, receipt)
    owe(azure, UPDATE)
    assert [one.opening for one in claim(azure)] == [receipt]


def test_a_long_error_is_cut(azure: AzureStore) -> None:
    """A column holds only so much, and the beginning says what is at fault."""
    owe(azure, OPENING)
    settle(azure, claim(azure)[0], DeliveryState.DEAD, error="413: " + "x" * 100_000)
    (letter,) = run(letters_in(azure.outbox))
    assert letter.error.startswith("413: xxx")
    assert len(letter.error) == 4_000


@pytest.mark.parametrize(("now", "gone"), [(OLD, 1), (OLD - INSTANT, 0)])
def test_what_was_sent_of_a_signal_that_nobody_knows_goes_when_it_is_old(
    azure: AzureStore, now: datetime, gone: int
) -> None:
    """Whatever led to it is gone; both sides of the instant."""
    send(azure, receipt=Receipt(reference="INC1"))
    assert forget(azure, now) == gone
    assert sum(states(azure).values()) == 1 - gone
    assert len(run(azure.outbox.find_by_reference("INC1"))) == 1 - gone


def test_what_nobody_needed_is_taken_away_like_what_was_sent(azure: AzureStore) -> None:
    """It was skipped, and that is long ago."""
    owe(azure, OPENING, RESOLUTION)
    assert claim(azure) == []
    assert forget(azure) == 2
    assert states(azure) == {}


def test_a_signal_that_stands_keeps_what_opened_it(azure: AzureStore) -> None:
    """What resolves it needs the receipt."""
    run(azure.ledger.write_rows([a_row()]))
    send(azure)
    send(azure, a_delivery(key="over"))
    assert forget(azure) == 1
    owe(azure, OPENING)
    assert states(azure) == {DeliveryState.SENT: 1}


@pytest.mark.parametrize("state", [DeliveryState.OWED, DeliveryState.CLAIMED, DeliveryState.DEAD])
def test_a_signal_keeps_all_deliveries_while_one_is_open_or_dead_anywhere(
    azure: AzureStore, state: DeliveryState
) -> None:
    """At another destination too: its turns must not start anew."""
    run(azure.ledger.write_rows([a_row(closed_at=NOW)]))
    send(azure)
    owe(azure, replace(OPENING, destination="oncall"))
    if state is not DeliveryState.OWED:
        (one,) = claim(azure, destination="oncall")
    if state is DeliveryState.DEAD:
        settle(azure, one, state, error="400")
    assert forget(azure, NOW + 400 * DAY) == 0
    assert states(azure) == {DeliveryState.SENT: 1, state: 1}


def test_what_lies_outside_a_row_goes_with_it(azure: AzureStore, account: Account) -> None:
    """And so does what a writer left behind that died before its row was there; the receipt of what stands stays."""
    receipt = Receipt(handles={"note": noise(100_000).hex()})
    run(azure.ledger.write_rows([a_row("standing")]))
    send(azure, BIG, receipt)
    send(azure, replace(BIG, key="standing"), receipt)
    run(leave_behind(account))
    assert blobs(account) == 5
    # At first it is only known when the signal was not heard of; then it is old.
    assert forget(azure, LONG_AFTER) == 1
    assert blobs(account) == 2
    forget(azure, LONG_AFTER + 90 * DAY)
    assert blobs(account) == 1
    owe(azure, replace(UPDATE, key="standing"))
    assert [one.opening for one in claim(azure)] == [receipt]
