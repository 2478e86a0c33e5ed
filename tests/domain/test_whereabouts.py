"""Where in which cloud a resource is, from every form in which Defender names it, and which tags count for it."""

import re
from collections.abc import Mapping
from copy import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.domain.entities import Entities
from router.domain.locations import location_among, location_of, names_of, resource_group_of
from router.domain.owners import Owner, Owners, Ownership, find_owner_of
from router.domain.resources import NOWHERE, CloudLocation, connected_name, is_connected, location_named
from router.domain.rule_fields import rule_fields_of, signal_of
from router.domain.signals import Signal
from router.domain.tags import NO_TAGS, Tags, TagText, ids_around
from tests.builders import an_alert
from tests.parse.messages import an_assessment, read_finding

RG = "/subscriptions/aaaa/resourceGroups/rg"
CONNECTORS = "/subscriptions/aaaa/resourceGroups/rg-connectors"
SCOPE = f"{CONNECTORS}/providers/Microsoft.Security/securityConnectors/corp"
EKS = f"{SCOPE}/securityentitydata/shop-prod"
ACCOUNT = "123456789012"
AWS_CLUSTER = f"arn:aws:eks:eu-west-2:{ACCOUNT}:cluster/shop-prod"
GCP_CLUSTER = "container.googleapis.com/projects/shop/zones/europe-west1-b/clusters/shop-prod"
AKS = f"{RG}/providers/Microsoft.ContainerService/managedClusters/aks-1"
ARC = "/subscriptions/aaaa/resourceGroups/rg-arc/providers/Microsoft.Kubernetes/connectedClusters/shop-prod"


def aws(account: str | None = ACCOUNT, cluster: str | None = None) -> CloudLocation:
    """A place in AWS."""
    return CloudLocation(cloud="AWS", account=account, cluster=cluster)


def gcp(*projects: str, cluster: str | None = None) -> CloudLocation:
    """A place at Google."""
    return CloudLocation(cloud="GCP", projects=projects, cluster=cluster)


def bare(location: CloudLocation) -> CloudLocation:
    """A location without what it says beside cloud, account, project and cluster."""
    return replace(location, namespaces=(), connectors=(), native=None)


SHOP_IN_AWS, SHOP_IN_GCP = aws(cluster="shop-prod"), gcp("shop", cluster="shop-prod")
NAMES = {
    AWS_CLUSTER: SHOP_IN_AWS,
    "arn:aws-us-gov:ec2:us-gov-east-1:210987654321:instance/i-0a": aws("210987654321"),
    "arn:aws:s3:::invoices": aws(None),
    f"arn:aws:ecs:eu-west-2:{ACCOUNT}:cluster/batch": aws(),
    GCP_CLUSTER: SHOP_IN_GCP,
    "https://www.googleapis.com/compute/v1/projects/shop/zones/z/instances/vm-1": gcp("shop"),
    f"//{GCP_CLUSTER}/k8s/namespaces/jobs/pods/p": replace(SHOP_IN_GCP, namespaces=("jobs",)),
    AKS: CloudLocation(cluster="aks-1"),
    f"{AKS}/managedNamespaces/b": CloudLocation(cluster="aks-1", namespaces=("b",)),
    f"{RG}/providers/Microsoft.EventHub/namespaces/hub": NOWHERE,
    f"{RG}/providers/Microsoft.Kubernetes/ConnectedClusters/arc-1": CloudLocation(cluster="arc-1"),
    f"{RG}/providers/Microsoft.Compute/virtualMachines/vm-1": NOWHERE,
    "/repositories/shop/images/sha256:0a": NOWHERE,
    EKS: NOWHERE,
    "": NOWHERE,
}


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


