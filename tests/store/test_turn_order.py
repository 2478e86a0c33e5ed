"""The turn order that the store follows is the one that the pure rules give, whatever happens to a signal."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.domain.decisions import Change
from router.domain.deliveries import (
    Backlog,
    Claim,
    DeadLetter,
    Delivery,
    DeliveryState,
    NextDue,
    Receipt,
    Recipient,
    Redrive,
    Settlement,
)
from router.domain.delivery_errors import DEADLY, NOWHERE
from router.domain.delivery_lifecycle import (
    OutboxEntry,
    added,
    claim_id,
    claimed,
    discarded,
    due_at,
    given_up,
    is_unclaimed,
    losses_of,
    redriven,
    skipped,
)
from router.domain.rulebook import Lane
from router.domain.supersession import is_overtaken, redriven_with
from router.domain.turn_order import ClaimNow, GiveUp, Skip, first_open, next_step
from router.store.claims import settle_claims
from router.store.dead_letters import abandon_deliveries, discard, list_dead_letters, redrive
from router.store.deliveries import add_deliveries
from router.store.delivery_status import count_deliveries, list_backlogs, list_next_due
from router.store.store import Store
from tests.builders import NOW
from tests.domain.signal_model import is_still_valid, settled
from tests.examples import some_of
from tests.store.acts import run
from tests.store.builders import a_delivery
from tests.store.opened import empty, open_store
from tests.store.within import claim_in, within

MINUTE = timedelta(minutes=1)
SHORT_LEASE = timedelta(seconds=150)
LOST = 2
"""Minutes after which a claim is lost that was not settled in the step before."""

LOOKS = 5
"""Steps after which somebody looks at the figures."""


class PureOutbox:
    """One signal kept in memory, by nothing but the pure rules; it is called as the store's functions are."""

    def __init__(self) -> None:
        self._entries: dict[str, OutboxEntry] = {}
        self._deliveries: dict[str, tuple[Delivery, Receipt | None]] = {}

    async def __call__(self, do: Callable[..., object], *args: Any) -> Any:
        return getattr(self, do.__name__)(*args)

    async def claim(self, recipient: Recipient, due: datetime, until: datetime, limit: int) -> Sequence[Claim]:
        step = next_step(self._entries.values(), due)
        if isinstance(step, Skip):
            self._move(*(skipped(one, due) for one in step.entries))
            step = next_step(self._entries.values(), due)
        if isinstance(step, GiveUp):
            self._move(given_up(step.entry, due, DEADLY))
        if not isinstance(step, ClaimNow):
            return []
        first = step.entry
        self._move(entry := claimed(first, due, until, claim_id(first, str(due))))
        opening = next(one for one in self._entries.values() if one.turn == entry.opened)
        return [
            Claim(
                delivery=self._deliveries[entry.id][0],
                id=entry.claim,
                number=entry.attempts,
                born=entry.born,
                opening=self._deliveries[opening.id][1],
                lost=losses_of(first),
            )
        ]

    def _move(self, *entries: OutboxEntry) -> None:
        self._entries |= {entry.id: entry for entry in entries}

    def add_deliveries(self, deliveries: Sequence[Delivery], now: datetime) -> None:
        self._entries = {one.id: added(one, now) for one in deliveries} | self._entries
        self._deliveries |= {one.id: (one, None) for one in deliveries}

    def settle_claims(self, settlements: Sequence[Settlement]) -> None:
        for one in settlements:
            entry, (delivery, receipt) = self._entries[one.delivery.id], self._deliveries[one.delivery.id]
            if is_still_valid(one, entry):
                self._move(settled(entry, one))
                self._deliveries[entry.id] = (delivery, one.receipt or receipt)

    def abandon_deliveries(self, stream: str, named: Collection[str], born_before: datetime, now: datetime) -> int:
        old = [one for one in self._entries.values() if is_unclaimed(one, now) and one.born <= born_before]
        self._move(*(given_up(one, now, NOWHERE) for one in old))
        return len(old)

    def count_deliveries(self, stream: str) -> Mapping[tuple[str, DeliveryState], int]:
        return Counter(("tickets", one.state) for one in self._entries.values())

    def list_next_due(self, stream: str) -> Mapping[str, NextDue]:
        first = first_open(self._entries.values())
        owed = sum(one.is_open for one in self._entries.values())
        return {"tickets": NextDue(due_at(first), first.error, owed)} if first is not None else {}

    def list_backlogs(self, stream: str) -> Mapping[str, Backlog]:
        oldest = min((one.born for one in self._entries.values() if one.is_open), default=None)
        lane, dead = next((one.lane for one in self._entries.values()), Lane.TICKET), len(self.list_dead_letters())
        return {"tickets": Backlog(lane, oldest, dead)} if self._entries else {}

    def list_dead_letters(self) -> Sequence[DeadLetter]:
        return [
            DeadLetter(
                delivery=self._deliveries[one.id][0],
                attempts=one.attempts,
                born=one.born,
                died=one.settled,
                error=one.error or "",
            )
            for one in sorted(self._entries.values(), key=lambda one: (str(one.settled), one.id))
            if one.state is DeliveryState.DEAD and one.settled is not None
        ]

    def redrive(self, id: str, now: datetime) -> Redrive:
        letter = self._entries[id]
        if is_overtaken(letter, self._entries.values()):
            self._move(skipped(letter, now))
            return Redrive.OVERTAKEN
        self._move(*(redriven(one, now) for one in [letter, *redriven_with(letter, self._entries.values())]))
        return Redrive.OWED

    def discard(self, id: str, now: datetime) -> bool:
        self._move(discarded(self._entries[id], now))
        return True


