"""Documents in which something is not what it should be: what other tools and versions write, and what nobody meant."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import strategies as st

DEEP, LONG, INFINITE = "@deep@", "@long@", "@infinite@"
"""What stands in a document for what Python cannot write as JSON, or not at once."""

_WRITTEN = {
    f'"{DEEP}"': "[" * 200 + "]" * 200,
    f'"{LONG}"': "9" * 400,
    f'"{INFINITE}"': "-Infinity",
}

JUNK: st.SearchStrategy[Any] = st.sampled_from(
    [
        None, True, False, 0, -1, 1.5, 10**30, 1e308, "", " ", "x", "True", "é\x00", "\ud800", "١.٢", "-", "/",
        "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "9999-99-99", "/subscriptions/", "P1", "Exists",
        '[{"Key":1}]', [], [[]], [None], [{}], [1, "x"], {}, {"": {}}, {"a": []}, {"name": None}, DEEP, LONG, INFINITE,
    ]
)  # fmt: skip
"""What may stand where something else is expected."""


@st.composite
def damaged(draw: st.DrawFn, document: Any) -> str:
    """A document as text, of which up to four parts are something else, are gone, or are written in another case."""
    body = json.loads(json.dumps(document))
    for _ in range(draw(st.integers(1, 4))):
        parent, key = _part_of(body, draw)
        if parent is None:
            continue
        match draw(st.integers(0, 5)):
            case 0:
                del parent[key]
            case 1 if isinstance(key, str):
                parent[key.swapcase()] = parent.pop(key)
            case 2 if isinstance(parent, list):
                parent.append(copy.deepcopy(parent[key]))
            case _:
                parent[key] = copy.deepcopy(draw(JUNK))
    text = json.dumps(body)
    for sign, written in _WRITTEN.items():
        text = text.replace(sign, written)
    return text


def _part_of(body: Any, draw: st.DrawFn) -> tuple[Any, Any]:
    """Some part of a document, as what it stands in and where; nothing of an empty one."""
    parent, key = None, None
    while isinstance(body, dict | list) and body:
        parent, key = body, draw(st.sampled_from(sorted(body) if isinstance(body, dict) else range(len(body))))
        body = body[key]
        if draw(st.integers(0, 5)) == 0:
            break
    return parent, key
