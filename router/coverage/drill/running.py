"""A drill at work: its destinations, what it raises, what comes of it, and what it leaves behind."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from copy import replace
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import orjson

from router.app.signal_life import DestinationFacts, SignalLife, read_life
from router.app.signal_search import Meant
from router.coverage.drill.azure import Defender
from router.coverage.drill.results import DrillJudgement, DrillResult, OpenReceipt, result_id, result_object
from router.coverage.drill.subjects import DrillSubject, may_belong_to
from router.coverage.drill.verdict import (
    DrillEvidence,
    ExpectedDestination,
    ListedAlert,
    NotDone,
    drilled_alert,
    judge_drill,
)
from router.decide import decide
from router.domain.catalogue import SAMPLE_GROUP, SAMPLE_TITLE, SAMPLE_TYPE
from router.domain.decisions import Outcome
from router.domain.deliveries import DeliveryState, Receipt
from router.domain.documents import DocumentKind, StoredDocument
from router.domain.errors import StoreError
from router.domain.notices import RecordEntry
from router.domain.rulebook import Lane, Rulebook
from router.domain.severity import severity_named
from router.domain.signals import DEFENDER, Alert, Kind, Stream
from router.domain.silences import NO_SILENCES
from router.domain.suppression import NO_SUPPRESSIONS
from router.ingest.coverage_notes import write_documents
from router.store.partitions import find_last_sweep
from router.store.quarantine import list_quarantined
from router.store.search import walk_decisions
from router.store.store import Store

_LISTED_EVERY = timedelta(seconds=15)
"""How often Defender is asked for its list of alerts, which is long in a large subscription."""

_MOST_ALERTS = 50
"""Alerts of a drill that are followed: one bundle makes fewer."""

_MARKS = tuple(one.lower().encode() for one in (SAMPLE_TITLE, f'"{SAMPLE_TYPE}', SAMPLE_GROUP))
"""Texts of a sample alert, in lower case, whether or not it can be parsed."""


def expected_destinations(book: Rulebook, subject: DrillSubject, now: datetime) -> list[ExpectedDestination]:
    """Return the destinations to which the routes lead an alert of a known type of a drill's plan, by name."""
    routes_only = replace(book, suppressions=NO_SUPPRESSIONS)
    real, sampled = set[str](), set[str]()
    for alert in _known_alerts(book, subject):
        decision = decide(alert, routes_only, now, NO_SILENCES)
        if decision.outcome is Outcome.ROUTED:
            (sampled if alert.sample else real).update(decision.destinations)
    taken = real if subject.is_real else sampled
    specs = [book.destinations[name] for name in sorted(real | sampled)]
    return [ExpectedDestination(one.name, one.lane, one.kind, one.name in taken) for one in specs]


def _known_alerts(book: Rulebook, subject: DrillSubject) -> Iterator[Alert]:
    """Return an alert of each known type of the plan: a real one, and samples whose type has Defender's prefix or not."""
    types = (type for type, plan in book.catalogue.resource_plans.items() if plan == subject.plan and "/" in type)
    named = subject.cluster or subject.machine or "Sample-VM"
    group = f"/subscriptions/{subject.subscription}/resourceGroups/Sample-RG"
    resource = f"{group}/providers/{next(types, 'Microsoft.Security/resources')}/{named}"
    for name, known in book.catalogue.types.items():
        is_left_out = subject.cluster is not None and not name.startswith("k8s")
        if known.plan != subject.plan or known.deprecation is not None or is_left_out:
            continue
        real = Alert(
            kind=Kind.ALERT,
            id=f"drill-{name}",
            type=name,
            title=known.title,
            severity=severity_named(known.severity),
            severity_written=known.severity,
            resource=named if named.startswith("/") else resource,
            plan=subject.plan,
            product=DEFENDER,
        )
        yield real
        if not subject.is_real:
            sample = replace(real, title=f"{SAMPLE_TITLE} {known.title}", sample=True)
            yield from (sample, replace(sample, type=f"{SAMPLE_TYPE}{name}"))


