"""The tables of known alert types and plans that ship with the program; `catalogue_source.md` says where they are from."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.resources import files

from router.domain.catalogue import AlertType, Catalogue


@cache
def load_catalogue() -> Catalogue:
    """What is known of Defender's alert types and plans, read once."""
    return Catalogue(
        types={
            type.lower(): AlertType(plan or None, tuple(tactics.split()), severity or None, title)
            for type, plan, tactics, severity, title, *_ in _rows("catalogue.tsv")
        },
        plan_names={spelling.lower(): plan for spelling, plan in _rows("plan_names.tsv")},
        prefixes=tuple(
            sorted(((prefix.lower(), plan) for prefix, plan in _rows("plans.tsv")), key=lambda row: -len(row[0]))
        ),
    )


def _rows(table: str) -> Iterator[list[str]]:
    text = files("router.rulebook").joinpath(table).read_text(encoding="utf-8")
    # A quotation mark is a character like any other in these files, so no csv reader.
    return (line.split("\t") for line in text.splitlines()[1:] if line)
