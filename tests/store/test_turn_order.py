"""The turn order that the store follows is the one that the pure rules give, whatever happens to a signal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from router.domain.deliveries import Backlog, Claim, DeliveryState, DeliveryStatus, Receipt
from router.domain.rulebook import Lane
from router.store.claims import Recipient, bring_forward, release_claims, settle_claims
from router.store.dead_letters import Redrive, abandon_deliveries, discard, redrive
from router.store.deliveries import add_deliveries, read_statuses
from router.store.delivery_lifecycle import born_at, first_open
from router.store.delivery_status import count_deliveries, list_backlogs
from router.store.store import Store
from tests.builders import NOW
from tests.domain.signal_model import (
    FAR_JUMPS,
    Abandon,
    Act,
    Add,
    BringForward,
    Die,
    Event,
    Jump,
    Restart,
    Settle,
    SignalModel,
    Work,
)
from tests.examples import some_of
from tests.store.acts import an_empty_store, letters_in, run
from tests.store.builders import a_delivery
from tests.store.opened import Place
from tests.store.within import claim_in, within

LANES = st.sampled_from([Lane.TICKET, Lane.ROWS])
LATE = NOW + timedelta(days=9_000)
"""Later than any clock of a history."""

LOOKS = 4
"""Events after which somebody looks at the figures."""


class InStore:
    """A signal in a store, and its model, to which the same happens: after each event both are in the same state."""

    def __init__(self, store: Store, lane: Lane) -> None:
        self.store = store
        self.model = SignalModel(lane)
        self.claims: list[Claim] = []
        self.receipts: dict[int, Receipt] = {}

    async def play(self, events: Sequence[Event]) -> None:
        """Has it all happen, a second apart."""
        for place, event in enumerate(events, 1):
            self.model.now += timedelta(seconds=1)
            await self.happen(event)
            entries = await within(self.store, read_statuses, self.model.clock, "key=?", "k")
            assert {one.turn: facts(one) for one in entries} == {
                turn: facts(one) for turn, one in self.model.entries.items()
            }, event
            if place % LOOKS == 0:
                await self.look()

    async def happen(self, event: Event) -> None:
        """Has something happen to both."""
        model, before = self.model, dict(self.model.entries)
        if isinstance(event, Settle):
            await self.settle(event)
        if isinstance(event, Die):
            for _ in range(event.times):
                model.happen(Die())
                await self.work()
            self.claims.clear()
            return
        model.happen(event)
        match event:
            case Add():
                one = list(model.entries.values())[-1]
                owed = a_delivery(one.turn, one.change, opened=one.opened, lane=one.lane)
                await within(self.store, add_deliveries, [owed, owed], model.clock)
            case Work():
                await self.work()
            case Abandon():
                await within(self.store, abandon_deliveries, "cwpp", [], LATE, model.clock)
            case BringForward():
                await within(self.store, bring_forward, "cwpp", "tickets", model.clock)
            case Restart():
                await within(self.store, release_claims)
            case Act(redrives, which):
                letters = [one for one in before.values() if one.state is DeliveryState.DEAD][which : which + 1]
                for letter in letters:
                    after = model.entries[letter.turn].state
                    is_owed = after is DeliveryState.OWED
                    expected = True if not redrives else Redrive.OWED if is_owed else Redrive.OVERTAKEN
                    do = redrive if redrives else discard
                    assert await within(self.store, do, letter.id, model.clock) is expected

    async def work(self) -> None:
        """Claims as the model did. What is given up on has a pass of its own here."""
        clock, until = self.model.clock, self.model.clock + self.model.lease
        for _ in range(3):
            if found := await claim_in(self.store, Recipient("cwpp", Lane.TICKET, "tickets"), clock, until, 10):
                break
        ours = [one for one in self.model.entries.values() if one.due == until and one.state is DeliveryState.CLAIMED]
        for claim in found:
            entry = self.model.entries[claim.delivery.turn]
            assert (claim.number, claim.lost, claim.born) == (entry.attempts, entry.lost, born_at(entry.born, clock))
            assert claim.opening == (self.receipts.get(entry.opened) if entry.opened != entry.turn else None)
        assert len(found) == len(ours) <= 1
        self.claims += found

    async def settle(self, event: Settle) -> None:
        """Settles a claim as the model is about to."""
        if len(self.claims) > event.which:
            claim = self.claims.pop(-1 - event.which)
            settlement = self.model.settlement_for(event, claim)
            if event.state is DeliveryState.SENT:
                settlement = replace(settlement, receipt=Receipt(reference=claim.id))
                ours = self.model.entries[claim.delivery.turn]
                if ours.state is not DeliveryState.SENT and claim.id.startswith(f"{ours.redriven}-"):
                    self.receipts[ours.turn] = Receipt(reference=claim.id)
            await within(self.store, settle_claims, [settlement])

    async def look(self) -> None:
        """Compares the figures that people are shown."""
        entries = list(self.model.entries.values())
        counts = Counter(("tickets", one.state) for one in entries)
        assert await within(self.store, count_deliveries, "cwpp") == counts
        first, owed = first_open(entries), sum(one.is_open for one in entries)
        next = (first.due, first.error) if first is not None else (None, None)
        oldest = min((one.born for one in entries if one.is_open), default=None)
        dead = [one for one in entries if one.state is DeliveryState.DEAD]
        backlogs = {"tickets": Backlog(entries[0].lane, oldest, len(dead), owed, *next)} if entries else {}
        assert await within(self.store, list_backlogs, "cwpp") == backlogs
        letters = await letters_in(self.store)
        told = [(one.delivery.turn, one.attempts, one.born, one.died, one.error) for one in letters]  # type: ignore[union-attr]
        dead.sort(key=lambda one: (str(one.settled), one.id))
        assert told == [(one.turn, one.attempts, one.born, one.settled, one.error) for one in dead]


def facts(entry: DeliveryStatus) -> tuple[object, ...]:
    """What of a delivery is the same wherever it is kept."""
    due = entry.due if entry.is_open else None
    counted = (entry.attempts, entry.lost, entry.redriven)
    return entry.state, due, *counted, entry.born, entry.settled, entry.error, entry.failed


EXAMPLES: list[list[Event]] = [
    [Add(), Abandon(), Add(ends=True), Work()],
    [Add(), Abandon(), Act(redrives=False), Add(ends=True), Work(), Add(), Abandon(), Act(redrives=True)],
    [Add(), Work(), Work(9), Settle(DeliveryState.DEAD, 1), Settle(DeliveryState.SENT), Add(True), Work()],
    [Jump(timedelta(days=400)), Add(), Jump(timedelta()), Work()],
    [
        Add(), Work(), Settle(DeliveryState.OWED, 0, 1, spent=False), Jump(timedelta(days=3)), Add(), Work(),
        Settle(DeliveryState.SENT, 1), Jump(timedelta()), Work(),
    ],
]  # fmt: skip


def play(place: Place, lane: Lane, events: Sequence[Event]) -> None:
    """Plays over an empty store."""
    with an_empty_store(place) as store:
        run(InStore(store, lane).play(events))


def test_the_rules_of_turns_are_those_of_each_store(place: Place) -> None:
    """Whatever a store reads and writes set by set, it decides as one function does of one signal."""
    for events in EXAMPLES:
        play(place, Lane.TICKET, events)
    many = some_of(40 if isinstance(place, str) else 200)

    @settings(max_examples=many)
    @given(LANES, FAR_JUMPS)
    def whatever_happens(lane: Lane, events: Sequence[Event]) -> None:
        play(place, lane, events)

    whatever_happens()
