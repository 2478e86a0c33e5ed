"""What every store promises of when messages named findings, and that each end is told once, whoever dies or is at it too."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from router.domain.catalogue import Catalogue
from router.domain.decisions import Outcome
from router.domain.documents import DocumentKind
from router.domain.keys import signal_key
from router.domain.ledger import Held
from router.domain.retention import Retention
from router.domain.signals import Stream
from router.domain.snapshots import Appearances, Appeared, Stretch
from router.ingest.intake import Intake
from router.ingest.snapshot_ends import SnapshotEnds
from router.store import signals
from router.store.decisions import find_decisions, search_signals
from router.store.delivery_status import list_deliveries
from router.store.documents import list_documents
from router.store.quarantine import list_quarantined
from tests.builders import NOW, a_message, a_rulebook
from tests.constructed.weeks import row_of
from tests.ingest.weeks import DAY, Weeks, notices
from tests.store.acts import find_rows, in_doubt, run, write_rows
from tests.store.builders import a_row
from tests.store.opened import Store
from tests.store.within import within

WEEK = 7 * DAY
CAME = Appearances("s", "recommendation", 500, (Stretch(100, 300), Stretch(500, 500)))
BOOK = a_rulebook(stream=Stream.CSPM)


def walked(store: Store, stream: str) -> list[Appeared]:
    """All that the ledger says of when messages named findings."""

    async def walk() -> list[Appeared]:
        async with store.session() as tx:
            return [one async for some in signals.walk_appearances(tx, stream) for one in some]

    return sorted(run(walk()))


def test_when_messages_named_a_finding_comes_back(store: Store) -> None:
    """With its row, and to who walks all findings of a stream."""
    rows = [
        a_row("a", stream="cspm", appearances=CAME),
        a_row("b", stream="cspm", appearances=CAME._replace(snapshots=()), state=a_row().state._replace(resolved=True)),
        a_row("c", stream="cspm"),
        a_row("d", stream="cwpp", appearances=CAME),
    ]
    write_rows(store, rows)
    found = find_rows(store, ["a", "b", "c"])
    assert {key: row.appearances for key, row in found.items()} == {row.key: row.appearances for row in rows[:3]}
    assert walked(store, "cspm") == [
        Appeared("a", False, CAME),
        Appeared("b", True, CAME._replace(snapshots=())),
    ]


def test_of_a_row_only_when_messages_named_it_can_be_written(store: Store) -> None:
    """What it holds stays, and so does all else."""
    held = Held(rule="r", until=NOW, rulebook="h", source="s", body=b"{}")
    row = a_row(stream="cspm", held=held, outcome=Outcome.SUPPRESSED, appearances=CAME)
    write_rows(store, [row])
    changed_row = replace(row, turn=2, held=None, appearances=CAME.named_at(900))
    run(store.run(lambda tx: signals.write_appearances(tx, [changed_row])))
    assert in_doubt(store, "cspm", "other", []) == [replace(row, appearances=CAME.named_at(900))]


@pytest.mark.parametrize(
    "damage", ['{"a": 1}', '["s","recommendation"]', '["s","alert",1]', "[", '["s","recommendation",-5]']
)
def test_a_row_that_says_no_appearances_is_set_aside(sqlite: Store, damage: str) -> None:
    """It stops no walk, and the next message names the finding anew."""
    write_rows(sqlite, [a_row(stream="cspm", appearances=CAME), a_row("l", stream="cspm", appearances=CAME)])

    async def spoil() -> None:
        async with sqlite.engine.transaction() as tx:
            await tx.execute("UPDATE signals SET snapshots=? WHERE key='k'", damage)

    run(spoil())
    assert [one.key for one in walked(sqlite, "cspm")] == ["l"]
    assert find_rows(sqlite, ["k", "l"]).keys() == {"l"}
    assert len(run(within(sqlite, list_quarantined))) == 1


def subscription(number: int) -> str:
    """A subscription of its own."""
    return f"{number:08d}-0000-4000-8000-000000000000"


def intake_over(store: Store) -> Intake:
    """An intake as another process has it."""
    return Intake(store, {Stream.CSPM: BOOK}, Catalogue(), Stream.CSPM)


async def ingest_snapshots(store: Store, of: str, start: datetime) -> datetime:
    """Three weekly snapshots of a subscription, of which the last two lack `d`; returns when the last is over."""
    for number, names in enumerate(("abcd", "abc", "abc")):
        at = start + number * WEEK
        rows = [
            a_message(row_of(name, subscription=of), at=at, origin=of, place=number * 10 + n)
            for n, name in enumerate(names)
        ]
        await intake_over(store).ingest(rows, at)
    return start + 2 * WEEK + DAY


async def end(store: Store, at: datetime) -> list[str]:
    """Ends what has ended; returns the titles."""
    entries = await SnapshotEnds(intake_over(store), store, BOOK).end_unseen(at, at)
    return [entry.title or "" for entry in entries]


def key_in(of: str, name: str = "d") -> str:
    """The key of a finding."""
    resource = f"/subscriptions/{of}/resourcegroups/rg-web/providers/microsoft.compute/virtualmachines/vm-{name}"
    return signal_key("cspm", "recommendation", f"{resource}/providers/microsoft.security/assessments/{name}")


async def changes_of(store: Store, key: str) -> tuple[list[tuple[str, int]], list[str]]:
    """What `tickets` is owed of a finding, and the reasons on record of its ends."""
    owed = [one for one in await within(store, list_deliveries, key) if one.destination == "tickets"]
    entries = await within(store, find_decisions, key, 10)
    return [(one.change.value, one.turn) for one in owed], [one.key for one in entries if one.outcome == "resolved"]


def test_two_workers_end_a_finding_once(store: Store, twin: Store) -> None:
    """Both judge, and one of them wins."""
    at = run(ingest_snapshots(store, subscription(0), NOW))

    async def both() -> list[str]:
        return [title for titles in await asyncio.gather(end(store, at), end(twin, at)) for title in titles]

    assert run(both()) == ["Update d"]
    key = key_in(subscription(0))
    assert run(changes_of(store, key)) == (
        [("opened", 1), ("resolved", 2)],
        [f"unseen:{subscription(0)}:{key}:{int((at - DAY).timestamp())}"],
    )
    assert run(end(store, at + DAY)) == run(end(twin, at + DAY)) == []


def test_what_ended_stands_again_in_the_very_same_file_over_every_store(store: Store) -> None:
    """The row tells that it ended because it was not seen, and the second turn of the file's message is on record too."""
    weeks = Weeks(store)

    async def live() -> list[list[tuple[str, str]]]:
        told = []
        for days, names in ((0, "abcd"), (7, "abc"), (14, "abc"), (16, ""), (21, "abcd"), (22, "abcd")):
            weeks.now = NOW + days * DAY
            await weeks.run([row_of(name) for name in names], names)
            told.append(sorted(notices(await weeks.deliver())))
        return told

    assert run(live())[1:] == [[], [], [("resolved", "d")], [("opened", "d")], []]
    (lookup,) = run(within(store, search_signals, "assessments/d", 2))
    assert [one.outcome for one in run(within(store, find_decisions, lookup.signal, 9)) if one.turn] == [
        "routed",
        "resolved",
        "routed",
    ]


