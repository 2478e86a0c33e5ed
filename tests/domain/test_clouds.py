"""Where in which cloud a resource is, from every form in which Defender names it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.domain.entities import Entities
from router.domain.locations import location_among, location_of, names_of, resource_group_of
from router.domain.owners import Owner, Owners, Ownership, find_owner_of
from router.domain.resources import NOWHERE, CloudLocation, connected_name, is_connected, location_named
from router.domain.rule_fields import rule_fields_of, signal_of
from tests.builders import an_alert
from tests.parse.messages import an_assessment, read_finding

SCOPE = "/subscriptions/aaaa/resourceGroups/rg-connectors/providers/Microsoft.Security/securityConnectors/corp"
EKS = f"{SCOPE}/securityentitydata/shop-prod"
AWS_CLUSTER = "arn:aws:eks:eu-west-2:123456789012:cluster/shop-prod"


def bare(location: CloudLocation) -> CloudLocation:
    """A location without what it says beside cloud, account, project and cluster."""
    return replace(location, namespaces=(), connectors=(), native=None)


IN_SHOP = CloudLocation(cloud="GCP", projects=("shop",))
GCP_CLUSTER = "container.googleapis.com/projects/shop/zones/europe-west1-b/clusters/shop-prod"


@pytest.mark.parametrize(
    ("name", "location"),
    [
        (AWS_CLUSTER, CloudLocation(cloud="AWS", account="123456789012", cluster="shop-prod")),
        (
            "arn:aws-us-gov:ec2:us-gov-east-1:210987654321:instance/i-0a",
            CloudLocation(cloud="AWS", account="210987654321"),
        ),
        ("arn:aws:s3:::invoices", CloudLocation(cloud="AWS")),
        ("arn:aws:ecs:eu-west-2:123456789012:cluster/batch", CloudLocation(cloud="AWS", account="123456789012")),
        (GCP_CLUSTER, CloudLocation(cloud="GCP", projects=("shop",), cluster="shop-prod")),
        (f"//{GCP_CLUSTER}", CloudLocation(cloud="GCP", projects=("shop",), cluster="shop-prod")),
        (
            "https://www.googleapis.com/compute/v1/projects/shop/zones/z/instances/vm-1",
            CloudLocation(cloud="GCP", projects=("shop",)),
        ),
        (
            f"//{GCP_CLUSTER}/k8s/namespaces/jobs/pods/p",
            CloudLocation(cloud="GCP", projects=("shop",), cluster="shop-prod", namespaces=("jobs",)),
        ),
        (
            "/subscriptions/aaaa/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/aks-1",
            CloudLocation(cluster="aks-1"),
        ),
        (
            "/subscriptions/aaaa/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/a/managedNamespaces/b",
            CloudLocation(cluster="a", namespaces=("b",)),
        ),
        ("/subscriptions/aaaa/resourceGroups/rg/providers/Microsoft.EventHub/namespaces/hub", NOWHERE),
        (
            "/subscriptions/aaaa/resourceGroups/rg/providers/Microsoft.Kubernetes/ConnectedClusters/arc-1",
            CloudLocation(cluster="arc-1"),
        ),
        ("/subscriptions/aaaa/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/vm-1", NOWHERE),
        ("/repositories/shop/images/sha256:0a", NOWHERE),
        (EKS, NOWHERE),
        ("", NOWHERE),
    ],
)
def test_a_name_says_where_it_is(name: str, location: CloudLocation) -> None:
    """ARNs, Google's names, ids of clusters in Azure; any other name says nothing."""
    assert location_named(name) == location


@given(st.text(max_size=60), st.dictionaries(st.sampled_from(["id", "source", "hierarchyid"]), st.text(max_size=20)))
def test_whatever_is_written_is_read(name: str, details: dict[str, str]) -> None:
    """A name in no known form is no error."""
    location_named(name)
    assert is_connected(name) or connected_name(name) is None
    location_among(name, details, Entities([]), {})


def test_what_a_connector_made_up_is_no_cluster() -> None:
    """A connector calls a cluster by its bare name, and anything else by provider, service and type, too."""
    assert connected_name(EKS) == "shop-prod"
    address = f"{SCOPE}/securityentitydata/aws-ec2-elastic-ip-eipalloc-0a-eu-west-2"
    assert location_among(address, {"source": "Aws"}, Entities([]), {}).cluster is None
    assert location_among(EKS, {}, Entities([]), {}).cluster == "shop-prod"
    odd = f"{SCOPE}/securityentitydata/aws-prod"
    assert location_among(odd, {}, Entities([]), {"resourceType": "AWS EKS Cluster"}).cluster == "aws-prod"


