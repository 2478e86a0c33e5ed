"""Event Hubs on loopback, to which the unmodified azure-eventhub client talks AMQP over plain TCP.

`async with EventHubs().running() as hubs:` in an event loop, and `with event_hubs_in_thread() as hubs:` elsewhere.
`hubs.connection_string` is what clients take, beside `eventhub_name`; `hubs.published("cwpp", 0)` tells what arrived,
`hubs.drop_connections()` and its neighbours order trouble.

Not the service's: bytes are read and written by the client's own encoder, and from a client that keeps to the protocol; a JWT
is believed, memory is the only storage, and nothing is throttled or expires unless a test says so.
"""

from tests.stack.event_hubs.hubs import KEY, EventHubs, Published, event_hubs_in_thread

__all__ = ["KEY", "EventHubs", "Published", "event_hubs_in_thread"]
