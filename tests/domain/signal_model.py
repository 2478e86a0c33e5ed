"""One signal at one destination, worked by nothing but the rules of `domain/`; what happens is checked as it happens."""

from collections import Counter
from collections.abc import Sequence
from copy import replace
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple

from hypothesis import strategies as st

from router.domain.decisions import Change
from router.domain.deliveries import LEASE, SUSPECT, Claim, Delivery, DeliveryState, DeliveryStatus, Settlement
from router.domain.rulebook import Lane
from router.store import delivery_lifecycle as lifecycle
from tests.builders import NOW
from tests.store.builders import a_delivery

MINUTE = timedelta(minutes=1)
LONGEST_STEP = 20
"""Turns of a signal, of which no history has as many."""

_OWED, _CLAIMED, _SENT, _SKIPPED, _DEAD = DeliveryState

TRANSITIONS: dict[str, frozenset[tuple[DeliveryState | None, DeliveryState]]] = {
    "added": frozenset({(None, _OWED)}),
    "claimed": frozenset({(_OWED, _CLAIMED), (_CLAIMED, _CLAIMED)}),
    # Beside what ends a claim, an acknowledgement that comes late counts, whatever a person made of the delivery meanwhile.
    "settled": frozenset(
        {(_CLAIMED, _SENT), (_CLAIMED, _OWED), (_CLAIMED, _DEAD), (_OWED, _SENT), (_SKIPPED, _SENT), (_DEAD, _SENT)}
    ),
    "released": frozenset({(_CLAIMED, _OWED)}),
    # Superseded by what follows it, or overtaken when a person wants it sent again.
    "skipped": frozenset({(_OWED, _SKIPPED), (_DEAD, _SKIPPED)}),
    # Due at once, since a person wants its destination to be asked.
    "brought_forward": frozenset({(_OWED, _OWED)}),
    "discarded": frozenset({(_DEAD, _SKIPPED)}),
    "given_up": frozenset({(_OWED, _DEAD), (_CLAIMED, _DEAD)}),
    # A dead letter, and whatever became of the resolutions that came after it.
    "redriven": frozenset({(_DEAD, _OWED), (_SENT, _OWED), (_SKIPPED, _OWED), (_OWED, _OWED), (_CLAIMED, _OWED)}),
}
"""Every change of state, by what makes it; None stands for what is not there yet."""


def added(delivery: Delivery, now: datetime) -> DeliveryStatus:
    """A delivery that is owed from now on."""
    return DeliveryStatus(
        stream=delivery.stream,
        destination=delivery.destination,
        key=delivery.key,
        turn=delivery.turn,
        lane=delivery.lane,
        change=delivery.change,
        opened=delivery.opened,
        state=DeliveryState.OWED,
        born=now,
        due=now,
        row_id=delivery.turn,
    )


def claimed(entry: DeliveryStatus, until: datetime, unique: str) -> DeliveryStatus:
    """A delivery that is one worker's alone until an instant."""
    return replace(
        entry,
        state=DeliveryState.CLAIMED,
        attempts=entry.attempts + 1,
        lost=entry.losses,
        due=until,
        claim=f"{entry.redriven}-{unique}",
        settled=None,
    )


def settled(entry: DeliveryStatus, settlement: Settlement) -> DeliveryStatus:
    """A delivery of whose claim something became: its worker lived, so it killed nobody.

    One that was put back untried has spent no attempt, and is as suspect as before.
    """
    is_failed = settlement.error is not None and settlement.spent
    return replace(
        entry,
        state=settlement.state,
        due=settlement.due or entry.born,
        attempts=entry.attempts - (not settlement.spent),
        lost=0 if settlement.spent else entry.lost,
        settled=settlement.at,
        error=settlement.error,
        failed=lifecycle.failures_after(entry.failed, settlement.at, str(settlement.error))
        if is_failed
        else entry.failed,
    )


def is_still_valid(settlement: Settlement, stored: DeliveryStatus) -> bool:
    """Whether a settlement still counts, given the delivery as it is stored.

    An acknowledgement on record stays, and a person who redrives a delivery wants it sent again, whatever an earlier claim
    brought. Beside that an acknowledgement always counts, and anything else only while the claim is its worker's.
    """
    is_of_before = settlement.claim.id.partition("-")[0] != str(stored.redriven)
    if stored.state is DeliveryState.SENT or is_of_before:
        return False
    is_claim = stored.state is DeliveryState.CLAIMED and stored.claim == settlement.claim.id
    return is_claim or settlement.state is DeliveryState.SENT


class Add(NamedTuple):
    """The next turn is owed; it ends the signal, or not."""

    ends: bool = False


class Work(NamedTuple):
    """A worker comes by, some minutes later."""

    wait: int = 0


