"""Rows, entries and deliveries as they are kept: a test names only what it is about."""

from copy import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

from router.decide import entry_for, quarantined
from router.domain.decisions import Change, Code, Outcome, Reason
from router.domain.deliveries import Delivery
from router.domain.destination_holds import DestinationHold
from router.domain.hubs import Arrival
from router.domain.notices import Group, NamedMember, RecordEntry
from router.domain.rulebook import Lane
from router.domain.signals import Quarantined
from router.store.groups import GroupState, MemberState
from router.store.ledger import LedgerRow, Seen, State
from router.store.quarantine import QuarantineEntry
from tests.builders import NOW


def a_row(key: str = "k", **changes: Any) -> LedgerRow:
    """A row of a signal that stands and was told to `tickets`."""
    row = LedgerRow(
        key=key,
        stream="cwpp",
        state=State(resolved=False, status="active", severity=4),
        seen=Seen(NOW, Arrival("hub/0", 7, NOW)),
        turn=1,
        outcome=Outcome.ROUTED,
        open={"tickets": 1},
        forwarded=True,
        since=NOW,
    )
    return replace(row, **changes)


def an_entry(key: str = "hub/0:1", **changes: Any) -> RecordEntry:
    """What is on record of a message that was not understood."""
    nonsense = Quarantined(reason=Reason(Code.NOT_JSON), body=b"?")
    entry = entry_for(nonsense, quarantined(nonsense, None), key=key, source="test", now=NOW)
    return replace(entry, **changes)


def a_group(standing: int = 1, at: datetime = NOW) -> GroupState:
    """The state of a group of two signals."""
    named = (NamedMember(key="k", title="Ä title", severity=None, place="vm-1"),)
    group = Group(by=(("alert_type", "x"),), total=2, standing=standing, named=named)
    return GroupState(
        group=group,
        audience_key="a",
        at=at,
        window_key="w",
        until=NOW,
        turn=3,
        opened=1,
        is_open=True,
        severity="High",
        severity_written="High",
    )


def a_quarantined(id: str = "q1", body: bytes = bytes(range(256)), words: str = "no id") -> QuarantineEntry:
    """A body that was not understood."""
    quarantined = Quarantined(reason=Reason(Code.INVALID, words), body=body, at_fault="SystemAlertId")
    arrival = Arrival("hub/0", 2**40, NOW, 2)
    return QuarantineEntry(id=id, source="f:1", stream=None, at=NOW, arrival=arrival, quarantined=quarantined)


def a_member(stands: bool = True, at: datetime = NOW) -> MemberState:
    """The membership of a signal in a group."""
    return MemberState(group="g", turn=2, stands=stands, group_turn=3, at=at)


def a_hold(**changes: Any) -> DestinationHold:
    """A hold of `tickets` for two hours."""
    hold = DestinationHold(
        stream="cwpp", destination="tickets", lane=Lane.TICKET, author="ana", reason="it is moved", since=NOW,
        until=NOW + timedelta(hours=2),
    )  # fmt: skip
    return replace(hold, **changes)


def noise(size: int) -> bytes:
    """Bytes that do not compress, the same each time."""
    return Random(size).randbytes(size)  # noqa: S311  Nothing here is secret.


def a_delivery(
    turn: int = 1, change: Change = Change.OPENED, *, key: str = "k", opened: int = 1, lane: Lane = Lane.TICKET
) -> Delivery:
    """A delivery to `tickets`."""
    return Delivery(
        stream="cwpp",
        destination="tickets",
        lane=lane,
        key=key,
        turn=turn,
        change=change,
        opened=opened,
        content=an_entry(f"{key}:{turn}"),
    )


OPENING = a_delivery()
UPDATE = a_delivery(2, Change.UPDATED)
RESOLUTION = a_delivery(3, Change.RESOLVED)
