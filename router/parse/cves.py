"""The CVEs that a recommendation names, read within bounds: a list may be JSON inside a string, cut, or endless."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from router.domain.posture import Cves
from router.parse.documents import find_document
from router.parse.fields import Fields, fields_in

MOST_TEXT = 1_048_576
"""Characters of a list of CVEs that are looked at: an event of Event Hubs is no longer than that."""

MOST_IDS = 1_000
"""CVEs that a finding keeps: the ids alone are 16 KB of its row in the ledger. A kernel has hundreds."""

_LONGEST_ID = 64
_FIELDS = ("cveid", "cve", "id")
_WRITTEN = re.compile(r'"cveid"\s*+:\s*+"([^"]{1,64})"', re.IGNORECASE)
_CVE = re.compile(r"\bCVE-\d{4}-\d{4,19}\b", re.IGNORECASE)
_BETWEEN = re.compile(r"[\s,;]+")


class _Read(NamedTuple):
    """The ids that were read, each once, and whether that is all there is."""

    ids: dict[str, None]
    is_whole: bool


_NOTHING = _Read({}, True)
_UNKNOWN = _Read({}, False)


def find_cves(additional: object) -> Cves | None:
    """The CVEs that additional data names, in `CvesDetails` or by a scanner; None where it names none.

    Beyond `MOST_IDS` those that come first by their ids are kept, so that the order of the list says nothing.
    """
    lists = _read_fields(additional, "cvesdetails", _read)
    scanners = _read_fields(additional, "scannersdetails", _read_scanners)
    unique, is_whole = _joined((lists, scanners))
    if len(unique) > MOST_IDS:
        return Cves(ids=tuple(sorted(unique)[:MOST_IDS]), is_whole=False)
    return Cves(ids=tuple(unique), is_whole=is_whole) if unique or not is_whole else None


def elements_in(value: object) -> Iterator[Fields]:
    """The CVEs of `CvesDetails` with what is said of each, whether listed or by their ids; of a list that is cut, nothing."""
    if isinstance(value, str):
        value = find_document(value) if len(value) <= MOST_TEXT else None
    if isinstance(value, dict):
        value = [value, *value.values()]
    if isinstance(value, list):
        yield from map(fields_in, value)


def _read_fields(value: object, name: str, read: Callable[[object], _Read]) -> _Read:
    """What an object's field says. Where it stands there in several cases that differ, nobody knows which one is meant."""
    if isinstance(value, str):
        value = find_document(value)
    if not isinstance(value, dict):
        return _NOTHING
    return _agreed([read(held) for written, held in value.items() if held is not None and written.lower() == name])


def _agreed(said: list[_Read]) -> _Read:
    if len(said) == 1:
        return said[0]
    ids, is_whole = _joined(said)
    return _Read(ids, is_whole and all(len(one.ids) == len(ids) for one in said))


def _joined(said: Iterable[_Read]) -> _Read:
    ids: dict[str, None] = {}
    is_whole = True
    for one in said:
        ids.update(one.ids)
        is_whole = is_whole and one.is_whole
    return _Read(ids, is_whole)


def _read_scanners(value: object) -> _Read:
    """What all scanners name, listed or by their names; two whose names differ in case are two."""
    if isinstance(value, str):
        if (document := find_document(value)) is None:
            return _read_text(value) if value.lstrip().startswith(("[", "{")) else _NOTHING
        value = document
    scanners = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return _joined(_read_fields(scanner, "cvesids", _read) for scanner in scanners)


def _read(value: object) -> _Read:
    match value:
        case str():
            return _read_text(value)
        case list():
            return _joined(map(_read_element, value))
        case dict():
            return _read_object(value)
        case _:
            return _UNKNOWN


def _read_text(text: str) -> _Read:
    if not text or text.isspace():
        return _NOTHING
    if len(text) > MOST_TEXT:
        return _Read(_ids_written_in(text[:MOST_TEXT]), False)
    if not text.lstrip().startswith(("[", "{")):
        return _joined(map(_read_word, _BETWEEN.split(text.strip())))
    document = find_document(text)
    return _read(document) if document is not None else _Read(_ids_written_in(text), False)


def _read_object(value: dict[str, object]) -> _Read:
    """One CVE by itself, or an object of them by their ids."""
    if not value:
        return _NOTHING
    element = _read_element(value)
    return element if element.ids else _joined(map(_read_word, value))


def _read_word(word: str) -> _Read:
    return _read_id(word) if _CVE.fullmatch(word) else _UNKNOWN


def _ids_written_in(text: str) -> dict[str, None]:
    """The ids in a text that is no JSON, because it is cut for instance."""
    return dict.fromkeys(id.upper() for id in _WRITTEN.findall(text) or _CVE.findall(text))


def _read_element(element: object) -> _Read:
    """One element of a list: an object, an object inside a string, or an id by itself."""
    document = find_document(element) if isinstance(element, str) else element
    if not isinstance(document, dict):
        return _read_id(element)
    said: dict[str, list[_Read]] = {}
    for written, held in document.items():
        if (name := written.lower()) in _FIELDS and held is not None:
            said.setdefault(name, []).append(_read_id(held))
    ranked = [_agreed(said[name]) for name in _FIELDS if name in said]
    first = next((one for one in ranked if one.ids), _UNKNOWN)
    # An id of another kind may stand beside it, such as a scanner's own; a second CVE is one that the message names.
    others = [id for one in ranked if one is not first for id in one.ids if _CVE.fullmatch(id)]
    return _Read(first.ids | dict.fromkeys(others), first.is_whole) if others else first


def _read_id(written: object) -> _Read:
    if not isinstance(written, str):
        return _UNKNOWN
    id = written.strip().upper()
    return _Read({id: None}, True) if 0 < len(id) <= _LONGEST_ID else _UNKNOWN
