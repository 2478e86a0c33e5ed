"""A destination that cannot be asked, and what has nowhere left to go: what is said, and when it is given up on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from router.app.destination_readiness import Remark, Unready, given_up_until, remark_on
from router.app.maintenance import ROLLOUT, give_up_undeliverable
from router.app.settings import Lack, Why
from router.domain.deliveries import LONGEST_LIFE, DeliveryState
from router.domain.errors import StoreError
from router.domain.rulebook import Lane
from router.store.store import Store
from tests.builders import NOW
from tests.store.acts import letters_in, owe, run, states
from tests.store.builders import OPENING
from tests.store.faulty import faulty

MOMENT = timedelta(microseconds=1)


def lacking(*whys: Why, lane: Lane = Lane.TICKET) -> Unready:
    """A destination that lacks things."""
    lacks = tuple(Lack(f"KEY{number}", why) for number, why in enumerate(whys))
    return Unready(stream="cwpp", destination="tickets", lane=lane, lacks=lacks)


LACKING = lacking(Why.MISSING)


def give_up(store: Store, named: Sequence[str], now: datetime, since: datetime, *unready: Unready) -> None:
    """Gives up where the policy of `cwpp` names some destinations."""
    run(give_up_undeliverable(store, {"cwpp": named}, unready, {}, now, since))


def test_what_was_never_there_is_not_yet_and_what_was_or_is_a_mistake_is_a_problem(subtests: pytest.Subtests) -> None:
    """Whatever it is that is missing. A mistake would not go away by itself, and is named beside what is missing."""
    for why in (Why.MISSING, Why.REFERENCE, Why.EXAMPLE, Why.NOT_INSTALLED):
        with subtests.test(why.value):
            said = f"cwpp tickets: not yet: KEY0 {why}"
            assert remark_on(lacking(why), has_delivered=False) == Remark(said, is_problem=False)
            assert remark_on(lacking(why), has_delivered=True) == Remark(
                said.replace("not yet", "cannot be asked"), True
            )
    for why in (Why.UNFIT, Why.SHARED):
        with subtests.test(why.value):
            remark = remark_on(lacking(Why.MISSING, why), has_delivered=False)
            assert remark == Remark(f"cwpp tickets: cannot be asked: KEY0 is missing, KEY1 {why}", is_problem=True)


def test_what_is_due_there_lives_as_long_as_anywhere_in_its_lane() -> None:
    """Six hours for a page, three days for the others."""
    for lane in Lane:
        assert NOW - given_up_until(lacking(Why.MISSING, lane=lane), NOW) == LONGEST_LIFE[lane] >= timedelta(hours=6)


def test_what_others_may_still_deliver_to_is_not_given_up_on_yet(sqlite: Store) -> None:
    """While an older policy may be at work beside this one."""
    owe(sqlite, OPENING)
    before = NOW + ROLLOUT - MOMENT
    give_up(sqlite, ["oncall"], before, before - ROLLOUT)
    assert states(sqlite) == {DeliveryState.OWED: 1}
    give_up(sqlite, ["oncall"], NOW + ROLLOUT, NOW)
    assert states(sqlite) == {DeliveryState.DEAD: 1}


def test_what_nobody_can_ask_is_owed_for_as_long_as_its_lane_lets_it_live(sqlite: Store) -> None:
    """And is a dead letter then, which says what is missing."""
    owe(sqlite, OPENING)
    end = NOW + LONGEST_LIFE[Lane.TICKET]
    give_up(sqlite, ["tickets"], end - MOMENT, NOW, LACKING)
    assert states(sqlite) == {DeliveryState.OWED: 1}
    give_up(sqlite, ["tickets"], end, NOW, LACKING)
    assert [letter.error for letter in run(letters_in(sqlite))] == ["never tried: KEY0 is missing"]


def test_a_step_that_fails_keeps_no_other_from_being_done(sqlite: Store) -> None:
    """What it raised is raised in the end."""
    owe(sqlite, OPENING)
    broken, state = faulty(sqlite)
    state.down.add("abandon")
    with pytest.raises(StoreError):
        give_up(broken, ["tickets"], NOW + LONGEST_LIFE[Lane.TICKET], NOW, LACKING)
    assert states(sqlite) == {DeliveryState.DEAD: 1}
