"""Which sources a manifest expects, given what was heard of so far."""

from __future__ import annotations

import sys
from collections import Counter
from datetime import timedelta

import pytest

from router.coverage.expected.manifest import NO_MANIFEST, CoverageManifest, Expectation
from router.coverage.expected.silence import expected_sources
from router.domain.coverage import WorkloadKind
from router.domain.coverage_sources import CoverageSource, CoverageSourceKind, LastHeard
from tests.builders import NOW
from tests.domain.silence_model import (
    DAY,
    ONE,
    TWO,
    a_manifest,
    an_entry,
    cluster_id,
    of_cluster,
    of_plan,
    of_subscription,
)

SUBSCRIPTION, CLUSTER = WorkloadKind.SUBSCRIPTION, WorkloadKind.CLUSTER
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


def test_where_nobody_wrote_a_manifest_nothing_is_expected() -> None:
    """Whatever is heard of."""
    assert found(NO_MANIFEST, of_subscription(ONE), of_cluster("aks-a")) == {}


def test_a_manifest_without_entries_expects_whatever_was_heard_of() -> None:
    """As the gate does with what the files name; nobody wrote a pattern, so none is said to fit nothing."""
    manifest = CoverageManifest(is_given=True)
    assert found(manifest, of_subscription(ONE), of_cluster("aks-a")).keys() == {
        of_subscription(ONE).id,
        of_cluster("aks-a").id,
    }
    assert unmatched(manifest) == []


def test_what_is_named_is_expected_before_anything_is_heard_of_it() -> None:
    """Subscriptions by their ids in any case, clusters by name or id, and their subscriptions with them."""
    manifest = a_manifest(
        an_entry(SUBSCRIPTION, ONE.upper(), f"/subscriptions/{ONE}", days=9),
        an_entry(CLUSTER, cluster_id("aks-a", TWO).upper(), "AKS-B", days=10, number=2),
        an_entry(WorkloadKind.MACHINE, subscription="33333333-3333-3333-3333-333333333333", days=11, number=3),
    )
    assert found(manifest) == {
        of_subscription(ONE).id: 9 * DAY,
        of_cluster("aks-a", TWO).id: 10 * DAY,
        of_subscription(TWO).id: 10 * DAY,
        "cluster:aks-b": 10 * DAY,
        "subscription:33333333-3333-3333-3333-333333333333": 11 * DAY,
    }


def test_of_several_entries_that_fit_a_source_the_first_one_counts() -> None:
    """Also where a later one names it."""
    manifest = a_manifest(
        an_entry(SUBSCRIPTION, "1111*", days=20),
        an_entry(CLUSTER, "aks-*", days=30, number=2),
        an_entry(SUBSCRIPTION, ONE, days=9, number=3),
        an_entry(CLUSTER, "aks-a", subscription=ONE, days=10, number=4),
    )
    within = found(manifest, of_cluster("aks-a"), of_subscription(ONE))
    assert within == {of_subscription(ONE).id: 20 * DAY, of_cluster("aks-a").id: 30 * DAY}


def test_a_pattern_expects_what_it_fits_once_that_was_heard_of() -> None:
    """Of subscriptions and clusters; until then it is said to fit nothing. A kind without a name may fit nothing."""
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


def test_a_subscription_by_another_name_than_its_id_is_said_to_fit_nothing() -> None:
    """No message names a subscription otherwise."""
    manifest = a_manifest(an_entry(SUBSCRIPTION, "Production"))
    assert (found(manifest, of_subscription(ONE)), unmatched(manifest)) == ({}, ["coverage.yaml expect[0].name"])


def test_plans_are_expected_in_each_subscription_of_their_entry() -> None:
    """Those that it names or fits, and those of its clusters; the first entry that expects one counts."""
    manifest = a_manifest(
        an_entry(SUBSCRIPTION, ONE, plans=["KeyVaults"], days=9),
        an_entry(CLUSTER, "aks-*", plans=["Containers"], days=10, number=2),
        an_entry(WorkloadKind.MACHINE, plans=["VirtualMachines", "KeyVaults"], subscription=ONE, days=11, number=3),
        an_entry(WorkloadKind.MACHINE, plans=["CosmosDbs"], number=4),
    )
    within = found(manifest, of_cluster("aks-a", TWO))
    assert {id: days for id, days in within.items() if id.startswith("plan:")} == {
        of_plan("KeyVaults").id: 9 * DAY,
        of_plan("Containers", TWO).id: 10 * DAY,
        of_plan("VirtualMachines").id: 11 * DAY,
    }


