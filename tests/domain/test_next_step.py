"""What holds of a signal's deliveries to one destination, whatever happens to them; and each rule by itself."""

from collections.abc import Sequence
from copy import replace
from datetime import timedelta
from itertools import product
from random import Random
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from router.domain.clocks import SKEW
from router.domain.decisions import Change
from router.domain.deliveries import LEASE, LONGEST_WAIT, DeliveryState, DeliveryStatus
from router.domain.rulebook import Lane
from router.store import delivery_lifecycle as lifecycle
from tests.builders import NOW
from tests.domain import signal_model as model
from tests.store.builders import OPENING, a_delivery

LANES = st.sampled_from(Lane)


@settings(deadline=None)
@given(LANES, model.EVENTS)
def test_whatever_happens_turns_are_kept_and_nothing_is_forgotten(lane: Lane, events: Sequence[model.Event]) -> None:
    """The model checks each step: order of turns, claims, acknowledgements, what is superseded, who is suspect; and that a step
    depends on no order in which a store may find entries."""
    model.SignalModel(lane).play(events)


@settings(deadline=None)
@given(LANES, model.JUMPS)
@example(Lane.PAGE, model.OWED_FROM_AN_INSTANT_TO_COME)
def test_what_is_open_is_sent_in_time_once_the_clock_is_right(lane: Lane, events: Sequence[model.Event]) -> None:
    """Minutes or years ahead, and back. Nothing waits for an instant that a wrong clock wrote, and nothing waits for ever."""
    signal = model.SignalModel(lane)
    signal.play(events)
    signal.ahead = timedelta()
    signal.now += LONGEST_WAIT[lane] + LEASE[lane] + 10 * model.MINUTE
    for _ in range(model.LONGEST_STEP):
        if signal.work() is None:
            break
        signal.happen(model.Settle(DeliveryState.SENT))
        signal.check()
    assert not [one for one in signal.entries.values() if one.is_open]


@settings(deadline=None)
@given(LANES, model.EVENTS, st.integers(0, 12))
@example(Lane.PAGE, model.REDRIVEN_BEHIND_A_LATER_OPENING, 0)
def test_a_step_that_is_taken_leads_to_another_one(lane: Lane, events: Sequence[model.Event], minutes: int) -> None:
    """What is superseded is so once, and what has to wait may be claimed at the instant that is said."""
    signal = model.SignalModel(lane)
    signal.play(events)
    signal.now += minutes * model.MINUTE
    needless, first = lifecycle.next_step(list(signal.entries.values()), signal.now)
    if needless:
        signal.work()
        assert not lifecycle.next_step(list(signal.entries.values()), signal.now).needless
    elif first is None and (waiting := lifecycle.first_open(signal.entries.values())) is not None:
        assert any(lifecycle.next_step(list(signal.entries.values()), waiting.due))


def test_every_transition_that_is_listed_is_made_and_no_other() -> None:
    """The table of the lifecycle is what its functions do; the model refuses what it does not list."""
    made: set[tuple[str, DeliveryState | None, DeliveryState]] = set()
    for seed in range(800):
        random = Random(seed)  # noqa: S311  Nothing here is secret.
        signal = model.SignalModel(random.choice((Lane.TICKET, Lane.ROWS)))
        signal.play(model.a_history(random))
        made |= signal.made
    assert made == {(by, *change) for by, changes in model.TRANSITIONS.items() for change in changes}


INSTANT = timedelta(microseconds=1)
HOUR = timedelta(hours=1)
OPENED, UPDATED, RESOLVED = Change
_OWED, _CLAIMED, SENT, SKIPPED, DEAD = DeliveryState

OWED = model.added(OPENING, NOW)
CLAIMED = model.claimed(OWED, NOW + HOUR, "one")


def test_a_claim_is_one_workers_until_its_lease_ends() -> None:
    """At that instant it is anybody's. What is closed is nobody's to claim, whatever its instants say."""
    freed = {timedelta(): False, HOUR - INSTANT: False, HOUR: True, 2 * HOUR: True}
    assert {after: lifecycle.is_claimable(CLAIMED, NOW + after) for after in freed} == freed
    for state in set(DeliveryState) - {_OWED, _CLAIMED}:
        closed = replace(OWED, state=state)
        assert not lifecycle.is_claimable(closed, NOW)
        assert not closed.is_open


def test_an_instant_that_only_a_wrong_clock_can_have_written_does_not_count() -> None:
    """On both sides of what clocks that are right may differ by: a lease, a wait of each lane, and since when it is owed."""
    leases = [replace(CLAIMED, due=NOW + lease + SKEW) for lease in (*LEASE.values(), lifecycle.LONGEST_LEASE)]
    for lease, held in zip((*LEASE.values(), lifecycle.LONGEST_LEASE), leases, strict=True):
        assert not lifecycle.is_claimable(held, NOW, lease)
        assert lifecycle.is_claimable(replace(held, due=held.due + INSTANT), NOW, lease)
    assert not lifecycle.is_claimable(leases[-1], NOW)
    assert lifecycle.is_claimable(replace(leases[-1], due=leases[-1].due + INSTANT), NOW)
    for lane in Lane:
        longest = replace(OWED, lane=lane, due=NOW + LONGEST_WAIT[lane] + SKEW)
        assert not lifecycle.is_claimable(longest, NOW)
        assert lifecycle.is_claimable(replace(longest, due=longest.due + INSTANT), NOW)
    assert lifecycle.born_at(replace(OWED, born=NOW + SKEW).born, NOW) == NOW + SKEW
    assert lifecycle.born_at(replace(OWED, born=NOW + SKEW + INSTANT).born, NOW) == NOW


