"""What Microsoft's client is told of which process reads which partition, and of where it goes on."""

from __future__ import annotations

from router.app.connections import SharedPartitions
from router.domain.hubs import HubEpoch, Span
from router.eventhubs.checkpoints import NOTHING, Checkpoints
from router.store.partitions import Taken, take
from router.store.store import Store
from tests.builders import NOW
from tests.eventhubs.hubs import FIRST, HUB
from tests.store.acts import run
from tests.store.within import within

WHERE = ("soc.servicebus.windows.net", HUB, "serve")
ASKED = {"fully_qualified_namespace": WHERE[0], "eventhub_name": HUB, "consumer_group": "serve", "partition_id": "0"}


def test_a_claim_is_as_old_as_it_was_seen_unchanged(sqlite: Store) -> None:
    """By the clock of the process that looks, whatever that of the one that claims says."""
    now = 1000.0
    claimer = Checkpoints(SharedPartitions(sqlite), lambda: 5.0)
    other = Checkpoints(SharedPartitions(sqlite), lambda: now)
    claim = list(run(claimer.claim_ownership([ASKED | {"owner_id": "claimer"}])))
    assert [one["last_modified_time"] for one in run(other.list_ownership(*WHERE))] == [1000.0]
    now = 1060.0
    (seen,) = run(other.list_ownership(*WHERE))
    assert (seen["last_modified_time"], seen["owner_id"]) == (1000.0, "claimer")
    run(claimer.claim_ownership(claim))
    assert [one["last_modified_time"] for one in run(other.list_ownership(*WHERE))] == [1060.0]
    assert list(run(other.claim_ownership([seen | {"owner_id": "other"}]))) == []


def test_the_client_goes_on_where_all_was_taken_in_and_not_in_a_hub_that_is_no_more(sqlite: Store) -> None:
    """Until something of the new hub was taken in."""
    checkpoints = Checkpoints(SharedPartitions(sqlite))
    run(checkpoints.claim_ownership([ASKED | {"owner_id": "one"}]))
    assert (list(run(checkpoints.list_checkpoints(*WHERE))), checkpoints.position_of("0")) == ([], NOTHING)
    run(within(sqlite, take, HubEpoch(FIRST, 1), (), Taken(Span(0, 7), NOW, NOW, NOW)))
    assert list(run(checkpoints.list_checkpoints(*WHERE))) == [ASKED | {"sequence_number": 7, "offset": 7}]
    assert checkpoints.position_of("0") == 7
    checkpoints.void("0")
    assert (list(run(checkpoints.list_checkpoints(*WHERE))), checkpoints.position_of("0")) == ([], NOTHING)
    run(checkpoints.update_checkpoint(ASKED | {"sequence_number": 0, "offset": "0"}))
    assert checkpoints.position_of("0") == 0
    assert len(list(run(checkpoints.list_checkpoints(*WHERE)))) == 1
