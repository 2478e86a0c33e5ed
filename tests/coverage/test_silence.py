"""Who is silent is told once, and again when it speaks; whoever was away tells nothing false; which sources are expected."""

import sys
from collections import Counter
from copy import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.coverage.expected.manifest import NO_MANIFEST, CoverageManifest, Expectation
from router.coverage.expected.silence import GONE, expected_sources
from router.domain.coverage import Rung, WorkloadKind
from router.domain.coverage_sources import CoverageSource, CoverageSourceKind, LastHeard
from router.domain.silent_sources import AT_ONCE, SourceState, SourceWatch
from tests.builders import NOW
from tests.coverage.builders import excuses
from tests.domain import silence_model as model
from tests.domain.silence_model import DAY, HOUR, ONE, TWO, a_manifest, an_entry, of_cluster, of_subscription, said
from tests.examples import some_of

SECOND = timedelta(seconds=1)


@settings(max_examples=some_of(250))
@given(model.steps, st.sampled_from([1, 3, 8]))
def test_who_is_silent_for_longer_than_it_may_is_told_once_and_again_when_it_speaks(
    some: list[model.Step], days: int
) -> None:
    """Whatever comes and goes: messages, looks, absences, losses, entries of the manifest."""
    expected: tuple[str, ...] = (ONE, TWO)
    life, now, looked, lost = model.Life(model.subscriptions(*expected, days=days)), NOW, None, None
    oracles = {id: model.Oracle(days * DAY) for id in expected}

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
                life.manifest = model.subscriptions(*expected, days=days)
            case _:
                look()
    for id, oracle in oracles.items():
        turns = [turn for turn in life.turns if turn.source.subject == id]
        assert [(turn.at, turn.state.value) for turn in turns] == oracle.said
        assert [turn.number for turn in turns] == list(range(1, len(turns) + 1))
        assert all(one.state is not other.state for one, other in pairwise(turns))


def a_life() -> model.Life:
    """A router that expects one subscription, just begun."""
    life = model.Life(model.subscriptions(ONE))
    life.looks(NOW)
    return life


def test_exactly_as_long_as_allowed_is_no_silence() -> None:
    """A second more is one; from the first look on where it was never heard of."""
    life = a_life()
    assert life.lives(NOW + 8 * DAY, since=NOW) == []
    (turn,) = life.looks(NOW + 8 * DAY + SECOND)
    assert (turn.state, turn.last, turn.since) == (SourceState.SILENT, None, NOW)
    life.hears(NOW + 30 * DAY, of_subscription(ONE))
    (turn,) = life.looks(NOW + 30 * DAY + SECOND)
    assert (turn.state, turn.last, turn.since) == (SourceState.SPEAKS, NOW + 30 * DAY, NOW)

    # Alerts alone say nothing: posture is what comes once a week.
    life = a_life()
    life.hears(NOW + DAY, of_subscription(ONE))
    known = life.known[of_subscription(ONE).id]
    heard = replace(known.heard, alert=NOW + 8 * DAY, real_alert=NOW + 8 * DAY)
    life.known[of_subscription(ONE).id] = replace(known, heard=heard)
    life.lives(NOW + 9 * DAY, since=NOW)
    assert said(life.looks(NOW + 9 * DAY + SECOND)) == [(ONE, "silent")]


def test_a_clock_that_leapt_makes_nobody_silent_and_nobody_speak() -> None:
    """Neither while it is wrong nor when it is right again; from then on times count, and turns go on in order."""
    for leap in (-400 * DAY, -DAY, 20 * DAY, 400 * DAY):
        life = a_life()
        life.hears(NOW, of_subscription(ONE))
        life.lives(NOW + 5 * DAY, since=NOW)
        wrong, right = NOW + 5 * DAY + leap, NOW + 6 * DAY
        assert life.lives(wrong + 5 * HOUR, since=wrong) == []
        assert life.lives(right + 8 * DAY, since=right) == []
        assert said(life.lives(right + 9 * DAY, since=right + 8 * DAY)) == [(ONE, "silent")]
    life = a_life()
    life.lives(NOW + 9 * DAY, since=NOW)
    life.looks(NOW + 900 * DAY)
    assert life.lives(NOW + 2 * DAY + 5 * HOUR, since=NOW + 2 * DAY) == []
    life.hears(NOW + 10 * DAY, of_subscription(ONE))
    assert said(life.looks(NOW + 10 * DAY + HOUR)) == [(ONE, "speaks")]
    assert [turn.number for turn in life.turns] == [1, 2]


