"""Who reads which partition of a hub: one process each, on both engines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from router.domain.ports.eventhubs import HubReaders, PartitionClaim
from router.domain.reasons import Code
from router.store.partitions import SqlPartitions
from router.store.quarantine import list_quarantined
from tests.store.acts import run
from tests.store.opened import Store, changed, open_store
from tests.store.within import within

READERS = HubReaders("soc.servicebus.windows.net", "cwpp", "serve")
FIRST, SECOND = (PartitionClaim(readers=READERS, partition=id, owner="one") for id in "01")


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store of each kind, empty."""
    store = open_store(tmp_path if request.param == "sqlite" else request.getfixturevalue("postgresql"))
    run(store.upgrade())
    yield store
    run(store.close())


@pytest.fixture
def partitions(store: Store) -> SqlPartitions:
    """A hub of which nothing is known."""
    return store.partitions


def test_of_two_that_claim_a_partition_one_gets_it(partitions: SqlPartitions) -> None:
    """Whether it was never claimed or is renewed: who goes by an older claim gets nothing, and changes nothing."""
    mine, beside = run(partitions.claim_partitions([FIRST, SECOND]))
    assert run(partitions.claim_partitions([replace(FIRST, owner="other")])) == []
    (renewed,) = run(partitions.claim_partitions([mine]))
    assert run(partitions.claim_partitions([replace(mine, owner="other"), replace(beside, owner="other")])) != []
    first, second = run(partitions.list_partitions(READERS))
    assert (first, first.owner, second.owner) == (renewed, "one", "other")
    assert len({mine.claim, renewed.claim, beside.claim, second.claim}) == 4


def test_a_position_is_kept_apart_from_who_reads(partitions: SqlPartitions) -> None:
    """By who lost the partition, too; a hub that was created anew begins at a lower number."""
    run(partitions.write_position(replace(FIRST, sequence=2**62, offset="9999")))
    assert run(partitions.claim_partitions([FIRST])) != []
    (taken,) = run(partitions.claim_partitions(run(partitions.list_partitions(READERS))))
    run(partitions.write_position(replace(FIRST, owner="other", sequence=7, offset=None)))
    assert run(partitions.list_partitions(READERS)) == [replace(taken, sequence=7, offset=None)]


def test_another_group_hub_or_namespace_has_partitions_of_its_own(partitions: SqlPartitions) -> None:
    """Each is claimed beside the others."""
    others = [READERS._replace(**{name: "another"}) for name in READERS._fields]
    run(partitions.claim_partitions([replace(FIRST, readers=readers) for readers in (READERS, *others)]))
    assert [len(run(partitions.list_partitions(readers))) for readers in (READERS, *others)] == [1, 1, 1, 1]


def test_all_that_were_claimed_by_the_dead_are_free(partitions: SqlPartitions) -> None:
    """Where a process has the state to itself; positions stay."""
    run(partitions.write_position(replace(FIRST, sequence=7)))
    run(partitions.claim_partitions([FIRST, SECOND]))
    run(partitions.free_partitions())
    assert [(one.owner, one.sequence) for one in run(partitions.list_partitions(READERS))] == [("", 7), ("", None)]


def test_a_row_that_cannot_be_read_is_set_aside_and_its_partition_is_free(store: Store) -> None:
    """It is read from its start, where the journal knows what was taken in; the partition beside it goes on."""
    run(store.partitions.claim_partitions([FIRST, SECOND]))
    run(store.partitions.write_position(replace(FIRST, sequence=7)))
    run(changed(store, "UPDATE partitions SET sequence=-1 WHERE partition='0'"))
    assert [one.partition for one in run(store.partitions.list_partitions(READERS))] == ["1"]
    (aside,) = run(within(store, list_quarantined))
    assert aside.quarantined.reason.code is Code.DAMAGED
    assert aside.source == "state: partitions soc.servicebus.windows.net/cwpp/serve/0"
    assert len(run(store.partitions.claim_partitions([replace(FIRST, owner="other")]))) == 1
