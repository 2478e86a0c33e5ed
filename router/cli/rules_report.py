"""What `rules check` and `rules test` found, as the values that formats write."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from os.path import abspath
from pathlib import Path, PurePosixPath

from router.cli.formats.values import Annotation, Case, Severity
from router.domain.signals import Stream
from router.rulebook import Example, Problem
from router.rulebook.attack import FILE as ATTACK
from router.rulebook.coverage_manifest import FILE as COVERAGE
from router.rulebook.examples import DIRECTORY as EXAMPLES
from router.rulebook.folder import Folder
from router.rulebook.owners import FILE as OWNERS
from router.rulebook.policy import FILE as POLICY
from router.rulebook.suppression_directory import files_of_rules

FAILED_EXAMPLE = "failed-example"
"""The code of an example that was not met."""


@dataclass(frozen=True, slots=True)
class Unmet:
    """One thing that a decision shows otherwise than an example expects.

    Attributes:
        example: the example, and which of its messages where it has several.
        what: what was expected and what came.
    """

    example: str
    what: str

    def __str__(self) -> str:
        return f"{self.example}: {self.what}"


@dataclass(frozen=True, slots=True)
class ExampleRun:
    """One example that was run.

    Attributes:
        example: the example.
        unmet: what was otherwise than expected; None where the rules of its stream cannot be used.
    """

    example: Example
    unmet: tuple[Unmet, ...] | None


def annotation_of(problem: Problem) -> Annotation:
    """A problem as an annotation of its file."""
    level: Severity = "error" if problem.level == "problem" else "warning"
    return Annotation(shown(Path(problem.root), problem.file), problem.line, level, problem.code, problem.message)


def annotations_of_examples(directory: Path, runs: Iterable[ExampleRun]) -> Iterator[Annotation]:
    """One annotation for each example that failed, with all that was unmet."""
    for run in runs:
        if run.unmet:
            said = "\n".join(map(str, run.unmet))
            yield Annotation(shown(directory, run.example.file), run.example.line, "error", FAILED_EXAMPLE, said)


def cases_of_files(directory: Path, files: Iterable[str], problems: Sequence[Problem]) -> Iterator[Case]:
    """A case for each file, and for each other one that has a problem. It fails by its problems; warnings are remarks."""
    by_file: dict[str, list[Annotation]] = {file: [] for file in files}
    for problem in problems:
        by_file.setdefault(problem.file, []).append(annotation_of(problem))
    for file, found in by_file.items():
        path = shown(directory, file)
        yield Case(
            suite=_suite_of(path),
            name=PurePosixPath(path).name,
            path=path,
            line=next((one.line for one in found if one.level == "error"), None),
            failures=tuple(str(one) for one in found if one.level == "error"),
            remarks=tuple(f"warning: {one}" for one in found if one.level == "warning"),
        )


def cases_of_examples(directory: Path, runs: Iterable[ExampleRun]) -> Iterator[Case]:
    """A case for each example; skipped where the rules of its stream cannot be used."""
    for run in runs:
        path = shown(directory, run.example.file)
        yield Case(
            suite=_suite_of(path),
            name=f"{PurePosixPath(path).stem}: {run.example.name}",
            path=path,
            line=run.example.line,
            failures=tuple(_failure(path, run.example.line, one) for one in run.unmet or ()),
            skipped="the rules of its stream cannot be used" if run.unmet is None else None,
        )


def files_in(directory: Path) -> tuple[str, ...]:
    """The files of a rules directory that are read, relative to it."""
    folder = Folder(directory)
    named = [
        file for file in (OWNERS, ATTACK, COVERAGE, *(f"{stream}/{POLICY}" for stream in Stream)) if folder.has(file)
    ]
    rules = [file for stream in Stream for file, _ in files_of_rules(folder, stream)]
    examples = [file for stream in Stream for file in folder.files_in(f"{stream}/{EXAMPLES}")]
    return (*named, *rules, *examples)


def shown(directory: Path, file: str) -> str:
    """The path of a file from the working directory, with slashes; whole where it lies elsewhere."""
    path = Path(abspath(directory / file))  # noqa: PTH100 - a link is named as it is, not as what it leads to
    here = Path.cwd()
    return (path.relative_to(here) if path.is_relative_to(here) else path).as_posix()


def _failure(path: str, line: int | None, unmet: Unmet) -> str:
    return str(Annotation(path, line, "error", FAILED_EXAMPLE, str(unmet)))


def _suite_of(path: str) -> str:
    """The folder of a file with dots between its parts, as reports name suites."""
    parts = [part for part in PurePosixPath(path).parent.parts if part != "/"]
    return ".".join(parts) or "rules"
