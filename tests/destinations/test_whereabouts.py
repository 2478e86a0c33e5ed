"""Where it happened, as every text says it. Ids of resources, and how they are said, are on file in `places.ndjson`."""

from __future__ import annotations

import json
import re
from itertools import product
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from router.decide import decide, notice_for
from router.destinations.wording.whereabouts import UNKNOWN, whereabouts_of
from router.domain.evidence import Evidence
from router.domain.notices import Group, Notice
from router.domain.posture import DatabaseRule, Image
from router.domain.resources import is_telling, names_of_resource, parse_resource_id
from router.domain.signals import Stream
from router.ingest.grouping.group_notices import named_member, notice_from_state
from router.parse import evidence_of
from router.store.groups import GroupState
from tests.builders import NOW, a_rulebook
from tests.destinations.builders import a_finding, a_notice
from tests.parse.messages import an_assessment, read_finding

SUBSCRIPTION = "/subscriptions/6f0a3c52-8d1e-4b7a-9c45-2e71d0b8a110"
GROUP = f"{SUBSCRIPTION}/resourceGroups/rg-data"
CONNECTED = f"{GROUP}/providers/Microsoft.Security/securityConnectors/corp/securityentitydata"
GUID = "0b2c8f0e-6a4e-4c5c-9c1d-1f0f5a1c0d11"
OTHER = "6f0a3c52-8d1e-4b7a-9c45-2e71d0b8a110"
LAPTOP = Evidence(hosts=("laptop-of-mallory",))

ON_FILE: dict[str, list[dict[str, Any]]] = {}
for _line in Path(__file__).with_name("places.ndjson").read_text(encoding="utf-8").splitlines():
    ON_FILE.setdefault(json.loads(_line)["table"], []).append(json.loads(_line))


def at(resource: str | None, entity: str | None = None, evidence: Evidence = LAPTOP, **fields: Any) -> Notice:
    """A notice about a resource, with somebody's laptop among the evidence."""
    parts = parse_resource_id(resource)
    return a_notice(
        resource=resource,
        resource_type=parts.type,
        resource_group=parts.resource_group,
        subscription=parts.subscription,
        compromised_entity=entity,
        evidence=evidence,
        **fields,
    )


def words(resource: str | None, *args: Any, **fields: Any) -> str:
    return whereabouts_of(at(resource, *args, **fields)).words


def test_a_resource_is_named_with_what_it_is_a_part_of() -> None:
    """Its id says both, and never the laptop that is among the entities; `default` and the like are no names."""
    for one in ON_FILE["resources"]:
        assert words(one["resource"]) == one["said"]
        assert words(one["resource"].upper()).lower() == one["said"].lower()


def test_a_scope_is_said_with_its_name_or_the_end_of_its_id() -> None:
    """A GUID by itself is never said; whoever wants the whole of it finds it among the facts."""
    for entity, one in product((None, OTHER), ON_FILE["scopes"]):
        assert words(one["resource"], entity, subscription_name=one["subscription"]) == one["said"]


def test_the_compromised_entity_is_said_where_the_resource_says_less() -> None:
    """A subscription, a workspace, a connector's name and a bare GUID do; addresses and accounts are nowhere."""
    evidence = Evidence(
        hosts=("laptop-of-mallory",),
        ips=("203.0.113.9", "203.0.113.10"),
        accounts=("mallory@contoso.example (S-1-5-18)",),
    )
    for one in ON_FILE["entities"]:
        name = "Contoso Payments" if parse_resource_id(one["resource"]).subscription else None
        assert words(one["resource"], one["entity"], evidence, subscription_name=name) == one["said"], one


def test_a_host_is_said_only_where_nothing_else_has_a_name() -> None:
    """It may be the attacked machine or the attacker's; one called `0` is none."""
    assert words(None) == words(GUID, GUID) == "laptop-of-mallory"
    assert words(GUID, GUID, Evidence(hosts=("0", "default"))) == "resource …1c0d11"
    assert words(None, None, Evidence()) == UNKNOWN
    assert words(None, "0", Evidence(nodes=("aks-pool-1",))) == "aks-pool-1"
    assert words(None, None, Evidence(resources=(f"{GROUP}/providers/Microsoft.Web/sites/app",))) == "app"


BARE = GUID.replace("-", "")
CLUSTERS: list[tuple[dict[str, Any], Evidence, str]] = [
    ({"cluster": GUID}, LAPTOP, "cluster …1c0d11"),
    ({"cluster": BARE}, Evidence(namespaces=("jobs",), pods=("export-1",)), "cluster …1c0d11/jobs/export-1"),
    ({"cluster": GUID}, Evidence(clusters=(GUID, "shop-prod"), pods=("export-1",)), "shop-prod/export-1"),
    ({"cluster": "default"}, LAPTOP, "cluster default"),
    ({"targets": (f"{GUID}/{GUID}", "vm-7")}, LAPTOP, "vm-7"),
]


