"""The suppression rules of a stream: a directory of files, each with one rule or Defender's list of them.

In a directory below it stand shadow rules, which are read as they are and hold nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from difflib import get_close_matches
from pathlib import PurePosixPath
from typing import NamedTuple

from router.domain.signals import Stream
from router.domain.suppression import NO_SUPPRESSIONS, Element, SuppressionRule, Suppressions
from router.rulebook.documents import Document, parse_with_lower_keys
from router.rulebook.folder import Folder
from router.rulebook.policy import FILE as POLICY
from router.rulebook.policy import Policy
from router.rulebook.problems import KeyPath
from router.rulebook.suppression_rule import Life, read_rule

DIRECTORY = "suppressions"
"""The suppression rules of a stream, in the stream's directory."""

SHADOWS = f"{DIRECTORY}/shadow"
"""Its shadow rules."""

_MATTERS_THERE = "matters only if the rule is to go there; where none is, say suppression: {portable: false}"

_SUFFIXES = (".json", ".yaml", ".yml")


class ReadSuppressions(NamedTuple):
    """What became of the suppression rules and the shadow rules of a stream.

    Attributes:
        sound: the rules that can be used. A name that two rules bear is neither's, also where one of them is a shadow rule.
        refused: the others of both sorts, as far as they could be read.
    """

    sound: Suppressions
    refused: tuple[SuppressionRule, ...]
    shadows: Suppressions = NO_SUPPRESSIONS


class _Bearer(NamedTuple):
    """A rule that bears a name: where it stands, and as what it can be used; None where it cannot."""

    file: str
    path: KeyPath
    name: str
    rule: SuppressionRule | None
    is_shadow: bool


def read_suppressions(folder: Folder, stream: Stream, policy: Policy, now: datetime) -> ReadSuppressions:
    """The suppression rules of a stream, and its shadow rules."""
    life = Life(policy.longest, policy.warn, now)
    rules: dict[str, _Bearer] = {}
    namesakes: dict[str, list[_Bearer]] = {}
    refused: list[SuppressionRule] = []
    shared: dict[Element, Element] = {}
    for document, is_shadow in _documents(folder, stream):
        for path, name, body in _bodies_in(folder, document):
            rule, faults = read_rule(name, body, document.file, stream, life, shared)
            for fault in faults:
                if fault.code != "not-portable":
                    folder.note(document, (*path, *fault.path), fault.message, fault.level, fault.code)
                elif policy.are_rules_portable:
                    words = f"{fault.message} ({_MATTERS_THERE} in {stream}/{POLICY})"
                    folder.note(document, (*path, *fault.path), words, fault.level, fault.code)
            if rule is not None and any(fault.level == "problem" for fault in faults):
                refused.append(rule)
                rule = None
            # ARM takes names in any case for one.
            key = name.casefold() if policy.are_rules_portable else name
            bearer = _Bearer(document.file, path, name, rule, is_shadow)
            if (first := rules.setdefault(key, bearer)) is not bearer:
                namesakes.setdefault(key, [first]).append(bearer)
    _blame_namesakes(folder, namesakes.values())
    refused += [one.rule for bearers in namesakes.values() for one in bearers if one.rule is not None]
    only = [one for key, one in rules.items() if key not in namesakes]
    sound, shadows = (
        Suppressions.from_rules(one.rule for one in only if one.rule is not None and one.is_shadow is is_shadow)
        for is_shadow in (False, True)
    )
    return ReadSuppressions(sound, tuple(refused), shadows)


def read_suppression_file(
    folder: Folder, file: str, stream: Stream, longest: timedelta, now: datetime
) -> tuple[SuppressionRule, ...]:
    """The suppression rules of one file of any directory. What keeps one from being used is noted, and no warning."""
    if not file.lower().endswith(_SUFFIXES):
        words = "is no rules file: suppression rules stand in .json, .yaml or .yml files"
        folder.blame(file, words, code="file-not-read")
        return ()
    if (document := folder.read(file, parse_with_lower_keys)) is None:
        return ()
    rules: dict[str, list[_Bearer]] = {}
    sound: list[SuppressionRule] = []
    for path, name, body in _bodies_in(folder, document):
        rule, faults = read_rule(name, body, file, stream, Life(longest, timedelta(), now), {})
        for fault in faults:
            if fault.level == "problem":
                folder.note(document, (*path, *fault.path), fault.message, fault.level, fault.code)
        rules.setdefault(name, []).append(_Bearer(file, path, name, rule, is_shadow=False))
        sound += [rule] if rule is not None else []
    _blame_namesakes(folder, [bearers for bearers in rules.values() if len(bearers) > 1])
    return tuple(sound)


def _blame_namesakes(folder: Folder, namesakes: Collection[Sequence[_Bearer]]) -> None:
    """Notes of each rule whose name another one bears where that one stands."""
    # Loading keeps no text of a hundred thousand files: these few are read again.
    files = {one.file for bearers in namesakes for one in bearers}
    documents = {file: document for file in files if (document := folder.read(file, parse_with_lower_keys))}
    for bearers in namesakes:
        for number, (file, path, name, *_) in enumerate(bearers):
            other = bearers[0 if number else 1]
            said = f"{name!r} names another rule too"
            if other.name != name:
                said = f"{name!r} and {other.name!r} are one name in Defender"
            if file in documents and other.file in documents:
                position = documents[other.file].position_of(other.path)
                words = f"{said}, at {position}, so both are left out; rename one"
                folder.note(documents[file], path, words, code="duplicate-name")


def files_of_rules(folder: Folder, stream: Stream) -> Iterator[tuple[str, bool]]:
    """The files in which rules of a stream may stand, those of live rules first; each with whether its rules are shadows."""
    shadows = f"{stream}/{SHADOWS}"
    yield from ((file, False) for file in folder.files_in(f"{stream}/{DIRECTORY}") if file != shadows)
    yield from ((file, True) for file in folder.files_in(shadows))


def _documents(folder: Folder, stream: Stream) -> Iterator[tuple[Document, bool]]:
    for file, is_shadow in files_of_rules(folder, stream):
        if not file.lower().endswith(_SUFFIXES):
            what = "shadow rules" if is_shadow else "suppression rules"
            is_near = get_close_matches(PurePosixPath(file).name.lower(), ["shadow"], cutoff=0.8)
            near = f"; did you mean {stream}/{SHADOWS}/?" if is_near and not is_shadow else ""
            words = f"is not read: {what} stand in .json, .yaml or .yml files here{near}"
            folder.blame(file, words, level="warning", code="file-not-read")
        elif document := folder.read(file, parse_with_lower_keys):
            yield document, is_shadow


def _bodies_in(folder: Folder, document: Document) -> Iterator[tuple[KeyPath, str, object]]:
    """Each rule of a file: its path, its name, its body."""
    value = document.value
    if not isinstance(value, dict):
        folder.note(document, (), "must be a rule, {properties: ...}, or a list of rules, {value: [...]}")
    elif "value" not in value:
        yield (), document.file.rpartition("/")[2].rpartition(".")[0], value
    elif not isinstance(value["value"], list):
        folder.note(document, ("value",), "must be a list of rules")
    else:
        bodies = value["value"]
        for number, body in enumerate(bodies):
            bodies[number] = None  # so that rules take the room of what they are made from
            name = body.get("name") if isinstance(body, dict) else None
            if isinstance(name, str) and name:
                yield ("value", number), name, body
            else:
                nameless = "has no name; in a list every rule needs one"
                folder.note(document, ("value", number), nameless, code="missing-key")
