"""A rules file's text: what it says, and on which line it says it.

Files are parsed with the fast C parsers. Where a key stands is found where a problem asks for it: of YAML among the nodes that
its values were made of, of JSON by going through no more than what leads to the key.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from textwrap import dedent
from typing import NamedTuple

import yaml
from yaml.reader import Reader

from router.rulebook.problems import INVALID, KeyPath, Level, Problem, dotted, position_in

TWICE = "\0twice"
"""Stands in a mapping with lower-case keys for a key that was given twice; it cannot collide with a written key."""


class Unreadable(Exception):
    """A text is not YAML or JSON, or gives a key twice."""

    def __init__(self, message: str, line: int | None, code: str = "unreadable") -> None:
        super().__init__(message)
        self.line = line
        self.code = code


_TEXT = "tag:yaml.org,2002:str"


def _refused(message: str, place: yaml.Node | yaml.Event, code: str = "unreadable") -> Unreadable:
    """Say why a text is YAML, and no rules file may say what it says."""
    return Unreadable(f"cannot be read: {message}", place.start_mark.line + 1 if place.start_mark else None, code)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML's safe types without timestamps (rules and messages hold times as text), no key twice, and each key a text."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:
        first: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _refused("has a key that is a list or a mapping; a key is a text", key)
            line = key.start_mark.line + 1
            if key.value in first:
                where = f", here and on line {first[key.value]}" if first[key.value] != line else ""
                raise _refused(f"{key.value!r} is given twice{where}; remove one", key, code="duplicate-key")
            first[key.value] = line
        for key, _ in node.value:
            # A key is a name: `on`, `no`, 1:30, << and 012345670123 are those texts, as in JSON.
            key.tag = _TEXT
        mapping: dict[object, object] = super().construct_mapping(node, deep)
        return mapping

    def construct_number(self, node: yaml.ScalarNode) -> object:
        """The number; the text where 64 bits do not hold it, or where it is 1:30, to YAML 1.1 a number to the base 60."""
        if ":" in node.value or len(node.value) > _LONGEST_NUMBER:
            return node.value
        return self.construct_yaml_int(node) if node.tag.endswith("int") else self.construct_yaml_float(node)


_LONGEST_NUMBER = 20
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_number)
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.construct_number)
for _type in ("binary", "omap", "pairs", "set", "timestamp"):
    # JSON has none of them, and neither has a message or a rule.
    _Loader.yaml_constructors.pop(f"tag:yaml.org,2002:{_type}", None)
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in _Loader.yaml_implicit_resolvers.items()
}


class _JsonPosition(NamedTuple):
    """Where something begins in a JSON text; lines count from 0."""

    at: int
    line: int


type _Position = yaml.Node | _JsonPosition
type Parsed = tuple[object, _Position]
"""What a text says, and where that stands."""


def parse(text: str, file: str) -> Parsed:
    """What a text says, its keys as they are written; raises Unreadable."""
    return _parse_json(text, _WRITTEN) if file.lower().endswith(".json") else _parse_yaml(text)


def parse_with_lower_keys(text: str, file: str) -> Parsed:
    """What a text says, with lower-case keys and TWICE where two of them meet; raises Unreadable."""
    if file.lower().endswith(".json"):
        return _parse_json(text, _LOWERED)
    value, node = _parse_yaml(text)
    return _with_lower_keys(value), node


def _parse_json(text: str, decoder: json.JSONDecoder) -> Parsed:
    if not text.strip():
        raise Unreadable(_EMPTY, None, code="empty-file")
    try:
        return decoder.decode(text), _next_position(text, 0, _JsonPosition(0, 0))
    except json.JSONDecodeError as error:
        line, words = _find_conflict(text) or _explain_json_error(text, error)
        raise Unreadable(f"is not JSON: {words}", line) from error
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"cannot be read: {error}", None) from error


def _parse_yaml(text: str) -> Parsed:
    try:
        if _MAY_BE_ALIAS.search(text):
            _refuse_aliases(text)
        loader = _Loader(text)
        node = loader.get_single_node()
        value = node and loader.construct_document(node)
    except yaml.YAMLError as error:
        line, words = _find_conflict(text) or _explain_yaml_error(text, error)
        trouble = "cannot be read" if isinstance(error, yaml.constructor.ConstructorError) else "is not YAML"
        raise Unreadable(f"{trouble}: {words}", line) from error
    except (ValueError, LookupError, RecursionError) as error:  # LookupError: `!!bool x`, `!!int ""`
        raise Unreadable(f"cannot be read: {str(error).splitlines()[0]}", None) from error
    if value is None:
        raise Unreadable(_EMPTY, None, code="empty-file")
    return value, node


def _refuse_aliases(text: str) -> None:
    """Raises Unreadable at the first alias: nested, a few of them make gigabytes of a few lines."""
    for event in yaml.parse(text, _Loader):
        if isinstance(event, yaml.AliasEvent):
            words = "has a text that begins with * and is not in quotes; put it in quotes, or repeat what it means"
            raise _refused(words, event)


_MAY_BE_ALIAS = re.compile(r"(?:^|[\s,:?\[{-])\*")
_EMPTY = "says nothing; write something there, or remove the file"
_CONFLICT = re.compile(r"^(?:<{7}|={7}|>{7})(?: |$)", re.MULTILINE)


def _find_conflict(text: str) -> tuple[int, str] | None:
    """The line of the first marker that a merge left, and what to say of it."""
    found = _CONFLICT.search(text)
    return (text.count("\n", 0, found.start()) + 1, "has a merge conflict that is not resolved") if found else None


# What is wrong with a text that cannot be parsed. Nothing of a value is repeated: it may be a secret.

_CLOSING = {"{": "}", "[": "]"}
_TAB_IN_INDENT = re.compile(r"^[ -]*\t")
_KEY_WITHOUT_SPACE = re.compile(r"\s*(?:- +)*([\w.-]+):(?![\s/]|$)")
_UNUSUAL_BLANK = re.compile("[\u00a0\u2000-\u200b\u202f\u3000\ufeff]")
_YAML_WORDS = {
    "another document": "begins a second document; a rules file is one, so remove the ---",
    "escape": "has a backslash in double quotes that means nothing; use single quotes, or write it twice",
    "quoted scalar": "opens a quotation mark that nothing closes",
    "alias": "has a text that begins with * and is not in quotes; put it in quotes",
    "anchor": "has a text that begins with & and is not in quotes; put it in quotes",
    "tag": "has a text that begins with ! and is not in quotes; put it in quotes",
    "mapping values": "has a colon that belongs to nothing above it; line up the keys, or put a text with a : in quotes",
    "cannot start any token": "has a character with which no text begins; put the text in quotes",
    "expected ':'": "is no key with a value; a colon and a space are missing, or quotes",
    "block": "belongs to nothing above it; what belongs together begins in the same column, after spaces",
    "document start": "belongs to nothing above it; what belongs together begins in the same column, after spaces",
}
"""What to say by the words of the parser."""


def _explain_yaml_error(text: str, error: yaml.YAMLError) -> tuple[int | None, str]:
    """The line of a mistake, where one can be told, and what to say of it."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        found = Reader.NON_PRINTABLE.search(text)
        line = len(text[: found.start()].splitlines()) if found else None
        return line, f"has the control character U+{ord(found[0]):04X}; remove it" if found else "cannot be read"
    lines = text.splitlines() or [""]
    at = min(error.problem_mark.line, len(lines) - 1)
    said = f"{error.problem} {error.context}"
    near = [number for number in (at, at - 1) if number >= 0]
    if (tabbed := next((number for number in near if _TAB_IN_INDENT.search(lines[number])), None)) is not None:
        return tabbed + 1, "has a tab in its indentation; YAML is indented with spaces"
    if (odd := next((number for number in near if _UNUSUAL_BLANK.search(lines[number])), None)) is not None:
        return odd + 1, "has a blank that is no space; write spaces"
    if "flow" in said and (opened := _find_unclosed("\n".join(lines[: at + 1]), "#")) is not None:
        bracket, line = opened
        return line, f"opens a {bracket} that nothing closes; add the {_CLOSING[bracket]}, a comma, or quotes"
    if "quoted scalar" in said and "escape" not in said and error.context_mark is not None:
        at = error.context_mark.line
    if glued := next((found for number in near if (found := _KEY_WITHOUT_SPACE.match(lines[number]))), None):
        number = next(number for number in near if _KEY_WITHOUT_SPACE.match(lines[number]))
        return number + 1, f"has no space behind the colon of {glued[1]!r}; add one"
    words = (words for sign, words in _YAML_WORDS.items() if sign in said)
    return at + 1, next(words, "is not understood; put texts in quotes")


