"""`alert-router rules preview`: what a suppression rule would have held, before it goes live."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from router.app.lookback import look_back
from router.cli.given import clock_for, lines_for, stream_for
from router.cli.opened_state import store_in
from router.cli.preview_report import Names, Previewed, document_of, print_previews
from router.cli.printing import print_json
from router.cli.streams import complain
from router.decide.preview import Preview
from router.decide.suppression import RuleMatcher
from router.destinations import discover
from router.domain.errors import BadFile, BadPolicy, BadUsage
from router.domain.owners import NO_OWNERS, Owners
from router.domain.severity import gravity_of
from router.domain.signals import Stream
from router.domain.suppression import SuppressionRule
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
        matchers = [RuleMatcher(rule, owners) for rule in rules]
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
