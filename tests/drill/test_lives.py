"""What became of an alert at a destination, by the life of its signal."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from router.domain.decisions import Change
from router.domain.deliveries import DeliveryState, DeliveryStatus, Pause, Receipt
from router.domain.rulebook import Lane
from router.domain.signal_life import DestinationLife, GroupLife
from router.drill.lives import delivery_of

DECIDED = datetime(2026, 11, 26, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def a_delivery(
    state: DeliveryState = DeliveryState.SENT, *, key: str = "signal", turn: int = 1, settled: datetime | None = None
) -> DeliveryStatus:
    """A delivery; what was sent has a receipt."""
    is_sent = state is DeliveryState.SENT
    return DeliveryStatus(
        stream="cwpp",
        destination="oncall",
        lane=Lane.PAGE,
        key=key,
        turn=turn,
        change=Change.OPENED,
        opened=1,
        state=state,
        born=DECIDED,
        due=DECIDED,
        attempts=1,
        settled=settled if settled is not None else (DECIDED + SECOND if is_sent else None),
        receipt=Receipt(reference="P1") if is_sent else None,
    )


def a_group(
    *deliveries: DeliveryStatus,
    is_summary: bool = False,
    waits_for_room: bool = False,
    is_named: bool = True,
    joined: int | None = 2,
) -> GroupLife:
    """The group that the alert is a member of."""
    return GroupLife(
        key="group",
        by=(),
        total=2,
        standing=2,
        is_summary=is_summary,
        waits_for_room=waits_for_room,
        stands=True,
        changed=DECIDED,
        deliveries=deliveries,
        joined=joined,
        is_named=is_named,
    )


def at_oncall(*deliveries: DeliveryStatus, group: GroupLife | None = None, **more: object) -> DestinationLife:
    """What it has to do with the pager."""
    return DestinationLife(name="oncall", lane=Lane.PAGE, deliveries=deliveries, group=group, **more)  # type: ignore[arg-type]


BEFORE = a_delivery(key="group", settled=DECIDED - SECOND)
SINCE = a_delivery(key="group", turn=2)


@pytest.mark.parametrize(
    ("one", "is_proof"),
    [
        (at_oncall(), False),
        (at_oncall(a_delivery()), True),
        (at_oncall(a_delivery(DeliveryState.OWED)), False),
        (at_oncall(a_delivery(DeliveryState.SKIPPED)), False),
        (at_oncall(a_delivery(DeliveryState.DEAD), a_delivery(turn=2)), True),
        (at_oncall(group=a_group(BEFORE)), False),
        (at_oncall(group=a_group(BEFORE, SINCE)), True),
        (at_oncall(group=a_group(BEFORE, SINCE, is_summary=True)), False),
        (at_oncall(group=a_group(SINCE, waits_for_room=True)), False),
        (at_oncall(group=a_group(SINCE, is_named=False)), False),
        (at_oncall(a_delivery(), group=a_group(SINCE, is_named=False)), True),
        (at_oncall(group=a_group(replace(SINCE, turn=1), SINCE)), True),
        (at_oncall(group=a_group(replace(SINCE, turn=1))), False),
        (at_oncall(group=a_group(replace(SINCE, turn=1), joined=None)), True),
        (at_oncall(a_delivery(), group=a_group(SINCE, is_summary=True)), True),
    ],
)
def test_only_a_notice_that_names_the_alert_is_a_proof(one: DestinationLife, is_proof: bool) -> None:
    """What its group was sent before it joined is none, nor is a summary that counts it."""
    found = delivery_of(one, DECIDED)
    assert found.is_proof is is_proof
    assert (found.receipt == "P1") or not is_proof


def test_what_stands_in_the_way_is_carried_over() -> None:
    """A pause, a hold, and what is not set."""
    pause = Pause(stream="cwpp", destination="oncall", since=DECIDED, probe=DECIDED, error="401")
    found = delivery_of(at_oncall(pause=pause, held="held by ana", unready="KEY: is not set"), DECIDED)
    assert (found.paused, found.held, found.unready) == (
        "since 2026-11-26T12:00:00Z: 401",
        "held by ana",
        "KEY: is not set",
    )
