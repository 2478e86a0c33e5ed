"""Reads a field, however oddly it is written: null, blank, of another type, or JSON inside a string.

Fields are looked up by lower-case names, since Defender writes one name in several cases."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from router.domain.readable import lowered, remembered
from router.parse.documents import find_document, serialised

_CLOCK = r",?\s++(?P<hour>\d{1,2}):(?P<minute>\d{2}):(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,7}))?\s*+"
_HALF = r"(?:(?P<half>[APap])(?:[Mm]|\.\s?[Mm]\.))?\s*+"
_FORMS = (
    re.compile(rf"\s*+(?P<month>\d{{1,2}})/(?P<day>\d{{1,2}})/(?P<year>\d{{4}}){_CLOCK}(?P<half>[AP])M\s*+"),
    re.compile(rf"\s*+(?P<year>\d{{4}})(?P<mark>[-/])(?P<month>\d{{1,2}})(?P=mark)(?P<day>\d{{1,2}}){_CLOCK}{_HALF}"),
    re.compile(rf"\s*+(?P<day>\d{{1,2}})\.(?P<month>\d{{1,2}})\.(?P<year>\d{{4}}){_CLOCK}{_HALF}"),
)
_NOON = 12


def find_portal_time(text: str) -> datetime | None:
    """Return the time that a text is, in UTC; None if it is none."""
    found = next((found for form in _FORMS if (found := form.fullmatch(text))), None)
    if found is None:
        return None
    hour, fraction = int(found["hour"]), int((found["fraction"] or "").ljust(6, "0")[:6])
    if half := found["half"]:
        if not 1 <= hour <= _NOON:
            return None
        hour = hour % _NOON + (_NOON if half in "Pp" else 0)
    year, month, day, minute, second = (int(found[name]) for name in ("year", "month", "day", "minute", "second"))
    try:
        return datetime(year, month, day, hour, minute, second, fraction, UTC)
    except ValueError:
        return None


type Fields = Mapping[str, object]

_PLAIN = (str, int, float)
_NEVER = 1  # the year that .NET writes where a time was never set


def fields_in(value: object) -> Fields:
    """The fields of an object, or of an object inside a string, under lower-case names; none where it is neither."""
    if isinstance(value, str):
        value = find_document(value)
    return dict(zip(map(lowered, value), value.values(), strict=True)) if isinstance(value, dict) else {}


def text_in(fields: Fields, *names: str) -> str | None:
    """The first of the named fields that holds text other than blanks, or a whole number."""
    for name in names:
        value = fields.get(name)
        if isinstance(value, str):
            if value and not value.isspace():
                return value
        elif isinstance(value, int) and not isinstance(value, bool):
            return str(value)
    return None


def name_in(fields: Fields, *names: str) -> str | None:
    """What `text_in` gives, without blanks at its ends, for what is compared with others."""
    for name in names:
        value = fields.get(name)
        if isinstance(value, str):
            if text := value.strip():
                return text
        elif isinstance(value, int) and not isinstance(value, bool):
            return str(value)
    return None


def is_true(value: object) -> bool:
    """Whether a field says true, as a boolean or in letters."""
    return value is True or (isinstance(value, str) and value.strip().lower() == "true")


def find_flag(value: object) -> bool | None:
    """Whether a field says true or false, as a boolean or in letters; None where it says neither."""
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower())
    return value if isinstance(value, bool) else None


def items_in(value: object) -> list[object]:
    """The items of a list, or of a list inside a string; none where it is neither."""
    if isinstance(value, str):
        value = find_document(value)
    return value if isinstance(value, list) else []


def texts_in(value: object) -> tuple[str, ...]:
    """The texts of a list; a text alone counts as a list of one, and lists inside texts are unpacked once."""
    if isinstance(value, str):
        value = find_document(value) if value.lstrip().startswith("[") else [value]
    return tuple(_unpacked(value)) if isinstance(value, list) else ()


def _unpacked(values: Iterable[object]) -> Iterable[str]:
    for value in values:
        if not isinstance(value, str) or not value or value.isspace():
            continue
        inner = find_document(value) if value[0] == "[" else None
        if isinstance(inner, list):
            yield from (text for text in inner if isinstance(text, str) and text and not text.isspace())
        else:
            yield value


def labels_in(value: object, *names: str) -> tuple[str, ...]:
    """The texts of a list, and of its objects the first of the named fields that holds one; each once. See `texts_in`."""
    labels = (
        name_in(fields_in(item), *names) or (item.strip() if isinstance(item, str) else None)
        for item in items_in(value) or texts_in(value)
    )
    return tuple(dict.fromkeys(filter(None, labels)))


def names_in(value: object) -> tuple[str, ...]:
    """The names in a comma list, a list, or a list inside a string, without blanks, repeats and `Unknown`."""
    if not value:
        return ()
    if isinstance(value, str) and value[0] != "[":
        return _names_between_commas(value)
    return tuple(dict.fromkeys([name for text in texts_in(value) for name in _names_between_commas(text)]))


@remembered
def _names_between_commas(text: str) -> tuple[str, ...]:
    names = map(str.strip, text.split(","))
    return tuple(dict.fromkeys([name for name in names if name and name.lower() != "unknown"]))


def time_in(fields: Fields, *names: str) -> datetime | None:
    """The first of the named fields that holds a time, in UTC; a time without a zone is taken to be in UTC."""
    for name in names:
        value = fields.get(name)
        if isinstance(value, str) and (time := _find_time(value)):
            return time
    return None


def is_time(text: str) -> bool:
    """Return whether a text is a time, be it one that says that it was never set."""
    try:
        datetime.fromisoformat(text.strip())
    except ValueError:
        return find_portal_time(text) is not None
    return True


def _find_time(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text.strip())
        if time.tzinfo is not UTC:
            time = time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except ValueError:
        return find_portal_time(text)
    except OverflowError:
        return None
    return time if time.year > _NEVER else None


def plain_values(value: object) -> dict[str, object]:
    """An object's values by their names as written: scalars as they are, lists and objects as JSON text."""
    if isinstance(value, str):
        value = find_document(value)
    if not isinstance(value, dict):
        return {}
    for held in value.values():
        if held is not None and not isinstance(held, _PLAIN):
            return {name: _plain(held) for name, held in value.items()}
    return value


def _plain(value: object) -> object:
    return serialised(value).decode() if isinstance(value, dict | list) else value
