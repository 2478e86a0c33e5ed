"""`alert-router explain ID`: the whole life of one signal, from the state; nothing is decided anew."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NoReturn

from rich.console import Console

from router.app.destination_readiness import readiness_of
from router.app.rules import load_rules
from router.app.settings import Settings
from router.app.signal_life import MOST_DECISIONS, NO_FACTS, DestinationFacts, facts_of, read_life
from router.app.signal_search import Found, Meant, find_meant
from router.cli.arguments import DEFAULT_STATE
from router.cli.given import clock_for, rules_given, stream_for, streams_in
from router.cli.notice_preview import check_destination, preview_of_taken
from router.cli.opened_state import each, is_shared, store_in
from router.cli.paging_answer import paging_answer
from router.cli.printing import plain, print_json, print_lines
from router.cli.screen import print_table, screen, table_of
from router.cli.signal_document import document_of, match_document
from router.cli.signal_waits import waits_of
from router.cli.step_words import stored_step
from router.destinations.wording.masking import masked
from router.domain.decisions import Change
from router.domain.deliveries import REFUSED_KEY, DeliveryState, DeliveryStatus
from router.domain.errors import BadFile, BadPolicy, BadUsage
from router.domain.holders import holder_words
from router.domain.keys import ABOUT
from router.domain.notices import RecordEntry
from router.domain.plurals import counted
from router.domain.quarantine import QuarantineEntry
from router.domain.signal_life import DestinationLife, Presence, SignalLife
from router.domain.signals import Stream
from router.domain.timestamps import timestamp
from router.store.decisions import find_decisions
from router.store.delivery_status import find_last_notice
from router.store.store import Store

type Facts = Iterator[tuple[str, object]]
"""Names and what they are, one a line."""


def run(options: Namespace) -> int:
    """Tells the life of the signal that is meant. Raises BadUsage where there is none, or where several may be meant."""
    if options.state is None:
        options.state = DEFAULT_STATE
    return asyncio.run(_explain(options))


async def _explain(options: Namespace) -> int:
    async with store_in(options) as store:
        now = clock_for(options.now, store.now)()
        found = await find_meant(store, options.file, stream_for(options.stream))
        if len(found.signals) != 1:
            await _refuse(store, found, options)
        life = await read_life(store, found.signals[0], now, _facts(options, now))
        notice = await _notice(store, life, options, now) if options.notice is not None else None
    if options.format == "json":
        document = document_of(life, found.signals[0], now)
        print_json(document if notice is None else document | {"notice": notice})
    elif notice is not None:
        print_lines(notice.split("\n"))
    else:
        _print(screen(), life, found.signals[0], now)
    return 0


async def _notice(store: Store, life: SignalLife, options: Namespace, now: datetime) -> str:
    """What a destination was last told of a signal, or of the group that it is in; why, where nobody knows of any."""
    name = options.notice
    books = rules_given(options.rules, Stream(life.stream), now).books
    check_destination(name, books.values())
    taken = [
        delivery
        for one in life.destinations
        for delivery in one.all_deliveries
        if one.name == name and delivery.state is DeliveryState.SENT
    ]
    last = max(taken, key=lambda delivery: delivery.settled or delivery.born, default=None)
    async with store.session() as tx:
        found = await find_last_notice(tx, life.stream, name, last.key) if last is not None else None
    if last is None or found is None:
        return f"{name}: took nothing of it, or what it took is not kept."
    is_untold = last.change is Change.RESOLVED and any(
        delivery.state is DeliveryState.SKIPPED and (delivery.key, delivery.turn) == (last.key, last.opened)
        for one in life.destinations
        for delivery in one.all_deliveries
        if one.name == name
    )
    return preview_of_taken(found, last, books[Stream(life.stream)].destinations[name], now, is_untold=is_untold)


def _facts(options: Namespace, now: datetime) -> DestinationFacts:
    """What the rules say of destinations, where they are at hand and whole.

    Whether a destination can be asked only the settings say of who delivers from the state: for a directory those are here.
    """
    try:
        rules = load_rules(options.rules, streams_in(options.rules), now)
    except (BadFile, BadPolicy):
        return NO_FACTS
    return facts_of(rules, None if is_shared(options.state) else readiness_of(rules, Settings()))


async def _refuse(store: Store, found: Found, options: Namespace) -> NoReturn:
    """Says which signals may be meant, or what was found in their place, and raises BadUsage."""
    name, where = options.file, options.state
    if not found.signals:
        raise BadUsage(_nothing_words(name, where, found.quarantined))
    matches = await each(lambda one: _match(store, one), found.signals)
    if options.format == "json":
        print_json({"matches": [match_document(one, latest) for one, latest in matches]})
    else:
        heads = ("key", "when", "type", "title", "resource")
        print_table(screen(), table_of(heads, [_match_row(one, latest) for one, latest in matches]), indent=0)
    number = f"more than {len(matches)}" if found.has_more else str(len(matches))
    raise BadUsage(f"{name}: may mean {number} signals; give the key of one, or more of its id")


def _nothing_words(name: str, where: object, quarantined: Sequence[QuarantineEntry]) -> str:
    if quarantined:
        first, why = quarantined[0].id, plain(masked(str(quarantined[0].quarantined.reason)))
        more = f", one of {len(quarantined)}" if len(quarantined) > 1 else ""
        return (
            f"{name}: paged nobody: no signal is known by it, and it stands in what lies in quarantine ({why}); "
            f"alert-router quarantine show {first} prints it{more}"
        )
    return (
        f"{name}: is no file, and no signal in {where}: none has that id or key, no id or resource ends so, no ticket has that "
        "number, and no message in quarantine says it"
    )


async def _match(store: Store, one: Meant) -> tuple[Meant, RecordEntry | None]:
    async with store.session() as tx:
        return one, next(iter(await find_decisions(tx, one.key, 1)), None)


def _match_row(one: Meant, latest: RecordEntry | None) -> Sequence[object]:
    if latest is None:
        return one.key, None, None, None, None
    return one.key, _short(latest.at), latest.type, latest.title, latest.resource


def _print(to: Console, life: SignalLife, meant: Meant, now: datetime) -> None:
    to.print(_line(paging_answer(life, now).words), style="bold", soft_wrap=True)
    print_table(to, table_of(("", ""), list(_signal_facts(life, meant))))
    if waits := waits_of(life, now):
        _head(to, "still to happen")
        for wait in waits:
            to.print(f"  {_line(wait.words)}", soft_wrap=True)
    _head(to, "messages")
    if life.has_earlier:
        to.print(f"  the latest {MOST_DECISIONS}; there are earlier ones")
    if not life.decisions:
        to.print("  none is on record any more")
    for entry in life.decisions:
        to.print(f"  {_line(_decision_line(entry))}", soft_wrap=True)
        print_table(to, table_of(("", ""), list(_decision_facts(entry))), indent=4)
    for one in life.destinations:
        _head(to, _destination_words(one))
        print_table(to, table_of(("", ""), list(_destination_facts(one))))
        if one.all_deliveries:
            heads = ("turn", "change", "state", "owed since", "attempts", "settled", "receipt", "error")
            rows = [_delivery_row(one, delivery) for delivery in one.all_deliveries]
            print_table(to, table_of(heads, rows, numbers=(4,)))
        if failures := [row for delivery in one.all_deliveries for row in _failure_rows(one, delivery)]:
            print_table(to, table_of(("attempts that failed", "at", "error"), failures))


def _head(to: Console, words: str) -> None:
    to.print()
    to.print(_line(words), style="bold")


def _line(words: str) -> str:
    return plain(masked(words))


def _signal_facts(life: SignalLife, meant: Meant) -> Facts:
    latest = life.latest
    if meant.via is not None:
        yield "found by", meant.via
    if latest is not None:
        yield "what", f"{latest.severity or 'unknown'} {latest.kind} {latest.type}: {latest.title}"
        yield "id", latest.id
        if latest.resource:
            yield "resource", latest.resource
        if latest.plan:
            yield "plan", latest.plan
        if latest.sample:
            yield "sample", "it is one of Defender's samples"
    yield "key", life.key
    if life.key.startswith(ABOUT):
        yield "now", "it is no signal, and stands nowhere"
        return
    if life.row is None:
        yield "now", "what it is now is not kept"
        return
    status = "over" if life.row.state.resolved else "it stands"
    by_presence = {
        presence: [name for name, one in sorted(life.presences.items()) if one is presence] for presence in Presence
    }
    where = [f"{presence} {', '.join(names)}" for presence, names in by_presence.items() if names]
    nowhere = [] if by_presence[Presence.OPEN] else ["open nowhere"]
    yield "now", f"{status}, {'; '.join([*nowhere, *where])}"
    if (holder := life.holder) is not None:
        since = f", since {timestamp(holder.since)}" if holder.since is not None else ""
        messages = f", messages: {holder.messages}" if holder.messages is not None else ""
        yield "held by", f"{holder_words(holder.rule)} until {timestamp(holder.until)}{since}{messages}"
    for name, silence in life.silences.items():
        ended = f", ended at {timestamp(silence.ended)}" if silence.ended is not None else ""
        ticket = f" ({silence.ticket})" if silence.ticket else ""
        yield holder_words(name), f"by {silence.author}{ended}: {silence.reason}{ticket}"


def _decision_line(entry: RecordEntry) -> str:
    turn = f" (turn {entry.turn})" if entry.turn is not None else ""
    return f"{_short(entry.at)} {entry.outcome}, {entry.reason}{turn}"


def _decision_facts(entry: RecordEntry) -> Facts:
    yield "from", entry.source
    if entry.status:
        yield "status", entry.status
    if entry.suppressed_by:
        until = f" until {_short(entry.suppressed_until)}" if entry.suppressed_until else ""
        yield "held by", f"{holder_words(entry.suppressed_by)}{until}"
    if entry.shadowed_by:
        yield "would be held", f"by {', '.join(f'shadow rule {name}' for name in entry.shadowed_by)}"
    if entry.destinations:
        yield "goes to", ", ".join(entry.destinations)
    yield "steps", "; ".join(stored_step(step).words for step in entry.steps)


def _destination_words(one: DestinationLife) -> str:
    return f"{one.name} ({one.lane} lane)" if one.lane is not None else one.name


def _destination_facts(one: DestinationLife) -> Facts:
    if one.held is not None:
        yield "now", one.held
    if one.pause is not None:
        yield (
            "paused",
            f"since {timestamp(one.pause.since)}, tries again at {timestamp(one.pause.probe)}: {one.pause.error}",
        )
    if one.unready is not None and one.is_waited_for:
        yield "not yet", one.unready
    if (group := one.group) is not None:
        common = " and ".join(f"{name} {value}" for name, value in group.by)
        what = (
            "a summary of what the limit held back" if group.is_summary else f"the group of {common or 'one incident'}"
        )
        size = (
            f": {counted(group.total, 'signal')}, {group.standing} of them not over" if group.total is not None else ""
        )
        yield "member of", f"{what}{size}"
        yield "group key", group.key
        yield "last change", f"{timestamp(group.changed)}, by this signal"
    elif not one.deliveries:
        yield "deliveries", "none is kept"


def _turn(one: DestinationLife, delivery: DeliveryStatus) -> str:
    of_group = one.group is not None and delivery.key == one.group.key
    return f"group's {delivery.turn}" if of_group else str(delivery.turn)


def _failure_rows(one: DestinationLife, delivery: DeliveryStatus) -> Iterator[Sequence[object]]:
    for failed in delivery.failed:
        yield f"of turn {_turn(one, delivery)}", timestamp(failed.at), failed.error


def _delivery_row(one: DestinationLife, delivery: DeliveryStatus) -> Sequence[object]:
    return (
        _turn(one, delivery),
        delivery.change,
        delivery.state,
        timestamp(delivery.born),
        delivery.attempts,
        timestamp(delivery.settled) if delivery.settled is not None else None,
        _receipt_words(delivery),
        delivery.error,
    )


def _receipt_words(delivery: DeliveryStatus) -> str | None:
    receipt = delivery.receipt
    if receipt is None:
        return None
    refused, key = receipt.handles.get("refused"), receipt.handles.get(REFUSED_KEY)
    parts = [
        receipt.reference,
        receipt.link,
        f"refused for {refused}" if refused else None,
        f"by the destination's own key, since the owner's, {key}, is refused" if key else None,
    ]
    return ", ".join(part for part in parts if part) or "taken"


def _short(written: str | None) -> str | None:
    """An instant of the record as people read it; what is none stands as it is written."""
    if written is None:
        return None
    try:
        return timestamp(datetime.fromisoformat(written))
    except ValueError:
        return written
