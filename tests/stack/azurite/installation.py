"""Azurite, installed once with npm."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests import npm

_SCRIPT = Path("azurite", "dist", "src", "azurite.js")


@dataclass(frozen=True, slots=True)
class Installation:
    """What runs Azurite: a Node.js program, and the script to give it."""

    node: Path
    script: Path


def installed() -> Installation:
    """Gives Azurite as the lock pins it; raises as `npm.installed` does."""
    packages = npm.installed(Path(__file__).parent, "azurite")
    return Installation(packages.node, packages.modules / _SCRIPT)
