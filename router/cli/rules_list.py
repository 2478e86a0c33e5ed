"""`alert-router rules list`: every rule, silence and shadow rule, and what each has held."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import replace
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from difflib import get_close_matches

from msgspec.structs import asdict

from router.app.rule_watch import recipients_of
from router.app.silences import undecodable_words
from router.cli.arguments import DEFAULT_STATE
from router.cli.open_state import store_in
from router.cli.option_values import clock_for, lines_for, stream_for, streams_in
from router.cli.printing import print_json, print_lines, wrapped
from router.cli.streams import complain
from router.decide.suppression import scope_words
from router.destinations import discover
from router.domain.counts import Rule, RuleHits, rule_of
from router.domain.documents import DocumentKind
from router.domain.errors import BadUsage
from router.domain.readable import counted, timestamp
from router.domain.signals import Stream
from router.domain.silences import HolderKind, Silence, find_shadow_rule, find_silence_id, kind_of, shadow_name
from router.domain.suppression import SuppressionRule
from router.domain.values import Value
from router.rulebook import Loaded, load_all
from router.rulebook.lints import Subject
from router.rulebook.suppression_directory import SHADOWS
from router.store.documents import list_documents, read_silences
from router.store.permissions import holds_state
from router.store.rules import read_hits, read_known_rules
from router.store.signals import count_held

_MOST_NAMED = 5
"""The most values of an element that people read; programs get all of them."""

_NO_STATE = f"no state in {DEFAULT_STATE}: what the rules held is not known; name one with --state"
_REFUSED = "refused, and holds nothing; rules check says why"
_GONE = "gone, and not known any more"


class RuleLife(Value, kw_only=True):
    """A suppression rule, a silence or a shadow rule, and what is known of its life. What is not known is None.

    Attributes:
        name: what it is called: a silence by its name on record, a rule of either sort as in its file.
        scope: its scope in words, or why there is none.
        type: the alert type or recommendation category, as it was written; None for any, too.
        holds_nothing_since: its last hit, else since when it is known; None while it holds something, too.
        notified: who hears of its end: destinations by name, and mail addresses.
        is_whole: whether it is there and could be read.
        is_in_force: whether it may hold anything before its end.
    """

    name: str
    stream: str
    kind: HolderKind
    file: str | None = None
    scope: str = _GONE
    type: str | None = None
    owner: str | None = None
    ends: datetime | None = None
    hits: int | None = None
    last_hit: datetime | None = None
    holding: int | None = None
    holds_nothing_since: datetime | None = None
    notified: Sequence[str] | None = ()
    is_whole: bool = True
    is_in_force: bool = True

    def has_ended(self, now: datetime) -> bool:
        """Whether its end is known and has come."""
        return self.ends is not None and self.ends <= now

    def is_unused(self, span: timedelta, now: datetime) -> bool:
        """Whether it could have held something for as long as a span, did not, and holds nothing; one of unknown age could."""
        may_hold = self.is_in_force and not self.has_ended(now) and self.holding == 0
        return may_hold and (self.holds_nothing_since is None or self.holds_nothing_since <= now - span)

    @property
    def names(self) -> set[str]:
        """How a person may name it: as its file is called, by its name on record, by the id of a silence."""
        on_record = shadow_name(self.name) if self.kind is HolderKind.SHADOW else self.name
        return {self.name, on_record, find_silence_id(self.name) or self.name}


@dataclass(slots=True)
class _Known:
    """What a state knows of the lives of rules: by stream and name on record hits, signals held now, and since when each is."""

    now: datetime
    hits: dict[Rule, RuleHits] = field(default_factory=dict)
    held: dict[Rule, int] = field(default_factory=dict)
    since: dict[Rule, datetime] = field(default_factory=dict)
    silences: Sequence[Silence] = ()
    undecodable: int = 0


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
    most = None if options.format == "json" else _MOST_NAMED
    subjects = [Subject(directory, stream, loaded[stream], now) for stream in streams]
    lives = _by_end((_notified(life, loaded) for life in _lives(subjects, known, most)), now)
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
        print_json(list(map(_document, shown)))
    else:
        print_lines(_lines_of(shown, len(lives), now))
    return 0


def _notified(life: RuleLife, loaded: Mapping[Stream, Loaded]) -> RuleLife:
    """Return it with who is told of its end: nobody of a shadow rule's, nor of what is not in force."""
    if life.kind is HolderKind.SHADOW or not life.is_in_force:
        return life
    one = loaded.get(Stream(life.stream))
    book = one.rulebook if one is not None else None
    return replace(life, notified=tuple(recipients_of(book).notified_of(life.owner)) if book is not None else None)


