"""Nobody but who is meant gets what the router sends to Azure: no redirect is followed, and no proxy variable obeyed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from azure.core.exceptions import AzureError

from router.app.identity import identity_for
from router.store.azure import Account, Address
from tests.deliver.sockets import Answering, answering

KEY = "a" * 88

type Ask = Callable[[Account], Awaitable[Any]]

ASKS: Sequence[Ask] = [
    lambda account: account.tables.create_table("t1"),
    lambda account: account.tables.get_table_client("table").create_entity({"PartitionKey": "p", "RowKey": "r"}),
    lambda account: account.queues.get_queue_client("queue").send_message("a pointer"),
    lambda account: account.blobs.get_blob_client("container", "blob").upload_blob(b"a body"),
]


def account_at(server: Answering) -> Account:
    """An account whose services are all at one address."""
    services = (f"{service}Endpoint={server.url}/a" for service in ("Blob", "Queue", "Table"))
    return Account(Address(f"AccountName=a;AccountKey={KEY};" + ";".join(services)))


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_storage_follows_no_redirect(ask: Ask, status: int) -> None:
    """What is kept there holds alerts: neither that nor a signature goes anywhere else."""

    async def asked() -> None:
        async with answering() as elsewhere, answering(status, Location=f"{elsewhere.url}/there") as server:
            account = account_at(server)
            with pytest.raises(AzureError):
                await ask(account)
            await account.close()
            assert (len(server.requests), elsewhere.requests) == (1, [])

    asyncio.run(asked())


@pytest.mark.parametrize("status", [307, 404])
def test_tokens_are_asked_for_where_they_are_given_out_and_nowhere_else(
    monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """What identifies this machine to Azure goes to no proxy that a variable names, nor where an answer points."""

    async def asked() -> None:
        async with answering() as elsewhere, answering(status, Location=f"{elsewhere.url}/there") as server:
            for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
                monkeypatch.setenv(name, elsewhere.url)
            monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential")
            monkeypatch.setenv("IDENTITY_ENDPOINT", f"{server.url}/token")
            monkeypatch.setenv("IDENTITY_HEADER", "a secret of this machine")
            async with identity_for("a-client") as identity:
                with pytest.raises(AzureError):
                    await identity.get_token("https://storage.azure.com/.default")
            assert (len(server.requests), elsewhere.requests) == (1, [])

    asyncio.run(asked())