def test_a_guid_is_said_by_its_end_however_it_is_written() -> None:
    """With hyphens or without, in braces, two together, or beside names; what is only a part of a name is said with it.

    A cluster whose name is one is called a cluster, or as the evidence, its own cloud or the connector calls it.
    """
    for one in ON_FILE["guids"]:
        assert words(one["resource"], one["entity"], Evidence()).startswith(one["said"]), one
    for fields, evidence, said in CLUSTERS:
        assert words(None, None, evidence, **fields) == said, fields
    resource = f"{CONNECTED}/aws-eks-cluster-shop-prod"
    assert words(resource, cluster=GUID, native_name="shop-prod") == "shop-prod"
    assert words(resource, cluster=GUID, native_name=BARE) == "aws-eks-cluster-shop-prod"


AKS = f"{GROUP}/providers/Microsoft.ContainerService/managedClusters/aks-web"
ARC = f"{GROUP}/providers/Microsoft.Kubernetes/connectedClusters/arc-hq"
INSIDE = [
    (Evidence(namespaces=("jobs",), pods=("export-1",)), "/jobs/export-1"),
    (Evidence(namespaces=("jobs",), pods=("export-1", "export-2")), "/jobs"),
    (Evidence(namespaces=("jobs", "web"), pods=("export-1",)), "/export-1"),
    (Evidence(namespaces=("jobs",), nodes=("pool-1",)), "/jobs"),
    (Evidence(nodes=("pool-1",), hosts=("pool-1",)), "/pool-1"),
    (Evidence(nodes=("pool-1", "pool-2")), ""),
    (Evidence(), ""),
]
NAMED = [
    (AKS, "aks-web"),
    (ARC, "arc-hq"),
    (f"{CONNECTED}/shop-prod", "shop-prod"),
    (f"{CONNECTED}/aws-eks-cluster-shop-prod-eu-west-2", "shop-prod"),
    ("arn:aws:eks:eu-west-2:123456789012:cluster/shop-prod", "shop-prod"),
    ("//container.googleapis.com/projects/shop/zones/z/clusters/shop-prod", "shop-prod"),
]


def test_a_pod_is_named_with_its_cluster_and_namespace() -> None:
    """In any cloud the cluster has its own name; a namespace, pod or node stands behind it where there is no doubt which."""
    for (evidence, inside), (resource, cluster) in product(INSIDE, NAMED):
        assert words(resource, None, evidence, cluster=cluster) == f"{cluster}{inside}"


REGISTRY = f"{GROUP}/providers/Microsoft.ContainerRegistry/registries/contoso"
DIGEST = "sha256:eceeba9f3c1f021b333ab146d3142a73e81c5985277dfa9e8961628b1d82153c"
IMAGES: list[tuple[dict[str, Any], tuple[str, ...], str]] = [
    ({"image": Image(repository="shop/web", digest=DIGEST)}, (), "contoso/shop/web@sha256:eceeba9f3c1f"),
    ({"image": Image(repository="shop/web")}, (), "contoso/shop/web"),
    ({}, ("contoso.azurecr.example/shop/web:4.18",), "contoso/shop/web:4.18"),
    ({}, (f"contoso.azurecr.example/shop/web@{DIGEST}",), "contoso/shop/web@sha256:eceeba9f3c1f"),
    ({}, ("shop/web:4.18",), "contoso/shop/web:4.18"),
    ({}, ("elsewhere.example/shop/web:4.18",), "contoso"),
    ({}, ("shop/web:1", "shop/web:2"), "contoso"),
]
DATABASES = [
    ("Microsoft.Compute/virtualMachines/sqlvm-1", "SQLVM-1\\PROD", "ledger", "sqlvm-1/PROD/ledger"),
    ("Microsoft.HybridCompute/machines/hq-sql", "hq-sql.corp.example", "ledger", "hq-sql/ledger"),
    ("Microsoft.Sql/servers/sql-weu/databases/ledger", "sql-weu", "ledger", "sql-weu/ledger"),
    ("Microsoft.Sql/servers/sql-weu", None, "master", "sql-weu/master"),
]


def test_an_image_is_named_with_its_registry_and_a_database_with_its_machine() -> None:
    """A repository with tag or digest, which is as long as people compare it; a rule says which database of which instance."""
    for fields, images, said in IMAGES:
        assert words(REGISTRY, None, Evidence(images=images), **fields) == said
    for below, server, database, said in DATABASES:
        rule = DatabaseRule(id="VA1", server=server, database=database)
        assert words(f"{GROUP}/providers/{below}", rule=rule) == said


def test_what_a_connector_brings_is_called_as_its_own_cloud_calls_it() -> None:
    """Of an ARN or Google's name the last name, else the resource's; what the connector made up is the last resort."""
    resource = f"{CONNECTED}/aws-s3-bucket-invoices"
    for details, name in (
        ({"nativeResourceId": "arn:aws:s3:::invoices", "resourceName": "x"}, "invoices"),
        ({"nativeCloudUniqueIdentifier": "//iam.googleapis.com/projects/p/serviceAccounts/etl"}, "etl"),
        ({"resourceName": "the-invoices"}, "the-invoices"),
        ({"resourceName": GUID}, "aws-s3-bucket-invoices"),
        ({}, "aws-s3-bucket-invoices"),
    ):
        finding = read_finding(an_assessment(resourceDetails={"source": "Aws", "id": resource, **details}))
        book = a_rulebook(stream=Stream.CSPM)
        notice = notice_for(
            finding, evidence_of(finding, book.catalogue), decide(finding, book, NOW), book, "0" * 32, 1
        )
        assert whereabouts_of(notice).words == name


