"""Workers that are at the same deliveries at the same time: whatever they do to one another, each is told in order, once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from router.domain.decisions import Change
from router.domain.deliveries import Claim, DeliveryState, Recipient, Redrive, Settlement
from router.domain.rulebook import Lane
from router.store.claims import settle_claims
from router.store.dead_letters import discard, redrive
from router.store.deliveries import add_deliveries
from router.store.store import Store
from tests.builders import NOW
from tests.store.acts import LEASE, claim, owe, run, settle, states
from tests.store.builders import OPENING, a_delivery
from tests.store.within import claim_in, within

ROUNDS = range(10)
TURNS = (Change.OPENED, Change.UPDATED, Change.UPDATED)
TICKETS = Recipient("cwpp", Lane.TICKET, "tickets")


def test_of_several_workers_that_claim_at_once_each_delivery_is_one_workers(store: Store, twin: Store) -> None:
    """None is claimed twice, none is left, and no later turn is claimed beside the first."""
    owed = [f"k{number:02}" for number in range(100)]
    owe(store, *(a_delivery(turn, change, key=key) for key in owed for turn, change in enumerate(TURNS[:2], 1)))

    async def raced() -> list[Sequence[Claim]]:
        workers = (store, twin, store, twin)
        return list(await asyncio.gather(*(claim_in(one, TICKETS, NOW, NOW + LEASE, 30) for one in workers)))

    claimed = [(one.delivery.key, one.delivery.turn) for claims in run(raced()) for one in claims]
    assert sorted(claimed) == [(key, 1) for key in owed]


def test_a_dead_letter_that_two_people_redrive_is_owed_once(store: Store, twin: Store) -> None:
    """The second is told that it is dead no more."""
    owe(store, OPENING)
    settle(store, claim(store)[0], DeliveryState.DEAD, error="400")

    async def raced() -> list[Redrive]:
        return list(await asyncio.gather(*(within(one, redrive, OPENING.id, NOW) for one in (store, twin))))

    assert sorted(run(raced())) == [Redrive.OWED, Redrive.UNKNOWN]
    assert not run(within(twin, discard, OPENING.id, NOW))
    assert len(claim(store)) == 1


@dataclass
class Worker:
    """Claims and settles as long as something is due; everything fails the first time that it is tried."""

    store: Store
    sent: list[tuple[str, int]] = field(default_factory=list)

    async def work(self) -> None:
        """Asks for more until a number of times nothing is due."""
        idle = 0
        while idle < len(ROUNDS):
            claims = await claim_in(self.store, TICKETS, NOW, NOW + LEASE, 2)
            await within(self.store, settle_claims, [self._send(one) for one in claims])
            idle = 0 if claims else idle + 1

    def _send(self, claim: Claim) -> Settlement:
        result = Settlement(delivery=claim.delivery, claim=claim.id, state=DeliveryState.OWED, at=NOW, due=NOW)
        if claim.number == 1:
            return result
        self.sent.append((claim.delivery.key, claim.delivery.turn))
        return Settlement(delivery=claim.delivery, claim=claim.id, state=DeliveryState.SENT, at=NOW)


def test_all_turns_of_all_signals_are_told_in_order_by_the_worker_that_is_free(store: Store, twin: Store) -> None:
    """Turns are added while workers settle. An update may be skipped that another one follows."""
    signals = [f"k{number}" for number in range(6)]
    sent: list[tuple[str, int]] = []
    workers = [Worker(one, sent) for one in (store, twin, store)]

    async def add_turns() -> None:
        for turn, change in enumerate(TURNS, 1):
            await within(store, add_deliveries, [a_delivery(turn, change, key=key) for key in signals], NOW)

    async def raced() -> None:
        await asyncio.gather(add_turns(), *(worker.work() for worker in workers))
        # What was owed after the others had stopped to ask.
        await workers[0].work()

    run(raced())
    assert states(store).keys() <= {DeliveryState.SENT, DeliveryState.SKIPPED}
    by_signal = {key: [turn for one, turn in sent if one == key] for key in signals}
    assert all(turns in ([1, 2, 3], [1, 3]) for turns in by_signal.values()), by_signal
