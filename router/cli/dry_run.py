"""Decides and does nothing else: no state, no secrets, nothing sent, and so no repeats."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from router.app.clock import Clock
from router.cli.decisions import decisions_at
from router.cli.entries import entry_of
from router.cli.files import Source
from router.cli.job import batches_in
from router.cli.progress import progress_over
from router.cli.stdin import Stdin
from router.cli.stopping import Stop
from router.cli.tally import Tally
from router.ingest.messages import MessageReader


async def decide_only(sources: Sequence[Source], reader: MessageReader, clock: Clock, decisions: Path | None) -> Tally:
    """Counts of the decisions on the signals in some sources, which are written to the decisions file too; raises BadFile."""
    tally = Tally()
    with ExitStack() as stack:
        written = stack.enter_context(decisions_at(decisions)) if decisions is not None else None
        is_awaited = any(isinstance(source, Stdin) for source in sources)
        size = None if is_awaited else sum(source.size for source in sources)
        advance = stack.enter_context(progress_over(size))
        async for batch in batches_in(sources, Stop()):
            now = clock()
            entries = [entry_of(part, reader, now) for message in batch for part in reader.read_message(message)]
            tally.add(entries)
            if written is not None:
                written.write(entries)
            advance(sum(len(message.body) for message in batch))
    return tally
