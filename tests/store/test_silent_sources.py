"""Who is silent is told once, whoever looks beside and whoever dies in between, on both stores."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count

from router.domain.catalogue import Catalogue
from router.domain.coverage import WorkloadKind
from router.domain.coverage_manifest import CoverageManifest
from router.domain.coverage_sources import CoverageSource, LastHeard
from router.domain.documents import DocumentKind
from router.domain.errors import StoreError
from router.domain.hubs import HubEpoch, Loss, Partition, Span
from router.domain.keys import signal_key
from router.domain.retention import Retention
from router.domain.signals import Stream
from router.domain.source_turns import document_of_watch, find_watch, finding_id_of
from router.ingest.intake import Intake
from router.ingest.silent_sources import SilentSources
from router.store.decisions import find_decisions
from router.store.delivery_status import list_deliveries
from router.store.documents import find_document, put_document, remove_document
from router.store.partitions import write_losses
from router.store.sources import write_heard
from router.store.store import Store
from tests.builders import NOW, a_rulebook
from tests.domain.silence_model import (
    DAY,
    HOUR,
    ONE,
    TWO,
    a_manifest,
    an_entry,
    cluster_id,
    of_subscription,
    subscriptions,
)
from tests.store.acts import run
from tests.store.deadly import Deadly
from tests.store.within import within

SECOND = timedelta(seconds=1)
BOOK = a_rulebook(stream=Stream.CSPM)
BOTH = subscriptions(ONE, TWO)
WHOLE = a_manifest(
    an_entry(WorkloadKind.SUBSCRIPTION, ONE, plans=["VirtualMachines", "Containers"]),
    an_entry(WorkloadKind.CLUSTER, cluster_id("aks-a"), number=2),
)


def sources_of(store: Store, manifest: CoverageManifest = BOTH) -> SilentSources:
    """What watches, as a process just begun has it."""
    return SilentSources(Intake(store, {Stream.CSPM: BOOK}, Catalogue(), Stream.CSPM), store, manifest)


async def look(store: Store, at: datetime, manifest: CoverageManifest = BOTH) -> list[str]:
    """A look of a process just begun, up to whose beginning all was taken in; the outcomes on record."""
    return [entry.outcome for entry in (await sources_of(store, manifest).look(at, at)).entries]


async def live(store: Store, until: datetime, since: datetime = NOW, manifest: CoverageManifest = BOTH) -> list[str]:
    """A look at the beginning and one at the end; what lies between is quiet, and the router was at work all the time."""
    found = await look(store, since, manifest)
    document = await within(store, find_document, DocumentKind.SILENT_SOURCES, "cspm")
    assert document is not None
    watch = find_watch(document)
    assert watch is not None
    quiet = document_of_watch("cspm", replace(watch, taken=until), document.version)
    assert await within(store, put_document, quiet) is not None
    return [*found, *await look(store, until, manifest)]


async def hear(store: Store, at: datetime, *sources: CoverageSource) -> None:
    """A row of a snapshot speaks of some sources, and is Healthy."""
    heard = [LastHeard(source=source, posture=at, snapshot=at, healthy=at) for source in sources]
    await within(store, write_heard, heard, at)


def key_of(source: CoverageSource) -> str:
    """The key of the finding that a source is silent."""
    return signal_key("cspm", "coverage", finding_id_of(source))


async def owed_of(store: Store, source: CoverageSource) -> list[tuple[str, int]]:
    """What `tickets` is owed of a source."""
    owed = await within(store, list_deliveries, key_of(source))
    return [(one.change.value, one.turn) for one in owed if one.destination == "tickets"]


async def on_record(store: Store, source: CoverageSource) -> list[str]:
    """The places on record of what was found of a source, the latest first."""
    return [one.key for one in await within(store, find_decisions, key_of(source), 10)]


def test_a_source_falls_silent_speaks_again_and_falls_silent_again(store: Store) -> None:
    """Each is a turn of one finding, with its place on record and its notice."""

    async def years() -> list[list[str]]:
        found = [await live(store, NOW + 8 * DAY)]
        found.append(await live(store, NOW + 9 * DAY, NOW + 8 * DAY + SECOND))
        await hear(store, NOW + 9 * DAY, of_subscription(ONE))
        found.append(await live(store, NOW + 10 * DAY, NOW + 9 * DAY + SECOND))
        found.append(await live(store, NOW + 18 * DAY, NOW + 10 * DAY + HOUR))
        return found

    assert run(years()) == [[], ["routed", "routed"], ["resolved"], ["routed"]]
    assert run(owed_of(store, of_subscription(ONE))) == [("opened", 1), ("resolved", 2), ("opened", 3)]
    assert run(owed_of(store, of_subscription(TWO))) == [("opened", 1)]
    assert run(on_record(store, of_subscription(ONE))) == [f"coverage:{ONE}:export:{turn}" for turn in (3, 2, 1)]


def test_two_workers_at_once_tell_it_once(store: Store, twin: Store) -> None:
    """One writes, and the other finds that it was faster."""

    async def both(at: datetime) -> int:
        looks = await asyncio.gather(*(look(one, at) for one in (store, twin, store, twin)))
        return sum(map(len, looks))

    async def days() -> None:
        await live(store, NOW + 8 * DAY)
        await both(NOW + 8 * DAY + SECOND)
        await live(twin, NOW + 9 * DAY, NOW + 8 * DAY + HOUR)
        await hear(store, NOW + 9 * DAY, of_subscription(ONE))
        await both(NOW + 9 * DAY + SECOND)
        await live(twin, NOW + 10 * DAY, NOW + 9 * DAY + HOUR)

    run(days())
    assert run(owed_of(store, of_subscription(ONE))) == [("opened", 1), ("resolved", 2)]
    assert run(owed_of(store, of_subscription(TWO))) == [("opened", 1)]


def test_what_was_lost_may_have_spoken_of_everybody(store: Store) -> None:
    """Times begin anew with the last loss that was declared; one that a wrong clock dated counts for nothing."""
    epoch = HubEpoch(Partition("cspm", "0"), 1)

    async def life() -> list[list[str]]:
        await live(store, NOW + 8 * DAY)
        lost = NOW + 8 * DAY
        losses = [Loss(epoch, Span(n, n), at, "gone") for n, at in enumerate([NOW, lost, NOW + 900 * DAY])]
        await store.engine.run(lambda tx: write_losses(tx, losses))
        found = [await live(store, lost + 8 * DAY, lost + SECOND)]
        return [*found, await look(store, lost + 8 * DAY + SECOND)]

    assert run(life()) == [[], ["routed", "routed"]]


def test_a_restored_or_damaged_state_makes_no_storm_and_its_next_turns_are_told(store: Store) -> None:
    """Times begin anew; the number of a source's next turn is after the one on record, also where its row is damaged."""

    async def life() -> list[list[str]]:
        found = [await live(store, NOW + 9 * DAY)]
        document = await within(store, find_document, DocumentKind.SILENT_SOURCES, "cspm")
        assert document is not None
        assert await within(store, remove_document, document)
        await store.run(lambda tx: tx.execute("UPDATE sources SET turn=-1 WHERE subject=?", TWO))
        found.append(await live(store, NOW + 17 * DAY, NOW + 9 * DAY + HOUR))
        await hear(store, NOW + 17 * DAY + SECOND, *map(of_subscription, (ONE, TWO)))
        found.append(await look(store, NOW + 17 * DAY + HOUR))
        await store.run(lambda tx: tx.execute("UPDATE sources SET turn=-1 WHERE subject=?", ONE))
        found.append(await live(store, NOW + 26 * DAY, NOW + 17 * DAY + 2 * HOUR))
        await hear(store, NOW + 26 * DAY, of_subscription(TWO))
        return [*found, await look(store, NOW + 26 * DAY + HOUR)]

    assert run(life()) == [["routed", "routed"], [], ["resolved"], ["routed", "repeat"], ["resolved"]]
    assert run(owed_of(store, of_subscription(ONE))) == [("opened", 1), ("resolved", 2), ("opened", 3)]
    assert run(owed_of(store, of_subscription(TWO))) == [("opened", 1), ("resolved", 2)]


def test_a_look_that_dies_anywhere_tells_each_source_once(store: Store) -> None:
    """At whichever statement, before or after it is done: the next look goes on."""

    async def life() -> None:
        at = NOW + 8 * DAY
        await live(store, at)
        for is_done in (False, True):
            for step in count(1):
                at += SECOND
                failing = Deadly(store, step, is_done=is_done)
                with suppress(StoreError):
                    await look(failing, at)
                if not failing.died:
                    break
        await look(store, at + SECOND)

    run(life())
    assert [run(owed_of(store, of_subscription(id))) for id in (ONE, TWO)] == [[("opened", 1)]] * 2


def test_what_is_told_of_is_known_for_as_long_as_it_is_silent(store: Store) -> None:
    """Else what speaks again after years would never be said to."""

    async def life() -> list[list[str]]:
        found = [await live(store, NOW + 9 * DAY)]
        while not (await store.forget(NOW + 500 * DAY, Retention(), (), 100)).is_done:
            pass
        found.append(await look(store, NOW + 500 * DAY))
        await hear(store, NOW + 500 * DAY, of_subscription(ONE))
        return [*found, await look(store, NOW + 500 * DAY + HOUR)]

    assert run(life()) == [["routed", "routed"], [], ["resolved"]]