def test_a_dead_letter_keeps_its_trouble_and_is_redriven_as_young_as_one_that_is_owed_now() -> None:
    """A destination may answer with a page. What is redriven is as young as if it were owed from now on, else it would
    die of age at once; it takes the later resolutions of its opening along, and nothing else."""
    troubled = replace(OWED, error="x" * lifecycle.LONGEST_ERROR)
    ended = lifecycle.given_up(troubled, NOW, "no_destination: gone").error
    assert ended is not None
    assert (len(ended), ended[:30]) == (lifecycle.LONGEST_ERROR, f"no_destination: gone{lifecycle.LAST_TROUBLE}"[:30])
    assert lifecycle.given_up(OWED, NOW, "no_destination: gone").error == "no_destination: gone"
    again = lifecycle.redriven(lifecycle.given_up(CLAIMED, NOW, "x"), NOW + HOUR)
    assert (again.state, again.born, again.due, again.settled) == (_OWED, NOW + HOUR, NOW + HOUR, None)
    assert (again.attempts, again.redriven) == (1, 1)
    letter, end = an_entry(2, OPENED, 2), an_entry(4, RESOLVED, 2)
    others = [an_entry(1, RESOLVED, 2), an_entry(3, UPDATED, 2), an_entry(6, RESOLVED, 5)]
    assert lifecycle.redriven_with(letter, [letter, *others, end]) == [end]


def an_entry(turn: int, change: Change, opened: int = 1, **more: Any) -> DeliveryStatus:
    """An entry that is owed, unless something else is said of it."""
    return replace(model.added(a_delivery(turn, change, opened=opened), NOW), **more)


OVERTAKES = {(OPENED, OPENED), (OPENED, UPDATED), (UPDATED, OPENED), (UPDATED, UPDATED), (UPDATED, RESOLVED)}
OVERTAKES |= {(RESOLVED, OPENED)}


def test_what_was_sent_later_overtakes_what_it_leaves_nothing_to_say() -> None:
    """Neither what was sent before it, nor what was not sent."""
    for letter, later in product(Change, Change):
        dead = an_entry(2, letter, state=DEAD)
        sent = an_entry(3, later, state=SENT)
        assert lifecycle.is_overtaken(dead, [dead, sent]) is ((letter, later) in OVERTAKES)
        assert not lifecycle.is_overtaken(dead, [dead, replace(sent, turn=1), replace(sent, state=DEAD)])


NEEDLESS: list[tuple[list[DeliveryStatus], list[int]]] = [
    ([an_entry(2, UPDATED), an_entry(3, UPDATED)], [2]),
    ([an_entry(2, UPDATED, redriven=1), an_entry(3, UPDATED)], []),
    ([an_entry(2, UPDATED, attempts=1), an_entry(3, UPDATED)], []),
    ([an_entry(2, UPDATED), an_entry(5, UPDATED, 4)], []),
    ([an_entry(1, OPENED), an_entry(2, UPDATED), an_entry(3, RESOLVED)], [1, 2, 3]),
    ([an_entry(1, OPENED, state=DEAD), an_entry(3, RESOLVED)], [3]),
    ([an_entry(1, OPENED, state=SKIPPED), an_entry(3, RESOLVED)], [3]),
    ([an_entry(1, OPENED, state=SENT), an_entry(3, RESOLVED)], []),
    ([an_entry(1, OPENED, state=DEAD, attempts=1), an_entry(3, RESOLVED)], []),
    ([an_entry(1, OPENED, redriven=1), an_entry(3, RESOLVED)], []),
    ([an_entry(1, OPENED, state=DEAD), an_entry(2, UPDATED, attempts=1), an_entry(3, RESOLVED)], []),
    ([an_entry(1, OPENED), an_entry(4, OPENED, 4), an_entry(5, RESOLVED, 4)], [4, 5]),
    ([an_entry(1, RESOLVED, 0, state=DEAD), an_entry(2, OPENED, 2), an_entry(3, RESOLVED, 2)], []),
    ([an_entry(3, RESOLVED)], []),
]


def test_what_nobody_needs_is_superseded() -> None:
    """What was told to nobody and is over, and an update that another one follows; whatever was tried or asked for stays. It
    waits for its turn: the first open one decides when anything is done."""
    for entries, needless in NEEDLESS:
        assert [one.turn for one in lifecycle.superseded(entries)] == needless
    entries = [an_entry(1, OPENED, due=NOW + HOUR), an_entry(2, RESOLVED)]
    assert lifecycle.next_step(entries, NOW) == ([], None)
    assert lifecycle.next_step(entries, NOW + HOUR) == (entries, None)
