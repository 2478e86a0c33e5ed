"""`alert-router rules preview`: what a suppression rule would have held, before it goes live."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from router.app.lookback import look_back, preview_document
from router.cli.open_state import store_in
from router.cli.option_values import clock_for, lines_for, stream_for
from router.cli.printing import plain, print_json
from router.cli.screen import print_table, screen, table_of
from router.cli.streams import complain
from router.decide.preview import Amount, Matcher, NamedSignal, Preview, StandingPreview, rule_matcher
from router.destinations import discover
from router.destinations.wording.masking import masked
from router.domain.errors import BadFile, BadPolicy, BadUsage
from router.domain.owners import NO_OWNERS, Owners
from router.domain.readable import counted, timestamp
from router.domain.severity import gravity_of
from router.domain.signals import Stream
from router.domain.suppression import SuppressionRule
from router.ingest.state_cache import TagReader
from router.rulebook import Loaded, load, read_rules_file
from router.store.store import Store

FOUND = 1
"""The exit code where it would have held a signal as grave as `--fail-on` says."""

_INSTANT = timedelta(microseconds=1)


def show(options: Namespace) -> int:
    """Print what each rule of a file would have held; 1 where one is as grave as `--fail-on` says. Raises BadPolicy."""
    now, file = clock_for(options.now)(), options.file
    if not file.exists():
        raise BadFile(f"{file}: is no file; a suppression rule stands in rules/STREAM/suppressions/NAME.json")
    stream = stream_for(options.stream) or _stream_of(file)
    loaded = _rules_around(options.rules, stream, now)
    rules = _rules_in(file, stream, loaded, now)
    previews = asyncio.run(_look_back(options, stream, rules, loaded))
    ends = {rule.name: rule.expires for rule in rules}
    if options.format == "json":
        print_json([_document(one, str(file), stream, ends) for one in previews])
    else:
        _print(previews, f"({file}, {stream})", ends, loaded)
    return FOUND if any(_is_too_grave(preview, options.fail_on) for preview in previews) else 0


async def _look_back(
    options: Namespace, stream: Stream, rules: Sequence[SuppressionRule], loaded: Loaded | None
) -> list[Preview]:
    async with store_in(options) as store:
        now = clock_for(options.now, store.now)()
        owners = await _owners_in(store, stream, loaded, now)
        matchers = [
            # What has ended holds nothing, and lets out what it held.
            rule_matcher(rule, owners)
            if now < rule.expires
            else Matcher(rule.name, (rule.alert_type,), lambda _: False)
            for rule in rules
        ]
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


def _stream_of(file: Path) -> Stream:
    """Return the stream in whose directory a file stands; raises BadUsage where it stands in none."""
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


_MOST = 20
"""Names on a line that any sender may have made up."""


def _ended(preview: Preview, ends: Mapping[str, datetime]) -> datetime | None:
    """Return when a rule ended, if it did before the time up to which was looked."""
    end = ends[preview.name]
    return end if end < preview.until else None


def _print(previews: Sequence[Preview], where: str, ends: Mapping[str, datetime], loaded: Loaded | None) -> None:
    """Print previews for people."""
    to = screen()
    for number, preview in enumerate(previews):
        if number:
            to.print()
        if (ended := _ended(preview, ends)) is not None:
            to.print(plain(masked(f"{preview.name} {where} ended {timestamp(ended)}, and holds nothing")), style="bold")
            continue
        span = f"from {timestamp(preview.since)} to {timestamp(preview.until)}"
        to.print(plain(masked(f"{preview.name} {where}, as if in force {span}")), style="bold")
        print_table(to, table_of(("", ""), [*_facts(preview, loaded), *_standing_facts(preview.standing)]))
        for head, signals in (
            ("would have held, the gravest", preview.named),
            ("would hold now, the gravest", preview.standing.named),
        ):
            if signals:
                to.print(f"\n  {head}", style="bold")
                print_table(to, table_of(("", ""), [line for signal in signals for line in _lines_of(signal)]))


def _document(preview: Preview, file: str, stream: str, ends: Mapping[str, datetime]) -> dict[str, object]:
    return {
        "name": preview.name,
        "stream": stream,
        "file": file,
        "ended": _ended(preview, ends),
        **preview_document(preview),
    }


def _facts(preview: Preview, loaded: Loaded | None) -> Iterator[tuple[str, str]]:
    yield "would have held", _amount(preview.held)
    book = loaded.rulebook if loaded is not None else None
    tactics = book.attack.tactics if book is not None else {}
    yield from _by("by severity", preview.by_severity, {"": "(unknown)"})
    yield from _by("by ATT&CK tactic", preview.by_tactic, {"": "(none)", **tactics})
    yield from _by("by type", preview.by_type, {"": "(none)"})
    yield from _by("by day (UTC)", preview.by_day, {})
    if preview.held_already:
        yield "held anyway", _listed(preview.held_already, "decision")
    for name, spared in preview.spared.items():
        spec = loaded.policy.destinations.get(name) if loaded is not None else None
        lane = f" ({spec.lane} lane)" if spec is not None else ""
        yield "would not have told", f"{name}{lane}: {counted(spared.notices, 'notice')} fewer ({spared.opened} opened)"
    if preview.let_go.decisions:
        yield "would have let through", f"{_amount(preview.let_go)} that a rule of this name held"
    back = f"back to {(to := timestamp(preview.looked_back_to))}; --now {to} looks at what is older"
    yield "looked at", f"{counted(preview.looked_at, 'decision')}: {'all there are' if preview.is_whole else back}"
    if preview.unjudged:
        unjudged = counted(preview.unjudged, "decision")
        yield "not known of", f"{unjudged}: what rules can match of their signals is not kept"


def _standing_facts(standing: StandingPreview) -> Iterator[tuple[str, str]]:
    gravest = next(iter(standing.by_severity), None)
    grave = f", the gravest {gravest or 'of unknown severity'}" if gravest is not None else ""
    stand = f"{counted(standing.signals, 'signal')} that stand{'s' * (standing.signals == 1)}"
    yield "would hold now", f"{stand}{grave}"
    if standing.held_already:
        yield "held now anyway", _listed(standing.held_already, "signal")
    if standing.let_go:
        yield "would let through now", f"{counted(standing.let_go, 'signal')} that a rule of this name holds"
    if not standing.is_whole:
        yield "looked at now", f"{counted(standing.looked_at, 'signal')}; it stopped there"
    if standing.unjudged:
        yield "not known of now", f"{counted(standing.unjudged, 'signal')}: what rules can match of them is not kept"


def _by(head: str, amounts: Mapping[Any, Amount], words: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """How many signals there are of each name, on one line."""
    named = [f"{words.get(str(name)) or name} {amount.signals:,}" for name, amount in amounts.items()]
    more = [f"and {len(named) - _MOST} more"] if len(named) > _MOST else []
    if named:
        yield head, ", ".join([*named[:_MOST], *more])


def _listed(counts: Mapping[str, int], what: str) -> str:
    return ", ".join(f"{counted(many, what)} by {name}" for name, many in counts.items())


def _lines_of(one: NamedSignal) -> Iterator[Sequence[object]]:
    """A signal on three lines: a terminal is narrow, and ids are long."""
    if one.held_by is not None:
        became = f"held by {one.held_by}"
    else:
        became = "routed" if one.at is None else f"routed to {', '.join(one.destinations) or 'nobody'}"
    at = f" at {timestamp(one.at)}" if one.at is not None else ""
    yield one.severity or "(unknown)", one.title or one.type or ""
    yield "", one.resource or ""
    yield "", f"{became}{at}, id {one.id or ''}"


def _amount(amount: Amount) -> str:
    if not amount.decisions:
        return "nothing"
    return f"{counted(amount.signals, 'signal')}, {counted(amount.decisions, 'decision')}"