@dataclass(frozen=True)
class Owe:
    """The next turn is owed; it ends the signal there, or not."""

    ends: bool


@dataclass(frozen=True)
class Take:
    """A worker claims what is due, some minutes after the last step."""

    wait: int = 0


@dataclass(frozen=True)
class Settle:
    """A worker settles the claim that it made last, or an earlier one."""

    state: DeliveryState
    which: int = 0
    wait: int = 0
    spent: bool = True


@dataclass(frozen=True)
class Abandon:
    """What is older than so many minutes is given up on, since the policy names its destination no longer."""

    age: int


@dataclass(frozen=True)
class Act:
    """A person wants a dead letter sent again, or discards it."""

    redrives: bool
    which: int


type Step = Owe | Take | Settle | Abandon | Act


def _sent(ends: bool, state: DeliveryState) -> list[Step]:
    return [Owe(ends), Take(), Settle(state)]


_BOOLS, _WHICH = st.booleans(), st.integers(0, 1)
_RESULT = st.sampled_from([DeliveryState.SENT, DeliveryState.DEAD])
_TWIN = st.sampled_from([0, 0, 0, 1])
_SOME: st.SearchStrategy[list[Step]] = st.one_of(
    st.builds(lambda ends: [Owe(ends)], _BOOLS),
    st.builds(_sent, _BOOLS, _RESULT),
    st.builds(lambda state, twin: [Take(), Settle(state, twin)], _RESULT, _TWIN),
    st.builds(lambda wait, spent: [Take(), Settle(DeliveryState.OWED, 0, wait, spent)], st.integers(0, 3), _BOOLS),
    st.builds(lambda times: [Take(LOST)] * times, st.sampled_from([1, 2, 5])),
    st.builds(lambda age, which: [Abandon(age), Act(True, which)], st.integers(0, 2), _WHICH),
    st.builds(lambda redrives, which: [Act(redrives, which)], _BOOLS, _WHICH),
    st.builds(
        lambda one, two: [*_sent(one, DeliveryState.DEAD), *_sent(two, DeliveryState.SENT), Act(True, 0)],
        _BOOLS,
        _BOOLS,
    ),
    st.builds(
        lambda between, state, which: [*[Take(LOST)] * 5, Act(True, 0), *between, Settle(state, which)],
        st.sampled_from([[], [Take()], [Take(LOST)] * 2]),
        st.sampled_from([DeliveryState.SENT, DeliveryState.DEAD, DeliveryState.OWED]),
        st.integers(0, 3),
    ),
    st.builds(lambda age: [Abandon(age)], st.integers(0, 5)),
)
STEPS = st.lists(_SOME, min_size=4, max_size=14).map(lambda some: [step for steps in some for step in steps])
LANES = st.sampled_from([Lane.TICKET, Lane.ROWS])


