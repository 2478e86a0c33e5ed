"""Event Hubs, through Microsoft's own client: one hub for each stream, called as the stream is.

    connection   the clients of a namespace, and their faults as HubError
    events       an event as the hub holds it       trace     the trace that came with it
    extents      what the hub holds of a partition
    range_reader reads sequence numbers again, for the sweep; range_receiver  receives them
    consumer     reads the hub as it fills, for `serve`
    batching     ingests its batches, and checkpoints each when it is ingested
    checkpoints  how far each partition is ingested, and who reads it, as the client asks for it
    stalls       notices that what the hub holds does not arrive
    publisher    publishes messages, for `send`

The client is imported where it is first used: it takes longer to import than a small run takes.
"""

from router.eventhubs.connection import Namespace
from router.eventhubs.consumer import Consumer
from router.eventhubs.publisher import publish
from router.eventhubs.range_reader import HubReader
from router.eventhubs.trace import trace_of

__all__ = ["Consumer", "HubReader", "Namespace", "publish", "trace_of"]
