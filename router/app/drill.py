"""A drill at work: what is known before it, what is raised, what comes of it, and what is left behind.

Each step may be taken by itself, so that whoever runs them can stop between any two, and still have the samples dismissed.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from router.app.clock import Clock
from router.app.drill_azure import Defender
from router.app.drill_cluster import ClusterReader
from router.app.drill_reader import DrillReader
from router.app.drill_turn import alone
from router.app.signal_life import DestinationFacts
from router.domain.catalogue import Catalogue
from router.domain.clocks import SKEW
from router.domain.documents import DocumentKind, StoredDocument
from router.domain.errors import BadUsage, StoreError
from router.drill.evidence import DrilledAlert, DrillEvidence
from router.drill.expected import DrillForecast, ExpectedDestination
from router.drill.listed import ListedAlert, own_alerts, without_anothers
from router.drill.results import DrillJudgement, DrillResult, OpenReceipt, document_of_result, result_id
from router.drill.simulation import NotDone, Simulation
from router.drill.subjects import DrillSubject, ListedIds
from router.drill.verdict import judge_drill
from router.ingest.document_writes import write_documents
from router.store.store import Store

LISTED_EVERY, LISTED_SOON = timedelta(seconds=20), timedelta(seconds=4)
"""How often Defender is asked for its list of alerts, which in a large subscription is long; sooner where something came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillPlan:
    """What a drill goes by.

    Attributes:
        subject: what it is about.
        expected: the destinations that it is to prove.
        forecast: whom it is going to call, of which those are some or all.
        catalogue: what is known of alert types.
        facts: what is known of destinations beside the state.
    """

    subject: DrillSubject
    expected: Sequence[ExpectedDestination]
    forecast: DrillForecast
    catalogue: Catalogue
    facts: DestinationFacts


