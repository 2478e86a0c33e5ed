"""Suppression rules about alert types that nobody knows: most likely misspelled, or an alert's title in place of its type."""

from __future__ import annotations

import re
from collections.abc import Iterator

from router.domain.posture import CATEGORIES
from router.domain.signals import Stream
from router.rulebook.lints.known_types import KnownTypes
from router.rulebook.lints.subject import Subject
from router.rulebook.problems import KeyPath, Problem

_PATH: KeyPath = ("properties", "alertType")
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_CATEGORIES = frozenset(map(str.casefold, CATEGORIES))
_DECLARE = "if it is right, list it under types in cwpp/policy.yaml"
_MOST_NAMED = 5
MOST_COMPARED = 500
"""The most types for each of which likely ones are looked for."""


def find_unknown_types(subject: Subject) -> Iterator[Problem]:
    """A warning for each rule about a type that is not known, refused ones included. Findings have too many types to list."""
    if subject.stream is not Stream.CWPP:
        return
    strange: dict[str, bool] = {}
    said: dict[str, tuple[str, str]] = {}
    for rule in (*subject.rules, *subject.refused):
        type = rule.alert_type
        if type not in strange:
            # What is missing or has a wildcard is refused already.
            strange[type] = bool(type) and "*" not in type and not subject.types.has(type)
        if not strange[type]:
            continue
        written = subject.written_type(rule)
        if written not in said:
            # Each is compared with all that are known, which takes milliseconds: beyond so many no likely ones are looked for.
            said[written] = about_unknown_type(written, subject.types if len(said) < MOST_COMPARED else None)
        words, code = said[written]
        yield subject.warning(rule, _PATH, words, code)


def about_unknown_type(written: str, known: KnownTypes | None) -> tuple[str, str]:
    """What to say of a type that is not known, and the code of that; without what is known nothing is offered in its place."""
    if known is not None and (title := about_title(written, known)):
        return title, "title-as-type"
    return _about_type(written, known), "unknown-alert-type"


def about_title(text: str, known: KnownTypes) -> str | None:
    """What to say of a text that is the title of alerts, or nearly one, in place of their type; None where it is none."""
    if types := known.entitled(text):
        called = "the type with that title is" if len(types) == 1 else "the types with that title are"
        return f"{text!r} is a title of alerts, and not their type; {called} {_listed(types)}"
    if " " in text.strip() and (types := known.nearly_entitled(text)):
        return f"{text!r} is no alert type, but nearly the title of one; did you mean {_listed(types)}?"
    return None


def _about_type(type: str, known: KnownTypes | None) -> str:
    if _GUID.fullmatch(type) or type.casefold() in _CATEGORIES:
        return f"{type!r} names findings, which no alert is; what is about them stands in cspm/"
    if known is not None and (near := known.near(type)):
        return f"{type!r} is no alert type that is known; did you mean {_listed(near)}? Otherwise, {_DECLARE}"
    return f"{type!r} is no alert type that is known; {_DECLARE}"


def _listed(types: list[str]) -> str:
    more = f" and {len(types) - _MOST_NAMED} more" if len(types) > _MOST_NAMED else ""
    return f"{', '.join(types[:_MOST_NAMED])}{more}"