def test_an_exception_holds_back_what_is_silent_until_its_end() -> None:
    """What was told before is over for so long; one on another rung, or of another subscription, holds nothing."""
    end, on_export, on_plan = NOW + 20 * DAY, [Rung.EXPORT], [Rung.PLAN]
    life = model.Life(
        a_manifest(an_entry(WorkloadKind.SUBSCRIPTION, ONE, TWO), excuses=[excuses(ONE, ends=end, rungs=on_export)])
    )
    assert said(life.lives(end - SECOND, since=NOW)) == [(TWO, "silent")]
    assert said(life.looks(end)) == [(ONE, "silent")]
    life.manifest = replace(
        life.manifest, excuses=(excuses(ONE, ends=end + DAY, rungs=on_plan), excuses(TWO, ends=end + DAY))
    )
    (turn,) = life.looks(end + HOUR)
    assert (turn.source.subject, turn.state) == (TWO, SourceState.EXCUSED)
    assert turn.excuse == "2026-12-15T12:00:00Z by platform@example.com"
    assert said(life.lives(end + 2 * DAY, since=end + 2 * HOUR)) == [(TWO, "silent")]


def test_what_the_manifest_no_longer_expects_is_over_once_all_workers_have_it() -> None:
    """Two workers with other manifests, side by side, tell nothing."""
    life, other = a_life(), model.subscriptions(TWO)
    life.lives(NOW + 9 * DAY, since=NOW)
    own, now = life.manifest, NOW + 9 * DAY
    for number in range(21):
        life.manifest = other if number % 2 else own
        assert life.looks(now + number * GONE / 2) == []
    life.manifest = other
    now += 11 * GONE
    assert life.looks(now) == life.looks(now + GONE) == []
    assert said(life.looks(now + HOUR + SECOND)) == [(ONE, "unexpected")]
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
        life.manifest = model.subscriptions(ONE, days=days)
        now += GONE / 2
        assert life.looks(now) == []
    life.manifest = model.subscriptions(ONE, days=20)
    assert said(life.lives(now + 2 * HOUR, since=now + SECOND, every=GONE / 2)) == [(ONE, "unexpected")]
    assert life.lives(NOW + 20 * DAY, since=now + 2 * HOUR) == []
    assert said(life.looks(NOW + 20 * DAY + SECOND)) == [(ONE, "silent")]


CLUSTERS = a_manifest(
    an_entry(WorkloadKind.CLUSTER, model.cluster_id("aks-a"), model.cluster_id("aks-b"), plans=["Containers"])
)


def weekly(life: model.Life, *of_snapshots: str, healthy: bool = True, since: datetime = NOW, weeks: int = 1) -> None:
    """Snapshots of the subscription, with rows of some clusters, and of the plan, an hour after its first."""
    for week in range(weeks):
        at = since + week * 7 * DAY
        life.lives(at, since=at)
        life.hears(at, of_subscription(ONE), healthy=healthy)
        life.hears(
            at + HOUR,
            of_subscription(ONE),
            *map(of_cluster, of_snapshots),
            model.of_plan("Containers"),
            healthy=healthy,
        )
        life.lives(at + 7 * DAY - HOUR, since=at + HOUR)


