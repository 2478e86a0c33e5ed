"""A gate on loopback, between the router and what it calls, that a test can close.

`with gated(stack) as stack:` puts one before the stack's pager and tickets, as the router reaches them.
`order = stack.gate.hold(to("pagerduty"))`, `await order.met()`, `order.end()`.
"""

from tests.stack.gate.gate import Gate, gate_in_thread
from tests.stack.gate.gated import GatedStack, gated
from tests.stack.gate.orders import Order
from tests.stack.gate.requests import Matching, Seen, everything, to

__all__ = [
    "Gate",
    "GatedStack",
    "Matching",
    "Order",
    "Seen",
    "everything",
    "gate_in_thread",
    "gated",
    "to",
]
