"""Documents as people have them, each showing only what the test is about."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from router.coverage.documents import CoverageDocument, parsed_document
from router.coverage.expected.manifest import (
    NO_MANIFEST,
    CoverageManifest,
    Excuse,
    Expectation,
    ExpectedExport,
    WorkloadSelector,
)
from router.coverage.fields import parse_time
from router.coverage.gate import GateResult, judge_documents
from router.coverage.stored import source_fact
from router.coverage.verdicts import CoverageException, CoverageState, Verdict
from router.domain.coverage import Rung, WorkloadKind
from router.domain.coverage_sources import (
    INSTANTS,
    CoverageSource,
    CoverageSourceKind,
    HeardAlert,
    LastHeard,
    last_of_each_watcher,
)

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers"
CLUSTER = f"{GROUP}/Microsoft.ContainerService/managedClusters/payments"
ARC_CLUSTER = f"{GROUP}/Microsoft.Kubernetes/connectedClusters/edge"
MACHINE = f"{GROUP}/Microsoft.Compute/virtualMachines/web-1"
REGISTRY = f"{GROUP}/Microsoft.ContainerRegistry/registries/images"
SQL_SERVER = f"{GROUP}/Microsoft.Sql/servers/ledger"
COSMOS_DB = f"{GROUP}/Microsoft.DocumentDB/databaseAccounts/carts"
STORAGE = f"{GROUP}/Microsoft.Storage/storageAccounts/uploads"
HUB = f"{GROUP}/Microsoft.EventHub/namespaces/router/eventhubs/cwpp"

IN_PAYMENTS = "--context payments"
"""What a line for kubectl ends with that is for the cluster of that name."""

type Json = Mapping[str, object]
type Row = Sequence[Any]
"""A state, words that are said of it, and cases of it, each of which is some documents."""

type Hold = Callable[..., None]
"""Asserts of a judge of documents that each case has the state with which its row begins."""

COVERED, GAP, UNKNOWN = CoverageState.COVERED, CoverageState.GAP, CoverageState.UNKNOWN
NOT_COVERABLE = CoverageState.NOT_COVERABLE


def document(value: object, name: str = "answer.json", given: str | None = None) -> CoverageDocument:
    """A document that holds that, as if it had been read from a file of that name."""
    copy = json.loads(json.dumps(value))
    heard = tuple(source_fact(name, heard_by(one)) for one in sources_in(copy))
    return replace(parsed_document(copy, name, given), facts=heard)


def sources_in(value: Any) -> list[Any]:
    """What a document says of when sources were heard of, which only a state knows."""
    some = value if isinstance(value, list) else [value]
    objects = (one for one in some if isinstance(one, dict) and one.get("alertRouter") == "source")
    return [one for one in objects if one["kind"] in tuple(CoverageSourceKind)]


def heard_by(value: Any) -> LastHeard:
    """When a source was last heard of."""
    source = CoverageSource(CoverageSourceKind(value["kind"]), value["subject"].lower(), value.get("plan") or "")
    times = {name: parse_time(value[name]) for name in INSTANTS if isinstance(value.get(name), str)}
    alerts = ((parse_time(one["at"]), one["type"]) for one in value.get("by_watcher", ()))
    last = last_of_each_watcher(HeardAlert(at, type) for at, type in alerts if at is not None)
    return LastHeard(source=source, subscription=value.get("subscription"), by_watcher=last, **times)


def judged(*documents: object, manifest: CoverageManifest = NO_MANIFEST, now: datetime = NOW) -> GateResult:
    """What comes of documents: values, or documents that `document` made."""
    every = ((one, f"{number}.json") for number, one in enumerate(documents, 1))
    named = (one if isinstance(one, CoverageDocument) else document(one, name) for one, name in every)
    return judge_documents([*named], manifest, now)


def verdict(result: GateResult, name: str, rung: Rung) -> Verdict:
    """What is known of the workload of that name on a rung."""
    found = [one for workload, at, one in result.assessed.verdicts() if workload.name == name and at is rung]
    assert len(found) == 1, f"{len(found)} verdicts on {name} at {rung}"
    return found[0]


def known(*documents: object, of: str, on: Rung, manifest: CoverageManifest = NO_MANIFEST) -> Verdict:
    """What documents say of the workload of that name on a rung."""
    return verdict(judged(*documents, manifest=manifest), of, on)


def pricing(
    plan: str, tier: str = "Standard", *, scope: str = f"/subscriptions/{SUBSCRIPTION}", **properties: object
) -> Json:
    """A plan as the REST API answers it."""
    return {
        "id": f"{scope}/providers/Microsoft.Security/pricings/{plan}",
        "name": plan,
        "type": "Microsoft.Security/pricings",
        "properties": {"pricingTier": tier, **properties},
    }


def resource(id: str, type: str, properties: Json | None = None, **fields: object) -> Json:
    """A resource as ARM answers it."""
    return {"id": id, "name": id.rpartition("/")[2], "type": type, "properties": properties or {}, **fields}


def types(*some: str) -> Json:
    """Which types of resources the subscription has, as Resource Graph answers it."""
    row = {"id": f"/subscriptions/{SUBSCRIPTION}", "subscriptionId": SUBSCRIPTION, "resourceTypes": list(some)}
    return {"data": [row], "total_records": 1, "count": 1}


def setting(id: str, type: str, **properties: object) -> Json:
    """A setting of one resource, such as defenderForStorageSettings."""
    provider = f"{id}/providers/Microsoft.Security/{type}/current"
    return {"id": provider, "name": "current", "type": f"Microsoft.Security/{type}", "properties": properties}


def expecting_plans(
    plans: Mapping[str, str | None] | None = None, *extensions: str, expects_posture: bool = False
) -> CoverageManifest:
    """A manifest that expects those plans, each with its sub-plan, and extensions of every workload."""
    expectation = Expectation(plans=plans or {}, extensions=frozenset(extensions), number=1)
    return CoverageManifest(expectations=(expectation,), expects_posture=expects_posture, is_given=True)


def managed_cluster(id: str = CLUSTER, *, has_sensor: bool = True, **fields: object) -> Json:
    """An AKS cluster."""
    profile = {"defender": {"securityMonitoring": {"enabled": has_sensor}}}
    properties = {"provisioningState": "Succeeded", "powerState": {"code": "Running"}, "securityProfile": profile}
    return resource(id, "Microsoft.ContainerService/managedClusters", properties, **fields)


def kubectl(*objects: Json) -> Json:
    """What `kubectl get ... -o json` prints of several objects."""
    return {"apiVersion": "v1", "kind": "List", "items": list(objects)}


def of_kind(
    kind: str, name: str, namespace: str = "", *, version: str = "v1", metadata: Json | None = None, **fields: Any
) -> Json:
    """An object of Kubernetes."""
    named = {"name": name, **({"namespace": namespace} if namespace else {}), **(metadata or {})}
    return {"apiVersion": version, "kind": kind, "metadata": named, **fields}


def node(name: str, *, system: str = "linux", taints: Iterable[Json] = (), **labels: str) -> Json:
    """A node that is ready."""
    info = {"operatingSystem": system, "kernelVersion": "5.15.0-1091-azure", "osImage": "Ubuntu 22.04.5 LTS"}
    status = {"conditions": [{"type": "Ready", "status": "True"}], "nodeInfo": info}
    metadata = {"labels": {"kubernetes.io/os": system, **labels}}
    return of_kind("Node", name, metadata=metadata, spec={"taints": list(taints)}, status=status)


def nodes(many: int = 3) -> list[Json]:
    """Linux nodes."""
    return [node(f"node-{number}") for number in range(many)]


def daemon_set(
    name: str = "microsoft-defender-collector-ds",
    *,
    namespace: str = "kube-system",
    desired: int = 3,
    ready: int = 3,
    image: str = "mcr.microsoft.com/azuredefender/stable/pod-collector:1.0.71",
    **status: int,
) -> Json:
    """A DaemonSet of Defender's."""
    template = {"spec": {"containers": [{"name": "main", "image": image}]}}
    counts = {"desiredNumberScheduled": desired, "currentNumberScheduled": desired, "numberReady": ready}
    return of_kind(
        "DaemonSet",
        name,
        namespace,
        version="apps/v1",
        metadata={"generation": 1},
        spec={"selector": {"matchLabels": {"dsName": name}}, "template": template},
        status={**counts, "numberMisscheduled": 0, "observedGeneration": 1, **status},
    )


