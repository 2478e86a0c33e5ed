"""What people read of a delivery, as text for a terminal: what a kind sends, without the form that its vendor gives it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from router.destinations.wording.fitting import encodable
from router.domain.legible import legible_json


def json_text(value: object) -> str:
    """A value as JSON, indented, in which nothing acts on a terminal."""
    return legible_json(orjson.dumps(encodable(value), option=orjson.OPT_INDENT_2)).decode()


def lines_of(values: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """Values by name, a line each; a list of several items has a line for each."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield f"{indent}{name}:"
            yield from lines_of(value, f"{indent}  ")
        elif isinstance(value, Sequence) and not isinstance(value, str):
            items = [_words_of(item) for item in value]
            yield f"{indent}{name}:{f' {items[0]}' if len(items) == 1 else ''}"
            yield from (f"{indent}- {item}" for item in items if len(items) > 1)
        else:
            yield f"{indent}{name}: {value}"


def _words_of(item: object) -> str:
    """An item of a list on one line."""
    return "; ".join(lines_of(item)) if isinstance(item, Mapping) else str(item)
