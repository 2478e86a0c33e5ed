"""What lints look at: the rules of one stream as they were loaded, and the files that they stand in."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from router.domain.signals import Stream
from router.domain.suppression import SuppressionRule
from router.rulebook.documents import Document, parse_with_lower_keys
from router.rulebook.folder import Folder
from router.rulebook.lints.known_types import KnownTypes
from router.rulebook.loading import Loaded
from router.rulebook.problems import KeyPath, Problem


@dataclass(frozen=True, slots=True)
class Subject:
    """The rules of one stream, as lints see them.

    Attributes:
        root: the rules directory.
        stream: the stream.
        loaded: what became of its rules.
        now: the instant as of which they are judged.
        types: the alert types that are known.
    """

    root: Path
    stream: Stream
    loaded: Loaded
    now: datetime
    types: KnownTypes
    _folder: Folder
    _files: dict[str, _RuleFile] = field(default_factory=dict)

    @classmethod
    def of(cls, rules: Path, stream: Stream, loaded: Loaded, now: datetime) -> Subject:
        """The rules of a directory as they were loaded."""
        return cls(rules, stream, loaded, now, KnownTypes.of(loaded.policy.types), Folder(rules))

    @property
    def named(self) -> str:
        """The rules directory as it was given."""
        return self._folder.named

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
        file = self._file_of(rule)
        if file.document is None:
            return Problem(rule.source, None, message, "warning", self._folder.named, code)
        return file.document.problem((*file.path_of(rule), *path), message, "warning", code)

    def position_of(self, rule: SuppressionRule) -> str:
        """The file of a suppression rule, relative to the rules directory, and its line."""
        file = self._file_of(rule)
        if file.document is None:
            return rule.source
        return file.document.position_of(file.path_of(rule))

    def written_type(self, rule: SuppressionRule) -> str:
        """The alert type of a suppression rule as its file writes it."""
        file = self._file_of(rule)
        body: object = file.document.value if file.document else None
        for step in (*file.path_of(rule), "properties", "alerttype"):
            if isinstance(body, dict):
                body = body.get(step)
            elif isinstance(body, list) and isinstance(step, int):
                body = body[step]
        return body if isinstance(body, str) else rule.alert_type

    def _file_of(self, rule: SuppressionRule) -> _RuleFile:
        # Loading keeps no text of a hundred thousand files: those that are warned about are read again.
        if rule.source not in self._files:
            self._files[rule.source] = _RuleFile.read(self._folder, rule.source)
        return self._files[rule.source]


@dataclass(frozen=True, slots=True)
class _RuleFile:
    """A file of suppression rules, with where in it each rule of a list stands."""

    document: Document | None
    paths: dict[str, KeyPath]

    @classmethod
    def read(cls, folder: Folder, file: str) -> _RuleFile:
        document = folder.read(file, parse_with_lower_keys)
        value = document.value if document else None
        bodies = value.get("value") if isinstance(value, dict) else None
        named = enumerate(bodies if isinstance(bodies, list) else ())
        return cls(
            document,
            {
                name: ("value", number)
                for number, body in named
                if isinstance(body, dict) and isinstance(name := body.get("name"), str)
            },
        )

    def path_of(self, rule: SuppressionRule) -> KeyPath:
        return self.paths.get(rule.name, ())
