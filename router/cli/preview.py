"""`alert-router rules preview`: what a suppression rule would have held, before it goes live."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from router.app.lookback import look_back
from router.cli.given import clock_for, lines_for, stream_for
from router.cli.opened_state import store_in
from router.cli.printing import plain, print_json
from router.cli.screen import print_table, screen, table_of
from router.cli.streams import complain
from router.decide.preview import Amount, NamedSignal, Preview, StandingPreview, rule_matcher
from router.destinations import discover
from router.destinations.wording.masking import masked
from router.domain.catalogue import AttackTable
from router.domain.errors import BadFile, BadPolicy, BadUsage
from router.domain.owners import NO_OWNERS, Owners
from router.domain.rulebook import DestinationSpec
from router.domain.severity import gravity_of
from router.domain.signals import Stream
from router.domain.suppression import SuppressionRule
from router.domain.texts import counted, timestamp
from router.ingest.readers import TagReader
from router.rulebook import Loaded, load, read_rules_file
from router.store.store import Store

FOUND = 1
"""The exit code where it would have held a signal as grave as `--fail-on` says."""

_INSTANT = timedelta(microseconds=1)


def show(options: Namespace) -> int:
    """Prints what each rule of a file would have held; 1 where one is as grave as `--fail-on` says. Raises BadPolicy."""
    now = clock_for(options.now)()
    if not options.file.exists():
        raise BadFile(f"{options.file}: is no file; a suppression rule stands in rules/STREAM/suppressions/NAME.json")
    stream = _stream_of(options.file, stream_for(options.stream))
    loaded = _rules_around(options.rules, stream, now)
    rules = _rules_in(options.file, stream, loaded, now)
    previews = asyncio.run(_look_back(options, stream, rules, loaded))
    previewed = [Previewed(str(options.file), stream.value, preview) for preview in previews]
    attack = loaded.rulebook.attack if loaded is not None and loaded.rulebook is not None else None
    names = Names(loaded.policy.destinations if loaded is not None else {}, attack)
    if options.format == "json":
        print_json(list(map(document_of, previewed)))
    else:
        print_previews(previewed, names)
    return FOUND if any(_is_too_grave(preview, options.fail_on) for preview in previews) else 0


async def _look_back(
    options: Namespace, stream: Stream, rules: Sequence[SuppressionRule], loaded: Loaded | None
) -> list[Preview]:
    async with store_in(options) as store:
        now = clock_for(options.now, store.now)()
        owners = await _owners_in(store, stream, loaded, now)
        matchers = [rule_matcher(rule, owners) for rule in rules]
        return await look_back(store, stream.value, matchers, now - options.since, now + _INSTANT)


async def _owners_in(store: Store, stream: Stream, loaded: Loaded | None, now: datetime) -> Owners:
    """Who owns what, by the tags that the state has where the rules ask for them."""
    if loaded is None:
        return NO_OWNERS
    if loaded.rulebook is None:
        return loaded.owners.owners
    return (await TagReader(store, {stream: loaded.rulebook}).rulebook(stream, now)).owners


def _is_too_grave(preview: Preview, least: str | None) -> bool:
    return least is not None and preview.gravest is not None and preview.gravest >= gravity_of(least)


def _stream_of(file: Path, meant: Stream | None) -> Stream:
    """The stream that is meant, else the one in whose directory a file stands; raises BadUsage where it stands in none."""
    if meant is not None:
        return meant
    parts = file.absolute().parent.parts
    found = next((Stream(part) for part in reversed(parts) if part in Stream), None)
    if found is None:
        raise BadUsage(f"{file}: stands neither in cwpp/ nor in cspm/; say its stream with --stream")
    return found


def _rules_around(directory: Path, stream: Stream, now: datetime) -> Loaded | None:
    """The rules that a rule is to stand among: who owns what, how long it may live, what destinations there are."""
    if not directory.is_dir():
        complain(f"{directory}: warning: is no directory of rules, so nothing is known of owners and destinations")
        return None
    loaded = load(directory, stream, discover(), now)
    if loaded.rulebook is None:
        complain(
            f"{directory}: warning: has problems that alert-router rules check names, so what is known of owners and "
            "destinations may be wrong"
        )
    return loaded


def _rules_in(file: Path, stream: Stream, loaded: Loaded | None, now: datetime) -> tuple[SuppressionRule, ...]:
    """The rules of a file; raises BadPolicy with what is wrong with it, and BadFile where it holds none."""
    longest = loaded.policy.longest if loaded is not None and loaded.rulebook is not None else None
    read = read_rules_file(file, stream, longest, now)
    if read.problems:
        raise BadPolicy(lines_for(read.problems))
    if not read.rules:
        raise BadFile(f"{file}: holds no suppression rule")
    return read.rules


NONE = "(none)"
UNKNOWN = "(unknown)"

_MOST = 20
"""Rows of a table of names that anybody may have made up."""

_BAR = 20
"""Characters of the longest bar."""


class Previewed(NamedTuple):
    """A rule of a file, and what it would have held.

    Attributes:
        file: the file as it was named.
        stream: the stream that it is for.
        preview: what it would have held.
    """

    file: str
    stream: str
    preview: Preview


class Names(NamedTuple):
    """What destinations and tactics are called.

    Attributes:
        destinations: the destinations that the rules name now.
        attack: the tactics; None where no rules could be read.
    """

    destinations: Mapping[str, DestinationSpec]
    attack: AttackTable | None


class _Section(NamedTuple):
    """A table of the report."""

    heads: Sequence[str]
    rows: Sequence[Sequence[object]]
    numbers: Sequence[int] = ()


def print_previews(previewed: Sequence[Previewed], names: Names) -> None:
    """Prints previews for people."""
    to = screen()
    for number, one in enumerate(previewed):
        if number:
            to.print()
        to.print(plain(masked(_title(one))), style="bold")
        print_table(to, table_of(("", ""), _facts(one.preview, names)))
        for section in _sections(one.preview, names):
            to.print()
            print_table(to, table_of(section.heads, section.rows, section.numbers))
        for head, signals in _named(one.preview):
            to.print(f"\n  {head}", style="bold")
            print_table(to, table_of(("", ""), [line for signal in signals for line in _lines_of(signal)]))


def document_of(one: Previewed) -> dict[str, object]:
    """A preview as JSON."""
    preview = one.preview
    standing = preview.standing
    return {
        "name": preview.name,
        "stream": one.stream,
        "file": one.file,
        "since": timestamp(preview.since),
        "until": timestamp(preview.until),
        "looked_back_to": timestamp(preview.since),
        "is_whole": True,
        "looked_at": preview.looked_at,
        "not_judged": preview.unjudged,
        **preview.held._asdict(),
        "held_already": preview.held_already,
        "let_through": preview.let_go._asdict(),
        "by_day": [{"day": str(day), **amount._asdict()} for day, amount in preview.by_day.items()],
        "by_severity": _amounts(preview.by_severity, "severity"),
        "by_tactic": _amounts(preview.by_tactic, "tactic"),
        "by_type": _amounts(preview.by_type, "type"),
        "fewer_notices": {name: one._asdict() for name, one in preview.spared.items()},
        "examples": list(map(named_document, preview.named)),
        "standing": {
            "looked_at": standing.looked_at,
            "is_whole": True,
            "not_judged": standing.unjudged,
            "signals": standing.signals,
            "by_severity": [{"severity": name or None, "signals": many} for name, many in standing.by_severity.items()],
            "held_already": standing.held_already,
            "let_through": standing.let_go,
            "examples": list(map(named_document, standing.named)),
        },
    }


def _amounts(amounts: Mapping[str, Amount], name: str) -> list[dict[str, object]]:
    return [{name: one or None, **amount._asdict()} for one, amount in amounts.items()]


def named_document(one: NamedSignal) -> dict[str, object]:
    """A signal that a preview names, for programs."""
    return {
        "id": one.id,
        "type": one.type,
        "title": masked(one.title) if one.title else None,
        "severity": one.severity,
        "resource": masked(one.resource) if one.resource else None,
        "at": timestamp(one.at) if one.at is not None else None,
        "outcome": one.outcome,
        "held_by": one.held_by,
        "destinations": list(one.destinations),
    }


def _title(one: Previewed) -> str:
    return f"{one.preview.name} ({one.file}, {one.stream}), as if in force {_span(one.preview)}"


def _span(preview: Preview) -> str:
    return f"from {timestamp(preview.since)} to {timestamp(preview.until)}"


def _facts(preview: Preview, names: Names) -> Iterator[tuple[str, str]]:
    yield "would have held", _amount(preview.held)
    if preview.held_already:
        yield "held anyway", _listed(preview.held_already, "decision")
    for name, spared in preview.spared.items():
        spec = names.destinations.get(name)
        lane = f" ({spec.lane} lane)" if spec is not None else ""
        yield "would not have told", f"{name}{lane}: {counted(spared.notices, 'notice')} fewer ({spared.opened} opened)"
    if preview.let_go.decisions:
        yield "would have let through", f"{_amount(preview.let_go)} that a rule of this name held"
    yield "looked at", f"{counted(preview.looked_at, 'decision')}: all there are"
    if preview.unjudged:
        unjudged = counted(preview.unjudged, "decision")
        yield "not known of", f"{unjudged}: what rules can match of their signals is not kept"
    yield from _standing_facts(preview.standing)


def _standing_facts(standing: StandingPreview) -> Iterator[tuple[str, str]]:
    gravest = next(iter(standing.by_severity), None)
    grave = f", the gravest {gravest or 'of unknown severity'}" if gravest is not None else ""
    stand = f"{counted(standing.signals, 'signal')} that stand{'s' * (standing.signals == 1)}"
    yield "would hold now", f"{stand}{grave}"
    if standing.held_already:
        yield "held now anyway", _listed(standing.held_already, "signal")
    if standing.let_go:
        yield "would let through now", f"{counted(standing.let_go, 'signal')} that a rule of this name holds"
    if standing.unjudged:
        yield "not known of now", f"{counted(standing.unjudged, 'signal')}: what rules can match of them is not kept"


def _listed(counts: Mapping[str, int], what: str) -> str:
    return ", ".join(f"{counted(many, what)} by {name}" for name, many in counts.items())


def _sections(preview: Preview, names: Names) -> Iterator[_Section]:
    if preview.held.signals:
        tactics = names.attack.tactics if names.attack is not None else {}
        yield _by("by severity", preview.by_severity, UNKNOWN, {})
        yield _by("by ATT&CK tactic", preview.by_tactic, NONE, tactics)
        yield _by("by type", preview.by_type, NONE, {})
        yield _by_day(preview)


def _by(head: str, amounts: Mapping[str, Amount], nothing: str, words: Mapping[str, str]) -> _Section:
    rows = [(words.get(name) or name or nothing, *amount) for name, amount in amounts.items()]
    beyond = [(f"and {len(rows) - _MOST} more", "", "")] if len(rows) > _MOST else []
    return _Section((head, "signals", "decisions"), [*rows[:_MOST], *beyond], (1, 2))


def _by_day(preview: Preview) -> _Section:
    most = max(amount.signals for amount in preview.by_day.values())
    rows = [(day, *amount, "#" * max(1, round(_BAR * amount.signals / most))) for day, amount in preview.by_day.items()]
    return _Section(("by day (UTC)", "signals", "decisions", ""), rows, (1, 2))


def _named(preview: Preview) -> Iterator[tuple[str, Sequence[NamedSignal]]]:
    if preview.named:
        yield "would have held, the gravest", preview.named
    if preview.standing.named:
        yield "would hold now, the gravest", preview.standing.named


def _lines_of(one: NamedSignal) -> Iterator[Sequence[object]]:
    """A signal on three lines: a terminal is narrow, and ids are long."""
    at = f" at {timestamp(one.at)}" if one.at is not None else ""
    yield one.severity or UNKNOWN, one.title or one.type or ""
    yield "", one.resource or ""
    yield "", f"{_became(one)}{at}, id {one.id or ''}"


def _became(one: NamedSignal) -> str:
    if one.held_by is not None:
        return f"held by {one.held_by}"
    if one.at is None:
        return "routed"
    return f"routed to {', '.join(one.destinations) or 'nobody'}"


def _amount(amount: Amount) -> str:
    if not amount.decisions:
        return "nothing"
    return f"{counted(amount.signals, 'signal')}, {counted(amount.decisions, 'decision')}"
