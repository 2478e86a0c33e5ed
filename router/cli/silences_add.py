"""`alert-router silences add`: holds back what a person names, until an end, after showing what that is."""

from __future__ import annotations

import asyncio
import re
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from copy import replace
from datetime import datetime, timedelta
from typing import Any

from rich.console import Console

from router.app.lookback import look_back
from router.cli.arguments import written
from router.cli.open_state import GIVEN_UP, store_in
from router.cli.option_values import Author, author_given, clock_for, streams_in, words_given
from router.cli.preview import named_document
from router.cli.printing import plain, print_json
from router.cli.screen import print_table, screen, table_of
from router.cli.silence_bounds import needed_since, refuse_overrun, silenced_share, with_first
from router.cli.silence_records import (
    add_silence,
    both_times,
    document_for,
    silence_scope_words,
    stored_silences,
    undecodable_words,
)
from router.cli.streams import complain, is_wanted, refuse_unasked
from router.decide.preview import ANY_SIGNAL, Matcher, NamedSignal, Preview, silence_matcher
from router.destinations import discover
from router.domain.deliveries import OPEN
from router.domain.errors import BadPolicy, BadUsage
from router.domain.readable import counted, timestamp
from router.domain.resources import parse_resource_id
from router.domain.rule_fields import signal_of
from router.domain.rulebook import Rulebook
from router.domain.signals import Stream
from router.domain.silences import Recurrence, Silence, SilenceBounds, name_in_words
from router.domain.suppression import Element
from router.domain.values import Value
from router.ingest.state_cache import TagReader
from router.rulebook import load_all
from router.rulebook.lints import KnownTypes
from router.rulebook.silence_scope import SilenceScope, WrittenScope, read_recurrence, read_silence_scope
from router.store import groups, signals
from router.store.delivery_status import NEVER, count_deliveries, list_deliveries
from router.store.documents import ReadValues
from router.store.store import Store, Transaction

type Groups = tuple[tuple[Element, ...], ...]


def add(options: Namespace) -> int:
    """Show what a silence would hold, ask, make it, and print its id and its end."""
    stream = Stream(options.stream)
    refuse_unasked("silence it", is_confirmed=options.yes)
    scope = _scope_in(options)
    book, known = _rules_in(options, stream, clock_for(options.now)())
    author = author_given(options.author)
    _refuse_ticket(options.ticket, book.silences)
    # Types of findings are ids of assessments, of which no list is whole.
    doubted = [options.type.strip()] if options.type is not None and stream is Stream.CWPP else []
    for doubt in [*scope.doubts, *(_doubt_about(type, known) for type in doubted if not known.has(type))]:
        complain(f"warning: {doubt}")
    return asyncio.run(_add(options, scope, book, author))


async def _add(options: Namespace, scope: SilenceScope, book: Rulebook, author: Author) -> int:
    shown = screen()
    async with store_in(options) as store:
        now = clock_for(options.now, store.now)()
        draft = _draft_of(options, scope, author.name, now)
        _refuse_times(draft, book.silences, now)
        known = await stored_silences(store, needed_since(book.silences, now))
        others = [one for one in known.values if one.stream == draft.stream]
        draft = with_first(draft, others)
        refuse_overrun("--for" if options.duration is not None else "--until", draft, others, book.silences)
        share = silenced_share(draft, others, now)
        book = await TagReader(store, {book.stream: book}).rulebook(book.stream, now)
        drafts = {option: replace(draft, groups=groups) for option, groups in _instead_of(options).items()}
        instead = {option: silence_matcher(one, book) for option, one in drafts.items()}
        matcher = silence_matcher(draft, book)
        preview = await preview_of(store, draft.stream, matcher, instead, now, is_narrow=scope.is_narrow)
        if options.format == "text":
            shown.print(f"{plain(silence_scope_words(draft))}, {draft.stream}", soft_wrap=True)
            _print_preview(shown, preview)
            for line in _remarks(draft, book.silences, known, share):
                shown.print(f"  {line}", soft_wrap=True)
        _refuse_too_broad(preview)
        begins = "" if draft.begins == now else f" from {both_times(draft.begins)}"
        if not is_wanted(f"Silence it{begins} until {both_times(draft.end)}?", is_confirmed=options.yes):
            complain("nothing is silenced")
            return GIVEN_UP
        silence = await add_silence(store, draft)
    if options.format == "json":
        document = {**document_for(silence, now), "silenced_share": share}
        print_json({**document, "would_have_held": _preview_document(preview)})
        return 0
    shown.print(f"silence {silence.id} by {plain(str(author))}", soft_wrap=True)
    shown.print(f"  begins  {both_times(silence.begins)}")
    shown.print(f"  ends    {both_times(silence.end)}")
    if silence.every is not None and (window := silence.find_next_window(now)) is not None:
        shown.print(f"  holds   {silence.every}; next from {both_times(window.begins)} to {both_times(window.ends)}")
    return 0


