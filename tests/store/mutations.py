"""The rules of a delivery's lifecycle, each broken once, as `mutations.txt` has them.

A block there names a file in `router/` and its rule; after `-` comes the text that is there once, after `+` what is put
in its place, if anything.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Mutation(NamedTuple):
    """One rule of a file in `router/`, what says it, and what breaks it."""

    file: str
    rule: str
    whole: str
    broken: str


def _read(block: str) -> Mutation:
    title, *lines = block.splitlines()
    file, _, rule = title.partition(": ")
    whole, broken = ("\n".join(line[2:] for line in lines if line.startswith(sign)) for sign in "-+")
    return Mutation(file, rule, whole, broken)


MUTATIONS = [_read(block) for block in Path(__file__).with_suffix(".txt").read_text().strip().split("\n\n")]