def test_a_cluster_of_which_its_subscriptions_snapshots_say_nothing_is_silent() -> None:
    """Healthy rows count as long as the subscription may be silent; without them only that is held to its silence."""
    life = model.Life(CLUSTERS)
    weekly(life, "aks-a", "aks-b")
    weekly(life, "aks-a", since=NOW + 7 * DAY, weeks=3)
    (turn,) = life.turns
    assert said([turn]) == [("aks-b", "silent")]
    assert NOW + 8 * DAY < turn.at - HOUR <= NOW + 8 * DAY + HOUR
    weekly(life, "aks-a", "aks-b", since=NOW + 28 * DAY)
    assert said(life.turns) == [("aks-b", "silent"), ("aks-b", "speaks")]
    life = model.Life(CLUSTERS)
    weekly(life, "aks-a", healthy=False, weeks=5)
    assert life.turns == []
    life.lives(NOW + 60 * DAY, since=NOW + 35 * DAY)
    assert said(life.turns) == [(ONE, "silent")]
    for gap, is_silent in ((8 * DAY, True), (8 * DAY + SECOND, False)):
        life = model.Life(CLUSTERS)
        life.looks(NOW)
        life.hears(NOW, of_subscription(ONE), healthy=True)
        life.lives(NOW + gap, since=NOW)
        life.hears(NOW + gap, of_subscription(ONE), healthy=False)
        found = life.lives(NOW + gap + 3 * HOUR, since=NOW + gap + SECOND)
        assert bool(found) is is_silent


def test_when_a_whole_subscription_is_silent_its_clusters_and_plans_are_not_told_one_by_one() -> None:
    """They have a day from its first snapshot on, and follow if they are still silent then."""
    life = model.Life(CLUSTERS)
    weekly(life, "aks-a", "aks-b")
    life.lives(NOW + 30 * DAY, since=NOW + 7 * DAY)
    assert said(life.turns) == [(ONE, "silent")]
    back = NOW + 30 * DAY
    life.hears(back, of_subscription(ONE))
    life.lives(back + 3 * DAY, since=back + SECOND)
    assert said(life.turns[1:]) == [(ONE, "speaks")], "no snapshot came yet"
    life.hears(back + 3 * DAY, of_subscription(ONE), healthy=True)
    life.hears(
        back + 3 * DAY + HOUR, of_subscription(ONE), of_cluster("aks-a"), model.of_plan("Containers"), healthy=True
    )
    begun = back + 3 * DAY + HOUR
    assert life.lives(begun + DAY, since=begun) == []
    assert said(life.looks(begun + DAY + SECOND)) == [("aks-b", "silent")]

    # Nor where the subscription may be silent for less than a week: its last snapshot is not late.
    life = model.Life(
        a_manifest(an_entry(WorkloadKind.CLUSTER, model.cluster_id("aks-a"), plans=["Containers"], days=3))
    )
    life.looks(NOW)
    life.hears(NOW, of_subscription(ONE), of_cluster("aks-a"), model.of_plan("Containers"), healthy=True)
    assert said(life.lives(NOW + 7 * DAY, since=NOW)) == [(ONE, "silent")]


def test_a_cluster_that_is_named_and_never_heard_of_is_known_by_its_name_until_it_is() -> None:
    """Then its own id takes over, and what was told under the name is over."""
    life = model.Life(a_manifest(an_entry(WorkloadKind.CLUSTER, "AKS-New", subscription=ONE)))
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
    """A look tells no more than so many. Made every ten minutes, it costs for thousands no more for each of them."""
    ids = [f"{number:08d}-0000-0000-0000-000000000000" for number in range(AT_ONCE + 20)]
    life = model.Life(model.subscriptions(*ids))
    assert life.lives(NOW + 8 * DAY, since=NOW, every=5 * model.HOUR) == []
    at = NOW + 8 * DAY + SECOND
    first, second, third = (life.looks(at + number * SECOND) for number in range(3))
    assert (len(first), len(second), third) == (AT_ONCE, 20, [])
    assert {turn.others for turn in (*first, *second)} == {AT_ONCE + 19}
    assert len({turn.source for turn in (*first, *second)}) == AT_ONCE + 20
    for shape in ("entries", "clusters", "names"):
        assert cost_of_a_look(shape, 600) < 20 * cost_of_a_look(shape, 60), shape


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


SUBSCRIPTION, CLUSTER, MACHINE = WorkloadKind.SUBSCRIPTION, WorkloadKind.CLUSTER, WorkloadKind.MACHINE
THREE = "33333333-3333-3333-3333-333333333333"
ARN = "arn:aws:eks:eu-central-1:123456789012:cluster/eks-pay"


def heard(*sources: CoverageSource, subscription: str | None = None) -> list[LastHeard]:
    """Some sources of which something was heard."""
    return [LastHeard(source=source, subscription=subscription, posture=NOW) for source in sources]


