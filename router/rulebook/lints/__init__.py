"""What rules say in vain, found by comparing them: with one another, with the catalogue, with what a stream can bring.

Each lint takes a `Subject` and yields warnings that have a code. `rules check` runs them and a start does not, so a lint may
take its time; but where there are a hundred thousand rules it must not compare each with each.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from router.domain.signals import Stream
from router.rulebook.lints.files import find_stray_files
from router.rulebook.lints.linted_rules import Subject, WrittenRule, find_written_rule
from router.rulebook.lints.owners import find_owners_in_vain, find_unknown_tags, find_unreachable_owners
from router.rulebook.lints.routes import find_dead_routes, find_quiet_routes_in_vain
from router.rulebook.lints.scopes import find_broad_rules, find_covered_scopes
from router.rulebook.lints.types import KnownTypes, find_retired_types, find_unknown_types
from router.rulebook.loading import Loaded
from router.rulebook.problems import Problem, in_order

__all__ = ["KnownTypes", "Subject", "WrittenRule", "find_written_rule", "lint"]

LINTS: tuple[Callable[[Subject], Iterator[Problem]], ...] = (
    find_unknown_types,
    find_retired_types,
    find_covered_scopes,
    find_broad_rules,
    find_unreachable_owners,
    find_owners_in_vain,
    find_unknown_tags,
    find_dead_routes,
    find_quiet_routes_in_vain,
    find_stray_files,
)


def lint(rules: Path, stream: Stream, loaded: Loaded, now: datetime) -> tuple[Problem, ...]:
    """The warnings about a stream's rules as they were loaded at `now`, by file and line."""
    subject = Subject(rules, stream, loaded, now)
    return in_order(problem for find in LINTS for problem in find(subject))
