"""Values of JSON objects, whatever the case of their names: `az`, ARM, Resource Graph and PowerShell do not agree on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime


def find(body: object, *path: str) -> object:
    """The value at a path of names; None where there is none, or where something on the way is no object."""
    for name in path:
        # What JSON has is a dict, and to ask for that is quick; a reader may look into something else.
        if not isinstance(body, dict) and not isinstance(body, Mapping):
            return None
        body = body[name] if name in body else _find_in_any_case(body, name)
    return body


def _find_in_any_case(body: Mapping[str, object], name: str) -> object:
    size, lowered = len(name), name.lower()
    for key in body:
        # Almost no name has the length of the one that is looked for.
        if isinstance(key, str) and len(key) == size and key.lower() == lowered:
            return body[key]
    return None


def find_text(body: object, *path: str) -> str | None:
    """The text or the number at a path, as text without blanks around it; None where there is nothing else."""
    value = find(body, *path)
    if isinstance(value, str):
        return value.strip() or None
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def find_list(body: object, *path: str) -> list[object] | None:
    """The list at a path; None where there is none."""
    value = find(body, *path)
    return value if isinstance(value, list) else None


def objects_at(body: object, *path: str) -> list[Mapping[str, object]]:
    """The objects in the list at a path; none where there is no list."""
    return [one for one in find_list(body, *path) or () if isinstance(one, Mapping)]


def whole_objects_at(body: object, *path: str) -> list[Mapping[str, object]] | None:
    """The objects in the list at a path; one alone is a list of itself, as some tools write it. None where there is neither.

    Nor where anything else is in it: `ConvertTo-Json` of PowerShell writes what is too deep as a text, such as `@{name=web}`.
    """
    value = find(body, *path)
    listed = [value] if isinstance(value, Mapping) else value
    if not isinstance(listed, list):
        return None
    objects = [one for one in listed if isinstance(one, Mapping)]
    return objects if len(objects) == len(listed) else None


def find_truth(body: object, *path: str) -> bool | None:
    """Whether the value at a path is true, as JSON or as the text that pricings write; None where it is neither."""
    value = find(body, *path)
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(value.strip().lower()) if isinstance(value, str) else None


def worst_truth(values: Iterable[bool | None]) -> bool | None:
    """False where one value is, None where none is known, else True: of answers that differ the worse one counts."""
    known = set(values) - {None}
    return False not in known if known else None


def find_count(body: object, *path: str) -> int | None:
    """The whole number at a path that is not below 0; None where there is none."""
    value = find(body, *path)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def find_time(body: object, *path: str) -> datetime | None:
    """The time at a path, in UTC, as which one without a zone counts; None where there is none."""
    return parse_time(find_text(body, *path) or "")


def parse_time(text: str) -> datetime | None:
    """The time that a text says, in UTC, as which one without a zone counts; None where it says none."""
    try:
        found = datetime.fromisoformat(text)
        found = found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return found if found.year > 1 else None  # What .NET writes for no time at all.
