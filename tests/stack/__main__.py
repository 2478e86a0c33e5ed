"""`make stack`: Azure on loopback for a person, with function_app.py at work in it, until Ctrl-C."""

from __future__ import annotations

import asyncio
import shlex
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress

from aiohttp import web

from alert_router_demo.soc.endpoint import served
from tests.stack.functions_host import Conditions, FunctionsHost
from tests.stack.stack import Stack, stack_running

LOOK = 3.0
"""Seconds between two looks at what came out."""

HEALTH = "/api/health"

CONDITIONS = Conditions(timers=60.0)


def main() -> None:
    """Runs the stack, and says where everything is and what comes out; Ctrl-C is no failure, also while it starts."""
    with suppress(KeyboardInterrupt):
        print("starting PostgreSQL, Event Hubs, a SOC and a Functions host", flush=True)
        with stack_running() as stack:
            asyncio.run(_run(stack))


async def _run(stack: Stack) -> None:
    async with stack.host(conditions=CONDITIONS).running() as host, served(_health_of(host)) as address:
        _explain(stack, host, address)
        before: Mapping[str, object] = {}
        while True:
            now = _seen(stack, host)
            if now != before:
                print("  ".join(f"{what} {count}" for what, count in now.items()), flush=True)
            before = now
            await asyncio.sleep(LOOK)


def _health_of(host: FunctionsHost) -> web.Application:
    """The health page, at an address that a browser reaches."""

    async def ask(_: web.Request) -> web.Response:
        answer = await host.request("GET", HEALTH)
        return web.Response(body=answer.body, status=answer.status, content_type="application/json")

    application = web.Application()
    application.router.add_get(HEALTH, ask)
    return application


def _explain(stack: Stack, host: FunctionsHost, address: str) -> None:
    print("PostgreSQL, Event Hubs and a SOC on this machine; function_app.py runs", ", ".join(host.functions))
    print(f"rules   {stack.rules}\nSOC     {stack.soc.addresses.control}/_state\nhealth  {address}{HEALTH}")
    print("\nIn another terminal:\n")
    for name in ("EVENT_HUBS", "ALERT_ROUTER_STATE"):
        print(f"  export {name}={shlex.quote(stack.environment[name])}")
    print("  .venv/bin/alert-router send --to cwpp alert_router_demo/samples/cwpp.ndjson")
    print("  .venv/bin/alert-router send --to cspm alert_router_demo/samples/cspm.ndjson")
    print("  .venv/bin/alert-router quarantine list\n  .venv/bin/alert-router dead-letters list")
    print("\nCtrl-C ends it. What comes out:\n", flush=True)


def _seen(stack: Stack, host: FunctionsHost) -> Mapping[str, object]:
    taken = Counter(one.function for one in host.invocations if one.function.startswith("take_"))
    received = stack.soc.counts()["received"]
    return {"batches": sum(taken.values()), **{what: count for what, count in received.items() if count}}


if __name__ == "__main__":
    main()
