"""Nobody is judged while something waits in the hub."""

from __future__ import annotations

import asyncio
from pathlib import Path

from router.domain.source_silence import DOWN
from router.ingest.silent_sources import BEHIND, SilentSources
from tests.builders import NOW
from tests.domain.silence_model import DAY, HOUR, ONE, TWO, subscriptions
from tests.ingest.weeks import MINUTE, Weeks
from tests.store.opened import open_store

WITHIN = 2 * DAY
"""How long each of two subscriptions may be silent here."""

BOTH = subscriptions(ONE, TWO, days=2)


def test_while_the_backlog_is_not_taken_in_nobody_is_judged(tmp_path: Path) -> None:
    """A quarter of an hour may wait, since that is what is under way; nor where nobody knows what waits."""

    async def life() -> list[int]:
        weeks = Weeks(open_store(tmp_path))
        sources = SilentSources(weeks.intake, weeks.store, BOTH)
        at = NOW
        while at < NOW + WITHIN:
            assert not (await sources.look(at, at)).entries
            at += DOWN - HOUR
        at = NOW + WITHIN + MINUTE
        found = [
            len((await sources.look(until, now)).entries)
            for until, now in ((None, at), (at, at + BEHIND + MINUTE), (at, at + BEHIND))
        ]
        await weeks.store.close()
        return found

    assert asyncio.run(life()) == [0, 0, 2]
