"""`alert-router explain`: every step of the decision on each signal in a file, in words; or the life of one in a state."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Iterable, Iterator, Mapping
from copy import replace
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from router.app.destination_readiness import readiness_of
from router.app.notice_preview import preview_notice
from router.app.rules import Rules, new_reader
from router.app.settings import Settings
from router.cli.arguments import DEFAULT_STATE
from router.cli.decisions import entry_of
from router.cli.incoming import Source, open_files
from router.cli.option_values import check_notice, clock_for, rules_given, stream_for
from router.cli.printing import plain, print_json, print_lines
from router.cli.rules_report import owner_of
from router.cli.screen import print_table, screen, table_of
from router.cli.streams import refuse_lost_output
from router.decide import entry_document, notice_for
from router.decide.explanation import explain
from router.domain.decisions import Outcome
from router.domain.errors import BadUsage
from router.domain.notices import RecordEntry
from router.domain.silences import NO_SILENCES, Silences
from router.ingest.grouping import explain_grouping
from router.ingest.messages import MessagePart, MessageReader, NotUnderstood
from router.parse import alerts_named_in, evidence_of
from router.rulebook.examples import has_examples
from router.store.permissions import holds_state

type Rows = list[tuple[str, str]]


class _Around(NamedTuple):
    """What the signals of a file are decided with; the silences by stream, and where notices say that the console is."""

    reader: MessageReader
    now: datetime
    silences: Mapping[str, Silences]
    console_url: str | None

    def silences_for(self, part: MessagePart) -> Silences:
        """Return those that may hold a part of a message."""
        stream = None if isinstance(part, NotUnderstood) else part.signal.stream
        return self.silences.get(str(stream), NO_SILENCES)

    def entry_of(self, part: MessagePart) -> RecordEntry:
        """Return what would be on record of a part of a message that nothing came before."""
        return entry_of(part, self.reader, self.now, self.silences_for(part))


def run(options: Namespace) -> int:
    """Explain a file's messages, or the signal of a state that is meant. Raises BadUsage."""
    if is_signal_meant(options):
        from router.cli.explain_signal import run as explain_signal  # a file needs no store

        return explain_signal(options)
    return _explain_file(options)


def is_signal_meant(options: Namespace) -> bool:
    """Return whether a signal of a state is meant, and no file. Raises BadUsage where it can be neither."""
    name, path = options.file, Path(options.file)
    try:
        if name == "-" or (path.exists() and not path.is_dir()):
            return False
    except OSError:
        pass  # an id may be longer than any name of a file
    if not name.strip():
        raise BadUsage("FILE|ID: is empty; name a file, or a signal by its id")
    if options.state is not None or holds_state(DEFAULT_STATE):
        return True
    if path.is_dir():
        return False  # reading it says why it cannot be read
    raise BadUsage(
        f"{name}: is no file, and no state is in {DEFAULT_STATE} to find a signal in; name a file, or a state with --state"
    )


def _explain_file(options: Namespace) -> int:
    """Explain each signal, as it is decided by itself: what came before it is not asked. Raises BadUsage.

    Where a state is named, the silences that it has hold as they do there, and tags are known that it has.
    """
    if has_examples(Path(options.file)):
        raise BadUsage(f"{options.file}: holds examples, and no messages; alert-router rules test runs them")
    now, only = clock_for(options.now)(), stream_for(options.stream)
    rules = rules_given(options.rules, only, now)
    silences: Mapping[str, Silences] = {}
    if options.state is not None:
        rules, silences, now = asyncio.run(_read_state(options, rules))
    notice = options.notice
    console_url = readiness_of(rules, Settings()).console_url if notice is not None else None
    around = _Around(new_reader(rules, only), now, silences, console_url)
    if notice is not None:
        check_notice(notice, around.reader.rulebooks.values())
    with open_files([options.file]) as files:
        parts = _parts_of(files, around.reader)
        if options.format == "json":
            print_json([_document(part, around, notice) for part in parts])
            return 0
        for part in parts:
            if notice is not None:
                lines = _notice(part, notice, around).split("\n")
                print_lines([f"--- {around.entry_of(part).source}", *lines, ""])
            else:
                _print(screen(), part, around)
    return 0


def _parts_of(files: Iterable[Source], reader: MessageReader) -> Iterator[MessagePart]:
    """Yield the parts of messages in their order, until nothing more can be printed."""
    for file in files:
        for message in file.messages():
            refuse_lost_output()
            yield from reader.read_message(message)


async def _read_state(options: Namespace, rules: Rules) -> tuple[Rules, Mapping[str, Silences], datetime]:
    """Return the rules by the tags of the state that is named, its silences by stream, and the time by its clock."""
    from router.cli.open_state import store_in  # for which no file waits
    from router.ingest.state_cache import SilenceReader, TagReader

    async with store_in(options) as store:
        now = clock_for(options.now, store.now)()
        reader = SilenceReader(store, max(book.silences.longest for book in rules.books.values()))
        silences = {stream.value: await reader.silences(stream.value, now) for stream in rules.books}
        tags = TagReader(store, rules.books)
        books = {stream: await tags.rulebook(stream, now) for stream in rules.books}
        return replace(rules, books=books), silences, now


def _document(part: MessagePart, around: _Around, destination: str | None) -> dict[str, object]:
    document: dict[str, object] = {
        "decision": entry_document(around.entry_of(part)),
        "owner": owner_of(part, around.reader),
        "steps": [{"question": question, "answer": answer} for question, answer in _steps(part, around)],
    }
    return document if destination is None else document | {"notice": _notice(part, destination, around)}


def _notice(part: MessagePart, destination: str, around: _Around) -> str:
    """Return what a destination would be told of a part of a message; why, where it is told nothing."""
    if isinstance(part, NotUnderstood):
        return f"{destination}: is told nothing, since the message is quarantined ({part.quarantined.reason})."
    rulebook = around.reader.rulebooks[part.signal.stream]
    silences = around.silences_for(part)
    return preview_notice(part.signal, destination, rulebook, around.now, silences, around.console_url)


def _steps(part: MessagePart, around: _Around) -> Rows:
    if isinstance(part, NotUnderstood):
        at_fault = part.quarantined.at_fault
        return [("understood?", f"no, {part.quarantined.reason}"), *([("at fault", at_fault)] if at_fault else [])]
    signal, rulebook = part.signal, around.reader.rulebooks[part.signal.stream]
    explained = explain(signal, rulebook, around.now, around.silences_for(part))
    steps = [(step.question, step.answer) for step in explained.steps]
    if (decision := explained.decision).outcome is Outcome.ROUTED:
        evidence = evidence_of(signal, rulebook.catalogue)
        notice = notice_for(signal, evidence, decision, rulebook, "", 1, alerts_named_in(signal))
        grouped = [spec for name in decision.people if (spec := rulebook.destinations[name]).is_grouped]
        steps += [(f"with others at {spec.name}?", explain_grouping(notice, spec)) for spec in grouped]
    return steps


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
    known = [(name, fact) for name, fact in facts if fact] if decision.id is not None else []
    print_table(to, table_of(("", ""), [*known, *_steps(part, around)]))
    to.print()
