"""Texts for people: numbers, instants, lengths of time, and what of a foreign text can be read; answers remembered by text.

Legible is a text without control characters, what turns the direction of reading, what has no shape (zero-width characters,
tags, variation selectors), private and unassigned characters. Each is shown as its number, so that a reader sees that it was
there, and nothing that it kept apart comes together. JSON says the same characters by escapes, and stays the same data.

https://www.unicode.org/reports/tr36/#Bidirectional_Text_Spoofing
https://www.unicode.org/reports/tr44/#Default_Ignorable_Code_Point
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime


def counted(number: int, what: str) -> str:
    """A number of things, as in "1 problem" and "2,000 problems"."""
    return f"{number:,} {what}{'s' * (number != 1)}"


def timestamp(instant: datetime) -> str:
    """An instant in UTC as ISO 8601 has it, to the second: 2026-11-24T12:00:00Z."""
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}"


_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def span(seconds: float) -> str:
    """Return a length of time as people say it, such as 3 h 20 min, 12 d 4 h or 516 d."""
    whole = int(seconds)
    for at, (name, size) in enumerate(_UNITS):
        if whole >= size:
            less, small = _UNITS[min(at + 1, len(_UNITS) - 1)]
            has_rest = whole % size >= small and (name == "h" or (name == "d" and whole < 30 * size))
            return f"{whole // size} {name}" + (f" {whole % size // small} {less}" if has_rest else "")
    return "0 s"


_LONGEST_REMEMBERED = 512
"""Characters of a text that is remembered. A sender may make texts as long as a body, and none of those is to stay."""

_MOST_REMEMBERED = 1_024


class _Remembered[T](dict[str, T]):
    """Answers by their texts. One that is there is found without a call of ours."""

    def __init__(self, answer: Callable[[str], T]) -> None:
        self._answer = answer

    def __missing__(self, text: str) -> T:
        answer = self._answer(text)
        if len(text) <= _LONGEST_REMEMBERED:
            if len(self) >= _MOST_REMEMBERED:
                self.clear()
            self[text] = answer
        return answer


def remembered[T](answer: Callable[[str], T]) -> Callable[[str], T]:
    """The same function of a text, with its answers for up to 1,024 short texts remembered."""
    return _Remembered(answer).__getitem__


lowered = remembered(str.lower)
"""A name in lower case. Messages bring the same few again and again, and one that is remembered has its hash already."""


_LINE_ENDS = frozenset("\n\r\v\f\x85\u2028\u2029")
_BLANKS = frozenset("\t\xa0\u1680\u202f\u205f\u3000") | {chr(code) for code in range(0x2000, 0x200B)}
# Printable by their category, and yet nothing is seen of them.
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_SEEN_BYTES = bytes(range(0x20, 0x7F)) + b"\n"
"""The bytes in UTF-8 of what is seen in any JSON, also between its values."""

_HALVES = range(0xD800, 0xE000)
_REPLACED = "\ufffd"


def legible(text: str) -> str:
    """A text without characters that act instead of being read; every line end is a line feed."""
    if text.isascii() and text.isprintable():
        return text
    text = text.replace("\r\n", "\n")
    return text if _is_seen(text.replace("\n", " ")) else "".join(map(_as_text, text))


def one_line(text: str) -> str:
    """The same on one line."""
    return text if text.isascii() and text.isprintable() else legible(text).replace("\n", " ")


# GitHub's agent looks at the beginning of a line, those of Azure DevOps and TeamCity anywhere in it.
_COMMAND = re.compile(r"(#)#(?=[a-z]*\[)|^([^\S\n]*:):(?=.*::)", re.IGNORECASE | re.MULTILINE)


def inert(text: str, escape: str = r"\x{:02x}") -> str:
    """The same where the agents of pipelines find no command: `##vso[`, `##[`, or `::` that begins a line and comes again.

    `escape` says how a sign is written by its number.
    https://learn.microsoft.com/azure/devops/pipelines/scripts/logging-commands
    https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
    """
    if "##" not in text and "::" not in text:
        return text
    return _COMMAND.sub(lambda found: (found[1] or found[2]) + escape.format(ord(found[0][-1])), text)


def legible_json(document: bytes) -> bytes:
    """A JSON document in UTF-8 as the same data, with an escape wherever a character would act instead of being read."""
    if document.isascii() and b"\x7f" not in document:
        return document
    # Next to nothing is left of a long document that has to be looked at character by character.
    if _is_seen(document.translate(None, _SEEN_BYTES).decode()):
        return document
    return "".join(map(_as_json, document.decode())).encode()


def _is_seen(text: str) -> bool:
    """Whether all of a text is seen and does nothing."""
    return text.isprintable() and not _UNSEEN.search(text)


@remembered
def _as_text(character: str) -> str:
    if character in _LINE_ENDS:
        return "\n"
    if character in _BLANKS:
        return " "
    code = ord(character)
    if code in _HALVES:
        return _REPLACED
    if _is_seen(character):
        return character
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


@remembered
def _as_json(character: str) -> str:
    # A line feed stands between values only: within one it is escaped already.
    if _is_seen(character) or character == "\n":
        return character
    pair = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{pair[index : index + 2].hex()}" for index in range(0, len(pair), 2))


def storable(text: str) -> str:
    """Return the text as every database holds it: without NUL and halves of surrogate pairs."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
