"""The forms of credentials that are masked where people read. Nothing is guessed from how random a text looks.

They stand in `credentials.toml`, which says what its keys are. The table is a part of the program, read as its code is, where
a text is masked for the first time: no caller hands it in, and no start waits for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

_VALUE_STANDS = {"apart": "(?&apart)", "either": "(?&apart)?", "glued": r"(?=\S)"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialForm:
    """One form in which a credential is written: what `credentials.toml` says of it, with its parts put in."""

    name: str
    what: str
    source: str
    signs: frozenset[str]
    lead: str
    value: str
    tool: str | None = None


@cache
def credential_forms() -> tuple[CredentialForm, ...]:
    """The forms, in the order in which a text is gone through."""
    table = _table()
    return tuple(_form(row, table["parts"]) for row in table["forms"])


@cache
def credential_names() -> frozenset[str]:
    """Names of properties, by their letters and digits, whose values are credentials whatever they look like."""
    return frozenset(_table()["property_names"])


@cache
def _table() -> dict[str, Any]:
    import tomllib  # for which no start waits

    return tomllib.loads(files("router.destinations.wording").joinpath("credentials.toml").read_text(encoding="utf-8"))


def _form(row: Mapping[str, Any], parts: Mapping[str, str]) -> CredentialForm:
    patterns = {key: row[key] for key in ("lead", "value", "tool") if key in row}
    if "programs" in row:
        names = "|".join(row["programs"]).replace(" ", r"[\s\"',]{1,6}")
        patterns["tool"] = rf"(?<![\w-])(?i:{names})(?:\.exe)?(?![\w-])"
        patterns["lead"] = rf"(?<=[\s\"'])(?:{'|'.join(row['options'])})" + _VALUE_STANDS[row["value_stands"]]
    patterns = {key: _whole(pattern, parts) for key, pattern in patterns.items()}
    return CredentialForm(
        name=row["name"], what=row["what"], source=row["source"], signs=frozenset(row["signs"]), **patterns
    )


def _whole(pattern: str, parts: Mapping[str, str]) -> str:
    """A pattern in one line, with the parts that it names."""
    joined = "".join(line.strip() for line in pattern.splitlines()) if "\n" in pattern else pattern
    return re.sub(r"\(\?&(\w+)\)", lambda part: f"(?:{_whole(parts[part[1]], parts)})", joined)
