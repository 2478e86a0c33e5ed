"""Suppression rules about alert types that nobody knows, most likely misspelled, and exemptions about alert types."""

from __future__ import annotations

from collections.abc import Iterator

from router.domain.signals import Stream
from router.rulebook.lints.subject import Subject
from router.rulebook.lints.type_messages import about_unknown_type
from router.rulebook.problems import KeyPath, Problem
from router.rulebook.suppression_directory import DIRECTORY

_PATH: KeyPath = ("properties", "alertType")
MOST_COMPARED = 500
"""The most types for each of which likely ones are looked for."""


def find_unknown_types(subject: Subject) -> Iterator[Problem]:
    """A warning for each rule about a type that is not known, shadow rules and refused ones included.

    Findings have too many types to list, so among exemptions only those are said whose type is known to be one of alerts.
    """
    if subject.stream is Stream.CSPM:
        yield from _find_types_of_alerts(subject)
        return
    strange: dict[str, bool] = {}
    said: dict[str, tuple[str, str]] = {}
    for rule in (*subject.rules, *subject.shadows, *subject.refused):
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


def _find_types_of_alerts(subject: Subject) -> Iterator[Problem]:
    for rule in (*subject.rules, *subject.shadows, *subject.refused):
        if subject.types.is_of_alerts(rule.alert_type):
            written = subject.written_type(rule)
            words = f"{written!r} is an alert type, which no finding has; move the rule into cwpp/{DIRECTORY}/"
            yield subject.warning(rule, _PATH, words, "wrong-stream")
