"""What is said of a destination that cannot be asked."""

from __future__ import annotations

from datetime import timedelta

import pytest

from router.app.destination_readiness import Remark, Unready, given_up_until, remark_on
from router.app.settings import Lack, Why
from router.domain.deliveries import LONGEST_LIFE
from router.domain.rulebook import Lane
from tests.builders import NOW


def lacking(*whys: Why, lane: Lane = Lane.PAGE) -> Unready:
    """A pager that lacks things."""
    lacks = tuple(Lack(f"KEY{number}", why) for number, why in enumerate(whys))
    return Unready(stream="cwpp", destination="oncall", lane=lane, lacks=lacks)


@pytest.mark.parametrize("why", [Why.MISSING, Why.REFERENCE, Why.EXAMPLE, Why.NOT_INSTALLED])
def test_what_was_never_there_is_not_yet_and_what_was_is_a_problem(why: Why) -> None:
    """Whatever it is that is missing."""
    said = f"cwpp oncall: not yet: KEY0 {why}"
    assert remark_on(lacking(why), has_delivered=False) == Remark(said, is_problem=False)
    assert remark_on(lacking(why), has_delivered=True) == Remark(said.replace("not yet", "cannot be asked"), True)


@pytest.mark.parametrize("why", [Why.UNFIT, Why.SHARED])
def test_a_mistake_is_a_problem_whatever_else_is_missing(why: Why) -> None:
    """It would not go away by itself, and both are named."""
    remark = remark_on(lacking(Why.MISSING, why), has_delivered=False)
    assert remark == Remark(f"cwpp oncall: cannot be asked: KEY0 is missing, KEY1 {why}", is_problem=True)


@pytest.mark.parametrize("lane", Lane)
def test_what_is_due_there_lives_as_long_as_anywhere_in_its_lane(lane: Lane) -> None:
    """Six hours for a page, three days for the others."""
    assert NOW - given_up_until(lacking(Why.MISSING, lane=lane), NOW) == LONGEST_LIFE[lane]
    assert LONGEST_LIFE[lane] >= timedelta(hours=6)
