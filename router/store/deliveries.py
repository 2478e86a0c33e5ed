"""The outbox: the deliveries, and each topic's own module of what can be asked of them.

claiming         claiming what is due                      settling       what became of claims, and who took anything
dead_letters     what was given up on                      giving_up      giving up, giving back, bringing forward
delivery_status  how far deliveries have come              backlog        how much is owed, dead and due
pauses           destinations that refuse our credentials  delivery_rows  the rows
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from router.domain.deliveries import Delivery
from router.store.backlog import Backlogs
from router.store.claiming import DeliveryClaims
from router.store.dead_letters import DeadDeliveries
from router.store.delivery_rows import add_deliveries
from router.store.delivery_status import DeliveryStatuses
from router.store.engine import Engine
from router.store.giving_up import OpenDeliveries
from router.store.instants import Clock
from router.store.pauses import DestinationPauses
from router.store.settling import DeliverySettlements


class SqlOutbox(
    DeliveryClaims, DeliverySettlements, DeadDeliveries, OpenDeliveries, DeliveryStatuses, Backlogs, DestinationPauses
):
    """The deliveries: owed, claimed, sent, skipped, dead; every method raises StoreError."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._reached = set()

    async def put_in_outbox(self, deliveries: Sequence[Delivery], now: datetime) -> None:
        """Owe deliveries, create-if-absent by their id."""
        if deliveries:
            async with self._engine.transaction() as tx:
                await add_deliveries(tx, deliveries, now)
