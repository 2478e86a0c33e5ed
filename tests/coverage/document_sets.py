"""What people may have at hand: documents of every kind that are true at one time, so that no two contradict each other.
Each kind of question has several answers, of which at most one is true. Where two documents say different things of the
same field of the same object, the worse one counts, and to take it away may cover: that is the one exception of the gate's
first promise, and each judge's own tests show it."""

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from router.coverage.expected.manifest import NO_MANIFEST, CoverageManifest, Expectation, ExpectedExport
from router.domain.coverage import Rung
from router.domain.coverage_sources import CoverageSourceKind
from router.domain.recommendations import EDR_INSTALLED, EDR_RUNNING, SQL_PROTECTED
from tests.coverage import admission_builders as k8s
from tests.coverage import builders as az
from tests.coverage import machine_builders as vm
from tests.coverage import stored_builders as kept
from tests.coverage.builders import CLUSTER, MACHINE, SUBSCRIPTION, alert, kubectl, pricing, resource, security_setting
from tests.coverage.kubernetes_builders import pod
from tests.coverage.machine_builders import ARC, ago, all_healthy, assessment, device, extension, machine, sql_extension
from tests.coverage.worlds import cluster_worlds, estates

type NamedDocument = tuple[str | None, Any]
"""A document, and the name that is given before it."""

type Question = Sequence[Sequence[object]]
"""The answers to one question, each of one document or of several that agree."""

EMPTY_LIST = {"apiVersion": "v1", "kind": "List", "items": []}
HEALTH = {"healthy": True, "licensed": True, "orgId": "aaaa", "realTimeProtectionEnabled": {"value": True}}
REGISTRY = resource(
    f"{az.GROUP}/Microsoft.ContainerRegistry/registries/images", "Microsoft.ContainerRegistry/registries"
)
ACCOUNT = resource(f"{az.GROUP}/Microsoft.Storage/storageAccounts/files", "Microsoft.Storage/storageAccounts")
AKS_PROFILE, CONTAINERS = "56a83a6e-c417-42ec-b567-1e6fcb3d09a9", "e599a9fe-30e3-47c6-a173-8b4b6d9d3255"
SCANS, MALWARE = "ContainerRegistriesVulnerabilityAssessments", "OnUploadMalwareScanning"


OF_SUBSCRIPTION = f"/subscriptions/{SUBSCRIPTION}"
OLD = {"seen": ago(days=9)}

MANIFESTS: Sequence[CoverageManifest] = (
    NO_MANIFEST,
    CoverageManifest(
        expectations=(Expectation(rungs=frozenset(Rung), extensions=frozenset({MALWARE, SCANS}), number=1),),
        export=ExpectedExport(alerts=az.HUB),
        expects_posture=True,
        is_given=True,
    ),
    CoverageManifest(
        expectations=(Expectation(plans={"VirtualMachines": "P2", "Containers": None}, number=1),), is_given=True
    ),
)


def one_of(*documents: object) -> Question:
    """A question that one of these documents answers."""
    return [[one] for one in documents]


_HEALTHY, _INSTALLED = all_healthy(), assessment(EDR_INSTALLED)
_ILL = assessment(EDR_RUNNING[0], "Unhealthy")
_NOT_INSTALLED = assessment(EDR_INSTALLED, "Unhealthy")
_WATCHED = kept.heard(CoverageSourceKind.WORKLOAD, MACHINE, real_alert=ago(days=2))
_BY_SENSOR = [{"at": ago(days=2), "type": "VM_Eicar"}]
_INSTANCE = f"{vm.SET}/virtualMachines/0"
_SQL_OF_ARC = vm.arc_sql("Protected", at=ago(hours=1)), assessment("f00d", title=SQL_PROTECTED, of=vm.ARC_SQL)

