"""Event Hubs, through Microsoft's own client: one hub for each stream, called as the stream is.

    connection  the clients of a namespace, and their faults as HubError
    events      what the hub holds of an event      trace      the trace that came with it
    extents     what the hub holds of a partition
    reader      spans read again, for the sweep     receiving  the receiver that does it
    consumer    the hub read as it fills, for `serve`
    handing     its batches, each taken before it is checkpointed
    checkpoints how far each partition was taken    watching   whether what the hub holds arrives
    sender      messages published, for `send`

The client is imported where it is first used: it takes longer to import than a small run takes.
"""

from router.eventhubs.connection import Namespace
from router.eventhubs.consumer import Consumer
from router.eventhubs.publisher import publish
from router.eventhubs.reader import HubReader
from router.eventhubs.trace import trace_of

__all__ = ["Consumer", "HubReader", "Namespace", "publish", "trace_of"]