@dataclass(kw_only=True)
class Drill:
    """One drill over a state, step by step.

    Attributes:
        called: the destinations that it calls; `expected` are those that it is to prove.
        read_cluster: raises the alert, or NotDone; None if Defender does, or a person.
        defender: None if it raises nothing.
    """

    store: Store
    subject: DrillSubject
    book: Rulebook
    called: Sequence[ExpectedDestination]
    expected: Sequence[ExpectedDestination]
    facts: DestinationFacts
    read_cluster: Callable[[], Awaitable[None]] | None = None
    defender: Defender | None = None
    _evidence: DrillEvidence = field(init=False)
    _before: frozenset[str] = frozenset()
    _own: dict[str, ListedAlert] = field(default_factory=dict)
    _asked_at: datetime | None = None
    _is_ordered: bool = False

    def __post_init__(self) -> None:
        self._evidence = DrillEvidence(began=self.store.now())

    async def prepare(self) -> None:
        """Note the alerts that Defender lists already, which are none of the drill's. Without them nothing is raised."""
        if self.defender is not None:
            try:
                self._before = frozenset(one.name for one in await self.defender.list_alerts())
            except NotDone as fault:
                self._evidence.refused = NotDone(fault.why)

    async def raise_alerts(self) -> bool:
        """Have the alerts raised; return whether they are, or may be. The drill's time begins now."""
        found = self._evidence
        found.began = self.store.now()
        if found.refused is not None:
            return False
        # Set before the order: an order without an answer may have been taken, and its samples are dismissed.
        self._is_ordered = self.defender is not None
        try:
            if self.defender is not None and self.subject.bundle is not None:
                await self.defender.raise_samples(self.subject.bundle)
            elif self.read_cluster is not None:
                await self.read_cluster()
        except NotDone as fault:
            if self._is_ordered and not fault.is_certain:
                found.trouble = fault.why
            else:
                # Samples that come now are another's: they are neither followed nor dismissed.
                self._is_ordered, found.refused = False, fault
                return False
        found.raised = self.store.now()
        return True

    async def look(self, *, is_last: bool = False) -> DrillJudgement:
        """Read what came by now, and at the end also why nothing came, and judge it."""
        found, now = self._evidence, self.store.now()
        if found.raised is not None:
            if is_last or self._asked_at is None or now - self._asked_at >= _LISTED_EVERY:
                self._asked_at = now
                await self._list()
            try:
                found.alerts = [drilled_alert(life, entry) for entry, life in await self._read_lives()]
                if is_last:
                    await self._read_reasons()
                found.unread = None
            except StoreError as fault:
                found.unread = str(fault)
        return judge_drill(self.expected, found, self.store.now(), self.book.hash)

    async def _read_reasons(self) -> None:
        """Read why nothing may have come: the last sweep of the hub, and messages that were not understood."""
        async with self.store.session() as tx:
            self._evidence.swept = await find_last_sweep(tx, Stream.CWPP.value)
            self._evidence.quarantined = [
                f"{one.quarantined.reason} (alert-router quarantine show {one.id})"
                for one in await list_quarantined(tx)
                if one.at >= self._evidence.began and any(mark in one.quarantined.body.lower() for mark in _MARKS)
            ]

    async def dismiss(self) -> tuple[int | None, str | None]:
        """Dismiss the drill's samples; return how many, and why others were not. None if the drill ordered none."""
        if self.defender is None or not self._is_ordered:
            return None, None
        if (why := await self._list()) is not None:
            return 0, f"Defender's list was not to be had, so they stand there: {why}"
        # One order raises one alert of each title and type.
        times = Counter((one.type, one.title) for one in self._own.values())
        standing = [one for one in self._own.values() if not one.is_over]
        own = [one for one in standing if times[one.type, one.title] == 1]
        refused = await self.defender.dismiss(own)
        dismissed = len(own) - len(refused)
        if others := ", ".join(one.name for one in standing if one not in own):
            refused.append(f"another order raised the same samples meanwhile, which cannot be told apart: {others}")
        if not self._own:
            refused.append("Defender lists none of them yet; those that it lists later stand there")
        return dismissed, "; ".join(refused) or None

    async def result(self, judgement: DrillJudgement, dismissed: int | None, undismissed: str | None) -> DrillResult:
        """Return what came of it."""
        decided = {one.id.lower() for one in self._evidence.alerts}
        try:
            still_open: list[OpenReceipt] | None = _open_in(await self._read_lives())
        except StoreError:
            still_open = None
        return DrillResult(
            subject=self.subject,
            began=self._evidence.began,
            ended=self.store.now(),
            judgement=judgement,
            left_out=[one.name for one in self.called if one not in self.expected],
            alerts=[{"id": one.id, "outcome": one.outcome.value} for one in self._evidence.alerts],
            dismissed=dismissed,
            undismissed=undismissed,
            undecided=sorted(name for name in self._own if name.lower() not in decided),
            open=still_open,
        )

    async def write(self, result: DrillResult) -> None:
        """Write the result for the coverage gate, over that of the last drill of the same subject; raises StoreError."""

        def document_after(id: str, stored: StoredDocument | None) -> StoredDocument:
            version, body = stored.version if stored is not None else None, orjson.dumps(result_object(result))
            return StoredDocument(kind=DocumentKind.FACT, id=id, at=result.ended, body=body, version=version)

        await write_documents(self.store, DocumentKind.FACT, [result_id(self.subject)], document_after)

    async def _list(self) -> str | None:
        """Read which samples Defender lists that it did not list before; return why it could not be read."""
        if self.defender is None:
            return None
        try:
            listed = await self.defender.list_alerts()
        except NotDone as fault:
            self._evidence.trouble = fault.why
            return fault.why
        plan_of = self.book.catalogue.find_plan
        self._own |= {
            one.name: one
            for one in listed
            if one.is_sample and one.name not in self._before and plan_of(one.component, one.type) == self.subject.plan
        }
        self._evidence.listed = self._own
        if self._own and self._evidence.first_listed is None:
            self._evidence.first_listed = self.store.now()
        return None

    async def _read_lives(self) -> list[tuple[RecordEntry, SignalLife]]:
        """Return the decisions on the drill's alerts, oldest first, each with its signal's life; raises StoreError."""
        ids, subject = {name.lower() for name in self._own}, self.subject
        now = self.store.now()
        since, until = self._evidence.began, now + timedelta(days=1)
        async with self.store.session() as tx:
            pages = walk_decisions(tx, Stream.CWPP.value, since, until, frozenset(Outcome))
            first = [entry async for page in pages for entry in page if entry.turn == 1]
        fitting = [entry for entry in first if may_belong_to(entry, subject, ids)]
        own = [entry for entry in fitting if subject.is_real or (entry.id or "").lower() in ids]
        self._evidence.has_foreign = len(own) < len(fitting)
        own = sorted(own, key=lambda entry: (entry.at, entry.key))[:_MOST_ALERTS]
        meant = [Meant(entry.signal or "", Stream.CWPP.value) for entry in own]
        lives = await asyncio.gather(*(read_life(self.store, one, now, self.facts) for one in meant))
        return list(zip(own, lives, strict=True))


def _open_in(lives: Sequence[tuple[RecordEntry, SignalLife]]) -> list[OpenReceipt]:
    """Return the pages and tickets that are open, or still to come."""
    of_group = Counter(one.group.key for _, life in lives for one in life.destinations if one.group is not None)
    found = (one for entry, life in lives for one in _open_receipts(life, entry.title or "", of_group))
    return list(dict.fromkeys(found))


def _open_receipts(life: SignalLife, title: str, of_group: Mapping[str, int]) -> Iterator[OpenReceipt]:
    for one in life.destinations:
        if one.lane is None or one.lane is Lane.ROWS or life.row is None or one.name not in life.row.open:
            continue
        receipts = [two.receipt or Receipt() for two in one.all_deliveries if two.state is DeliveryState.SENT]
        if receipts or one.is_waited_for:
            receipt = next((two for two in receipts if two.reference), (*receipts, Receipt())[0])
            others = max((one.group.total or 0) - of_group[one.group.key], 0) if one.group is not None else 0
            yield OpenReceipt(one.name, one.lane.value, receipt.reference, receipt.link, title, others, not receipts)
