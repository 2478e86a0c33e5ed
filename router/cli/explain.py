"""`alert-router explain`: every step of the decision on each signal in a file, in words; or the life of one in a state."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from router.app.rules import Rules, reader_over
from router.cli.arguments import DEFAULT_STATE
from router.cli.decisions import decision_of, entry_of
from router.cli.files import Source, open_files
from router.cli.given import clock_for, rules_given, stream_for
from router.cli.notice_preview import check_destination, preview_of
from router.cli.printing import plain, print_json, print_lines
from router.cli.rules_report import owner_of
from router.cli.screen import print_table, screen, table_of
from router.cli.streams import refuse_lost_output
from router.decide import explain, notice_for
from router.domain.decisions import Decision, Outcome
from router.domain.errors import BadUsage
from router.domain.notices import RecordEntry
from router.domain.rulebook import Rulebook
from router.domain.signals import Signal
from router.domain.silences import NO_SILENCES, Silences
from router.ingest.grouping import explain_grouping
from router.ingest.messages import MessagePart, MessageReader, NotUnderstood
from router.parse import alerts_named_in, evidence_of
from router.rulebook import has_examples
from router.store.private import holds_state

type Steps = list[tuple[str, str]]
"""Questions and answers."""


class _Around(NamedTuple):
    """What the signals of a file are decided with.

    Attributes:
        reader: it reads messages, and has the rules.
        now: the instant.
        silences: the silences, by stream.
    """

    reader: MessageReader
    now: datetime
    silences: Mapping[str, Silences]

    def silences_for(self, signal: Signal) -> Silences:
        """Those that may hold a signal."""
        return self.silences.get(signal.stream.value, NO_SILENCES)

    def entry_of(self, part: MessagePart) -> RecordEntry:
        """What would be on record of a part of a message that nothing came before."""
        silences = NO_SILENCES if isinstance(part, NotUnderstood) else self.silences_for(part.signal)
        return entry_of(part, self.reader, self.now, silences)


def run(options: Namespace) -> int:
    """Explains a file's messages, or the signal of a state that is meant. Raises BadUsage."""
    if is_signal_meant(options):
        from router.cli.explain_signal import run as explain_signal  # a file needs no store

        return explain_signal(options)
    return _explain_file(options)


def is_signal_meant(options: Namespace) -> bool:
    """Whether a signal of a state is meant, and no file: what is a file is one. Raises BadUsage where it can be neither."""
    name, is_state_named = options.file, options.state is not None
    if name == "-" or _is_file(Path(name)):
        return False
    if is_state_named or holds_state(DEFAULT_STATE):
        return True
    if Path(name).is_dir():
        return False  # who reads files says why it cannot be read
    raise BadUsage(
        f"{name}: is no file, and no state is in {DEFAULT_STATE} to find a signal in; name a file, or a state with --state"
    )


def _is_file(path: Path) -> bool:
    """Whether there is something other than a directory; what cannot be a name of a file is none."""
    try:
        return path.exists() and not path.is_dir()
    except OSError:
        return False  # an id may be longer than any name of a file


def _explain_file(options: Namespace) -> int:
    """Explains each signal, as it is decided by itself: what came before it is not asked. Raises BadUsage.

    Where a state is named, the silences that it has hold as they do there, and tags are known that it has.
    """
    if has_examples(Path(options.file)):
        raise BadUsage(f"{options.file}: holds examples, and no messages; alert-router rules test runs them")
    now, only = clock_for(options.now)(), stream_for(options.stream)
    rules, silences, now = _with_state_given(options, rules_given(options.rules, only, now), now)
    around = _Around(reader_over(rules, only), now, silences)
    if options.notice is not None:
        check_destination(options.notice, around.reader.rulebooks.values())
    with open_files([options.file]) as files:
        parts = _parts_of(files, around.reader)
        if options.format == "json":
            print_json([_document(part, around, options.notice) for part in parts])
        elif options.notice is not None:
            _print_notices(parts, options.notice, around)
        else:
            to = screen()
            for part in parts:
                _print(to, part, around)
    return 0


