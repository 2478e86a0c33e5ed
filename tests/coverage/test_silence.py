"""Who is silent is told once, and again when it speaks; whoever was away tells nothing false."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.coverage.expected.manifest import Excuse, WorkloadSelector
from router.coverage.expected.silence import GONE
from router.coverage.verdicts import CoverageException
from router.domain.coverage import Rung, WorkloadKind
from router.domain.silent_sources import AT_ONCE, SourceState, SourceWatch
from tests.builders import NOW
from tests.domain.silence_model import (
    DAY,
    HOUR,
    ONE,
    TWO,
    Life,
    Oracle,
    Step,
    a_manifest,
    an_entry,
    cluster_id,
    of_cluster,
    of_plan,
    of_subscription,
    said,
    steps,
    subscriptions,
)
from tests.examples import some_of

SECOND = timedelta(seconds=1)


@settings(max_examples=some_of(250))
@given(steps, st.sampled_from([1, 3, 8]))
def test_who_is_silent_for_longer_than_it_may_is_told_once_and_again_when_it_speaks(
    some: list[Step], days: int
) -> None:
    """Whatever comes and goes: messages, looks, absences, losses, entries of the manifest."""
    expected: tuple[str, ...] = (ONE, TWO)
    life, now, looked, lost = Life(subscriptions(*expected, days=days)), NOW, None, None
    oracles = {id: Oracle(days * DAY) for id in expected}

    def look() -> None:
        nonlocal looked
        for id, oracle in oracles.items():
            is_anew = looked is None or now - looked > 6 * HOUR
            oracle.looks(now, is_expected=id in expected, is_anew=is_anew, lost=lost)
        life.looks(now, lost)
        looked = now

    look()
    for step in some:
        if step.what == "looks":
            for _ in range(step.after // (4 * HOUR)):
                now += 4 * HOUR
                look()
            continue
        if step.what == "message" and looked is not None and now + step.after - looked > 4 * HOUR:
            look()
        now += step.after
        match step.what:
            case "message":
                life.hears(now, *map(of_subscription, step.who))
                for id in step.who:
                    oracles[id].messages.append(now)
            case "lost":
                lost = now
            case "manifest":
                expected = step.who
                life.manifest = subscriptions(*expected, days=days)
            case _:
                look()
    for id, oracle in oracles.items():
        turns = [turn for turn in life.turns if turn.source.subject == id]
        assert [(turn.at, turn.state.value) for turn in turns] == oracle.said
        assert [turn.number for turn in turns] == list(range(1, len(turns) + 1))
        assert all(one.state is not other.state for one, other in pairwise(turns))


def a_life(days: float = 8, plans: tuple[str, ...] = ()) -> Life:
    """A router that expects one subscription, just begun."""
    life = Life(subscriptions(ONE, days=days, plans=plans))
    life.looks(NOW)
    return life


def test_exactly_as_long_as_allowed_is_no_silence() -> None:
    """A second more is one; from the first look on where it was never heard of."""
    life = a_life()
    assert life.lives(NOW + 8 * DAY, since=NOW) == []
    (turn,) = life.looks(NOW + 8 * DAY + SECOND)
    assert (turn.state, turn.last, turn.since) == (SourceState.SILENT, None, NOW)
    assert life.lives(NOW + 30 * DAY, since=NOW + 8 * DAY + HOUR) == []
    life.hears(NOW + 30 * DAY, of_subscription(ONE))
    (turn,) = life.looks(NOW + 30 * DAY + SECOND)
    assert (turn.state, turn.last, turn.since) == (SourceState.SPEAKS, NOW + 30 * DAY, NOW)
    assert said(life.lives(NOW + 60 * DAY, since=NOW + 30 * DAY + HOUR)) == [(ONE, "silent")]


def test_alerts_alone_say_nothing_and_their_silence_alarms_nobody() -> None:
    """Posture is what comes once a week."""
    life = a_life()
    life.hears(NOW + DAY, of_subscription(ONE))
    known = life.known[of_subscription(ONE).id]
    heard = replace(known.heard, alert=NOW + 8 * DAY, real_alert=NOW + 8 * DAY)
    life.known[of_subscription(ONE).id] = replace(known, heard=heard)
    life.lives(NOW + 9 * DAY, since=NOW)
    assert said(life.looks(NOW + 9 * DAY + SECOND)) == [(ONE, "silent")]


@pytest.mark.parametrize("leap", [-400 * DAY, -DAY, 20 * DAY, 400 * DAY])
def test_a_clock_that_leapt_makes_nobody_silent_and_nobody_speak(leap: timedelta) -> None:
    """Neither while it is wrong nor when it is right again; from then on times count."""
    life = a_life()
    life.hears(NOW, of_subscription(ONE))
    life.lives(NOW + 5 * DAY, since=NOW)
    wrong = NOW + 5 * DAY + leap
    assert life.lives(wrong + 5 * HOUR, since=wrong) == []
    right = NOW + 6 * DAY
    assert life.lives(right + 8 * DAY, since=right) == []
    assert said(life.lives(right + 9 * DAY, since=right + 8 * DAY)) == [(ONE, "silent")]


def test_a_clock_that_leapt_while_a_source_was_silent_loses_no_sign_of_life() -> None:
    """Its turns go on in order, whatever the clock says."""
    life = a_life()
    life.lives(NOW + 9 * DAY, since=NOW)
    life.looks(NOW + 900 * DAY)
    assert life.lives(NOW + 2 * DAY + 5 * HOUR, since=NOW + 2 * DAY) == []
    life.hears(NOW + 10 * DAY, of_subscription(ONE))
    assert said(life.looks(NOW + 10 * DAY + HOUR)) == [(ONE, "speaks")]
    assert [turn.number for turn in life.turns] == [1, 2]


def an_excuse(name: str, ends: datetime, *rungs: Rung) -> Excuse:
    """An exception of the manifest."""
    exception = CoverageException(owner="platform@contoso.example", reason="moved", ends=ends)
    return Excuse(selects=WorkloadSelector(names=(name,)), rungs=frozenset(rungs), exception=exception, number=1)


def test_an_exception_holds_back_what_is_silent_until_its_end() -> None:
    """What was told before is over for so long; one on another rung, or of another subscription, holds nothing."""
    end = NOW + 20 * DAY
    life = Life(a_manifest(an_entry(WorkloadKind.SUBSCRIPTION, ONE, TWO), excuses=[an_excuse(ONE, end, Rung.EXPORT)]))
    assert said(life.lives(end - SECOND, since=NOW)) == [(TWO, "silent")]
    assert said(life.looks(end)) == [(ONE, "silent")]
    life.manifest = replace(life.manifest, excuses=(an_excuse(ONE, end + DAY, Rung.PLAN), an_excuse(TWO, end + DAY)))
    (turn,) = life.looks(end + HOUR)
    assert (turn.source.subject, turn.state) == (TWO, SourceState.EXCUSED)
    assert turn.excuse == "2026-12-15T12:00:00Z by platform@contoso.example"
    assert said(life.lives(end + 2 * DAY, since=end + 2 * HOUR)) == [(TWO, "silent")]


def test_what_the_manifest_no_longer_expects_is_over_once_all_workers_have_it() -> None:
    """Two workers with other manifests, side by side, tell nothing."""
    life, other = a_life(), subscriptions(TWO)
    life.lives(NOW + 9 * DAY, since=NOW)
    own, now = life.manifest, NOW + 9 * DAY
    for number in range(21):
        life.manifest = other if number % 2 else own
        assert life.looks(now + number * GONE / 2) == []
    life.manifest = other
    now += 11 * GONE
    assert life.looks(now) == []
    assert life.looks(now + GONE) == []
    assert said(life.looks(now + GONE + SECOND)) == [(ONE, "unexpected")]
    life.manifest = own
    assert life.looks(now + 2 * GONE) == []
    assert said(life.lives(now + 9 * DAY, since=now + 2 * GONE)) == [(ONE, "silent")]


def test_a_source_that_may_be_silent_for_longer_by_now_is_silent_no_more() -> None:
    """Until that is over, too, and not while workers with other manifests are at work; a shorter time ends nothing."""
    life = a_life()
    life.hears(NOW, of_subscription(ONE))
    now = NOW + 9 * DAY
    life.lives(now, since=NOW)
    assert said(life.turns) == [(ONE, "silent")]
    for days in (3, 9, 8, 20, 8):
        life.manifest = subscriptions(ONE, days=days)
        now += GONE / 2
        assert life.looks(now) == []
    life.manifest = subscriptions(ONE, days=20)
    assert said(life.lives(now + 2 * HOUR, since=now + SECOND, every=GONE / 2)) == [(ONE, "unexpected")]
    assert life.lives(NOW + 20 * DAY, since=now + 2 * HOUR) == []
    assert said(life.looks(NOW + 20 * DAY + SECOND)) == [(ONE, "silent")]


CLUSTERS = a_manifest(an_entry(WorkloadKind.CLUSTER, cluster_id("aks-a"), cluster_id("aks-b"), plans=["Containers"]))


def weekly(life: Life, *of_snapshots: str, healthy: bool = True, since: datetime = NOW, weeks: int = 1) -> None:
    """Snapshots of the subscription, with rows of some clusters, and of the plan, an hour after its first."""
    for week in range(weeks):
        at = since + week * 7 * DAY
        life.lives(at, since=at)
        life.hears(at, of_subscription(ONE), healthy=healthy)
        life.hears(
            at + HOUR, of_subscription(ONE), *map(of_cluster, of_snapshots), of_plan("Containers"), healthy=healthy
        )
        life.lives(at + 7 * DAY - HOUR, since=at + HOUR)


def test_a_cluster_of_which_its_subscriptions_snapshots_say_nothing_is_silent() -> None:
    """Its subscription and its plan are expected with it, and speak."""
    life = Life(CLUSTERS)
    weekly(life, "aks-a", "aks-b")
    weekly(life, "aks-a", since=NOW + 7 * DAY, weeks=3)
    (turn,) = life.turns
    assert said([turn]) == [("aks-b", "silent")]
    assert NOW + 8 * DAY < turn.at - HOUR <= NOW + 8 * DAY + HOUR
    weekly(life, "aks-a", "aks-b", since=NOW + 28 * DAY)
    assert said(life.turns) == [("aks-b", "silent"), ("aks-b", "speaks")]


def test_without_healthy_rows_only_the_subscription_is_held_to_its_silence() -> None:
    """What is well is not spoken of there."""
    life = Life(CLUSTERS)
    weekly(life, "aks-a", healthy=False, weeks=5)
    assert life.turns == []
    life.lives(NOW + 60 * DAY, since=NOW + 35 * DAY)
    assert said(life.turns) == [(ONE, "silent")]


def test_healthy_rows_count_as_long_as_the_subscription_may_be_silent() -> None:
    """Between the last of them and the last row of any snapshot."""
    for gap, is_silent in ((8 * DAY, True), (8 * DAY + SECOND, False)):
        life = Life(CLUSTERS)
        life.looks(NOW)
        life.hears(NOW, of_subscription(ONE), healthy=True)
        life.lives(NOW + gap, since=NOW)
        life.hears(NOW + gap, of_subscription(ONE), healthy=False)
        found = life.lives(NOW + gap + 3 * HOUR, since=NOW + gap + SECOND)
        assert bool(found) is is_silent


def test_when_a_whole_subscription_is_silent_its_clusters_and_plans_are_not_told_one_by_one() -> None:
    """They have a day from its first snapshot on, and follow if they are still silent then."""
    life = Life(CLUSTERS)
    weekly(life, "aks-a", "aks-b")
    life.lives(NOW + 30 * DAY, since=NOW + 7 * DAY)
    assert said(life.turns) == [(ONE, "silent")]
    back = NOW + 30 * DAY
    life.hears(back, of_subscription(ONE))
    life.lives(back + 3 * DAY, since=back + SECOND)
    assert said(life.turns[1:]) == [(ONE, "speaks")], "no snapshot came yet"
    life.hears(back + 3 * DAY, of_subscription(ONE), healthy=True)
    life.hears(back + 3 * DAY + HOUR, of_subscription(ONE), of_cluster("aks-a"), of_plan("Containers"), healthy=True)
    begun = back + 3 * DAY + HOUR
    assert life.lives(begun + DAY, since=begun) == []
    assert said(life.looks(begun + DAY + SECOND)) == [("aks-b", "silent")]


def test_nor_where_the_subscription_may_be_silent_for_less_than_a_week() -> None:
    """Its last snapshot is not late, and still it is silent as a whole."""
    life = Life(a_manifest(an_entry(WorkloadKind.CLUSTER, cluster_id("aks-a"), plans=["Containers"], days=3)))
    life.looks(NOW)
    life.hears(NOW, of_subscription(ONE), of_cluster("aks-a"), of_plan("Containers"), healthy=True)
    assert said(life.lives(NOW + 7 * DAY, since=NOW)) == [(ONE, "silent")]


def test_a_cluster_that_is_named_and_never_heard_of_is_known_by_its_name_until_it_is() -> None:
    """Then its own id takes over, and what was told under the name is over."""
    life = Life(a_manifest(an_entry(WorkloadKind.CLUSTER, "AKS-New", subscription=ONE)))
    for week in range(3):
        at = NOW + week * 7 * DAY
        life.hears(at, of_subscription(ONE), healthy=True)
        life.lives(at + 7 * DAY - HOUR, since=at)
    (turn,) = life.turns
    assert (turn.source.subject, turn.name, turn.state) == (f"{ONE}/aks-new", "AKS-New", SourceState.SILENT)
    at = NOW + 21 * DAY
    life.hears(at, of_subscription(ONE), of_cluster("aks-new"), healthy=True)
    assert said(life.lives(at + 2 * DAY, since=at)) == [("aks-new", "speaks")]
    for week in (4, 5):
        at = NOW + week * 7 * DAY
        life.hears(at, of_subscription(ONE), healthy=True)
        life.lives(at + 7 * DAY - HOUR, since=at)
    assert life.turns[-1].source == of_cluster("aks-new")
    assert said(life.turns[2:]) == [("aks-new", "silent")]


def test_a_mass_that_falls_silent_is_counted_in_each_and_told_in_pieces() -> None:
    """A look tells no more than so many; each says how many more there are."""
    ids = [f"{number:08d}-0000-0000-0000-000000000000" for number in range(AT_ONCE + 20)]
    life = Life(subscriptions(*ids))
    life.looks(NOW)
    at = NOW + 5 * HOUR
    while at <= NOW + 8 * DAY:
        assert life.looks(at) == []
        at += 5 * HOUR
    at = NOW + 8 * DAY + SECOND
    first, second, third = (life.looks(at + number * SECOND) for number in range(3))
    assert (len(first), len(second), third) == (AT_ONCE, 20, [])
    assert {turn.others for turn in (*first, *second)} == {AT_ONCE + 19}
    assert len({turn.source for turn in (*first, *second)}) == AT_ONCE + 20


def test_while_nothing_changes_it_is_written_down_once_an_hour() -> None:
    """Up to when the hub is taken in; all else stays as it is."""
    life = a_life()
    life.hears(NOW, of_subscription(ONE))
    life.looks(NOW + SECOND)
    written: list[SourceWatch | None] = []
    for number in range(1, 14):
        life.looks(NOW + number * timedelta(minutes=10))
        if life.watch not in written:
            written.append(life.watch)
    assert len(written) == 3
