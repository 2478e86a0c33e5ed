"""Every lint over the rules of one stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from router.domain.signals import Stream
from router.rulebook.lints.broad_types import find_broad_types
from router.rulebook.lints.covered_routes import find_covered_routes
from router.rulebook.lints.covered_scopes import find_covered_scopes
from router.rulebook.lints.dead_routes import find_dead_routes
from router.rulebook.lints.owners_in_vain import find_owners_in_vain
from router.rulebook.lints.stray_files import find_stray_files
from router.rulebook.lints.subject import Subject
from router.rulebook.lints.unknown_tags import find_unknown_tags
from router.rulebook.lints.unknown_types import find_unknown_types
from router.rulebook.lints.unreachable_owners import find_unreachable_owners
from router.rulebook.loading import Loaded
from router.rulebook.problems import Problem, in_order

type Lint = Callable[[Subject], Iterator[Problem]]

LINTS: tuple[Lint, ...] = (
    find_unknown_types,
    find_broad_types,
    find_covered_scopes,
    find_unreachable_owners,
    find_owners_in_vain,
    find_unknown_tags,
    find_dead_routes,
    find_covered_routes,
    find_stray_files,
)
"""The lints; each says what it finds as warnings that have a code."""


def lint(rules: Path, stream: Stream, loaded: Loaded, now: datetime) -> tuple[Problem, ...]:
    """The warnings about a stream's rules as they were loaded at `now`, by file and line."""
    subject = Subject.of(rules, stream, loaded, now)
    return in_order(problem for find in LINTS for problem in find(subject))
