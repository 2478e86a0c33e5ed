"""What the ledger in an account promises beyond what every store does: nothing that is held is ever lost sight of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from router.domain.decisions import Outcome
from router.domain.ledger import Held, LedgerRow, Turn
from router.domain.retention import Forgotten, Retention
from router.store.azure import Account, Address, AzureStore
from router.store.azure.suppression_index import HeldIndex
from router.store.azure.tables import Table
from tests.builders import NOW
from tests.store.acts import in_doubt, run
from tests.store.builders import a_row, an_entry, noise

SOON = datetime(2020, 1, 1, tzinfo=UTC)
LATE = datetime(2900, 1, 1, tzinfo=UTC)
"""Long before and long after whatever the clock of storage says."""


@pytest.fixture
def account(address: Address) -> Iterator[Account]:
    """The account that the store is in, for who looks inside."""

    async def opened() -> Account:
        return Account(address)

    account = run(opened())
    yield account
    run(account.close())


def entries(account: Account) -> list[tuple[str, str]]:
    """The rules and signals in the index of what is held."""

    async def read() -> list[tuple[str, str]]:
        rows = Table(account.tables.get_table_client("held")).query("PartitionKey ge ''")
        return [(row["rule"], row["signal"]) async for row in rows]

    return run(read())


def blobs(account: Account) -> int:
    """How many bodies lie outside their rows."""

    async def count() -> int:
        return len([blob async for blob in account.blobs.get_container_client("bodies").list_blobs()])

    return run(count())


def forget(store: AzureStore, now: datetime) -> Forgotten:
    """Takes away what is old enough at an instant."""
    return run(store.forget(now, Retention(), (), 10_000))


def a_held_row(rule: str = "r", body: bytes = b"{}", key: str = "k", **changes: object) -> LedgerRow:
    """A row that a rule holds."""
    held = Held(rule=rule, until=NOW, rulebook="b", source="s", body=body)
    return replace(a_row(key, held=held, outcome=Outcome.SUPPRESSED), **changes)  # type: ignore[arg-type]


def write(store: AzureStore, row: LedgerRow) -> LedgerRow:
    """Writes one row, and returns it with its new version."""
    return replace(row, version=run(store.ledger.write_rows([row]))[row.key])


def doubted(store: AzureStore, active: Sequence[str] = ()) -> list[LedgerRow]:
    """What is held by rules that are not active."""
    return in_doubt(store, "cwpp", "b", active)


def test_what_was_let_go_is_taken_out_of_the_index(azure: AzureStore, account: Account) -> None:
    """Nobody looks at it a second time; what is held all the same stays."""
    first = write(azure, a_held_row())
    still = write(azure, a_held_row(key="still"))
    write(azure, a_row(version=first.version))
    assert entries(account) == [("r", "k"), ("r", "still")]
    assert doubted(azure) == [still]
    assert entries(account) == [("r", "still")]


def test_what_another_rule_holds_now_is_taken_out_from_under_the_first(azure: AzureStore, account: Account) -> None:
    """It is in the index once, under the rule that holds it."""
    first = write(azure, a_held_row("first"))
    second = write(azure, a_held_row("second", version=first.version))
    assert doubted(azure, active=["second"]) == []
    assert entries(account) == [("second", "k")]
    assert [row.held for row in doubted(azure, active=["first"])] == [second.held]


def test_what_was_let_go_and_not_yet_told_comes_back_until_it_is(azure: AzureStore, account: Account) -> None:
    """Whoever let it go died over it; its turn is there to be completed, and it holds nothing more."""
    first = write(azure, a_held_row())
    released = write(azure, a_row(version=first.version, turn=2, pending=Turn(number=2, entry=an_entry())))
    assert doubted(azure) == [released]
    assert doubted(azure) == [released]
    assert released.version is not None
    run(azure.ledger.clear_pending({"k": released.version}))
    assert doubted(azure) == []
    assert entries(account) == []


def test_who_holds_a_signal_again_while_its_old_entry_is_taken_out_begins_anew(
    azure: AzureStore, account: Account
) -> None:
    """Its own entry might have been the one that was taken out, so its write must not succeed."""
    first = write(azure, a_held_row())
    second = write(azure, a_row(version=first.version))
    held_again = a_held_row(version=second.version)
    run(HeldIndex(Table(account.tables.get_table_client("held"))).enter_rows([held_again]))  # a writer's first step
    assert doubted(azure) == []
    assert run(azure.ledger.write_rows([held_again])) == {}
    found = run(azure.ledger.find_rows(["k"]))["k"]
    third = write(azure, replace(held_again, version=found.version))
    assert doubted(azure) == [third]


def test_an_entry_without_a_row_is_left_to_its_writer_for_a_day(azure: AzureStore, account: Account) -> None:
    """It may be about to write the row; a writer that died never will."""
    run(HeldIndex(Table(account.tables.get_table_client("held"))).enter_rows([a_held_row(key="unwritten")]))
    write(azure, a_held_row())
    assert len(doubted(azure)) == 1
    forget(azure, SOON)
    assert entries(account) == [("r", "k"), ("r", "unwritten")]
    forget(azure, LATE)
    assert entries(account) == [("r", "k")]


def test_bodies_that_no_row_names_any_more_are_deleted_after_a_day(azure: AzureStore, account: Account) -> None:
    """Those of rows that were written anew, or not at all; what a row names stays, however old."""
    first = write(azure, a_held_row(body=noise(100_000)))
    second = write(azure, a_held_row(body=noise(200_000), version=first.version))
    run(azure.ledger.write_rows([a_held_row(body=noise(300_000), version=first.version)]))
    assert blobs(account) == 3
    forget(azure, SOON)
    assert blobs(account) == 3
    forget(azure, LATE)
    assert blobs(account) == 1
    assert [row.held for row in doubted(azure)] == [second.held]


def test_what_retention_let_go_of_holds_nothing(azure: AzureStore, account: Account) -> None:
    """The body goes, the row stays, and a writer that read it before begins anew."""
    row = write(azure, a_held_row(outcome=Outcome.BELOW_FLOOR))
    assert forget(azure, NOW).bodies == 1
    assert doubted(azure) == []
    assert entries(account) == []
    assert run(azure.ledger.write_rows([a_row(version=row.version)])) == {}
