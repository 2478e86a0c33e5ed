"""`alert-router rules check|test|schema`: what is wrong with the rules, whether they do what their examples say."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from copy import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from router.cli.formats import commands_for, report_of
from router.cli.option_values import clock_for, lines_for, streams_in
from router.cli.printing import json_of, print_commands, print_json, print_lines, print_text
from router.coverage.expected.manifest import FILE as COVERAGE
from router.coverage.expected.manifest import NO_MANIFEST, CoverageManifest
from router.decide import decide
from router.destinations import discover
from router.domain.errors import BadFile, BadUsage
from router.domain.readable import counted
from router.domain.rulebook import BY_TAG, Lane, Rulebook
from router.domain.severity import Severity
from router.domain.signals import Alert, Kind, Stream
from router.domain.values import Value
from router.rulebook import Loaded, Problem, in_order, load_all, load_catalogue
from router.rulebook.examples import DIRECTORY as EXAMPLES
from router.rulebook.examples import Example, load_examples
from router.rulebook.lints import lint

if TYPE_CHECKING:
    from router.cli.rules_report import ExampleRun

_OF_MACHINES = frozenset({"webhook"})
"""Kinds of destination that tell a program, though not in rows."""
_UNKNOWN = frozenset(
    {
        "subscription", "resource", "resource_group", "account", "project", "cluster", "namespace", "connector", "owner",
        "techniques",
    }
)  # fmt: skip
"""The keys of `when` that ask where something is, or what messages alone say. Any of them may hold of a real alert."""
_GROUP = "/subscriptions/2f9d4c17-b86e-4035-a7d1-5c0e9b3f6a82/resourceGroups/made-up"


def find_unheard_plans(loaded: Loaded, now: datetime) -> Iterator[Problem]:
    """Yield a warning where no High alert of a plan reaches a person by the rules of cwpp."""
    policy = loaded.policy.document
    if loaded.rulebook is None or policy is None:
        return
    routes = (
        replace(one, when=tuple(it for it in one.when if it.key not in _UNKNOWN and not it.key.startswith(BY_TAG)))
        for one in loaded.rulebook.routes
    )
    book = replace(loaded.rulebook, routes=tuple(routes))
    named = book.destinations.items()
    people = {name for name, spec in named if spec.lane is not Lane.ROWS and spec.kind not in _OF_MACHINES}
    heard = dict[str, bool]()
    for alert in _alerts():
        plan = alert.plan or ""
        heard[plan] = heard.get(plan, False) or not people.isdisjoint(decide(alert, book, now).people)
    if unheard := sorted(plan for plan, is_heard in heard.items() if not is_heard):
        which = "any plan" if len(unheard) == len(heard) else " or ".join(unheard)
        words = (
            f"no High alert of {which} reaches a person: name a destination for pages, tickets, a chat or mail here, "
            "or in a route that takes such alerts"
        )
        yield policy.problem(("otherwise",), words, "warning", "calls-nobody")


def _alerts() -> Iterator[Alert]:
    """Yield a High alert of each type of the catalogue on each type of resource that its plan watches."""
    catalogue = load_catalogue()
    resources: dict[str, list[str]] = {}
    for type, plan in catalogue.resource_plans.items():
        resources.setdefault(plan, []).append(type)
    for name, known in catalogue.types.items():
        if known.plan is not None and known.deprecation is None:
            for resource_type in resources.get(known.plan, ["microsoft.compute/virtualmachines"]):
                yield Alert(
                    kind=Kind.ALERT,
                    id="made-up",
                    type=name,
                    title=known.title,
                    severity=Severity.HIGH,
                    status="New",
                    resource=f"{_GROUP}/providers/{resource_type}/made-up",
                    plan=known.plan,
                )


FOUND = 1
"""The exit code where there is a problem, or an example that failed."""

_EXAMPLES = " or ".join(f"{stream}/{EXAMPLES}" for stream in Stream)
"""Where examples stand."""


class _Checked(Value):
    """The rules of a directory as far as they can be used, and everything that is to be said of them."""

    loaded: Mapping[Stream, Loaded]
    examples: Mapping[Stream, tuple[Example, ...]]
    problems: tuple[Problem, ...]
    coverage: CoverageManifest | None = None

    @property
    def books(self) -> Mapping[Stream, Rulebook]:
        return {stream: one.rulebook for stream, one in self.loaded.items() if one.rulebook is not None}


def check(options: Namespace) -> int:
    """Print every problem and warning; 1 if there is a problem, or with `--strict` a warning."""
    directory = options.directory
    checked = _linted(directory, clock_for(options.now)())
    if options.strict:
        checked = replace(checked, problems=tuple(replace(problem, level="problem") for problem in checked.problems))
    problems = checked.problems
    match options.format:
        case "json":
            print_json({"problems": list(map(_document, problems))})
        case "github":
            from router.cli.rules_report import annotation_of  # for which no check waits that prints lines

            annotations = list(map(annotation_of, problems))
            print_commands(commands_for("rules check", _summary(directory, checked), annotations))
        case "junit":
            from router.cli.rules_report import cases_of_files, files_in

            print_text(report_of("rules check", cases_of_files(directory, files_in(directory), problems)))
        case _:
            print_lines([*lines_for(problems), _summary(directory, checked)])
    return 0 if all(problem.level == "warning" for problem in problems) else FOUND


def test(options: Namespace) -> int:
    """Run the examples and print those that failed; 1 if one did, or if there is a problem."""
    from router.cli.rules_report import annotation_of, annotations_of_examples, cases_of_examples, cases_of_files

    directory = options.directory
    checked = _checked(directory, clock_for(options.now)())
    problems = [problem for problem in checked.problems if problem.level == "problem"]
    runs = [run for stream in checked.examples for run in _run_examples(directory, stream, checked)]
    unmet = [(_where(directory, run.example), one) for run in runs for one in run.unmet or ()]
    tally = _tally(directory, runs, problems)
    match options.format:
        case "json":
            count = sum(run.unmet is not None for run in runs)
            failures = [{"where": where, "example": one.example, "unmet": one.what} for where, one in unmet]
            print_json({"examples": count, "failures": failures, "problems": list(map(_document, problems))})
        case "github":
            annotations = [*map(annotation_of, problems), *annotations_of_examples(directory, runs)]
            print_commands(commands_for("rules test", tally, annotations))
        case "junit":
            cases = [*cases_of_files(directory, (), problems), *cases_of_examples(directory, runs)]
            print_text(report_of("rules test", cases))
        case _:
            print_lines([*lines_for(problems), *(f"{where}: {one}" for where, one in unmet), tally])
    return FOUND if unmet or problems else 0


def schema(options: Namespace) -> int:
    """Prints the JSON Schemas of the rules files, or one of them, or writes them to a directory."""
    from router.coverage.expected.form import CoverageForm
    from router.rulebook.schemas import schemas

    published = schemas(discover(), CoverageForm)
    if options.name is not None and options.name not in published:
        raise BadUsage(f"{options.name}: is no sort of rules file; name one of {', '.join(published)}")
    wanted = {name: one for name, one in published.items() if options.name in (None, name)}
    if options.out is not None:
        _write(wanted, options.out)
    else:
        print_json(wanted if options.name is None else wanted[options.name])
    return 0


def _checked(directory: Path, now: datetime) -> _Checked:
    streams = streams_in(directory)
    loaded = load_all(directory, discover(), now)
    examples = {stream: load_examples(directory, stream) for stream in streams}
    problems = [problem for stream in streams for problem in (*loaded[stream].problems, *examples[stream][1])]
    return _Checked(
        loaded={stream: loaded[stream] for stream in streams},
        examples={stream: found for stream, (found, _) in examples.items()},
        problems=tuple(dict.fromkeys(problems)),
    )


def _linted(directory: Path, now: datetime) -> _Checked:
    """The same, with what only comparing the rules finds."""
    checked = _Checked({}, {}, ()) if _has_coverage_alone(directory) else _checked(directory, now)
    found = [problem for stream, one in checked.loaded.items() for problem in lint(directory, stream, one, now)]
    if Stream.CWPP in checked.loaded:
        found += find_unheard_plans(checked.loaded[Stream.CWPP], now)
    manifest: CoverageManifest | None = NO_MANIFEST
    if (directory / COVERAGE).exists(follow_symlinks=False):
        from router.coverage.expected.loading import read_coverage  # with the judges of coverage

        coverage = read_coverage(directory, now)
        manifest, found = coverage.manifest, [*found, *coverage.problems]
    return replace(checked, problems=in_order([*checked.problems, *found]), coverage=manifest)


def _has_coverage_alone(directory: Path) -> bool:
    """Whether a directory holds what Defender must watch and nothing else, as where the gate is all that is wanted."""
    try:
        names = {entry.name for entry in directory.iterdir()}
    except OSError:  # reading the rules says why
        return False
    return {name for name in names if not name.startswith(".") and not name.lower().endswith(".md")} == {COVERAGE}


def _run_examples(directory: Path, stream: Stream, checked: _Checked) -> Iterator[ExampleRun]:
    """The examples of a stream, each with what came of it."""
    from router.cli.rules_report import ExampleRun, unmet_in
    from router.ingest.messages import MessageReader

    examples = checked.examples[stream]
    if stream not in checked.books:
        yield from (ExampleRun(example, None) for example in examples)
        return
    reader = MessageReader(checked.books, load_catalogue(), stream)
    for example in examples:
        yield ExampleRun(example, tuple(unmet_in(example, reader, _where(directory, example))))


def _where(directory: Path, example: Example) -> str:
    return f"{directory}/{example.file}" + (f":{example.line}" if example.line else "")


def _tally(directory: Path, runs: Sequence[ExampleRun], problems: Sequence[Problem]) -> str:
    """How many examples were run, how many of them failed, how many problems there are; and that nothing was tested."""
    count = sum(run.unmet is not None for run in runs)
    failed = sum(bool(run.unmet) for run in runs)
    tally = f"{directory}: {counted(count, 'example')}, {failed} failed; {counted(len(problems), 'problem')}"
    if count:
        return tally
    why = "the rules cannot be used" if runs else f"there is no {'sound ' if problems else ''}example in {_EXAMPLES}"
    return f"{tally}; nothing was tested: {why}"


def _summary(directory: Path, checked: _Checked) -> str:
    problems = sum(problem.level == "problem" for problem in checked.problems)
    parts = [counted(problems, "problem"), counted(len(checked.problems) - problems, "warning")]
    for stream, book in checked.books.items():
        routes, held = counted(len(book.routes), "route"), counted(len(book.suppressions.by_name), "suppression rule")
        shadows = f", {counted(len(book.shadows.by_name), 'shadow rule')}" if book.shadows.by_name else ""
        parts.append(f"{stream} {routes}, {held}{shadows}, hash {book.hash}")
    if checked.coverage is not None and checked.coverage.is_given:
        expected, excused = len(checked.coverage.expectations), len(checked.coverage.excuses)
        parts.append(f"coverage {counted(expected, 'expectation')}, {counted(excused, 'exception')}")
    if checked.loaded:
        parts += [
            f"{stream} has no rules, and nobody is told of it" for stream in Stream if stream not in checked.loaded
        ]
    return f"{directory}: {'; '.join(parts)}"


def _document(problem: Problem) -> dict[str, object]:
    return {name: getattr(problem, name) for name in ("file", "line", "level", "code", "message")}


def _write(wanted: Mapping[str, object], directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, one in wanted.items():
            (directory / f"{name}.schema.json").write_bytes(json_of(one))
    except OSError as fault:
        raise BadFile(f"{fault.filename or directory}: cannot be written: {fault.strerror}") from fault
