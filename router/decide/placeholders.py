"""What stands for something else in Defender's texts: `%{Process Path}`, and `{Compromised Host}` in older ones.

| written | becomes |
|---|---|
| `%{Name}` or `{Name}` that something is known for | that, on one line, of at most `LONGEST` characters |
| `%{Name}` that nothing is known for | `[Name]`, so that a reader sees that something is missing there |
| `{Name}` that nothing is known for, `${HOME}`, JSON, `%{http_code}` | stays: a command line that the text quotes may have it |

What is filled in is not looked at again, and no more is filled in than `MOST` times in one text.
"""

from __future__ import annotations

import re
from collections.abc import Callable

LONGEST = 300
"""Characters of what is filled in."""

MOST = 100
"""How often something is filled in in one text."""

type Find = Callable[[str], str | None]
"""Finds what is known for the key of a name."""

_PLACEHOLDER = re.compile(r"(?:%\{|(?<![$%{\\])\{)([A-Za-z][\w .\-/()]{0,99})\}(?!\})")
_IN_WORDS = re.compile(r"[A-Za-z0-9]+(?:[ -][A-Za-z0-9]+)*")


def key_of(name: str) -> str:
    """A name as placeholders and properties are compared: its letters and digits, whatever their case."""
    return "".join(filter(str.isalnum, name.casefold()))


def filled(text: str, find: Find) -> str:
    """A text with what its placeholders stand for."""
    if "{" not in text:
        return text
    left = MOST

    def words_for(placeholder: re.Match[str]) -> str:
        nonlocal left
        value = find(key_of(placeholder[1])) if left > 0 else None
        if value is not None and (words := " ".join(value.split())):
            left -= 1
            return words if len(words) <= LONGEST else f"{words[: LONGEST - 1]}…"
        is_ours = placeholder[0].startswith("%") and _IN_WORDS.fullmatch(placeholder[1])
        return f"[{placeholder[1]}]" if is_ours else placeholder[0]

    return _PLACEHOLDER.sub(words_for, text)


def unfilled(text: str) -> str:
    """A text with the names of its placeholders, and nothing that a message says for them."""
    return filled(text, lambda key: None)
