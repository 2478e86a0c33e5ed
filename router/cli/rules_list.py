"""`alert-router rules list`: every rule, silence and shadow rule, and what each has held."""

from __future__ import annotations

import asyncio
import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from difflib import get_close_matches
from functools import partial
from shutil import get_terminal_size
from textwrap import wrap

from router.app.rule_watch import recipients_of
from router.cli.arguments import DEFAULT_STATE
from router.cli.opened_state import store_in
from router.cli.option_values import clock_for, lines_for, stream_for, streams_in
from router.cli.printing import plain, print_json, print_lines
from router.cli.silence_words import undecodable_words
from router.cli.streams import complain
from router.decide.rule_notices import Recipients
from router.decide.suppression import scope_words
from router.destinations import discover
from router.destinations.wording.masking import masked
from router.domain.counts import Rule, RuleHits, rule_of
from router.domain.documents import DocumentKind
from router.domain.errors import BadUsage
from router.domain.readable import counted, timestamp
from router.domain.signals import Stream
from router.domain.silences import HolderKind, Silence, find_shadow_rule, find_silence_id, kind_of, shadow_name
from router.domain.suppression import SuppressionRule
from router.rulebook import Loaded, load_all
from router.rulebook.lints import Subject
from router.rulebook.suppression_directory import SHADOWS
from router.store.documents import list_documents, read_silences
from router.store.permissions import holds_state
from router.store.rules import read_hits, read_known_rules
from router.store.signals import count_held
from router.store.store import Store

MOST_NAMED = 5
"""The most values of an element that people read; programs get all of them."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What a state knows of the lives of rules.

    Attributes:
        hits: the hits of each, by stream and name on record.
        held: how many signals each holds now that still stand, likewise.
        since: since when each is known, likewise.
        silences: the silences that are not forgotten yet.
        remarks: what could not be read whole.
        now: the time by its clock.
    """

    hits: Mapping[Rule, RuleHits]
    held: Mapping[Rule, int]
    since: Mapping[Rule, datetime]
    silences: Sequence[Silence]
    remarks: Sequence[str]
    now: datetime


def list_them(options: Namespace) -> int:
    """Prints every rule, silence and shadow rule, or those asked for, that which ends next first."""
    directory, now, only = options.directory, clock_for(options.now)(), stream_for(options.stream)
    streams = streams_in(directory, only)
    loaded = load_all(directory, discover(), now)
    problems = [one for stream in streams for one in loaded[stream].problems if one.level == "problem"]
    for line in lines_for(problems):
        complain(line)
    known = asyncio.run(_known(options, list(Stream) if only is None else [only]))
    now = known.now if known is not None else now
    if known is None and options.unused is not None:
        raise BadUsage("--unused: only a state knows what rules held; name one with --state")
    most = None if options.format == "json" else MOST_NAMED
    subjects = [Subject(directory, stream, loaded[stream], now) for stream in streams]
    lives = by_end(_lives(subjects, known, most), now)
    recipients = {stream.value: _recipients(loaded[stream]) for stream in streams}
    lives = [replace(life, notified=_notified(life, recipients.get(life.stream))) for life in lives]
    shown = [
        life
        for life in lives
        if (options.name is None or options.name in _names_of(life))
        and (options.expiring is None or (life.ends is not None and now < life.ends <= now + options.expiring))
        and (options.unused is None or life.is_unused(options.unused, now))
    ]
    if options.name is not None and not shown:
        raise BadUsage(_no_such(options.name, lives))
    for remark in known.remarks if known is not None else [_UNKNOWN]:
        complain(remark)
    if options.format == "json":
        print_json(list(map(document_of, shown)))
    else:
        print_lines(lines_of(shown, len(lives), now))
    return 0


def _recipients(loaded: Loaded) -> Recipients | None:
    return recipients_of(loaded.rulebook) if loaded.rulebook is not None else None


