"""`alert-router send`: publishes the messages of files to a hub."""

from __future__ import annotations

import asyncio
from argparse import Namespace as Options
from collections.abc import Iterator, Sequence

from router.app.connections import namespace_for
from router.app.optional_packages import HUB_CLIENTS, refuse_absent
from router.app.settings import Settings
from router.cli.incoming import Source, open_files
from router.cli.run_job import messages_in
from router.cli.screen import Advance, progress_over, screen
from router.cli.streams import complain
from router.domain.errors import HubError
from router.eventhubs import Namespace, publish

REFUSED = 1
"""The exit code where the hub did not take all."""


def send(options: Options) -> int:
    """Publish every message of some files, whatever it is; 1 where the hub did not take all, else 0."""
    refuse_absent(HUB_CLIENTS, "send")
    namespace = namespace_for(Settings())
    with open_files(options.files) as files:
        try:
            count = asyncio.run(_publish(namespace, options.to, files))
        except HubError as fault:
            complain(str(fault))
            return REFUSED
    screen().print(f"sent to {options.to}: {count}")
    return 0


async def _publish(namespace: Namespace, hub: str, files: Sequence[Source]) -> int:
    try:
        with progress_over(sum(file.size for file in files)) as advance:
            return await publish(namespace, hub, _bodies_in(files, advance))
    finally:
        await namespace.close()


def _bodies_in(sources: Sequence[Source], advance: Advance) -> Iterator[bytes]:
    for message in messages_in(sources):
        if message.cut is not None:
            raise HubError(f"{message.source}: has {message.cut.size} bytes, more than a hub takes; leave it out")
        yield message.body
        advance(len(message.body))