def _remarks(draft: Silence, bounds: SilenceBounds, known: ReadValues[Silence], share: float) -> Iterator[str]:
    if bounds.refuse is not None:
        yield f"{bounds.refuse.label} and worse, and what is of unknown severity, is told all the same: so says the policy"
    if draft.first < draft.begins:
        yield f"it goes on with what was silenced since {both_times(draft.first)}"
    if known.undecodable:
        yield undecodable_words(known.undecodable)
    yield f"all of this was silenced for {share:.0%} of the last 30 days"


def _instead_of(options: Namespace) -> dict[str, Groups]:
    """Return what may be meant where no resource of a name is found: the machine of that name. By the option for it."""
    if not options.resource or options.host or options.entity:
        return {}
    read = _read(options, hosts=[options.resource])
    return {f"--host {options.resource}": read.groups} if read.refused is None else {}


def _scope_in(options: Namespace) -> SilenceScope:
    if options.type is not None:
        words_given("--type", options.type)
    scope = _read(options, resource=options.resource, hosts=options.host or (), entities=options.entity or ())
    if scope.refused is not None:
        raise BadUsage(scope.refused)
    return scope


def _read(options: Namespace, **parts: Any) -> SilenceScope:
    return read_silence_scope(WrittenScope(stream=Stream(options.stream), alert_type=options.type, **parts))


def _rules_in(options: Namespace, stream: Stream, now: datetime) -> tuple[Rulebook, KnownTypes]:
    """Return the rules of a stream, and the alert types that it may name; what is only doubtful there is no matter here."""
    streams_in(options.rules, stream)
    loaded = load_all(options.rules, discover(), now)[stream]
    if loaded.rulebook is None or loaded.policy is None:
        raise BadPolicy([str(one) for one in loaded.problems if one.level == "problem"])
    return loaded.rulebook, KnownTypes.of(loaded.policy.types)


def _draft_of(options: Namespace, scope: SilenceScope, author: str, now: datetime) -> Silence:
    begins = options.begins or now
    if options.duration is None and options.until is None:
        raise BadUsage("--for: is missing; write for how long, such as --for 2h, or until when: --until ISO")
    if options.duration is not None and options.until is not None:
        raise BadUsage("--for: and --until are both given; write one of them")
    return Silence(
        id="",
        stream=options.stream,
        alert_type=options.type.strip() if options.type is not None else None,
        groups=scope.groups,
        begins=begins,
        until=begins + options.duration if options.duration is not None else options.until,
        every=_recurrence_in(options.every) if options.every is not None else None,
        reason=words_given("--reason", options.reason),
        author=author,
        ticket=words_given("--ticket", options.ticket) if options.ticket is not None else None,
        made=now,
        first=begins,
    )


def _recurrence_in(text: str) -> Recurrence:
    try:
        return read_recurrence(text)
    except ValueError as fault:
        raise BadUsage(f"--every: {fault}") from fault


