"""Which extras are installed, and where they are installed from.

Without them the router works on files, and on a state on this machine.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from importlib.util import find_spec
from urllib.parse import urlsplit

from router.domain.errors import BadUsage

PACKAGE = "alert-router"

EXTRA = "azure"

POSTGRESQL_EXTRA = "postgresql"

POSTGRESQL_CLIENTS = ("psycopg",)
"""What works on a state in PostgreSQL."""

IDENTITY_CLIENTS = ("azure.identity",)
"""What signs in to Azure."""

HUB_CLIENTS = ("azure.eventhub", "azure.identity")
"""What reads and writes hubs."""

_SOURCE = re.compile(r"(git\+)?(https|ssh|file)://[\w.~%@:/+\[\]#=-]+", re.ASCII)
"""What can be installed from, and needs no quoting in a shell."""


def is_installed(clients: Iterable[str]) -> bool:
    """Whether all of some modules can be imported; none of them is."""
    return all(map(_is_there, clients))


def refuse_absent(clients: Iterable[str], asker: str, extra: str = EXTRA) -> None:
    """Raises BadUsage, naming who asks, unless all of some modules, which an extra brings, can be imported."""
    if not is_installed(clients):
        raise BadUsage(f"{extra}: is not installed; install {requirement(extra)}, which {asker} needs")


def requirement(extra: str = "") -> str:
    """The program with an extra, in quotes, as pip and uv take it: from where this one came, never by its bare name.

    Any stranger may own that name on a public index.
    """
    named = f"{PACKAGE}[{extra}]" if extra else PACKAGE
    return f'"{named} @ {find_source() or f"git+https://HOST/OWNER/{PACKAGE}@COMMIT"}"'


def find_source() -> str | None:
    """The commit, file or directory that the installed program came from; no credentials are in it.

    None where it came from an index, or is not installed.
    https://packaging.python.org/specifications/direct-url/
    """
    from importlib.metadata import PackageNotFoundError, distribution  # for which `--help` does not wait

    try:
        found = json.loads(distribution(PACKAGE).read_text("direct_url.json") or "{}")
        url, vcs, folder = urlsplit(found["url"]), found.get("vcs_info"), found.get("subdirectory")
        user, _, host = url.netloc.rpartition("@")
        is_user = url.scheme == "ssh" and user and ":" not in user
        bare = url._replace(netloc=url.netloc if is_user else host, query="", fragment="").geturl()
        source = f"{vcs['vcs']}+{bare}@{vcs['commit_id']}" if vcs is not None else bare
    except (PackageNotFoundError, ValueError, LookupError, TypeError, AttributeError):
        return None
    source += f"#subdirectory={folder}" if folder else ""
    return source if _SOURCE.fullmatch(source) else None


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # nor is the package that it would stand in
        return False