DETAILS: list[tuple[dict[str, str], CloudLocation]] = [
    ({"source": "Aws", "hierarchyid": ACCOUNT}, aws()),
    ({"source": "Gcp", "hierarchyid": "42", "nativeresourceid": GCP_CLUSTER}, gcp("42", "shop", cluster="shop-prod")),
    ({"source": "Aws", "hierarchyid": "1", "nativeclouduniqueidentifier": AWS_CLUSTER}, aws("1", "shop-prod")),
    ({"id": f" {AWS_CLUSTER} "}, SHOP_IN_AWS),
    ({"source": "Azure", "hierarchyid": ACCOUNT}, NOWHERE),
    ({"environmentname": "AWS", "accountid": "7"}, aws("7")),
    ({"hierarchyid": ACCOUNT}, aws()),
    ({"hierarchyid": "42"}, gcp("42")),
    ({"hierarchyid": "1234567890123"}, gcp("1234567890123")),
    ({"hierarchyid": ACCOUNT, "nativeresourceid": GCP_CLUSTER}, gcp(ACCOUNT, "shop", cluster="shop-prod")),
    ({"hierarchyid": ACCOUNT, "id": f"{SCOPE}/securityentitydata/gcp-compute-disk-d"}, gcp(ACCOUNT)),
    ({"source": "GitHub", "hierarchyid": "42"}, NOWHERE),
    ({"hierarchyid": "aaaa1111-0000-4000-8000-000000000001"}, NOWHERE),
    ({"source": "Gcp", "nativeresourceid": "projects/shop/zones/z/instances/i"}, gcp("shop")),
    ({"nativeresourceid": "projects/shop/zones/z/instances/i"}, NOWHERE),
    ({"nativeclouduniqueidentifier": f"arn:aws:s3:eu-west-2:{ACCOUNT}:bucket/a b"}, aws()),
]


def test_details_say_first_where_it_is_and_then_a_name() -> None:
    """ARNs, Google's names, ids of clusters in Azure say where they are; details say it first: `hierarchyId` is the
    account, or the number of the project, and the id of a project is kept beside it."""
    for details, location in DETAILS:
        assert bare(location_among(None, details, Entities([]), {})) == location, details
    assert {name: location_named(name) for name in NAMES} == NAMES


ENTITIES: list[tuple[dict[str, Any], CloudLocation]] = [
    (
        {"Type": "K8s-cluster", "CloudResource": {"Type": "amazon-resource", "AmazonResourceId": AWS_CLUSTER}},
        SHOP_IN_AWS,
    ),
    ({"Type": "K8s-cluster", "Name": AWS_CLUSTER}, SHOP_IN_AWS),
    ({"Type": "gcp-resource", "ResourceId": GCP_CLUSTER, "ProjectNumber": "4"}, gcp("shop", "4", cluster="shop-prod")),
    ({"Type": "gcp-resource"}, gcp(cluster="shop-prod")),
    ({"Type": "gcp-resource", "RelativeResourceName": "projects/shop/zones/l/clusters/c"}, gcp("shop", cluster="c")),
    ({"Type": "gcp-resource", "ResourceName": "/projects/shop/locations/l/clusters/c"}, gcp("shop", cluster="c")),
    ({"Type": "K8s-cluster", "CloudResource": {"Type": "gcp-resource", "ResourceName": "projects/shop"}}, SHOP_IN_GCP),
    ({"Type": "amazon-resource", "AmazonAccountId": ACCOUNT}, SHOP_IN_AWS),
    ({"Type": "amazon-resource", "ResourceName": AWS_CLUSTER}, SHOP_IN_AWS),
]


def test_an_alert_names_its_cluster_among_its_entities() -> None:
    """Its resource is what the connector made of it. What is kept for rules says the same. Nothing is kept where
    nothing tells: a namespace of WMI, of event hubs or of a service bus is none of Kubernetes."""
    for entity, location in ENTITIES:
        alert = an_alert(AzureResourceId=EKS, Entities=[entity])
        assert bare(location_of(alert)) == location, entity
        assert location_of(signal_of(rule_fields_of(alert))) == location_of(alert)
    for alert in (an_alert(), an_alert(ExtendedProperties={"Namespace": "root\\cimv2"})):
        assert location_of(alert) == NOWHERE
        assert rule_fields_of(alert).location is None
        assert location_of(signal_of(rule_fields_of(alert))) == NOWHERE


def group_of(signal: Signal, *entries: Ownership) -> str | None:
    """The group that owns a signal by some entries; the same of what is kept of it for rules."""
    found, kept = (find_owner_of(one, Owners(entries)) for one in (signal, signal_of(rule_fields_of(signal))))
    assert found == kept
    return found.group if found is not None else None


def a_group(resource_group: str, group: str) -> Ownership:
    """An entry that owns a resource group."""
    return Ownership(lambda _, its: its == resource_group, Owner(group=group))


