"""Has people hear of what happens in the life of rules, silences and holds: once each, also with several workers."""

from __future__ import annotations

from collections.abc import Sequence
from copy import replace
from datetime import datetime, timedelta
from heapq import nsmallest
from itertools import islice

from router.decide.markup import plain_text
from router.decide.rule_notices import (
    LOOKBACK,
    MOST_NAMED,
    UNUSED,
    EventSubject,
    HeldNow,
    Recipients,
    RuleEvent,
    announcements_of,
    ends_of_holds,
    ends_of_rules,
    ends_of_silences,
    rules_that_hold_nothing,
    sorted_by_end,
)
from router.destinations.email import EmailConfig
from router.domain.clocks import is_possible, is_recent
from router.domain.counts import counted_name
from router.domain.destination_holds import DestinationHold
from router.domain.documents import DocumentKind
from router.domain.notices import NamedMember
from router.domain.rule_fields import StandingSignal
from router.domain.rulebook import Rulebook
from router.domain.severity import gravity_of
from router.domain.silences import shadow_name, silence_name
from router.store import signals
from router.store.deliveries import add_deliveries
from router.store.documents import list_documents, read_silences, read_values
from router.store.rules import find_announced, find_unused_rules, note_rules, read_hits, write_announced
from router.store.store import Store, Transaction

EVERY = timedelta(minutes=1)
"""How often it is looked for events, by a process that sweeps more often."""

SELDOM = timedelta(hours=1)
"""How often it is looked for rules that hold nothing: that reads the hits of all."""

MOST_AT_ONCE = 1_000
"""Events that are told together; the next look goes on."""

MOST_LOOKED_INTO = 20
"""Rules and silences of which it is looked at what they hold; of the others only how much."""

MOST_READ = 1_000
"""Signals that are read of what one of them holds, to find the gravest."""


class RuleWatch:
    """Watches the rules, silences and holds of one stream; raises StoreError. Safe to repeat, and to break off anywhere.

    Where `notify` names no destination it only notes since when each rule is known, once in the life of a rulebook.
    """

    def __init__(self, store: Store, rulebook: Rulebook) -> None:
        self._store = store
        self._rulebook = rulebook
        self._stream = rulebook.stream.value
        self._recipients = recipients_of(rulebook)
        self._rules = rulebook.suppressions.by_name
        self._by_end = sorted_by_end(self._rules.values()) if self._recipients.destinations else ()
        self._names = {*self._rules, *map(shadow_name, rulebook.shadows.by_name)}
        self._noted: datetime | None = None
        self._looked: datetime | None = None
        self._searched: datetime | None = None

    async def notify(self, now: datetime) -> int:
        """Owes people what happened and they were not notified of yet; returns how many deliveries.

        It is to be called before what ended is decided again: what a rule held is told with its end.
        """
        if self._looked is not None and is_recent(self._looked, now, EVERY):
            return 0
        if self._names and (self._noted is None or not is_possible(self._noted, now)):
            # Also where no one is to hear: `rules list` says since when each holds nothing.
            await self._store.run(lambda tx: note_rules(tx, self._stream, self._names, now))
            self._noted = now
        is_told = bool(self._recipients.destinations)
        events = [*await self._find_ends(now), *await self._find_unused(now)] if is_told else []
        owed = await self._store.run(lambda tx: self._tell_in(tx, events, now)) if events else 0
        self._looked = now
        return owed

    async def _find_ends(self, now: datetime) -> list[RuleEvent]:
        """The ends that are near, and those of the last weeks."""
        async with self._store.session() as tx:
            silences = read_silences(await list_documents(tx, DocumentKind.SILENCE, now - LOOKBACK)).values
            holds = read_values(DestinationHold, await list_documents(tx, DocumentKind.HOLD, now - LOOKBACK)).values
        return [
            *ends_of_rules(self._by_end, self._rulebook.warn, now),
            *ends_of_holds((one for one in holds if one.stream == self._stream), now),
            *ends_of_silences((one for one in silences if one.stream == self._stream), now),
        ]

    async def _find_unused(self, now: datetime) -> list[RuleEvent]:
        """The rules in force that held nothing for long, and hold nothing now."""
        if not self._rules or (self._searched is not None and is_recent(self._searched, now, SELDOM)):
            return []
        async with self._store.session() as tx:
            since = await find_unused_rules(tx, self._stream, now - UNUSED)
            found = [*rules_that_hold_nothing(self._rules.values(), since, now)]
            held = await signals.count_held(tx, self._stream) if found else {}
        self._searched = now
        return [one for one in found if not held.get(one.name)]

    async def _tell_in(self, tx: Transaction, events: Sequence[RuleEvent], now: datetime) -> int:
        told = await find_announced(tx, self._stream, [one.id for one in events], now)
        news = [*islice((one for one in events if one.id not in told), MOST_AT_ONCE)]
        if not news:
            return 0
        described = await self._described(tx, news)
        deliveries = announcements_of(described, now, self._stream, self._recipients, self._rulebook.hash)
        await add_deliveries(tx, deliveries, now)
        await write_announced(tx, self._stream, {one.id: one.until for one in news}, now)
        return len(deliveries)

    async def _described(self, tx: Transaction, events: Sequence[RuleEvent]) -> list[RuleEvent]:
        """The events that people hear of, with what each rule and silence held and holds."""
        hits, held = await read_hits(tx, self._stream), await signals.count_held(tx, self._stream)
        described: list[RuleEvent] = []
        looked_into = 0
        for event in events:
            if event.subject is EventSubject.HOLD:
                described.append(event)
                continue
            name = event.name if event.subject is EventSubject.RULE else silence_name(event.name)
            some, count = hits.get(counted_name(name)), held.get(name, 0)
            if event.opened is not None and (some is None or some.last < event.opened):
                continue
            gravest: Sequence[NamedMember] = ()
            if count and looked_into < MOST_LOOKED_INTO:
                looked_into += 1
                gravest = await self._find_gravest(tx, name)
            described.append(replace(event, hits=some, held=HeldNow(count=count, gravest=gravest)))
        return described

    async def _find_gravest(self, tx: Transaction, name: str) -> Sequence[NamedMember]:
        """The gravest of what a rule or silence holds."""
        found: list[NamedMember] = []
        read = 0
        async for page in signals.walk_held(tx, self._stream, name):
            found = nsmallest(MOST_NAMED, [*found, *map(_named, page)], key=lambda one: -gravity_of(one.severity))
            read += len(page)
            if read >= MOST_READ:
                break
        return found


def recipients_of(rulebook: Rulebook) -> Recipients:
    """Who hears of the rules of a stream, by its policy."""
    specs = [rulebook.destinations[name] for name in rulebook.notify if name in rulebook.destinations]
    mail = [(spec, spec.config) for spec in specs if isinstance(spec.config, EmailConfig)]
    return Recipients(
        destinations=specs,
        mail=mail[0][0] if mail else None,
        reached=frozenset(address.casefold() for _, config in mail for address in config.to),
    )


def _named(signal: StandingSignal) -> NamedMember:
    """A signal as a notice names it, without markup."""
    fields = signal.fields
    severity = signal.severity.label if signal.severity is not None else None
    if fields is None:
        return NamedMember(key="", title="a signal that is no longer known by a name", severity=severity, place=None)
    title = " ".join(plain_text(fields.title or fields.type).split())[:200]
    where = (fields.resource or "").rstrip("/").rpartition("/")[2] or fields.compromised_entity
    return NamedMember(key="", title=title, severity=severity, place=where[:200] if where else None)
