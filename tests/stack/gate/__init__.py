"""A gate on loopback, between the router and what it calls, that a test can close.

`with gated(stack) as stack:` puts one before the stack's storage, pager and tickets, as the router reaches them; the
host's own way to storage stays open. `order = stack.gate.hold(writes("ledger"))`, `await order.met()`, `order.end()`.
"""

from tests.stack.gate.gate import Gate, gate_in_thread
from tests.stack.gate.gated import GatedStack, gated
from tests.stack.gate.orders import Order
from tests.stack.gate.requests import Matching, Seen, everything, moves, reads, sends, to, writes

__all__ = [
    "Gate",
    "GatedStack",
    "Matching",
    "Order",
    "Seen",
    "everything",
    "gate_in_thread",
    "gated",
    "moves",
    "reads",
    "sends",
    "to",
    "writes",
]