class Settle(NamedTuple):
    """A worker settles the claim that it made last, or an earlier one that somebody may have claimed anew since."""

    state: DeliveryState
    which: int = 0
    wait: int = 0
    spent: bool = True


class Die(NamedTuple):
    """A worker claims, some minutes later, and is heard of no more; that often."""

    times: int = 1


class Abandon(NamedTuple):
    """What nobody has in flight is given up on."""


class Act(NamedTuple):
    """A person redrives a dead letter, or discards it."""

    redrives: bool
    which: int = 0


class BringForward(NamedTuple):
    """A person wants the destination to be asked now."""


class Restart(NamedTuple):
    """The only process was ended, and gives back what it had claimed."""


class Jump(NamedTuple):
    """The clock is ahead by so much, until the next jump."""

    ahead: timedelta


type Event = Add | Work | Settle | Die | Abandon | Act | BringForward | Restart | Jump

ENDS = st.sampled_from([DeliveryState.SENT, DeliveryState.DEAD])
STATES = st.sampled_from([DeliveryState.SENT, DeliveryState.DEAD, DeliveryState.OWED])
_ABANDONED = [Work(), Work(9), Abandon(), Act(True), Work()]
_BOOLS, _WHICH = st.booleans(), st.integers(0, 1)
_ONE = st.one_of(
    st.builds(lambda ends: [Add(ends)], _BOOLS),
    st.builds(lambda ends, state: [Add(ends), Work(), Settle(state)], _BOOLS, ENDS),
    st.builds(lambda state, twin: [Work(), Settle(state, twin)], ENDS, _WHICH),
    st.builds(lambda one, two, which: [Work(), Work(9), Settle(one, which), Settle(two)], STATES, STATES, _WHICH),
    st.builds(lambda wait, spent: [Work(), Settle(DeliveryState.OWED, 0, wait, spent)], st.integers(0, 9), _BOOLS),
    st.sampled_from([1, SUSPECT, SUSPECT + 2]).map(lambda times: [Die(times)]),
    st.builds(lambda one, two: [Add(one), Abandon(), Add(two), Work()], _BOOLS, _BOOLS),
    st.just([BringForward()]),
    st.builds(lambda redrives, which: [Act(redrives, which)], _BOOLS, _WHICH),
    st.builds(lambda redrives, which: [Abandon(), Act(redrives, which)], _BOOLS, _WHICH),
    st.builds(lambda one, two: [Add(one), Work(), Settle(DeliveryState.DEAD), Add(two), Act(True)], _BOOLS, _BOOLS),
    st.builds(lambda state, which: [*_ABANDONED, Settle(state, which)], STATES, st.integers(0, 2)),
    st.just([Work(), Restart()]),
)


def _histories(*some: st.SearchStrategy[list[Event]]) -> st.SearchStrategy[list[Event]]:
    return st.lists(st.one_of(*some), min_size=1, max_size=12).map(
        lambda those: [one for some in those for one in some]
    )


def _jump(*ahead: timedelta) -> st.SearchStrategy[list[Event]]:
    back = Jump(timedelta())
    return st.builds(lambda far, some: [Jump(far), Add(), *some, back, Work()], st.sampled_from(ahead), _ONE)


_FAR = (timedelta(days=3), timedelta(days=4_000))
EVENTS = _histories(_ONE)
JUMPS = _histories(_ONE, _ONE, _jump(10 * MINUTE, 180 * MINUTE, *_FAR))
FAR_JUMPS = _histories(_ONE, _ONE, _ONE, _jump(*_FAR))
"""Those of which a store sees at once that no clock that is right can have written what it finds."""


OWED_FROM_AN_INSTANT_TO_COME: list[Event] = [
    Jump(10 * MINUTE), Add(), Jump(timedelta()), BringForward(), Work(), Work(9),
]  # fmt: skip
"""A clock that was ahead wrote since when it is owed; its claim is over before that."""

REDRIVEN_BEHIND_A_LATER_OPENING: list[Event] = [
    Add(), Add(ends=True), Add(), Abandon(), Add(ends=True), Add(), Work(), Settle(DeliveryState.OWED, wait=1), Add(),
    Work(), Settle(DeliveryState.DEAD), Add(), Act(redrives=True),
]  # fmt: skip
"""An end that was tried is superseded beside an update of the next opening, which has later turns."""


def a_history(random: Random) -> list[Event]:
    """Some things that happen to a signal, by chance."""
    states = (DeliveryState.SENT, DeliveryState.SENT, DeliveryState.DEAD, DeliveryState.OWED)
    every: list[Event] = [
        Add(), Add(ends=True), Work(), Work(6),
        Settle(random.choice(states), random.randint(0, 1), random.randint(0, 3), random.random() < 0.8),
        Die(random.choice((1, 5))), Abandon(), BringForward(), Act(True, random.randint(0, 1)), Act(False), Restart(),
    ]  # fmt: skip
    return random.choices(every, weights=[3, 3, 5, 2, 6, 1, 1, 1, 3, 1, 1], k=40)


