"""Who is silent is told once, whoever looks beside or dies in between, and whatever is wrong with another; on both stores."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import count

import pytest

from router.coverage.expected.manifest import CoverageManifest
from router.coverage.expected.silence import look_at
from router.domain.catalogue import Catalogue
from router.domain.coverage_sources import CoverageSource, LastHeard
from router.domain.documents import DocumentKind
from router.domain.errors import StoreError
from router.domain.hubs import HubEpoch, Loss, Partition, Span
from router.domain.keys import signal_key
from router.domain.signals import Stream
from router.domain.silent_sources import SourceWatch, finding_id_of
from router.ingest.intake import Intake
from router.ingest.silent_sources import BEHIND, SilentSources, SourceReport
from router.store.decisions import find_decisions
from router.store.delivery_status import list_deliveries
from router.store.documents import document_of_watch, find_document, find_value, put_document
from router.store.forgetting import forget
from router.store.partitions import write_losses
from router.store.retention import Retention
from router.store.sources import write_heard
from router.store.store import Store
from tests.builders import NOW, a_rulebook
from tests.domain.silence_model import DAY, HOUR, ONE, TWO, of_subscription, subscriptions
from tests.store.acts import run
from tests.store.deadly import Deadly
from tests.store.watching import watched
from tests.store.within import within

SECOND = timedelta(seconds=1)
BOTH = subscriptions(ONE, TWO)


def sources_of(store: Store, manifest: CoverageManifest = BOTH) -> SilentSources:
    """What watches, as a process just begun has it."""
    book = a_rulebook(stream=Stream.CSPM)
    intake = Intake(store, {Stream.CSPM: book}, Catalogue(), Stream.CSPM)
    return SilentSources(intake, store, partial(look_at, manifest), is_expected=manifest.is_given)


async def look(store: Store, at: datetime) -> list[str]:
    """A look of a process just begun, up to whose beginning all was taken in; the outcomes on record."""
    return outcomes(await sources_of(store).look(at, at))


def outcomes(report: SourceReport) -> list[str]:
    """The outcomes of what a look put on record."""
    return [entry.outcome for entry in report.entries]


async def live(store: Store, until: datetime, since: datetime = NOW) -> list[str]:
    """A look at the beginning and one at the end; what lies between is quiet, and the router was at work all the time."""
    found = await look(store, since)
    await at_work(store, until)
    return [*found, *await look(store, until)]


async def at_work(store: Store, until: datetime) -> None:
    """Nothing is heard until then, and the router was at work all the time."""
    document = await within(store, find_document, DocumentKind.SILENT_SOURCES, "cspm")
    assert document is not None
    watch = find_value(SourceWatch, document.body)
    assert watch is not None
    quiet = document_of_watch("cspm", replace(watch, taken=until), document.version)
    assert await within(store, put_document, quiet) is not None


async def hear(store: Store, at: datetime, *sources: CoverageSource) -> None:
    """A row of a snapshot speaks of some sources, and is Healthy."""
    heard = [LastHeard(source=source, posture=at, snapshot=at, healthy=at) for source in sources]
    await within(store, write_heard, heard, at)


def key_of(id: str) -> str:
    """The key of the finding that a subscription is silent."""
    return signal_key("cspm", "coverage", finding_id_of(of_subscription(id)))


def owed(store: Store) -> list[list[tuple[str, int]]]:
    """What `tickets` is owed of each of both."""
    found = [run(within(store, list_deliveries, key_of(id))) for id in (ONE, TWO)]
    return [[(one.change.value, one.turn) for one in some if one.destination == "tickets"] for some in found]


def test_a_source_falls_silent_speaks_again_and_falls_silent_again_whoever_looks(store: Store, twin: Store) -> None:
    """Each is a turn of one finding, with its place on record and its notice; of workers at once one tells it."""

    async def all_look(at: datetime) -> list[str]:
        looks = await asyncio.gather(*(look(one, at) for one in (store, twin, store, twin)))
        return [outcome for some in looks for outcome in some]

    async def years() -> list[list[str]]:
        found = [await live(store, NOW + 8 * DAY), await all_look(NOW + 8 * DAY + SECOND)]
        await hear(store, NOW + 9 * DAY, of_subscription(ONE))
        await at_work(twin, NOW + 9 * DAY)
        found.append(await all_look(NOW + 9 * DAY + SECOND))
        found.append(await live(store, NOW + 18 * DAY, NOW + 9 * DAY + HOUR))
        return found

    assert run(years()) == [[], ["routed", "routed"], ["resolved"], ["routed"]]
    assert owed(store) == [[("opened", 1), ("resolved", 2), ("opened", 3)], [("opened", 1)]]
    places = [one.key for one in run(within(store, find_decisions, key_of(ONE), 10))]
    assert places == [f"coverage:{ONE}:export:{turn}" for turn in (3, 2, 1)]


def test_while_something_waits_in_the_hub_nobody_is_judged(store: Store) -> None:
    """A quarter of an hour may wait, since that is what is under way; nor where it is not known what waits."""

    async def life() -> list[int]:
        await live(store, NOW + 8 * DAY)
        until = NOW + 8 * DAY + SECOND
        looks = ((None, until), (until, until + BEHIND + SECOND), (until, until + BEHIND))
        return [len((await sources_of(store).look(taken, at)).entries) for taken, at in looks]

    assert run(life()) == [0, 0, 2]


def test_what_was_lost_may_have_spoken_of_everybody(store: Store) -> None:
    """Times begin anew with the last loss that was declared; one that a wrong clock dated counts for nothing."""
    epoch, lost = HubEpoch(Partition("cspm", "0"), 1), NOW + 8 * DAY

    async def life() -> list[list[str]]:
        await live(store, lost)
        losses = [Loss(epoch, Span(n, n), at, "gone") for n, at in enumerate([NOW, lost, NOW + 900 * DAY])]
        await store.run(lambda tx: write_losses(tx, losses))
        return [await live(store, lost + 8 * DAY, lost + SECOND), await look(store, lost + 8 * DAY + SECOND)]

    assert run(life()) == [[], ["routed", "routed"]]


def test_a_restored_or_damaged_state_makes_no_storm_and_its_next_turns_are_told(store: Store) -> None:
    """Times begin anew; the number of a source's next turn is after the one on record, also where its row is damaged."""

    async def life() -> list[list[str]]:
        found = [await live(store, NOW + 9 * DAY)]
        document = await within(store, find_document, DocumentKind.SILENT_SOURCES, "cspm")
        assert document is not None
        await store.run(lambda tx: tx.execute("DELETE FROM documents WHERE kind=?", DocumentKind.SILENT_SOURCES.value))
        await store.run(lambda tx: tx.execute("UPDATE sources SET turn=-1 WHERE subject=?", TWO))
        found.append(await live(store, NOW + 17 * DAY, NOW + 9 * DAY + HOUR))
        await hear(store, NOW + 17 * DAY + SECOND, *map(of_subscription, (ONE, TWO)))
        found.append(await look(store, NOW + 17 * DAY + HOUR))
        await store.run(lambda tx: tx.execute("UPDATE sources SET turn=-1 WHERE subject=?", ONE))
        found.append(await live(store, NOW + 26 * DAY, NOW + 17 * DAY + 2 * HOUR))
        await hear(store, NOW + 26 * DAY, of_subscription(TWO))
        return [*found, await look(store, NOW + 26 * DAY + HOUR)]

    assert run(life()) == [["routed", "routed"], [], ["resolved"], ["routed", "repeat"], ["resolved"]]
    assert owed(store) == [[("opened", 1), ("resolved", 2), ("opened", 3)], [("opened", 1), ("resolved", 2)]]


