"""Files that look like rules and stand where nothing reads them: a rule in a misspelled directory does nothing, in silence."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

from router.domain.signals import Stream
from router.rulebook.attack import FILE as ATTACK
from router.rulebook.examples import DIRECTORY as EXAMPLES
from router.rulebook.lints.linted_rules import Subject
from router.rulebook.owners import FILE as OWNERS
from router.rulebook.policy import FILE as POLICY
from router.rulebook.problems import Problem
from router.rulebook.suppression_directory import DIRECTORY as SUPPRESSIONS
from router.rulebook.suppression_directory import SHADOWS

_AT_THE_TOP = (ATTACK, OWNERS, "coverage.yaml")
_ENDINGS = frozenset({".yaml", ".yml", ".json"})
_CALLED = {
    "exemptions": SUPPRESSIONS,
    "silences": SUPPRESSIONS,
    "shadow": SHADOWS,
    "shadows": SHADOWS,
    "tests": EXAMPLES,
}
"""What people call our directories."""
_IN_A_STREAM = f"{SUPPRESSIONS}/, {SHADOWS}/, {EXAMPLES}/ and {POLICY}"


def find_stray_files(subject: Subject) -> Iterator[Problem]:
    """A warning for each file of YAML or JSON, and each directory with such files, that nothing reads where it stands."""
    # What stands beside rules in a repository of its own may be anything, and so may what owners.yaml names as tags.
    is_repository = (subject.root / ".git").exists()
    tags = _tags_named(subject)
    for path in _rules_like(subject.root):
        if path.name in (*_AT_THE_TOP, *Stream) or _is_named(path, tags):
            continue
        known = [*Stream, SUPPRESSIONS, SHADOWS, EXAMPLES] if path.is_dir() else [*_AT_THE_TOP, POLICY]
        near = _find_near(path, known)
        if near in (SUPPRESSIONS, SHADOWS, EXAMPLES, POLICY):
            near = f"{Stream.CWPP}/{near} or {Stream.CSPM}/{near}"
        if near or not (is_repository or tags is None):
            yield _stray(subject, path, near, f"here are read {', '.join(_AT_THE_TOP)}, cwpp/ and cspm/")
    for path in _rules_like(subject.root / subject.stream):
        if path.name in (POLICY, SUPPRESSIONS, EXAMPLES) or _is_named(path, tags):
            continue
        near = _find_near(path, [SUPPRESSIONS, SHADOWS, EXAMPLES] if path.is_dir() else [POLICY, *_AT_THE_TOP])
        if near is not None and near not in _AT_THE_TOP:
            near = f"{subject.stream}/{near}"
        if near or tags is not None:
            yield _stray(subject, path, near, f"here are read {_IN_A_STREAM}")


def _stray(subject: Subject, path: Path, near: str | None, elsewhere: str) -> Problem:
    what = "is a directory in which nothing is read" if path.is_dir() else "is not read"
    remedy = f"did you mean {near}?" if near else elsewhere
    file = path.relative_to(subject.root).as_posix()
    return Problem(file, None, f"{what}; {remedy}", "warning", subject.named, code="stray-file")


def _rules_like(directory: Path) -> Iterator[Path]:
    """What stands in a directory and may be meant as rules; hidden files and Markdown are not."""
    try:
        paths = sorted(directory.iterdir())
    except OSError:
        return
    for path in paths:
        inside = path.rglob("*") if path.is_dir() else [path]
        if path.name[0] != "." and any(one.suffix.lower() in _ENDINGS and one.is_file() for one in inside):
            yield path


def _tags_named(subject: Subject) -> list[Path] | None:
    """The files of tags that owners.yaml names; None where it cannot be read, so that any file may be one."""
    if (form := subject.loaded.owners.form) is not None:
        return [subject.root / tag for tag in form.tags]
    return None if (subject.root / OWNERS).exists() else []


def _is_named(path: Path, tags: list[Path] | None) -> bool:
    return any(path == one or path in one.parents for one in tags or ())


def _find_near(path: Path, known: list[str]) -> str | None:
    """The place that is probably meant by a name, whatever its ending."""
    places = {place.removesuffix(".yaml"): place for place in known}
    stem = path.name.lower() if path.is_dir() else path.stem.lower()
    close = get_close_matches(_CALLED.get(stem, stem), places, n=1, cutoff=0.75)
    return places[close[0]] if close else None