def _explain_json_error(text: str, error: json.JSONDecodeError) -> tuple[int, str]:
    """The line of a mistake, and what to say of it: mostly the words of the parser."""
    char = text[error.pos : error.pos + 1]
    if text.lstrip()[:1].isalnum():
        return error.lineno, "does not begin with { or [ as JSON does; if it is YAML, let its name end in .yaml"
    if char in ("", "]", "}") and (opened := _find_unclosed(text[: error.pos], "")) is not None:
        bracket, line = opened
        if _CLOSING[bracket] != char and not error.msg.startswith(("Unterminated", "Invalid")):
            return line, f"opens a {bracket} that nothing closes; add the {_CLOSING[bracket]}"
    if char in ("/", "#"):
        return error.lineno, "has a comment, and JSON has none; remove it, or say it in a `comment`"
    # What is missing at the end of a line is found on the next one.
    line = text[: error.pos].rstrip().count("\n") + 1 if "delimiter" in error.msg else error.lineno
    return line, f"{error.msg[:1].lower()}{error.msg[1:].removesuffix(' at')}"


def _find_unclosed(text: str, comment: str) -> tuple[str, int] | None:
    """The innermost bracket that nothing closes, and its line. Texts in quotes count for nothing, nor do comments."""
    waiting: list[tuple[str, int]] = []
    for number, line in enumerate(text.splitlines(), 1):
        for found in _BRACKETS.finditer(line):
            if comment and found[0] == comment:
                break
            if found[0] in _CLOSING:
                waiting.append((found[0], number))
            elif waiting and found[0] in "]}":
                if _CLOSING[waiting[-1][0]] != found[0]:
                    return waiting[-1]
                waiting.pop()
    return waiting[-1] if waiting else None