def test_an_account_of_another_cloud_is_said_in_place_of_the_connectors_subscription() -> None:
    """The connector's own says nothing of the resource."""
    notice = at(f"{CONNECTED}/shop-prod", cluster="shop-prod", account="123456789012")
    assert whereabouts_of(notice).surroundings == "AWS account 123456789012"
    named = at(f"{CONNECTED}/shop-prod", account="123456789012", subscription_name="Retail", environment="production")
    assert whereabouts_of(named).surroundings == "production, Retail"
    project = at("//cloudresourcemanager.googleapis.com/projects/shop", project="shop")
    assert whereabouts_of(project).words == "GCP project shop"
    assert words(None, None, Evidence(), account="123456789012", subscription_name="Retail") == "AWS account Retail"


def test_surroundings_are_names_only() -> None:
    """The id of a subscription is a fact, and no name."""
    assert whereabouts_of(at(AKS)).surroundings is None
    assert whereabouts_of(at(AKS, subscription_name="Payments")).surroundings == "Payments"
    assert whereabouts_of(at(AKS, environment="production")).surroundings == "production"


def test_ids_of_any_cloud_have_names() -> None:
    """Types, regions, accounts and projects are none of them."""
    for one in ON_FILE["ids"]:
        assert names_of_resource(one["resource"]) == tuple(one["names"]), one


def test_members_of_a_group_are_named_by_the_same_words() -> None:
    """A group's notice names what a notice of their own would; and so does one that is made of the group's state alone."""
    member = named_member(at(f"{GROUP}/providers/Microsoft.Sql/servers/sql-weu/databases/ledger", "ledger"))
    assert member.place == "sql-weu/ledger"
    group = Group(by=(), total=2, standing=1, named=(member,))
    state = GroupState(group=group, audience_key="a", at=NOW, window_key=None, until=None)
    like = at(AKS, "another", subscription_name="Another", environment="production")
    said = whereabouts_of(notice_from_state(state, like))
    assert (said.words, said.surroundings) == ("sql-weu/ledger", None)


PIECES = [
    "subscriptions", "providers", "Microsoft.Security", "securityConnectors", "securityentitydata", GUID, GUID.upper(), BARE,
    f"{{{GUID}}}", "default", "0", "arn:aws:s3:::", "arn:aws:ecs:eu-west-2:123456789012:task", "//compute.googleapis.com",
    "projects", "a b", "",
]  # fmt: skip
JOINED = st.tuples(
    st.lists(st.sampled_from(PIECES), max_size=9), st.sampled_from(["/", "//", "@", ":", "\\", " ", ", "])
)
TEXTS = st.text(max_size=20) | JOINED.map(lambda drawn: drawn[1].join(drawn[0]))
BEING_SAID = re.compile(r"(?<![\w.-])[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}(?![\w.-])", re.IGNORECASE)
FEW = st.lists(TEXTS, max_size=2).map(tuple)


@given(st.none() | TEXTS, st.none() | TEXTS, FEW)
def test_there_are_always_words(resource: str | None, entity: str | None, hosts: tuple[str, ...]) -> None:
    """Whatever a message writes: something that tells, in one line, and never a bare GUID."""
    said = whereabouts_of(at(resource, entity, Evidence(hosts=hosts)))
    assert is_telling(said.words)
    assert said.words == " ".join(said.words.split())
    assert not BEING_SAID.search(said.words)
    assert is_telling(whereabouts_of(a_finding(resource=resource, compromised_entity=entity)).words)


@given(
    st.none() | TEXTS,
    st.fixed_dictionaries(
        {name: st.none() | TEXTS for name in ("compromised_entity", "cluster", "native_name", "subscription_name")}
    ),
    st.builds(Evidence, clusters=FEW, pods=FEW, namespaces=FEW, nodes=FEW, images=FEW, resources=FEW),
    st.builds(DatabaseRule, id=st.just("VA1"), server=st.none() | TEXTS, database=st.none() | TEXTS),
    st.none() | st.builds(Image, repository=TEXTS),
    FEW,
)
def test_nothing_that_a_message_names_has_a_guid_said_by_itself(
    resource: str | None,
    fields: dict[str, str | None],
    evidence: Evidence,
    rule: DatabaseRule,
    image: Image | None,
    targets: tuple[str, ...],
) -> None:
    """Whichever of its fields says where."""
    entity = fields.pop("compromised_entity")
    said = whereabouts_of(at(resource, entity, evidence, rule=rule, image=image, targets=targets, **fields))
    assert said.words
    assert not BEING_SAID.search(said.words)
