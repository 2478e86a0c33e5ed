"""The rules of a delivery's lifecycle, each broken once, as `mutations.txt` has them.

A block there names a file in `router/domain/` and its rule; after `-` comes the text that is there once, after `+` what is put
in its place, if anything. Where a rule's name ends with one store, the other one does not ask: SQLite selects by instants, so
that what waits never comes up; in the account a lease is judged whenever something is claimed, and not mended before, and the
version of a row keeps what is closed.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

STORES = ("sqlite", "azure")


class Mutation(NamedTuple):
    """One rule of a file in `router/domain/`, the stores that ask for it, what says it, and what breaks it."""

    file: str
    rule: str
    stores: tuple[str, ...]
    whole: str
    broken: str


def _read(block: str) -> Mutation:
    title, *lines = block.splitlines()
    file, _, named = title.partition(": ")
    rule, _, store = named.removesuffix("]").partition(" [")
    whole, broken = ("\n".join(line[2:] for line in lines if line.startswith(sign)) for sign in "-+")
    return Mutation(file, rule, (store,) if store else STORES, whole, broken)


MUTATIONS = [_read(block) for block in Path(__file__).with_suffix(".txt").read_text().strip().split("\n\n")]