class Drill:
    """One drill over a state; `defender` is None where a person raises the alert, or `cluster` does it by a read."""

    def __init__(
        self,
        plan: DrillPlan,
        store: Store,
        defender: Defender | None,
        clock: Clock,
        cluster: ClusterReader | None = None,
    ) -> None:
        self.plan = plan
        self._cluster = cluster
        self._store = store
        self._defender = defender
        self._clock = clock
        self._evidence = DrillEvidence(began=clock())
        self._reader = DrillReader(store, plan.subject, self._evidence.began, plan.facts)
        self._before: frozenset[str] | None = None
        self._own: dict[str, ListedAlert] = {}
        self._asked_at: datetime | None = None
        self._poll: str | None = None
        self._is_ordered = False
        self._is_list_whole = True
        self._enqueued: dict[str, datetime] = {}

    @property
    def was_raised(self) -> bool:
        """Whether alerts were raised, or may have been."""
        return self._evidence.raised is not None or self._is_ordered

    @property
    def judgement(self) -> DrillJudgement:
        """How it is judged by what is known now."""
        return judge_drill(self.plan.expected, self._evidence, self._clock(), self.plan.forecast)

    def alone(self, within: timedelta) -> AbstractAsyncContextManager[None]:
        """A context in which no other drill of its subject begins; raises BadUsage where one is under way, and StoreError."""
        return alone(self._store, self.plan.subject, self._clock(), within)

    async def prepare(self) -> None:
        """Notes what is there already, which is none of the drill's; raises StoreError.

        Raises BadUsage where this machine's clock differs so much from Azure's that nothing could be told by times.
        """
        await self._reader.know_before(self._clock())
        if self._defender is None:
            return
        refused = await self._defender.locate()
        if refused is not None:
            self._evidence = replace(self._evidence, refused=refused.why)
            return
        ahead = self._defender.ahead or timedelta()
        if abs(ahead) > SKEW:
            differs = (
                f"{abs(ahead) // timedelta(minutes=1)} min {'ahead of' if ahead > timedelta() else 'behind'} Azure's"
            )
            raise BadUsage(f"drill: this machine's clock is {differs}, so that nothing was raised; set it right")
        listed = await self._defender.list_alerts()
        if not isinstance(listed, NotDone) and listed.is_whole:
            self._before = frozenset(one.name for one in listed.alerts)

    async def raise_alerts(self) -> bool:
        """Has the alerts raised, unless it is known by now that nobody can; whether they are. The drill's time begins now."""
        began = self._clock()
        self._evidence = replace(self._evidence, began=began)
        if self._evidence.refused is not None:
            return False
        bundle = self.plan.subject.bundle
        if self._defender is None or bundle is None:
            refused = await self._cluster.read() if self._cluster is not None else None
            raised_at = self._clock() if refused is None else None
            self._evidence = replace(self._evidence, raised=raised_at, refused=refused)
            return refused is None
        # Whatever Azure answers, or does not: from now on there may be samples.
        self._is_ordered = True
        raised = await self._defender.raise_samples(bundle)
        if isinstance(raised, NotDone) and raised.is_certain:
            # Samples that come now are another's: they are neither followed nor dismissed.
            self._is_ordered = False
            self._evidence = replace(self._evidence, refused=raised.why, is_busy=raised.is_busy)
            return False
        doubted = raised.why if isinstance(raised, NotDone) else None
        self._poll = raised.poll if isinstance(raised, Simulation) else None
        self._evidence = replace(self._evidence, raised=self._clock(), doubted=doubted)
        return True

    async def look(self) -> DrillJudgement:
        """Reads what came of it by now, and judges it; what could not be read proves nothing."""
        await self._ask_defender()
        now = self._clock()
        try:
            found = await self._reader.read_alerts(self._listed_ids, now)
        except StoreError as fault:
            self._evidence = replace(self._evidence, unread=str(fault))
        else:
            alerts = tuple(map(self._with_enqueued, found))
            self._evidence = replace(self._evidence, alerts=alerts, doubts=self._reader.doubts, unread=None)
        return self.judgement

    async def look_last(self) -> DrillJudgement:
        """The same at the end, with what says why nothing came."""
        self._asked_at = None
        await self.look()
        try:
            self._evidence = replace(
                self._evidence,
                quarantined=tuple(await self._reader.read_quarantined()) if not self._evidence.alerts else (),
                is_whole=self._reader.is_whole,
                swept=await self._reader.find_last_sweep(),
            )
        except StoreError as fault:
            self._evidence = replace(self._evidence, unread=str(fault))
        return self.judgement

    async def dismiss(self) -> tuple[int | None, str | None]:
        """Dismisses the drill's sample alerts in Defender: how many, and why others could not be; None where it has none."""
        if self._defender is None or not self._is_ordered:
            return None, None
        await self._list()
        if self._evidence.unlisted is not None:
            return 0, f"Defender's list was not to be had, so they stand there: {self._evidence.unlisted}"
        own, anothers = without_anothers([one for one in self._own.values() if not one.is_over])
        refused = [one.why for one in await self._defender.dismiss(own)]
        dismissed = len(own) - len(refused)
        if not self._is_list_whole:
            refused.append("Defender's list has more pages than are read, so that some may stand there")
        if anothers:
            names = ", ".join(one.name for one in anothers)
            refused.append(f"another one raised the same meanwhile, and which is whose nobody can tell: {names}")
        if not self._own:
            refused.append("Defender lists none of them yet; those that it lists later stand there")
        elif self._poll is not None:
            refused.append("Defender still carries the order out; those that it lists later stand there")
        return dismissed, "; ".join(refused) or None

    async def result(self, judgement: DrillJudgement, dismissed: int | None, undismissed: str | None) -> DrillResult:
        """What came of it."""
        now = self._clock()
        decided = {one.id.lower() for one in self._evidence.alerts}
        still_open: Sequence[OpenReceipt] | None
        try:
            still_open = await self._reader.read_open(self._listed_ids, now)
        except StoreError:
            still_open = None
        return DrillResult(
            subject=self.plan.subject,
            began=self._evidence.began,
            ended=now,
            judgement=judgement,
            left_out=[one.name for one in self.plan.forecast.expected if one not in self.plan.expected],
            alerts={one.id: one.outcome.value for one in self._evidence.alerts},
            dismissed=dismissed,
            undismissed=undismissed,
            undecided=sorted(name for name in self._own if name.lower() not in decided),
            still_open=still_open,
        )

    async def write(self, result: DrillResult) -> None:
        """Writes the result down for the gate, over what was there of an earlier drill; raises StoreError."""

        def document_after(_: str, stored: StoredDocument | None) -> StoredDocument:
            return document_of_result(result, stored.version if stored is not None else None)

        await write_documents(self._store, DocumentKind.FACT, [result_id(self.plan.subject)], document_after)

    @property
    def _listed_ids(self) -> ListedIds:
        are_all = self._evidence.listed is not None and self._is_list_whole
        return ListedIds(frozenset(name.lower() for name in self._own), are_all)

    async def _ask_defender(self) -> None:
        if self._defender is None or self._evidence.raised is None:
            return
        if self._poll is not None:
            done = await self._defender.is_ended(self._poll)
            if isinstance(done, NotDone):
                self._evidence = replace(self._evidence, refused=done.why)
            if done is not False:
                self._poll = None
        now = self._clock()
        every = LISTED_SOON if self._evidence.doubts else LISTED_EVERY
        if self._asked_at is None or now - self._asked_at >= every:
            self._asked_at = now
            await self._list()

    async def _list(self) -> None:
        if self._defender is None:
            return
        listed = await self._defender.list_alerts()
        if isinstance(listed, NotDone):
            self._evidence = replace(self._evidence, unlisted=listed.why)
            return
        self._is_list_whole = listed.is_whole
        plan, began = self.plan, self._evidence.began
        for one in own_alerts(listed.alerts, plan.subject, began, self._before, plan.catalogue):
            self._own[one.name] = one
        first = self._evidence.first_listed or (self._clock() if self._own else None)
        dismissed = sum(one.is_over for one in self._own.values())
        self._evidence = replace(
            self._evidence, unlisted=None, listed=len(self._own), dismissed=dismissed, first_listed=first
        )

    def _with_enqueued(self, alert: DrilledAlert) -> DrilledAlert:
        """An alert with the instant at which the hub got its first message, which a later one hides."""
        if alert.enqueued is not None:
            self._enqueued.setdefault(alert.key, alert.enqueued)
        return replace(alert, enqueued=self._enqueued.get(alert.key))