def _no_such(name: str, lives: Iterable[RuleLife]) -> str:
    known = {one for life in lives for one in life.names}
    if name in known:
        return f"--name: {name!r} is none of those that are asked for"
    close = get_close_matches(name, sorted(known), n=1)
    meant = f"; did you mean {close[0]!r}?" if close else "; without --name all are listed"
    return f"--name: {name!r} is no rule, silence or shadow rule here{meant}"


async def _known(options: Namespace, streams: Sequence[Stream]) -> _Known | None:
    """Return what the state says that is meant; None where none is named, and none is where it usually is."""
    if options.state is None and not holds_state(DEFAULT_STATE):
        return None
    async with store_in(Namespace(state=options.state or DEFAULT_STATE)) as store, store.session() as tx:
        known = _Known(clock_for(options.now, store.now)())
        for stream in map(str, streams):
            known.hits |= {(stream, name): one for name, one in (await read_hits(tx, stream)).items()}
            known.held |= {rule_of(stream, name): one for name, one in (await count_held(tx, stream)).items()}
            since = await read_known_rules(tx, stream, known.now)
            known.since |= {(stream, name): at for name, at in since.items()}
        silences, known.undecodable = read_silences(await list_documents(tx, DocumentKind.SILENCE))
        known.silences = [silence for silence in silences if silence.stream in streams]
        return known


def _lives(subjects: Iterable[Subject], known: _Known | None, most: int | None) -> Iterator[RuleLife]:
    """Yield the lives of all that is there, and of what is gone and has hits or holds something still."""
    there = {rule_of(life.stream, name): life for one in subjects for name, life in reversed([*_lives_in(one, most)])}
    if known is None:
        yield from there.values()
        return
    since = {rule_of(one.stream, one.name): one.made for one in known.silences}
    there |= {rule_of(one.stream, one.name): _life_of_silence(one, most) for one in known.silences}
    for rule in {**there, **known.hits, **known.held}:
        stream, name = rule
        called, kind = find_shadow_rule(name) or name, kind_of(name)
        gone = RuleLife(name=called, stream=stream, kind=kind, is_whole=False, is_in_force=False)
        hits, holding = known.hits.get(rule), known.held.get(rule, 0)
        last = hits.last if hits is not None else None
        yield replace(
            there.get(rule, gone),
            hits=hits.total if hits is not None else 0,
            last_hit=last,
            holding=holding,
            holds_nothing_since=None if holding else last or since.get(rule) or known.since.get(rule),
        )


def _lives_in(subject: Subject, most: int | None) -> Iterator[tuple[str, RuleLife]]:
    """Yield the lives of a stream's rules and shadow rules, each with its name on record."""
    suppressions = subject.loaded.suppressions
    for rule in suppressions.sound.by_name.values():
        yield rule.name, _life_of(rule, HolderKind.RULE, subject, most)
    for rule in suppressions.shadows.by_name.values():
        yield shadow_name(rule.name), _life_of(rule, HolderKind.SHADOW, subject, most)
    for rule in suppressions.refused:
        kind = HolderKind.SHADOW if rule.source.startswith(f"{subject.stream}/{SHADOWS}/") else HolderKind.RULE
        # Of what cannot be read whole nothing is told that people might rely on.
        life = replace(
            _life_of(rule, kind, subject, most), scope=_REFUSED, ends=None, is_whole=False, is_in_force=False
        )
        yield shadow_name(rule.name) if kind is HolderKind.SHADOW else rule.name, life


def _life_of(rule: SuppressionRule, kind: HolderKind, subject: Subject, most: int | None) -> RuleLife:
    scope = scope_words(rule.groups, most)
    return RuleLife(
        name=rule.name,
        stream=subject.stream.value,
        kind=kind,
        file=f"{subject.named}/{rule.source}",
        scope=scope if rule.enabled else f"{scope} (not enabled, so it holds nothing)",
        type=subject.written_type(rule) or None,
        owner=rule.owner,
        ends=rule.expires,
        is_in_force=rule.enabled,
    )


def _life_of_silence(silence: Silence, most: int | None) -> RuleLife:
    return RuleLife(
        name=silence.name,
        stream=silence.stream,
        kind=HolderKind.SILENCE,
        scope=scope_words(silence.groups, most),
        type=silence.alert_type,
        owner=silence.author,
        ends=silence.end,
    )


def _by_end(lives: Iterable[RuleLife], now: datetime) -> list[RuleLife]:
    """Return those that end next first; then those that have ended, the latest first; then those of which no end is known."""

    def rank(life: RuleLife) -> tuple[int, timedelta, str, str]:
        left = life.ends - now if life.ends is not None else timedelta()
        return 2 if life.ends is None else int(life.has_ended(now)), abs(left), life.stream, life.name

    return sorted(lives, key=rank)


def _document(life: RuleLife) -> dict[str, object]:
    """Return a life for programs: every key is always there, and what is not known is null."""
    document = asdict(life)
    del document["is_whole"], document["is_in_force"]
    return document


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
