"""The suppression rules of a stream: a directory of files, each with one rule or Defender's list of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import NamedTuple

from router.domain.signals import Stream
from router.domain.suppression import Element, SuppressionRule, Suppressions
from router.rulebook.documents import Document, parse_with_lower_keys
from router.rulebook.folder import Folder
from router.rulebook.policy import FILE as POLICY
from router.rulebook.policy import Policy
from router.rulebook.problems import KeyPath
from router.rulebook.suppression_rule import Life, read_rule

DIRECTORY = "suppressions"
"""The suppression rules of a stream, in the stream's directory."""

_MATTERS_THERE = "matters only if the rule is to go there; where none is, say suppression: {portable: false}"

_SUFFIXES = (".json", ".yaml", ".yml")


class ReadSuppressions(NamedTuple):
    """What became of a directory of suppression rules.

    Attributes:
        sound: the rules that can be used. A name that two rules bear is neither's: which came first is nothing to rely on.
        refused: the others, as far as they could be read.
    """

    sound: Suppressions
    refused: tuple[SuppressionRule, ...]


def read_suppressions(folder: Folder, stream: Stream, policy: Policy, now: datetime) -> ReadSuppressions:
    """The suppression rules of a stream."""
    life = Life(policy.longest, policy.warn, now)
    rules: dict[str, list[tuple[Document, KeyPath, str, SuppressionRule | None]]] = {}
    refused: list[SuppressionRule] = []
    shared: dict[Element, Element] = {}
    for document in _documents(folder, stream):
        for path, name, body in _bodies_in(folder, document):
            rule, faults = read_rule(name, body, document.file, stream, life, shared)
            for fault in faults:
                if not fault.is_of_defender:
                    folder.note(document, (*path, *fault.path), fault.message, fault.level, fault.code)
                elif policy.are_rules_portable:
                    words = f"{fault.message} ({_MATTERS_THERE} in {stream}/{POLICY})"
                    folder.note(document, (*path, *fault.path), words, fault.level, fault.code)
            if rule is not None and any(fault.level == "problem" for fault in faults):
                refused.append(rule)
                rule = None
            # ARM takes names in any case for one.
            rules.setdefault(name.casefold() if policy.are_rules_portable else name, []).append(
                (document, path, name, rule)
            )
        document.forget_lines()
    for bearers in rules.values():
        if len(bearers) > 1:
            _blame_namesakes(folder, [(document, path, name) for document, path, name, _ in bearers])
            refused += [rule for *_, rule in bearers if rule is not None]
    sound = [bearers[0][3] for bearers in rules.values() if len(bearers) == 1 and bearers[0][3] is not None]
    return ReadSuppressions(Suppressions.of(sound), tuple(refused))


def read_suppression_file(
    folder: Folder, file: str, stream: Stream, longest: timedelta, now: datetime
) -> tuple[SuppressionRule, ...]:
    """The suppression rules of one file of any directory. What keeps one from being used is noted, and no warning."""
    if not file.lower().endswith(_SUFFIXES):
        folder.blame(
            file, "is no rules file: suppression rules stand in .json, .yaml or .yml files", code="file-not-read"
        )
        return ()
    if (document := folder.read(file, parse_with_lower_keys)) is None:
        return ()
    rules: dict[str, list[tuple[Document, KeyPath, str]]] = {}
    sound: list[SuppressionRule] = []
    for path, name, body in _bodies_in(folder, document):
        rule, faults = read_rule(name, body, file, stream, Life(longest, timedelta(), now), {})
        for fault in faults:
            if fault.level == "problem":
                folder.note(document, (*path, *fault.path), fault.message, fault.level, fault.code)
        rules.setdefault(name, []).append((document, path, name))
        sound += [rule] if rule is not None else []
    for bearers in rules.values():
        if len(bearers) > 1:
            _blame_namesakes(folder, bearers)
    return tuple(sound)


def _blame_namesakes(folder: Folder, bearers: list[tuple[Document, KeyPath, str]]) -> None:
    """Notes of each rule whose name another one bears where that one stands."""
    positions = [document.position_of(path) for document, path, _ in bearers]
    for number, (document, path, name) in enumerate(bearers):
        other = bearers[0 if number else 1][2]
        said = (
            f"{name!r} names another rule too" if other == name else f"{name!r} and {other!r} are one name in Defender"
        )
        words = f"{said}, at {positions[0 if number else 1]}, so both are left out; rename one"
        folder.note(document, path, words, code="duplicate-name")
        document.forget_lines()


def _documents(folder: Folder, stream: Stream) -> Iterator[Document]:
    for file in folder.files_in(f"{stream}/{DIRECTORY}"):
        if not file.lower().endswith(_SUFFIXES):
            folder.blame(
                file,
                "is not read: suppression rules stand in .json, .yaml or .yml files here",
                level="warning",
                code="file-not-read",
            )
        elif document := folder.read(file, parse_with_lower_keys):
            yield document


def _bodies_in(folder: Folder, document: Document) -> Iterator[tuple[KeyPath, str, object]]:
    """Each rule of a file: its path, its name, its body."""
    value = document.value
    if not isinstance(value, dict):
        folder.note(document, (), "must be a rule, {properties: ...}, or a list of rules, {value: [...]}")
    elif "value" not in value:
        yield (), PurePosixPath(document.file).stem, value
    elif not isinstance(value["value"], list):
        folder.note(document, ("value",), "must be a list of rules")
    else:
        for number, body in enumerate(value["value"]):
            name = body.get("name") if isinstance(body, dict) else None
            if isinstance(name, str) and name:
                yield ("value", number), name, body
            else:
                folder.note(
                    document, ("value", number), "has no name; in a list every rule needs one", code="missing-key"
                )