def test_a_named_cluster_is_known_by_its_own_id_as_soon_as_it_is_heard_of() -> None:
    """Be it in Azure or elsewhere; one of that name in another subscription is another one."""
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


def test_a_namesake_that_speaks_keeps_no_cluster_alive() -> None:
    """Each that was heard of is a source of its own; of the one that never spoke nobody knows."""
    manifest = a_manifest(an_entry(CLUSTER, "aks-a"))
    for of in ((of_cluster("aks-a", TWO), of_subscription(ONE)), (of_cluster("aks-a", TWO), of_cluster("aks-a"))):
        sources = expected_sources(manifest, heard(*of))
        assert sources.known_by_now == frozenset()
        assert ["aks-a may be" in str(one) for one in sources.unmatched] == [True]


def test_a_cluster_is_heard_of_through_the_subscription_of_its_recommendations() -> None:
    """That of its connector, where it is in another cloud."""
    source = CoverageSource(CoverageSourceKind.CLUSTER, ARN)
    sources = expected_sources(a_manifest(an_entry(CLUSTER, "eks-*")), heard(source, subscription=ONE))
    assert sources.by_id[source.id].subscription == ONE
    assert of_subscription(ONE).id in sources.by_id


def test_other_things_that_were_heard_of_are_no_sources() -> None:
    """Workloads and owners may be silent for ever."""
    others = [
        CoverageSource(kind, ONE)
        for kind in (CoverageSourceKind.WORKLOAD, CoverageSourceKind.OWNER, CoverageSourceKind.PLAN)
    ]
    assert found(CoverageManifest(expectations=(Expectation(),), is_given=True), *others) == {}


@pytest.mark.parametrize("is_name_first", [True, False])
def test_a_cluster_that_is_named_and_called_by_its_id_is_one_source(is_name_first: bool) -> None:
    """Else its silence would be told twice, as that of two clusters."""
    entries = [an_entry(CLUSTER, "AKS-a", subscription=ONE), an_entry(CLUSTER, cluster_id("aks-a"), number=2)]
    found = expected_sources(a_manifest(*(entries if is_name_first else reversed(entries))), [])
    assert found.by_id.keys() == {of_cluster("aks-a").id, of_subscription(ONE).id}
    elsewhere = an_entry(CLUSTER, "aks-a", subscription=TWO)
    assert f"cluster:{TWO}/aks-a" in expected_sources(a_manifest(elsewhere, entries[1]), []).by_id


@pytest.mark.parametrize("shape", ["subscriptions", "entries", "subscription", "clusters", "names"])
def test_a_look_at_thousands_of_sources_costs_no_more_for_each_of_them(shape: str) -> None:
    """Looks are made every ten minutes, and nothing else is done meanwhile: compared one by one, ten times as many cost 100."""
    assert cost_of_a_look(shape, 2000) < 20 * cost_of_a_look(shape, 200)


def cost_of_a_look(shape: str, number: int) -> int:
    """How many functions are called to find so many sources that a manifest names in some way."""
    ids = [f"{number:08d}-0000-0000-0000-000000000000" for number in range(number)]
    entries = {
        "subscriptions": [an_entry(WorkloadKind.SUBSCRIPTION, *ids)],
        "entries": [an_entry(WorkloadKind.SUBSCRIPTION, id) for id in ids],
        "subscription": [an_entry(WorkloadKind.CLUSTER, subscription=id) for id in ids],
        "clusters": [an_entry(WorkloadKind.CLUSTER, *(cluster_id("aks", id) for id in ids))],
        "names": [an_entry(WorkloadKind.CLUSTER, "aks", subscription=id) for id in ids],
    }
    known = [LastHeard(source=of_cluster("aks", id), subscription=id, posture=NOW) for id in ids]
    called: Counter[str] = Counter()
    sys.setprofile(lambda frame, event, argument: called.update((event,)))
    try:
        found = expected_sources(a_manifest(*entries[shape]), known).by_id
    finally:
        sys.setprofile(None)
    assert len(found) == (number if shape in ("subscriptions", "entries") else 2 * number)
    return called["call"] + called["c_call"]
