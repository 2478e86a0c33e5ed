"""Loads the rules, and makes what reads and ingests messages by them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from router import rulebook as rules_room
from router.coverage.expected.manifest import FILE as COVERAGE
from router.coverage.expected.manifest import NO_MANIFEST, CoverageManifest
from router.destinations import discover
from router.domain.errors import BadPolicy
from router.domain.owners import NO_OWNERS, Owners
from router.domain.rulebook import DestinationSpec, Floor, Lane, Rulebook
from router.domain.severity import Severity
from router.domain.signals import Stream
from router.domain.suppression import SuppressionRule, Suppressions
from router.domain.values import Value
from router.rulebook import Problem

if TYPE_CHECKING:
    from router.ingest.intake import Intake
    from router.ingest.messages import MessageReader
    from router.ingest.state_cache import TagReader
    from router.store.store import Store

_NO_POSTURE = "is missing, so posture is recorded and told to nobody; add cspm/policy.yaml if anybody is to know of it"


class Rules(Value):
    """The rules of the streams that were asked for.

    Attributes:
        manifest: what coverage.yaml expects of Defender; None where a problem stops it.
        directory: where their files are.
        refused: by stream the suppression rules and shadow rules that cannot be used.
        types: by stream the alert types that its policy declares.
    """

    books: Mapping[Stream, Rulebook]
    problems: tuple[Problem, ...]
    manifest: CoverageManifest | None = NO_MANIFEST
    directory: Path = Path()
    refused: Mapping[Stream, tuple[SuppressionRule, ...]] = {}
    types: Mapping[Stream, tuple[str, ...]] = {}


def load_rules(directory: Path, streams: Sequence[Stream], now: datetime) -> Rules:
    """The rulebooks of some streams; raises BadPolicy with every problem where one of their policies cannot be used."""
    loaded = rules_room.load_all(directory, discover(), now)
    books = {stream: book for stream in streams if (book := loaded[stream].rulebook) is not None}
    # What is wrong with a file that both streams share is said once.
    problems = tuple(dict.fromkeys(problem for stream in streams for problem in loaded[stream].problems))
    if len(books) < len(streams):
        raise BadPolicy([str(problem) for problem in problems if problem.level == "problem"])
    refused = {stream: loaded[stream].suppressions.refused for stream in streams}
    types = {stream: loaded[stream].policy.types for stream in streams}
    return Rules(books, problems, directory=directory, refused=refused, types=types)


def load_rules_of_hubs(directory: Path, now: datetime) -> Rules:
    """The rulebooks of both hubs' streams, and the manifest of coverage, whose problems stop nothing else.

    Where a directory has no cspm/, posture is recorded and not told. Raises BadPolicy as `load_rules` does, and where there is
    no cwpp/: alerts that are told to no destination are a mistake.
    """
    return with_manifest(_load_rules_of_streams(directory, now), now)


def with_manifest(rules: Rules, now: datetime) -> Rules:
    """Return rules with the manifest of coverage that stands beside them, if there is one."""
    if not (rules.directory / COVERAGE).exists(follow_symlinks=False):
        return rules
    # Without a manifest no cold start waits for the judges of coverage.
    from router.coverage.expected.loading import read_coverage

    coverage = read_coverage(rules.directory, now)
    return replace(rules, problems=(*rules.problems, *coverage.problems), manifest=coverage.manifest)


def _load_rules_of_streams(directory: Path, now: datetime) -> Rules:
    # A file of that name stops the start.
    if (directory / Stream.CSPM).exists(follow_symlinks=False):
        return load_rules(directory, list(Stream), now)
    rules = load_rules(directory, [Stream.CWPP], now)
    book = rules.books[Stream.CWPP]
    recorded = Rulebook(
        stream=Stream.CSPM,
        hash=book.hash,
        floor=Floor(Severity.MEDIUM),
        suppressions=Suppressions.from_rules(()),
        routes=(),
        always=(),
        otherwise=(),
        attack=book.attack,
        catalogue=book.catalogue,
        destinations={},
    )
    said = Problem(str(Stream.CSPM), None, _NO_POSTURE, "warning", directory.as_posix(), "missing-file")
    return replace(rules, books={**rules.books, Stream.CSPM: recorded}, problems=(*rules.problems, said))


def new_intake(store: Store, rules: Rules, only: Stream | None, tags: TagReader | None = None) -> Intake:
    """The intake of those rules over a store; `only` is the stream that messages come from, where they come from one.

    `tags` knows the tags that the store has, where several intakes share it.
    """
    from router.ingest.intake import Intake  # for which a check of rules does not wait

    return Intake(store, rules.books, rules_room.load_catalogue(), only, tags)


def new_reader(rules: Rules, only: Stream | None) -> MessageReader:
    """What reads messages without taking them in; `only` as for the intake."""
    from router.ingest.messages import MessageReader

    return MessageReader(rules.books, rules_room.load_catalogue(), only)


async def read_owners(store: Store, rules: Rules, stream: Stream, now: datetime) -> Owners:
    """Who owns what by the rules of a stream, if it has any, and the tags that the state has; raises StoreError."""
    from router.ingest.state_cache import TagReader

    if stream not in rules.books:
        return NO_OWNERS
    return (await TagReader(store, rules.books).rulebook(stream, now)).owners


def specs_of(book: Rulebook) -> list[DestinationSpec]:
    """Every destination of a stream, the record's second home among them."""
    return [*book.destinations.values(), *([book.record] if book.record is not None else [])]


def lanes_of(books: Iterable[Rulebook]) -> dict[tuple[str, str], Lane]:
    """The lane of every destination of some streams, by stream and name."""
    return {(book.stream.value, spec.name): spec.lane for book in books for spec in specs_of(book)}


def secret_names_of(books: Iterable[Rulebook]) -> set[str]:
    """The names of the app settings that hold the secrets which the rules of some streams name."""
    return {name for book in books for name in pagers_of(book).union(*(spec.secrets for spec in specs_of(book)))}


def pagers_of(book: Rulebook) -> set[str]:
    """The names of the secrets that hold the keys of owners' own pagers."""
    return {
        entry.owner.pager for entry in book.owners.entries if entry.owner is not None and entry.owner.pager is not None
    }
