"""A SOC on loopback that answers like the real one: tickets, pager, logs and a webhook receiver.

`async with Soc.running() as soc:` in an event loop, `with soc_in_thread() as soc:` elsewhere, and
`python -m alert_router_demo.soc` alone. `soc.addresses` says where, `soc.accounts` who may call,
`soc.pagerduty.faults.add(Status(429, retry_after="1"), times=3)` orders trouble, `soc.state()` tells what arrived.
"""

from alert_router_demo.soc.accounts import SocAccount
from alert_router_demo.soc.faults import Drop, Fault, Hang, LoseAnswer, Status
from alert_router_demo.soc.running import Addresses, Soc, soc_in_thread

__all__ = ["Addresses", "Drop", "Fault", "Hang", "LoseAnswer", "Soc", "SocAccount", "Status", "soc_in_thread"]
