"""The keys by which an entry of owners.yaml knows what it matches, and the order in which entries are asked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.decide import decide, notice_for
from router.destinations.wording.headlines import headline
from router.destinations.wording.whereabouts import whereabouts_of
from router.domain.locations import location_of, resource_group_of
from router.domain.owners import Owner, Owners, find_owner_of
from router.domain.resources import parse_resource_id
from router.domain.rule_fields import rule_fields_of, signal_of
from router.domain.signals import Alert, Signal
from router.domain.tags import Tags
from router.parse import evidence_of
from tests.builders import NOW, a_rulebook, an_alert
from tests.examples import some_of
from tests.parse.messages import CATALOGUE, an_assessment, in_pascal_case, read_finding
from tests.parse.samples import sample_signals
from tests.rulebook.builders import messages, the_book

SCOPE = "/subscriptions/aaaa/resourceGroups/rg-connectors/providers/Microsoft.Security/securityConnectors/corp"
AKS = "/subscriptions/bbbb/resourceGroups/rg-aks/providers/Microsoft.ContainerService/managedClusters/aks-1"
ARC = "/subscriptions/bbbb/resourceGroups/rg-arc/providers/Microsoft.Kubernetes/connectedClusters/shop-prod"
VM = "/subscriptions/bbbb/resourceGroups/rg-web/providers/Microsoft.Compute/virtualMachines/vm-1"
AWS_CLUSTER = "arn:aws:eks:eu-west-2:123456789012:cluster/shop-prod"
GCP_CLUSTER = "//container.googleapis.com/projects/ledger/locations/l/clusters/books"

BEHIND = "/providers/Microsoft.Security/assessments/aaaaaaaa-0000-4000-8000-000000000001"

TAGS = Tags(
    {
        "/subscriptions/bbbb": {"team": "cloud", "stage": "prod"},
        "/subscriptions/bbbb/resourcegroups/rg-web": {"team": "Web"},
        SCOPE.lower(): {"team": "corp"},
        SCOPE.lower().partition("/providers/")[0]: {"team": "whoever-connects"},
    }
)


def an_alert_in(resource: str, *namespaces: str, cluster: str | None = None, **fields: Any) -> Alert:
    """An alert on a resource, in namespaces of a cluster."""
    entities = [{"Type": "K8s-namespace", "Name": name} for name in namespaces]
    clusters = [{"Type": "K8s-cluster", "Name": cluster}] if cluster else []
    return an_alert(AzureResourceId=resource, Entities=[*clusters, *entities], **fields)


SHOP = an_alert_in(f"{SCOPE}/securityentitydata/shop-prod", "shop", cluster=AWS_CLUSTER)
SHOP_BY_ARC = an_alert_in(ARC, "shop", cluster=AWS_CLUSTER)
BOOKS = an_alert_in(f"{SCOPE}/securityentitydata/books", "jobs", "shop", cluster=GCP_CLUSTER)
ON_AKS = an_alert_in(AKS, "monitoring")
ON_VM = an_alert_in(VM)
BUCKET = read_finding(
    an_assessment(
        resourceDetails={
            "Source": "Aws",
            "connectorId": "074e03e2-f891-4e1f-aa8f-a39f9ae0f02f",
            "Id": f"{SCOPE}/securityentitydata/aws-s3-bucket-exports",
            "NativeResourceId": "arn:aws:s3:::exports",
            "hierarchyId": "123456789012",
        }
    )
)
SHOPS: Mapping[str, Signal] = {"shop": SHOP, "shop_by_arc": SHOP_BY_ARC}
SIGNALS: Mapping[str, Signal] = {**SHOPS, "books": BOOKS, "bucket": BUCKET, "aks": ON_AKS, "vm": ON_VM}


def owners_of(*entries: Mapping[str, object]) -> Owners:
    """The owners of rules with these entries, where some resources have tags."""
    return replace(the_book({"owners.yaml": {"owners": [dict(entry) for entry in entries]}}).owners, tags=TAGS)


def group_of(signal: Signal, owners: Owners) -> str | None:
    """The group that owns a signal; the same of what is made of it when its message is gone."""
    found = [find_owner_of(one, owners) for one in (signal, signal_of(rule_fields_of(signal)))]
    assert found[0] == found[1]
    return found[0].group if found[0] else None


OWNED: Sequence[tuple[Mapping[str, object], str]] = [
    ({"resource": "/SUBSCRIPTIONS/*/managedclusters/aks-?"}, "aks"),
    ({"resource": "arn:aws:eks:*:cluster/SHOP-*"}, "shop shop_by_arc"),
    ({"resource": "vm-1"}, ""),
    ({"namespace": "?*"}, "shop shop_by_arc books aks"),
    ({"account": "123456789012", "namespace": "*"}, "shop shop_by_arc bucket"),
    ({"connector": "*/rg-connectors/*/securityconnectors/corp"}, "shop books bucket"),
    ({"connector": "074e03e2-*"}, "bucket"),
    ({"tag": {"team": "*"}}, "shop books bucket shop_by_arc aks vm"),
    ({"tag": {"team": "corp"}}, "shop books bucket"),
    ({"tag": {"team": "whoever-connects"}}, ""),
    ({"tag": {"owner": "*"}}, ""),
    ({"tag": {"team": "*"}, "resource_group": "rg-*", "namespace": "monitoring"}, "aks"),
]


def test_an_entry_owns_what_meets_all_of_its_keys(subtests: pytest.Subtests) -> None:
    """By globs that ignore case; an absent key, and `*`, may be anything, but a tag that is named must be there."""
    for entry, owned in OWNED:
        with subtests.test(str(entry)):
            owners = owners_of({**entry, "group": "it"})
            assert {name for name, signal in SIGNALS.items() if group_of(signal, owners) == "it"} == set(owned.split())


def test_an_entry_says_group_service_and_pager() -> None:
    """Any of them. Without owners.yaml nothing has an owner, and nothing is said about it."""
    pays = {"resource_group": "rg-web", "group": "pay", "service": "Pay", "pager": {"secret": "PAY_KEY"}}
    owners = owners_of(pays, {"subscription": "BBBB", "service": "Landing zone"})
    assert find_owner_of(ON_VM, owners) == Owner("pay", "Pay", "PAY_KEY")
    assert find_owner_of(ON_AKS, owners) == Owner(None, "Landing zone")
    assert find_owner_of(SHOP, owners) is find_owner_of(ON_VM, the_book().owners) is None


IN_CLUSTER: Mapping[str, object] = {
    "cloud": "Azure", "clusterKind": "AKS", "clusterName": "aks-1", "clusterResourceId": AKS, "namespace": "kube-system",
    "controllerKind": "replicaset", "controllerName": "metrics-*", "podName": "metrics-*-*", "containerName": "server",
}  # fmt: skip
INSIDE = "securityentitydata/namespace-kube-system-pod-metrics-*-*-container-server"
NESTED = {"subAssessment": {"properties": {"additionalData": {"kubernetesDetails": IN_CLUSTER}}}}
WORKLOADS = [{"kind": "ReplicaSet", "name": "metrics", "namespace": "kube-system"}]
CONTEXT = {"clusterDetails": {"clusterName": "aks-1"}, "kubernetesContext": {"workloads": WORKLOADS}}
TOP = {"K8sClusterName": "aks-1", "ControllerName": "metrics-*", "PodName": "metrics-*-*", "Namespace": "kube-system"}


def in_cluster(**said: object) -> Mapping[str, object]:
    """Additional data of the finding, with something else said of its cluster."""
    return {"kubernetesDetails": {**IN_CLUSTER, **said}}


IN_AKS = "aks-1/kube-system/metrics"
PLACES: Sequence[tuple[object, str, str]] = [
    (in_cluster(), f"{AKS}/{INSIDE}", IN_AKS),
    ({"KubernetesDetails": in_pascal_case(IN_CLUSTER)}, f"{AKS}/{INSIDE}", IN_AKS),
    ({"kubernetesDetails": json.dumps(IN_CLUSTER)}, f"{AKS}/{INSIDE}", IN_AKS),
    ({"kubernetesDetails": [IN_CLUSTER, {**IN_CLUSTER, "namespace": "shop"}]}, AKS, "aks-1"),
    ({"kubernetesDetails": {"namespace": "kube-system", "controllerName": None}}, AKS, "aks-1/kube-system"),
    (in_cluster(controllerName=""), AKS, IN_AKS),
    (NESTED, f"{AKS}/{INSIDE}", IN_AKS),
    (TOP, f"{AKS.lower()}/{INSIDE}", IN_AKS),
    (CONTEXT, AKS, IN_AKS),
    (None, f"{AKS}/{INSIDE}", IN_AKS),
    (in_cluster(clusterName="shop-prod"), f"{ARC}/{INSIDE}", "shop-prod/kube-system/metrics"),
    (in_cluster(clusterName=None, clusterResourceId=AWS_CLUSTER), f"{SCOPE}/{INSIDE}", "shop-prod/kube-system/metrics"),
    (in_cluster(clusterName=None, clusterResourceId=GCP_CLUSTER), f"{SCOPE}/{INSIDE}", "books/kube-system/metrics"),
]


def test_a_finding_in_a_cluster_is_told_and_owned_by_namespace(subtests: pytest.Subtests) -> None:
    """Wherever its cluster, namespace and workload stand in the message, and with no star in what people read."""
    for additional, resource, where in PLACES:
        with subtests.test(where, additional=additional):
            message = an_assessment(resourceDetails={"id": resource}, additionalData=additional)
            finding = read_finding({**message, "id": f"{resource}{BEHIND}"})
            others = {"cluster": "*", "namespace": "default", "group": "nobody's"}
            cluster = where.partition("/")[0]
            owners = owners_of(others, {"cluster": cluster, "namespace": "kube-*", "group": "platform"})
            assert group_of(finding, owners) == "platform"
            book = replace(a_rulebook(stream=finding.stream), catalogue=CATALOGUE)
            decision = decide(finding, book, NOW)
            notice = notice_for(finding, evidence_of(finding, CATALOGUE), decision, book, "0" * 32, 1)
            assert headline(notice, 200) == f"Medium: Management ports should be closed - {where}"
            assert whereabouts_of(notice).words == where


def test_a_finding_elsewhere_in_a_cluster_is_not_owned_by_another_namespace() -> None:
    """Nor is one whose additional data have a namespace of another sort."""
    owners = owners_of({"cluster": "*", "namespace": "kube-system", "group": "platform"})
    shop = an_assessment(resourceDetails={"id": AKS}, additionalData=in_cluster(namespace="shop"))
    assert group_of(read_finding(shop), owners) is None
    assert group_of(read_finding(an_assessment(additionalData={"Namespace": "kube-system"})), owners) is None


def test_nobody_looks_into_an_alert_on_azure_for_what_no_entry_names() -> None:
    """Its entities are not drawn for a resource, a tag or a group: that costs more than all the rest of a decision."""

    class Untouched:
        def __iter__(self) -> Any:
            raise AssertionError("somebody looked")

    alert = replace(ON_VM, entities=Untouched())  # type: ignore[arg-type]
    entries = {"resource": "*/vm-2"}, {"tag": {"team": "x"}}, {"resource_group": "rg-web", "group": "web"}
    assert find_owner_of(alert, owners_of(*entries)) == Owner("web")


def test_a_key_that_is_none_is_said() -> None:
    """With its remedy."""
    said: Sequence[tuple[Mapping[str, object], str]] = [
        ({"tags": {"team": "x"}}, "is no key that belongs here; did you mean 'tag'?"),
        ({"tag": "team"}, "must be a mapping"),
        ({"tag": {"team": 7}}, "must be text, and is read as a number; put it in quotes"),
        ({"tag": {"team": "a", "Team": "b"}}, "names a tag twice; the names of tags are the same whatever their case"),
    ]
    for entry, words in said:
        (message,) = messages({"owners.yaml": {"owners": [{**entry, "group": "it"}]}})
        assert message.partition(": ")[2] == words


# What the tests below ask about, with globs that often fit it.
GLOBS: Mapping[str, Sequence[str]] = {
    "subscription": ("aaaa", "B*", "*"),
    "resource_group": ("rg-*", "RG-WEB", "*"),
    "account": ("1234*", "9", "*"),
    "project": ("led*", "*"),
    "cluster": ("shop-*", "*s*", "*"),
    "namespace": ("shop", "?o*", "*"),
    "connector": ("CORP", "*rg-connectors*", "*"),
    "resource": ("*/shop-prod", "arn:*", "*1", "*"),
}
ENTRIES = st.fixed_dictionaries(
    {}, optional={name: st.sampled_from(globs) for name, globs in GLOBS.items()} | {"tag": st.just({"Team": "*w*"})}
)


def fits(glob: str, texts: Sequence[str | None]) -> bool:
    """Whether one of some texts fits a glob, said once more."""
    return glob == "*" or any(text is not None and fnmatchcase(text.lower(), glob.lower()) for text in texts)


def belongs(signal: Signal, entry: Mapping[str, Any]) -> bool:
    """Whether a signal belongs to an entry, key by key, without the router's order."""
    location, resource = location_of(signal), parse_resource_id(signal.resource)
    texts: Mapping[str, Sequence[str | None]] = {
        "subscription": [resource.subscription],
        "resource_group": [resource_group_of(signal)],
        "account": [location.account],
        "project": location.projects,
        "cluster": [location.cluster],
        "namespace": location.namespaces,
        "connector": location.connectors,
        "resource": [signal.resource, location.native],
    }
    is_tagged = "tag" not in entry or fits("*w*", [TAGS.find(signal.resource, "team")])
    return is_tagged and all(fits(glob, texts[name]) for name, glob in entry.items() if name != "tag")


