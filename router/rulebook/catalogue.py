"""The tables of known alert types, plans and properties that ship with the program, from where `catalogue_source.md` says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files

from router.domain.catalogue import AlertType, Catalogue, Deprecation
from router.domain.evidence import PropertyTable, property_key

_UNDATED = "yes"
"""What stands in place of a date where Microsoft's page of deprecated alerts gives none."""


@cache
def load_catalogue() -> Catalogue:
    """What is known of Defender's alert types, plans and properties, read once."""
    return Catalogue(
        types={row[0].lower(): _alert_type(*row[1:]) for row in rows_of("catalogue.tsv")},
        plan_names={spelling.lower(): plan for spelling, plan in rows_of("plan_names.tsv")},
        prefixes=tuple(
            sorted(((prefix.lower(), plan) for prefix, plan in rows_of("plans.tsv")), key=lambda row: -len(row[0]))
        ),
        resource_plans={type.lower(): plan for type, plan in rows_of("resource_plans.tsv")},
        properties=_properties(),
        products={(column, word): product for word, column, product in rows_of("products.tsv")},
    )


@cache
def load_spellings() -> Mapping[str, str]:
    """Each alert type of the catalogue as Microsoft writes it, by the type in lower case."""
    return {row[0].lower(): row[0] for row in rows_of("catalogue.tsv")}


def _properties() -> PropertyTable:
    """The list of each property, by its key; a later row with the key of an earlier one is known by its very spelling."""
    lists: dict[str, str] = {}
    for name, listed, *_ in rows_of("properties.tsv"):
        key = property_key(name)
        lists[name if key in lists else key] = listed
    return PropertyTable(lists)


def _alert_type(
    plan: str, tactics: str, severity: str, title: str, deprecated: str, replaced_by: str = "", field_only: str = ""
) -> AlertType:
    """One row of the catalogue, whose last columns may be left out where they are empty."""
    since = deprecated if deprecated != _UNDATED else None
    return AlertType(
        plan or None,
        tuple(tactics.split()),
        severity or None,
        title,
        Deprecation(since, tuple(replaced_by.split())) if deprecated else None,
        bool(field_only),
    )


def rows_of(table: str) -> Iterator[list[str]]:
    """The rows of a table that stands beside this file, cell by cell, without its header."""
    text = files("router.rulebook").joinpath(table).read_text(encoding="utf-8")
    # A quotation mark is a character like any other in these files, so no csv reader.
    return (line.split("\t") for line in text.splitlines()[1:] if line)
