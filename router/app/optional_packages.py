"""Which extras are installed, and how they are.

Without them the router works on files, and on a state on this machine.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec

from router.domain.errors import BadUsage

PACKAGE = "alert-router"

EXTRA = "azure"

POSTGRESQL_EXTRA = "postgresql"

POSTGRESQL_CLIENTS = ("psycopg",)
"""What works on a state in PostgreSQL."""

SERVE_EXTRA = "serve"

SIGN_IN_CLIENTS = ("joserfc",)
"""What verifies who signed in."""

IDENTITY_CLIENTS = ("azure.identity",)
"""What signs in to Azure."""

HUB_CLIENTS = ("azure.eventhub", "azure.identity")
"""What reads and writes hubs."""

SCRAPE_CLIENTS = ("prometheus_client",)
"""What writes metrics as Prometheus reads them."""


def is_installed(clients: Iterable[str]) -> bool:
    """Whether all of some modules can be imported; none of them is."""
    return all(map(_is_there, clients))


def refuse_absent(clients: Iterable[str], asker: str, extra: str = EXTRA) -> None:
    """Raises BadUsage, naming who asks, unless all of some modules, which an extra brings, can be imported."""
    if not is_installed(clients):
        raise BadUsage(f"{extra}: is not installed; install {requirement(extra)}, which {asker} needs")


def requirement(extra: str = "") -> str:
    """The program with an extra, in quotes, as pip and uv take it; never its bare name, which a stranger may own."""
    named = f"{PACKAGE}[{extra}]" if extra else PACKAGE
    return f'"{named} @ git+https://HOST/OWNER/{PACKAGE}@COMMIT"'


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # nor is the package that it would stand in
        return False
