"""Nobody but who is meant gets what the router sends to Azure: no redirect is followed, and no proxy variable obeyed."""

from __future__ import annotations

import asyncio

import pytest
from azure.core.exceptions import AzureError

from router.app.certificates import identity_for
from tests.deliver.sockets import answering


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