_BRACKETS = re.compile(r"""[\[\]{}]|(?<![^\s])#|"(?:[^"\\]|\\.)*"|(?<=[\s:,\[{])'[^']*'""")


def _merged(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    merged = {_lowered(key): _shared(value) if type(value) is str else value for key, value in pairs}
    if len(merged) < len(pairs):
        spellings = [key.lower() for key, _ in pairs]
        merged[TWICE] = next(key for key, _ in reversed(pairs) if spellings.count(key.lower()) > 1)
    return merged


_lowered, _shared = lru_cache(maxsize=1024)(str.lower), lru_cache(maxsize=1024)(str)
"""A key in lower case, and a value. Most texts of a list are the same few, which take half of its memory if each is its own."""

_WRITTEN, _LOWERED = json.JSONDecoder(), json.JSONDecoder(object_pairs_hook=_merged)


def _with_lower_keys(value: object) -> object:
    if isinstance(value, dict):
        return _merged([(key, _with_lower_keys(inner)) for key, inner in value.items()])
    return [_with_lower_keys(item) for item in value] if isinstance(value, list) else value


type _Member = tuple[str | int, int, _Position]
"""A key of a mapping as it is written, or a position in a list; its line, from 0; and the value there."""


@dataclass(slots=True)
class Document:
    """One rules file that could be parsed."""

    root: str
    file: str
    text: str = field(repr=False)
    value: object = field(repr=False)
    _top: _Position = field(repr=False)
    _members: dict[_Position, Sequence[_Member]] = field(default_factory=dict, repr=False)

    def problem(self, path: KeyPath, message: str, level: Level = "problem", code: str = INVALID) -> Problem:
        """A problem at a key path of this file; its message starts with the path, its keys as the file writes them."""
        written, line, _ = self._find(path)
        words = f"{dotted(written)}: {message}" if path else message
        return Problem(self.file, line, words, level, self.root, code)

    def line_of(self, path: KeyPath) -> int:
        """The line of a key path, or of as much of the way there as exists."""
        return self._find(path)[1]

    def text_of(self, path: KeyPath) -> str:
        """What stands at a key path, as the file writes it, moved to the left; the whole text at the top."""
        if not path:
            return self.text
        place = self._find(path)[2]
        if isinstance(place, _JsonPosition):
            begins, ends = place.at, _WRITTEN.raw_decode(self.text, place.at)[1]
        else:
            begins, ends = place.start_mark.index, place.end_mark.index
        before = begins - self.text.rfind("\n", 0, begins) - 1
        return dedent(" " * before + self.text[begins:ends])

    def _find(self, path: KeyPath) -> tuple[KeyPath, int, _Position]:
        """A key path as the file writes it, its line, and where its value begins."""
        place = self._top
        line = place.line if isinstance(place, _JsonPosition) else place.start_mark.line
        written: list[str | int] = []
        for step in path:
            if found := self._find_member(place, step):
                step, line, place = found
            written.append(step)
        return tuple(written), line + 1, place

    def _find_member(self, place: _Position, step: str | int) -> _Member | None:
        """The member of a value that a step leads to.

        A key is found whatever its case; of several that differ in nothing else, the last, or one that is spelled like the
        step. `key:value` without a space is a key as a whole, and is found by what stands before the colon.
        """
        if (members := self._members.get(place)) is None:
            members = self._members[place] = list(_members_of(place, self.text))
        if isinstance(step, int) and step < len(members) and members[step][0] == step:
            return members[step]
        wanted = str(step)
        named = [(str(name), line, inner) for name, line, inner in members]
        if bearers := [one for one in named if one[0].lower() == wanted.lower()]:
            return next((one for one in reversed(bearers) if one[0] == wanted), bearers[-1])
        return next(((step, line, inner) for name, line, inner in named if name.startswith(f"{wanted}:")), None)

    def position_of(self, path: KeyPath) -> str:
        """Where a key path stands: the file, relative to the rules directory, and the line."""
        return position_in(self.file, self.line_of(path))


def _members_of(place: _Position, text: str) -> Iterator[_Member]:
    if isinstance(place, yaml.MappingNode):
        yield from ((key.value, key.start_mark.line, value) for key, value in place.value)
    elif isinstance(place, yaml.SequenceNode):
        yield from ((number, item.start_mark.line, item) for number, item in enumerate(place.value))
    elif isinstance(place, _JsonPosition) and text[place.at] in "{[":
        here, number = _next_position(text, place.at + 1, place), 0
        while text[here.at] not in "]}":
            name, value = number, here
            if text[place.at] == "{":
                name, end = _WRITTEN.raw_decode(text, here.at)
                value = _next_position(text, end, here)
            yield name, here.line, value
            here, number = _next_position(text, _WRITTEN.raw_decode(text, value.at)[1], value), number + 1


def _next_position(text: str, at: int, known: _JsonPosition) -> _JsonPosition:
    """Where the next key, value or closing bracket begins in a text that is JSON; the line of an earlier place is known."""
    begins = next(_BEGINNING.finditer(text, at)).start()
    return _JsonPosition(begins, known.line + text.count("\n", known.at, begins))


_BEGINNING = re.compile(r"[^\s:,]")