def found(manifest: CoverageManifest, *of: CoverageSource, subscription: str | None = None) -> dict[str, timedelta]:
    """How long each expected source may be silent, by its id."""
    sources = expected_sources(manifest, heard(*of, subscription=subscription))
    return {id: one.within for id, one in sources.by_id.items()}


def unmatched(manifest: CoverageManifest, *of: CoverageSource) -> list[str]:
    """What is said of patterns that fit nothing."""
    return [str(one).partition(": ")[0] for one in expected_sources(manifest, heard(*of)).unmatched]


def test_what_is_named_is_expected_before_anything_is_heard_of_it(subtests: pytest.Subtests) -> None:
    """Its subscription with it; of several entries that fit a source the first one counts, also where a later one names it."""
    subscription, cluster, plan = of_subscription(ONE).id, of_cluster("aks-a").id, model.of_plan("KeyVaults").id
    elsewhere, theirs = of_subscription(TWO).id, of_cluster("aks-a", TWO).id
    for name, entries, heard_of, expected in (
        (
            "subscriptions by their ids in any case, clusters by name or id",
            [
                an_entry(SUBSCRIPTION, ONE.upper(), f"/subscriptions/{ONE}", days=9),
                an_entry(CLUSTER, model.cluster_id("aks-a", TWO).upper(), "AKS-B", days=10, number=2),
                an_entry(MACHINE, subscription=THREE, days=11, number=3),
            ],
            [],
            {subscription: 9, theirs: 10, elsewhere: 10, "cluster:aks-b": 10, f"subscription:{THREE}": 11},
        ),
        (
            "the first of several",
            [
                an_entry(SUBSCRIPTION, "1111*", days=20),
                an_entry(CLUSTER, "aks-*", days=30, number=2),
                an_entry(SUBSCRIPTION, ONE, days=9, number=3),
                an_entry(CLUSTER, "aks-a", subscription=ONE, days=10, number=4),
            ],
            [of_cluster("aks-a"), of_subscription(ONE)],
            {subscription: 20, cluster: 30},
        ),
        (
            "plans in each subscription of their entry, and in those of its clusters",
            [
                an_entry(SUBSCRIPTION, ONE, plans=["KeyVaults"], days=9),
                an_entry(CLUSTER, "aks-*", plans=["Containers"], days=10, number=2),
                an_entry(MACHINE, plans=["VirtualMachines", "KeyVaults"], subscription=ONE, days=11, number=3),
                an_entry(MACHINE, plans=["CosmosDbs"], number=4),
            ],
            [of_cluster("aks-a", TWO)],
            {subscription: 9, theirs: 10, elsewhere: 10, plan: 9, model.of_plan("Containers", TWO).id: 10}
            | {model.of_plan("VirtualMachines").id: 11},
        ),
    ):
        with subtests.test(name):
            within = found(a_manifest(*entries), *heard_of)
            assert within == {id: days * DAY for id, days in expected.items()}


def test_a_pattern_expects_what_it_fits_once_that_was_heard_of() -> None:
    """Until then it is said to fit nothing. Without entries whatever was heard of is expected, but no workload or owner."""
    manifest = a_manifest(
        an_entry(SUBSCRIPTION, "1*"),
        an_entry(CLUSTER, "aks-?", number=2),
        an_entry(WorkloadKind.MACHINE, "vm-*", subscription="2*", number=3),
        an_entry(CLUSTER, number=4),
    )
    assert found(manifest) == {}
    assert unmatched(manifest) == [
        "coverage.yaml expect[0].name",
        "coverage.yaml expect[1].name",
        "coverage.yaml expect[2].subscription",
    ]
    of = (of_subscription(ONE), of_subscription(TWO), of_cluster("aks-a"), of_cluster("other", TWO))
    assert found(manifest, *of).keys() == {one.id for one in of}
    assert unmatched(manifest, *of) == []
    # No message names a subscription otherwise than by its id.
    named = a_manifest(an_entry(SUBSCRIPTION, "Production"))
    assert (found(named, of_subscription(ONE)), unmatched(named)) == ({}, ["coverage.yaml expect[0].name"])
    empty, heard_of = CoverageManifest(is_given=True), (of_subscription(ONE), of_cluster("aks-a"))
    assert found(empty, *heard_of).keys() == {one.id for one in heard_of}
    assert (found(NO_MANIFEST, *heard_of), unmatched(empty)) == ({}, [])
    kinds = (CoverageSourceKind.WORKLOAD, CoverageSourceKind.OWNER, CoverageSourceKind.PLAN)
    others = [CoverageSource(kind, ONE) for kind in kinds]
    assert found(CoverageManifest(expectations=(Expectation(),), is_given=True), *others) == {}


