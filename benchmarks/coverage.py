"""What the gate takes for 5,000 workloads, from the files that az and kubectl print of them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median
from subprocess import DEVNULL, Popen
from tempfile import TemporaryDirectory
from uuid import UUID

from benchmarks.table import Row

RUNS = 3

SUBSCRIPTIONS, MACHINES, CLUSTERS, STORAGE_ACCOUNTS, REGISTRIES = 100, 3_500, 500, 600, 300
NODES, OTHER_PODS = 10, 60
"""Of each cluster. Whoever asks for the pods of all namespaces gets those of everybody."""

type Json = Mapping[str, object]


def measure() -> Iterator[Row]:
    """The rows about coverage."""
    workloads = SUBSCRIPTIONS + MACHINES + CLUSTERS + STORAGE_ACCOUNTS + REGISTRIES
    with TemporaryDirectory() as directory:
        arguments, size = write_documents(Path(directory))
        runs = [_run(arguments, Path(directory)) for _ in range(RUNS)]
    seconds, memory = median(one[0] for one in runs), max(one[1] for one in runs)
    seen = f"{workloads:,} workloads in {len(arguments)} files of {size / 1e6:,.0f} MB; whole processes"
    yield Row(what="coverage of 5,000 workloads: CPU", measured=seconds, limit=10, unit="s", seen=seen)
    yield Row(what="coverage of 5,000 workloads: memory at its peak", measured=memory / 1e6, limit=500, unit="MB")


def write_documents(directory: Path) -> tuple[list[str], int]:
    """Writes the files, and gives the arguments that name them, and how many bytes they have."""
    subscriptions = [str(UUID(int=number)) for number in range(1, SUBSCRIPTIONS + 1)]
    machines = [
        _resource(subscriptions[n % SUBSCRIPTIONS], "Microsoft.Compute/virtualMachines", f"vm-{n}", _MACHINE)
        for n in range(MACHINES)
    ]
    clusters = [
        _resource(subscriptions[n % SUBSCRIPTIONS], "Microsoft.ContainerService/managedClusters", f"aks-{n}", _CLUSTER)
        for n in range(CLUSTERS)
    ]
    others = [
        _resource(subscriptions[n % SUBSCRIPTIONS], type, f"{name}{n}", {})
        for type, name, many in (
            ("Microsoft.Storage/storageAccounts", "st", STORAGE_ACCOUNTS),
            ("Microsoft.ContainerRegistry/registries", "acr", REGISTRIES),
        )
        for n in range(many)
    ]
    answers = {
        "pricings.json": [_pricing(one, plan) for one in subscriptions for plan in _PLANS],
        "settings.json": [_setting(one, name) for one in subscriptions for name in ("WDATP", "MCAS", "Sentinel")],
        "machines.json": machines,
        "extensions.json": [_extension(one) for one in machines],
        "clusters.json": clusters,
        "others.json": others,
    }
    for name, rows in answers.items():
        (directory / name).write_text(json.dumps({"value": rows}))
    arguments = [str(directory / name) for name in answers]
    for cluster in clusters:
        file = directory / f"{cluster['name']}.json"
        file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": list(_objects())}))
        arguments.append(f"{cluster['id']}={file}")
    return arguments, sum(file.stat().st_size for file in directory.iterdir())


def _run(arguments: list[str], directory: Path) -> tuple[float, int]:
    """The CPU seconds that a check takes from its start to its end, and the bytes that it holds at most."""
    command = [sys.executable, "-m", "router", "coverage", "check", "--rules", str(directory), "--format", "json"]
    process = Popen([*command, *arguments], stdout=DEVNULL)
    _, _, usage = os.wait4(process.pid, 0)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


_PLANS = ("VirtualMachines", "Containers", "StorageAccounts", "SqlServers", "KeyVaults", "Arm", "FoundationalCspm")
_MACHINE = {"storageProfile": {"osDisk": {"osType": "Linux"}}, "provisioningState": "Succeeded"}
_CLUSTER = {
    "provisioningState": "Succeeded",
    "powerState": {"code": "Running"},
    "securityProfile": {"defender": {"securityMonitoring": {"enabled": True}}},
    "addonProfiles": {"azurepolicy": {"enabled": True}},
}


def _resource(subscription: str, type: str, name: str, properties: Json) -> dict[str, object]:
    id = f"/subscriptions/{subscription}/resourceGroups/rg/providers/{type}/{name}"
    return {"id": id, "name": name, "type": type, "tags": {"team": "one"}, "properties": properties}


def _pricing(subscription: str, plan: str) -> Json:
    properties = {"pricingTier": "Standard", "subPlan": "P2", "resourcesCoverageStatus": "FullyCovered"}
    extension = {"name": "ContainerRegistriesVulnerabilityAssessments", "isEnabled": "True"}
    id = f"/subscriptions/{subscription}/providers/Microsoft.Security/pricings/{plan}"
    return {
        "id": id, "name": plan, "type": "Microsoft.Security/pricings", "properties": {**properties, "extensions": [extension]},
    }  # fmt: skip


def _setting(subscription: str, name: str) -> Json:
    id = f"/subscriptions/{subscription}/providers/Microsoft.Security/settings/{name}"
    return {"id": id, "name": name, "type": "Microsoft.Security/settings", "properties": {"enabled": True}}


def _extension(machine: Json) -> Json:
    properties = {
        "publisher": "Microsoft.Azure.AzureDefenderForServers",
        "type": "MDE.Linux",
        "provisioningState": "Succeeded",
    }
    type = "Microsoft.Compute/virtualMachines/extensions"
    return {"id": f"{machine['id']}/extensions/MDE.Linux", "name": "MDE.Linux", "type": type, "properties": properties}


def _objects() -> Iterator[Json]:
    """What kubectl prints of a cluster."""
    for number in range(NODES):
        info = {"operatingSystem": "linux", "kernelVersion": "5.15.0-1091-azure", "osImage": "Ubuntu 22.04.5 LTS"}
        status = {"conditions": [{"type": "Ready", "status": "True"}], "nodeInfo": info}
        labels = {"kubernetes.io/os": "linux"}
        yield _object("v1", "Node", f"node-{number}", "", {}, status, labels)
    for name, image in (("collector", "pod-collector:1.0.71"), ("publisher", "security-publisher:1.0.67")):
        full = f"microsoft-defender-{name}-ds"
        container = {"name": "main", "image": f"mcr.microsoft.com/azuredefender/stable/{image}"}
        counts = ("desiredNumberScheduled", "currentNumberScheduled", "numberReady")
        scheduled: Json = {**dict.fromkeys(counts, NODES), "numberMisscheduled": 0, "observedGeneration": 1}
        spec = {"selector": {"matchLabels": {"dsName": full}}, "template": {"spec": {"containers": [container]}}}
        yield _object("apps/v1", "DaemonSet", full, "kube-system", spec, scheduled, {})
        for number in range(NODES):
            yield _pod(f"{full}-{number}", "kube-system", number, container, full)
    for number in range(OTHER_PODS):
        app: Json = {
            "name": "app",
            "image": "registry.example/app:1",
            "env": [{"name": "X" * 40, "value": "y" * 40}] * 20,
        }
        yield _pod(f"app-{number}", "shop", number % NODES, app, "app")


def _pod(name: str, namespace: str, node: int, container: Json, owner: str) -> Json:
    ready = {"name": container["name"], "ready": True, "restartCount": 0, "state": {"running": {}}}
    metadata = {
        "name": name,
        "namespace": namespace,
        "labels": {"dsName": owner},
        "ownerReferences": [{"apiVersion": "apps/v1", "kind": "DaemonSet", "name": owner}],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"nodeName": f"node-{node}", "containers": [container]},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [ready],
        },
    }


def _object(version: str, kind: str, name: str, namespace: str, spec: Json, status: Json, labels: Json) -> Json:
    metadata = {"name": name, "labels": labels, "generation": 1} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec, "status": status}
