"""Reading what stands beside a notice fails no send, whatever the notice holds."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from router.deliver import BackgroundReader
from router.domain.background import Background
from router.domain.deliveries import Claim
from router.domain.lane_limits import LEASE
from router.domain.rulebook import By, Grouping, Lane
from tests.builders import NOW, a_destination
from tests.deliver.test_background import BEFORE, Memory
from tests.destinations.builders import a_notice
from tests.store.builders import a_delivery


def test_a_group_whose_kind_is_of_a_later_program_is_sent() -> None:
    """Nothing but the read asks what kind a stored notice is of; one that is not known is no reason for a dead letter."""
    spec = replace(a_destination("tickets"), group=Grouping((By.ALERT_TYPE,), NOW - BEFORE))
    claim = Claim(delivery=replace(a_delivery(1), content=a_notice(kind="campaign")), id="c", number=1, born=NOW)
    memory = Memory()
    lease = LEASE[Lane.TICKET]
    others = [a_destination("oncall", Lane.PAGE)]
    reader = BackgroundReader(spec, others, outbox=memory, groups=memory, record=memory, lease=lease)
    assert isinstance(asyncio.run(reader.read(claim)), Background)
