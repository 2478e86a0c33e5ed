"""What to say of an alert type that is not known: which one may be meant, or how to declare it."""

from __future__ import annotations

import re

from router.domain.posture import CATEGORIES
from router.rulebook.lints.known_types import KnownTypes

GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
"""The key of an assessment."""
_CATEGORIES = frozenset(map(str.casefold, CATEGORIES))
_DECLARE = "if it is right, list it under types in cwpp/policy.yaml"
_MOST_NAMED = 5


def about_unknown_type(written: str, known: KnownTypes | None) -> tuple[str, str]:
    """What to say of a type that is not known, and the code of that; without what is known nothing is offered in its place."""
    if known is not None and (title := _about_title(written, known)):
        return title, "title-as-type"
    return _about_type(written, known), "unknown-alert-type"


def about_unknown_glob(glob: str) -> str:
    """What to say of a glob that fits no type that is known."""
    return f"{glob!r} fits no alert type that is known; {_DECLARE}"


def _about_title(text: str, known: KnownTypes) -> str | None:
    """What to say of a text that is the title of alerts, or nearly one, in place of their type; None where it is none."""
    if types := known.entitled(text):
        called = "the type with that title is" if len(types) == 1 else "the types with that title are"
        return f"{text!r} is a title of alerts, and not their type; {called} {_listed(types)}"
    if " " in text.strip() and (types := known.nearly_entitled(text)):
        return f"{text!r} is no alert type, but nearly the title of one; did you mean {_listed(types)}?"
    return None


def _about_type(type: str, known: KnownTypes | None) -> str:
    if GUID.fullmatch(type) or type.casefold() in _CATEGORIES:
        return f"{type!r} names findings, and no alert; a rule about findings stands in cspm/"
    if known is not None and (near := known.near(type)):
        return f"{type!r} is no alert type that is known; did you mean {_listed(near)}? Otherwise, {_DECLARE}"
    return f"{type!r} is no alert type that is known; {_DECLARE}"


def _listed(types: list[str]) -> str:
    more = f" and {len(types) - _MOST_NAMED} more" if len(types) > _MOST_NAMED else ""
    return f"{', '.join(types[:_MOST_NAMED])}{more}"