def _refuse_times(draft: Silence, bounds: SilenceBounds, now: datetime) -> None:
    begins, until = timestamp(draft.begins), timestamp(draft.until)
    if draft.begins < now:
        raise BadUsage(f"--from: {begins} is over; leave it out to begin now")
    if draft.until <= now:
        raise BadUsage(f"--until: {until} is over; write a later end, or --for 2h")
    if draft.until <= draft.begins:
        raise BadUsage(f"--until: {until} is not after its beginning, {begins}; write a later end")
    if draft.begins - now > bounds.recurring:
        most = written(bounds.recurring)
        raise BadUsage(f"--from: {begins} is more than {most} ahead, which the policy does not allow; begin earlier")
    if draft.find_next_window(now) is None:
        raise BadUsage(f"--every: {draft.every} never comes before {until}; write a later end")


def _refuse_ticket(ticket: str | None, bounds: SilenceBounds) -> None:
    if bounds.ticket is None:
        return
    if ticket is None:
        raise BadUsage(f"--ticket: is missing; the policy wants one that matches {bounds.ticket}")
    if re.search(bounds.ticket, ticket.strip()) is None:
        raise BadUsage(f"--ticket: {ticket!r} does not match {bounds.ticket}; write one that the policy allows")


def _doubt_about(type: str, known: KnownTypes) -> str:
    """Return what is said of a type that is not known. It may be right all the same, since Defender brings new ones."""
    likely = known.find_likely(type)
    remedy = f"; did you mean {' or '.join(likely)}?" if likely else "; where it is a new one, all is well"
    return f"--type: {type!r} is no alert type that is known{remedy}"


_BACK = timedelta(hours=24)
"""How far back it is looked."""

_EVER = timedelta(days=90)
"""How far back decisions are kept at most."""

_MOST = 500
"""The most signals of which it is asked what is owed already."""


class SilencePreview(Value):
    """What a silence would have held, and what of it people hear all the same.

    Attributes:
        preview: what it would have held in the last 24 hours, and what stands now.
        owed: how many deliveries about what stands now are owed already, and go out all the same.
        is_owed_whole: whether all of these were counted.
        by_all: how many signals a silence of all would have held; None where this one is narrow.
        instead: how many signals other options would have held or would hold, where these would none.
        is_unheard_of: whether nothing that is on record, however old, is of its kind.
    """

    preview: Preview
    owed: int = 0
    is_owed_whole: bool = True
    by_all: int | None = None
    instead: Mapping[str, int] = {}
    is_unheard_of: bool = False

    @property
    def not_looked_at(self) -> int:
        """About how much it could not be asked whether it would be held."""
        return self.preview.unjudged + self.preview.standing.unjudged


async def preview_of(
    store: Store, stream: str, matcher: Matcher, instead: Mapping[str, Matcher], now: datetime, *, is_narrow: bool
) -> SilencePreview:
    """Return what a silence would have held, and what others would that may be meant, by the options for them.

    How broad one is that is not narrow is measured. Raises StoreError.
    """
    matchers = [matcher, *instead.values(), *([] if is_narrow else [ANY_SIGNAL])]
    preview, *others = await look_back(store, stream, matchers, now - _BACK, now)
    found = SilencePreview(preview, by_all=None if is_narrow else others[-1].held.signals)
    if not _signals(preview):
        more = {option: many for option, other in zip(instead, others, strict=False) if (many := _signals(other))}
        (ever,) = await look_back(store, stream, [matcher], now - _EVER, now)
        return replace(found, instead=more, is_unheard_of=ever.is_whole and not _signals(ever))
    async with store.session() as tx:
        counts = await count_deliveries(tx, stream, NEVER)
        if not preview.standing.signals or not any(many for (_, state), many in counts.items() if state in OPEN):
            return found
        keys: list[str] = []
        async for page in signals.walk_standing(tx, stream, matcher.types):
            keys += [one.key for one in page if one.fields is not None and matcher.covers(signal_of(one.fields))]
        asked = keys[:_MOST]
        told_by = [*asked, *await _groups_of(tx, stream, asked)]
        owed = sum([one.state in OPEN for key in told_by for one in await list_deliveries(tx, key)])
    return replace(found, owed=owed, is_owed_whole=len(keys) <= _MOST)


