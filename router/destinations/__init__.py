"""Kinds of destination, pure: what to ask of a vendor, and what its answers mean.

Kinds are discovered, not registered. A new kind is one new file here, with others beside it where it is large, and golden files
under `tests/destinations/`. What kinds share in words stands in `wording/`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from pkgutil import walk_packages
from types import ModuleType
from typing import cast

from router.domain.conversation import ReadableKind


def discover() -> Mapping[str, type[ReadableKind]]:
    """The kinds by name, sorted: every class of this package that has a `name` and stands in its own module."""
    modules = [import_module(module.name) for module in walk_packages(__path__, f"{__name__}.")]
    kinds = {kind.name: kind for module in modules for kind in _kinds_in(module)}
    return dict(sorted(kinds.items()))


def _kinds_in(module: ModuleType) -> Iterator[type[ReadableKind]]:
    for value in vars(module).values():
        if isinstance(value, type) and value.__module__ == module.__name__ and isinstance(vars(value).get("name"), str):
            yield cast(type[ReadableKind], value)
