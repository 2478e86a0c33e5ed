"""Many workers and one vendor that takes only so much: what it is asked, what that costs, and how late the last page is.

    .venv/bin/python -m benchmarks.crowd --workers 40 --pages 400 --most 20 --takes 1 --retry-after 5

The vendor takes `--most` calls at a time, each for `--takes` seconds, and no more than `--rate` a second where that is given;
what is beyond it answers 429 at once. Workers are whole services in one process, so times are this machine's; counts are
not.
"""

from __future__ import annotations

import asyncio
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from contextlib import AsyncExitStack
from statistics import median

from aiohttp import web

from alert_router_demo.soc import SocAccount
from alert_router_demo.soc.endpoint import served
from alert_router_demo.soc.pagerduty import PagerDutyDouble
from router.app.rules import load_rules
from router.app.settings import Settings, now
from router.app.wiring import open_service
from router.cli.serve import repeat
from router.domain.hubs import Event, Partition
from router.domain.rulebook import Lane
from router.domain.signals import Stream
from tests.builders import alert_body
from tests.stack.stack import Stack, stack_running

HUB = Partition("cwpp", "0")

POLICY = """
stream: cwpp
floor: {{default: Medium}}
destinations:
  oncall: {{kind: pagerduty, url: "PAGER", routing_key: {{secret: CWPP_ROUTING_KEY}}}}
routes: []
always: []
otherwise: [oncall]
"""


class BusyPager(PagerDutyDouble):
    """A pager that takes so many calls at a time, and so many a second.

    Attributes:
        at_once, peak: how many calls it has now, and had at most, those that it refuses among them.
        opened: when each page was opened, in seconds of the clock.
    """

    def __init__(self, accounts: Iterable[SocAccount], options: Namespace) -> None:
        super().__init__(accounts)
        self._options = options
        self._second = (0, 0)
        self.at_once = 0
        self.peak = 0
        self.opened: list[float] = []

    async def _enqueue(self, request: web.Request) -> web.Response:
        self.at_once += 1
        self.peak = max(self.peak, self.at_once)
        try:
            if self.at_once > self._options.most or not self._has_room():
                wish = self._options.retry_after
                return self.error(429, "", {"Retry-After": str(wish)} if wish else {})
            await asyncio.sleep(self._options.takes)
        finally:
            self.at_once -= 1
        answer = await super()._enqueue(request)
        self.opened += [time.monotonic()] * (len(self.pages) - len(self.opened))
        return answer

    def _has_room(self) -> bool:
        second, count = self._second
        present = int(time.monotonic())
        self._second = (present, count + 1 if present == second else 1)
        return not self._options.rate or self._second[1] <= self._options.rate


async def _measured(stack: Stack, options: Namespace) -> list[str]:
    pager = BusyPager(stack.soc.accounts.values(), options)
    async with AsyncExitStack() as held:
        stack.write_policy("cwpp", POLICY.replace("PAGER", await held.enter_async_context(served(pager.application()))))
        settings = Settings(stack.environment | dict(one.split("=", 1) for one in options.setting))
        rules = load_rules(stack.rules, list(Stream), now())
        services = [await held.enter_async_context(open_service(rules, settings, now)) for _ in range(options.workers)]
        bodies = [alert_body(f"page-{number}") for number in range(options.pages)]
        for start in range(0, len(bodies), 100):
            events = [Event(start + n, now(), body) for n, body in enumerate(bodies[start : start + 100])]
            await services[0].ingest_events(HUB, events)
        began, stop = time.monotonic(), asyncio.Event()
        loops = [asyncio.create_task(one.deliver_on(Stream.CWPP, Lane.PAGE)) for one in services]
        loops.append(asyncio.create_task(repeat(services[0].sweep, 60, stop, print)))
        while len(pager.pages) < options.pages:
            await asyncio.sleep(0.2)
        stop.set()
        for one in services:
            one.drain.asked.set()
        await asyncio.gather(*loops)
    late = sorted(at - began for at in pager.opened)
    return [
        f"pages {options.pages}, taken {len(pager.pages)}, twice {sum(page.triggers > 1 for page in pager.pages)}",
        f"calls {pager.answers.total()}, refused {pager.answers['429']}, at a time {pager.peak}",
        f"waited: median {median(late):.0f} s, the last {late[-1]:.0f} s",
    ]


def main() -> int:
    """Prints what came of it."""
    parser = ArgumentParser(prog="python -m benchmarks.crowd", description=__doc__)
    for name, kind, usual in (
        ("workers", int, 40),
        ("pages", int, 400),
        ("most", int, 20),
        ("takes", float, 1.0),
        ("rate", int, 0),
        ("retry-after", int, 5),
    ):
        parser.add_argument(f"--{name}", type=kind, default=usual)
    parser.add_argument("--setting", action="append", default=[], help="an app setting, NAME=VALUE")
    options = parser.parse_args()
    with stack_running() as stack:
        for line in asyncio.run(_measured(stack, options)):
            print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
