"""Histories of one signal at one destination, played against an outbox: what happened, and what was seen after each step."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from hypothesis import strategies as st

from router.domain.damage import DamagedLetter
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
from router.domain.rulebook import Lane
from router.store.claims import settle_claims
from router.store.dead_letters import abandon_deliveries, discard, list_dead_letters, redrive
from router.store.deliveries import add_deliveries
from router.store.delivery_status import count_deliveries, list_backlogs, list_next_due
from router.store.store import Store
from tests.builders import NOW
from tests.store.builders import a_delivery
from tests.store.within import claim_in, within

MINUTE = timedelta(minutes=1)
SHORT_LEASE = timedelta(seconds=150)
LOST = 2
"""Minutes after which a claim is lost that was not settled in the step before."""

LOOKS = 5
"""Steps after which somebody looks at the figures."""


class Played(Protocol):
    """As much of an outbox as histories are about."""

    async def put_in_outbox(self, deliveries: Sequence[Delivery], now: datetime) -> None: ...
    async def claim(self, recipient: Recipient, due: datetime, until: datetime, limit: int) -> Sequence[Claim]: ...
    async def settle(self, settlements: Sequence[Settlement]) -> None: ...
    async def abandon(self, stream: str, named: Collection[str], born_before: datetime, now: datetime) -> int: ...
    async def counts(self, stream: str) -> Mapping[tuple[str, DeliveryState], int]: ...
    async def next_due(self, stream: str) -> Mapping[str, NextDue]: ...
    async def backlog(self, stream: str) -> Mapping[str, Backlog]: ...
    async def dead(self) -> Sequence[DeadLetter | DamagedLetter]: ...
    async def redrive(self, id: str, now: datetime) -> Redrive: ...
    async def discard(self, id: str, now: datetime) -> bool: ...


class InStore:
    """The outbox of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def put_in_outbox(self, deliveries: Sequence[Delivery], now: datetime) -> None:
        await within(self._store, add_deliveries, deliveries, now)

    async def claim(self, recipient: Recipient, due: datetime, until: datetime, limit: int) -> Sequence[Claim]:
        return await claim_in(self._store, recipient, due, until, limit)

    async def settle(self, settlements: Sequence[Settlement]) -> None:
        await within(self._store, settle_claims, settlements)

    async def abandon(self, stream: str, named: Collection[str], born_before: datetime, now: datetime) -> int:
        return await within(self._store, abandon_deliveries, stream, named, born_before, now)

    async def counts(self, stream: str) -> Mapping[tuple[str, DeliveryState], int]:
        return await within(self._store, count_deliveries, stream)

    async def next_due(self, stream: str) -> Mapping[str, NextDue]:
        return await within(self._store, list_next_due, stream)

    async def backlog(self, stream: str) -> Mapping[str, Backlog]:
        return await within(self._store, list_backlogs, stream)

    async def dead(self) -> Sequence[DeadLetter | DamagedLetter]:
        return await within(self._store, list_dead_letters)

    async def redrive(self, id: str, now: datetime) -> Redrive:
        return await within(self._store, redrive, id, now)

    async def discard(self, id: str, now: datetime) -> bool:
        return await within(self._store, discard, id, now)


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
class Redriven:
    """Somebody wants a dead letter sent again."""

    which: int


@dataclass(frozen=True)
class Discarded:
    """Somebody discards a dead letter."""

    which: int


type Step = Owe | Take | Settle | Abandon | Redriven | Discarded


def _sent(ends: bool, state: DeliveryState) -> list[Step]:
    return [Owe(ends), Take(), Settle(state)]