MACHINES: Sequence[Question] = (
    one_of(
        *(machine(**one) for one in ({}, {"tags": vm.EXCLUDED}, {"timeCreated": ago(hours=1)})),
        machine(power="deallocated"),
    ),
    one_of(extension(), extension("Failed"), vm.joined(None, None), vm.joined("MDE.Linux", "Creating")),
    one_of(
        *(_INSTALLED, _NOT_INSTALLED, assessment(EDR_INSTALLED, "NotApplicable", cause="Exempt")),
        *(kept.said(_INSTALLED), kept.said(_INSTALLED, **OLD), kept.said(_NOT_INSTALLED, **OLD)),
    ),
    (
        *one_of(HEALTH, device(), _HEALTHY, {**HEALTH, "healthy": False}, device(healthStatus="Inactive")),
        *one_of(
            device(seen=ago(days=30)), _ILL, kept.said(*_HEALTHY), kept.said(*_HEALTHY, **OLD), kept.said(_ILL, **OLD)
        ),
        *([HEALTH, device(), _HEALTHY], [kept.said(*_HEALTHY), HEALTH]),
    ),
    one_of(
        *(vm.POSTURE, pricing("FoundationalCspm", "Free")), *(kept.heard(healthy=ago(days=days)) for days in (2, 9, -2))
    ),
    one_of({**_WATCHED, "by_watcher": _BY_SENSOR}, _WATCHED, [alert(MACHINE)]),
    one_of(vm.arc_machine(), vm.arc_machine("Disconnected"), vm.arc_machine("Expired")),
    one_of(extension(of=ARC, type="MDE.Windows"), vm.joined(None, None, of=ARC)),
    one_of(assessment(EDR_INSTALLED, of=ARC), all_healthy(ARC)),
    one_of(vm.scale_set("Uniform")),
    one_of(device(_INSTANCE), device(_INSTANCE, healthStatus="Inactive")),
    one_of(vm.sql_machine()),
    one_of(sql_extension(), sql_extension("Failed")),
    one_of(assessment("f00d", title=SQL_PROTECTED, of=vm.SQL), assessment("f00d", "Unhealthy", title=SQL_PROTECTED)),
    one_of(sql_extension(of=ARC)),
    (*one_of(*_SQL_OF_ARC, vm.arc_sql("Unprotected")), _SQL_OF_ARC),
)


def _connector_to(cloud: str, name: str, account: str, *more: str) -> Any:
    """A connector whose plans for servers and containers bring what they can, with more plans."""
    suffix = cloud.capitalize()
    brought = {"enableDefenderAgentAutoProvisioning": True, "enableAuditLogsAutoProvisioning": True}
    on = {"enabled": True}
    servers = az.offering(f"DefenderForServers{suffix}", subPlan="P2", mdeAutoProvisioning=on, arcAutoProvisioning=on)
    plans = [servers, az.offering(f"DefenderForContainers{suffix}", **brought)]
    plans += [az.offering(f"{plan}{suffix}") for plan in more]
    return az.connector(*plans, cloud=cloud, name=name, account=account)


FULL_CONNECTOR = _connector_to("AWS", "shop", "123456789012")
SILENT_CONNECTOR = {
    **FULL_CONNECTOR,
    "properties": {"environmentName": "AWS", "hierarchyIdentifier": "123456789012", "environmentData": {}},
}
"""What a query projects that left the offerings out."""

_NO_LINUX = security_setting("WDATP_EXCLUDE_LINUX_PUBLIC_PREVIEW")
_OF_SUBSCRIPTION = assessment(CONTAINERS, of=OF_SUBSCRIPTION)
_OF_PROFILE = assessment(AKS_PROFILE, of=CLUSTER)
_SCANNING = [az.extension_of_plan(SCANS), az.extension_of_plan("ContainerSensor", enabled="False")]