def _parts_of(files: Iterable[Source], reader: MessageReader) -> Iterator[MessagePart]:
    """The parts of messages in their order, until nothing more can be printed."""
    for file in files:
        for message in file.messages():
            refuse_lost_output()
            yield from reader.read_message(message)


def _with_state_given(
    options: Namespace, rules: Rules, now: datetime
) -> tuple[Rules, Mapping[str, Silences], datetime]:
    """The rules by the tags of the state that is named, its silences by stream, and the time by its clock.

    Without a state the rules and the time are as they were, and there is no silence.

    Raises as `store_in` does.
    """
    if options.state is None:
        return rules, {}, now
    import asyncio  # none of it is needed to read a file

    from router.cli.opened_state import store_in
    from router.ingest.readers import SilenceReader, TagReader

    async def read() -> tuple[Rules, Mapping[str, Silences], datetime]:
        async with store_in(options) as store:
            now = clock_for(options.now, store.now)()
            reader = SilenceReader(store, max(book.silences.longest for book in rules.books.values()))
            silences = {stream.value: await reader.silences(stream.value, now) for stream in rules.books}
            tags = TagReader(store, rules.books)
            books = {stream: await tags.rulebook(stream, now) for stream in rules.books}
            return replace(rules, books=books), silences, now

    return asyncio.run(read())


def _document(part: MessagePart, around: _Around, destination: str | None) -> dict[str, object]:
    steps = [{"question": question, "answer": answer} for question, answer in _steps(part, around)]
    document: dict[str, object] = {
        "decision": decision_of(around.entry_of(part)),
        "owner": owner_of(part, around.reader),
        "steps": steps,
    }
    return document if destination is None else document | {"notice": _notice(part, destination, around)}


def _notice(part: MessagePart, destination: str, around: _Around) -> str:
    """What a destination would be told of a part of a message; why, where it is told nothing."""
    if isinstance(part, NotUnderstood):
        return f"{destination}: is told nothing, since the message is quarantined ({part.quarantined.reason})."
    rulebook = around.reader.rulebooks[part.signal.stream]
    return preview_of(part.signal, destination, rulebook, around.now, around.silences_for(part.signal))


def _print_notices(parts: Iterable[MessagePart], destination: str, around: _Around) -> None:
    for part in parts:
        print_lines([f"--- {around.entry_of(part).source}", *_notice(part, destination, around).split("\n"), ""])


def _steps(part: MessagePart, around: _Around) -> Steps:
    if isinstance(part, NotUnderstood):
        at_fault = part.quarantined.at_fault
        return [("understood?", f"no, {part.quarantined.reason}"), *([("at fault", at_fault)] if at_fault else [])]
    rulebook = around.reader.rulebooks[part.signal.stream]
    explained = explain(part.signal, rulebook, around.now, around.silences_for(part.signal))
    steps = [(step.question, step.answer) for step in explained.steps]
    return [*steps, *_groups(part.signal, explained.decision, rulebook)]


def _groups(signal: Signal, decision: Decision, rulebook: Rulebook) -> Steps:
    """With which other signals people are notified of a signal that is routed now."""
    if decision.outcome is not Outcome.ROUTED:
        return []
    evidence = evidence_of(signal, rulebook.catalogue)
    notice = notice_for(signal, evidence, decision, rulebook, "", 1, alerts_named_in(signal))
    specs = [rulebook.destinations[name] for name in decision.people]
    return [(f"with others at {spec.name}?", explain_grouping(notice, spec)) for spec in specs if spec.is_grouped]


def _print(to: Console, part: MessagePart, around: _Around) -> None:
    decision = around.entry_of(part)
    to.print(plain(f"{decision.source}: {decision.outcome}, {decision.reason}"), style="bold")
    facts = [
        ("what", f"{decision.severity or 'unknown'} {decision.kind} {decision.type}: {decision.title}"),
        ("id", decision.id),
        ("resource", decision.resource),
        ("plan", decision.plan),
        ("goes to", ", ".join(decision.destinations) or "nobody"),
    ]
    told = [(name, fact) for name, fact in facts if fact] if decision.id is not None else []
    print_table(to, table_of(("", ""), [*told, *_steps(part, around)]))
    to.print()
