"""`alert-router silences add`: holds back what a person names, until an end, after showing what that is."""

from __future__ import annotations

import asyncio
from argparse import Namespace

from rich.console import Console

from router.app.silences import silence_document, silence_scope_words
from router.app.silencing import SilenceDraft, WantedSilence, draft_silence, load_silence_rules, make_silence
from router.cli.open_state import GIVEN_UP, store_in
from router.cli.option_values import Author, as_options, author_given, clock_for, in_options, streams_in
from router.cli.printing import plain, print_json
from router.cli.screen import both_times, print_table, screen, table_of
from router.cli.streams import complain, is_wanted, refuse_unasked
from router.decide.preview import NAMED, NamedSignal
from router.domain.resources import parse_resource_id
from router.domain.rulebook import Rulebook
from router.domain.signals import Stream
from router.domain.silences import name_in_words
from router.rulebook.lints import KnownTypes


def add(options: Namespace) -> int:
    """Show what a silence would hold, ask, make it, and print its id and its end."""
    stream = Stream(options.stream)
    refuse_unasked("silence it", is_confirmed=options.yes)
    streams_in(options.rules, stream)
    book, types = load_silence_rules(options.rules, stream, clock_for(options.now)())
    author = author_given(options.author)
    wanted = WantedSilence(
        stream=stream,
        alert_type=options.type,
        resource=options.resource,
        hosts=options.host or (),
        entities=options.entity or (),
        begins=options.begins,
        until=options.until,
        lasts=options.duration,
        every=options.every,
        reason=options.reason,
        author=author.name,
        ticket=options.ticket,
    )
    with as_options("silences add"):
        return asyncio.run(_add(options, wanted, book, types, author))


async def _add(options: Namespace, wanted: WantedSilence, book: Rulebook, types: KnownTypes, author: Author) -> int:
    shown = screen()
    async with store_in(options) as store:
        now = clock_for(options.now, store.now)()
        draft = await draft_silence(store, wanted, book, types, now)
        for doubt in draft.doubts:
            complain(f"warning: --{doubt.field}: {doubt.words}")
        if options.format == "text":
            _print_draft(shown, draft)
        draft.refuse_too_broad()
        begins = "" if draft.silence.begins == now else f" from {both_times(draft.silence.begins)}"
        if not is_wanted(f"Silence it{begins} until {both_times(draft.silence.end)}?", is_confirmed=options.yes):
            complain("nothing is silenced")
            return GIVEN_UP
        silence = await make_silence(store, draft)
    if options.format == "json":
        document = {**silence_document(silence, now), "silenced_share": draft.share}
        print_json({**document, "would_have_held": draft.preview.document})
        return 0
    shown.print(f"silence {silence.id} by {plain(str(author))}", soft_wrap=True)
    shown.print(f"  begins  {both_times(silence.begins)}")
    shown.print(f"  ends    {both_times(silence.end)}")
    if silence.every is not None and (window := silence.find_next_window(now)) is not None:
        shown.print(f"  holds   {silence.every}; next from {both_times(window.begins)} to {both_times(window.ends)}")
    return 0


def _print_draft(shown: Console, draft: SilenceDraft) -> None:
    """Print for people what a silence would do."""
    shown.print(f"{plain(silence_scope_words(draft.silence))}, {draft.silence.stream}", soft_wrap=True)
    for line in draft.preview.lines:
        shown.print(f"  {in_options(line)}", soft_wrap=True)
    if named := draft.preview.named[:NAMED]:
        shown.print()
        print_table(shown, table_of(("severity", "type", "title", "resource", "held by"), map(_row, named)))
    for line in draft.remarks:
        shown.print(f"  {line}", soft_wrap=True)


def _row(one: NamedSignal) -> tuple[object, ...]:
    resource = parse_resource_id(one.resource).name or one.resource
    return one.severity or "unknown", one.type, one.title, resource, name_in_words(one.held_by or "")
