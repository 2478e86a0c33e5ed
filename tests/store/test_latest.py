"""Lists that begin with the latest: in pages none is left out and none comes twice, on both engines."""

from collections.abc import Callable, Sequence
from copy import replace
from typing import Any

import pytest

from router.domain.deliveries import DeliveryState
from router.store.changes import ChangeAction, ChangeEntry, list_authors, list_changes, write_change
from router.store.codec import PageEnd, micros
from router.store.dead_letters import LetterFilter, count_letters, find_letters, list_latest_letters
from router.store.decisions import list_came_out
from router.store.destinations import find_last_delivered
from router.store.quarantine import (
    count_quarantined,
    find_quarantined,
    list_latest_quarantined,
    put_in_quarantine,
)
from router.store.store import Store
from tests.builders import NOW, a_rule, a_rulebook, an_ip
from tests.store.acts import HOUR, MINUTE, SECOND, ask, claim, owe, run, settle
from tests.store.builders import a_delivery, a_quarantined
from tests.store.life import Life
from tests.store.opened import changed

pytestmark = pytest.mark.usefixtures("either")


def in_pages(page: Callable[[PageEnd | None], Sequence[Any]]) -> list[str]:
    """The ids of a list, page by page, each end as a URL has it."""
    found: list[str] = []
    after = None
    while some := page(after):
        found += [getattr(one, "entry", one).id for one in some]
        after = PageEnd.parse(str(some[-1].page_end))
        assert after is not None
    return found


def dead(store: Store, many: int) -> list[str]:
    """Dead letters of two destinations, some of which died at once, and one at no time that can be read; their ids by age."""
    letters = [replace(a_delivery(key=f"k{n}"), destination=f"to-{n % 2}") for n in range(many)]
    owe(store, *letters)
    run(changed(store, "UPDATE deliveries SET state='dead', settled=?+place/3", micros(NOW)))
    run(changed(store, "UPDATE deliveries SET settled=NULL WHERE id=?", letters[4].id))
    return [letters[4].id, *(one.id for one in letters if one is not letters[4])]


@pytest.mark.parametrize("most", [1, 2, 5, 100])
def test_dead_letters_come_in_pages_the_latest_first(store: Store, most: int) -> None:
    """Also those that died at the same instant; of a destination where one is named."""
    ids = dead(store, 9)
    everything = LetterFilter()
    assert in_pages(lambda after: ask(store, list_latest_letters, everything, after, most)) == ids[::-1]
    one = LetterFilter("cwpp", "to-1")
    assert len(in_pages(lambda after: ask(store, list_latest_letters, one, after, most))) == 4
    assert ask(store, list_latest_letters, LetterFilter("cspm"), None, most) == []
    assert [ask(store, count_letters, wanted, 7) for wanted in (everything, one, LetterFilter("cspm"))] == [7, 4, 0]


def test_dead_letters_are_found_by_the_ids_that_the_list_shows(store: Store) -> None:
    """Also one whose own id cannot be read; what is no dead letter any more is not found."""
    ids = dead(store, 5)
    run(changed(store, "UPDATE deliveries SET id='not an id' WHERE id=?", ids[2]))
    run(changed(store, "UPDATE deliveries SET state='owed' WHERE id=?", ids[1]))
    listed = [one.id for one in ask(store, list_latest_letters, LetterFilter(), None, 10)]
    assert [one.startswith("row-") for one in listed].count(True) == 1
    assert [one.id for one in ask(store, find_letters, [*reversed(listed), ids[1], "row-x", ""])] == listed
    assert ask(store, find_letters, []) == []


@pytest.mark.parametrize("most", [1, 2, 100])
def test_the_quarantine_comes_in_pages_without_bodies(store: Store, most: int) -> None:
    """The latest first, each with the size of its body."""
    entries = [replace(a_quarantined(f"q{n}", b"x" * n), at=NOW + n // 2 * SECOND) for n in range(5)]
    ask(store, put_in_quarantine, entries)
    found = in_pages(lambda after: ask(store, list_latest_quarantined, after, most))
    assert found == [one.id for one in reversed(entries)]
    (latest, *_) = ask(store, list_latest_quarantined, None, most)
    assert (latest.size, latest.entry.quarantined.body) == (4, b"")
    assert ask(store, count_quarantined, 3) == 3
    assert [one.quarantined.body for one in ask(store, find_quarantined, ["q3", "q1", "gone"])] == [b"x", b"xxx"]


def test_it_is_known_when_a_destination_took_a_delivery_last(store: Store) -> None:
    """Of those that took any lately, by the latest that was sent; what was skipped says nothing."""
    owe(store, a_delivery(key="a"), a_delivery(key="b"), a_delivery(key="c"))
    for one, state in zip(claim(store), [DeliveryState.SENT, DeliveryState.SENT, DeliveryState.SKIPPED], strict=True):
        settle(store, one, state)
    run(changed(store, "UPDATE deliveries SET settled=? WHERE state='skipped'", NOW + MINUTE))
    assert ask(store, find_last_delivered, "cwpp") == {"tickets": NOW}
    run(changed(store, "UPDATE deliveries SET settled=? WHERE key='b'", NOW + SECOND))
    assert ask(store, find_last_delivered, "cwpp") == {"tickets": NOW + SECOND}
    assert ask(store, find_last_delivered, "cspm") == {}


def test_what_came_out_was_held_until_then(store: Store) -> None:
    """By what held it last; what was routed from the first, or is held on, did not come out."""
    rules = [a_rule(expires=NOW + HOUR), a_rule("taker", expires=NOW + 2 * HOUR), a_rule("long", ip=("10.20.0.6",))]
    life = Life(store, a_rulebook(*rules))
    life.alert("held", Entities=[an_ip("10.20.0.5")])
    life.alert("held on", Entities=[an_ip("10.20.0.6")])
    life.alert("free")
    for _ in range(3):
        life.now += HOUR
        life.release()
    out = ask(store, list_came_out, "cwpp", NOW, life.now, 10)
    assert [(one.entry.id, one.held_by) for one in out] == [("held", "taker")]
    at = NOW + 2 * HOUR
    spans = [(NOW, at), (at, at + SECOND), (at + SECOND, life.now)]
    assert [len(ask(store, list_came_out, "cwpp", *span, 10)) for span in spans] == [0, 1, 0]
    assert ask(store, list_came_out, "cspm", NOW, life.now, 10) == []


def test_changes_are_those_of_a_time_and_of_an_author(store: Store) -> None:
    """And who made any is known by name, once each."""
    for n, author in enumerate(["ana", "sam", "ana"]):
        change = ChangeEntry(
            at=NOW + n * MINUTE, author=author, action=ChangeAction.HELD, stream="cwpp", subject=f"{n}"
        )
        ask(store, write_change, change)

    def subjects(**more: Any) -> str:
        return "".join(one.subject for one in ask(store, list_changes, None, 10, **more))

    assert (subjects(), subjects(author="ana"), subjects(since=NOW + MINUTE)) == ("210", "20", "21")
    assert subjects(since=NOW + MINUTE, author="sam") == "1"
    assert ask(store, list_authors, NOW, 10) == ["ana", "sam"]
    assert ask(store, list_authors, NOW + 2 * MINUTE, 10) == ["ana"]