@dataclass
class SignalModel:
    """What became of one signal so far.

    `tried` counts by turn the attempts that were spent; `losses` the claims in a row that nobody settled; `sent` are the turns
    whose acknowledgement is on record.
    """

    lane: Lane = Lane.TICKET
    now: datetime = NOW
    ahead: timedelta = timedelta()
    opened: int = 0
    entries: dict[int, DeliveryStatus] = field(default_factory=dict)
    claims: list[tuple[Delivery, DeliveryStatus]] = field(default_factory=list)
    tried: Counter[int] = field(default_factory=Counter)
    losses: Counter[int] = field(default_factory=Counter)
    sent: set[int] = field(default_factory=set)
    made: set[tuple[str, DeliveryState | None, DeliveryState]] = field(default_factory=set)

    @property
    def lease(self) -> timedelta:
        return LEASE[self.lane]

    def play(self, events: Sequence[Event]) -> None:
        """Does what happens, one after the other, a second apart."""
        for event in events:
            self.now += timedelta(seconds=1)
            self.happen(event)
            self.check()

    def happen(self, event: Event) -> None:
        """Does what happens."""
        match event:
            case Add(ends):
                self._add(ends)
            case Work(wait):
                self.work(wait * MINUTE)
            case Settle():
                self._settle(event)
            case Die(times):
                for _ in range(times):
                    self.work(self.lease + MINUTE)
                    self.claims.clear()
            case Abandon():
                for one in list(self.entries.values()):
                    is_free = one.state is DeliveryState.OWED or lifecycle.is_claimable(
                        one, self.clock, lifecycle.LONGEST_LEASE
                    )
                    if one.is_open and is_free:
                        self._move("given_up", lifecycle.given_up(one, self.clock, lifecycle.NOWHERE))
            case Act(redrives, which):
                self._act(redrives, which)
            case BringForward():
                first = lifecycle.first_open(self.entries.values())
                if first is not None and first.state is DeliveryState.OWED:
                    self._move("brought_forward", replace(first, due=min(first.due, self.clock)))
            case Restart():
                # That counts as no loss, since nothing says that its worker died of it.
                for one in [one for one in self.entries.values() if one.state is DeliveryState.CLAIMED]:
                    self._move("released", replace(one, state=DeliveryState.OWED, due=one.born))
            case Jump(ahead):
                self.ahead = ahead

    @property
    def clock(self) -> datetime:
        """What a worker's clock shows."""
        return self.now + self.ahead

    def _move(self, by: str, after: DeliveryStatus) -> None:
        before = self.entries.get(after.turn)
        change = (before.state if before is not None else None, after.state)
        assert change in TRANSITIONS[by], (by, change)
        self.made.add((by, *change))
        self.entries[after.turn] = after

    def _add(self, ends: bool) -> None:
        turn = len(self.entries) + 1
        change = Change.OPENED if not self.opened else Change.RESOLVED if ends else Change.UPDATED
        opened = self.opened or turn
        self.opened = 0 if change is Change.RESOLVED else opened
        self._move("added", added(a_delivery(turn, change, opened=opened, lane=self.lane), self.clock))

    def work(self, wait: timedelta = timedelta()) -> DeliveryStatus | None:
        """A worker does what is next, some time later, until it has a claim or there is nothing to do for it."""
        self.now += wait
        for _ in range(3 * LONGEST_STEP):
            before = list(self.entries.values())
            needless, first = lifecycle.next_step(before, self.clock, self.lease)
            assert lifecycle.next_step(before[::-1], self.clock, self.lease) == (needless, first)
            self._check_superseded(needless)
            for one in needless:
                self._move("skipped", lifecycle.skipped(one, self.clock))
            if first is None:
                now_first = lifecycle.first_open(self.entries.values())
                assert now_first is None or not lifecycle.is_claimable(now_first, self.clock, self.lease)
                return None
            self._check_turn(first)
            losses = self._losses(first)
            assert (first.is_suspect, first.is_poison) == (losses >= SUSPECT, losses > SUSPECT)
            if not first.is_poison:
                return self._claim(first)
            self._move("given_up", lifecycle.given_up(first, self.clock, lifecycle.DEADLY))
        raise AssertionError("there is always something next")

    def _claim(self, entry: DeliveryStatus) -> DeliveryStatus:
        self.losses[entry.turn] = self._losses(entry)
        self.tried[entry.turn] += 1
        claim = claimed(entry, self.clock + self.lease, f"{len(self.claims)} at {self.clock}")
        self._move("claimed", claim)
        content = a_delivery(entry.turn, entry.change, opened=entry.opened, lane=self.lane)
        self.claims.append((content, claim))
        return claim

    def _losses(self, entry: DeliveryStatus) -> int:
        return self.losses[entry.turn] + (entry.state is DeliveryState.CLAIMED)

    def _settle(self, event: Settle) -> None:
        if len(self.claims) <= event.which:
            return
        delivery, claim = self.claims.pop(-1 - event.which)
        known = {"number": claim.attempts, "born": claim.born, "failed": claim.failed}
        settlement = self.settlement_for(event, Claim(delivery=delivery, id=claim.claim, **known))  # type: ignore[arg-type]
        stored = self.entries[delivery.turn]
        if not is_still_valid(settlement, stored):
            is_known = stored.state is DeliveryState.SENT or stored.redriven > claim.redriven
            assert is_known or event.state is not DeliveryState.SENT, "an acknowledgement that is not on record counts"
            return
        assert event.state is DeliveryState.SENT or stored.claim == claim.claim
        if settlement.spent:
            self.losses[delivery.turn] = 0
        else:
            self.tried[delivery.turn] -= 1
        if event.state is DeliveryState.SENT:
            self.sent.add(delivery.turn)
        self._move("settled", settled(stored, settlement))

    def settlement_for(self, event: Settle, claim: Claim) -> Settlement:
        """What a worker writes down now of its claim."""
        is_again = event.state is DeliveryState.OWED
        return Settlement(
            claim=claim,
            state=event.state,
            at=self.clock,
            due=self.clock + event.wait * MINUTE if is_again else None,
            error=None if event.state is DeliveryState.SENT else "400",
            spent=event.spent or not is_again,
        )

    def _act(self, redrives: bool, which: int) -> None:
        letters = [one for one in self.entries.values() if one.state is DeliveryState.DEAD]
        if len(letters) <= which:
            return
        letter, entries = letters[which], list(self.entries.values())
        if not redrives:
            dropped = {"state": DeliveryState.SKIPPED, "settled": self.clock, "error": "discarded"}
            self._move("discarded", replace(letter, **dropped))  # type: ignore[arg-type]
        elif lifecycle.is_overtaken(letter, entries):
            later = [one for one in entries if one.turn > letter.turn and one.turn in self.sent]
            assert later, "nothing but what was sent since overtakes a dead letter"
            self._move("skipped", lifecycle.skipped(letter, self.clock))
        else:
            again = [letter, *lifecycle.redriven_with(letter, entries)]
            ends = [one for one in entries if one.change is Change.RESOLVED and one.opened == letter.turn]
            is_opening = letter.change is Change.OPENED
            assert not is_opening or all(one in again for one in ends), "what is opened again is closed again"
            self.sent -= {one.turn for one in again}
            for one in again:
                self._move("redriven", lifecycle.redriven(one, self.clock))

    def _check_turn(self, entry: DeliveryStatus) -> None:
        earlier = [one.turn for one in self.entries.values() if one.is_open and one.turn < entry.turn]
        assert not earlier, f"turn {entry.turn} before {earlier}"

    def _check_superseded(self, needless: Sequence[DeliveryStatus]) -> None:
        """What is skipped was told to nobody, and says nothing that nobody else says."""
        assert needless == sorted(needless, key=lambda one: one.turn)
        assert not needless or self.lane is not Lane.ROWS, "each turn has its own row"
        skips = {one.turn for one in needless}
        for one in needless:
            assert one.state is DeliveryState.OWED
            later = [other for other in self.entries.values() if other.turn > one.turn and other.opened == one.opened]
            ends = [other.turn for other in [one, *later] if other.change is Change.RESOLVED and other.turn in skips]
            if ends:
                told = [t for t in self.tried if self.entries[t].opened == one.opened and t < max(ends)]
                assert not any(self.tried[t] > 0 for t in told), "nobody was told that it opened"
            else:
                assert one.change is Change.UPDATED
                assert not self.tried[one.turn]
                assert any(other.change is Change.UPDATED and other.is_open for other in later)

    def check(self) -> None:
        """What holds after each thing that happens."""
        for turn, one in self.entries.items():
            assert one.turn == turn
            assert one.attempts == self.tried[turn] >= 0
            assert one.losses == self._losses(one)
            assert (one.state is DeliveryState.SENT) == (turn in self.sent), "an acknowledgement is never forgotten"
        claims = [one for one in self.entries.values() if one.state is DeliveryState.CLAIMED]
        in_flight = [one for one in claims if one.due > self.clock]
        assert self.ahead or len(in_flight) <= 1 or any(one.redriven for one in self.entries.values())