@pytest.mark.parametrize(
    ("details", "location"),
    [
        ({"source": "Aws", "hierarchyid": "123456789012"}, CloudLocation(cloud="AWS", account="123456789012")),
        ({"source": "Gcp", "hierarchyid": "42"}, CloudLocation(cloud="GCP", projects=("42",))),
        (
            {"source": "Gcp", "hierarchyid": "42", "nativeresourceid": GCP_CLUSTER},
            CloudLocation(cloud="GCP", projects=("42", "shop"), cluster="shop-prod"),
        ),
        (
            {"source": "Aws", "hierarchyid": "1", "nativeclouduniqueidentifier": AWS_CLUSTER},
            CloudLocation(cloud="AWS", account="1", cluster="shop-prod"),
        ),
        ({"id": f" {AWS_CLUSTER} "}, CloudLocation(cloud="AWS", account="123456789012", cluster="shop-prod")),
        ({"source": "Azure", "hierarchyid": "aaaa"}, NOWHERE),
        ({"environmentname": "AWS", "accountid": "7"}, CloudLocation(cloud="AWS", account="7")),
        ({"hierarchyid": "123456789012"}, CloudLocation(cloud="AWS", account="123456789012")),
        ({"hierarchyid": "42"}, CloudLocation(cloud="GCP", projects=("42",))),
        ({"hierarchyid": "1234567890123"}, CloudLocation(cloud="GCP", projects=("1234567890123",))),
        (
            {"hierarchyid": "123456789012", "nativeresourceid": GCP_CLUSTER},
            CloudLocation(cloud="GCP", projects=("123456789012", "shop"), cluster="shop-prod"),
        ),
        (
            {"hierarchyid": "123456789012", "id": f"{SCOPE}/securityentitydata/gcp-compute-disk-d"},
            CloudLocation(cloud="GCP", projects=("123456789012",)),
        ),
        ({"source": "Azure", "hierarchyid": "123456789012"}, NOWHERE),
        ({"source": "GitHub", "hierarchyid": "42"}, NOWHERE),
        ({"hierarchyid": "aaaa1111-0000-4000-8000-000000000001"}, NOWHERE),
        ({"source": "Gcp", "nativeresourceid": "projects/shop/zones/z/instances/i"}, IN_SHOP),
        ({"source": "Gcp", "nativeresourceid": "/projects/shop/zones/z/instances/i"}, IN_SHOP),
        ({"nativeresourceid": "projects/shop/zones/z/instances/i"}, NOWHERE),
        (
            {"nativeclouduniqueidentifier": "arn:aws:s3:eu-west-2:123456789012:bucket/a b"},
            CloudLocation(cloud="AWS", account="123456789012"),
        ),
    ],
)
def test_details_say_it_first(details: dict[str, str], location: CloudLocation) -> None:
    """`hierarchyId` is the account, or the number of the project; the id of a project is kept beside it."""
    assert bare(location_among(None, details, Entities([]), {})) == location


@pytest.mark.parametrize(
    ("entity", "location"),
    [
        (
            {"Type": "K8s-cluster", "CloudResource": {"Type": "amazon-resource", "AmazonResourceId": AWS_CLUSTER}},
            CloudLocation(cloud="AWS", account="123456789012", cluster="shop-prod"),
        ),
        (
            {"Type": "K8s-cluster", "Name": AWS_CLUSTER},
            CloudLocation(cloud="AWS", account="123456789012", cluster="shop-prod"),
        ),
        (
            {"Type": "gcp-resource", "ResourceId": GCP_CLUSTER, "ProjectNumber": "42"},
            CloudLocation(cloud="GCP", projects=("shop", "42"), cluster="shop-prod"),
        ),
        ({"Type": "K8s-cluster", "Name": "shop-prod"}, CloudLocation(cluster="shop-prod")),
        ({"Type": "gcp-resource"}, CloudLocation(cloud="GCP", cluster="shop-prod")),
        (
            {"Type": "gcp-resource", "RelativeResourceName": "projects/shop/locations/l/clusters/c"},
            CloudLocation(cloud="GCP", projects=("shop",), cluster="c"),
        ),
        (
            {"Type": "gcp-resource", "ResourceName": "/projects/shop/locations/l/clusters/c"},
            CloudLocation(cloud="GCP", projects=("shop",), cluster="c"),
        ),
        (
            {"Type": "K8s-cluster", "CloudResource": {"Type": "gcp-resource", "ResourceName": "projects/shop"}},
            CloudLocation(cloud="GCP", projects=("shop",), cluster="shop-prod"),
        ),
        (
            {"Type": "amazon-resource", "AmazonAccountId": "123456789012"},
            CloudLocation(cloud="AWS", account="123456789012", cluster="shop-prod"),
        ),
        (
            {"Type": "amazon-resource", "ResourceName": AWS_CLUSTER},
            CloudLocation(cloud="AWS", account="123456789012", cluster="shop-prod"),
        ),
    ],
)
def test_an_alert_names_its_cluster_among_its_entities(entity: dict[str, Any], location: CloudLocation) -> None:
    """Its resource is what the connector made of it. What is kept for rules says the same."""
    alert = an_alert(AzureResourceId=EKS, Entities=[entity])
    assert bare(location_of(alert)) == location
    assert location_of(signal_of(rule_fields_of(alert))) == location_of(alert)


