"""Silence over whole sweeps: messages come to a hub, are taken in or not, and what is told of it is true."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from router.domain.journal import Partition
from router.domain.keys import signal_key
from router.domain.source_silence import DOWN
from router.domain.source_turns import finding_id_of
from router.ingest.gaps import GapFiller
from router.ingest.silent_sources import BEHIND, SilentSources
from router.store.delivery_status import list_deliveries
from tests.builders import NOW
from tests.constructed.weeks import row_of
from tests.domain.silence_model import DAY, HOUR, ONE, TWO, of_subscription, subscriptions
from tests.examples import some_of
from tests.ingest.weeks import MINUTE, Weeks
from tests.store.opened import open_store
from tests.store.within import within

WITHIN = 2 * DAY
"""How long each of two subscriptions may be silent here."""

BOTH = subscriptions(ONE, TWO, days=2)


@dataclass
class Router:
    """A router over a hub of two partitions, of which each subscription has one.

    Attributes:
        weeks: the store, the hub, and the present.
        came: when the hub got messages of each subscription.
        swept: when sweeps ended.
        said: what was told of each subscription, and when.
    """

    weeks: Weeks
    came: dict[str, list[datetime]] = field(default_factory=lambda: {ONE: [], TWO: []})
    swept: list[datetime] = field(default_factory=list)
    said: dict[str, list[tuple[datetime, str]]] = field(default_factory=lambda: {ONE: [], TWO: []})
    sources: SilentSources | None = None

    def publish(self, subscription: str) -> None:
        """The hub gets a message; it is the same each time, as a snapshot's is."""
        body = row_of("a", subscription=subscription)
        self.weeks.publish_body(body, self.weeks.now, partition=int(subscription == TWO))
        self.came[subscription].append(self.weeks.now)

    async def take(self) -> None:
        """The trigger takes in what the hub holds."""
        for partition, events in self.weeks.shelf.events.items():
            if events and partition.id not in self.weeks.shelf.silent:
                await self.weeks.event_intake.ingest_events(partition, events[-50:], self.weeks.now)

    async def sweep(self) -> None:
        """A sweep, by the process that is there or by one that just began."""
        weeks, now = self.weeks, self.weeks.now
        if self.sources is None:
            self.sources = SilentSources(weeks.intake, weeks.store, BOTH)
        report = await GapFiller(weeks.shelf, weeks.store, weeks.event_intake).fill_gaps(now)
        found = await self.sources.look(report.find_taken_until(), now)
        for entry in found.entries:
            (subscription,) = [id for id in self.said if id in (entry.id or "")]
            self.said[subscription].append((now, entry.outcome))
        self.swept.append(now)

    async def lives(self, span: timedelta) -> None:
        """Sweeps go by, near enough to each other that nobody takes the router for away."""
        end = self.weeks.now + span
        while self.weeks.now < end:
            self.weeks.now = min(end, self.weeks.now + DOWN - 2 * HOUR)
            await self.sweep()


steps = st.lists(
    st.tuples(
        st.sampled_from(["message", "take", "sweep", "lives", "away", "restart", "silence", "expire"]),
        st.sampled_from([ONE, TWO]),
        st.integers(1, 60),
    ),
    max_size=14,
)


async def play(router: Router, some: Sequence[tuple[str, str, int]]) -> None:
    """What happens, one after the other."""
    shelf, weeks = router.weeks.shelf, router.weeks
    for what, subscription, number in some:
        weeks.now += MINUTE
        partition = Partition("cspm", str(int(subscription == TWO)))
        match what:
            case "message":
                router.publish(subscription)
            case "take":
                await router.take()
            case "sweep":
                await router.sweep()
            case "lives":
                await router.lives(number * HOUR)
            case "away":
                weeks.now += number * 3 * HOUR
            case "restart":
                router.sources = None
            case "silence":
                shelf.silent ^= {partition.id}
            case "expire":
                shelf.events[partition] = shelf.events[partition][-1:]


def check_what_was_said(router: Router) -> None:
    """Each subscription is opened and resolved in turn; none is opened while the hub hears of it, or just after an absence."""
    for subscription, said in router.said.items():
        assert [outcome for _, outcome in said] == ["routed", "resolved"] * (len(said) // 2) + ["routed"] * (
            len(said) % 2
        )
        for at, outcome in said:
            if outcome != "routed":
                continue
            lately = [came for came in router.came[subscription] if at - WITHIN + HOUR < came <= at - BEHIND]
            assert lately == [], "the hub had heard of it"
            swept = [NOW, *(one for one in router.swept if one <= at)]
            absences = [later for one, later in pairwise(swept) if later - one > DOWN + HOUR]
            assert all(at - back > WITHIN - BEHIND for back in absences), "the router was just back"


@settings(max_examples=some_of(100))
@given(steps)
def test_whatever_comes_and_goes_what_is_told_is_true_and_whoever_is_silent_is_told(
    some: Sequence[tuple[str, str, int]],
) -> None:
    """Messages that wait, are lost, or cannot be read; absences and restarts. In the end both are silent, and one speaks."""

    async def life(directory: Path) -> Router:
        store = open_store(directory)
        router = Router(Weeks(store))
        await router.sweep()
        await play(router, some)
        router.weeks.shelf.silent.clear()
        await router.lives(2 * WITHIN + DAY)
        assert [said[-1][1] for said in router.said.values()] == ["routed", "routed"]
        router.weeks.now += MINUTE
        router.publish(ONE)
        await router.lives(5 * HOUR)
        assert [router.said[id][-1][1] for id in (ONE, TWO)] == ["resolved", "routed"]
        for id, said in router.said.items():
            key = signal_key("cspm", "coverage", finding_id_of(of_subscription(id)))
            owed = [one for one in await within(store, list_deliveries, key) if one.destination == "tickets"]
            assert [(one.change, one.turn) for one in owed] == [
                ("opened" if outcome == "routed" else "resolved", turn) for turn, (_, outcome) in enumerate(said, 1)
            ]
        await store.close()
        return router

    with TemporaryDirectory() as directory:
        check_what_was_said(asyncio.run(life(Path(directory))))


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
