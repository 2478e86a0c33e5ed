"""What an entry of owners.yaml matches, the order of entries, and what notices say by it: owners, names, runbooks."""

import json
from collections.abc import Mapping, Sequence
from copy import replace
from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.decide import decide, notice_for
from router.destinations.config import parse
from router.destinations.wording.headlines import headline
from router.destinations.wording.whereabouts import whereabouts_of
from router.domain.locations import location_of, resource_group_of
from router.domain.notices import Notice
from router.domain.owners import Owner, Owners, find_environment_of, find_owner_of
from router.domain.resources import parse_resource_id
from router.domain.rule_fields import rule_fields_of, signal_of
from router.domain.rulebook import Rulebook
from router.domain.signals import Alert, Signal, Stream
from router.domain.tags import Tags
from router.parse import evidence_of
from tests.builders import NOW, RESOURCE, SUBSCRIPTION, a_rulebook, an_alert
from tests.examples import some_of
from tests.parse.messages import CATALOGUE, an_assessment, in_pascal_case, read_finding
from tests.parse.test_samples import sample_signals
from tests.rulebook.builders import a_policy, messages, the_book

CONNECTORS = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-connectors"
SCOPE = f"{CONNECTORS}/providers/Microsoft.Security/securityConnectors/corp"
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
        CONNECTORS.lower(): {"team": "whoever-connects"},
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
OF_AWS = {"Source": "Aws", "connectorId": "074e03e2-f891-4e1f-aa8f-a39f9ae0f02f", "hierarchyId": "123456789012"}
EXPORTS = {"Id": f"{SCOPE}/securityentitydata/aws-s3-bucket-exports", "NativeResourceId": "arn:aws:s3:::exports"}
BUCKET = read_finding(an_assessment(resourceDetails=OF_AWS | EXPORTS))
SIGNALS: Sequence[Signal] = [SHOP, SHOP_BY_ARC, BOOKS, BUCKET, ON_AKS, ON_VM]


def owners_of(*entries: Mapping[str, object]) -> Owners:
    """The owners of rules with these entries, where some resources have tags."""
    return replace(the_book({"owners.yaml": {"owners": [dict(entry) for entry in entries]}}).owners, tags=TAGS)


def group_of(signal: Signal, owners: Owners) -> str | None:
    """The group that owns a signal; the same of what is made of it when its message is gone."""
    found = [find_owner_of(one, owners) for one in (signal, signal_of(rule_fields_of(signal)))]
    assert found[0] == found[1]
    return found[0].group if found[0] else None


def notice_of(signal: Signal, book: Rulebook) -> Notice:
    """The notice of a signal under some rules."""
    return notice_for(signal, evidence_of(signal, book.catalogue), decide(signal, book, NOW), book, "0" * 32, 1)


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


def test_a_finding_in_a_cluster_is_told_and_owned_by_namespace() -> None:
    """Wherever its cluster, namespace and workload stand in the message, and with no star in what people read."""
    for additional, resource, where in PLACES:
        message = an_assessment(resourceDetails={"id": resource}, additionalData=additional)
        finding = read_finding({**message, "id": f"{resource}{BEHIND}"})
        others, cluster = {"cluster": "*", "namespace": "default", "group": "nobody's"}, where.partition("/")[0]
        owners = owners_of(others, {"cluster": cluster, "namespace": "kube-*", "group": "platform"})
        assert group_of(finding, owners) == "platform", (where, additional)
        notice = notice_of(finding, replace(a_rulebook(stream=finding.stream), catalogue=CATALOGUE))
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
    "subscription": ("1111*", "B*", "*"),
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
    for signal in SIGNALS:
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


NAMES: dict[str, object] = {
    "owners": [],
    "subscriptions": {SUBSCRIPTION: {"name": "Contoso Payments", "environment": "production"}},
    "accounts": {"123456789012": {"name": "Retail", "environment": "retail"}},
    "projects": {"Ledger": {"name": "The shop"}},
}


def on_cluster(name: str) -> Signal:
    """An alert on a cluster that a connector brought, which has its own name among the entities."""
    return an_alert_in(f"{SCOPE}/securityentitydata/shop-prod", cluster=name)


