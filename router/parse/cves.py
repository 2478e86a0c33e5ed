"""The CVEs of a finding, their score in CVSS, and how severe that makes it.

A list of CVEs may be JSON inside a string, cut, or endless: it is read within bounds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from router.domain.posture import Cves
from router.domain.severity import ASSUMED, Severity, severity_named
from router.parse.documents import find_document
from router.parse.fields import Fields, fields_in, items_in, name_in, text_in

MOST_TEXT = 1_048_576
"""Characters of a list of CVEs that are looked at: an event of Event Hubs is no longer than that."""

MOST_IDS = 1_000
"""CVEs that a finding keeps: the ids alone are 16 KB of its row in the ledger. A kernel has hundreds."""

_LONGEST_ID = 64
_FIELDS = ("cveid", "cve", "id")
_WRITTEN = re.compile(r'"cveid"\s*+:\s*+"([^"]{1,64})"', re.IGNORECASE)
_CVE = re.compile(r"\bCVE-\d{4}-\d{4,19}\b", re.IGNORECASE)
_BETWEEN = re.compile(r"[,;]")


def find_cves(additional: Fields) -> Cves | None:
    """Return the CVEs that additional data names, in `CvesDetails` or by a scanner; None if it names none.

    Beyond `MOST_IDS` those that come first by their ids are kept, so that the order of the list says nothing.
    """
    scanners = additional.get("scannersdetails")
    named = [*_ids_in(additional.get("cvesdetails")), *_ids_of_scanners(scanners)]
    ids = tuple(dict.fromkeys(id for id in named if id is not None))
    if len(ids) > MOST_IDS:
        return Cves(ids=tuple(sorted(ids)[:MOST_IDS]), is_whole=False)
    return Cves(ids=ids, is_whole=None not in named) if named else None


def elements_in(value: object) -> Iterator[Fields]:
    """The CVEs of `CvesDetails` with what is said of each, whether listed or by their ids; of a list that is cut, nothing."""
    if isinstance(value, str):
        value = find_document(value) if len(value) <= MOST_TEXT else None
    if isinstance(value, dict):
        value = [value, *value.values()]
    if isinstance(value, list):
        yield from map(fields_in, value)


def _ids_of_scanners(value: object) -> Iterator[str | None]:
    """The ids that all scanners name, whether these are listed or stand by their names."""
    if isinstance(value, str):
        document = find_document(value)
        if document is None and value.lstrip().startswith(("[", "{")):
            yield from _ids_written_in(value)
        value = document
    for scanner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _ids_in(fields_in(scanner).get("cvesids"))


def _ids_in(value: object) -> Iterator[str | None]:
    """The ids in a list of CVEs, in an object of them by their ids, or in a text; None for each element that is no id."""
    match value:
        case None:
            return
        case str() if len(value) > MOST_TEXT:
            yield from _ids_written_in(value[:MOST_TEXT])
        case str() if value.lstrip().startswith(("[", "{")):
            document = find_document(value)
            yield from _ids_written_in(value) if document is None else _ids_in(document)
        case str():
            yield from map(find_cve, _BETWEEN.sub(" ", value).split())
        case list():
            for element in value:
                yield from _ids_of(element) or (None,)
        case dict():
            yield from _ids_of(value) or map(find_cve, value)
        case _:
            yield None


def _ids_written_in(text: str) -> Iterator[str | None]:
    """The ids in a text that is no JSON, because it is cut for instance, and None for what may be missing."""
    yield None
    yield from (id.upper() for id in _WRITTEN.findall(text) or _CVE.findall(text))


def _ids_of(element: object) -> list[str]:
    """The id of one element of a list: an object, an object inside a string, or an id by itself."""
    fields = fields_in(element)
    ids = [id for held in (*map(fields.get, _FIELDS), element) if (id := _find_id(held))]
    # An id of another kind may stand beside it, such as a scanner's own; a second CVE is one that the message names.
    return [*ids[:1], *filter(find_cve, ids[1:])]


def find_cve(word: str) -> str | None:
    """The id that a word is, in upper case."""
    return word.upper() if _CVE.fullmatch(word) else None


def _find_id(written: object) -> str | None:
    id = written.strip().upper() if isinstance(written, str) else ""
    return id if 0 < len(id) <= _LONGEST_ID and id[0] not in "[{" else None


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


_BANDS = ((9.0, Severity.CRITICAL), (7.0, Severity.HIGH), (4.0, Severity.MEDIUM), (0.1, Severity.LOW))
"""The least base score of each severity: https://nvd.nist.gov/vuln-metrics/cvss"""


def find_severity(given: Iterable[str | None], additional: Fields | None = None) -> tuple[Severity, str | None]:
    """The first severity of several that is known, else that of the CVEs in additional data, else Medium; and what is given."""
    first = None
    for written in given:
        if (severity := severity_named(written)) is not None:
            return severity, written
        first = first or written
    return max(_severities_in(additional), default=ASSUMED) if additional else ASSUMED, first


def severities_given(fields: Fields, additional: Fields) -> Iterator[str | None]:
    """The severities that a message gives: first in some fields, then in additional data.

    Its place there depends on the scanner: on top, under Data, or under vulnerabilityDetails.
    """
    yield text_in(fields, "severity")
    for inner in (additional, fields_in(additional.get("data")), fields_in(additional.get("vulnerabilitydetails"))):
        yield text_in(inner, "severity")


def _severities_in(additional: Fields) -> Iterator[Severity]:
    """The severities of CVEs: that of each which says it, else by its score; and by the score of the whole."""
    for element in elements_in(additional.get("cvesdetails")):
        severity = severity_named(text_in(element, "severity")) or _severity_by(find_cvss(element))
        if severity is not None:
            yield severity
    if (severity := _severity_by(find_cvss(additional))) is not None:
        yield severity


def _severity_by(cvss: str | None) -> Severity | None:
    """The severity that a base score stands for: `9.1 (CVSS 3.1)`. CVSS 2 knows none above High."""
    if cvss is None:
        return None
    score, _, version = cvss.partition(" (CVSS ")
    severity = next((severity for least, severity in _BANDS if float(score) >= least), None)
    return min(severity, Severity.HIGH) if severity is not None and version.startswith("2") else severity
