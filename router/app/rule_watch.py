"""Has people hear of what happens in the life of rules, silences and holds: once each, whatever restarts.

A batch of events is written down first, then owed as ordinary deliveries, then struck off as published. Whoever dies in between
leaves a batch that the next sweep publishes under the same keys. Of two workers one writes; the other finds that it was faster.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from heapq import nsmallest

from router.decide.lifecycle_events import (
    EndingRules,
    EventCandidate,
    ends_of_holds,
    ends_of_rules,
    ends_of_silences,
    made,
    rules_that_hold_nothing,
    scopes_silenced_for_long,
)
from router.decide.markup import plain_text
from router.decide.rule_notices import MOST_NAMED, Recipients, announcements_of
from router.destinations.email.kind import EmailConfig
from router.domain.changes import read_changes
from router.domain.clocks import is_recent
from router.domain.counts import RuleHits, counted_name
from router.domain.destination_holds import read_holds
from router.domain.documents import DocumentKind, StoredDocument
from router.domain.holders import silence_name
from router.domain.known_rules import is_to_be_renewed
from router.domain.lookback import HeldCounts, StandingSignal
from router.domain.rule_events import (
    LOOKBACK,
    MOST_AT_ONCE,
    NO_EVENTS,
    EventBatch,
    EventKind,
    EventLog,
    EventSubject,
    HeldNow,
    HeldSignal,
    RuleEvent,
    document_of_log,
    event_log_in,
    log_after,
    published,
)
from router.domain.rulebook import Rulebook
from router.domain.severity import gravity_of
from router.domain.silence_bounds import MONTH
from router.domain.silence_documents import read_silences
from router.domain.silences import Silence
from router.ingest.rule_register import RuleRegister
from router.store import signals
from router.store.decisions import read_hits
from router.store.deliveries import add_deliveries
from router.store.documents import find_document, list_documents, put_document
from router.store.store import Store

EVERY = timedelta(minutes=1)
"""How often it is looked for events, by a process that sweeps more often."""

SELDOM = timedelta(hours=1)
"""How often it is looked for rules that hold nothing: that reads the hits of all."""

MOST_LOOKED_INTO = 20
"""Rules and silences of a batch of which it is looked at what they hold; of the others only how much."""

MOST_READ = 1_000
"""Signals that are read of what one of them holds, to find the gravest."""


class RuleWatch:
    """Watches the rules, silences and holds of one stream; raises StoreError. Safe to repeat, and to break off anywhere.

    Where the policy's `notify` names nobody it only keeps since when each rule is known,
    which asks the state once in the life of a rulebook.
    """

    def __init__(self, store: Store, rulebook: Rulebook) -> None:
        self._store = store
        self._rulebook = rulebook
        self._stream = rulebook.stream.value
        self._recipients = recipients_of(rulebook)
        self._rules = rulebook.suppressions.by_name
        self._ending = EndingRules.of(self._rules.values()) if self._recipients.destinations else EndingRules((), ())
        self._has_rules = bool(self._rules or rulebook.shadows.by_name)
        self._register = RuleRegister(store, rulebook)
        self._looked: datetime | None = None
        self._searched: datetime | None = None
        self._compared: datetime | None = None

    async def notify(self, now: datetime) -> int:
        """Owes people what happened and they were not notified of yet; returns how many deliveries.

        It is to be called before what ended is decided again: what a rule held is told with its end.
        """
        if self._looked is not None and is_recent(self._looked, now, EVERY):
            return 0
        if self._has_rules:
            # Also where nobody is to hear: `rules list` says since when each holds nothing.
            await self._register.known_rules(now)
        if not self._recipients.destinations:
            self._looked = now
            return 0
        async with self._store.session() as tx:
            document = await find_document(tx, DocumentKind.RULE_EVENTS, self._stream)
        log = event_log_in(document.body) if document is not None else NO_EVENTS
        if log.batch is not None and document is not None:
            # Somebody died, or is at it just now: the keys are the same.
            owed = await self._publish(log, log.batch, document, now)
        else:
            owed = await self._look(log, document, now)
        self._looked = now
        return owed

    async def _look(self, log: EventLog, document: StoredDocument | None, now: datetime) -> int:
        silences, ends = await self._events(now)
        candidates = [one for one in ends if log.is_news(one.event, now)][:MOST_AT_ONCE]
        if not candidates:
            if document is not None and is_to_be_renewed(document, now):
                await self._store.run(lambda tx: put_document(tx, replace(document, at=now)))
            return 0
        news = await self._described(candidates, silences, now)
        last = document.at if document is not None else now
        after = log_after(log, [one.event for one in candidates], news, now, last)
        stored = document_of_log(self._stream, after, now, document.version if document is not None else None)
        version = await self._store.run(lambda tx: put_document(tx, stored))
        if version is None or after.batch is None:
            return 0
        return await self._publish(after, after.batch, replace(stored, version=version), now)

    async def _publish(self, log: EventLog, batch: EventBatch, document: StoredDocument, now: datetime) -> int:
        """Owes what a batch tells, and strikes it off."""
        deliveries = announcements_of(batch, self._stream, self._recipients, self._rulebook.hash)
        await self._store.run(lambda tx: add_deliveries(tx, deliveries, now))
        await self._store.run(
            lambda tx: put_document(tx, document_of_log(self._stream, published(log), document.at, document.version))
        )
        return len(deliveries)

    async def _events(self, now: datetime) -> tuple[dict[str, Silence], list[EventCandidate]]:
        """The silences of the stream that are not long over, by their names, and all that happened lately."""
        async with self._store.session() as tx:
            stored = await list_documents(tx, DocumentKind.SILENCE, now - max(LOOKBACK, MONTH))
        silences = {one.name: one for one in read_silences(stored).silences if one.stream == self._stream}
        async with self._store.session() as tx:
            holds, _ = read_holds(await list_documents(tx, DocumentKind.HOLD, now - LOOKBACK))
        async with self._store.session() as tx:
            changes, _ = read_changes(await list_documents(tx, DocumentKind.CHANGE, now - timedelta(days=2)))
        events = [
            *ends_of_rules(self._ending, self._rulebook.warn, now),
            *ends_of_holds((one for one in holds if one.stream == self._stream), now),
            *made((one for one in changes if one.stream == self._stream), now),
            *await self._unused(now),
            *self._silenced_for_long(silences, now),
        ]
        return silences, [*map(EventCandidate, events), *ends_of_silences(silences.values(), now)]

    async def _unused(self, now: datetime) -> list[RuleEvent]:
        if not self._rules or (self._searched is not None and is_recent(self._searched, now, SELDOM)):
            return []
        known = await self._register.known_rules(now)
        async with self._store.session() as tx:
            hits = await read_hits(tx, self._stream)
        found = [*rules_that_hold_nothing(self._rules.values(), known, hits, (), now)]
        held = await self._count_held() if found else HeldCounts({}, is_whole=True)
        self._searched = now
        # What was not counted to the end may be held by any of them.
        return [one for one in found if held.is_whole and not held.by_name.get(one.name)]

    def _silenced_for_long(self, silences: dict[str, Silence], now: datetime) -> list[RuleEvent]:
        if self._compared is not None and is_recent(self._compared, now, SELDOM):
            return []
        self._compared = now
        return [*scopes_silenced_for_long(silences.values(), now)]

    async def _described(
        self, candidates: Sequence[EventCandidate], silences: dict[str, Silence], now: datetime
    ) -> list[RuleEvent]:
        """The events that people hear of, with what is known of what each rule and silence holds."""
        about = {name for one in candidates if (name := _holder_of(one.event)) is not None}
        if not about:
            return [one.event for one in candidates]
        async with self._store.session() as tx:
            hits = await read_hits(tx, self._stream)
        held = await self._count_held()
        described: list[RuleEvent] = []
        looked_into = 0
        for event, since in candidates:
            name = _holder_of(event)
            if name is None:
                described.append(event)
                continue
            some = hits.get(counted_name(name))
            if since is not None and (some is None or some.last < since):
                continue
            count = held.by_name.get(name, 0)
            gravest: tuple[HeldSignal, ...] = ()
            if count and looked_into < MOST_LOOKED_INTO:
                looked_into += 1
                gravest = await self._gravest(name)
            described.append(_with_facts(event, some, HeldNow(count=count, is_whole=held.is_whole, gravest=gravest)))
        return described

    async def _gravest(self, name: str) -> tuple[HeldSignal, ...]:
        """The gravest of what a rule or silence holds."""
        found: list[HeldSignal] = []
        read = 0
        async with self._store.session() as tx:
            async for page in signals.walk_held(tx, self._stream, name):
                found = nsmallest(
                    MOST_NAMED, [*found, *map(_held_signal, page.signals)], key=lambda one: -gravity_of(one.severity)
                )
                read += len(page.signals)
                if read >= MOST_READ:
                    break
        return tuple(found)

    async def _count_held(self) -> HeldCounts:
        async with self._store.session() as tx:
            return await signals.count_held(tx, self._stream)


def recipients_of(rulebook: Rulebook) -> Recipients:
    """Who hears of the rules of a stream, by its policy."""
    specs = [rulebook.destinations[name] for name in rulebook.notify if name in rulebook.destinations]
    mail = [(spec, spec.config) for spec in specs if isinstance(spec.config, EmailConfig)]
    return Recipients(
        destinations=specs,
        mail=mail[0][0] if mail else None,
        reached=frozenset(address.casefold() for _, config in mail for address in config.to),
    )


def _holder_of(event: RuleEvent) -> str | None:
    """The name on record of what an event is about, where it holds signals and the event tells what."""
    if event.subject is EventSubject.HOLD or event.kind in (EventKind.MADE, EventKind.EXTENDED):
        return None
    return silence_name(event.name) if event.subject is EventSubject.SILENCE else event.name


def _with_facts(event: RuleEvent, hits: RuleHits | None, held: HeldNow) -> RuleEvent:
    return replace(
        event, hits=hits.total if hits is not None else 0, last=hits.last if hits is not None else None, held=held
    )


def _held_signal(signal: StandingSignal) -> HeldSignal:
    fields = signal.fields
    severity = signal.severity.label if signal.severity is not None else None
    if fields is None:
        return HeldSignal("a signal of which nothing is kept to name it by", severity, None)
    title = " ".join(plain_text(fields.title or fields.type).split())[:200]
    where = (fields.resource or "").rstrip("/").rpartition("/")[2] or fields.compromised_entity
    return HeldSignal(title, severity, where[:200] if where else None)