CALLED: list[tuple[Signal, str | None, str | None]] = [
    (an_alert(), "Contoso Payments", "production"),
    (an_alert(AzureResourceId=RESOURCE.upper()), "Contoso Payments", "production"),
    (an_alert(AzureResourceId=RESOURCE.replace("1111", "2222")), None, None),
    (on_cluster(AWS_CLUSTER), "Retail", "retail"),
    (on_cluster(GCP_CLUSTER), "The shop", None),
    (on_cluster(AWS_CLUSTER.replace("1234", "9999")), None, None),
    (on_cluster("shop-prod"), None, None),
]


def test_a_notice_says_what_its_subscription_is_called() -> None:
    """Whatever the case of its id; what a connector brings is called by its account or project, not by the connector's."""
    book = the_book({"owners.yaml": NAMES})
    for signal, name, environment in CALLED:
        notice = notice_of(signal, book)
        assert (notice.subscription_name, notice.environment) == (name, environment), signal.resource


def test_an_entry_of_owners_may_say_another_environment() -> None:
    """The first entry that says one counts, before the subscription; one that says nothing else owns nothing."""
    owners = [
        {"resource_group": "rg-web", "environment": "test"},
        {"resource_group": "rg-*", "group": "web", "environment": "staging"},
        {"cluster": "shop-*", "environment": "shop"},
        {"group": "platform"},
    ]
    book = the_book({"owners.yaml": NAMES | {"owners": owners}})
    for signal, environment, group in (
        (an_alert(), "test", "web"),
        (an_alert(AzureResourceId=RESOURCE.replace("rg-web", "rg-data")), "staging", "web"),
        (an_alert(AzureResourceId=f"/subscriptions/{SUBSCRIPTION}"), "production", "platform"),
        (on_cluster(AWS_CLUSTER), "shop", "platform"),
    ):
        notice = notice_of(signal, book)
        assert (notice.environment, notice.owner) == (environment, Owner(group))
    # An entry without anything said still owns: it says that nobody is named here, whatever stands below it.
    nobody = the_book({"owners.yaml": {"owners": [{"resource_group": "rg-web"}, {"group": "platform"}]}})
    assert notice_of(an_alert(), nobody).owner == Owner()


WIKI = "https://wiki.example"
RUNBOOKS: list[tuple[dict[str, str], dict[str, str], str]] = [
    ({}, {}, ""),
    ({}, {"vm_*": f"{WIKI}/vm"}, "vm"),
    ({"VM_*": f"{WIKI}/ours"}, {"*": f"{WIKI}/all"}, "ours all"),
    ({"*": f"{WIKI}/all"}, {"VM_Test": f"{WIKI}/all"}, "all"),
    ({"VM": f"{WIKI}/no", "K8S*": f"{WIKI}/no"}, {}, ""),
    ({"VM_T*": f"{WIKI}/1", "VM_*": f"{WIKI}/2"}, {"*": f"{WIKI}/3", "VM_Test": f"{WIKI}/4"}, "1 2 3"),
]


def test_a_notice_names_the_first_three_runbooks_that_fit() -> None:
    """Those of the policy first, each in the order in which they are written, and none twice; with a query as it is."""
    for policy, owners, expected in RUNBOOKS:
        files = {"cwpp/policy.yaml": a_policy(runbooks=policy), "owners.yaml": {"owners": [], "runbooks": owners}}
        assert notice_of(an_alert(), the_book(files)).runbooks == tuple(f"{WIKI}/{one}" for one in expected.split())
    for url in (
        "https://wiki.example/pages/viewpage.action?pageId=4711#Step-2",
        "HTTPS://WIKI.example:8443/k8s",
        "https://192.0.2.1/k8s",
        "https://wiki.example/a?tokens=no&keyword=a",
    ):
        book = the_book({"owners.yaml": {"owners": [], "runbooks": {"*": url}}})
        assert notice_of(an_alert(), book).runbooks == (url,)