def test_what_is_elsewhere_moves_no_resource_of_azure() -> None:
    """A machine in Azure and a registry from which a cluster of AWS pulled keep their place, and their group its owner,
    whatever other entries ask for; one that Azure Arc brought may be elsewhere."""
    bucket = {"Type": "amazon-resource", "AmazonResourceId": AWS_CLUSTER}
    for type, cloud, owner in (("Compute/virtualMachines", None, "web"), ("HybridCompute/machines", "AWS", None)):
        alert = an_alert(AzureResourceId=f"{RG}/providers/Microsoft.{type}/vm-1", Entities=[bucket])
        assert (location_of(alert).cloud, group_of(alert, a_group("rg", "web"))) == (cloud, owner)
    registry = f"{RG}/providers/Microsoft.ContainerRegistry/registries/r"
    alert = an_alert(AzureResourceId=registry, Entities=[{"Type": "K8s-cluster", "Name": AWS_CLUSTER}])
    assert location_of(alert) == CloudLocation(cluster="shop-prod")
    assert resource_group_of(alert) == "rg"
    other = Ownership(lambda _, __: True, Owner(group="other"), lambda location: location.account is not None)
    for entries in ((other, a_group("rg", "web")), (a_group("rg", "web"), other)):
        assert group_of(alert, *entries) == "web"


def test_a_connectors_group_owns_nothing_of_another_cloud() -> None:
    """Whatever form the id has in which a resource of another cloud is named, its group is that of the connector."""
    cloud = Ownership(lambda subscription, _: subscription == "aaaa", Owner(group="cloud"))
    for source, owner in (("Aws", "cloud"), ("Gcp", "cloud"), ("Azure", "connectors"), (None, "connectors")):
        finding = read_finding(an_assessment(resourceDetails={"Source": source, "Id": CONNECTORS}))
        assert group_of(finding, a_group("rg-connectors", "connectors"), cloud) == owner


IN_NAMESPACE: list[dict[str, Any]] = [
    {"$id": "5", "Type": "K8s-cluster", "Name": "shop-prod"},
    {"$id": "7", "Type": "K8s-namespace", "Name": "shop", "Cluster": {"$ref": "5"}},
    {"$id": "8", "Type": "K8s-pod", "Name": "p", "Namespace": {"$ref": "7"}},
]


def test_a_cluster_of_another_cloud_is_found_in_the_old_form_and_in_the_new_one() -> None:
    """Since 2025-10-21 a connector stands where Azure Arc stood; cluster, account and namespace are the same."""
    cloud = {"$id": "6", "Type": "amazon-resource", "AmazonResourceId": AWS_CLUSTER}
    entities = [IN_NAMESPACE[0] | {"CloudResource": cloud}, {"$ref": "6"}, *IN_NAMESPACE[1:]]
    for resource, kind in product((ARC, EKS, f"{EKS}/", EKS.upper()), ("Kubernetes – Azure Arc", "AWS EKS Cluster")):
        alert = an_alert(AzureResourceId=resource, Entities=entities, ExtendedProperties={"resourceType": kind})
        for one in (alert, signal_of(rule_fields_of(alert))):
            location = location_of(one)
            assert (location.cloud, location.account, location.namespaces) == ("AWS", ACCOUNT, ("shop",))
            assert (location.cluster or "").lower() == "shop-prod"
            connectors = [] if resource == ARC else ["corp", SCOPE.lower()]
            assert [name.lower() for name in location.connectors] == connectors
            assert names_of(one) == (resource, AWS_CLUSTER)


def test_a_connector_is_known_by_all_that_names_it() -> None:
    """By what an alert says beside its old id, which is that of Azure Arc; by the GUID that a finding names, and its name in
    the id. Neither an empty one nor zeros say anything."""
    alert = an_alert(AzureResourceId=ARC, ExtendedProperties={"EffectiveAzureResourceId": EKS})
    assert location_of(alert).connectors == ("corp", SCOPE)
    guid, zeros = "074e03e2-f891-4e1f-aa8f-a39f9ae0f02f", "00000000-0000-0000-0000-000000000000"
    for id, connectors in ((guid, ("corp", SCOPE, guid)), (zeros, ("corp", SCOPE)), ("", ("corp", SCOPE))):
        finding = read_finding(an_assessment(resourceDetails={"Source": "Aws", "Id": EKS, "connectorId": id}))
        assert location_of(finding).connectors == connectors