def _notified(life: RuleLife, recipients: Recipients | None) -> Sequence[str] | None:
    """Who is told of an end; no one of a shadow rule, nor of what is not in force."""
    if life.kind is HolderKind.SHADOW or not life.is_in_force:
        return ()
    return tuple(recipients.notified_of(life.owner)) if recipients is not None else None


def _names_of(life: RuleLife) -> set[str]:
    """How a person may name one: as its file is called, by its name on record, by the id of a silence."""
    on_record = shadow_name(life.name) if life.kind is HolderKind.SHADOW else life.name
    return {life.name, on_record, find_silence_id(life.name) or life.name}


def _no_such(name: str, lives: Iterable[RuleLife]) -> str:
    if any(name in _names_of(life) for life in lives):
        return f"--name: {name!r} is none of those that are asked for"
    close = get_close_matches(name, sorted({one for life in lives for one in _names_of(life)}), n=1)
    meant = f"; did you mean {close[0]!r}?" if close else "; without --name all are listed"
    return f"--name: {name!r} is no rule, silence or shadow rule here{meant}"


_UNKNOWN = f"no state in {DEFAULT_STATE}: what the rules held is not known; name one with --state"


async def _known(options: Namespace, streams: Iterable[Stream]) -> _Known | None:
    """What the state says that is meant; None where none is named, and none is where it usually is."""
    if options.state is None:
        if not holds_state(DEFAULT_STATE):
            return None
        options = Namespace(state=DEFAULT_STATE, now=options.now)
    async with store_in(options) as store:
        return await _read(store, [stream.value for stream in streams], clock_for(options.now, store.now)())


async def _read(store: Store, streams: Sequence[str], now: datetime) -> _Known:
    hits: dict[Rule, RuleHits] = {}
    held: dict[Rule, int] = {}
    since: dict[Rule, datetime] = {}
    async with store.session() as tx:
        for stream in streams:
            hits |= {(stream, name): one for name, one in (await read_hits(tx, stream)).items()}
            held |= {rule_of(stream, name): one for name, one in (await count_held(tx, stream)).items()}
            since |= {(stream, name): at for name, at in (await read_known_rules(tx, stream, now)).items()}
        silences, undecodable = read_silences(await list_documents(tx, DocumentKind.SILENCE))
    remarks = [undecodable_words(undecodable)] if undecodable else []
    return _Known(hits, held, since, [silence for silence in silences if silence.stream in streams], remarks, now)


def _lives(subjects: Iterable[Subject], known: _Known | None, most: int | None) -> Iterator[RuleLife]:
    """The lives of all that is there, and of what is gone and has hits or holds something still."""
    there: dict[Rule, RuleLife] = {}
    for subject in subjects:
        for name, life in _lives_in(subject, most):
            there.setdefault(rule_of(subject.stream, name), life)
    if known is None:
        yield from there.values()
        return
    for silence in known.silences:
        there[rule_of(silence.stream, silence.name)] = _life_of_silence(silence, most)
    gone = (known.hits.keys() | known.held.keys()) - there.keys()
    for rule in (*there, *gone):
        life = there.get(rule) or _life_of_gone(rule)
        yield replace(
            life,
            hits=known.hits.get(rule),
            holding=known.held.get(rule, 0),
            known_since=life.known_since or known.since.get(rule),
        )


def _lives_in(subject: Subject, most: int | None) -> Iterator[tuple[str, RuleLife]]:
    """The lives of a stream's rules and shadow rules, each with its name on record."""
    suppressions = subject.loaded.suppressions
    for rule in suppressions.sound.by_name.values():
        yield rule.name, _life_of(rule, HolderKind.RULE, subject, most)
    for rule in suppressions.shadows.by_name.values():
        yield shadow_name(rule.name), _life_of(rule, HolderKind.SHADOW, subject, most)
    for rule in suppressions.refused:
        is_shadow = rule.source.startswith(f"{subject.stream}/{SHADOWS}/")
        # Of what cannot be read whole nothing is told that people might rely on.
        life = replace(
            _life_of(rule, HolderKind.SHADOW if is_shadow else HolderKind.RULE, subject, most),
            scope=None, ends=None, is_in_force=False,
        )  # fmt: skip
        yield shadow_name(rule.name) if is_shadow else rule.name, life


