"""A signal's life, drawn at large: which turns fall due together, in which order, what is lost, and what people do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from hypothesis import strategies as st

from alert_router_demo.soc.endpoint import Endpoint
from alert_router_demo.soc.faults import Drop, Fault, LoseAnswer, Status
from router.domain.decisions import Change
from router.domain.deliveries import Delivery
from tests.destinations.builders import a_delivery, a_notice
from tests.vendors.room import Make, Room


class Step(NamedTuple):
    """Turns of one signal that become due at once, in the order in which they are put down, and what happens around them.

    `faults` are played by the vendor first; afterwards people close what is open, where `is_closed_by_hand`.
    """

    turns: Sequence[int]
    faults: Sequence[Fault] = ()
    is_closed_by_hand: bool = False


class Life(NamedTuple):
    """A signal from its first turn to its last: what each turn tells, and in which steps.

    `statuses` are the updates, counted from 0 among all turns, that bring nothing but a status. `is_paged` is whether a pager
    is told as well.
    """

    changes: Sequence[Change]
    steps: Sequence[Step]
    statuses: frozenset[int] = frozenset()
    is_paged: bool = False

    @property
    def stands(self) -> bool:
        """Whether the signal stands in the end."""
        return self.changes[-1] is not Change.RESOLVED

    @property
    def is_open(self) -> bool:
        """Whether the signal is to be seen as open in the end: it stands, and nobody closed it since it last was news."""
        is_open = False
        for step in self.steps:
            for turn in sorted(set(step.turns) - self.statuses):
                is_open = self.changes[turn] is not Change.RESOLVED
            is_open = is_open and not step.is_closed_by_hand
        return is_open

    def deliveries(self, **words: Any) -> list[Delivery]:
        """Its deliveries in the order of their turns, counted from 1; `words` are what its notices say."""
        found, opened = [], 1
        for turn, change in enumerate(self.changes, 1):
            opened = turn if change is Change.OPENED else opened
            notice = a_notice(turn=turn, status_only=turn - 1 in self.statuses, paged=self.is_paged, **words)
            found.append(a_delivery(notice, change, opened=opened))
        return found


class Vendor[Double: Endpoint](NamedTuple):
    """A vendor at which signals live.

    `open` gives how much of a signal, by its key, is open there. `close` is what people do with all that is open, None where
    they cannot; `later` is what time does there between attempts. `has_statuses`: whether mere statuses are told there.
    """

    double: Double
    make: Make
    open: Callable[[str], int]
    close: Callable[[str], None] | None = None
    later: Callable[[], None] = lambda: None
    has_statuses: bool = False

    def expected(self, life: Life) -> int:
        """How much of a signal is to be open at the end of its life."""
        return int(life.is_open if self.close else life.stands)


_FAULTS: st.SearchStrategy[Fault] = st.sampled_from([Status(503), Status(429, retry_after="1"), Drop(), LoseAnswer()])


@st.composite
def lives(draw: st.DrawFn, has_statuses: bool = False) -> Life:
    """Lives of up to seven turns, each told as the ledger would, in any order within a step.

    Where there are statuses, some updates bring nothing else, as ticket destinations are told of alerts.
    """
    changes = [Change.OPENED]
    for stands in draw(st.lists(st.booleans(), max_size=6)):
        was_open = changes[-1] is not Change.RESOLVED
        if stands or was_open:
            changes.append((Change.UPDATED if was_open else Change.OPENED) if stands else Change.RESOLVED)
    cuts = draw(st.sets(st.integers(1, len(changes)), max_size=3)) | {len(changes)}
    steps, start = [], 0
    for cut in sorted(cuts):
        turns = draw(st.permutations(range(start, cut)))
        steps.append(Step(turns, draw(st.lists(_FAULTS, max_size=3)), draw(st.booleans())))
        start = cut
    updates = [turn for turn, change in enumerate(changes) if change is Change.UPDATED]
    statuses = draw(st.lists(st.sampled_from(updates))) if updates and has_statuses else ()
    return Life(changes, steps, frozenset(statuses), is_paged=draw(st.booleans()))


async def tell(room: Room, vendor: Vendor[Any], step: Step, deliveries: Sequence[Delivery]) -> None:
    """Delivers the turns of a step until nothing is owed, and has people close what is open, where they do."""
    for fault in step.faults:
        vendor.double.faults.add(fault)
    await room.deliver_all(*(deliveries[turn] for turn in step.turns), later=vendor.later)
    vendor.double.faults.clear()
    if step.is_closed_by_hand and vendor.close:
        vendor.close(deliveries[0].key)