ELSEWHERE = {"Type": "K8s-namespace", "Name": "x", "Cluster": {"Type": "K8s-cluster", "Name": "other"}}
NAMESPACES: list[tuple[list[dict[str, Any]], dict[str, str], tuple[str, ...]]] = [
    (IN_NAMESPACE, {"Namespace": "shop"}, ("shop",)),
    ([], {"Namespace": "shop"}, ("shop",)),
    ([], {"K8s namespace": '["shop", "jobs"]', "Pod Namespace": "N/A"}, ("shop", "jobs")),
    ([], {"namespace name": "shop, jobs"}, ("shop", "jobs")),
    ([{"Type": "K8s-pod", "Name": "p", "Namespace": "shop"}], {}, ("shop",)),
    ([ELSEWHERE], {}, ()),
    ([{"Type": "K8s-namespace"}], {"Namespace": ""}, ()),
]


def test_namespaces_are_those_in_the_cluster_of_the_resource() -> None:
    """Each once: of its entities, but for those of another cluster, and of its properties."""
    for entities, extended, namespaces in NAMESPACES:
        for resource in (EKS, ARC, AKS.replace("aks-1", "shop-prod")):
            alert = an_alert(AzureResourceId=resource, Entities=entities, ExtendedProperties=extended)
            assert location_of(alert).namespaces == namespaces
            assert location_of(signal_of(rule_fields_of(alert))).namespaces == namespaces


SUB = "/subscriptions/aaaa"
GROUP = f"{SUB}/resourcegroups/rg"
SERVER = f"{GROUP}/providers/microsoft.sql/servers/s"
DATABASE = f"{SERVER}/databases/d"
VM = f"{GROUP}/providers/microsoft.compute/virtualmachines/vm"
ASSESSMENT = f"{VM}/providers/microsoft.security/assessments/1111"
CONNECTOR = f"{GROUP}/providers/microsoft.security/securityconnectors/aws"


BROUGHT = f"{CONNECTOR}/securityentitydata/x"
OF_SECURITY = "providers/microsoft.security"


AROUND = [
    (ASSESSMENT, [VM, GROUP, SUB]),
    (f"{ASSESSMENT}/subassessments/2", [ASSESSMENT, VM, GROUP, SUB]),
    (SUB, []),
    (f"{SUB}/{OF_SECURITY}/locations/eu/alerts/1", [f"{SUB}/{OF_SECURITY}/locations/eu", SUB]),
    # Ids that end in the middle: what is whole of them counts.
    (f"{GROUP}/providers/microsoft.compute", [GROUP, SUB]),
    (f"{SUB}/resourcegroups", [SUB]),
    # A group and a server that are called "providers".
    (
        f"{SUB}/resourcegroups/providers/providers/microsoft.sql/servers/providers/databases/d",
        [
            f"{SUB}/resourcegroups/providers/providers/microsoft.sql/servers/providers",
            f"{SUB}/resourcegroups/providers",
            SUB,
        ],
    ),
    # What a connector brings ends at the connector, whatever its group is called.
    (CONNECTOR, []),
    (BROUGHT, [CONNECTOR]),
    (f"{BROUGHT}/{OF_SECURITY}/assessments/1", [BROUGHT, CONNECTOR]),
    (
        f"{CONNECTOR}/securityentitydata/x".replace("/rg/", "/securityconnectors/"),
        [CONNECTOR.replace("/rg/", "/securityconnectors/")],
    ),
    (f"{SUB}/resourcegroups/{OF_SECURITY}/securityconnectors/aws/x", []),
]


def test_around_a_resource_are_its_parents_its_group_and_its_subscription() -> None:
    """From the inside out, in lower case; an extension, such as an assessment, lies within what it is about. What is no id in
    a subscription has nothing around it."""
    for resource, around in AROUND:
        assert ids_around(resource) == ids_around(f" {resource.upper()}/ ") == (resource, *around)
    for text in ("", "/", "/subscriptions", "/subscriptions/", "arn:aws:s3:::bucket",
                 "//container.googleapis.com/projects/p", "/providers/microsoft.management/managementgroups/mg"):  # fmt: skip
        assert ids_around(text) == (), text


