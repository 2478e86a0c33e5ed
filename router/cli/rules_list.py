"""`alert-router rules list`: every rule, silence and shadow rule, and what each has held."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from difflib import get_close_matches

from router.app.rule_lives import MOST_NAMED, RuleLife, RuleRecord, RuleSource, lives_of, read_rule_record
from router.app.silences import undecodable_words
from router.cli.arguments import DEFAULT_STATE
from router.cli.open_state import store_in
from router.cli.option_values import clock_for, lines_for, stream_for, streams_in
from router.cli.printing import print_json, print_lines, wrapped
from router.cli.streams import complain
from router.destinations import discover
from router.domain.errors import BadUsage
from router.domain.readable import counted, timestamp
from router.domain.signals import Stream
from router.domain.silences import HolderKind, find_silence_id
from router.rulebook import load_all
from router.rulebook.lints import Subject
from router.store.permissions import holds_state

_NO_STATE = f"no state in {DEFAULT_STATE}: what the rules held is not known; name one with --state"


def list_them(options: Namespace) -> int:
    """Print every rule, silence and shadow rule, or those asked for, that which ends next first."""
    directory, now, only = options.directory, clock_for(options.now)(), stream_for(options.stream)
    streams = streams_in(directory, only)
    loaded = load_all(directory, discover(), now)
    for line in lines_for(one for stream in streams for one in loaded[stream].problems if one.level == "problem"):
        complain(line)
    known = asyncio.run(_known(options, list(Stream) if only is None else [only]))
    now = known.now if known is not None else now
    if known is None and options.unused is not None:
        raise BadUsage("--unused: only a state knows what rules held; name one with --state")
    subjects = [Subject(directory, stream, loaded[stream], now) for stream in streams]
    sources = [
        RuleSource(
            stream=one.stream,
            suppressions=one.loaded.suppressions,
            named=one.named,
            written_type=one.written_type,
            book=one.loaded.rulebook,
        )
        for one in subjects
    ]
    lives = lives_of(sources, known, now, None if options.format == "json" else MOST_NAMED)
    shown = [
        life
        for life in lives
        if (options.name is None or options.name in life.names)
        and (options.expiring is None or (life.ends is not None and now < life.ends <= now + options.expiring))
        and (options.unused is None or life.is_unused(options.unused, now))
    ]
    if options.name is not None and not shown:
        raise BadUsage(_no_such(options.name, lives))
    if known is None:
        complain(_NO_STATE)
    elif known.undecodable:
        complain(undecodable_words(known.undecodable))
    if options.format == "json":
        print_json([life.document for life in shown])
    else:
        print_lines(_lines_of(shown, len(lives), now))
    return 0


def _no_such(name: str, lives: Iterable[RuleLife]) -> str:
    known = {one for life in lives for one in life.names}
    if name in known:
        return f"--name: {name!r} is none of those that are asked for"
    close = get_close_matches(name, sorted(known), n=1)
    meant = f"; did you mean {close[0]!r}?" if close else "; without --name all are listed"
    return f"--name: {name!r} is no rule, silence or shadow rule here{meant}"


async def _known(options: Namespace, streams: Sequence[Stream]) -> RuleRecord | None:
    """Return what the state says that is meant; None where none is named, and none is where it usually is."""
    if options.state is None and not holds_state(DEFAULT_STATE):
        return None
    async with store_in(Namespace(state=options.state or DEFAULT_STATE)) as store:
        return await read_rule_record(store, streams, clock_for(options.now, store.now)())


_HEADS = f"{'ends':20}  {'hits':>6}  {'last hit':20}  {'holds':>5}  holds nothing since"
_KINDS = {HolderKind.RULE: "suppression rule", HolderKind.SILENCE: "silence", HolderKind.SHADOW: "shadow rule"}


def _lines_of(lives: Sequence[RuleLife], of: int, now: datetime) -> Iterator[str]:
    """Yield what is counted in columns, and below that what it is; last, how many they are of all that there are."""
    if lives:
        yield _HEADS
    for life in lives:
        hits = "-" if life.hits is None else f"{life.hits:,}"
        last = "never" if life.hits == 0 else _time(life.last_hit)
        holding = "-" if life.holding is None else f"{life.holding:,}"
        yield f"{_time(life.ends):20}  {hits:>6}  {last:20}  {holding:>5}  {_time(life.holds_nothing_since)}"
        kind = "" if life.kind is HolderKind.RULE else f"{life.kind} "
        ended = ", ended" if life.has_ended(now) else ""
        about = f"{life.type or 'any type'}, where " if life.is_whole else ""
        yield from wrapped(f"{life.stream} {kind}{find_silence_id(life.name) or life.name}{ended}: {about}{life.scope}")
        if where := [one for one in (life.owner, life.file) if one]:
            yield from wrapped(", ".join(where))
        if life.notified:
            yield from wrapped(f"told of its end: {', '.join(life.notified)}")
    kinds = Counter(life.kind for life in lives)
    parts = [counted(kinds[kind], words) for kind, words in _KINDS.items() if kinds[kind] or kind is HolderKind.RULE]
    never = sum(life.hits == 0 for life in lives)
    more = f"; never hit: {never}" if never else ""
    yield f"{', '.join(parts)}{f' of {of} in all' if of > len(lives) else ''}{more}"
    # A shadow rule holds nothing that would come out.
    notices = [life.notified for life in lives if life.kind is not HolderKind.SHADOW and life.is_in_force]
    if notices and all(one == () for one in notices):
        yield "nobody is told when they end: no notify in a policy names who hears"


def _time(time: datetime | None) -> str:
    return timestamp(time) if time is not None else "-"
