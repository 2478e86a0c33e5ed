"""What Microsoft's client is told of who reads which partition, and of how far it is taken in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from router.domain.ports.eventhubs import HubReaders, PartitionClaim
from router.eventhubs.checkpoints import NOTHING, Checkpoints
from router.store.partitions import SqlPartitions
from tests.store.acts import run
from tests.store.opened import open_store

READERS = HubReaders("soc.servicebus.windows.net", "cwpp", "serve")
FIRST = PartitionClaim(readers=READERS, partition="0", owner="one")


@pytest.fixture
def partitions(tmp_path: Path) -> Iterator[SqlPartitions]:
    """A hub of which nothing is known."""
    store = open_store(tmp_path)
    yield store.partitions
    run(store.close())


def test_a_claim_is_as_old_as_it_was_seen_unchanged(partitions: SqlPartitions) -> None:
    """By the clock of who looks, whatever that of who claims says."""
    now = 1000.0
    claimer, other = Checkpoints(partitions, lambda: 5.0), Checkpoints(partitions, lambda: now)
    meant = {
        "fully_qualified_namespace": READERS.namespace, "eventhub_name": READERS.hub, "consumer_group": READERS.group,
        "partition_id": "0",
    }  # fmt: skip
    claim = list(run(claimer.claim_ownership([meant | {"owner_id": "claimer"}])))
    assert [one["last_modified_time"] for one in run(other.list_ownership(*READERS))] == [1000.0]
    now = 1060.0
    (seen,) = run(other.list_ownership(*READERS))
    assert (seen["last_modified_time"], seen["owner_id"]) == (1000.0, "claimer")
    run(claimer.claim_ownership(claim))
    assert [one["last_modified_time"] for one in run(other.list_ownership(*READERS))] == [1060.0]
    assert list(run(other.claim_ownership([seen | {"owner_id": "other"}]))) == []


def test_a_checkpoint_of_a_hub_that_is_no_more_is_not_gone_on_from(partitions: SqlPartitions) -> None:
    """Until the new one has one of its own."""
    checkpoints = Checkpoints(partitions)
    run(partitions.write_position(replace(FIRST, sequence=7, offset="77")))
    (found,) = run(checkpoints.list_checkpoints(*READERS))
    assert (found["partition_id"], found["sequence_number"], found["offset"]) == ("0", 7, "77")
    assert (checkpoints.position_of("0"), checkpoints.position_of("1")) == (7, NOTHING)
    checkpoints.void("0")
    assert list(run(checkpoints.list_checkpoints(*READERS))) == []
    run(checkpoints.update_checkpoint(found | {"sequence_number": 0, "offset": "0"}))
    assert [one["sequence_number"] for one in run(checkpoints.list_checkpoints(*READERS))] == [0]
