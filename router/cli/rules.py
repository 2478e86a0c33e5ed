"""`alert-router rules check|test|schema`: what is wrong with the rules, whether they do what their examples say."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from router.cli.decisions import decision_of
from router.cli.dry_run import entry_of
from router.cli.given import clock_for, lines_for, streams_in
from router.cli.screen import json_of, print_json, print_lines
from router.destinations import discover
from router.domain.errors import BadFile, BadUsage
from router.domain.ledger import Arrival
from router.domain.rulebook import Rulebook
from router.domain.signals import Stream
from router.ingest.messages import Message, MessageReader
from router.rulebook import Example, Loaded, Problem, in_order, lint, load_all, load_catalogue, load_examples, schemas

FOUND = 1
"""The exit code where there is a problem, or an example that failed."""


@dataclass(frozen=True, slots=True)
class _Checked:
    """The rules of a directory as far as they can be used, and everything that is to be said of them."""

    loaded: Mapping[Stream, Loaded]
    examples: Mapping[Stream, tuple[Example, ...]]
    problems: tuple[Problem, ...]

    @property
    def books(self) -> Mapping[Stream, Rulebook]:
        return {stream: one.rulebook for stream, one in self.loaded.items() if one.rulebook is not None}

    @property
    def is_sound(self) -> bool:
        return all(problem.level == "warning" for problem in self.problems)


@dataclass(frozen=True, slots=True)
class _Failure:
    """An example that was not met."""

    where: str
    example: str
    unmet: str


def check(options: Namespace) -> int:
    """Prints every problem and warning; 1 if there is a problem."""
    checked = _linted(options.directory, clock_for(options.now)())
    if options.format == "json":
        print_json({"problems": list(map(_document, checked.problems))})
    else:
        print_lines([*lines_for(checked.problems), _summary(options.directory, checked)])
    return 0 if checked.is_sound else FOUND


def test(options: Namespace) -> int:
    """Runs the examples and prints those that failed; 1 if one did, or if there is a problem."""
    checked = _checked(options.directory, clock_for(options.now)())
    problems = [problem for problem in checked.problems if problem.level == "problem"]
    failures = [one for stream in checked.books for one in _failures(options.directory, stream, checked)]
    count = sum(len(checked.examples[stream]) for stream in checked.books)
    if options.format == "json":
        unmet = [{"where": one.where, "example": one.example, "unmet": one.unmet} for one in failures]
        print_json({"examples": count, "failures": unmet, "problems": list(map(_document, problems))})
    else:
        lines = [f"{one.where}: {one.example}: {one.unmet}" for one in failures]
        failed = len({(one.where, one.example) for one in failures})
        summary = f"{options.directory}: {_count(count, 'example')}, {failed} failed"
        print_lines([*lines_for(problems), *lines, summary])
    return FOUND if failures or problems else 0


def schema(options: Namespace) -> int:
    """Prints the JSON Schemas of the rules files, or one of them, or writes them to a directory."""
    published = schemas(discover())
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
    checked = _checked(directory, now)
    found = [problem for stream, one in checked.loaded.items() for problem in lint(directory, stream, one, now)]
    return replace(checked, problems=in_order([*checked.problems, *found]))


def _failures(directory: Path, stream: Stream, checked: _Checked) -> Iterator[_Failure]:
    reader = MessageReader(checked.books, load_catalogue(), stream)
    for example in checked.examples[stream]:
        where = f"{directory}/{example.file}" + (f":{example.line}" if example.line else "")
        for place, body in enumerate(example.bodies, 1):
            message = Message(body, where, Arrival("example", place))
            which = f"{example.name} (message {place})" if len(example.bodies) > 1 else example.name
            for part in reader.read_message(message):
                decision = decision_of(entry_of(part, reader, example.now))
                yield from (_Failure(where, which, unmet) for unmet in example.unmet_by(decision))


def _summary(directory: Path, checked: _Checked) -> str:
    problems = sum(problem.level == "problem" for problem in checked.problems)
    parts = [_count(problems, "problem"), _count(len(checked.problems) - problems, "warning")]
    for stream, book in checked.books.items():
        routes, held = _count(len(book.routes), "route"), _count(len(book.suppressions.by_name), "suppression rule")
        parts.append(f"{stream} {routes}, {held}, hash {book.hash}")
    return f"{directory}: {'; '.join(parts)}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _document(problem: Problem) -> dict[str, object]:
    return {
        "file": problem.file,
        "line": problem.line,
        "level": problem.level,
        "code": problem.code,
        "message": problem.message,
    }


def _write(wanted: Mapping[str, object], directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, one in wanted.items():
            (directory / f"{name}.schema.json").write_bytes(json_of(one))
    except OSError as fault:
        raise BadFile(f"{fault.filename or directory}: cannot be written: {fault.strerror}") from fault