_ENDS = (st.booleans(), st.booleans())
_RESULT = st.sampled_from([DeliveryState.SENT, DeliveryState.DEAD])
_TWIN = st.sampled_from([0, 0, 0, 1])
_SOME: st.SearchStrategy[list[Step]] = st.one_of(
    st.builds(lambda ends: [Owe(ends)], st.booleans()),
    st.builds(lambda ends, state: _sent(ends, state), st.booleans(), _RESULT),
    st.builds(lambda state, twin: [Take(), Settle(state, twin)], _RESULT, _TWIN),
    st.builds(
        lambda wait, spent: [Take(), Settle(DeliveryState.OWED, 0, wait, spent)], st.integers(0, 3), st.booleans()
    ),
    st.builds(lambda times: [Take(LOST)] * times, st.sampled_from([1, 2, 5])),
    st.builds(lambda age, which: [Abandon(age), Redriven(which)], st.integers(0, 2), st.integers(0, 1)),
    st.builds(lambda which: [Redriven(which)], st.integers(0, 1)),
    st.builds(
        lambda one, two: [*_sent(one, DeliveryState.DEAD), *_sent(two, DeliveryState.SENT), Redriven(0)],
        *_ENDS,
    ),
    st.builds(
        lambda between, state, which: [*[Take(LOST)] * 5, Redriven(0), *between, Settle(state, which)],
        st.sampled_from([[], [Take()], [Take(LOST)] * 2]),
        st.sampled_from([DeliveryState.SENT, DeliveryState.DEAD, DeliveryState.OWED]),
        st.integers(0, 3),
    ),
    st.builds(lambda age: [Abandon(age)], st.integers(0, 5)),
    st.builds(lambda which: [Discarded(which)], st.integers(0, 1)),
)
STEPS = st.lists(_SOME, min_size=4, max_size=14).map(lambda some: [step for steps in some for step in steps])
LANES = st.sampled_from([Lane.TICKET, Lane.ROWS])


@dataclass
class History:
    """What happened to one signal so far, by one outbox."""

    outbox: Played
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
        counts, next_due = await self.outbox.counts("cwpp"), await self.outbox.next_due("cwpp")
        return counts, next_due, await self.outbox.backlog("cwpp")

    async def _do(self, step: Step) -> object:
        match step:
            case Owe(ends):
                await self._owe(ends)
            case Take(wait):
                self.now += wait * MINUTE
                until = self.now + SHORT_LEASE
                claims = await self.outbox.claim(Recipient("cwpp", Lane.TICKET, "tickets"), self.now, until, 10)
                self.claims += claims
                return [(one.delivery, one.number, one.lost, one.born, one.opening) for one in claims]
            case Settle():
                await self._settle(step)
            case Abandon(age):
                return await self.outbox.abandon("cwpp", [], self.now - age * MINUTE, self.now)
            case Redriven(which):
                return await self._redrive(which)
            case Discarded(which):
                return await self._discard(which)
        return None

    async def _owe(self, ends: bool) -> None:
        self.turn += 1
        change = Change.RESOLVED if ends else Change.UPDATED
        if self.opened == 0:
            change, self.opened = Change.OPENED, self.turn
        delivery = a_delivery(self.turn, change, opened=self.opened, lane=self.lane)
        if change is Change.RESOLVED:
            self.opened = 0
        await self.outbox.put_in_outbox([delivery], self.now)

    async def _settle(self, step: Settle) -> None:
        if len(self.claims) <= step.which:
            return
        claim = self.claims.pop(-1 - step.which)
        due = self.now + step.wait * MINUTE if step.state is DeliveryState.OWED else None
        receipt = Receipt(reference=f"{self.now}") if step.state is DeliveryState.SENT else None
        trouble = None if receipt else f"{self.now}"
        settlement = Settlement(
            delivery=claim.delivery,
            claim=claim.id,
            state=step.state,
            at=self.now,
            due=due,
            receipt=receipt,
            error=trouble,
            spent=step.spent,
        )
        await self.outbox.settle([settlement])

    async def _letters(self) -> list[DeadLetter]:
        return [one for one in await self.outbox.dead() if isinstance(one, DeadLetter)]

    async def _redrive(self, which: int) -> object:
        counts = await self.outbox.counts("cwpp")
        letters = await self._letters()
        # In a file somebody redrives only while nobody works; in an account a claim is taken away then.
        if ("tickets", DeliveryState.CLAIMED) in counts or len(letters) <= which:
            return None
        letter = letters[which]
        return letter.error, letter.attempts, letter.born, await self.outbox.redrive(letter.delivery.id, self.now)

    async def _discard(self, which: int) -> object:
        # What a dead end kept from being skipped is skipped at once in a file, and when it is due in an account.
        letters = [one for one in await self._letters() if one.delivery.change is not Change.RESOLVED]
        return len(letters) > which and await self.outbox.discard(letters[which].delivery.id, self.now)
