"""`python -m tests.cli.hasty serve ...`: the router, which does each half second what it does each ten, and sweeps every three.

What a dead process had read is another one's after three seconds instead of a minute, and probes know as soon of the state.
Where `HASTY_STOP` is set, it has ended so many seconds after it was told to, instead of 70.
"""

import os
import sys

from azure.eventhub.aio import EventHubConsumerClient

from router.app.drain import STOP
from router.cli import main, serve

_RENEW = 0.5

_made = EventHubConsumerClient.__init__


def _made_hasty(*arguments: object, **options: object) -> None:
    _made(*arguments, **options | {"load_balancing_interval": _RENEW})  # type: ignore[arg-type]  # as they came


if __name__ == "__main__":
    EventHubConsumerClient.__init__ = _made_hasty  # type: ignore[method-assign]
    serve.LOOK, serve.SWEEP = _RENEW, 6 * _RENEW
    if "HASTY_STOP" in os.environ:
        serve.LAST = float(os.environ["HASTY_STOP"]) - STOP
    sys.exit(main(sys.argv[1:]))
