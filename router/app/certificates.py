"""Which certificate authorities are trusted."""

from __future__ import annotations

import atexit
import os
import ssl
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import certifi

from router.app.settings import Settings
from router.domain.errors import BadFile

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential


def trust_for(settings: Settings) -> ssl.SSLContext:
    """The system's authorities, and those of the file that the settings name; raises BadFile where it cannot be read."""
    context = ssl.create_default_context()
    if settings.ca_file is not None:
        try:
            context.load_verify_locations(settings.ca_file)
        except OSError as fault:  # ssl's own errors are such, too
            raise BadFile(f"{settings.ca_file}: ALERT_ROUTER_CA_FILE names no readable file of certificates") from fault
    return context


def authorities_for(settings: Settings) -> str:
    """The same authorities in one file, for who reads no other form; raises BadFile where one cannot be read."""
    trust_for(settings)
    system = ssl.get_default_verify_paths().cafile or certifi.where()
    return system if settings.ca_file is None else _joined(system, settings.ca_file)


@cache
def _joined(*files: str) -> str:
    """The name of a file with what several hold, which is there as long as the process."""
    handle, name = tempfile.mkstemp(suffix=".pem")
    atexit.register(Path(name).unlink, missing_ok=True)
    with os.fdopen(handle, "wb") as joined:
        joined.write(b"\n".join(Path(file).read_bytes() for file in files))
    return name


def identity_for(settings: Settings, client_id: str | None) -> AsyncTokenCredential:
    """A user-assigned identity, or without one whatever this machine is signed in as; tokens are asked for when needed."""
    from azure.identity.aio import DefaultAzureCredential

    options: dict[str, object] = {"managed_identity_client_id": client_id} if client_id is not None else {}
    trust = authorities_for(settings) if settings.ca_file is not None else None
    if trust is not None:
        options["connection_verify"] = trust
    if (proxy := settings.proxy) is not None:
        from router.deliver.azure_transport import ProxiedTransport

        options["transport"] = ProxiedTransport(proxy, trust)
    # No proxy from the environment: who gives out tokens is asked as everybody else is.
    return DefaultAzureCredential(**options, use_env_settings=False)
