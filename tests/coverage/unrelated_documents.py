"""Documents that have nothing to do with what is judged beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from router.domain.coverage_sources import CoverageSourceKind
from tests.coverage import builders as az
from tests.coverage.kubernetes_builders import pod
from tests.coverage.machine_builders import ago, assessment, extension
from tests.coverage.stored_builders import drill, heard, said

NOTHING_JUDGED: Sequence[Any] = (
    {"hello": ["world"]},
    {"message": "nothing", "cluster": 3, "selfLink": []},
    [],
    {"value": []},
    {"id": "/subscriptions/s/providers/Microsoft.Security/contacts", "value": []},
    {"value": [{"id": "/x", "type": "Microsoft.Security/automation", "properties": {"isEnabled": False}}]},
    [{"resourceId": az.MACHINE, "cost": 1}],
    az.resource(f"{az.MACHINE}-disk", "Microsoft.Compute/disks"),
    az.resource("/subscriptions/s/providers/Microsoft.Network/virtualNetworks/n", "microsoft.network/virtualnetworks"),
    assessment("1195afff-c881-495e-9bc5-1486211ae03f", "Unhealthy"),
    assessment(
        "06e3a6db-6c0c-4ad9-943f-31d9d73ecf6c", of="/subscriptions/s/resourceGroups/r/providers/Microsoft.Web/sites/a"
    ),
    {"healthy": True, "name": "a probe of another product"},
    az.security_setting(enabled=False, subscription="22222222-2222-2222-2222-222222222222"),
    [az.alert(f"{az.CLUSTER}-3", type="K8S.NODE_EICAR")],
    {"cluster": {"arn": "arn:aws:ecs:eu-west-1:1:cluster/tasks"}},
    {"selfLink": "https://compute.googleapis.com/compute/v1/projects/p/zones/z/instances/i", "name": "i"},
    az.connector(az.offering("CspmMonitorGithub"), cloud="GitHub"),
    said(assessment("1195afff-c881-495e-9bc5-1486211ae03f", of=f"/subscriptions/{az.SUBSCRIPTION}")),
    heard(subject="22222222-2222-2222-2222-222222222222", healthy=ago(days=1), posture=ago(days=1)),
    heard(CoverageSourceKind.OWNER, "payments@contoso.example", alert=ago(days=1), real_alert=ago(days=1)),
    heard(CoverageSourceKind.PLAN, az.SUBSCRIPTION, plan="Containers", healthy=ago(days=1)),
    heard(
        CoverageSourceKind.WORKLOAD,
        f"{az.MACHINE}-7",
        real_alert=ago(days=1),
        by_watcher=[{"at": ago(days=1), "type": "VM_Eicar"}],
    ),
    [az.last_row(f"{az.CLUSTER}-7", hours=1)],
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
    {"value": [az.pricing("VirtualMachines", "Free", scope="/subscriptions/22222222-2222-2222-2222-222222222222")]},
    az.pricing("VirtualMachines", "Free", scope=az.MACHINE.replace("web-1", "web-9")),
    extension("Failed", of=az.MACHINE.replace("web-1", "web-9")),
    az.setting(az.STORAGE.replace("uploads", "others"), "defenderForStorageSettings", isEnabled=False),
    drill("failed", subscription="22222222-2222-2222-2222-222222222222"),
)
"""Documents about another workload, which is judged beside the others."""
