"""Lets a state grow old: 120 days of a steady stream at a smaller scale, and how large the file is.

    .venv/bin/python -m benchmarks.ageing     # 2,000 messages a day

The stream is that of `field.py`. Several times a day messages come in, are delivered, and a sweep forgets what is old enough.
In the end it says what forgetting costs for each message that comes in.
"""

from __future__ import annotations

import argparse
import asyncio
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from time import thread_time

from benchmarks.field import days, rules_for
from benchmarks.virtual import Clock, VirtualRouter
from tests.store.opened import open_store

DAY = timedelta(days=1)
FULL = 90
"""Days after which as much goes as comes, but for what is open somewhere and counts."""
EVERY = 15
"""Days between two looks."""


async def _live(daily: int, length: int, parts: int, scratch: Path) -> None:
    """Lives so many days, which end today: storage has clocks of its own."""
    start = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - length * DAY
    clock, rules = Clock(start), rules_for(scratch / "rules", start, length)
    store = open_store(scratch / "state", clock)
    router = VirtualRouter(store, rules, clock)
    messages, routing, forgetting = 0, 0.0, 0.0
    for day, coming in enumerate(islice(days(daily, start), length), start=1):
        for part in range(parts):
            clock.now = start + (day - 1) * DAY + (part + 1) * DAY / parts
            began = thread_time()
            for stream, bodies in coming.items():
                await router.take(stream, bodies[len(bodies) * part // parts : len(bodies) * (part + 1) // parts])
            await router.deliver()
            await router.sweep()
            taken = thread_time()
            await router.forget()
            routing, forgetting = routing + taken - began, forgetting + thread_time() - taken
        messages += sum(map(len, coming.values()))
        if day == min(FULL, length // 2):
            messages, routing, forgetting = 0, 0.0, 0.0
        if day % EVERY == 0 or day == length:
            print(f"day {day}: {sum((await store.measure()).files.values()) / 1e6:,.1f} MB", flush=True)
    await store.close()
    print(f"CPU for each of the last {messages:,} messages: {forgetting / messages * 1e3:.3f} ms to forget,", end=" ")
    print(f"{routing / messages * 1e3:.3f} ms to take in and deliver")


def main() -> None:
    """Prints the size of the state, day by day."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ageing", description=__doc__)
    parser.add_argument("--daily", type=int, default=2_000, help="messages a day (default: 2000)")
    parser.add_argument("--days", type=int, default=120, help="days (default: 120)")
    parser.add_argument("--parts", type=int, default=24, help="how often a day messages come (default: 24)")
    options = parser.parse_args()
    with TemporaryDirectory(prefix="ageing-") as scratch:
        asyncio.run(_live(options.daily, options.days, options.parts, Path(scratch)))


if __name__ == "__main__":
    main()
