"""Globs of declared alert types that fit Defender's own types, too: a misspelled one of these would be taken for right."""

from __future__ import annotations

from collections.abc import Iterator

from router.domain.patterns import is_glob
from router.domain.signals import Stream
from router.rulebook.catalogue import load_spellings
from router.rulebook.globs import compile_globs
from router.rulebook.lints.subject import Subject
from router.rulebook.problems import Problem


def find_broad_types(subject: Subject) -> Iterator[Problem]:
    """A warning for each glob in `types` that fits a type of the catalogue."""
    policy = subject.policy
    if policy is None or subject.stream is not Stream.CWPP:
        return
    declared = policy.value.get("types") if isinstance(policy.value, dict) else None
    for number, glob in enumerate(declared if isinstance(declared, list) else ()):
        if not isinstance(glob, str) or not is_glob(glob):
            continue
        fitting = [written for written in load_spellings().values() if compile_globs([glob])(written)]
        if fitting:
            more = f" and {len(fitting) - 1} more types" if len(fitting) > 1 else ", a type"
            yield policy.problem(
                ("types", number),
                f"{glob!r} fits {fitting[0]}{more} of Defender's, so a misspelled type that it fits is taken for right; "
                "list types of your own only",
                "warning",
                "broad-types",
            )
