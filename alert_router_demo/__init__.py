"""`alert-router demo`: the main job on bundled samples, sent to a SOC on loopback.

It is in the wheel and is not deployed: nothing of `router` imports it but the command that starts it.

story         what happens in it
connection    the starter's rules, directed at the SOC
soc           the SOC on loopback: one double of each vendor, which the tests and `make stack` use too
samples       89 messages
"""

from __future__ import annotations

from argparse import Namespace

from router.domain.errors import BadUsage


def run(options: Namespace) -> int:
    """Routes the samples to the SOC; 1 where a delivery died, else 0."""
    try:
        from alert_router_demo.story import tell
    except ModuleNotFoundError as missing:
        if missing.name != "trustme":
            raise
        raise BadUsage("trustme: the demo's SOC needs it for TLS; install alert-router[demo]") from missing
    return tell(options)
