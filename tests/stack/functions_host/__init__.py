"""A small Functions host: it runs an app's functions in Microsoft's own worker library, as Azure does.

`async with FunctionsHost(app, env=..., event_hubs_connection=..., storage_connection=...).running() as host:` starts a
worker process, has it index the app, reads host.json, and listens to the hubs and queues that its triggers name.
`await host.idle()` waits until everything is worked off; `host.invocations` tells what ran and how it ended;
`await host.request("GET", "/api/health")` and `await host.fire("sweep")` trigger the rest. `await host.kill_worker()`
is what happens when memory runs out. A second host on the same hubs and storage is a second instance, which takes its
share of partitions over by itself.

Not the platform's: no scaling, no keys of HTTP functions, no calendar of timers, which every instance has for itself,
no output bindings but HTTP responses and queues, no single events, one connection for all hubs and one for all queues,
no word from an output to the queue's own listener, which finds a message at its next look.
"""

from tests.stack.functions_host.conditions import Conditions, Death
from tests.stack.functions_host.functions import Function, NotServed, RetryPolicy
from tests.stack.functions_host.host import FunctionsHost, NotIdle
from tests.stack.functions_host.http import Response
from tests.stack.functions_host.invocations import Invocation, Outcome
from tests.stack.functions_host.workers import AppRefused

__all__ = [
    "AppRefused",
    "Conditions",
    "Death",
    "Function",
    "FunctionsHost",
    "Invocation",
    "NotIdle",
    "NotServed",
    "Outcome",
    "Response",
    "RetryPolicy",
]
