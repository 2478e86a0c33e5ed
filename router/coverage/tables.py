"""The tables of data beside this file. They are read once, when what uses them is imported."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from importlib.resources import files
from typing import Any


def read_rows(table: str) -> Iterator[list[str]]:
    """The rows of a table of tab-separated cells, without its header."""
    return (line.split("\t") for line in _read(table).splitlines()[1:])


def read_toml(table: str) -> dict[str, Any]:
    """What a table in TOML holds."""
    return tomllib.loads(_read(table))


def _read(table: str) -> str:
    return files(__package__).joinpath(table).read_text(encoding="utf-8")
