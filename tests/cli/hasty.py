"""`python -m tests.cli.hasty serve ...`: the router, whose client of hubs does each half second what it does each ten.

What a dead process had read is another one's after three seconds instead of a minute.
"""

import sys
from typing import Any

from azure.eventhub.aio import EventHubConsumerClient

from router.cli import main

_RENEW = 0.5

_made = EventHubConsumerClient.from_connection_string


def _made_hasty(*arguments: Any, **options: Any) -> EventHubConsumerClient:
    return _made(*arguments, **options | {"load_balancing_interval": _RENEW})


if __name__ == "__main__":
    EventHubConsumerClient.from_connection_string = _made_hasty  # type: ignore[method-assign]
    sys.exit(main(sys.argv[1:]))