def sensor(*, ready: int = 3, desired: int = 3, namespace: str = "kube-system") -> list[Json]:
    """Collector and publisher."""
    image, name = "mcr.microsoft.com/azuredefender/stable/security-publisher:1.0.67", "microsoft-defender-publisher-ds"
    publisher = daemon_set(name, namespace=namespace, desired=desired, ready=ready, image=image)
    return [daemon_set(namespace=namespace, desired=desired, ready=ready), publisher]


def automation(
    name: str = "alert-router-cwpp",
    *,
    hub: str | None = HUB,
    scope: str = f"/subscriptions/{SUBSCRIPTION}",
    source: str = "Alerts",
    rule_sets: Iterable[Iterable[Json]] = (),
    **properties: object,
) -> Json:
    """A continuous export as the REST API answers it; one without a hub runs a logic app."""
    action = {"actionType": "LogicApp"} if hub is None else {"actionType": "EventHub", "eventHubResourceId": hub}
    said = {
        "isEnabled": True,
        "scopes": [{"scopePath": scope}],
        "sources": [{"eventSource": source, "ruleSets": [{"rules": list(rules)} for rules in rule_sets]}],
        "actions": [action],
        **properties,
    }
    return resource(f"{GROUP}/Microsoft.Security/automations/{name}", "Microsoft.Security/automations", said)


