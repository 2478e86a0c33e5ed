"""What people may have at hand: documents of every kind that are true at one time, so that no two contradict each other.

Each kind of question has several answers, of which at most one is true. Where two documents say different things of the same
field of the same object, the worse one counts, and to take it away may cover: that is the one exception of the gate's first
promise, and each judge's own tests show it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from router.coverage.expected.manifest import NO_MANIFEST, CoverageManifest, Expectation, ExpectedExport
from router.domain.coverage import Rung
from router.domain.coverage_sources import CoverageSourceKind
from router.domain.recommendations import EDR_INSTALLED, EDR_RUNNING, SQL_PROTECTED
from tests.coverage.admission_builders import (
    AUDIT,
    IMAGE,
    MANAGER,
    MDC,
    NAMESPACES,
    a_binding,
    a_config,
    a_constraint,
    a_namespace,
    a_pod,
    a_policy,
    a_service,
    a_slice,
    a_webhook,
    an_artifact_policy,
    an_image_webhook,
    no_config,
    whole_gatekeeper,
)
from tests.coverage.builders import (
    CLUSTER,
    COSMOS_DB,
    HUB,
    MACHINE,
    SQL_SERVER,
    SUBSCRIPTION,
    alert,
    automation,
    cluster_extension,
    connected_cluster,
    connector,
    eks_cluster,
    extension_of_plan,
    gke_cluster,
    kubectl,
    last_row,
    managed_cluster,
    nodes,
    offering,
    only,
    pricing,
    resource,
    security_setting,
    sensor,
    suppression_rule,
)
from tests.coverage.estates import estates
from tests.coverage.machine_builders import (
    ARC,
    ARC_SQL,
    EXCLUDED,
    POSTURE,
    SET,
    SQL,
    ago,
    all_healthy,
    arc_machine,
    arc_sql,
    assessment,
    device,
    extension,
    joined,
    machine,
    scale_set,
    sql_extension,
    sql_machine,
)
from tests.coverage.stored_builders import drill, heard, said
from tests.coverage.worlds import cluster_worlds

type NamedDocument = tuple[str | None, Any]
"""A document, and the name that is given before it."""

type Question = Sequence[Sequence[object]]
"""The answers to one question, each of one document or of several that agree."""

EMPTY_LIST = {"apiVersion": "v1", "kind": "List", "items": []}
HEALTH = {"healthy": True, "licensed": True, "orgId": "aaaa", "realTimeProtectionEnabled": {"value": True}}
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers"
REGISTRY = resource(f"{GROUP}/Microsoft.ContainerRegistry/registries/images", "Microsoft.ContainerRegistry/registries")
ACCOUNT = resource(f"{GROUP}/Microsoft.Storage/storageAccounts/files", "Microsoft.Storage/storageAccounts")
AKS_PROFILE, CONTAINERS = "56a83a6e-c417-42ec-b567-1e6fcb3d09a9", "e599a9fe-30e3-47c6-a173-8b4b6d9d3255"
SCANS, MALWARE = "ContainerRegistriesVulnerabilityAssessments", "OnUploadMalwareScanning"


def resource_types(*some: str) -> Any:
    """Which types of resources the subscription has."""
    return {"id": f"/subscriptions/{SUBSCRIPTION}", "subscriptionId": SUBSCRIPTION, "resourceTypes": list(some)}


MANIFESTS: Sequence[CoverageManifest] = (
    NO_MANIFEST,
    CoverageManifest(
        expectations=(Expectation(rungs=frozenset(Rung), extensions=frozenset({MALWARE, SCANS}), number=1),),
        export=ExpectedExport(alerts=HUB),
        expects_posture=True,
        is_given=True,
    ),
    CoverageManifest(
        expectations=(Expectation(plans={"VirtualMachines": "P2", "Containers": None}, number=1),), is_given=True
    ),
)

MACHINES: Sequence[Question] = (
    ([machine()], [machine(tags=EXCLUDED)], [machine(power="deallocated")], [machine(timeCreated=ago(hours=1))]),
    ([extension()], [extension("Failed")], [joined(None, None)], [joined("MDE.Linux", "Creating")]),
    (
        [assessment(EDR_INSTALLED)],
        [assessment(EDR_INSTALLED, "Unhealthy")],
        [assessment(EDR_INSTALLED, "NotApplicable", cause="Exempt")],
        [said(assessment(EDR_INSTALLED))],
        [said(assessment(EDR_INSTALLED), seen=ago(days=9))],
        [said(assessment(EDR_INSTALLED, "Unhealthy"), seen=ago(days=9))],
    ),
    (
        [HEALTH],
        [device()],
        [all_healthy()],
        [HEALTH, device(), all_healthy()],
        [{**HEALTH, "healthy": False}],
        [device(healthStatus="Inactive")],
        [device(seen=ago(days=30))],
        [assessment(EDR_RUNNING[0], "Unhealthy")],
        [said(*all_healthy())],
        [said(*all_healthy()), HEALTH],
        [said(*all_healthy(), seen=ago(days=9))],
        [said(assessment(EDR_RUNNING[0], "Unhealthy"), seen=ago(days=9))],
    ),
    (
        [POSTURE],
        [pricing("FoundationalCspm", "Free")],
        [heard(healthy=ago(days=2))],
        [heard(healthy=ago(days=9))],
        [heard(healthy=ago(days=-2))],
    ),
    (
        [
            heard(
                CoverageSourceKind.WORKLOAD,
                MACHINE,
                real_alert=ago(days=2),
                by_watcher=[{"at": ago(days=2), "type": "VM_Eicar"}],
            )
        ],
        [heard(CoverageSourceKind.WORKLOAD, MACHINE, real_alert=ago(days=2))],
        [[alert(MACHINE)]],
    ),
    ([arc_machine()], [arc_machine("Disconnected")], [arc_machine("Expired")]),
    ([extension(of=ARC, type="MDE.Windows")], [joined(None, None, of=ARC)]),
    ([assessment(EDR_INSTALLED, of=ARC)], [all_healthy(ARC)]),
    ([scale_set("Uniform")],),
    ([device(f"{SET}/virtualMachines/0")], [device(f"{SET}/virtualMachines/0", healthStatus="Inactive")]),
    ([sql_machine()],),
    ([sql_extension()], [sql_extension("Failed")]),
    (
        [assessment("f00d", title=SQL_PROTECTED, of=SQL)],
        [assessment("f00d", "Unhealthy", title=SQL_PROTECTED)],
    ),
    ([sql_extension(of=ARC)],),
    (
        [arc_sql("Protected", at=ago(hours=1))],
        [assessment("f00d", title=SQL_PROTECTED, of=ARC_SQL)],
        [arc_sql("Protected", at=ago(hours=1)), assessment("f00d", title=SQL_PROTECTED, of=ARC_SQL)],
        [arc_sql("Unprotected")],
    ),
)

FULL_CONNECTOR = connector(
    offering("DefenderForServersAws", subPlan="P2", mdeAutoProvisioning={"enabled": True}),
    offering(
        "DefenderForContainersAws", enableDefenderAgentAutoProvisioning=True, enableAuditLogsAutoProvisioning=True
    ),
)
SILENT_CONNECTOR = {
    **FULL_CONNECTOR,
    "properties": {"environmentName": "AWS", "hierarchyIdentifier": "123456789012", "environmentData": {}},
}
"""What a query projects that left the offerings out."""

ESTATES: Sequence[Question] = (
    # A whole list without the setting says that it is off, so an answer that says it is on contradicts the list.
    (
        [security_setting()],
        [[security_setting(), security_setting("WDATP_UNIFIED_SOLUTION")]],
        [security_setting(), security_setting("WDATP_EXCLUDE_LINUX_PUBLIC_PREVIEW")],
        [security_setting("WDATP_EXCLUDE_LINUX_PUBLIC_PREVIEW")],
    ),
    ([pricing("VirtualMachines", subPlan="P2")], [pricing("VirtualMachines", "Free")]),
    (
        [
            pricing(
                "Containers", extensions=[extension_of_plan(SCANS), extension_of_plan("ContainerSensor", enabled="False")]
            )
        ],
        [pricing("Containers", "Free")],
        [said(assessment(CONTAINERS, of=f"/subscriptions/{SUBSCRIPTION}"))],
        [said(assessment(CONTAINERS, "Unhealthy", of=f"/subscriptions/{SUBSCRIPTION}"), seen=ago(days=9))],
    ),
    ([pricing("Containers", "Free", scope=str(REGISTRY["id"]))],),
    ([pricing("StorageAccounts", extensions=[extension_of_plan(MALWARE)])],),
    ([REGISTRY],),
    ([ACCOUNT],),
    ([resource_types("microsoft.containerregistry/registries", "microsoft.web/sites")], [resource_types()]),
    ([{"value": [pricing("KeyVaults", "Free"), pricing("Api"), pricing("CosmosDbs", "Free")]}],),
    (
        [managed_cluster()],
        [managed_cluster(has_sensor=False, tags={"ms_defender_container_exclude_sensors": "true"})],
        [said(assessment(AKS_PROFILE, of=CLUSTER))],
        [said(assessment(AKS_PROFILE, of=CLUSTER), seen=ago(days=9))],
        [said(assessment(AKS_PROFILE, "Unhealthy", of=CLUSTER))],
    ),
    ([drill()], [drill("failed")], [drill("not proven")], [drill(ended=ago(days=31))], [drill(bundle="KeyVaults"), drill()]),
    ([connected_cluster()], [connected_cluster(connectivity="Offline")]),
    ([cluster_extension()], [cluster_extension(state="Pending")], [[cluster_extension("microsoft.policyinsights")]]),
    ([eks_cluster("audit", "authenticator")], [eks_cluster("audit")]),
    ([gke_cluster(autopilot={"enabled": True})], [gke_cluster()]),
    ([[last_row(CLUSTER, hours=2)], [last_row(CLUSTER, days=9)]]),
    (
        [connector(offering("DefenderForServersAws"), offering("DefenderForDatabasesAws"))],
        [connector(offering("DefenderForContainersAws"), offering("CspmMonitorAws"))],
        [FULL_CONNECTOR],
        [SILENT_CONNECTOR],
    ),
    ([connector(offering("DefenderForContainersGcp", enableDefenderAgentAutoProvisioning=True), cloud="GCP", account="42")],),
)  # fmt: skip

GATES: Sequence[Question] = (
    (
        [a_webhook()],
        [a_webhook(rules=[])],
        [a_webhook(namespaceSelector={"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]})],
        [a_webhook(objectSelector={"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["shop"]}]})],
        [a_webhook(matchConditions=[{"name": "some", "expression": "request.namespace != 'pay'"}])],
    ),
    (
        [kubectl(*NAMESPACES)],
        [a_namespace("pay", {"team": "pay"})],
        [kubectl(*NAMESPACES, a_namespace("pay", {"team": "pay"}))],
    ),
    ([no_config()], [a_config("pay")], [kubectl(a_config("shop"))]),
    ([a_service()], [kubectl(a_service(), a_service("other"))]),
    ([a_slice(True)], [a_slice(False)], [kubectl(a_slice(True), a_slice(True, service=IMAGE, namespace=MDC))]),
    ([a_service(IMAGE, namespace=MDC), a_slice(True, service=IMAGE, namespace=MDC)],),
    ([a_pod(MANAGER)], [a_pod(MANAGER, is_ready=False)]),
    ([a_pod(AUDIT)], [a_pod(AUDIT, is_ready=False)]),
    *(([a_constraint(one, name=one)],) for one in ("deny", "dryrun", "warn")),
    ([a_constraint("deny", name="narrow", match={"excludedNamespaces": ["pay"]})],),
    ([an_image_webhook()], [an_image_webhook(namespace="kube-system")]),
    ([a_pod(IMAGE, namespace=MDC)], [a_pod(IMAGE, namespace=MDC, is_ready=False)]),
    ([an_artifact_policy("audit")], [an_artifact_policy("deny")]),
    ([a_policy()], [a_policy(rules=[])]),
    ([a_binding("Audit")], [a_binding("Deny")], [a_binding()]),
    ([a_pod("web", namespace="shop"), a_webhook("aks-node.azmk8s.io", configuration="aks-node")],),
    ([a_policy("aks-managed-endpoints"), a_binding("Deny", name="aks-managed-endpoints")],),
    ([EMPTY_LIST],),
)

CLUSTERS = {"edge": sensor(namespace="mdc"), "payments": sensor(), "checkout": sensor(namespace="mdc")}


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
        hub = draw(st.sampled_from([HUB, HUB, HUB, f"{HUB}-2", None]))
        rule_sets = draw(st.sampled_from([[], [[only("High")]], [[only("Low")], [only("i", operator="Contains")]]]))
        whole = automation(name, hub=hub, rule_sets=rule_sets, isEnabled=draw(st.sampled_from([True, True, False])))
        left = draw(st.sets(st.sampled_from(["isEnabled", "scopes", "sources", "actions"]), max_size=2))
        properties: Any = whole["properties"]
        part = {**whole, "properties": {key: value for key, value in properties.items() if key not in left}}
        found += [draw(st.sampled_from([whole, [whole]])), [part]]
    ends = st.sampled_from(["2026-12-24T00:00:00Z", "2026-12-24T00:00:00Z", "2020-01-01T00:00:00Z", None])
    states = st.sampled_from(["Enabled", "Disabled", "?"])
    rules = [
        suppression_rule(name, expirationDateUTC=draw(ends), state=draw(states))
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
            found += [(None, managed_cluster())] if draw(st.booleans()) else []
        case "gates":
            found += [("payments", _listed(one)) for one in draw(answers(GATES))]
            found += [(None, managed_cluster())] if draw(st.booleans()) else []
    match draw(st.sampled_from(["machines", "machines", "exports", "nothing"])):
        case "machines":
            found += [("web-1" if "healthy" in one else None, one) for one in draw(answers(MACHINES, most=5))]
        case "exports":
            found += [(None, one) for one in draw(exports())]
    return draw(st.permutations(found))


def _listed(one: Any) -> Any:
    """What `kubectl get KIND -A` prints where there is that one."""
    return one if one == EMPTY_LIST else kubectl(one)


_SQL_SERVER = resource(SQL_SERVER, "Microsoft.Sql/servers")
_COSMOS_DB = resource(COSMOS_DB, "Microsoft.DocumentDB/databaseAccounts")
_POSTGRES = resource(
    f"{GROUP}/Microsoft.DBforPostgreSQL/flexibleServers/orders", "Microsoft.DBforPostgreSQL/flexibleServers"
)
_PLANS = (
    "VirtualMachines", "Containers", "SqlServers", "SqlServerVirtualMachines", "OpenSourceRelationalDatabases", "CosmosDbs",
    "StorageAccounts", "KeyVaults", "Arm", "AppServices", "Api", "AI", "FoundationalCspm",
)  # fmt: skip
_SUB_PLANS = {"VirtualMachines": {"subPlan": "P2"}, "StorageAccounts": {"subPlan": "DefenderForStorageV2"}}
_EXTENSIONS = [extension_of_plan(SCANS), extension_of_plan(MALWARE), extension_of_plan("ContainerSensor")]


def _connector_to(cloud: str, name: str, account: str) -> Any:
    suffix = cloud.capitalize()
    return connector(
        offering(
            f"DefenderForServers{suffix}", mdeAutoProvisioning={"enabled": True}, arcAutoProvisioning={"enabled": True}
        ),
        offering(
            f"DefenderForContainers{suffix}",
            enableDefenderAgentAutoProvisioning=True,
            enableAuditLogsAutoProvisioning=True,
        ),
        offering(f"DefenderForDatabases{suffix}"),
        offering(f"CspmMonitor{suffix}"),
        cloud=cloud,
        name=name,
        account=account,
    )


EVERYTHING: Sequence[NamedDocument] = (
    (
        None,
        {
            "value": [
                pricing(
                    name, extensions=_EXTENSIONS, resourcesCoverageStatus="FullyCovered", **_SUB_PLANS.get(name, {})
                )
                for name in _PLANS
            ]
        },
    ),
    (None, [security_setting(), security_setting("WDATP_EXCLUDE_LINUX_PUBLIC_PREVIEW", enabled=False)]),
    *((None, one) for one in (managed_cluster(), machine(), REGISTRY, ACCOUNT, _SQL_SERVER, _COSMOS_DB, _POSTGRES)),
    *((None, one) for one in (extension(), all_healthy(), sql_machine(), sql_extension())),
    (None, assessment("f00d", title=SQL_PROTECTED, of=SQL)),
    ("web-1", HEALTH),
    ("payments", kubectl(*sensor(), *nodes())),
    ("payments", kubectl(*whole_gatekeeper("deny"))),
    (None, _connector_to("AWS", "shop", "123456789012")),
    (None, _connector_to("GCP", "carts", "42")),
    (None, [automation()]),
    (None, [suppression_rule()]),
    (None, [last_row(CLUSTER, hours=2)]),
    (None, [alert(CLUSTER, type="K8S.NODE_EICAR")]),
    (None, [alert(SQL, type="SQL.VM_BruteForce")]),
    (None, drill()),
    *((None, [alert(id)]) for id in (MACHINE, SQL_SERVER, COSMOS_DB, f"/subscriptions/{SUBSCRIPTION}")),
    *((None, [alert(str(one["id"]))]) for one in (REGISTRY, ACCOUNT, _POSTGRES)),
)
"""Documents of an estate in which everything is as it should be."""