ESTATES: Sequence[Question] = (
    # A whole list without the setting says that it is off, so an answer that says it is on contradicts the list.
    (
        *one_of(security_setting(), [security_setting(), security_setting("WDATP_UNIFIED_SOLUTION")], _NO_LINUX),
        [security_setting(), _NO_LINUX],
    ),
    one_of(pricing("VirtualMachines", subPlan="P2"), pricing("VirtualMachines", "Free")),
    one_of(
        *(pricing("Containers", extensions=_SCANNING), pricing("Containers", "Free"), kept.said(_OF_SUBSCRIPTION)),
        kept.said(assessment(CONTAINERS, "Unhealthy", of=OF_SUBSCRIPTION), **OLD),
    ),
    one_of(pricing("Containers", "Free", scope=str(REGISTRY["id"]))),
    one_of(pricing("StorageAccounts", extensions=[az.extension_of_plan(MALWARE)])),
    *(one_of(REGISTRY), one_of(ACCOUNT)),
    one_of(az.types("microsoft.containerregistry/registries", "microsoft.web/sites"), az.types()),
    one_of({"value": [pricing("KeyVaults", "Free"), pricing("Api"), pricing("CosmosDbs", "Free")]}),
    one_of(
        az.managed_cluster(),
        az.managed_cluster(has_sensor=False, tags={"ms_defender_container_exclude_sensors": "true"}),
        *(kept.said(_OF_PROFILE), kept.said(_OF_PROFILE, **OLD)),
        kept.said(assessment(AKS_PROFILE, "Unhealthy", of=CLUSTER)),
    ),
    (
        *one_of(kept.drill(), kept.drill("failed"), kept.drill("not proven"), kept.drill(ended=ago(days=31))),
        [kept.drill(bundle="KeyVaults"), kept.drill()],
    ),
    one_of(az.connected_cluster(), az.connected_cluster(connectivity="Offline")),
    one_of(
        az.cluster_extension(),
        az.cluster_extension(state="Pending"),
        [az.cluster_extension("microsoft.policyinsights")],
    ),
    one_of(az.eks_cluster("audit", "authenticator"), az.eks_cluster("audit")),
    one_of(az.gke_cluster(autopilot={"enabled": True}), az.gke_cluster()),
    one_of([az.last_row(CLUSTER, hours=2)], [az.last_row(CLUSTER, days=9)]),
    one_of(
        *(
            az.connector(*map(az.offering, plans))
            for plans in (
                ("DefenderForServersAws", "DefenderForDatabasesAws"),
                ("DefenderForContainersAws", "CspmMonitorAws"),
            )
        ),
        FULL_CONNECTOR,
        SILENT_CONNECTOR,
    ),
    one_of(_connector_to("GCP", "carts", "42")),
)

_TEAM = {"key": "team", "operator": "DoesNotExist"}
_NOT_SHOP = {"key": "team", "operator": "NotIn", "values": ["shop"]}
_OF_IMAGES = k8s.a_slice(True, service=k8s.IMAGE, namespace=k8s.MDC)
_PAY = k8s.a_namespace("pay", {"team": "pay"})

GATES: Sequence[Question] = (
    one_of(
        *(k8s.a_webhook(), k8s.a_webhook(rules=[])),
        k8s.a_webhook(namespaceSelector={"matchExpressions": [_TEAM]}),
        k8s.a_webhook(objectSelector={"matchExpressions": [_NOT_SHOP]}),
        k8s.a_webhook(matchConditions=[{"name": "some", "expression": "request.namespace != 'pay'"}]),
    ),
    one_of(kubectl(*k8s.NAMESPACES), _PAY, kubectl(*k8s.NAMESPACES, _PAY)),
    one_of(k8s.no_config(), k8s.a_config("pay"), kubectl(k8s.a_config("shop"))),
    one_of(k8s.a_service(), kubectl(k8s.a_service(), k8s.a_service("other"))),
    one_of(k8s.a_slice(True), k8s.a_slice(False), kubectl(k8s.a_slice(True), _OF_IMAGES)),
    ([k8s.a_service(k8s.IMAGE, namespace=k8s.MDC), _OF_IMAGES],),
    *(one_of(k8s.a_pod(one), k8s.a_pod(one, is_ready=False)) for one in (k8s.MANAGER, k8s.AUDIT)),
    *(one_of(k8s.a_constraint(one, name=one)) for one in ("deny", "dryrun", "warn")),
    one_of(k8s.a_constraint("deny", name="narrow", match={"excludedNamespaces": ["pay"]})),
    one_of(k8s.an_image_webhook(), k8s.an_image_webhook(namespace="kube-system")),
    one_of(*(k8s.a_pod(k8s.IMAGE, namespace=k8s.MDC, is_ready=one) for one in (True, False))),
    one_of(k8s.an_artifact_policy("audit"), k8s.an_artifact_policy("deny")),
    one_of(k8s.a_policy(), k8s.a_policy(rules=[])),
    one_of(k8s.a_binding("Audit"), k8s.a_binding("Deny"), k8s.a_binding()),
    ([k8s.a_pod("web", namespace="shop"), k8s.a_webhook("aks-node.azmk8s.io", configuration="aks-node")],),
    ([k8s.a_policy("aks-managed-endpoints"), k8s.a_binding("Deny", name="aks-managed-endpoints")],),
    one_of(EMPTY_LIST),
)