def only(value: str, property: str = "Severity", operator: str = "Equals") -> Json:
    """A condition on what is exported."""
    return {"propertyJPath": property, "propertyType": "String", "operator": operator, "expectedValue": value}


def suppression_rule(name: str = "noisy", **properties: object) -> Json:
    """A suppression rule of Defender's own that is in force, ends soon and has a scope; None leaves a property out."""
    said = {
        "alertType": "VM_Noise",
        "state": "Enabled",
        "reason": "Noise",
        "comment": "asked by web team",
        "lastModifiedUTC": "2026-11-01T09:00:00.1234567Z",
        "expirationDateUTC": "2026-12-24T00:00:00Z",
        "suppressionAlertsScope": {"allOf": [{"field": "entities.ip.address", "in": ["192.0.2.1"]}]},
        **properties,
    }
    return resource(
        f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Security/alertsSuppressionRules/{name}",
        "Microsoft.Security/alertsSuppressionRules",
        {key: value for key, value in said.items() if value is not None},
    )


def alert(about: str = MACHINE, *, type: str = "VM_SuspiciousActivity", **properties: object) -> Json:
    """An alert as the REST API answers it, two days old."""
    return resource(
        f"{GROUP}/Microsoft.Security/locations/westeurope/alerts/1",
        "Microsoft.Security/Locations/alerts",
        {
            "alertType": type,
            "alertDisplayName": "Suspicious activity",
            "startTimeUtc": "2026-11-23T10:00:00.1234567Z",
            "productName": "Microsoft Defender for Cloud",
            "isIncident": False,
            "resourceIdentifiers": [{"type": "AzureResource", "azureResourceId": about}],
            **properties,
        },
    )


def expecting(*rungs: Rung, export: ExpectedExport | None = None) -> CoverageManifest:
    """A manifest that expects those rungs of every workload."""
    expectation = Expectation(rungs=frozenset(rungs), number=1)
    return CoverageManifest(expectations=(expectation,), export=export, is_given=True)


def security_setting(name: str = "WDATP", *, enabled: object = True, subscription: str = SUBSCRIPTION) -> Json:
    """A setting of a subscription as the REST API answers it."""
    id = f"/subscriptions/{subscription}/providers/Microsoft.Security/settings/{name}"
    properties = {"enabled": enabled}
    return {"id": id, "name": name, "type": "Microsoft.Security/settings", "properties": properties}


def extension_of_plan(name: str, *, enabled: object = "True") -> Json:
    """An extension of a plan, whose booleans are texts."""
    return {"name": name, "isEnabled": enabled}


def connected_cluster(id: str = ARC_CLUSTER, *, connectivity: str = "Connected", **fields: object) -> Json:
    """A cluster that Azure Arc connects."""
    properties = {"provisioningState": "Succeeded", "distribution": "openshift", "connectivityStatus": connectivity}
    return resource(id, "Microsoft.Kubernetes/connectedClusters", properties, **fields)


