"""What storage that does not answer looks like to whoever uses it."""

from __future__ import annotations

import asyncio
import re
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from router.domain.documents import DocumentKind, StoredDocument
from router.domain.errors import StoreError
from router.domain.journal import HubEpoch, InFlightMarker, Partition, Progress, Span
from router.domain.ledger import Held
from router.domain.retention import Retention
from router.store.azure import Account, Address, AzureStore
from tests.builders import NOW
from tests.store.acts import run
from tests.store.builders import a_row, an_entry, noise
from tests.store.test_quarantine import a_quarantined

NOBODY = Address(
    connection_string="AccountName=devstoreaccount1;AccountKey=bm9ib2R5;"
    + ";".join(f"{name}Endpoint=http://127.0.0.1:9/devstoreaccount1" for name in ("Blob", "Queue", "Table"))
)
"""An account on a port where nobody listens, as when storage is stopped."""

EPOCH = HubEpoch(Partition("cwpp", "0"), 1)
MARKER = InFlightMarker(EPOCH, Span(1, 2), "p")
BIG = noise(100_000)
DOCUMENT = StoredDocument(kind=DocumentKind.SILENCE, id="d", at=NOW, body=b"{}")


async def ask() -> list[object]:
    """What becomes of everything that can be asked of a store, all at once since each waits a while."""
    store = AzureStore(Account(NOBODY))
    held = Held(rule="r", until=NOW, rulebook="b", source="s", body=BIG)
    answers = await asyncio.gather(
        store.prepare(),
        store.ledger.find_rows(["k"]),
        store.ledger.write_rows([a_row()]),
        store.ledger.write_rows([a_row(held=held)]),
        store.ledger.clear_pending({"k": "v"}),
        anext(store.ledger.held_in_doubt("cwpp", "b", [], NOW)),
        store.ledger.find_pending_rows("cwpp"),
        store.record.put_on_record([an_entry()]),
        store.record.find_outcomes(["hub/0:1"]),
        store.record.decisions_of("k", 1),
        store.record.decisions_between(NOW, NOW, 1),
        store.record.find_signals("k", 1),
        store.record.read_counts(NOW, NOW),
        store.record.read_hits("cwpp"),
        store.ledger.read_fields(["k"]),
        store.documents.put_document(DOCUMENT),
        store.documents.find_document(DOCUMENT.kind, "d"),
        store.documents.put_documents([DOCUMENT]),
        store.documents.find_documents(DOCUMENT.kind, ["d"]),
        store.documents.list_documents(DOCUMENT.kind),
        store.documents.remove_document(replace(DOCUMENT, version="v")),
        store.quarantine.put_in_quarantine([a_quarantined(body=BIG)]),
        store.quarantine.find_quarantined("q1"),
        store.quarantine.list_quarantined(),
        store.quarantine.discard_quarantined("q1"),
        store.journal.read_progress(EPOCH.partition),
        store.journal.write_progress(Progress(epoch=EPOCH)),
        store.journal.place_markers([MARKER]),
        store.journal.finish_markers([MARKER], []),
        store.journal.read_taken(EPOCH, 0),
        store.forget(NOW, Retention(), (), 10_000),
        return_exceptions=True,
    )
    await store.close()
    return list(answers)


def test_whatever_is_asked_of_storage_that_is_gone_is_a_storage_fault() -> None:
    """It is what the platform takes as a reason to try again later; its text tells no address."""
    faults = run(ask())
    assert {type(fault) for fault in faults} == {StoreError}
    assert {str(fault).partition(",")[0] for fault in faults} == {"storage"}
    assert not [fault for fault in faults if "127.0.0.1" in str(fault)]


@asynccontextmanager
async def cut_once(port: int) -> AsyncIterator[int]:
    """A way to a port whose first connection breaks in the middle of a request; yields its own port."""
    cuts = iter([None])

    async def pump(reader: StreamReader, writer: StreamWriter) -> None:
        while piece := await reader.read(65536):
            writer.write(piece)
        writer.close()

    async def connect(reader: StreamReader, writer: StreamWriter) -> None:
        if next(cuts, "whole") is None:
            await reader.read(1)
            writer.close()
            return
        beyond = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pump(reader, beyond[1]), pump(beyond[0], writer))

    async with await asyncio.start_server(connect, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


def test_a_write_whose_connection_breaks_is_tried_again(azure: AzureStore, address: Address) -> None:
    """Connections that were idle break every day; nobody is to hear of it."""
    connection = address.connection_string or ""
    (port,) = re.findall(r"TableEndpoint=http://127\.0\.0\.1:(\d+)", connection)

    async def write() -> object:
        async with cut_once(int(port)) as way:
            store = AzureStore(Account(Address(connection_string=connection.replace(port, str(way)))))
            try:
                return await store.ledger.write_rows([a_row()])
            finally:
                await store.close()

    versions = run(write())
    assert versions == {"k": run(azure.ledger.find_rows(["k"]))["k"].version}
