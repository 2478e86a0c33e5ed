"""What becomes of each kind of damaged row, in both stores."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from router.domain.decisions import Change, Code
from router.domain.deliveries import DeliveryState
from router.domain.hubs import HubEpoch
from router.domain.keys import signal_key
from router.domain.suppression import Suppressions
from router.store.dead_letters import Redrive, abandon_deliveries, discard, list_dead_letters, redrive
from router.store.partitions import HubPartition, find_partition
from router.store.quarantine import count_damaged_rows, list_quarantined
from tests.builders import NOW, a_rule, alert_body, without_rules
from tests.damage.town import HELD, PLACE, Town
from tests.hubs import Shelf
from tests.store.acts import claim, find_rows, in_doubt, members_at, owe, run, settle, states
from tests.store.builders import OPENING, UPDATE, a_delivery
from tests.store.opened import Store, changed
from tests.store.within import within

_KEYS = {"partitions": "partition", "members": "signal"}
"""Which column of a table names its rows, where that is not `key`."""

type Spoil = Callable[[str, str, dict[str, object]], None]
"""Writes columns into the rows of a table that a text names."""


@pytest.fixture
def spoil(store: Store) -> Spoil:
    """Damages rows of the store, beside the router; a column of numbers takes a number only."""

    def spoil(table: str, name: str, columns: dict[str, object]) -> None:
        values = ", ".join(f"{column}=?" for column in columns)
        which = f"UPDATE {table} SET {values} WHERE {_KEYS.get(table, 'key')}=?"  # noqa: S608
        assert run(changed(store, which, *columns.values(), name))

    return spoil


def test_a_delivery_that_cannot_be_decoded_is_dead_and_its_neighbours_go_on(store: Store, spoil: Spoil) -> None:
    """It is listed with the reason, shown whole, and no turn waits for it."""
    owe(store, OPENING, a_delivery(key="other"))
    spoil("notices", "k", {"body": b'{"key":'})
    assert [one.delivery.key for one in claim(store)] == ["other"]
    (letter,) = run(within(store, list_dead_letters))
    assert letter.delivery is None
    assert letter.id == OPENING.id
    assert letter.error.startswith("damaged: it cannot be decoded")
    assert OPENING.id in letter.row.decode()
    owe(store, UPDATE)
    assert [one.delivery for one in claim(store)] == [UPDATE]


def test_a_damaged_dead_letter_is_redriven_once_it_is_mended_and_discarded_whenever(store: Store, spoil: Spoil) -> None:
    """Until then redriving it changes nothing."""
    owe(store, OPENING)
    spoil("deliveries", "k", {"type": "Nonsense"})
    assert claim(store) == []
    assert run(within(store, list_dead_letters))
    assert run(within(store, redrive, OPENING.id, NOW)) is Redrive.DAMAGED
    spoil("deliveries", "k", {"type": "RecordEntry"})
    assert run(within(store, redrive, OPENING.id, NOW)) is Redrive.OWED
    (again,) = claim(store)
    settle(store, again, DeliveryState.DEAD, error="400")
    spoil("deliveries", "k", {"change": "?"})
    assert [letter.delivery for letter in run(within(store, list_dead_letters))] == [None]
    assert run(within(store, discard, OPENING.id, NOW))
    assert list(run(within(store, list_dead_letters))) == []
    assert states(store) == {DeliveryState.SKIPPED: 1}


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("due", 2**62),
        ("born", -(2**62)),
        ("attempts", 2**31),
        ("lost", 2**31),
        ("turn", 0),
        ("state", "?"),
        ("stream", "?"),
    ],
)
def test_a_delivery_whose_bookkeeping_is_damaged_is_dead_and_no_turn_waits_for_it(
    store: Store, spoil: Spoil, column: str, value: object
) -> None:
    """Nothing is guessed of it. What no claim would ever find, every sweep finds."""
    owe(store, OPENING, a_delivery(key="other"))
    spoil("deliveries", "k", {column: value})
    assert [one.delivery.key for one in (*claim(store), *claim(store))] == ["other"]
    run(within(store, abandon_deliveries, "cwpp", ["tickets"], NOW, NOW))
    (letter,) = run(within(store, list_dead_letters))
    assert letter.id == OPENING.id
    assert letter.error.startswith("damaged: it cannot be decoded")
    (kept,) = run(within(store, list_quarantined))
    assert (kept.quarantined.reason.code, OPENING.id in kept.source) == (Code.DAMAGED, True)
    owe(store, UPDATE)
    assert [one.delivery for one in claim(store)] == [UPDATE]


def test_what_was_sent_stays_so_though_its_row_is_damaged(store: Store, spoil: Spoil) -> None:
    """A result that comes twice makes no dead letter of it."""
    owe(store, OPENING)
    (one,) = claim(store)
    settle(store, one, DeliveryState.SENT)
    spoil("deliveries", "k", {"lane": "?"})
    settle(store, one, DeliveryState.SENT)
    assert states(store) == {DeliveryState.SENT: 1}


async def _begun(town: Town, *bodies: bytes) -> None:
    await town.ingest(*bodies)
    await town.deliver()
    town.notified.clear()


async def _then(town: Town, *bodies: bytes) -> list[tuple[str, str, str]]:
    town.notified.clear()
    await town.ingest(*bodies)
    await town.deliver()
    return sorted(one for one in town.notified if one[0] in ("tickets", "oncall"))


def test_a_signal_whose_row_is_damaged_is_told_again(store: Store, spoil: Spoil) -> None:
    """Its next message opens it anew, and its end resolves it; the row is in quarantine whole."""
    town, key = Town(store), signal_key("cwpp", "alert", "a")
    run(_begun(town, alert_body("a"), alert_body("b")))
    spoil("signals", key, {"outcome": "?", "open": "{"})
    assert run(_then(town, alert_body("a"))) == [("oncall", "opened", "a"), ("tickets", "opened", "a")]
    assert run(_then(town, alert_body("a", Status="Resolved"))) == [
        ("oncall", "resolved", "a"),
        ("tickets", "resolved", "a"),
    ]
    (kept,) = run(within(store, list_quarantined))
    assert kept.quarantined.reason.code is Code.DAMAGED
    assert key in kept.source
    assert kept.stream == "cwpp"
    assert "cwpp: 1 damaged rows of the state are set aside in the quarantine" in run(town.look()).problems


def test_what_is_open_by_a_damaged_row_stays_open_where_the_signal_says_only_its_end(
    store: Store, spoil: Spoil
) -> None:
    """As the page says: the entry in quarantine has where it was open, for a person to close it."""
    town, key = Town(store), signal_key("cwpp", "alert", "a")
    run(_begun(town, alert_body("a"), alert_body("b")))
    spoil("signals", key, {"outcome": "?"})
    run(_then(town, *(alert_body(name, Status="Resolved") for name in ("a", "b"))))
    ended = {(name, id) for name, _, id in town.notified}
    assert ("oncall", "b") in ended
    assert not ended & {("oncall", "a"), ("tickets", "a"), ("chat", "a"), ("chat", "b")}
    (kept,) = run(within(store, list_quarantined))
    assert set(json.loads(json.loads(kept.quarantined.body)["open"])) >= {"oncall", "tickets", "chat"}


@pytest.mark.parametrize("table", ["deliveries", "members"])
def test_a_signal_whose_row_is_lost_goes_on_after_what_is_kept_of_it(sqlite: Store, tmp_path: Path, table: str) -> None:
    """Its deliveries and its groups say its turn: under one that was owed before, a message would count as a repeat."""
    town, key = Town(sqlite), signal_key("cwpp", "alert", "a")
    town.book = without_rules(town.book)
    run(_begun(town, alert_body("a"), alert_body("a", Status="InProgress")))
    other, column = ("members", "signal") if table == "deliveries" else ("deliveries", "key")
    with closing(sqlite3.connect(tmp_path / "router.db")) as db, db:
        db.execute("DELETE FROM signals")
        db.execute(f"DELETE FROM {other} WHERE {column}=?", (key,))  # noqa: S608
    town.notified.clear()
    run(_notified(town, alert_body("a")))
    assert {("tickets", "opened", "a"), ("oncall", "opened", "a")} <= set(town.notified)
    assert any(name == "chat" for name, _, _ in town.notified)
    assert find_rows(sqlite, [key])[key].turn == 3


def test_a_held_body_that_is_damaged_is_in_quarantine_and_the_others_come_out(store: Store, spoil: Spoil) -> None:
    """Once: it is held no longer, and the signal's next message is decided."""
    town, key = Town(store), signal_key("cwpp", "alert", "a")
    run(_begun(town, alert_body("a", **HELD), alert_body("b", **HELD)))
    spoil("signals", key, {"held_body": b"{"})
    town.book = without_rules(town.book)
    run(town.sweep())
    assert {one[2] for one in run(_then(town))} == {"b"}
    assert len(run(within(store, list_quarantined))) == 1
    assert in_doubt(store, "cwpp", town.book.hash, []) == []
    assert run(_then(town, alert_body("a"))) == [("oncall", "opened", "a"), ("tickets", "opened", "a")]


