"""`python -m tests.stack.soak`: many messages through the whole stack while the worker is killed every few seconds.

They go into a loopback Event Hubs, through function_app.py in Microsoft's runtime, into PostgreSQL and to a loopback SOC. When
nothing is left to do, the books of what was sent are compared with what is on record and at the SOC.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator

from tests.stack.accounting import Books, Letter, Post, books_of, high, junk, left_over, low, medium
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


def letters(count: int) -> Iterator[Letter]:
    """In every hundred: three pages with tickets, three tickets, four that are not understood, the rest below the floor."""
    for number in range(count):
        match number % 100:
            case 0 | 33 | 66:
                yield high(f"h-{number}")
            case 10 | 43 | 76:
                yield medium(f"m-{number}")
            case 20 | 40 | 60 | 80:
                yield junk(f"no JSON {number}".encode())
            case _:
                yield low(f"l-{number}")


async def soak(stack: Stack, count: int, every: float) -> bool:
    """Runs it, and prints what came of it; False where the books do not agree."""
    post, began = Post(stack), time.monotonic()
    async with stack.host(conditions=CONDITIONS, **SETTINGS).running() as host:
        trouble = asyncio.create_task(_kill_again_and_again(host, every))
        sweeping = asyncio.create_task(_sweep_again_and_again(host))
        some: list[Letter] = []
        for number, letter in enumerate(letters(count)):
            some.append(letter)
            if len(some) == BATCH or number == count - 1:
                await post.send(*some, partition=number // BATCH % 2)
                some = []
        kills = await _until_taken(stack, trouble, began, count)
        print(f"all taken in after {time.monotonic() - began:.0f} s; the killing ends", flush=True)
        await _until_done(stack, began)
        sweeping.cancel()
        ended = Counter((run.function, run.outcome) for run in host.invocations)
    print(f"\n{count:,} messages in {time.monotonic() - began:.0f} s, {kills} workers killed")
    for (function, outcome), number in sorted(ended.items(), key=str):
        print(f"  {function:22} {outcome.value:8} {number:>8,}")
    return _compare(post.due, await books_of(stack), ended)


async def _kill_again_and_again(host: FunctionsHost, every: float) -> int:
    chance, kills = random.Random(20261124), 0  # noqa: S311  A seed, so that a failure can be had again.
    try:
        while True:
            # As deaths come: many right after another, and now and then a while without one.
            await asyncio.sleep(chance.expovariate(1 / every))
            await host.kill_worker()
            kills += 1
    except asyncio.CancelledError:
        return kills


async def _sweep_again_and_again(host: FunctionsHost) -> None:
    while True:
        await asyncio.sleep(SWEEP)
        await host.fire("sweep")


async def _until_taken(stack: Stack, trouble: asyncio.Task[int], began: float, count: int) -> int:
    """Waits until every message is on record, then ends the killing; returns how many were killed."""
    while (done := await _taken(stack)) < count and time.monotonic() - began < LONGEST:
        print(f"{time.monotonic() - began:6.0f} s  {done:>8,} taken in", flush=True)
        await asyncio.sleep(10)
    trouble.cancel()
    return await trouble


async def _taken(stack: Stack) -> int:
    """How many messages were taken in."""
    store = stack.store()
    async with store.session() as tx:
        taken = int(await tx.value("SELECT sum(last - first + 1) FROM taken WHERE hub='cwpp'") or 0)
    await store.close()
    return taken


async def _until_done(stack: Stack, began: float) -> None:
    while (left := await left_over(stack)) and time.monotonic() - began < LONGEST:
        print(f"{time.monotonic() - began:6.0f} s  left: {'; '.join(left)[:300]}", flush=True)
        await asyncio.sleep(20)


def _compare(due: Books, found: Books, ended: Counter[tuple[str, Outcome]]) -> bool:
    outcomes = Counter(outcome for outcomes in found.record.values() for outcome in outcomes)
    doubled = sum(number - 1 for number in found.tickets.values())
    print(f"\n  outcomes  {', '.join(f'{name} {number:,}' for name, number in sorted(outcomes.items()))}")
    tickets = f"{len(found.tickets):,} tickets ({doubled} doubled)"
    print(f"  at the SOC  {len(found.pages):,} pages, {tickets}, {len(found.rows):,} rows")
    unread = {message for message, ends in found.record.items() if ends != due.record.get(message)}
    agree = {
        "one outcome for each message, as is due": not unread and found.record.keys() == due.record.keys(),
        "quarantined whole": found.quarantined == due.quarantined,
        "one page for each signal": found.pages == due.pages,
        "one ticket for each signal": found.tickets == due.tickets,
        "a row for each turn": found.rows == due.rows,
    }
    print(*(f"  {'yes' if does else 'NO '}  {what}" for what, does in agree.items()), sep="\n")
    for message in sorted(unread)[:10]:
        print(f"       {message}: {found.record[message]}, due: {due.record.get(message)}")
    killed = sum(number for (_, outcome), number in ended.items() if outcome is Outcome.DIED)
    print(f"  {killed:,} calls died with their worker")
    return all(agree.values())


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
