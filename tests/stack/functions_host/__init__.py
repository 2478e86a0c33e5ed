"""A small Functions host: it runs an app's functions in Microsoft's own worker library, as Azure does.

`async with FunctionsHost(app, env=..., hubs=...).running() as host:` starts a worker process, has it index the app, reads
host.json, and calls the functions for what comes into hubs and queues. `await host.idle()` waits until everything is worked
off; `host.invocations` tells what ran and how it ended; `await host.request("GET", "/api/health")` and
`await host.fire("sweep")` trigger the rest. `await host.kill_worker()` is what happens when memory runs out.

Not the platform's: hubs and queues are in this process, no scaling, no keys of HTTP functions, no calendar of timers, no
output bindings but HTTP responses and queues, no second instance beside the first, and of triggers what function_app.py has.
"""

from tests.stack.functions_host.host import Checkpoints, FunctionsHost, Queued, Queues
from tests.stack.functions_host.invocations import Conditions, Death, Invocation, Outcome

__all__ = [
    "Checkpoints",
    "Conditions",
    "Death",
    "FunctionsHost",
    "Invocation",
    "Outcome",
    "Queued",
    "Queues",
]
