"""What is wrong with a text that is not YAML, in words that say what to do.

libyaml says at which character it stopped, and seldom why. The usual mistakes are told here by that place and the lines
around it. Nothing of a value is repeated: it may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import yaml
from yaml.reader import Reader

_BREAK = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")
_TAB_IN_INDENT = re.compile(r"^[ -]*\t")
_KEY_WITHOUT_SPACE = re.compile(r"\s*(?:- +)*([\w.-]+):(?![\s/]|$)")
_DASH_WITHOUT_SPACE = re.compile(r"\s*-\w")
_KEY = re.compile(r"\s*(?:- +)*[\w.-]+:(?:\s|$)")
_COLON_IN_VALUE = re.compile(r"\s*(?:- +)*[\w.-]+: +[^\s\"'\[{].*:(?:\s|$)")
_UNUSUAL_BLANK = re.compile("[\u00a0\u2000-\u200b\u202f\u3000\ufeff]")
_RESERVED = "@`%*&!|>"
"""What a text without quotes may not begin with, or not without a meaning of its own."""
_CLOSING = {"[": "]", "{": "}"}

_TABS = "has a tab in its indentation; YAML is indented with spaces"
_COLUMNS = "does not line up with the lines above; what belongs together begins in the same column, after spaces"


def explain_yaml_error(text: str, error: yaml.YAMLError) -> tuple[int | None, str]:
    """The line of a mistake, where one can be told, and what to say of it."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return _unprintable(text)
    mark, opened = error.problem_mark, error.context_mark
    lines = _BREAK.split(text)
    at = min(mark.line, len(lines) - 1) if mark else 0
    stopped = _Stop(lines, at, mark.column if mark else 0, min(opened.line, at) if opened else None)
    problem, context = error.problem or "", error.context or ""
    line, words = stopped.explain(problem, context)
    return line + 1, words


def _unprintable(text: str) -> tuple[int | None, str]:
    if (found := Reader.NON_PRINTABLE.search(text)) is None:
        return None, "cannot be read"
    line = len(_BREAK.split(text[: found.start()]))
    return line, f"has the control character U+{ord(found[0]):04X}; remove it"


class _Stop:
    """Where the parser stopped: a line and a column of a text, and the line on which it began what it was reading."""

    def __init__(self, lines: Sequence[str], at: int, column: int, opened: int | None) -> None:
        self._lines = lines
        self._at = at
        self._column = column
        self._opened = opened

    def explain(self, problem: str, context: str) -> tuple[int, str]:
        """The line at fault, counted from 0, and what to say of it."""
        line = self._lines[self._at]
        char = line[self._column : self._column + 1]
        if "another document" in problem:
            return self._at, "begins a second document; a rules file is one, so remove the ---"
        if "scanning an alias" in context:
            return self._at, "has a text that begins with * and is not in quotes; put it in quotes"
        if "scanning an anchor" in context:
            return self._at, "has a text that begins with & and is not in quotes; put it in quotes"
        if "tag" in problem or "tag" in context:
            return self._at, "has a text that begins with ! and is not in quotes; put it in quotes"
        if (tabbed := self._find(_TAB_IN_INDENT)) is not None:
            return tabbed, _TABS
        if "cannot start any token" in problem:
            return self._at, self._strange(char)
        if "escape" in problem:
            return self._at, "has a backslash in double quotes that means nothing; write it twice, or use single quotes"
        if "quoted scalar" in context and self._opened is not None:
            return self._opened, "opens a quotation mark that nothing closes"
        if (blank := self._find(_UNUSUAL_BLANK)) is not None:
            return blank, "has a blank that is no space, such as one copied from a web page; write a space"
        if "flow" in context and self._opened is not None:
            return self._unclosed(context)
        if char and char in "]}":
            return self._at, f"has a {char} that nothing opens; remove it, or put the text around it in quotes"
        if _COLON_IN_VALUE.match(line) and "mapping values" in problem:
            return self._at, "has a text with a colon in it that is not in quotes; put it in quotes"
        return self._misplaced(problem)

    def _strange(self, char: str) -> str:
        if char == "\t":
            return "has a tab where YAML has spaces; write spaces"
        if char in _RESERVED:
            return f"has a text that begins with {char} and is not in quotes; put it in quotes"
        return "has a character that no text begins with; put the text in quotes"

    def _unclosed(self, context: str) -> tuple[int, str]:
        bracket = "[" if "sequence" in context else "{"
        opened = self._opened if self._opened is not None else self._at
        if opened == self._at:
            words = f"has a {bracket} that is not understood: a comma or the {_CLOSING[bracket]} is missing"
            return self._at, f"{words}, or a text behind it needs quotes"
        if self._is_new_key() or not self._lines[self._at].strip():
            return opened, f"opens a {bracket} that nothing closes; add the {_CLOSING[bracket]}"
        words = f"does not go on with the {bracket} of line {opened + 1}: a comma, a quotation mark or the"
        return self._at, f"{words} {_CLOSING[bracket]} is missing before it"

    def _misplaced(self, problem: str) -> tuple[int, str]:
        """What to say where the parser did not expect a key, an item or a colon."""
        near = self._near()
        for number in near:
            if (found := _KEY_WITHOUT_SPACE.match(self._lines[number])) is not None:
                return number, f"has no space behind the colon of {found[1]!r}; add one"
            if _DASH_WITHOUT_SPACE.match(self._lines[number]):
                return number, "has no space behind its dash; add one"
        if "could not find expected ':'" in problem:
            return near[-1], "is no key with a value; a colon and a space are missing, or quotes"
        return self._at, _COLUMNS

    def _find(self, pattern: re.Pattern[str]) -> int | None:
        """The line of those at fault in which a pattern is found, the last first."""
        return next((number for number in self._near() if pattern.search(self._lines[number])), None)

    def _near(self) -> list[int]:
        """The line at which the parser stopped, and the one before it that says anything."""
        before = [number for number in range(self._at) if self._says_something(number)][-1:]
        return [*([self._at] if self._says_something(self._at) else []), *before] or [self._at]

    def _says_something(self, number: int) -> bool:
        line = self._lines[number].strip()
        return bool(line) and not line.startswith("#")

    def _is_new_key(self) -> bool:
        return _KEY.match(self._lines[self._at]) is not None
