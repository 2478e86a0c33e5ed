"""What of the extra `azure` is installed: without it the router works on files, and on a state on this machine."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec

from router.domain.errors import BadUsage

EXTRA = "azure"
"""What is installed as alert-router[azure]."""

STORAGE_CLIENTS = ("azure.data.tables", "azure.storage.blob", "azure.storage.queue", "azure.identity")
"""What works on a storage account."""

HUB_CLIENTS = ("azure.eventhub", "azure.identity")
"""What reads and writes hubs."""


def is_installed(clients: Iterable[str]) -> bool:
    """Whether all of some modules can be imported; none of them is."""
    return all(map(_is_there, clients))


def refuse_absent(clients: Iterable[str], asker: str) -> None:
    """Raises BadUsage, naming who asks, unless all of some modules can be imported."""
    if not is_installed(clients):
        raise BadUsage(f"{EXTRA}: is not installed; install alert-router[{EXTRA}], which {asker} needs")


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # nor is the package that it would stand in
        return False
