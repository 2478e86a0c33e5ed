"""What `rules check` and `rules test` found, as the values that formats write."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from os.path import abspath
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from router.cli.decisions import entry_of
from router.cli.formats import Annotation, Case, Severity
from router.coverage.expected.manifest import FILE as COVERAGE
from router.decide import entry_document
from router.decide.explanation import explain
from router.domain.decisions import Outcome
from router.domain.hubs import Arrival
from router.domain.owners import find_owner_of
from router.domain.signals import Signal, Stream
from router.domain.silences import find_shadow_rule, shadow_name
from router.ingest.messages import Message, MessagePart, MessageReader, NotUnderstood
from router.rulebook import Problem
from router.rulebook.attack import FILE as ATTACK
from router.rulebook.examples import DIRECTORY as EXAMPLES
from router.rulebook.examples import Example
from router.rulebook.folder import Folder
from router.rulebook.owners import FILE as OWNERS
from router.rulebook.policy import FILE as POLICY
from router.rulebook.suppression_directory import files_of_rules

FAILED_EXAMPLE = "failed-example"
"""The code of an example that was not met."""


class Unmet(NamedTuple):
    """One thing that a decision shows otherwise than an example expects: which message of which example, and what."""

    example: str
    what: str

    def __str__(self) -> str:
        return f"{self.example}: {self.what}"


class ExampleRun(NamedTuple):
    """One example that was run; `unmet` is None where the rules of its stream cannot be used."""

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
            failures=tuple(
                str(Annotation(path, run.example.line, "error", FAILED_EXAMPLE, str(one))) for one in run.unmet or ()
            ),
            skipped="the rules of its stream cannot be used" if run.unmet is None else None,
        )


def files_in(directory: Path) -> tuple[str, ...]:
    """The files of a rules directory that are read, relative to it."""
    folder = Folder(directory)
    named = (OWNERS, ATTACK, COVERAGE, *(f"{stream}/{POLICY}" for stream in Stream))
    rules = (file for stream in Stream for file, _ in files_of_rules(folder, stream))
    examples = (file for stream in Stream for file in folder.files_in(f"{stream}/{EXAMPLES}"))
    return (*filter(folder.has, named), *rules, *examples)


def shown(directory: Path, file: str) -> str:
    """The path of a file from the working directory, with slashes; whole where it lies elsewhere."""
    path = Path(abspath(directory / file))  # noqa: PTH100 - a link is named as it is, not as what it leads to
    here = Path.cwd()
    return (path.relative_to(here) if path.is_relative_to(here) else path).as_posix()


def _suite_of(path: str) -> str:
    """The folder of a file with dots between its parts, as reports name suites."""
    parts = [part for part in PurePosixPath(path).parent.parts if part != "/"]
    return ".".join(parts) or "rules"


_MOST_RULES = 5
"""The most suppression rules of which it is said why they do not hold."""


def unmet_in(example: Example, reader: MessageReader, where: str) -> Iterator[Unmet]:
    """Each thing that a message of an example shows otherwise than expected."""
    for place, body in enumerate(example.bodies, 1):
        message = Message(body, where, Arrival("example", place))
        which = f"{example.name} (message {place})" if len(example.bodies) > 1 else example.name
        for part in reader.read_message(message):
            decided = entry_document(entry_of(part, reader, example.now)) | {"owner": owner_of(part, reader)}
            unmet = example.unmet_by(decided)
            to_explain = next((key for key in ("outcome", "suppressed_by") if key in unmet), None)
            for key, what in unmet.items():
                is_explained = key in (to_explain, "shadowed_by")
                why = _why(key, part, example, reader, decided) if is_explained else ""
                yield Unmet(which, f"{what} ({why})" if why else what)


def owner_of(part: MessagePart, reader: MessageReader) -> str | None:
    """What the owner of what a part is about is called; None for no owner, and where the part is not understood."""
    if isinstance(part, NotUnderstood):
        return None
    owner = find_owner_of(part.signal, reader.rulebooks[part.signal.stream].owners)
    return owner.name if owner is not None else None


def _why(key: str, part: MessagePart, example: Example, reader: MessageReader, decided: Mapping[str, object]) -> str:
    """The decision's reason; and where a rule was to hold a signal that could be held, what `explain` says of that rule."""
    reason = str(decided["reason"])
    if isinstance(part, NotUnderstood):
        at_fault = part.quarantined.at_fault
        return f"{reason}; at fault: {at_fault}" if at_fault else reason
    name, is_held = example.expect.get("suppressed_by"), decided["outcome"] == Outcome.SUPPRESSED
    if not (is_held or decided["outcome"] == Outcome.ROUTED) or (name is not None and name == decided["suppressed_by"]):
        return reason
    signal, book = part.signal, reader.rulebooks[part.signal.stream]
    steps = explain(signal, book, example.now).steps
    said = {step.rule: f"{step.question} {step.answer}" for step in steps if step.rule is not None}
    if key == "shadowed_by":
        missing = [name for name in _texts_in(example.expect[key]) if name not in _texts_in(decided[key])]
        shadows = [(f"shadow rule {name}", shadow_name(name), name in book.shadows.by_name) for name in missing]
        return "; ".join(
            said.get(on_record) or _absent(what, is_there, signal) for what, on_record, is_there in shadows
        )
    if isinstance(name, str):
        rules = [said.get(name) or _absent(f"rule {name}", name in book.suppressions.by_name, signal)]
    elif example.expect.get("outcome") == Outcome.SUPPRESSED:
        rules = [text for rule, text in said.items() if find_shadow_rule(rule) is None]
        more = [f"and {len(rules) - _MOST_RULES} more rules"] if len(rules) > _MOST_RULES else []
        rules = [*rules[:_MOST_RULES], *more] or [f"there is no rule for {signal.type}"]
    else:
        return reason
    return "; ".join([reason, *rules] if is_held else rules)


def _absent(what: str, is_there: bool, signal: Signal) -> str:
    return f"the {what} is not about {signal.type}" if is_there else f"there is no {what}"


def _texts_in(names: object) -> list[str]:
    return list(map(str, names)) if isinstance(names, list) else []
