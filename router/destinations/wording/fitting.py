"""Fitting what is sent into what a vendor takes: always cut with a visible mark, never dropped without one."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import orjson

from router.domain.readable import legible_json

MARK = "… [cut]"  # what stands where a text was cut

_MARK_BYTES = len(MARK.encode())
_FEWEST_KEYS = 16

# The longest text in bytes and the longest list, step by step. Lists go first: an id must survive longer than the
# thousandth entity.
_STEPS = ((131_072, 2_048), (32_768, 512), (8_192, 64), (2_048, 16), (1_024, 4), (512, 1), (128, 1), (16, 1))


def shorten(text: str, limit: int) -> str:
    """A text of at most `limit` characters, the mark included where something was cut."""
    return text if len(text) <= limit else text[: max(limit - len(MARK), 0)] + MARK


def shorten_escaped(text: str, limit: int, escape: Callable[[str], str]) -> str:
    """A text whose escaped form is at most `limit` characters, the mark included; no escape is cut in half.

    `escape` makes more of more text. The mark itself is not escaped.
    """
    escaped = escape(text)
    if len(escaped) <= limit:
        return escaped
    longest = bisect_right(range(len(text)), limit - len(MARK), key=lambda length: len(escape(text[:length]))) - 1
    return escape(text[: max(longest, 0)]) + MARK


def shorten_bytes(text: str, limit: int) -> str:
    """A text of at most `limit` bytes in UTF-8, the mark included where something was cut; no character is halved."""
    # A character takes at most 4 bytes, so that most texts need not be encoded to be measured.
    if len(text) * 4 <= limit:
        return text
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= limit:
        return text
    return encoded[: max(limit - _MARK_BYTES, 0)].decode("utf-8", "ignore") + MARK


def json_bytes(value: object) -> bytes:
    """A value as JSON in UTF-8, in which nothing acts on a terminal.

    Lone surrogates, which JSON over UTF-8 cannot carry, become U+FFFD.
    """
    try:
        return legible_json(orjson.dumps(value))
    except TypeError:
        return legible_json(orjson.dumps(_without_surrogates(value)))


def encodable[T](value: T) -> T:
    """A value that UTF-8 can carry as JSON: itself, or with every lone surrogate replaced by U+FFFD."""
    try:
        orjson.dumps(value)
    except TypeError:
        return cast(T, _without_surrogates(value))
    return value


def _without_surrogates(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case dict():
            return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
        case list() | tuple():
            return [_without_surrogates(item) for item in value]
        case _:
            return value


def packed[T](items: Sequence[T], size: Callable[[T], int], limit: int) -> Iterator[Sequence[T]]:
    """The items in their order, as many together as the limit lets in; one that is larger stands alone."""
    pack: list[T] = []
    filled = 0
    for item in items:
        more = size(item)
        if pack and filled + more > limit:
            yield pack
            pack, filled = [], 0
        pack.append(item)
        filled += more
    if pack:
        yield pack


def json_size(value: object) -> int:
    """The bytes that a value takes as JSON in UTF-8."""
    return len(json_bytes(value))


def fitted(
    value: Mapping[str, Any], limit: int, size: Callable[[Mapping[str, Any]], int] = json_size
) -> Mapping[str, Any]:
    """A mapping whose size is at most `limit`: itself, or with its texts cut and its lists shortened until it fits.

    Its own keys all stay; of a mapping inside it the first ones stay.
    """
    cut = value
    for texts, items in _STEPS:
        if size(cut) <= limit:
            break
        cut = {key: _cut(item, texts, items) for key, item in value.items()}
    return cut


def _cut(value: Any, texts: int, items: int) -> Any:
    match value:
        case str():
            return shorten_bytes(value, texts + _MARK_BYTES)
        case list() | tuple():
            kept = [_cut(item, texts, items) for item in value[:items]]
            return kept if len(value) <= items else [*kept, f"… [{len(value) - items} more]"]
        case dict():
            most = max(items, _FEWEST_KEYS)
            kept_keys = list(value)[:most]
            cut = {_cut(key, texts, items): _cut(value[key], texts, items) for key in kept_keys}
            return cut if len(value) <= most else {**cut, "…": f"[{len(value) - most} more]"}
        case _:
            return value


def without_empty(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that say something, by name; a number or a False does."""
    return {name: value for name, value in values.items() if value or value == 0}


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


CUT = "…"  # what stands where a line was cut


_DIGEST = re.compile(r"(?<=@sha256:[0-9a-fA-F]{12})[0-9a-fA-F]+")
"""What is left out of an image's digest; twelve digits tell it from others."""


def shortened(text: str, limit: int) -> str:
    """A text of at most `limit` characters."""
    return text if len(text) <= limit else f"{text[: max(limit - len(CUT), 0)].rstrip()}{CUT}"


def one_line(text: str) -> str:
    """A text without line breaks and with single blanks; of the digest behind an image's name only the beginning."""
    words = " ".join(text.split())
    return _DIGEST.sub(CUT, words) if "@sha" in words else words