def _life_of(rule: SuppressionRule, kind: HolderKind, subject: Subject, most: int | None) -> RuleLife:
    return RuleLife(
        name=rule.name,
        stream=subject.stream.value,
        kind=kind,
        file=f"{subject.named}/{rule.source}",
        scope=scope_words(rule.groups, most),
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
        known_since=silence.made,
    )


def _life_of_gone(rule: Rule) -> RuleLife:
    stream, name = rule
    return RuleLife(name=find_shadow_rule(name) or name, stream=stream, kind=kind_of(name), is_in_force=False)


_HEADS = f"{'ends':20}  {'hits':>6}  {'last hit':20}  {'holds':>5}  holds nothing since"
_INDENT = "    "
_FOLD = partial(
    # An id that is longer than a line stays whole, so that it can be copied.
    wrap, initial_indent=_INDENT, subsequent_indent=_INDENT * 2, break_on_hyphens=False, break_long_words=False
)  # fmt: skip
_UNFOLDED = 10_000
"""Columns where there is no terminal: programs that read lines want whole ones."""

_WORDS = {HolderKind.RULE: "suppression rule", HolderKind.SILENCE: "silence", HolderKind.SHADOW: "shadow rule"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleLife:
    """A suppression rule, a silence or a shadow rule, and what is known of its life.

    Attributes:
        name: what it is called: a silence by its name on record, a rule of either sort as in its file.
        file: the file that it stands in; None of a silence, and of a rule that is gone.
        scope: its scope in words; None where it is gone, or cannot be read.
        type: the alert type or recommendation category, as it was written; None for any, and where it is gone.
        ends: the first instant at which it holds nothing any more; None where that is not known.
        is_in_force: whether it may hold anything before its end: it is there, was not refused, and is enabled.
        hits: its hits; None where there are none, and where no state was read.
        holding: how many signals it holds now that still stand; None where no state was read. A shadow rule holds none.
        notified: who hears of its end: destinations by name, and mail addresses; None where the policy cannot be read.
    """

    name: str
    stream: str
    kind: HolderKind
    file: str | None = None
    scope: str | None = None
    type: str | None = None
    owner: str | None = None
    ends: datetime | None = None
    is_in_force: bool = True
    known_since: datetime | None = None
    hits: RuleHits | None = None
    holding: int | None = None
    notified: Sequence[str] | None = ()

    @property
    def holds_nothing_since(self) -> datetime | None:
        """Since when it held nothing new: its last hit, else since when it is known; None while it holds something."""
        if self.holding is None or self.holding > 0:
            return None
        return self.hits.last if self.hits is not None else self.known_since

    def has_ended(self, now: datetime) -> bool:
        """Whether its end is known and has come."""
        return self.ends is not None and self.ends <= now

    def is_unused(self, span: timedelta, now: datetime) -> bool:
        """Whether it could have held something for as long as a span, did not, and holds nothing; one of unknown age could."""
        if not self.is_in_force or self.has_ended(now) or self.holding is None or self.holding > 0:
            return False
        since = self.holds_nothing_since
        return since is None or since <= now - span


def by_end(lives: Iterable[RuleLife], now: datetime) -> list[RuleLife]:
    """Those that end next first; then those that have ended, the latest first; then those of which no end is known."""

    def rank(life: RuleLife) -> tuple[int, timedelta, str, str]:
        left = life.ends - now if life.ends is not None else timedelta()
        return 2 if life.ends is None else int(life.has_ended(now)), abs(left), life.stream, life.name

    return sorted(lives, key=rank)


def document_of(life: RuleLife) -> dict[str, object]:
    """A life for programs: every key is always there, and what is not known is null."""
    return {
        "name": life.name,
        "stream": life.stream,
        "kind": life.kind.value,
        "file": life.file,
        "scope": _scope_words(life),
        "type": life.type,
        "owner": life.owner,
        "ends": _iso(life.ends),
        "hits": _hits_of(life),
        "last_hit": _iso(life.hits.last) if life.hits is not None else None,
        "holding": life.holding,
        "holds_nothing_since": _iso(life.holds_nothing_since),
        "notified": None if life.notified is None else list(life.notified),
    }


def lines_of(lives: Sequence[RuleLife], of: int, now: datetime) -> Iterator[str]:
    """Lives for people, in their order: what is counted in columns, and below that what it is. `of` says how many there are."""
    if lives:
        yield _HEADS
    for life in lives:
        yield _figures_of(life)
        for text in _described(life, now):
            yield from wrapped(text)
    yield _summary(lives, of)
    if (some := [life for life in lives if _has_notices(life)]) and all(life.notified == () for life in some):
        yield "nobody is told when they end: no notify in a policy names who hears"


def wrapped(text: str) -> list[str]:
    """What is said below the figures, as lines of the terminal: it comes out of files and of people, and may be anything."""
    return _FOLD(plain(masked(text)), get_terminal_size().columns if sys.stdout.isatty() else _UNFOLDED)


def _has_notices(life: RuleLife) -> bool:
    """Whether it has an end of which people could be told: a shadow rule holds nothing that would come out."""
    return life.kind is not HolderKind.SHADOW and life.is_in_force


def _figures_of(life: RuleLife) -> str:
    hits = _hits_of(life)
    never = "-" if hits is None else "never"
    cells = (
        f"{_time(life.ends):20}",
        f"{'-' if hits is None else f'{hits:,}':>6}",
        f"{_time(life.hits.last) if life.hits is not None else never:20}",
        f"{'-' if life.holding is None else f'{life.holding:,}':>5}",
        _time(life.holds_nothing_since),
    )
    return "  ".join(cells)


def _described(life: RuleLife, now: datetime) -> Iterator[str]:
    kind = "" if life.kind is HolderKind.RULE else f"{life.kind} "
    ended = ", ended" if life.has_ended(now) else ""
    about = f"{life.type or 'any type'}, where " if life.scope is not None else ""
    yield f"{life.stream} {kind}{find_silence_id(life.name) or life.name}{ended}: {about}{_scope_words(life)}"
    if where := [one for one in (life.owner, life.file) if one]:
        yield ", ".join(where)
    if life.notified:
        yield f"told of its end: {', '.join(life.notified)}"


def _scope_words(life: RuleLife) -> str:
    """The scope, or why there is none; and that it is not in force, where it is not although it is there."""
    if life.scope is None:
        return "refused, and holds nothing; rules check says why" if life.file else "gone, and not known any more"
    return life.scope if life.is_in_force else f"{life.scope} (not enabled, so it holds nothing)"


def _summary(lives: Sequence[RuleLife], of: int) -> str:
    kinds = Counter(life.kind for life in lives)
    parts = [counted(kinds[kind], words) for kind, words in _WORDS.items() if kinds[kind] or kind is HolderKind.RULE]
    never = sum(life.holding is not None and life.hits is None for life in lives)
    more = f"; never hit: {never}" if never else ""
    return f"{', '.join(parts)}{f' of {of} in all' if of > len(lives) else ''}{more}"


def _hits_of(life: RuleLife) -> int | None:
    if life.hits is not None:
        return life.hits.total
    return None if life.holding is None else 0


def _time(time: datetime | None) -> str:
    return timestamp(time) if time is not None else "-"


def _iso(time: datetime | None) -> str | None:
    return timestamp(time) if time is not None else None
