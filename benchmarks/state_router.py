"""The router in a process of its own, which does what `state.py` says a line at a time.

It imports nothing else of this room, so that it runs with the code of whatever checkout it is started in.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import router
from router.app.rules import load_rules
from router.app.service import Service
from router.app.settings import Settings, now
from router.app.wiring import open_service
from router.domain.hubs import Event, Partition
from router.domain.rulebook import Lane
from router.domain.signals import Stream

HUB = Partition("cwpp", "0")


async def _main() -> None:
    """Says where its code is, and answers each line when it is done, until no more come."""
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    given = json.loads(await lines.readline())
    rules = load_rules(Path(given["rules"]), list(Stream), now())
    async with open_service(rules, Settings(given["environment"]), now) as service:
        _answer(str(Path(router.__file__).resolve()))
        while line := await lines.readline():
            match line.decode().split():
                case ["sweep"]:
                    await service.sweep()
                case ["take", file, first, at_a_time]:
                    await _take(service, Path(file), int(first), int(at_a_time))
                case ["deliver"]:
                    await _deliver(service, lines)
            _answer("done")


async def _take(service: Service, file: Path, first: int, at_a_time: int) -> None:
    events = [Event(first + n, now(), body) for n, body in enumerate(file.read_bytes().splitlines())]
    for start in range(0, len(events), at_a_time):
        await service.ingest_events(HUB, events[start : start + at_a_time])


async def _deliver(service: Service, lines: asyncio.StreamReader) -> None:
    """Delivers what is due, and waits for the next line."""
    loops = [asyncio.create_task(service.deliver(Stream.CWPP, lane)) for lane in Lane]
    _answer("delivering")
    await asyncio.gather(*loops)
    await lines.readline()


def _answer(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    asyncio.run(_main())