@pytest.mark.parametrize("column", ["held_by", "held_rulebook"])
def test_a_signal_comes_out_whatever_is_damaged_of_what_holds_it(store: Store, spoil: Spoil, column: str) -> None:
    """A suppression ends when it says, or else it would be a blind spot for ever."""
    town, key = Town(store), signal_key("cwpp", "alert", "a")
    run(_begun(town, alert_body("a", **HELD)))
    spoil("signals", key, {column: "?"})
    # Under the same hash, as when the rule has ended.
    town.book = replace(town.book, suppressions=Suppressions.from_rules([a_rule("another", alert_type="VM_Nothing")]))
    run(town.sweep())
    run(town.sweep())
    assert {one[2] for one in run(_notified(town))} == {"a"}


async def _notified(town: Town, *bodies: bytes) -> list[tuple[str, str, str]]:
    await town.ingest(*bodies)
    await town.deliver()
    return town.notified


def test_a_group_whose_state_is_damaged_goes_on_and_ends(store: Store, spoil: Spoil) -> None:
    """Those that join are told, and with the last of them it is over; nothing new is opened beside it for ever."""
    town = Town(store)
    run(_begun(town, alert_body("a"), alert_body("b")))
    for name in ("a", "b"):
        key = signal_key("cwpp", "alert", name)
        (member,) = run(members_at(store, "cwpp", "chat", key)).values()
    spoil("groups", member.group, {"body": b"{"})

    async def end() -> list[tuple[str, str, str]]:
        await town.ingest(alert_body("c"))
        await town.deliver()
        await town.ingest(*(alert_body(name, Status="Resolved") for name in ("a", "b", "c")))
        await town.deliver()
        return [one for one in town.notified if one[0] == "chat"]

    notified = run(end())
    assert [change for _, change, _ in notified][-1] == Change.RESOLVED
    assert ("chat", "updated", "c") in notified or ("chat", "opened", "c") in notified
    assert run(within(store, count_damaged_rows, "cwpp")) == 1


def test_where_the_epoch_of_a_hub_is_damaged_nothing_of_it_is_taken_for_known(store: Store, spoil: Spoil) -> None:
    """A hub that was created anew counts from 0 again: its events are not those that were taken in before."""
    town = Town(store)
    run(_begun(town, alert_body("a"), alert_body("b")))
    run(town.sweep())
    spoil("partitions", PLACE.id, {"epoch": 2**63 - 1})
    town.hub = Shelf(created=NOW)
    assert {one[2] for one in run(_then(town, alert_body("c"), alert_body("d")))} == {"c", "d"}
    assert run(within(store, find_partition, PLACE)) == HubPartition(HubEpoch(PLACE, 2))