@settings(max_examples=some_of(60))
@given(st.lists(ENTRIES, min_size=1, max_size=6))
def test_the_first_entry_that_matches_owns_whatever_it_names(entries: list[dict[str, Any]]) -> None:
    """Top to bottom; of what a connector brings those that name more than subscription and resource group come first."""
    owners = owners_of(*({**one, "group": str(at)} for at, one in enumerate(entries)))
    for signal in SIGNALS.values():
        order = list(range(len(entries)))
        if location_of(signal).cloud is not None:
            own = {"subscription", "resource_group"}
            order.sort(key=lambda at: all(name in own or glob == "*" for name, glob in entries[at].items()))
        expected = next((str(at) for at in order if belongs(signal, entries[at])), None)
        assert group_of(signal, owners) == expected


@pytest.mark.shared
def test_every_real_message_is_owned_by_what_it_says_of_itself() -> None:
    """By its whole id in either case, by its group and subscription; what has none of them by the catch-all."""
    signals = {signal.resource: signal for signal in sample_signals()}
    entries: list[dict[str, object]] = []
    for resource in filter(None, signals):
        entries.append({"resource": resource.swapcase(), "group": f"id {resource}"})
        parts = parse_resource_id(resource)
        if parts.subscription and parts.resource_group:
            where = {"subscription": parts.subscription, "resource_group": parts.resource_group.upper()}
            entries.append({**where, "namespace": "shop", "group": "nobody's"})
    owners = owners_of(*entries, {"group": "rest"})
    groups = owners_of(*({**one, "namespace": "*", "resource": "*", "group": "group"} for one in entries))
    for at, signal in signals.items():
        found = group_of(signal, owners)
        assert found is not None
        assert found.lower() == (f"id {at}".lower() if at else "rest")
        is_grouped = parse_resource_id(at).resource_group is not None
        assert not is_grouped or group_of(signal, groups) == "group"
