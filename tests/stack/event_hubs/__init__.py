"""Event Hubs on loopback, to which the unmodified azure-eventhub client talks AMQP over plain TCP.

`async with EventHubs().running() as hubs:` in an event loop, and `with event_hubs_in_thread() as hubs:` elsewhere.
`hubs.connection_string` is what clients take, beside `eventhub_name`;
`hubs.published("cwpp", 0)` tells what arrived, `hubs.drop_connections()` and its neighbours order trouble.

From the wire up: `amqp` (types, frames, performatives), `connections`, `sessions`, `links`. Where a link leads is said by
`attaching`: to `writers`, `readers`, or `management`, past `claims`. What they share: `namespace`, `hub`, `log` (a
partition) and `events`. How the service refuses is in `refusals`. `checkpoints` is what readers
note.

Not the service's: partition keys are hashed otherwise, a JWT is believed, memory is the only storage, and nothing is
throttled or expires unless a test says so.
"""

from tests.stack.event_hubs.readers import Seat
from tests.stack.event_hubs.refusals import RefusedLink
from tests.stack.event_hubs.server import GROUPS, HUBS, KEY, KEY_NAME, EventHubs, Published, event_hubs_in_thread

__all__ = ["GROUPS", "HUBS", "KEY", "KEY_NAME", "EventHubs", "Published", "RefusedLink", "Seat", "event_hubs_in_thread"]
