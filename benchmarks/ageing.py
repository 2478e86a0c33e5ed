"""Lets a state grow old: 120 days of a steady stream at a smaller scale, and how large everything is, day by day.

    .venv/bin/python -m benchmarks.ageing     # 2,000 messages a day

The stream is that of `field.py`. Several times a day messages come in, are delivered, and a sweep forgets what is old enough.
In the end it says what forgetting costs for each message that comes in, and what the sizes come to with a million a day.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

from benchmarks.field import days, rules_for
from benchmarks.sizes import Size, Sizes, of_file
from benchmarks.virtual import AtWork, Clock, OnFile, Price, Priced
from router.store.store import Store
from tests.store.opened import open_store

DAY = timedelta(days=1)
FULL = 90
"""Days after which as much goes as comes, but for what is open somewhere and counts."""
SHOWN = (15, 30, 60, 90, 105, 120)
"""Days that the table in the end shows."""
YEARLY = ("counts", "lookups c:")
"""What grows with hours, for 400 days, and hardly with messages."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How many messages come a day, for how many days, in how many parts of a day; and which days are looked at."""

    daily: int
    length: int
    parts: int
    every: int

    @property
    def start(self) -> datetime:
        """The midnight at which it begins, so that it ends today: storage has clocks of its own."""
        return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - self.length * DAY


@dataclass(slots=True)
class Life:
    """What a state went through.

    Attributes:
        sizes: by day, for the days that were looked at.
        messages: how many came in since it was full.
        routing: CPU seconds for taking them in and delivering, of the thread of the router.
        price: what forgetting cost since then.
        idle: what those sweeps cost, ever, that found nothing to forget.
    """

    sizes: dict[int, Sizes] = field(default_factory=dict)
    messages: int = 0
    routing: float = 0.0
    price: Price = field(default_factory=Price)
    idle: Price = field(default_factory=Price)


def main() -> int:
    """Prints the sizes of each day, and what they come to."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ageing", description=__doc__)
    parser.add_argument("--daily", type=int, default=2_000, help="messages a day (default: 2000)")
    parser.add_argument("--days", type=int, default=120, help="days (default: 120)")
    parser.add_argument("--parts", type=int, default=24, help="how often a day messages come (default: 24)")
    parser.add_argument("--every", type=int, default=1, help="days between two looks (default: 1)")
    options = parser.parse_args()
    plan = Plan(options.daily, options.days, options.parts, options.every)
    began = time.monotonic()
    with TemporaryDirectory(prefix="ageing-") as scratch:
        life = asyncio.run(_on_file(plan, Path(scratch)))
    for line in _report(plan, life):
        print(line)
    print(f"\n{plan.length} days in {time.monotonic() - began:.0f} s")
    return 0


async def _on_file(plan: Plan, scratch: Path) -> Life:
    clock, rules = Clock(plan.start), rules_for(scratch / "rules", plan.start, plan.length)
    store = open_store(scratch / "state", clock)
    priced = Priced(store)

    async def sizes() -> Sizes:
        return of_file(scratch / "state")

    try:
        return await _live(plan, clock, priced, OnFile(cast(Store, priced), rules, clock), sizes)
    finally:
        await store.close()


async def _live(
    plan: Plan, clock: Clock, store: Priced, at_work: AtWork, sizes: Callable[[], Awaitable[Sizes]]
) -> Life:
    life, start, before = Life(), clock.now, Price()
    full = min(FULL, plan.length // 2)
    for day, messages in enumerate(islice(days(plan.daily, start), plan.length), start=1):
        for part in range(plan.parts):
            clock.now = start + (day - 1) * DAY + (part + 1) * DAY / plan.parts
            cpu = time.thread_time()
            for stream, bodies in messages.items():
                await at_work.take(stream, bodies[_share(bodies, part, plan.parts)])
            await at_work.deliver()
            life.routing += time.thread_time() - cpu
            await at_work.sweep()
        life.messages += sum(map(len, messages.values()))
        if day == full:
            life.messages, life.routing, before = 0, 0.0, store.price.since(Price())
        if day % plan.every == 0 or day in SHOWN or day == plan.length:
            life.sizes[day] = await sizes()
            print(_day(day, life.sizes[day]), flush=True)
    life.price, life.idle = store.price.since(before), store.idle
    return life


def _share(bodies: Sequence[bytes], part: int, parts: int) -> slice:
    return slice(len(bodies) * part // parts, len(bodies) * (part + 1) // parts)


def _day(day: int, sizes: Sizes) -> str:
    each = "  ".join(f"{name} {size.rows:,} ({_megabytes(size)})" for name, size in sorted(sizes.items()))
    whole = _whole(sizes)
    return f"day {day:3}  {whole.rows:9,} rows {_megabytes(whole):>6} MB  |  {each}"


def _whole(sizes: Sizes) -> Size:
    return Size(sum(size.rows for size in sizes.values()), sum(size.bytes for size in sizes.values()))


def _megabytes(size: Size) -> str:
    return f"{size.bytes / 1e6:.1f}"


def _report(plan: Plan, life: Life) -> Iterator[str]:
    shown = [day for day in life.sizes if day in SHOWN or day == plan.length]
    last = life.sizes[shown[-1]]
    yield "\n| rows (MB) | " + " | ".join(f"day {day}" for day in shown) + " | at 1,000,000 a day |"
    yield "|---|" + "---|" * (len(shown) + 1)
    for name in sorted(last, key=lambda name: -last[name].bytes):
        seen = [life.sizes[day].get(name, Size(0, 0)) for day in shown]
        cells = " | ".join(f"{size.rows:,} ({_megabytes(size)})" for size in seen)
        yield f"| {name} | {cells} | {_extrapolated(plan, name, last[name]) / 1e9:,.1f} GB |"
    wholes = " | ".join(f"{(whole := _whole(life.sizes[day])).rows:,} ({_megabytes(whole)})" for day in shown)
    total = sum(_extrapolated(plan, name, size) for name, size in last.items())
    yield f"| all | {wholes} | {total / 1e9:,.1f} GB |"
    yield from _price(life)


def _extrapolated(plan: Plan, name: str, size: Size) -> float:
    """Bytes with a million messages a day."""
    return size.bytes * (400 / plan.length if name in YEARLY else 1e6 / plan.daily)


def _price(life: Life) -> Iterator[str]:
    price, fixed = life.price, life.idle.requests / max(life.idle.calls, 1)
    beyond = price.requests - price.calls * fixed
    yield f"\nforgetting, for each of the last {life.messages:,} messages that came in:"
    yield f"  {price.cpu / life.messages * 1e3:.3f} ms CPU"
    if price.requests:
        yield f"  {price.requests / life.messages:.2f} requests, {beyond / life.messages:.2f} of them beyond the {fixed:.1f}"
        yield "  that each call makes which finds nothing to forget"
    yield f"taking in and delivering, for each of them: {life.routing / life.messages * 1e3:.3f} ms CPU"


if __name__ == "__main__":
    sys.exit(main())
