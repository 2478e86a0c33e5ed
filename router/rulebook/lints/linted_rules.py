"""What lints look at: the rules of one stream as they were loaded, and the files that they stand in."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from msgspec import field

from router.domain.signals import Stream
from router.domain.suppression import SuppressionRule
from router.domain.values import Value
from router.rulebook.documents import Document, parse_with_lower_keys
from router.rulebook.folder import Folder
from router.rulebook.loading import Loaded
from router.rulebook.problems import KeyPath, Problem


class Subject(Value):
    """The rules of one stream in a rules directory, what became of them, and the instant as of which they are judged."""

    root: Path
    stream: Stream
    loaded: Loaded
    now: datetime
    _files: dict[str, tuple[Document | None, dict[str, int]]] = field(default_factory=dict)

    @property
    def named(self) -> str:
        """The rules directory as it was given."""
        return self.root.as_posix()

    @property
    def policy(self) -> Document | None:
        """The policy.yaml of the stream; None where it could not be read."""
        return self.loaded.policy.document

    @property
    def owners(self) -> Document | None:
        """The owners.yaml of the rules; None where there is none, or it could not be read."""
        return self.loaded.owners.document

    @property
    def rules(self) -> Collection[SuppressionRule]:
        """The suppression rules that can be used."""
        return self.loaded.suppressions.sound.by_name.values()

    @property
    def shadows(self) -> Collection[SuppressionRule]:
        """The shadow rules that can be used."""
        return self.loaded.suppressions.shadows.by_name.values()

    @property
    def refused(self) -> Collection[SuppressionRule]:
        """The suppression rules and shadow rules that cannot be used, as far as they could be read."""
        return self.loaded.suppressions.refused

    def warning(self, rule: SuppressionRule, path: KeyPath, message: str, code: str) -> Problem:
        """A warning about a suppression rule, at a key path in it such as ("properties", "alertType")."""
        document, place = self._find(rule)
        if document is None:
            return Problem(rule.source, None, message, "warning", self.named, code)
        return document.problem((*place, *path), message, "warning", code)

    def position_of(self, rule: SuppressionRule) -> str:
        """The file of a suppression rule, relative to the rules directory, and its line."""
        document, place = self._find(rule)
        return rule.source if document is None else document.position_of(place)

    def written_type(self, rule: SuppressionRule) -> str:
        """The alert type of a suppression rule as its file writes it."""
        document, place = self._find(rule)
        body: object = document.value if document else None
        for step in (*place, "properties", "alerttype"):
            if isinstance(body, dict):
                body = body.get(step)
            elif isinstance(body, list) and isinstance(step, int):
                body = body[step]
        return body if isinstance(body, str) else rule.alert_type

    def _find(self, rule: SuppressionRule) -> _Position:
        # A list is read once.
        if (found := self._files.get(rule.source)) is None:
            found = _positions_in(self.root, rule.source)
            if found[1]:
                self._files[rule.source] = found
        return _position_of(rule, *found)


class WrittenRule(NamedTuple):
    """Where a rule stands: the file, relative to the rules directory, and the line; and what is written there."""

    position: str
    text: str


def find_written_rule(root: Path, rule: SuppressionRule) -> WrittenRule | None:
    """A rule as its file says it by now; None where that cannot be read."""
    document, place = _position_of(rule, *_positions_in(root, rule.source))
    return WrittenRule(document.position_of(place), document.text_of(place)) if document is not None else None


type _Position = tuple[Document | None, KeyPath]
"""The file that a rule stands in, and where in it."""


def _positions_in(root: Path, file: str) -> tuple[Document | None, dict[str, int]]:
    """A file of rules, and the places of those that it lists. Loading keeps no text of a hundred thousand files."""
    document = Folder(root).read(file, parse_with_lower_keys)
    value = document.value if document else None
    bodies = value.get("value") if isinstance(value, dict) else None
    named = enumerate(bodies if isinstance(bodies, list) else ())
    return document, {str(body.get("name")): number for number, body in named if isinstance(body, dict)}


def _position_of(rule: SuppressionRule, document: Document | None, places: Mapping[str, int]) -> _Position:
    return document, ("value", places[rule.name]) if rule.name in places else ()
