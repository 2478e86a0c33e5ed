"""`alert-router explain ID`: the whole life of one signal, from the state; nothing is decided anew."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Sequence
from datetime import datetime
from typing import NoReturn

from rich.console import Console

from router.app.destination_readiness import readiness_of
from router.app.notice_preview import read_last_notice
from router.app.paging_answer import paging_answer, waits_of, written_instant
from router.app.rules import Rules, load_rules
from router.app.settings import Settings
from router.app.signal_document import life_document, match_document
from router.app.signal_life import (
    MOST_DECISIONS,
    NO_FACTS,
    DestinationFacts,
    SignalLife,
    facts_of,
    read_life,
    with_active_silences,
)
from router.app.signal_search import Found, Meant, find_meant
from router.app.signal_words import decision_facts, destination_facts, receipt_words, signal_facts
from router.cli.arguments import DEFAULT_STATE
from router.cli.open_state import is_shared, store_in
from router.cli.option_values import check_notice, clock_for, rules_given, stream_for, streams_in
from router.cli.printing import plain, print_json, print_lines
from router.cli.screen import print_table, screen, table_of
from router.destinations.wording.masking import masked
from router.domain.deliveries import DeliveryStatus
from router.domain.errors import BadFile, BadPolicy, BadUsage
from router.domain.readable import timestamp
from router.domain.signals import Stream
from router.store.decisions import find_decisions
from router.store.store import Store


def run(options: Namespace) -> int:
    """Print the life of the signal that is meant. Raises BadUsage where there is none, or where several may be meant."""
    if options.state is None:
        options.state = DEFAULT_STATE
    return asyncio.run(_explain(options))


async def _explain(options: Namespace) -> int:
    async with store_in(options) as store:
        now = clock_for(options.now, store.now)()
        found = await find_meant(store, options.file, stream_for(options.stream))
        if len(found.signals) != 1:
            await _refuse(store, found, options)
        (meant,) = found.signals
        rules = _find_rules(options, now)
        facts = _facts(rules, options)
        life = await read_life(store, meant, now, facts)
        if rules is not None and (book := rules.books.get(Stream(life.stream))) is not None:
            life = await with_active_silences(store, life, book, now)
        notice = await _last_notice(store, life, options, facts, now) if options.notice is not None else None
    if options.format == "json":
        print_json(life_document(life, meant, now) | ({"notice": notice} if notice is not None else {}))
    elif notice is not None:
        print_lines(notice.split("\n"))
    else:
        _print(screen(), life, meant, now)
    return 0


async def _last_notice(
    store: Store, life: SignalLife, options: Namespace, facts: DestinationFacts, now: datetime
) -> str:
    """Return what a destination was last told of a signal; why, where it took nothing."""
    books = rules_given(options.rules, Stream(life.stream), now).books
    check_notice(options.notice, books.values())
    spec = books[Stream(life.stream)].destinations[options.notice]
    text, _ = await read_last_notice(store, life, spec, now, facts.console_url, as_in_tickets=False)
    return text


def _find_rules(options: Namespace, now: datetime) -> Rules | None:
    """Return the rules, where they are at hand and whole."""
    try:
        return load_rules(options.rules, streams_in(options.rules), now)
    except (BadFile, BadPolicy):
        return None


def _facts(rules: Rules | None, options: Namespace) -> DestinationFacts:
    """Return what the rules say of destinations.

    What a destination lacks the settings say of who delivers from the state: for a directory those are here.
    """
    if rules is None:
        return NO_FACTS
    readiness = readiness_of(rules, Settings())
    return facts_of(rules, None if is_shared(options.state) else readiness.unready, readiness.console_url)


async def _refuse(store: Store, found: Found, options: Namespace) -> NoReturn:
    """Print which signals may be meant, or say what was found in their place, and raise BadUsage."""
    name = options.file
    if found.quarantined:
        first, why = found.quarantined[0].id, plain(masked(str(found.quarantined[0].quarantined.reason)))
        more = f", one of {len(found.quarantined)}" if len(found.quarantined) > 1 else ""
        raise BadUsage(
            f"{name}: paged nobody: no signal is known by it, and it stands in what lies in quarantine ({why}); "
            f"alert-router quarantine show {first} prints it{more}"
        )
    if not found.signals:
        raise BadUsage(
            f"{name}: is no file, and no signal in {options.state}: none has that key, or that id, given whole or by its "
            "end; no resource ends so, no ticket has that number, and no message in quarantine says it"
        )
    async with store.session() as tx:
        matches = [(one, next(iter(await find_decisions(tx, one.key, 1)), None)) for one in found.signals]
    if options.format == "json":
        print_json({"matches": [match_document(one, latest) for one, latest in matches]})
    else:
        rows = [
            (one.key, written_instant(it.at), it.type, it.title, it.resource) if it else (one.key, *[None] * 4)
            for one, it in matches
        ]
        print_table(screen(), table_of(("key", "when", "type", "title", "resource"), rows), indent=0)
    number = f"more than {len(matches)}" if found.has_more else str(len(matches))
    raise BadUsage(f"{name}: may mean {number} signals; give the key of one, or more of its id")


def _print(to: Console, life: SignalLife, meant: Meant, now: datetime) -> None:
    to.print(_line(paging_answer(life, now).words), style="bold", soft_wrap=True)
    print_table(to, table_of(("", ""), list(signal_facts(life, meant, now))))
    if waits := waits_of(life, now):
        _print_head(to, "still to happen")
        for wait in waits:
            to.print(f"  {_line(wait.words)}", soft_wrap=True)
    _print_head(to, "messages")
    if life.has_earlier:
        to.print(f"  the latest {MOST_DECISIONS}; there are earlier ones")
    if not life.decisions:
        to.print("  none is on record any more")
    for entry in life.decisions:
        turn = f" (turn {entry.turn})" if entry.turn is not None else ""
        line = f"{written_instant(entry.at)} {entry.outcome}, {entry.reason}{turn}"
        to.print(f"  {_line(line)}", soft_wrap=True)
        print_table(to, table_of(("", ""), list(decision_facts(entry))), indent=4)
    for one in life.destinations:
        _print_head(to, f"{one.name} ({one.lane} lane)" if one.lane is not None else one.name)
        print_table(to, table_of(("", ""), list(destination_facts(one))))
        # The turns of a group are its own.
        turns = [(f"group's {it.turn}" if it not in one.deliveries else str(it.turn), it) for it in one.all_deliveries]
        if turns:
            heads = ("turn", "change", "state", "owed since", "attempts", "settled", "receipt", "error")
            print_table(to, table_of(heads, [_delivery_row(turn, it) for turn, it in turns], numbers=(4,)))
        if failed := [(f"of turn {turn}", timestamp(f.at), f.error) for turn, it in turns for f in it.failed]:
            print_table(to, table_of(("attempts that failed", "at", "error"), failed))


def _print_head(to: Console, words: str) -> None:
    to.print()
    to.print(_line(words), style="bold")


def _line(words: str) -> str:
    return plain(masked(words))


def _delivery_row(turn: str, it: DeliveryStatus) -> Sequence[object]:
    settled = timestamp(it.settled) if it.settled is not None else None
    words = receipt_words(it.receipt) if it.receipt is not None else None
    return turn, it.change, it.state, timestamp(it.born), it.attempts, settled, words, it.error