def cluster_extension(
    type: str = "microsoft.azuredefender.kubernetes", state: str = "Succeeded", *, cluster: str = ARC_CLUSTER
) -> Json:
    """An extension of a cluster as the REST API answers it."""
    id = f"{cluster}/providers/Microsoft.KubernetesConfiguration/extensions/{type}"
    properties = {"extensionType": type, "provisioningState": state}
    return resource(id, "Microsoft.KubernetesConfiguration/extensions", properties)


def offering(name: str, **fields: object) -> Json:
    """A plan of a connector that is on."""
    return {"offeringType": name, **fields}


def connector(*offerings: Json, cloud: str = "AWS", name: str = "shop", account: str = "123456789012") -> Json:
    """A connector to an account of AWS or a project of GCP, as the REST API answers it."""
    id = f"{GROUP}/Microsoft.Security/securityConnectors/{name}"
    details = {"projectDetails": {"projectId": "shop-prod", "projectNumber": account}} if cloud == "GCP" else {}
    properties = {
        "environmentName": cloud,
        "hierarchyIdentifier": account,
        "environmentData": {"environmentType": "AwsAccount" if cloud == "AWS" else "GcpProject", **details},
        "offerings": list(offerings),
    }
    return resource(id, "Microsoft.Security/securityConnectors", properties)


def eks_cluster(*logs: str, account: str = "123456789012", **fields: object) -> Json:
    """What `aws eks describe-cluster` prints of a cluster that writes those logs of its control plane."""
    silent = sorted({"api", "audit", "authenticator", "controllerManager", "scheduler"}.difference(logs))
    logging = [{"types": list(logs), "enabled": True}, {"types": silent, "enabled": False}]
    arn = f"arn:aws:eks:eu-west-1:{account}:cluster/checkout"
    return {"cluster": {"name": "checkout", "arn": arn, "logging": {"clusterLogging": logging}, **fields}}


def last_row(cluster: str, **ago: float) -> Json:
    """When the sensor of a cluster last sent a row, that long before the tests judge, as Log Analytics answers it."""
    columns = {"AzureResourceId": "/subscriptions/", "AwsResourceName": "arn:", "GcpFullResourceName": "//"}
    named = {column: cluster if cluster.lower().startswith(start) else "" for column, start in columns.items()}
    return {**named, "last": (NOW - timedelta(**ago)).isoformat()}


def gke_cluster(**fields: object) -> Json:
    """What `gcloud container clusters describe` prints."""
    link = "https://container.googleapis.com/v1/projects/shop-prod/locations/europe-west1/clusters/carts"
    return {"name": "carts", "selfLink": link, "location": "europe-west1", **fields}


def cluster_id(name: str, subscription: str = SUBSCRIPTION) -> str:
    """The id of an AKS cluster."""
    return (
        f"/subscriptions/{subscription}/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/{name}"
    )


def expects(
    *names: str,
    kinds: Iterable[WorkloadKind] = (WorkloadKind.CLUSTER,),
    subscriptions: Iterable[str] = ("*",),
    rungs: Iterable[Rung] | None = (Rung.SENSOR_RUNNING,),
    number: int = 1,
) -> Expectation:
    """An entry that expects workloads of these names on some rungs."""
    return Expectation(
        selects=WorkloadSelector(kinds=frozenset(kinds), names=names or ("*",), subscriptions=tuple(subscriptions)),
        rungs=None if rungs is None else frozenset(rungs),
        number=number,
    )


def excuses(
    *names: str,
    kinds: Iterable[WorkloadKind] = (),
    rungs: Iterable[Rung] = (),
    ends: datetime = NOW + timedelta(days=1),
    owner: str = "platform@example.com",
) -> Excuse:
    """An exception for workloads of these names."""
    return Excuse(
        selects=WorkloadSelector(kinds=frozenset(kinds), names=names or ("*",)),
        rungs=frozenset(rungs),
        exception=CoverageException(owner=owner, reason="rebuilt", ends=ends),
        number=1,
    )


def manifest_of(*expectations: Expectation, excused: Iterable[Excuse] = ()) -> CoverageManifest:
    """A manifest that somebody wrote."""
    return CoverageManifest(
        expectations=expectations or NO_MANIFEST.expectations, excuses=tuple(excused), is_given=True
    )
