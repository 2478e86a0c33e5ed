"""What every store promises of the quarantine."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from router.domain.decisions import Code, Reason
from router.domain.hubs import Arrival
from router.domain.signals import Quarantined
from router.store.quarantine import QuarantineEntry, discard_quarantined, list_quarantined, put_in_quarantine
from router.store.store import Store
from tests.builders import NOW
from tests.store.acts import run
from tests.store.within import within


def a_quarantined(id: str = "q1", body: bytes = bytes(range(256)), words: str = "no id") -> QuarantineEntry:
    """A body that was not understood."""
    quarantined = Quarantined(reason=Reason(Code.INVALID, words), body=body, at_fault="SystemAlertId")
    arrival = Arrival("hub/0", 2**40, NOW, 2)
    return QuarantineEntry(id=id, source="f:1", stream=None, at=NOW, arrival=arrival, quarantined=quarantined)


def test_the_quarantine_keeps_bodies_whole_until_they_are_discarded(store: Store) -> None:
    """Bytes in, the same bytes out."""
    entry = a_quarantined()
    run(within(store, put_in_quarantine, [entry, entry]))
    run(within(store, put_in_quarantine, [entry]))
    assert list(run(within(store, list_quarantined))) == [entry]
    assert list(run(within(store, list_quarantined))) == [entry]
    assert run(within(store, discard_quarantined, "q1"))
    assert not run(within(store, discard_quarantined, "q1"))
    assert list(run(within(store, list_quarantined))) == []


def test_the_oldest_comes_first(store: Store) -> None:
    """Whoever works the list off begins with what waited longest."""
    later = replace(a_quarantined("a"), at=NOW + timedelta(microseconds=1), stream="cwpp")
    earlier = replace(a_quarantined("c"), arrival=Arrival("f", 1))
    run(within(store, put_in_quarantine, [later, earlier, replace(earlier, id="b")]))
    assert [one.id for one in run(within(store, list_quarantined))] == ["b", "c", "a"]
