"""Values that rooms return: a test names only what it is about."""

from copy import replace
from datetime import datetime, timedelta
from typing import Any

from router.domain.decisions import Change
from router.domain.deliveries import Claim, Delivery, DeliveryState, Pause, Receipt, Settlement
from router.domain.destination_holds import DestinationHold
from router.domain.hubs import HubEpoch, Loss, Partition, Span
from router.domain.notices import RecordEntry
from router.domain.rulebook import Lane
from router.telemetry.metrics import Swept
from tests.builders import NOW
from tests.destinations.builders import an_entry as an_entry_on_record

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{SPAN}-01"
ANOTHER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def an_entry(outcome: str = "routed", reason: str = "routes: tickets", **changes: object) -> RecordEntry:
    """What is on record of one high alert."""
    return an_entry_on_record(**{"outcome": outcome, "reason": reason, "source": "cwpp/0:7", **changes})


def an_unread_entry(reason: str = "not_json", source: str = "cwpp/0:7") -> RecordEntry:
    """What is on record of a message that was not understood."""
    nothing = dict.fromkeys(("id", "stream", "type", "title", "severity"))
    return an_entry("quarantined", reason, source=source, kind="unknown", **nothing)


def a_claim(
    trace: str | None = None, *, destination: str = "oncall", lane: Lane = Lane.PAGE, number: int = 1, key: str = "k"
) -> Claim:
    """A claim on a page that was owed at NOW."""
    said: dict[str, Any] = {"key": key, "turn": 1, "change": Change.OPENED, "opened": 1, "trace": trace}
    delivery = Delivery(stream="cwpp", destination=destination, lane=lane, content=an_entry(), **said)
    return Claim(delivery=delivery, id="claim", number=number, born=NOW)


def settled(
    claim: Claim, state: DeliveryState = DeliveryState.SENT, after: timedelta = timedelta(seconds=3), **more: Any
) -> Settlement:
    """A claim, and what became of it a while after it was owed."""
    receipt = Receipt() if state is DeliveryState.SENT else None
    settlement = Settlement(claim=claim, state=state, at=NOW + after, receipt=receipt)
    return replace(settlement, **more)


def swept(stream: str = "cwpp", at: datetime = NOW, **found: Any) -> Swept:
    """A sweep that found nothing but what is said."""
    return replace(Swept(stream=stream, at=at), **found)


def a_loss(first: int, last: int, why: str = "the hub no longer has it") -> Loss:
    """Numbers of partition 3 that are lost."""
    return Loss(HubEpoch(Partition("cwpp", "3"), 2), Span(first, last), NOW, why)


def a_hold(destination: str = "oncall") -> DestinationHold:
    """A destination that a person holds."""
    return DestinationHold(
        stream="cwpp",
        destination=destination,
        lane=Lane.PAGE,
        author="ana",
        reason="the pager is moved",
        since=NOW,
        until=NOW + timedelta(hours=2),
    )


def a_pause(destination: str = "oncall", error: str = "pagerduty: answered 401") -> Pause:
    """A destination that refuses our credentials."""
    return Pause(stream="cwpp", destination=destination, since=NOW, probe=NOW + timedelta(minutes=5), error=error)
