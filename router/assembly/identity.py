"""Who the router is in Azure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential


def identity_for(client_id: str | None) -> AsyncTokenCredential:
    """A user-assigned identity, or without one whatever this machine is signed in as; tokens are asked for when needed."""
    from azure.identity.aio import DefaultAzureCredential

    if client_id is None:
        return DefaultAzureCredential()
    return DefaultAzureCredential(managed_identity_client_id=client_id)