def test_what_an_incident_touches_elsewhere_moves_no_resource_of_azure() -> None:
    """A machine in Azure keeps its place, and its group its owner; one that Azure Arc brought may be elsewhere."""
    bucket = {"Type": "amazon-resource", "AmazonResourceId": AWS_CLUSTER}
    owners = Owners((Ownership(lambda _, group: group == "rg", Owner(group="web")),))
    for type, cloud, owner in (("Compute/virtualMachines", None, "web"), ("HybridCompute/machines", "AWS", None)):
        resource = f"/subscriptions/aaaa/resourceGroups/rg/providers/Microsoft.{type}/vm-1"
        alert = an_alert(AzureResourceId=resource, Entities=[bucket])
        found = find_owner_of(alert, owners)
        assert (location_of(alert).cloud, found and found.group) == (cloud, owner)


def test_a_connectors_group_owns_nothing_of_another_cloud() -> None:
    """Whatever form the id has in which a resource of another cloud is named, its group is that of the connector."""
    owners = Owners(
        (
            Ownership(lambda _, group: group == "rg-connectors", Owner(group="connectors")),
            Ownership(lambda subscription, _: subscription == "aaaa", Owner(group="cloud")),
        )
    )
    scope = SCOPE.partition("/providers/")[0]
    for source, owner in (("Aws", "cloud"), ("Gcp", "cloud"), ("Azure", "connectors"), (None, "connectors")):
        finding = read_finding(an_assessment(resourceDetails={"Source": source, "Id": scope}))
        found = find_owner_of(finding, owners)
        assert found is not None
        assert found.group == owner


def test_an_alert_on_azure_is_in_no_other_cloud() -> None:
    """Nothing is kept where nothing tells."""
    alert = an_alert()
    assert location_of(alert) == NOWHERE
    assert rule_fields_of(alert).location is None
    assert location_of(signal_of(rule_fields_of(alert))) == NOWHERE


AKS = "/subscriptions/aaaa/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/aks-1"
ARC = "/subscriptions/aaaa/resourceGroups/rg-arc/providers/Microsoft.Kubernetes/connectedClusters/shop-prod"
IN_NAMESPACE: list[dict[str, Any]] = [
    {"$id": "5", "Type": "K8s-cluster", "Name": "shop-prod"},
    {"$id": "7", "Type": "K8s-namespace", "Name": "shop", "Cluster": {"$ref": "5"}},
    {"$id": "8", "Type": "K8s-pod", "Name": "p", "Namespace": {"$ref": "7"}},
]


@pytest.mark.parametrize("resource", [ARC, EKS, f"{EKS}/", EKS.upper()])
@pytest.mark.parametrize("kind", ["Kubernetes – Azure Arc", "AWS EKS Cluster"])
def test_a_cluster_of_another_cloud_is_found_in_the_old_form_and_in_the_new_one(resource: str, kind: str) -> None:
    """Since 2025-10-21 a connector stands where Azure Arc stood; cluster, account and namespace are the same."""
    cloud = {"$id": "6", "Type": "amazon-resource", "AmazonResourceId": AWS_CLUSTER}
    entities = [IN_NAMESPACE[0] | {"CloudResource": cloud}, {"$ref": "6"}, *IN_NAMESPACE[1:]]
    alert = an_alert(AzureResourceId=resource, Entities=entities, ExtendedProperties={"resourceType": kind})
    for one in (alert, signal_of(rule_fields_of(alert))):
        location = location_of(one)
        assert (location.cloud, location.account, location.namespaces) == ("AWS", "123456789012", ("shop",))
        assert location.cluster is not None
        assert location.cluster.lower() == "shop-prod"
        assert [name.lower() for name in location.connectors] == ([] if resource == ARC else ["corp", SCOPE.lower()])
        assert names_of(one) == (resource, AWS_CLUSTER)


