"""Event Hubs, through Microsoft's own client: one hub for each stream, called as the stream is.

    connection   the clients of a namespace, their faults as HubError, what a partition holds
    events       an event as the hub holds it, with its trace
    reader       reads sequence numbers again, for the sweep
    consumer     reads the hub as it fills, for `serve`
    checkpoints  which process reads which partition, and from where, as the client asks for it
    publisher    publishes messages, for `send`

The client takes longer to import than a small run takes: consumer and checkpoints bring it with them, the others import it
where they first use it.
"""

from router.eventhubs.connection import Namespace
from router.eventhubs.events import trace_of
from router.eventhubs.publisher import publish
from router.eventhubs.reader import HubReader

__all__ = ["HubReader", "Namespace", "publish", "trace_of"]