def test_a_runbook_of_findings_may_be_about_a_category() -> None:
    """The type of a finding is a GUID; people write what sort of recommendation it is."""
    metadata = {"severity": "High", "recommendationCategory": "SoftwareUpdate", "categories": ["Data"]}
    finding = read_finding(an_assessment(metadata=metadata) | {"name": "assessment-1"})
    for glob in ("assessment-1", "SoftwareUpdate", "softwareu*", "Data"):
        book = the_book({"cspm/policy.yaml": a_policy("cspm", runbooks={glob: WIKI})}, Stream.CSPM)
        assert notice_of(finding, book).runbooks == (WIKI,), glob
    # A policy speaks for its own stream.
    assert not the_book({"cwpp/policy.yaml": a_policy(runbooks={"*": WIKI})}, Stream.CSPM).runbooks


FILE = "tags/resources.json"
ROWS = [
    {"id": RESOURCE, "tags": {"Team": "Pay\u202ements", "env": "PROD"}},
    {"id": RESOURCE.rpartition("/providers/")[0], "tags": {"team": "Web", "env": "test"}},
    {"id": f"/subscriptions/{SUBSCRIPTION}", "tags": {"team": "", "cost": "4711"}},
]


def ruled(*entries: object, **more: object) -> Rulebook:
    """Rules with these entries and the tags of ROWS."""
    return the_book({"owners.yaml": {"tags": FILE, "owners": entries, **more}, FILE: ROWS})


def test_a_tag_names_the_group() -> None:
    """Legible as all that people read, and with the case that it is written in; where it is blank the next entry owns.
    The pager is never of a tag."""
    pager = {"secret": "SOC_KEY"}
    soc = {"group": "{tag.team}", "service": "soc-{tag.Team}", "pager": pager, "environment": "elsewhere"}
    first = {"tag": {"ENV": "prod"}, "environment": "{tag.env}"}
    book = ruled(first, {"tag": {"TEAM": "*"}, **soc}, {"group": "platform"})
    other, outside = RESOURCE.replace("vm-1", "vm-2"), f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-other"
    notices = [notice_of(an_alert(AzureResourceId=resource), book) for resource in (RESOURCE, other, outside)]
    assert [notice.owner for notice in notices] == [
        Owner("Pay\\u202ements", "soc-Pay\\u202ements", "SOC_KEY"),
        Owner("Web", "soc-Web", "SOC_KEY"),
        Owner("platform"),
    ]
    assert [notice.environment for notice in notices] == ["PROD", "elsewhere", None]
    assert parse("{owner.group}")(notices[1]) == "Web"


def test_an_entry_whose_tag_is_nowhere_matches_nothing() -> None:
    """Nor does one where another value is asked for."""
    teams = {"tag": {"temm": "*"}, "group": "{tag.temm}"}, {"tag": {"team": "x*"}, "group": "x"}
    book = ruled(*teams, {"tag": {"team": "*", "cost": "47??"}, "group": "{tag.team}-{tag.cost}"})
    assert find_owner_of(an_alert(), book.owners) == Owner("Pay\\u202ements-4711")
    assert find_owner_of(an_alert(AzureResourceId="/subscriptions/bbbb"), book.owners) is None
    assert find_environment_of(an_alert(), book.owners) is None


def test_a_text_names_tags_of_its_entry() -> None:
    """And a pager none: who may tag a resource must not choose who is paged. A subscription is called by no tag either."""
    tag = {"tag": {"team": "*"}}
    said: list[tuple[dict[str, object], str]] = [
        ({"group": "{tag.team}"}, "group: {tag.team} names no tag of this entry"),
        ({**tag, "service": "{team}"}, "service: {team} stands for nothing here"),
        ({**tag, "environment": "{tag.env"}, "environment: a brace stands alone"),
        ({**tag, "pager": "{tag.team}"}, "pager: takes no tag"),
        ({**tag, "pager": {"secret": "KEY_{tag.team}"}}, "pager: takes no tag"),
    ]
    for entry, words in said:
        (message,) = messages({"owners.yaml": {"owners": [entry]}})
        assert message.startswith(f"owners[0].{words}"), message
    (message,) = messages({"owners.yaml": {"owners": [], "subscriptions": {SUBSCRIPTION: {"name": "{tag.name}"}}}})
    assert "takes no tag" in message