def test_a_connector_is_also_known_by_what_an_alert_says_beside_its_old_id() -> None:
    """Some alerts name the cluster of Azure Arc, and what the connector calls it among their properties."""
    alert = an_alert(AzureResourceId=ARC, ExtendedProperties={"EffectiveAzureResourceId": EKS})
    assert location_of(alert).connectors == ("corp", SCOPE)


def test_a_finding_names_its_connector_by_a_guid() -> None:
    """`connectorId` is a GUID, and its name stands in the id; neither an empty one nor zeros say anything."""
    guid, zeros = "074e03e2-f891-4e1f-aa8f-a39f9ae0f02f", "00000000-0000-0000-0000-000000000000"
    for id, connectors in ((guid, ("corp", SCOPE, guid)), (zeros, ("corp", SCOPE)), ("", ("corp", SCOPE))):
        finding = read_finding(an_assessment(resourceDetails={"Source": "Aws", "Id": EKS, "connectorId": id}))
        assert location_of(finding).connectors == connectors


@pytest.mark.parametrize(
    ("entities", "extended", "namespaces"),
    [
        (IN_NAMESPACE, {"Namespace": "shop"}, ("shop",)),
        ([], {"Namespace": "shop"}, ("shop",)),
        ([], {"K8s namespace": '["shop", "jobs"]', "Pod Namespace": "N/A"}, ("shop", "jobs")),
        ([], {"namespace name": "shop, jobs"}, ("shop", "jobs")),
        ([{"Type": "K8s-pod", "Name": "p", "Namespace": "shop"}], {}, ("shop",)),
        ([{"Type": "K8s-namespace", "Name": "shop"}, {"Type": "K8s-namespace", "Name": "jobs"}], {}, ("shop", "jobs")),
        ([{"Type": "K8s-namespace", "Name": "x", "Cluster": {"Type": "K8s-cluster", "Name": "other"}}], {}, ()),
        ([{"Type": "K8s-namespace"}], {"Namespace": ""}, ()),
    ],
)
def test_namespaces_are_those_in_the_cluster_of_the_resource(
    entities: list[dict[str, Any]], extended: dict[str, str], namespaces: tuple[str, ...]
) -> None:
    """Each once: of its entities, but for those of another cluster, and of its properties."""
    for resource in (EKS, ARC, AKS.replace("aks-1", "shop-prod")):
        alert = an_alert(AzureResourceId=resource, Entities=entities, ExtendedProperties=extended)
        assert location_of(alert).namespaces == namespaces
        assert location_of(signal_of(rule_fields_of(alert))).namespaces == namespaces


def test_what_is_no_cluster_has_no_namespace() -> None:
    """A namespace of WMI, of event hubs or of a service bus is none of Kubernetes."""
    alert = an_alert(ExtendedProperties={"Namespace": "root\\cimv2"})
    assert location_of(alert) == NOWHERE


def test_a_cluster_elsewhere_moves_no_resource_of_azure() -> None:
    """A registry in Azure from which a cluster of AWS pulled keeps its group, whatever other entries ask for."""
    registry = "/subscriptions/aaaa/resourceGroups/rg/providers/Microsoft.ContainerRegistry/registries/r"
    alert = an_alert(AzureResourceId=registry, Entities=[{"Type": "K8s-cluster", "Name": AWS_CLUSTER}])
    assert location_of(alert) == CloudLocation(cluster="shop-prod")
    web = Ownership(lambda _, group: group == "rg", Owner(group="web"))
    other = Ownership(lambda _, __: True, Owner(group="other"), lambda location: location.account is not None)
    for entries in ((web,), (other, web), (web, other)):
        for one in (alert, signal_of(rule_fields_of(alert))):
            assert find_owner_of(one, Owners(entries)) == Owner(group="web")
            assert resource_group_of(one) == "rg"
