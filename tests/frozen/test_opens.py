"""The states that older code left open with this code, and nothing in them is lost.

The expected answers lie beside each state; they are the same for both stores. After a change that is meant:
`GOLDENS=write .venv/bin/python -m pytest tests/frozen`, and read the difference.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import timedelta
from hashlib import blake2b
from pathlib import Path

import pytest

from router.app.signal_life import read_life
from router.app.signal_search import Meant, find_meant
from router.cli.signal_document import document_of
from router.domain.damage import DamagedLetter
from router.domain.deliveries import Claim, DeadLetter, DeliveryState, Pointer, Receipt, Redrive, Settlement
from router.domain.keys import signal_key
from router.domain.paging_answer import paging_answer
from router.domain.ports.store import QueuedStore, Store
from router.domain.retention import Retention
from router.domain.rulebook import Lane
from router.store.azure import Address, AzureStore
from router.store.codec import encode
from router.store.sqlite.schema import VERSION
from tests.builders import NOW
from tests.frozen.asking import STREAMS, Json, ask_everything, assert_says, claim_as_json
from tests.frozen.loading import COMMITS, HERE, Frozen, frozen, open_azure, open_sqlite
from tests.stack.azurite import Azurite
from tests.store.acts import run
from tests.store.older import DB, rows_in, version_of

LATER = NOW + timedelta(hours=1)
"""When each claim that somebody had is over, and whatever was put off is due."""

MINUTE = timedelta(minutes=1)
MAKER = "130a07bafe7f9d6bf2d46beab5459888"
"""What `make.py` is, to the byte."""

LANES = {"cwpp": (Lane.PAGE, Lane.TICKET, Lane.ROWS), "cspm": (Lane.TICKET, Lane.ROWS)}


@pytest.fixture(scope="module", params=COMMITS)
def state(request: pytest.FixtureRequest) -> Frozen:
    """What a commit left."""
    return frozen(request.param)


@pytest.fixture
def azure(state: Frozen, azurite: Azurite) -> Iterator[AzureStore]:
    """It in an account."""
    store = run(open_azure(state.directory.name, Address(connection_string=azurite.new_account())))
    yield store
    run(store.close())


@pytest.fixture(params=["sqlite", "azure"])
def store(request: pytest.FixtureRequest, state: Frozen, tmp_path: Path) -> Iterator[Store]:
    """It in each store."""
    if request.param == "azure":
        yield request.getfixturevalue("azure")
        return
    sqlite = open_sqlite(state.directory.name, tmp_path)
    yield sqlite
    run(sqlite.close())


@pytest.fixture(scope="module", params=["sqlite", "azure"])
def unchanged(
    request: pytest.FixtureRequest, state: Frozen, azurite: Azurite, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    """It in each store, for all that only look."""
    if request.param == "azure":
        store: Store = run(open_azure(state.directory.name, Address(connection_string=azurite.new_account())))
    else:
        store = open_sqlite(state.directory.name, tmp_path_factory.mktemp("unchanged"))
    yield store
    run(store.close())


def check(state: Frozen, name: str, found: Json) -> None:
    """Compares answers with those on file; with GOLDENS=write puts them on file."""
    file = state.directory / f"{name}.json"
    if os.environ.get("GOLDENS") == "write":
        file.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    assert found == json.loads(file.read_text())


async def settle(store: Store, claim: Claim) -> None:
    """Acknowledges a claim."""
    receipt = Receipt(reference="INC2")
    await store.outbox.settle(
        [Settlement(delivery=claim.delivery, state=DeliveryState.SENT, at=LATER, receipt=receipt)]
    )


def assert_whole(state: Frozen, claim: Claim) -> None:
    """Asserts that a claim brings what was written, and the receipt of what opened the signal there."""
    it = claim.delivery
    assert_says(encode(it.content), state.contents[it.key, it.turn])
    receipt = state.receipts.get((it.destination, it.key, it.opened))
    if receipt is not None:
        assert claim.opening is not None
        assert_says(encode(claim.opening), receipt)


async def open_deliveries(store: Store) -> int:
    """How many deliveries are still owed, or claimed."""
    counts = [await store.outbox.counts(stream) for stream in STREAMS]
    is_open = (DeliveryState.OWED, DeliveryState.CLAIMED)
    return sum(number for one in counts for (_, state), number in one.items() if state in is_open)


def test_the_life_of_each_signal_is_told(unchanged: Store, state: Frozen) -> None:
    """Whatever its row, its decisions and its deliveries lack: nothing of it is asked anew."""
    for row in state.rows("ledger"):
        meant = Meant(row["RowKey"], row["stream"])
        life = run(read_life(unchanged, meant, NOW))
        assert paging_answer(life, NOW).words
        assert document_of(life, meant, NOW)["now"] is not None


def test_each_signal_is_found_by_its_id(unchanged: Store, state: Frozen) -> None:
    """Also in an account where no look-up leads to what an older program put on record."""
    for entry in map(state.body, (row["body"] for row in state.rows("record"))):
        if entry["id"]:
            found = {one.key for one in run(find_meant(unchanged, entry["id"].upper(), None)).signals}
            assert signal_key(entry["stream"], entry["kind"], entry["id"]) in found


async def quarantined(store: Store) -> list[str]:
    """What is in quarantine."""
    return [one.id for one in await store.quarantine.list_quarantined()]


def test_what_made_them_still_speaks_the_language_of_then() -> None:
    """It runs in checkouts of those commits, so a renaming here must not reach it."""
    assert blake2b((HERE / "make.py").read_bytes(), digest_size=16).hexdigest() == MAKER


def test_a_directory_is_carried_forward_after_a_copy(state: Frozen, tmp_path: Path) -> None:
    """It is of this program's version then, and the copy is what the older program left."""
    run(open_sqlite(state.directory.name, tmp_path).close())
    left = state.directory / "sqlite" / DB
    assert version_of(tmp_path / "state" / DB) == VERSION
    assert version_of(tmp_path / "state" / f"{DB}.v3") == version_of(left) == 3
    assert rows_in(tmp_path / "state" / f"{DB}.v3") == rows_in(left)


