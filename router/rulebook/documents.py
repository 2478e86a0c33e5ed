"""A rules file's text: what it says, and on which line it says it.

Files are parsed with the fast C parsers. Lines cost a second parse, which only a file with problems pays for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import yaml

from router.rulebook.problems import INVALID, KeyPath, Level, Problem, dotted, position_in

TWICE = "\0twice"
"""Stands in a mapping with lower-case keys for a key that was given twice; it cannot collide with a key that anybody writes."""


class Unreadable(Exception):
    """A text is not YAML or JSON, or gives a key twice.

    Attributes:
        line: the line, where the parser says it.
        code: which of them it is.
    """

    def __init__(self, message: str, line: int | None, code: str = "unreadable") -> None:
        super().__init__(message)
        self.line = line
        self.code = code


class _GivenTwice(yaml.constructor.ConstructorError):
    """A mapping gives a key twice."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML's safe types without timestamps (rules and messages hold times as text), and no key twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise _GivenTwice(None, None, f"{key.value!r} is given twice", key.start_mark)
            seen.add(key.value)
        mapping: dict[object, object] = super().construct_mapping(node, deep)
        return mapping

    def construct_whole_mapping(self, node: yaml.MappingNode) -> dict[object, object]:
        """A mapping made from the inside out, so that one which contains itself is refused."""
        return self.construct_mapping(node, deep=True)

    def construct_whole_sequence(self, node: yaml.SequenceNode) -> list[object]:
        sequence: list[object] = self.construct_sequence(node, deep=True)
        return sequence


_Loader.add_constructor("tag:yaml.org,2002:map", _Loader.construct_whole_mapping)
_Loader.add_constructor("tag:yaml.org,2002:seq", _Loader.construct_whole_sequence)
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in _Loader.yaml_implicit_resolvers.items()
}


def parse(text: str, file: str) -> object:
    """What a text says, its keys as they are written; raises Unreadable."""
    return _parse_json(text, None) if file.lower().endswith(".json") else _parse_yaml(text)


def parse_with_lower_keys(text: str, file: str) -> object:
    """What a text says, with lower-case keys and TWICE where two of them meet; raises Unreadable."""
    return _parse_json(text, _merged) if file.lower().endswith(".json") else _with_lower_keys(_parse_yaml(text))


def _parse_json(text: str, hook: Callable[[list[tuple[str, object]]], dict[str, object]] | None) -> object:
    try:
        return json.loads(text, object_pairs_hook=hook)
    except json.JSONDecodeError as error:
        raise Unreadable(f"is not JSON: {error.msg}", error.lineno) from error
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"cannot be read: {error}", None) from error


def _parse_yaml(text: str) -> object:
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - a safe loader, see above
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        trouble = "cannot be read" if isinstance(error, yaml.constructor.ConstructorError) else "is not YAML"
        code = "duplicate-key" if isinstance(error, _GivenTwice) else "unreadable"
        raise Unreadable(f"{trouble}: {error.problem or error.context}", line, code=code) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Unreadable(f"cannot be read: {str(error).splitlines()[0]}", None) from error


def _merged(pairs: Iterable[tuple[object, object]]) -> dict[str, object]:
    merged: dict[str, object] = {}
    for key, value in pairs:
        lowered = str(key).lower()
        if lowered in merged:
            merged[TWICE] = key
        merged[lowered] = value
    return merged


def _with_lower_keys(value: object) -> object:
    if isinstance(value, dict):
        return _merged((key, _with_lower_keys(inner)) for key, inner in value.items())
    return [_with_lower_keys(item) for item in value] if isinstance(value, list) else value


@dataclass(slots=True)
class Document:
    """One rules file that could be parsed.

    Attributes:
        root: the rules directory as it was given.
        file: the file, relative to it.
        text: the text.
        value: what the text says.
    """

    root: str
    file: str
    text: str = field(repr=False)
    value: object = field(repr=False)
    _nodes: yaml.Node | None = None
    _drawn: bool = False

    def problem(self, path: KeyPath, message: str, level: Level = "problem", code: str = INVALID) -> Problem:
        """A problem at a key path of this file; its message starts with the path, its keys as the file writes them."""
        written, line = self._find(path)
        words = f"{dotted(written)}: {message}" if path else message
        return Problem(self.file, line, words, level, self.root, code)

    def line_of(self, path: KeyPath) -> int | None:
        """The line of a key path, or of as much of the way there as exists; None where no line can be told."""
        return self._find(path)[1]

    def _find(self, path: KeyPath) -> tuple[KeyPath, int | None]:
        """A key path as the file writes it, and its line."""
        if not self._drawn:
            self._nodes, self._drawn = _draw(self.text), True
        node, line = self._nodes, None if self._nodes is None else self._nodes.start_mark.line
        written: list[str | int] = []
        for step in path:
            if found := _find_child(node, step):
                step, node, line = found
            written.append(step)
        return tuple(written), None if line is None else line + 1

    def position_of(self, path: KeyPath) -> str:
        """Where a key path stands: the file, relative to the rules directory, and the line."""
        return position_in(self.file, self.line_of(path))

    def forget_lines(self) -> None:
        """Lets go of what telling lines needs, until they are asked for again; thousands of files would hold it long."""
        self._nodes, self._drawn = None, False


def _draw(text: str) -> yaml.Node | None:
    # JSON is YAML but for a few escapes, and those move no line.
    plain = re.sub(r"\\.", "__", text) if text.lstrip("\ufeff \t\r\n")[:1] in ("{", "[") else text
    try:
        node: yaml.Node | None = yaml.compose(plain, Loader=_Loader)
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    return node


def _find_child(node: yaml.Node | None, step: str | int) -> tuple[str | int, yaml.Node, int] | None:
    """The key or position as it is written, the node under it, and the line it starts on.

    A key is found whatever its case; of several that differ in nothing else, the last, or one that is spelled like the step.
    """
    if isinstance(node, yaml.MappingNode):
        wanted = str(step)
        bearers = [
            (key, value)
            for key, value in node.value
            if isinstance(key, yaml.ScalarNode) and key.value.lower() == wanted.lower()
        ]
        if bearers:
            key, value = next((one for one in reversed(bearers) if one[0].value == wanted), bearers[-1])
            return (step if isinstance(step, int) else key.value), value, key.start_mark.line
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        item = node.value[step]
        return step, item, item.start_mark.line
    return None