@dataclass
class History:
    """What happened to one signal so far, by functions of an outbox and its way to claim."""

    within: Callable[..., Awaitable[Any]]
    claim: Callable[[Recipient, datetime, datetime, int], Awaitable[Sequence[Claim]]]
    lane: Lane
    now: datetime = NOW
    turn: int = 0
    opened: int = 0
    claims: list[Claim] = field(default_factory=list)
    seen: list[object] = field(default_factory=list)

    async def play(self, steps: Sequence[Step]) -> list[object]:
        """What is seen after each step, and when everything has fallen due at the end."""
        for place, step in enumerate([*steps, *itertools.repeat(Take(LOST), 5)]):
            self.now += MINUTE
            self.seen.append((step, await self._do(step)))
            if place % LOOKS == 0:
                self.seen.append(await self._figures())
        return [*self.seen, await self._figures()]

    async def _figures(self) -> object:
        return [await self.within(figure, "cwpp") for figure in (count_deliveries, list_next_due, list_backlogs)]

    async def _do(self, step: Step) -> object:
        match step:
            case Owe(ends):
                await self._owe(ends)
            case Take(wait):
                self.now += wait * MINUTE
                recipient = Recipient("cwpp", Lane.TICKET, "tickets")
                claims = await self.claim(recipient, self.now, self.now + SHORT_LEASE, 10)
                self.claims += claims
                return [(one.delivery, one.number, one.lost, one.born, one.opening) for one in claims]
            case Settle():
                await self._settle(step)
            case Abandon(age):
                return await self.within(abandon_deliveries, "cwpp", [], self.now - age * MINUTE, self.now)
            case Act(redrives, which):
                letters = await self.within(list_dead_letters)
                if len(letters) > which:
                    id = letters[which].delivery.id
                    return letters, await self.within(redrive if redrives else discard, id, self.now)
        return None

    async def _owe(self, ends: bool) -> None:
        self.turn += 1
        change = Change.RESOLVED if ends else Change.UPDATED
        if self.opened == 0:
            change, self.opened = Change.OPENED, self.turn
        delivery = a_delivery(self.turn, change, opened=self.opened, lane=self.lane)
        if change is Change.RESOLVED:
            self.opened = 0
        await self.within(add_deliveries, [delivery], self.now)

    async def _settle(self, step: Settle) -> None:
        if len(self.claims) <= step.which:
            return
        claim = self.claims.pop(-1 - step.which)
        is_sent = step.state is DeliveryState.SENT
        settlement = Settlement(
            delivery=claim.delivery,
            claim=claim.id,
            state=step.state,
            at=self.now,
            due=self.now + step.wait * MINUTE if step.state is DeliveryState.OWED else None,
            receipt=Receipt(reference=f"{self.now}") if is_sent else None,
            error=None if is_sent else f"{self.now}",
            spent=step.spent,
        )
        await self.within(settle_claims, [settlement])


def seen_in(store: Store, lane: Lane, steps: Sequence[Step]) -> list[object]:
    """What is seen of a history in a store."""
    return run(History(partial(within, store), partial(claim_in, store), lane).play(steps))


def expected_of(lane: Lane, steps: Sequence[Step]) -> list[object]:
    """What is seen of it by the pure rules."""
    pure = PureOutbox()
    return run(History(pure, pure.claim, lane).play(steps))


@settings(max_examples=some_of(300))
@given(LANES, STEPS)
def test_the_rules_of_turns_are_those_of_the_file(lane: Lane, steps: list[Step]) -> None:
    """Whatever the store reads and writes set by set, it decides as one function does of one signal."""
    with TemporaryDirectory() as directory:
        store = open_store(Path(directory))
        seen = seen_in(store, lane, steps)
        run(store.close())
    assert seen == expected_of(lane, steps)


@settings(max_examples=some_of(80), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lane=LANES, steps=STEPS)
def test_the_rules_of_turns_are_those_of_the_server(postgres_store: Store, lane: Lane, steps: list[Step]) -> None:
    """PostgreSQL reads and writes the same."""
    run(empty(postgres_store))
    assert seen_in(postgres_store, lane, steps) == expected_of(lane, steps)
