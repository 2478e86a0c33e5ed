"""The score in CVSS of a vulnerability, which Defender writes by version: `{"2.0": {"base": 6.8}, "3.0": null}`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from router.parse.fields import Fields, fields_in, items_in, name_in

_NUMBER = re.compile(r"(?:10(?:\.0{1,3})?|\d(?:\.\d{1,3})?)", re.ASCII)
_VERSION = re.compile(r"\d(?:\.\d)?", re.ASCII)
_VECTOR = re.compile(r"CVSS:(\d\.\d)/", re.ASCII)


def find_cvss(additional: Fields) -> str | None:
    """The base score in the highest version that has one, `9.1 (CVSS 3.1)`; without a version where none is named.

    It stands on top of additional data, under Data, or under vulnerabilityDetails. An individual recommendation says only the
    highest score of its CVEs.
    """
    for fields in (additional, fields_in(additional.get("data")), fields_in(additional.get("vulnerabilitydetails"))):
        if scores := dict(_scores_in(fields.get("cvss"))):
            version = max(scores)
            return f"{scores[version]} (CVSS {version})"
    return _find_number(additional.get("maxcvssscore"))


def _scores_in(value: object) -> Iterator[tuple[str, str]]:
    """Each version with its base score. Versions have one digit before the point, so they compare as texts."""
    pairs = list(fields_in(value).items())
    for item in items_in(value):
        fields = fields_in(item)
        pairs.append((name_in(fields, "key") or "", fields.get("value")))
    for written, held in pairs:
        score = fields_in(held)
        version = _VECTOR.match(name_in(score, "cvssvectorstring") or "")
        key = _VERSION.search(written)
        base = _find_number(score.get("base", held))
        if base is not None and (found := version[1] if version else key[0] if key else None) is not None:
            yield found, base


def _find_number(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    written = str(value).strip()
    return written if _NUMBER.fullmatch(written) else None