def test_a_named_cluster_is_known_by_its_own_id_as_soon_as_it_is_heard_of() -> None:
    """In any cloud, as one source with what calls it by its id. A namesake that speaks keeps no cluster alive."""
    manifest = a_manifest(an_entry(CLUSTER, "AKS-A", subscription=ONE), an_entry(CLUSTER, "EKS-Pay", ARN, number=2))
    elsewhere = CoverageSource(CoverageSourceKind.CLUSTER, ARN)
    assert expected_sources(manifest, heard(elsewhere)).known_by_now == {"cluster:eks-pay"}
    sources = expected_sources(manifest, heard(of_cluster("aks-a"), elsewhere))
    assert sources.by_id.keys() == {of_subscription(ONE).id, of_cluster("aks-a").id, elsewhere.id}
    assert sources.known_by_now == {f"cluster:{ONE}/aks-a"}
    (doubt,) = map(str, sources.unmatched)
    assert doubt.startswith("coverage.yaml expect[1].name: EKS-Pay may be arn:aws:eks:")
    assert doubt.endswith("write the id of the one meant, or its subscription")
    assert found(manifest, of_cluster("aks-a", TWO)).keys() >= {f"cluster:{ONE}/aks-a"}
    entries = [an_entry(CLUSTER, "AKS-a", subscription=ONE), an_entry(CLUSTER, model.cluster_id("aks-a"), number=2)]
    for some in (entries, entries[::-1]):
        assert found(a_manifest(*some)).keys() == {of_cluster("aks-a").id, of_subscription(ONE).id}
    theirs = an_entry(CLUSTER, "aks-a", subscription=TWO)
    assert f"cluster:{TWO}/aks-a" in expected_sources(a_manifest(theirs, entries[1]), []).by_id
    manifest = a_manifest(an_entry(CLUSTER, "aks-a"))
    for of in ((of_cluster("aks-a", TWO), of_subscription(ONE)), (of_cluster("aks-a", TWO), of_cluster("aks-a"))):
        sources = expected_sources(manifest, heard(*of))
        assert sources.known_by_now == frozenset()
        assert ["aks-a may be" in str(one) for one in sources.unmatched] == [True]
    # It is heard of through the subscription of its connector, where it is in another cloud.
    source = CoverageSource(CoverageSourceKind.CLUSTER, ARN)
    sources = expected_sources(a_manifest(an_entry(CLUSTER, "eks-*")), heard(source, subscription=ONE))
    assert sources.by_id[source.id].subscription == ONE
    assert of_subscription(ONE).id in sources.by_id


def cost_of_a_look(shape: str, number: int) -> int:
    """How many functions are called to find so many sources that a manifest names in some way."""
    ids = [f"{number:08d}-0000-0000-0000-000000000000" for number in range(number)]
    entries = {
        "entries": [an_entry(WorkloadKind.SUBSCRIPTION, id) for id in ids],
        "clusters": [an_entry(WorkloadKind.CLUSTER, *(model.cluster_id("aks", id) for id in ids))],
        "names": [an_entry(WorkloadKind.CLUSTER, "aks", subscription=id) for id in ids],
    }
    known = [LastHeard(source=of_cluster("aks", id), subscription=id, posture=NOW) for id in ids]
    called: Counter[str] = Counter()
    sys.setprofile(lambda frame, event, argument: called.update((event,)))
    try:
        found = expected_sources(a_manifest(*entries[shape]), known).by_id
    finally:
        sys.setprofile(None)
    assert len(found) == (number if shape == "entries" else 2 * number)
    return called["call"] + called["c_call"]
