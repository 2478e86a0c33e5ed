"""The rulebook of a stream, made of everything in the rules directory that bears on it."""

from __future__ import annotations

import gc
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from copy import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from router.domain.catalogue import AttackTable
from router.domain.rulebook import BY_TAG, Rulebook
from router.domain.signals import Stream
from router.domain.suppression import SuppressionRule
from router.domain.values import Value
from router.rulebook.attack import read_attack
from router.rulebook.catalogue import load_catalogue
from router.rulebook.destinations import RECORD, KindsByName
from router.rulebook.folder import Folder
from router.rulebook.owners import OwnersFile, read_owners
from router.rulebook.policy import Policy, read_policy
from router.rulebook.problems import Problem, in_order
from router.rulebook.suppression_directory import ReadSuppressions, read_suppression_file, read_suppressions
from router.rulebook.tag_files import LIVE

_FOR_EVER = timedelta(days=365_000)
"""How long a rule may live where no policy says it."""


_OF_POLICY = (
    "floor", "coverage_severity", "routes", "always", "otherwise", "destinations", "record", "silences", "notify", "warn",
)  # fmt: skip
"""What a rulebook takes from its policy as it is."""


class Loaded(Value):
    """The result of loading one stream's rules.

    Attributes:
        rulebook: the rulebook; None where a problem stops it.
        problems: problems and warnings, by file and line. A suppression rule with a problem is left out and stops nothing.
    """

    rulebook: Rulebook | None
    problems: tuple[Problem, ...]
    policy: Policy
    owners: OwnersFile
    suppressions: ReadSuppressions


def load(rules: Path, stream: Stream, kinds: KindsByName, now: datetime) -> Loaded:
    """The rules of a stream as they stand at `now`, an instant with a zone."""
    with _without_collecting():
        return _load(_read_shared(rules), stream, kinds, now)


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Keeps the collector of garbage still: all that loading makes stays, and going through it took half of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class _Shared(NamedTuple):
    """What the rules of both streams are made with, and the directory of which no more was read yet."""

    folder: Folder
    attack: AttackTable
    owners: OwnersFile


def _read_shared(rules: Path) -> _Shared:
    folder = Folder(rules)
    return _Shared(folder, read_attack(folder), read_owners(folder))


def _load(shared: _Shared, stream: Stream, kinds: KindsByName, now: datetime) -> Loaded:
    folder, catalogue = shared.folder.fork(), load_catalogue()
    attack, owners = shared.attack, shared.owners
    policy = read_policy(folder, stream, kinds, attack, catalogue, owners.owners)
    is_usable = folder.is_sound
    # A policy that cannot be used does not say how long its rules may live, so none is blamed for living too long.
    suppressions = read_suppressions(folder, stream, policy if is_usable else replace(policy, longest=_FOR_EVER), now)
    if not is_usable:
        return Loaded(None, folder.problems, policy, owners, suppressions)
    taken: dict[str, Any] = {name: getattr(policy, name) for name in _OF_POLICY}
    rulebook = Rulebook(
        stream=stream,
        hash=folder.hash,
        suppressions=suppressions.sound,
        shadows=suppressions.shadows,
        attack=attack,
        catalogue=catalogue,
        owners=replace(owners.owners, live_tags=_live_tags(owners, policy)),
        scopes=owners.scopes,
        runbooks=(*policy.runbooks, *owners.runbooks),
        **taken,
    )
    return Loaded(rulebook, folder.problems, policy, owners, suppressions)


def _live_tags(owners: OwnersFile, policy: Policy) -> frozenset[str]:
    """The names, in lower case, of the tags that rules name, where owners.yaml says that the state has them, too."""
    if owners.form is None or LIVE not in owners.form.tags:
        return frozenset()
    of_owners = {name for entry in owners.form.owners for name in entry.tag}
    of_routes = {clause.key for route in policy.routes for clause in route.when if clause.key.startswith(BY_TAG)}
    of_groups = {name for spec in policy.destinations.values() if spec.group is not None for name in spec.group.tags}
    return frozenset(name.removeprefix(BY_TAG).lower() for name in of_routes) | {
        name.lower() for name in of_owners | of_groups
    }


def load_all(rules: Path, kinds: KindsByName, now: datetime) -> Mapping[Stream, Loaded]:
    """The rules of both streams; a destination that both write to with one credential stops both."""
    with _without_collecting():
        both = _read_shared(rules)
        loaded = {stream: _load(both, stream, kinds, now) for stream in Stream}
    names = {stream: _names_by_address(one.rulebook, kinds) for stream, one in loaded.items()}
    shared = names[Stream.CWPP].keys() & names[Stream.CSPM].keys()
    if not shared:
        return loaded
    return {stream: _stopped(stream, one, names, shared) for stream, one in loaded.items()}


type _Address = tuple[str, str, tuple[str, ...]]
"""A kind, what it writes to, and the secrets it does so with."""


def _names_by_address(rulebook: Rulebook | None, kinds: KindsByName) -> dict[_Address, str]:
    """The names of a stream's destinations, by address and credential."""
    if rulebook is None:
        return {}
    specs = [*rulebook.destinations.values(), *([rulebook.record] if rulebook.record else [])]
    return {(spec.kind, kinds[spec.kind](spec.config).address, spec.secrets): spec.name for spec in specs}


def _stopped(
    stream: Stream,
    loaded: Loaded,
    names: Mapping[Stream, Mapping[_Address, str]],
    shared: Collection[_Address],
) -> Loaded:
    """The same without a rulebook, with a problem for each destination that the other stream has too."""
    problems = list(loaded.problems)
    other = Stream.CSPM if stream is Stream.CWPP else Stream.CWPP
    for address in shared:
        name, twin = names[stream][address], names[other][address]
        path = (RECORD,) if name == RECORD else ("destinations", name)
        words = (
            f"writes to the same place with the same credential as {twin!r} of {other}; streams share no destination"
        )
        if loaded.policy.document is not None:
            problems.append(loaded.policy.document.problem(path, words, code="shared-destination"))
    return replace(loaded, rulebook=None, problems=in_order(problems))


class RulesFile(NamedTuple):
    """The suppression rules of one file."""

    rules: tuple[SuppressionRule, ...]
    problems: tuple[Problem, ...]


def read_rules_file(file: Path, stream: Stream, longest: timedelta | None, now: datetime) -> RulesFile:
    """The suppression rules of a file, wherever it stands; without `longest` each may live as long as it says."""
    folder = Folder(file.parent)
    rules = read_suppression_file(folder, file.name, stream, _FOR_EVER if longest is None else longest, now)
    return RulesFile(rules, folder.problems)
