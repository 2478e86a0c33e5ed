"""How two predictions of a deployment differ, resource by resource. The compiler's own comparison leaves the outputs out."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any

type Value = Any

_LONGEST = 160
"""Characters of a value that are shown."""

_EXPRESSION = re.compile(r"\[[^']*'([^']*)'")


class _Nothing:
    """What stands where one of two has something and the other has not."""

    def __repr__(self) -> str:
        return "nothing"


NOTHING = _Nothing()


def differences(before: Mapping[str, Value], after: Mapping[str, Value]) -> Iterator[str]:
    """Each resource that came or went, and each value that is another, a line each."""
    then, now = _by_id(before), _by_id(after)
    yield from (f"- {_short(one)}{_made_of(found)}" for one, found in then.items() if one not in now)
    yield from (f"+ {_short(one)}{_made_of(found)}" for one, found in now.items() if one not in then)
    for one in (one for one in then if one in now):
        yield from (f"~ {_short(one)}: {change}" for change in changes(then[one], now[one]))
    yield from (f"~ outputs: {change}" for change in changes(before["outputs"], after["outputs"]))
    yield from (f"~ diagnostics: {change}" for change in changes(before["diagnostics"], after["diagnostics"]))


def changes(before: Value, after: Value, where: str = "") -> Iterator[str]:
    """Each place where two values differ."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys([*before, *after]):
            yield from changes(before.get(key, NOTHING), after.get(key, NOTHING), f"{where}.{key}" if where else key)
    elif isinstance(before, list) and isinstance(after, list):
        for number, (one, other) in enumerate(zip_longest(before, after, fillvalue=NOTHING)):
            yield from changes(one, other, f"{where}[{number}]")
    elif (type(before), before) != (type(after), after):
        yield "{}: {} => {}".format(where, *_shown(before, after))


def _by_id(predicted: Mapping[str, Value]) -> dict[str, Value]:
    """Resources by their ids; one whose id is an expression by what it stands on, by its type, and by its number there."""
    found: dict[str, Value] = {}
    counts: Counter[str] = Counter()
    for one in predicted["predictedResources"]:
        on = _EXPRESSION.match(one["id"])
        place = f"{on[1]}, {one['type']}" if on else one["id"]
        counts[place] += 1
        found[f"{place} {counts[place]}" if on else place] = one
    return found


def _made_of(one: Mapping[str, Value]) -> str:
    """What a role assignment gives to whom: its name says nothing."""
    if not one["type"].endswith("/roleAssignments"):
        return ""
    return ", ".join(["", *(f"{key} {_cut(str(value))}" for key, value in one["properties"].items())])


def _short(id: str) -> str:
    """A resource without its subscription."""
    return id.partition("/resourceGroups/")[2] or id


def _shown(*values: Value) -> list[str]:
    """Values as JSON, each from a little before the place where they differ."""
    texts = [repr(value) if value is NOTHING else json.dumps(value, ensure_ascii=False) for value in values]
    differs = next((at for at, letters in enumerate(zip(*texts, strict=False)) if len(set(letters)) > 1), 0)
    begin = differs - _LONGEST // 2
    return [_cut(text if begin <= 0 else f"...{text[begin:]}") for text in texts]


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
