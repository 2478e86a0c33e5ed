"""Kinds of destination, pure: what to ask of a vendor, and what its answers mean.

Kinds are discovered, not registered. A new kind is one new file here, called as the kind is, with others beside it where it is
large, and golden files under `tests/destinations/`. What kinds share in words stands in `wording/`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from pkgutil import iter_modules

from router.domain.conversation import ReadableKind


def discover() -> Mapping[str, type[ReadableKind]]:
    """The kinds by name, sorted; each is imported when it is asked for, so that a start waits for those that rules name."""
    return _Kinds()


class _Kinds(Mapping[str, type[ReadableKind]]):
    def __init__(self) -> None:
        self._modules = sorted(module.name for module in iter_modules(__path__))

    def __getitem__(self, name: str) -> type[ReadableKind]:
        if name in self._modules:
            for value in vars(import_module(f"{__name__}.{name}")).values():
                if isinstance(value, type) and vars(value).get("name") == name:
                    return value
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return filter(self.__contains__, self._modules)

    def __len__(self) -> int:
        return sum(1 for _ in self)
