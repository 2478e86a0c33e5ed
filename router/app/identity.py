"""Who the router is in Azure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential


def identity_for(client_id: str | None) -> AsyncTokenCredential:
    """A user-assigned identity, or without one whatever this machine is signed in as; tokens are asked for when needed."""
    from azure.identity.aio import DefaultAzureCredential

    options = {"managed_identity_client_id": client_id} if client_id is not None else {}
    # No proxy from the environment: who gives out tokens is asked directly, as everybody else is.
    return DefaultAzureCredential(**options, use_env_settings=False)
