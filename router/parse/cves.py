"""The CVEs that a recommendation names, read within bounds: a list may be JSON inside a string, cut, or endless."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from router.domain.posture import Cves
from router.parse.documents import find_document
from router.parse.fields import Fields, fields_in, text_in

MOST_TEXT = 1_048_576
"""Characters of a list of CVEs that are looked at: an event of Event Hubs is no longer than that."""

MOST_IDS = 1_000
"""CVEs that a finding keeps: the ids alone are 16 KB of its row in the ledger. A kernel has hundreds."""

_LONGEST_ID = 64
_FIELDS = ("cveid", "cve", "id")
_WRITTEN = re.compile(r'"cveid"\s*+:\s*+"([^"]{1,64})"', re.IGNORECASE)
_CVE = re.compile(r"\bCVE-\d{4}-\d{4,19}\b", re.IGNORECASE)
_BETWEEN = re.compile(r"[\s,;]+")

type _Read = tuple[list[str], bool]
"""The ids that were read, and whether that is all there is."""


def find_cves(additional: Fields) -> Cves | None:
    """The CVEs that additional data names in `CvesDetails`, else by its scanners; None where it names none.

    Beyond `MOST_IDS` those that come first by their ids are kept, so that the order of the list says nothing.
    """
    ids, is_whole = _read(additional.get("cvesdetails"))
    if not (ids and is_whole):
        for scanner in fields_in(additional.get("scannersdetails")).values():
            more, is_end = _read(fields_in(scanner).get("cvesids"))
            ids, is_whole = ids + more, is_whole and is_end
    unique = list(dict.fromkeys(ids))
    if len(unique) > MOST_IDS:
        return Cves(ids=tuple(sorted(unique)[:MOST_IDS]), is_whole=False)
    return Cves(ids=tuple(unique), is_whole=is_whole) if unique or not is_whole else None


def _read(value: object) -> _Read:
    match value:
        case None:
            return [], True
        case str():
            return _read_text(value)
        case list():
            return _collected(map(_find_id, value))
        case dict():
            return _read_object(value)
        case _:
            return [], False


def _read_text(text: str) -> _Read:
    if not text or text.isspace():
        return [], True
    if len(text) > MOST_TEXT:
        return _ids_written_in(text[:MOST_TEXT]), False
    if not text.lstrip().startswith(("[", "{")):
        return _collected(_find_id(word) if _CVE.fullmatch(word) else None for word in _BETWEEN.split(text.strip()))
    document = find_document(text)
    return _read(document) if document is not None else (_ids_written_in(text), False)


def _read_object(value: dict[str, object]) -> _Read:
    """One CVE by itself, or an object of them by their ids."""
    if not value:
        return [], True
    if (id := _find_id(value)) is not None:
        return [id], True
    return _collected(_find_id(name) if _CVE.fullmatch(name) else None for name in value)


def _ids_written_in(text: str) -> list[str]:
    """The ids in a text that is no JSON, because it is cut for instance."""
    return [id.upper() for id in _WRITTEN.findall(text) or _CVE.findall(text)]


def _find_id(element: object) -> str | None:
    """The id of one element of a list: of an object, of an object inside a string, or a text by itself."""
    fields = fields_in(element)
    written = text_in(fields, *_FIELDS) if fields else element
    if not isinstance(written, str):
        return None
    id = written.strip().upper()
    return id if 0 < len(id) <= _LONGEST_ID else None


def _collected(ids: Iterable[str | None]) -> _Read:
    every = list(ids)
    found = list(_known(every))
    return found, len(found) == len(every)


def _known(ids: Iterable[str | None]) -> Iterator[str]:
    return (id for id in ids if id is not None)