def test_the_nearest_tag_counts() -> None:
    """Each name by itself; names ignore case, values keep it; a tag that is blank is there all the same. A bucket of
    AWS is not the team's that made the connector: the connector's own tags are about what it brings, and those of its
    group not."""
    landing = {"team": "Landing", "env": "prod", "cost": "1"}
    tags = Tags({SUB: landing, GROUP: {"team": "Web", "env": ""}, DATABASE: {"cost": "7"}})
    assert [tags.find(DATABASE, name) for name in ("Team", "ENV", "cost", "nobody's")] == ["Web", "", "7", None]
    assert tags.find(f"{DATABASE.upper()}/", "team") == "Web"
    assert tags.find(SUB, "team") == "Landing"
    assert tags.find("/subscriptions/bbbb", "team") is None
    assert tags.find(None, "team") is tags.find("", "team") is NO_TAGS.find(DATABASE, "team") is None
    tags = Tags({SUB: {"team": "landing"}, GROUP: {"team": "connectors"}, CONNECTOR: {"cloud": "aws"}})
    brought = f"{CONNECTOR}/securityentitydata/x"
    assert (tags.find(brought, "team"), tags.find(brought, "cloud")) == (None, "aws")


_WORD = st.sampled_from(["a", "b", "providers", "subscriptions", "resourceGroups", "Microsoft.X", "securityConnectors"])
_PAIRS = st.lists(st.tuples(_WORD.filter(lambda word: word != "providers"), _WORD), min_size=1, max_size=3)
_RESOURCES = st.lists(_PAIRS, max_size=3)


@given(in_group=st.booleans(), resources=_RESOURCES, tagged=st.sets(st.integers(0, 12)))
@settings(deadline=None)
def test_a_tag_is_found_from_within(in_group: bool, resources: list[list[tuple[str, str]]], tagged: set[int]) -> None:
    """Whatever things are called: the first of them that has the tag, in the order in which an id is built."""
    id = "/subscriptions/S" + ("/resourceGroups/RG" if in_group else "")
    outward = ["/subscriptions/S", *([id] if in_group else [])]
    for types in resources:
        id += "/providers/Microsoft.X"
        for type, name in types:
            id += f"/{type}/{name}"
            outward.append(id)
    by_id: Mapping[str, Mapping[str, str]] = {
        outward[number].lower(): {"team": str(number)} for number in tagged if number < len(outward)
    }
    expected = max((number for number in tagged if number < len(outward)), default=None)
    assert Tags(by_id).find(outward[-1], "TEAM") == (None if expected is None else str(expected))


def test_of_two_that_know_a_tag_of_the_same_thing_the_upper_one_counts() -> None:
    """Of anything else each counts, and what is nearer to a resource counts first, whoever knows it."""
    upper = Tags({VM: {"team": "upper"}, GROUP: {"env": "upper"}})
    lower = Tags({VM: {"team": "lower", "env": "lower"}, SUB: {"team": "lower", "cost": "lower"}})
    both = upper.over(lower)
    assert [both.find(VM, name) for name in ("team", "env", "cost")] == ["upper", "lower", "lower"]
    assert [both.find(GROUP, name) for name in ("team", "env")] == ["lower", "upper"]
    assert upper.over(NO_TAGS) is upper
    assert NO_TAGS.over(lower) is lower


def test_a_tag_in_a_text_stands_for_its_value() -> None:
    """The value that counts for the resource; where one is missing or blank there is no text."""
    tags = Tags({VM: {"blank": "", "cost center": "4711"}, GROUP: {"team": "Payments", "blank": "x"}})
    known = ["team", "Cost Center", "blank", "nobody's"]
    for text, filled in (
        ("{tag.team}", "Payments"),
        ("soc-{tag.team}/{tag.cost center}", "soc-Payments/4711"),
        ("payments", "payments"),
        ("{tag.blank}", None),
        ("{tag.team} {tag.blank}", None),
        ("{tag.nobody's}", None),
    ):
        assert TagText.parse(text, known).fill(VM, tags) == filled, text


def test_braces_hold_a_tag_that_the_entry_names() -> None:
    """So that an entry without the tag matches nothing, and a misspelt name is nobody's group."""
    for text, words in (
        ("{tag.temm}", 'names no tag of this entry; add it: tag: {temm: "*"}'),
        ("{tags.team}", "stands for nothing here; there is only {tag.NAME}"),
        ("{}", "stands for nothing here"),
        ("{tag.team", "a brace stands alone"),
        ("tag.team}", "a brace stands alone"),
        ("{{tag.team}}", "a brace stands alone"),
    ):
        with pytest.raises(ValueError, match=re.escape(words)):
            TagText.parse(text, ["team"])