@pytest.mark.usefixtures("either")
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
    assert owed(store) == [[("opened", 1)]] * 2


@pytest.mark.parametrize("table", ["signals", "decisions", "sources"])
def test_a_fault_of_ours_in_one_source_keeps_no_other_from_being_told(store: Store, table: str) -> None:
    """It is named in the sweep's log, once while it lasts, and told as soon as it can be."""

    def fail(at_fault: str) -> Callable[[str, Sequence[object]], None]:
        def watch(sql: str, rows: Sequence[object]) -> None:
            if f"INSERT INTO {table} (" in sql and any(at_fault in str(row) for row in rows):
                raise ZeroDivisionError

        return watch

    place = {"signals": key_of(ONE), "decisions": key_of(ONE), "sources": ONE}[table]

    async def life() -> list[object]:
        await live(store, NOW + 8 * DAY)
        sick = sources_of(watched(store, fail(place)))
        found: list[object] = []
        for minutes in (1, 5, 12):
            report = await sick.look(at := NOW + 8 * DAY + minutes * HOUR / 60, at)
            found += [outcomes(report), [*report.warnings]]
        return [*found, await look(store, at + SECOND)]

    line = f"subscription:{ONE}: cannot be told of, ZeroDivisionError"
    assert run(life()) == [["routed"], [line], [], [], [], [], ["routed"]]
    assert owed(store) == [[("opened", 1)]] * 2


def test_what_is_told_of_is_known_for_as_long_as_it_is_silent(store: Store) -> None:
    """Else what speaks again after years would never be said to."""

    async def life() -> list[list[str]]:
        found = [await live(store, NOW + 9 * DAY)]
        while not (await forget(store, NOW + 500 * DAY, Retention(), 100)).is_done:
            pass
        found.append(await look(store, NOW + 500 * DAY))
        await hear(store, NOW + 500 * DAY, of_subscription(ONE))
        return [*found, await look(store, NOW + 500 * DAY + HOUR)]

    assert run(life()) == [["routed", "routed"], [], ["resolved"]]
