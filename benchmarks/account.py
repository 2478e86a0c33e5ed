"""What the router asks of storage: requests and bytes for an alert that is told everywhere, for one that is only on record,
and for a minute in which nothing happens. docs/deploy.md reckons costs with them.

    .venv/bin/python -m benchmarks.account

Requests are counted at a gate before Azurite. The host's own are not among them: its checkpoints, its leases, its looks into
queues; nor are the pointers' receipts, since a loop of ours and not the host receives them here.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

from benchmarks.workload import alerts
from router.app.clock import now
from router.app.rules import load_rules
from router.app.service import Service
from router.app.settings import Settings
from router.app.wiring import service_over
from router.cli.serve import work_off
from router.domain.journal import Event, Partition
from router.domain.rulebook import Lane
from router.domain.signals import Stream
from tests.builders import alert_body
from tests.stack.gate.gated import GatedStack, gated
from tests.stack.gate.requests import Seen
from tests.stack.stack import stack_running

ALERTS = 100
HUB = Partition("cwpp", "0")
STORAGE = ("table", "queue", "blob")


def main() -> int:
    """Prints a line for each case."""
    with stack_running() as stack, gated(stack) as behind:
        for line in asyncio.run(_cases(behind)):
            print(line)
    return 0


async def _cases(stack: GatedStack) -> list[str]:
    rules = load_rules(stack.rules, list(Stream), now())
    seen = stack.gate.watch()
    async with service_over(rules, Settings(stack.environment), now) as service:

        async def counted(what: str, of: int, work: Callable[[], Awaitable[object]]) -> str:
            before = len(seen)
            await work()
            return _line(what, of, seen[before:])

        told = [alert_body(f"told-{n}") for n in range(ALERTS)]
        alone = [alert_body(f"alone-{n}") for n in range(ALERTS)]
        kept = [alert_body(f"kept-{n}", Severity="Low") for n in range(ALERTS)]
        trickled = [alert_body(f"trickled-{n}", Severity="Low") for n in range(ALERTS)]
        large = list(alerts(ALERTS))
        await service.sweep()  # the first of all makes what later ones find
        return [
            await counted("a sweep of both streams, nothing to do", 1, service.sweep),
            await counted("taken in by the hundred, told everywhere", ALERTS, lambda: _take(service, told, 0, ALERTS)),
            await counted("... and delivered: page, ticket, row, record", ALERTS, lambda: _deliver(service, stack)),
            await counted("taken in one by one, told everywhere", ALERTS, lambda: _take(service, alone, 1000, 1)),
            await counted("... and delivered", ALERTS, lambda: _deliver(service, stack)),
            await counted(
                "taken in by the hundred, below the floor", ALERTS, lambda: _take(service, kept, 2000, ALERTS)
            ),
            await counted("... and delivered: record only", ALERTS, lambda: _deliver(service, stack)),
            await counted("taken in by twos, below the floor", ALERTS, lambda: _take(service, trickled, 4000, 2)),
            await counted("... and delivered: record only", ALERTS, lambda: _deliver(service, stack)),
            await counted(
                "4.9 KB each, by the hundred, told everywhere", ALERTS, lambda: _take(service, large, 3000, ALERTS)
            ),
            await counted("... and delivered", ALERTS, lambda: _deliver(service, stack)),
        ]


async def _take(service: Service, bodies: Sequence[bytes], first: int, at_a_time: int) -> None:
    events = [Event(first + n, now(), body) for n, body in enumerate(bodies)]
    for start in range(0, len(events), at_a_time):
        await service.ingest_events(HUB, events[start : start + at_a_time])


async def _deliver(service: Service, stack: GatedStack) -> None:
    """Carries what is owed until nothing new has come out for a while."""
    stop = asyncio.Event()
    loops = [asyncio.create_task(work_off(service, Stream.CWPP, lane, stop, print)) for lane in Lane]
    before: object = None
    while (out := stack.soc.counts()["received"]) != before:
        before = out
        await asyncio.sleep(5)
    stop.set()
    await asyncio.gather(*loops)


def _line(what: str, of: int, seen: Sequence[Seen]) -> str:
    asked = Counter(one.service for one in seen if one.service in STORAGE and not _is_look(one))
    sent = sum(len(one.body) for one in seen if one.service in STORAGE)
    counts = "  ".join(f"{service} {asked[service] / of:6.2f}" for service in STORAGE)
    return f"{what:48} {counts}  sent {sent / of / 1000:6.2f} KB"


def _is_look(one: Seen) -> bool:
    """A look into a queue: how many there are depends on time, not on messages."""
    return one.service == "queue" and one.method == "GET"


if __name__ == "__main__":
    sys.exit(main())
