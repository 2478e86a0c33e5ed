"""Lives of signals: a test names only what it is about."""

from copy import replace
from datetime import timedelta
from typing import Any

from router.app.signal_life import DestinationLife, GroupLife, SignalLife
from router.domain.decisions import Change, Outcome
from router.domain.deliveries import DeliveryState, DeliveryStatus
from router.domain.notices import RecordEntry
from router.domain.rulebook import Lane
from router.domain.silences import Silence
from tests.builders import NOW, RESOURCE, an_element
from tests.domain.signal_model import added
from tests.silences import a_silence as silence_of
from tests.store.builders import a_delivery, an_entry

MINUTE = timedelta(minutes=1)
KEY, GROUP = "k", "g"


def a_life(
    *destinations: DestinationLife, outcome: Outcome = Outcome.ROUTED, after: Outcome | None = None, **changes: Any
) -> SignalLife:
    """A signal that was decided so, a minute ago, and after that otherwise."""
    decisions = tuple(
        decided(one, turn=turn) for turn, one in enumerate([outcome, *([after] if after is not None else [])], 1)
    )
    life = SignalLife(key=KEY, stream="cwpp", decisions=decisions, destinations=destinations)
    return replace(life, **changes)


def decided(outcome: Outcome, *, turn: int = 1, **changes: Any) -> RecordEntry:
    """A decision a minute ago that notifies oncall where it is routed."""
    routed = outcome is Outcome.ROUTED
    known = {
        "at": (NOW - MINUTE).isoformat(),
        "stream": "cwpp",
        "signal": KEY,
        "outcome": outcome.value,
        "reason": f"floor: {outcome}",
        "turn": turn,
        "notice": "opened" if routed else None,
        "destinations": ("oncall",) if routed else (),
        "routes": ("page",) if routed else (),
        "suppressed_by": "nightly" if outcome is Outcome.SUPPRESSED else None,
        "suppressed_until": "2026-12-01T00:00:00Z" if outcome is Outcome.SUPPRESSED else None,
    }
    return an_entry(**{**known, **changes})


def owed(state: DeliveryState = DeliveryState.OWED, **changes: Any) -> DeliveryStatus:
    """A delivery to oncall that opens."""
    status = added(a_delivery(1, Change.OPENED, lane=Lane.PAGE), NOW - MINUTE)
    ended = state in (DeliveryState.SENT, DeliveryState.DEAD, DeliveryState.SKIPPED)
    known = {"destination": "oncall", "key": KEY, "attempts": int(state is not DeliveryState.OWED), "row_id": 0}
    return replace(status, **{**known, "state": state, "settled": NOW if ended else None, **changes})


def oncall(*deliveries: DeliveryStatus, **changes: Any) -> DestinationLife:
    """What a signal has to do with a pager."""
    return replace(DestinationLife(name="oncall", lane=Lane.PAGE, deliveries=deliveries), **changes)


def tickets(*deliveries: DeliveryStatus) -> DestinationLife:
    """What a signal has to do with a ticket intake."""
    filed = tuple(replace(one, lane=Lane.TICKET, destination="tickets") for one in deliveries)
    return DestinationLife(name="tickets", lane=Lane.TICKET, deliveries=filed)


def a_group_of(*deliveries: DeliveryStatus, **changes: Any) -> GroupLife:
    """A group of three signals, two of which stand."""
    group = GroupLife(
        key=GROUP,
        by=(("alert_type", "VM_Test"),),
        total=3,
        standing=2,
        is_summary=False,
        waits_for_room=False,
        stands=True,
        changed=NOW,
        deliveries=tuple(replace(one, key=GROUP) for one in deliveries),
    )
    return replace(group, **changes)


def a_silence(**changes: Any) -> Silence:
    """A silence of an hour."""
    on_resource = ((an_element("resourceid", RESOURCE),),)
    began = {"begins": NOW - MINUTE, "lasts": timedelta(hours=1, minutes=1), "made": NOW - MINUTE}
    return silence_of(groups=on_resource, author="ada", **{**began, **changes})
