"""The turn order that the store follows is the one that the rules of `domain/` give, whatever happens to a signal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings

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
from tests.domain.signal_model import is_still_valid, settled
from tests.examples import some_of
from tests.store.acts import run
from tests.store.histories import LANES, STEPS, History, InStore, Step
from tests.store.opened import Store, empty, open_store


class PureOutbox:
    """One signal kept in memory, by nothing but the rules of `domain/`."""

    def __init__(self) -> None:
        self._entries: dict[str, OutboxEntry] = {}
        self._deliveries: dict[str, tuple[Delivery, Receipt | None]] = {}

    def _move(self, *entries: OutboxEntry) -> None:
        self._entries |= {entry.id: entry for entry in entries}

    async def put_in_outbox(self, deliveries: Sequence[Delivery], now: datetime) -> None:
        self._entries = {one.id: added(one, now) for one in deliveries} | self._entries
        self._deliveries |= {one.id: (one, None) for one in deliveries}

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
        delivery = self._deliveries[entry.id][0]
        opening = next(one for one in self._entries.values() if one.turn == entry.opened)
        receipt = self._deliveries[opening.id][1]
        return [
            Claim(
                delivery=delivery,
                id=entry.claim,
                number=entry.attempts,
                born=entry.born,
                opening=receipt,
                lost=losses_of(first),
            )
        ]

    async def settle(self, settlements: Sequence[Settlement]) -> None:
        for one in settlements:
            entry, (delivery, receipt) = self._entries[one.delivery.id], self._deliveries[one.delivery.id]
            if is_still_valid(one, entry):
                self._move(settled(entry, one))
                self._deliveries[entry.id] = (delivery, one.receipt or receipt)

    async def abandon(self, stream: str, named: Collection[str], born_before: datetime, now: datetime) -> int:
        old = [one for one in self._entries.values() if is_unclaimed(one, now) and one.born <= born_before]
        self._move(*(given_up(one, now, NOWHERE) for one in old))
        return len(old)

    async def counts(self, stream: str) -> Mapping[tuple[str, DeliveryState], int]:
        return Counter(("tickets", one.state) for one in self._entries.values())

    async def next_due(self, stream: str) -> Mapping[str, NextDue]:
        first = first_open(self._entries.values())
        owed = sum(one.is_open for one in self._entries.values())
        return {"tickets": NextDue(due_at(first), first.error, owed)} if first is not None else {}

    async def backlog(self, stream: str) -> Mapping[str, Backlog]:
        oldest = min((one.born for one in self._entries.values() if one.is_open), default=None)
        lane, dead = next((one.lane for one in self._entries.values()), Lane.TICKET), len(await self.dead())
        return {"tickets": Backlog(lane, oldest, dead)} if self._entries else {}

    async def dead(self) -> Sequence[DeadLetter]:
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

    async def redrive(self, id: str, now: datetime) -> Redrive:
        letter = self._entries[id]
        if is_overtaken(letter, self._entries.values()):
            self._move(skipped(letter, now))
            return Redrive.OVERTAKEN
        self._move(*(redriven(one, now) for one in [letter, *redriven_with(letter, self._entries.values())]))
        return Redrive.OWED

    async def discard(self, id: str, now: datetime) -> bool:
        self._move(discarded(self._entries[id], now))
        return True


@settings(max_examples=some_of(100))
@given(LANES, STEPS)
def test_the_rules_of_turns_are_those_of_the_file(lane: Lane, steps: list[Step]) -> None:
    """Whatever the store reads and writes set by set, it decides as one function does of one signal."""
    with TemporaryDirectory() as directory:
        store = open_store(Path(directory))
        seen = run(History(InStore(store), lane).play(steps))
        run(store.close())
    assert seen == run(History(PureOutbox(), lane).play(steps))


@settings(max_examples=some_of(20), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lane=LANES, steps=STEPS)
def test_the_rules_of_turns_are_those_of_the_server(postgres_store: Store, lane: Lane, steps: list[Step]) -> None:
    """PostgreSQL reads and writes the same."""
    run(empty(postgres_store))
    assert run(History(InStore(postgres_store), lane).play(steps)) == run(History(PureOutbox(), lane).play(steps))
