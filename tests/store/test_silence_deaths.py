"""Workers that die while they hold or let go: what a silence held comes out once all the same, and each message is one hit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from router.domain.catalogue import Catalogue
from router.domain.decisions import Change
from router.domain.documents import DocumentKind
from router.domain.rulebook import By, Grouping, Rulebook
from router.ingest.intake import Intake
from router.ingest.suppression_release import release_held
from router.store.azure import Account, Address, AzureStore
from tests.builders import NOW, a_destination, a_message, a_rulebook, alert_body
from tests.silences import HOUR, a_silence
from tests.stack.azurite import Azurite
from tests.store.acts import run
from tests.store.interrupted import EVERY, Work, deaths, dies
from tests.store.life import Life
from tests.store.test_silences import hits, put, ticketed

GROUP = Grouping(by=(By.RESOURCE,), window=HOUR)
GROUPED = a_rulebook(destinations=[replace(a_destination("tickets"), group=GROUP)], always=[])
MESSAGES = [a_message(alert_body(id), at=NOW) for id in ("alert-1", "alert-2")]


async def opened(address: Address) -> AzureStore:
    """A store as a worker that nothing happens to has it."""
    store = AzureStore(Account(address))
    await store.prepare()
    return store


def letting_go(book: Rulebook) -> Work:
    """A worker that lets go of what the silence held, at its end."""

    async def work(store: AzureStore) -> None:
        intake = Intake(store, {book.stream: book}, Catalogue())
        await release_held(intake, store.ledger, book, NOW + 2 * HOUR)

    return work


@EVERY
@pytest.mark.parametrize("is_grouped", [False, True])
@pytest.mark.parametrize("is_gone", [False, True])
def test_a_worker_that_dies_while_it_lets_go_loses_nothing_and_nothing_comes_out_twice(
    azurite: Azurite, every: int, *, is_grouped: bool, is_gone: bool
) -> None:
    """Whatever write is its last; also where the silence is gone when the next one comes, and the rules are others."""
    book = GROUPED if is_grouped else a_rulebook()
    for at, is_after in deaths(every):
        address = Address(connection_string=azurite.new_account())
        store = run(opened(address))
        life = Life(store, book)
        put(store, a_silence())
        life.ingest(*MESSAGES)
        has_died = run(dies(address, letting_go(book), at, is_after=is_after))
        life.now = NOW + 2 * HOUR
        if is_gone:
            document = run(store.documents.find_document(DocumentKind.SILENCE, "ab12cd"))
            assert document is not None
            run(store.documents.remove_document(document))
            life.book = replace(book, hash="ba9876543210")
        life.release()
        life.release()
        told = [(id, change) for id, change, _ in ticketed(life)]
        if is_grouped:
            assert [change for _, change in told if change is Change.OPENED] == [Change.OPENED]
            rows = [life.row(id) for id in ("alert-1", "alert-2")]
            assert all(row is not None and row.grouped == {"tickets"} for row in rows)
        else:
            assert sorted(told) == [("alert-1", Change.OPENED), ("alert-2", Change.OPENED)], (at, is_after)
        assert hits(store) == 2
        run(store.close())
        if not has_died:
            break


@EVERY
def test_a_worker_that_dies_while_it_holds_leaves_one_hit_for_each_message(azurite: Azurite, every: int) -> None:
    """The hub brings them again; and what is held comes out."""
    book = a_rulebook()

    async def work(store: AzureStore) -> None:
        await Intake(store, {book.stream: book}, Catalogue()).ingest(MESSAGES, NOW)

    for at, is_after in deaths(every):
        address = Address(connection_string=azurite.new_account())
        store = run(opened(address))
        life = Life(store, book)
        put(store, a_silence())
        has_died = run(dies(address, work, at, is_after=is_after))
        life.ingest(*MESSAGES)
        assert hits(store) == 2, (at, is_after)
        life.now = NOW + 2 * HOUR
        life.release()
        assert sorted((id, change) for id, change, _ in ticketed(life)) == [
            ("alert-1", Change.OPENED),
            ("alert-2", Change.OPENED),
        ]
        run(store.close())
        if not has_died:
            break
