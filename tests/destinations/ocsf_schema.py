"""OCSF 1.5.0 as far as the router sends it, written down by hand in `ocsf_1_5_0.txt` from the schema's own pages.

A line is an attribute and what it holds: a type, `[...]` for a list, the name of another table, or the values that an
enumeration has. `!` marks what must be there; `at least one` and `just one` are the constraints of an object.
Each class has the attributes of `finding`, too.

https://schema.ocsf.io/1.5.0/classes/detection_finding, .../vulnerability_finding, .../compliance_finding
https://schema.ocsf.io/1.5.0/objects/finding_info, and so on for each object
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

TABLES = {
    head.removeprefix("[").removesuffix("]"): [line.partition(": ") for line in lines]
    for table in Path(__file__).with_name("ocsf_1_5_0.txt").read_text().split("\n\n")
    for head, *lines in [table.strip().splitlines()]
}
_TYPES = {"str": str, "int": int, "bool": bool, "object": dict}
_CLASSES = {2002: "vulnerability_finding", 2003: "compliance_finding", 2004: "detection_finding"}
for _class in _CLASSES.values():
    TABLES[_class] += TABLES["finding"]
_CONSTRAINTS = ("at least one", "just one")


def problems_in(finding: Mapping[str, Any]) -> list[str]:
    """What is wrong with a finding, each with its place."""
    found = list(_problems_of(finding, _CLASSES[finding["class_uid"]], ""))
    if finding["type_uid"] != finding["class_uid"] * 100 + finding["activity_id"]:
        found.append("type_uid: is of another class or activity")
    return found


def _problems_of(value: Any, what: str, place: str) -> Iterator[str]:
    if what.startswith("["):
        if not isinstance(value, list) or not value:
            yield f"{place}: is no list with anything in it"
            return
        for number, one in enumerate(value):
            yield from _problems_of(one, what[1:-1], f"{place}[{number}]")
    elif what in TABLES:
        yield from _problems_of_an_object(value, what, place)
    elif what in _TYPES:
        if type(value) is not _TYPES[what]:
            yield f"{place}: is no {what}"
    elif str(value) not in what.split():
        yield f"{place}: {value} is not among {what}"


def _problems_of_an_object(value: Any, table: str, place: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{place}: is no {table}"
        return
    lines = TABLES[table]
    attributes = {name.rstrip("!"): what for name, _, what in lines if name not in _CONSTRAINTS}
    yield from (f"{place}.{name}: is no attribute of {table}" for name in value if name not in attributes)
    yield from (
        f"{place}.{name[:-1]}: is missing" for name, _, _ in lines if name[-1] == "!" and name[:-1] not in value
    )
    for name, _, what in lines:
        count = len(value.keys() & set(what.split()))
        if (name == "just one" and count != 1) or (name == "at least one" and count == 0):
            yield f"{place}: has {count} of {what}"
    for name in value.keys() & attributes.keys():
        yield from _problems_of(value[name], attributes[name], f"{place}.{name}")