def test_everything_that_was_kept_is_read(unchanged: Store, state: Frozen) -> None:
    """Rows, deliveries, letters, groups, the record, the quarantine and the journal; nothing is set aside."""
    before = run(quarantined(unchanged))
    check(state, "answers", run(ask_everything(unchanged, state)))
    assert run(quarantined(unchanged)) == before


def test_what_was_owed_is_sent_once_and_in_turn(store: Store, state: Frozen) -> None:
    """With all that it tells, from a claim that nobody settled too; and then nothing is owed."""

    async def send() -> list[Claim]:
        claims: list[Claim] = []
        for stream in STREAMS:
            for destination, backlog in (await store.outbox.backlog(stream)).items():
                pointer = Pointer(stream, backlog.lane, destination)
                while some := await store.outbox.claim(pointer, LATER, LATER + MINUTE, 10):
                    for claim in some:
                        await settle(store, claim)
                    claims += some
        return claims

    before = run(quarantined(store))
    claims = run(send())
    turns: dict[tuple[str, str], list[int]] = {}
    for claim in claims:
        assert_whole(state, claim)
        turns.setdefault((claim.delivery.destination, claim.delivery.key), []).append(claim.delivery.turn)
    assert all(one == sorted(set(one)) for one in turns.values())
    assert run(open_deliveries(store)) == 0
    assert run(quarantined(store)) == before
    check(state, "owed", sorted(map(claim_as_json, claims), key=lambda one: one[1:5:2] + one[4:5]))


def test_dead_letters_are_sent_again_or_discarded(store: Store, state: Frozen) -> None:
    """Each that can be decoded; one that cannot stays until somebody discards it."""

    async def empty() -> None:
        for letter in await store.outbox.dead():
            if isinstance(letter, DamagedLetter):
                assert await store.outbox.redrive(letter.id, LATER) is Redrive.DAMAGED
                assert await store.outbox.discard(letter.id, LATER)
                continue
            assert await store.outbox.redrive(letter.delivery.id, LATER) is Redrive.OWED
            assert await _sent(letter)

    async def _sent(letter: DeadLetter) -> bool:
        it = letter.delivery
        pointer = Pointer(it.stream, it.lane, it.destination)
        while claims := await store.outbox.claim(pointer, LATER, LATER + MINUTE, 10):
            for claim in claims:
                assert_whole(state, claim)
                await settle(store, claim)
                if claim.delivery.id == it.id:
                    return True
        return False

    run(empty())
    assert not [one for one in run(store.outbox.dead()) if isinstance(one, DamagedLetter)]


def test_retention_walks_through_all_of_it(store: Store, state: Frozen) -> None:
    """A year later; whatever it takes away or leaves, it meets nothing that is damaged."""
    before = run(quarantined(store))
    run(store.outbox.repair_times(LATER))
    run(store.forget(NOW + timedelta(days=399), Retention(), (), 10_000))
    assert run(quarantined(store)) == before


def test_pointers_lead_to_what_is_owed(azure: AzureStore, state: Frozen) -> None:
    """Each message of each queue is one; with those that poison queues hold they lead to everything."""
    before = run(quarantined(azure))
    run(_follow_all(azure, state))
    assert run(open_deliveries(azure)) == 0
    assert run(quarantined(azure)) == before


async def _follow_all(store: QueuedStore, state: Frozen) -> None:
    places = [(stream, lane) for stream, lanes in LANES.items() for lane in lanes]
    for one in state.rows("queues"):
        stream, lane, *_ = one["queue"].split("-")
        assert store.outbox.pointer(stream, Lane(lane), one["message"]) is not None, one
    while await open_deliveries(store):
        pointed = sum([await store.outbox.repoint(stream, LATER) for stream in STREAMS])
        followed = sum([await _follow(store, state, *place) for place in places])
        assert pointed or followed


async def _follow(store: QueuedStore, state: Frozen, stream: str, lane: Lane) -> int:
    queue, followed = store.outbox.queue(stream, lane), 0
    while messages := await queue.receive(32, MINUTE):
        for text, handle in messages:
            pointer = store.outbox.pointer(stream, lane, text)
            assert pointer is not None, text
            while claims := await store.outbox.claim(pointer, LATER, LATER + MINUTE, 100):
                for claim in claims:
                    assert_whole(state, claim)
                    await settle(store, claim)
                followed += len(claims)
            await queue.delete(handle)
    return followed