CLUSTERS = {"edge": az.sensor(namespace="mdc"), "payments": az.sensor(), "checkout": az.sensor(namespace="mdc")}


def answers(questions: Sequence[Question], *, most: int = 8) -> st.SearchStrategy[list[Any]]:
    """The documents that answer some of the questions."""
    some = st.lists(st.sampled_from(range(len(questions))), max_size=most, unique=True)
    chosen = some.flatmap(
        lambda numbers: st.tuples(*(st.sampled_from(questions[number]) for number in sorted(numbers)))
    )
    return chosen.map(lambda said: [one for documents in said for one in documents])


@st.composite
def exports(draw: st.DrawFn) -> list[Any]:
    """Exports, suppression rules and alerts of a subscription: whole lists, pages, single answers and parts of them."""
    found: list[Any] = []
    for name in draw(st.sets(st.sampled_from(["first", "second"]), max_size=2)):
        hub = draw(st.sampled_from([az.HUB, az.HUB, az.HUB, f"{az.HUB}-2", None]))
        rule_sets = draw(
            st.sampled_from([[], [[az.only("High")]], [[az.only("Low")], [az.only("i", operator="Contains")]]])
        )
        whole = az.automation(name, hub=hub, rule_sets=rule_sets, isEnabled=draw(st.sampled_from([True, True, False])))
        left = draw(st.sets(st.sampled_from(["isEnabled", "scopes", "sources", "actions"]), max_size=2))
        properties: Any = whole["properties"]
        part = {**whole, "properties": {key: value for key, value in properties.items() if key not in left}}
        found += [draw(st.sampled_from([whole, [whole]])), [part]]
    ends = st.sampled_from(["2026-12-24T00:00:00Z", "2026-12-24T00:00:00Z", "2020-01-01T00:00:00Z", None])
    states = st.sampled_from(["Enabled", "Disabled", "?"])
    rules = [
        az.suppression_rule(name, expirationDateUTC=draw(ends), state=draw(states))
        for name in draw(st.sets(st.sampled_from(["noisy", "old"]), max_size=2))
    ]
    if draw(st.booleans()):
        found.append(
            {"id": f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Security/alertsSuppressionRules", "value": rules}
        )
    found += [{"value": [rule], "nextLink": "more"} for rule in rules if draw(st.booleans())]
    types = st.sampled_from(["K8S.NODE_EICAR", "K8S_X", "SIMULATED_K8S.NODE_EICAR"])
    for about in draw(st.sets(st.sampled_from([CLUSTER, CLUSTER.upper(), f"{CLUSTER}-2"]), max_size=2)):
        found.append([alert(about, type=draw(types))])
    return found


@st.composite
def document_sets(draw: st.DrawFn) -> list[NamedDocument]:
    """Documents of several kinds, in any order."""
    found: list[NamedDocument] = []
    match draw(st.sampled_from(["estates", "plans", "cluster", "gates", "nothing"])):
        case "estates":
            found += [(None, one) for one in draw(answers(ESTATES))]
            names = draw(st.sets(st.sampled_from(sorted(CLUSTERS)), max_size=2))
            found += [(name, kubectl(*CLUSTERS[name])) for name in sorted(names)]
        case "plans":
            every = draw(estates()).documents()
            found += [(None, every[name]) for name in sorted(draw(st.sets(st.sampled_from(sorted(every)), max_size=6)))]
        case "cluster":
            found += [("payments", one) for one in draw(cluster_worlds()).documents.values()]
            found += [("payments", one) for one in draw(answers(GATES, most=3))]
            found += [(None, az.managed_cluster())] if draw(st.booleans()) else []
        case "gates":
            found += [("payments", _listed(one)) for one in draw(answers(GATES))]
            found += [(None, az.managed_cluster())] if draw(st.booleans()) else []
    match draw(st.sampled_from(["machines", "machines", "exports", "nothing"])):
        case "machines":
            found += [("web-1" if "healthy" in one else None, one) for one in draw(answers(MACHINES, most=5))]
        case "exports":
            found += [(None, one) for one in draw(exports())]
    return draw(st.permutations(found))


def _listed(one: Any) -> Any:
    """What `kubectl get KIND -A` prints where there is that one."""
    return one if one == EMPTY_LIST else kubectl(one)


_PROVIDERS = {
    "Microsoft.Sql/servers": az.SQL_SERVER,
    "Microsoft.DocumentDB/databaseAccounts": az.COSMOS_DB,
    "Microsoft.DBforPostgreSQL/flexibleServers": f"{az.GROUP}/Microsoft.DBforPostgreSQL/flexibleServers/orders",
}
_DATABASES = [resource(id, type) for type, id in _PROVIDERS.items()]
_PLANS = (
    *("VirtualMachines", "Containers", "SqlServers", "SqlServerVirtualMachines", "OpenSourceRelationalDatabases"),
    *("CosmosDbs", "StorageAccounts", "KeyVaults", "Arm", "AppServices", "Api", "AI", "FoundationalCspm"),
)
_SUB_PLANS = {"VirtualMachines": {"subPlan": "P2"}, "StorageAccounts": {"subPlan": "DefenderForStorageV2"}}
_ON: dict[str, Any] = {
    "extensions": [az.extension_of_plan(name) for name in (SCANS, MALWARE, "ContainerSensor")],
    "resourcesCoverageStatus": "FullyCovered",
}
_ALERTS_ABOUT = (MACHINE, OF_SUBSCRIPTION, *(str(one["id"]) for one in (REGISTRY, ACCOUNT, *_DATABASES)))
_OF_AZURE: Sequence[object] = (
    {"value": [pricing(name, **_ON, **_SUB_PLANS.get(name, {})) for name in _PLANS]},
    [security_setting(), security_setting("WDATP_EXCLUDE_LINUX_PUBLIC_PREVIEW", enabled=False)],
    *(az.managed_cluster(), machine(), REGISTRY, ACCOUNT, *_DATABASES),
    *(extension(), all_healthy(), vm.sql_machine(), sql_extension()),
    assessment("f00d", title=SQL_PROTECTED, of=vm.SQL),
    *(
        _connector_to(*one, "DefenderForDatabases", "CspmMonitor")
        for one in (("AWS", "shop", "123456789012"), ("GCP", "carts", "42"))
    ),
    *([az.automation()], [az.suppression_rule()], [az.last_row(CLUSTER, hours=2)], kept.drill()),
    *([alert(CLUSTER, type="K8S.NODE_EICAR")], [alert(vm.SQL, type="SQL.VM_BruteForce")]),
    *([alert(id)] for id in _ALERTS_ABOUT),
)

EVERYTHING: Sequence[NamedDocument] = (
    *((None, one) for one in _OF_AZURE),
    ("web-1", HEALTH),
    ("payments", kubectl(*az.sensor(), *az.nodes())),
    ("payments", kubectl(*k8s.whole_gatekeeper("deny"))),
)
"""Documents of an estate in which everything is as it should be."""

NOTHING_JUDGED: Sequence[Any] = (
    {"hello": ["world"]},
    {"message": "nothing", "cluster": 3, "selfLink": []},
    [],
    {"value": []},
    {"id": "/subscriptions/s/providers/Microsoft.Security/contacts", "value": []},
    {"value": [{"id": "/x", "type": "Microsoft.Security/automation", "properties": {"isEnabled": False}}]},
    [{"resourceId": MACHINE, "cost": 1}],
    resource(f"{MACHINE}-disk", "Microsoft.Compute/disks"),
    resource("/subscriptions/s/providers/Microsoft.Network/virtualNetworks/n", "microsoft.network/virtualnetworks"),
    assessment("1195afff-c881-495e-9bc5-1486211ae03f", "Unhealthy"),
    assessment(
        "06e3a6db-6c0c-4ad9-943f-31d9d73ecf6c", of="/subscriptions/s/resourceGroups/r/providers/Microsoft.Web/sites/a"
    ),
    {"healthy": True, "name": "a probe of another product"},
    security_setting(enabled=False, subscription="22222222-2222-2222-2222-222222222222"),
    [alert(f"{CLUSTER}-3", type="K8S.NODE_EICAR")],
    {"cluster": {"arn": "arn:aws:ecs:eu-west-1:1:cluster/tasks"}},
    {"selfLink": "https://compute.googleapis.com/compute/v1/projects/p/zones/z/instances/i", "name": "i"},
    az.connector(az.offering("CspmMonitorGithub"), cloud="GitHub"),
    kept.said(assessment("1195afff-c881-495e-9bc5-1486211ae03f", of=f"/subscriptions/{SUBSCRIPTION}")),
    kept.heard(subject="22222222-2222-2222-2222-222222222222", healthy=ago(days=1), posture=ago(days=1)),
    kept.heard(CoverageSourceKind.OWNER, "payments@contoso.example", alert=ago(days=1), real_alert=ago(days=1)),
    kept.heard(CoverageSourceKind.PLAN, SUBSCRIPTION, plan="Containers", healthy=ago(days=1)),
    kept.heard(
        CoverageSourceKind.WORKLOAD,
        f"{MACHINE}-7",
        real_alert=ago(days=1),
        by_watcher=[{"at": ago(days=1), "type": "VM_Eicar"}],
    ),
    [az.last_row(f"{CLUSTER}-7", hours=1)],
    {"alertRouter": "source", "kind": "moon", "subject": "x"},
    {"alertRouter": "drill", "verdict": "failed"},
    {"alertRouter": "something that a later version writes"},
)
"""Documents that say nothing of any workload that is judged."""

OTHERS_OF_THE_CLUSTER: Sequence[Any] = (
    {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": "kube-system"}},
    {"apiVersion": "metrics.k8s.io/v1beta1", "kind": "NodeMetrics", "metadata": {"name": "node-0"}},
    {"apiVersion": "example.com/v1", "kind": "Thing"},
    pod("node-0", "web", namespace="shop", is_ready=False),
    pod("node-9", "web", is_ready=False),
    az.daemon_set("kube-proxy", image="proxy", ready=0),
)
"""Objects of the same cluster that are nothing of Defender's. A list of them says what is not there, which is another thing."""

OTHER_WORKLOADS: Sequence[Any] = (
    {"value": [pricing("VirtualMachines", "Free", scope="/subscriptions/22222222-2222-2222-2222-222222222222")]},
    pricing("VirtualMachines", "Free", scope=MACHINE.replace("web-1", "web-9")),
    extension("Failed", of=MACHINE.replace("web-1", "web-9")),
    az.setting(az.STORAGE.replace("uploads", "others"), "defenderForStorageSettings", isEnabled=False),
    kept.drill("failed", subscription="22222222-2222-2222-2222-222222222222"),
)
"""Documents about another workload, which is judged beside the others."""
