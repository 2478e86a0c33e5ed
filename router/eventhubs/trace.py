"""The trace that a message came with."""

from __future__ import annotations

from collections.abc import Mapping

from router.domain.traces import find_ids

_NAMES = ("traceparent", "Diagnostic-Id")
"""The application properties that carry it; Azure's older clients write the second."""


def trace_of(properties: Mapping[object, object] | None) -> str | None:
    """The W3C traceparent among an event's application properties, whose names and values may be bytes; None for none."""
    texts = {_text(name): _text(value) for name, value in (properties or {}).items()}
    found = (texts.get(name, "") for name in _NAMES)
    return next((text for text in found if find_ids(text) is not None), None)


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else ""
