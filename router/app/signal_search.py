"""Finds the signal that people mean by an id, the end of one, a ticket's number or a resource."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from router.domain.deliveries import DeliveryStatus
from router.domain.keys import ABOUT, same_id, signal_key
from router.domain.readable import storable
from router.domain.signals import Kind, Stream
from router.domain.values import Value
from router.store import groups
from router.store.decisions import AT_RESOURCE, SignalLookup, find_decisions, search_signals
from router.store.delivery_status import find_by_reference, find_last_notice, list_deliveries
from router.store.ledger import RECORD
from router.store.quarantine import QuarantineEntry, list_quarantined
from router.store.signals import find_signals
from router.store.store import Store, Transaction

MOST_SIGNALS = 20
"""Signals of which an end of an id may be meant; more are not told apart."""

_SHORTEST = 6
"""Characters of a text that is looked for in the bodies of quarantined messages: anything shorter is in all of them."""

_KEY_DIGITS, _DIGITS = 32, frozenset("0123456789abcdef")


class Meant(NamedTuple):
    """A signal that people may mean.

    Attributes:
        via: how it was found, where that is not by its own id: the reference of a ticket, or a resource.
    """

    key: str
    stream: str
    via: str | None = None


class Found(Value):
    """What an id of some kind leads to.

    Attributes:
        by_resource: whether it is their resource that is called so.
        by_notice: whether one notice tells of them, that of a group, of a summary or of a ticket.
        quarantined: messages in quarantine that are called so, or that say it; looked for where no signal is found.
    """

    signals: tuple[Meant, ...] = ()
    has_more: bool = False
    by_resource: bool = False
    by_notice: bool = False
    quarantined: tuple[QuarantineEntry, ...] = ()


async def find_meant(store: Store, text: str, only: Stream | None) -> Found:
    """Return the signals that a text may mean: a key, an id or its end, the reference of a ticket, a resource or its end.

    The first of these that leads anywhere counts, so that a whole id is never mistaken for the end of another. The end of an id
    and a reference count alike: many ticket systems number their tickets with a few digits, and so end ids.
    """
    text = storable(text.strip())
    async with store.session() as tx:
        for look in (_by_key, _by_whole_id, _by_end_or_reference, _by_resource):
            found = [one for one in await look(tx, text, only) if only is None or one.stream == only]
            if found:
                signals: dict[tuple[str, str], Meant] = {}
                for one in found:
                    signals.setdefault((one.key, one.stream), one)
                some, has_more = tuple(signals.values())[:MOST_SIGNALS], len(signals) > MOST_SIGNALS
                by_notice = look is _by_key or (look is _by_end_or_reference and all(one.via for one in some))
                return Found(some, has_more, by_resource=look is _by_resource, by_notice=by_notice)
        return Found(quarantined=tuple(await _in_quarantine(tx, text)))


async def _by_key(tx: Transaction, text: str, only: Stream | None) -> list[Meant]:
    """Return the signal with that key, the members of a group with it, or what was told of rules, silences and holds."""
    key = text.lower()
    if len(digits := key.removeprefix(ABOUT)) == _KEY_DIGITS and set(digits) <= _DIGITS:
        statuses = await list_deliveries(tx, key)
        if statuses:
            return await _signals_notified_by(tx, statuses, None)
        if entries := await find_decisions(tx, key, 1):
            return [Meant(key, entries[0].stream or "")]
        return await _known(tx, [key])
    return []


async def _by_whole_id(tx: Transaction, text: str, only: Stream | None) -> list[Meant]:
    """Return the signals of that id; also those of which only the ledger knows."""
    found = await search_signals(tx, text, MOST_SIGNALS + 1, only)
    if whole := [_meant(one) for one in found if one.id == same_id(text)]:
        return whole
    # A look-up has no more than the end of a very long id.
    keys = [signal_key(stream, kind, same_id(text)) for stream in Stream for kind in Kind]
    return await _known(tx, keys)


async def _known(tx: Transaction, keys: list[str]) -> list[Meant]:
    return [Meant(row.key, row.stream) for row in (await find_signals(tx, keys)).values()]


async def _by_end_or_reference(tx: Transaction, text: str, only: Stream | None) -> list[Meant]:
    """Return the signals whose ids end so, and those that a ticket of that number tells of, as it is written or in capitals."""
    found = [_meant(one) for one in await search_signals(tx, text, MOST_SIGNALS + 1, only)]
    for reference in dict.fromkeys((text, text.upper())):
        statuses = await find_by_reference(tx, reference)
        if statuses:
            via = f"{statuses[0].destination} {reference}"
            return [*found, *await _signals_notified_by(tx, statuses, via)]
    return found


async def _signals_notified_by(tx: Transaction, statuses: Iterable[DeliveryStatus], via: str | None) -> list[Meant]:
    """Return the signals that deliveries tell of: by themselves, or as members of groups, as far as those are still named."""
    keys = dict.fromkeys((one.stream, one.destination, one.key) for one in statuses if one.destination != RECORD)
    found = [one for key in keys for one in await _signals_of(tx, *key)]
    return [Meant(key, stream, via) for key, stream in dict.fromkeys(found)]


async def _signals_of(tx: Transaction, stream: str, destination: str, key: str) -> list[tuple[str, str]]:
    """Return the signals of a key, each with its stream: its own, or those that its group names, or named when it ended.

    Where no decision is kept, and there is no such group, it is that of a signal: a group goes with its deliveries.
    """
    if await find_decisions(tx, key, 1):
        return [(key, stream)]
    state = (await groups.find_groups(tx, stream, destination, [key])).get(key)
    if state is None:
        return [(key, stream)]
    last = await find_last_notice(tx, stream, destination, key)
    named = [one.key for one in (*state.group.named, *(last.group.named if last and last.group else ()))]
    speaker = [signal_key(stream, last.kind, last.id)] if last is not None else []
    known = [one for one in dict.fromkeys([*named, *speaker]) if await find_decisions(tx, one, 1)]
    if known:
        return [(one, stream) for one in known]
    # A summary names groups, and of a signal that stands for long no decision may be kept.
    others = [one for one in dict.fromkeys(named) if one != key]
    return [signal for one in others for signal in await _signals_of(tx, stream, destination, one)]


async def _by_resource(tx: Transaction, text: str, only: Stream | None) -> list[Meant]:
    found = await search_signals(tx, text, MOST_SIGNALS + 1, only, AT_RESOURCE)
    whole = [one for one in found if one.resource == same_id(text)]
    return [_meant(one)._replace(via=one.resource) for one in whole or found]


def _meant(found: SignalLookup) -> Meant:
    return Meant(found.signal, found.stream)


async def _in_quarantine(tx: Transaction, text: str) -> list[QuarantineEntry]:
    """Return the messages in quarantine that are called so, or in whose bodies the text stands, whatever its case."""
    wanted = text.lower()
    inside = wanted.encode() if len(wanted) >= _SHORTEST else None
    return [
        one
        for one in await list_quarantined(tx)
        if one.id == wanted or (inside is not None and inside in one.quarantined.body.lower())
    ]
