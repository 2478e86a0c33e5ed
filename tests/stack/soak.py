"""`python -m tests.stack.soak`: many messages through the whole stack while the worker is killed every few seconds.

They go into a loopback Event Hubs, through function_app.py in Microsoft's runtime, into PostgreSQL and to a loopback SOC. When
nothing is left to do, the books of what was sent are compared with what is on record and at the SOC.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import batched

from tests.stack.accounting import (
    Letter,
    Post,
    books_of,
    high,
    junk,
    kill_again_and_again,
    left_over,
    low,
    medium,
    rows_in,
)
from tests.stack.functions_host import Conditions, FunctionsHost, Outcome
from tests.stack.stack import POLICIES, Stack, stack_running

SETTINGS = {
    "ALERT_ROUTER_GRACE": "5",
    "ALERT_ROUTER_LEASE": "30",
    "AzureFunctionsJobHost__extensions__queues__visibilityTimeout": "00:00:05",
}
POLICY = "\n".join(line for line in POLICIES["cwpp"].splitlines() if not line.startswith("record:"))
"""The record has no second home: rows of every decision would be most of the work."""

CONDITIONS = Conditions(speed=10, restart_delay=0.5)
BATCH = 200
SWEEP = 10.0  # seconds
LONGEST = 3 * 3600.0  # seconds, after which it gives up
TAKEN = "SELECT COALESCE(sum(last - first + 1), 0)::bigint AS count FROM taken WHERE hub = 'cwpp'"


def letters(count: int) -> Iterator[Letter]:
    """In every hundred: three pages with tickets, three tickets, four that are not understood, the rest below the floor."""
    kinds = {0: high, 33: high, 66: high, 10: medium, 43: medium, 76: medium}
    for number in range(count):
        is_junk = number % 100 in (20, 40, 60, 80)
        yield junk(f"no JSON {number}".encode()) if is_junk else kinds.get(number % 100, low)(f"m-{number}")


async def soak(stack: Stack, count: int, every: float) -> bool:
    """Runs it, and prints what came of it; False where the books do not agree, TimeoutError where it takes too long."""
    post, began, killed = Post(stack), time.monotonic(), list[int]()

    def say(words: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {words}", flush=True)

    async with asyncio.timeout(LONGEST), stack.host(conditions=CONDITIONS, **SETTINGS).running() as host:
        killing = asyncio.create_task(kill_again_and_again(host, every, killed))
        sweeping = asyncio.create_task(_sweep_again_and_again(host))
        for number, some in enumerate(batched(letters(count), BATCH, strict=False)):
            await post.send(*some, partition=number % 2)
        while (taken := (await rows_in(stack, TAKEN))[0].whole("count")) < count:
            say(f"{taken:>8,} taken in")
            await asyncio.sleep(10)
        killing.cancel()
        say(f"all taken in; {len(killed)} workers were killed")
        while left := await left_over(stack):
            say(f"left: {'; '.join(left)[:300]}")
            await asyncio.sleep(20)
        sweeping.cancel()
        died = sum(run.outcome is Outcome.DIED for run in host.invocations)
    found, due = await books_of(stack), post.due
    outcomes = Counter(outcome for outcomes in found.record.values() for outcome in outcomes)
    say(f"{count:,} messages, {died:,} calls died with their worker; {dict(outcomes)}")
    # The record has no second home, so there are no rows of decisions.
    names = ("record", "quarantined", "pages", "tickets", "rows")
    agree = {name: getattr(found, name) == getattr(due, name) for name in names}
    print(*(f"  {'yes' if does else 'NO '}  {what} as due" for what, does in agree.items()), sep="\n")
    return all(agree.values())


async def _sweep_again_and_again(host: FunctionsHost) -> None:
    while True:
        await asyncio.sleep(SWEEP)
        await host.fire("sweep")


def main() -> int:
    """Soaks, and says with its exit code whether the books agree."""
    parser = argparse.ArgumentParser(prog="python -m tests.stack.soak", description="Kills workers, and counts.")
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--every", type=float, default=8.0, help="seconds between two kills on the average")
    options = parser.parse_args()
    with stack_running() as stack:
        stack.write_policy("cwpp", POLICY)
        return 0 if asyncio.run(soak(stack, options.messages, options.every)) else 1


if __name__ == "__main__":
    sys.exit(main())
