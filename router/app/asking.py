"""Runs what asks over HTTP: sends each request that it yields, and gives it the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from router.app.patience import Send
from router.coverage.live.probes import Documents, Inquiry, Probe
from router.domain.conversation import Asking
from router.domain.errors import Unavailable

type Advance = Callable[[int, int], None]
"""Called with how many probes have ended, and of how many it is known that they run."""


async def run_asking[T](asking: Asking[T], send: Send) -> T:
    """What comes of a question, once all that it asks is answered."""
    try:
        request = next(asking)
        while True:
            try:
                answer = await send(request)
            except Unavailable as fault:
                request = asking.throw(fault)
            else:
                request = asking.send(answer)
    except StopIteration as end:
        found: T = end.value
        return found


async def run_probes(probes: Sequence[Probe], send: Send, ended: Callable[[], None] = lambda: None) -> list[Documents]:
    """The documents of each of some probes, which run side by side; `ended` is called as each of them does."""

    async def run(probe: Probe) -> Documents:
        documents = await run_asking(probe, send)
        ended()
        return documents

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(run(probe)) for probe in probes]
    return [task.result() for task in tasks]


async def run_inquiry(inquiry: Inquiry, send: Send, advance: Advance = lambda ended, known: None) -> Documents:
    """All documents of an inquiry and of its probes."""
    found: list[Documents] = []
    ended = known = 0

    def count() -> None:
        nonlocal ended
        ended += 1
        advance(ended, known)

    try:
        probes = next(inquiry)
        while True:
            known += len(probes)
            advance(ended, known)
            documents = await run_probes(probes, send, count)
            found += documents
            probes = inquiry.send(documents)
    except StopIteration as end:
        own: Documents = end.value
        return tuple(one for documents in (*found, own) for one in documents)
