"""Names in `withhold` that nothing is known to have. Properties are open, so that is warned about, and nothing more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from difflib import get_close_matches

from router.domain.evidence import BOILERPLATE, Evidence, PropertyTable, property_key
from router.rulebook.problems import KeyPath

_LISTS = {property_key(one.name): one.name for one in fields(Evidence)}
"""The names of the lists of evidence, by their keys."""


def doubts_about_withheld(written: object, table: PropertyTable) -> Iterator[tuple[KeyPath, str]]:
    """What to say of names in a `withhold`; nothing that is written there is repeated."""
    path: KeyPath = ()
    if isinstance(written, dict):
        path, written = ("properties",), written.get("properties")
    names = [name if isinstance(name, str) else "" for name in written] if isinstance(written, list) else []
    keys = [property_key(name) for name in names]
    known = {property_key(name): listed for name, listed in table.lists.items()}
    for number, key in enumerate(keys):
        if not key or key in _LISTS:
            continue
        if key not in known:
            yield (*path, number), f"is no list of evidence, and no property that is known{_hint(key, known)}"
        elif (many := f"{key}s") in _LISTS and many not in keys:
            yield (*path, number), f"is a property alone; the list of evidence is {_LISTS[many]!r}"


def _hint(key: str, known: Mapping[str, str]) -> str:
    if close := get_close_matches(key, _LISTS, n=1, cutoff=0.8):
        return f"; did you mean {_LISTS[close[0]]!r}?"
    if not (close := get_close_matches(key, known, n=1, cutoff=0.8)):
        return "; look whether a message has it"
    listed = known[close[0]]
    return f"; did you mean {close[0]!r}{f', or the list {listed!r}' if listed != BOILERPLATE else ''}?"
