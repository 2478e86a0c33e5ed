"""What has nowhere left to go is given up on, the same for a run and for a sweep; what only a wrong clock deferred is not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from router.app.destination_readiness import Unready
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
LACKING = Unready(stream="cwpp", destination="tickets", lane=Lane.TICKET, lacks=(Lack("TICKETS_URL", Why.MISSING),))


def give_up(store: Store, named: Sequence[str], now: datetime, since: datetime, *unready: Unready) -> None:
    """Gives up where the policy of `cwpp` names some destinations."""
    run(give_up_undeliverable(store, {"cwpp": named}, unready, {}, now, since))


def errors(store: Store) -> list[str]:
    """What the dead letters say."""
    return [letter.error for letter in run(letters_in(store))]


def test_what_others_may_still_deliver_to_is_not_given_up_on_yet(store: Store) -> None:
    """While an older policy may be at work beside this one."""
    owe(store, OPENING)
    before = NOW + ROLLOUT - MOMENT
    give_up(store, ["oncall"], before, before - ROLLOUT)
    assert states(store) == {DeliveryState.OWED: 1}
    give_up(store, ["oncall"], NOW + ROLLOUT, NOW)
    assert states(store) == {DeliveryState.DEAD: 1}


def test_what_nobody_can_ask_is_owed_for_as_long_as_its_lane_lets_it_live(store: Store) -> None:
    """And is a dead letter then, which says what is missing."""
    owe(store, OPENING)
    end = NOW + LONGEST_LIFE[Lane.TICKET]
    give_up(store, ["tickets"], end - MOMENT, NOW, LACKING)
    assert states(store) == {DeliveryState.OWED: 1}
    give_up(store, ["tickets"], end, NOW, LACKING)
    assert errors(store) == ["never tried: TICKETS_URL is missing"]


def test_a_step_that_fails_keeps_no_other_from_being_done(store: Store) -> None:
    """What it raised is raised in the end."""
    owe(store, OPENING)
    broken, state = faulty(store)
    state.down.add("abandon")
    with pytest.raises(StoreError):
        give_up(broken, ["tickets"], NOW + LONGEST_LIFE[Lane.TICKET], NOW, LACKING)
    assert states(store) == {DeliveryState.DEAD: 1}
