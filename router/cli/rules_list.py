"""`alert-router rules list`: every rule, silence and shadow rule, and what each has held."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from difflib import get_close_matches

from router.app.rule_watch import recipients_of
from router.cli.arguments import DEFAULT_STATE
from router.cli.given import clock_for, lines_for, stream_for, streams_in
from router.cli.opened_state import store_in
from router.cli.printing import print_json, print_lines
from router.cli.rules_list_report import RuleLife, by_end, document_of, lines_of
from router.cli.silence_words import undecodable_words
from router.cli.streams import complain
from router.decide.rule_notices import Recipients
from router.decide.suppression import scope_words
from router.destinations import discover
from router.domain.counts import Rule, RuleHits, rule_of
from router.domain.documents import DocumentKind
from router.domain.errors import BadUsage
from router.domain.signals import Stream
from router.domain.silences import HolderKind, Silence, find_shadow_rule, find_silence_id, kind_of, shadow_name
from router.domain.suppression import SuppressionRule
from router.rulebook import Loaded, load_all
from router.rulebook.lints import Subject
from router.rulebook.suppression_directory import SHADOWS
from router.store.bodies import read_silences
from router.store.documents import list_documents
from router.store.private import holds_state
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
    """Who is told of an end. Of a shadow rule nobody is, nor of what is not in force."""
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
