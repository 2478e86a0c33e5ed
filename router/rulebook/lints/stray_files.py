"""Files that look like rules and stand where nothing reads them: a rule in a misspelled directory does nothing, in silence."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path, PurePosixPath

from router.domain.signals import Stream
from router.rulebook.attack import FILE as ATTACK
from router.rulebook.examples import DIRECTORY as EXAMPLES
from router.rulebook.lints.subject import Subject
from router.rulebook.owners import FILE as OWNERS
from router.rulebook.policy import FILE as POLICY
from router.rulebook.problems import Problem
from router.rulebook.suppression_directory import DIRECTORY as SUPPRESSIONS
from router.rulebook.suppression_directory import SHADOWS

_AT_THE_TOP = frozenset({ATTACK, OWNERS, "coverage.yaml"})
_ENDINGS = frozenset({".yaml", ".yml", ".json"})
_CALLED = {
    "exemptions": SUPPRESSIONS,
    "silences": SUPPRESSIONS,
    "shadow": SHADOWS,
    "shadows": SHADOWS,
    "tests": EXAMPLES,
}
"""What people call our directories."""

_ELSEWHERE = "; rules stand in cwpp/ and cspm/, and files of tags are named in owners.yaml"


def find_stray_files(subject: Subject) -> Iterator[Problem]:
    """A warning for each file of YAML or JSON, and each directory with such files, that nothing reads where it stands."""
    are_all_tags_known = _are_all_tags_known(subject)
    for name, path in _rules_like(subject.root):
        if name not in _AT_THE_TOP and name not in set(Stream) and not _is_named(path, subject):
            remedy = _remedy_at_the_top(name, path.is_dir())
            # What stands beside rules in a repository of its own may be anything.
            if remedy or (are_all_tags_known and not (subject.root / ".git").exists()):
                yield _stray(subject, name, path.is_dir(), remedy or _ELSEWHERE)
    for name, path in _rules_like(subject.root / subject.stream):
        if name not in (POLICY, SUPPRESSIONS, EXAMPLES) and not _is_named(path, subject):
            remedy = _remedy_in_a_stream(name, path.is_dir(), subject.stream)
            if remedy or are_all_tags_known:
                file = f"{subject.stream}/{name}"
                yield _stray(subject, file, path.is_dir(), remedy or f"; {_whereabouts_in(subject.stream)}")


def _stray(subject: Subject, file: str, is_directory: bool, remedy: str) -> Problem:
    what = "is a directory in which nothing is read" if is_directory else "is not read"
    return Problem(file, None, f"{what}{remedy}", "warning", subject.named, code="stray-file")


def _rules_like(directory: Path) -> Iterator[tuple[str, Path]]:
    """What stands in a directory and may be meant as rules, by name; hidden files and Markdown are not."""
    try:
        paths = sorted(directory.iterdir())
    except OSError:
        return
    for path in paths:
        if path.name[0] != "." and (_has_rules(path) if path.is_dir() else path.suffix.lower() in _ENDINGS):
            yield path.name, path


def _has_rules(directory: Path) -> bool:
    if directory.name in set(Stream):
        return True
    return any(path.suffix.lower() in _ENDINGS for path in directory.rglob("*") if path.is_file())


def _are_all_tags_known(subject: Subject) -> bool:
    """Whether owners.yaml says which files of tags there are: one that is absent does, one with a mistake in it may not."""
    owners = subject.owners.value if subject.owners is not None else None
    if subject.loaded.owners.form is not None or (isinstance(owners, dict) and "tags" in owners):
        return True
    return not (subject.root / OWNERS).exists()


def _is_named(path: Path, subject: Subject) -> bool:
    """Whether owners.yaml names a file of tags, or something in the directory."""
    owners = subject.owners.value if subject.owners is not None else None
    tags = owners.get("tags") if isinstance(owners, dict) else None
    named = [subject.root / str(tag) for tag in (tags if isinstance(tags, list) else [tags] if tags else ())]
    return any(path == one or path in one.parents for one in named)


def _remedy_at_the_top(name: str, is_directory: bool) -> str | None:
    """Where it belongs; None where its name says nothing of that."""
    stem = PurePosixPath(name).stem.lower()
    if is_directory:
        if near := _near(name, [*Stream, SUPPRESSIONS, SHADOWS, EXAMPLES]):
            return f"; did you mean {near}/?" if near in set(Stream) else f"; move it into cwpp/ or cspm/ as {near}/"
        return None
    if stem == "policy":
        return "; the policy of a stream is cwpp/policy.yaml or cspm/policy.yaml"
    near = _near(stem, [PurePosixPath(known).stem for known in sorted(_AT_THE_TOP)])
    return f"; did you mean {near}.yaml?" if near else None


def _remedy_in_a_stream(name: str, is_directory: bool, stream: Stream) -> str | None:
    """The same in the directory of a stream."""
    stem = PurePosixPath(name).stem.lower()
    if is_directory:
        near = _near(name, [SUPPRESSIONS, SHADOWS, EXAMPLES])
        return f"; did you mean {stream}/{near}/?" if near else None
    if f"{stem}.yaml" in _AT_THE_TOP:
        return f"; it stands beside {stream}/, as {stem}.yaml"
    return f"; did you mean {stream}/{POLICY}?" if _near(stem, ["policy"]) else None


def _whereabouts_in(stream: Stream) -> str:
    return (
        f"suppression rules stand in {stream}/{SUPPRESSIONS}/, shadow rules in {stream}/{SHADOWS}/, "
        f"examples in {stream}/{EXAMPLES}/"
    )


def _near(name: str, known: list[str]) -> str | None:
    lowered = name.lower()
    return next(iter(get_close_matches(_CALLED.get(lowered, lowered), known, n=1, cutoff=0.75)), None)
