"""What the health page says of silent sources."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from router.app.health import Health, health_of
from router.domain.signals import Stream
from router.domain.silent_sources import DOWN, KnownSource, SourceWatch
from router.store.documents import document_of_watch, put_document
from router.store.partitions import write_sweep_end
from router.store.sources import write_watched
from tests.builders import NOW, a_rulebook
from tests.domain.silence_model import ONE, TWO, Life, subscriptions
from tests.hubs import Shelf
from tests.store.acts import DAY, run
from tests.store.opened import Store
from tests.store.within import within

SECOND = timedelta(seconds=1)


def health(store: Store, at: datetime, stream: Stream = Stream.CSPM) -> Health:
    """The health of one stream that was swept just now."""
    run(within(store, write_sweep_end, stream.value, at))
    return run(health_of(store, {stream: Shelf(name=stream.value)}, {stream: a_rulebook(stream=stream)}, at))


def write(store: Store, watch: SourceWatch | None, known: Iterable[KnownSource] = ()) -> None:
    """What is known of the sources is written down."""
    assert watch is not None
    assert run(within(store, put_document, document_of_watch("cspm", watch))) is not None
    run(within(store, write_watched, known, NOW))


def test_it_counts_who_is_silent_and_names_what_fits_nothing(sqlite: Store) -> None:
    """Neither is a problem by itself: who is silent is told as any finding."""
    life = Life(subscriptions(ONE, TWO, "eeee*"))
    life.lives(NOW + 9 * DAY, since=NOW)
    write(sqlite, life.watch, life.known.values())
    page = health(sqlite, NOW + 9 * DAY)
    assert page.problems == ()
    assert page.document["streams"]["cspm"]["sources"] == {
        "silent": 2,
        "unmatched": ["coverage.yaml expect[0].name: 'eeee*' fits nothing that was ever heard of"],
        "judged": "2026-12-03T12:00:00Z",
    }
    assert "sources" not in health(sqlite, NOW + 9 * DAY, Stream.CWPP).document["streams"]["cwpp"]


def test_that_nobody_was_judged_for_long_is_a_problem(sqlite: Store) -> None:
    """Silence is not seen meanwhile."""
    write(sqlite, SourceWatch(anew=NOW, taken=NOW))
    assert health(sqlite, NOW + DOWN).problems == ()
    assert health(sqlite, NOW + DOWN + SECOND).problems == (
        "cspm: no source was judged silent or not since 2026-11-24T12:00:00Z",
    )


def test_where_nobody_watches_nothing_is_said(sqlite: Store) -> None:
    """A router without a manifest has no sources to be silent."""
    page = health(sqlite, NOW)
    assert page.problems == ()
    assert "sources" not in page.document["streams"]["cspm"]