async def _groups_of(tx: Transaction, stream: str, keys: Sequence[str]) -> set[str]:
    """Return the keys of the groups in which signals are told of: what is owed about them there is owed under these."""
    rows = (await signals.find_signals(tx, keys)).values()
    grouped = {(destination, row.key) for row in rows for destination in row.grouped}
    members = await groups.find_members(tx, stream, {destination for destination, _ in grouped}, keys)
    return {member.group for place, member in members.items() if place in grouped}


def _signals(preview: Preview) -> int:
    return max(preview.held.signals, preview.standing.signals)


def _print_preview(shown: Console, it: SilencePreview) -> None:
    """Print it for people."""
    for line in _preview_lines(it):
        shown.print(f"  {line}", soft_wrap=True)
    if named := it.preview.standing.named or it.preview.named:
        shown.print()
        print_table(shown, table_of(("severity", "type", "title", "resource", "held by"), map(_row, named)))


def _preview_lines(it: SilencePreview) -> Iterator[str]:
    preview, standing = it.preview, it.preview.standing
    held, number = preview.held, standing.signals
    many = counted(held.signals, "signal") if it.by_all is None else f"{held.signals} of {counted(it.by_all, 'signal')}"
    messages = counted(held.decisions, "message")
    yield f"in the last 24 hours it would have held {many} in {messages}{_gravest(preview.by_severity)}"
    if number:
        goes_on = (
            "stays open where it was told, and its" if number == 1 else "stay open where they were told, and their"
        )
        yield f"{number} of what stands now {goes_on} updates are held{_gravest(standing.by_severity)}"
    else:
        yield "nothing that stands now is of this kind"
    if already := sum(standing.held_already.values()):
        verb = "is" if already == 1 else "are"
        yield f"{already} of these {verb} held already, by {', '.join(map(name_in_words, standing.held_already))}"
    if it.owed:
        least = "" if it.is_owed_whole else "at least "
        what, verb = ("delivery", "goes") if it.owed == 1 else ("deliveries", "go")
        yield f"{least}{it.owed} {what} owed already about these {verb} out all the same"
    if it.is_unheard_of:
        yield "nothing that is on record is of this kind: is a name misspelled?"
    for option, found in it.instead.items():
        yield f"{option} would have found {counted(found, 'signal')}; did you mean that?"
    if not (preview.is_whole and standing.is_whole):
        looked_at = counted(standing.looked_at, "signal")
        yield f"it was looked back to {timestamp(preview.looked_back_to)}, and at {looked_at} that stand, and stopped there"
    if it.not_looked_at:
        yield f"{it.not_looked_at} could not be looked at: what they say is not kept"


def _gravest(by_severity: Mapping[str, object]) -> str:
    gravest = next(iter(by_severity), None)
    return f"; the gravest is {gravest or 'of unknown severity'}" if gravest is not None else ""


def _row(one: NamedSignal) -> tuple[object, ...]:
    resource = parse_resource_id(one.resource).name or one.resource
    return one.severity or "unknown", one.type, one.title, resource, name_in_words(one.held_by or "")


def _refuse_too_broad(it: SilencePreview) -> None:
    """Raise BadUsage where it would have held more than half of what people were told."""
    held = it.preview.held.signals
    if it.by_all is not None and 2 * held > it.by_all:
        raise BadUsage(
            f"silences add: would have held {held} of {counted(it.by_all, 'signal')} of the last 24 hours, more than half; "
            "say what it is about: --resource or --host without a glob, or --type"
        )


def _preview_document(it: SilencePreview) -> Mapping[str, object]:
    """Return it for programs."""
    preview, standing = it.preview, it.preview.standing
    return {
        "since": preview.since,
        "looked_back_to": preview.looked_back_to,
        "is_whole": preview.is_whole,
        "signals": preview.held.signals,
        "told": it.by_all,
        "messages": preview.held.decisions,
        "by_severity": {name or "unknown": one.signals for name, one in preview.by_severity.items()},
        "standing": {
            "signals": standing.signals,
            "is_whole": standing.is_whole,
            "by_severity": {name or "unknown": count for name, count in standing.by_severity.items()},
            "held_already": dict(standing.held_already),
        },
        "named": [named_document(one) for one in standing.named or preview.named],
        "not_looked_at": it.not_looked_at,
        "owed_already": it.owed,
    }