def test_weeks_go_by_over_every_store(store: Store) -> None:
    """A finding goes and comes again; what is judged of a silent subscription is forgotten after 90 days."""
    weeks = Weeks(store)

    async def live() -> list[list[tuple[str, str]]]:
        told = []
        for names in ("abcd", "abc", "abc", "abcd", "abcd"):
            for name in names:
                weeks.publish_body(row_of(name), weeks.now)
            start, changes = weeks.now, []
            for hours in (1, 26):
                weeks.now = start + timedelta(hours=hours)
                await weeks.sweep()
                changes += notices(await weeks.deliver())
            told.append(sorted(changes))
            weeks.now = start + WEEK
        return told

    assert run(live()) == [[("opened", name) for name in "abcd"], [], [("resolved", "d")], [("opened", "d")], []]
    assert documents_after(store, weeks.now + 80 * DAY) == 1
    assert documents_after(store, weeks.now + 95 * DAY) == 0
    assert find_rows(store, [key_in("11111111-1111-1111-1111-111111111111", "a")]).keys()


def documents_after(store: Store, at: datetime) -> int:
    """How many documents are left when what is old at an instant was forgotten."""
    while not run(store.forget(at, Retention(), (), 100)).is_done:
        pass
    return len(run(within(store, list_documents, DocumentKind.SNAPSHOTS)))
