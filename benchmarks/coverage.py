"""What the gate takes for 5,000 workloads, from the files that az and kubectl print of them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from subprocess import PIPE, run
from tempfile import TemporaryDirectory
from uuid import UUID

from benchmarks.checkouts import ROOT, Checkout
from benchmarks.table import Row
from tests.coverage.builders import Json, kubectl, managed_cluster, node, of_kind, pricing, resource, sensor
from tests.coverage.kubernetes_builders import pods
from tests.coverage.machine_builders import extension, machine

RUNS = 3
UNKNOWN = 2
"""How a check ends that finds workloads of which too little is known."""

SUBSCRIPTIONS, MACHINES, CLUSTERS, STORAGE_ACCOUNTS, REGISTRIES = 100, 3_500, 500, 600, 300
NODES, OTHER_PODS = 10, 60
"""Of each cluster: a list of the pods of all namespaces has those of others, too."""

_PLANS = ("VirtualMachines", "Containers", "StorageAccounts", "SqlServers", "KeyVaults", "Arm", "FoundationalCspm")


def measure(scale: float) -> Iterator[Row]:
    """The rows about coverage."""
    with TemporaryDirectory() as directory:
        workloads, arguments, size = write_documents(Path(directory), scale)
        command = ("coverage", "check", "--rules", directory, "--format", "json", *arguments)
        said = run([sys.executable, "-m", "router", *command], cwd=ROOT, stdout=PIPE, check=False).stdout
        judged = sum(json.loads(said)["counts"].values())
        assert judged == workloads, f"{judged} of {workloads} workloads were judged"
        runs = [Checkout().run("-m", "benchmarks.counted", *command, ends_with=UNKNOWN) for _ in range(RUNS)]
    what, cpu = f"coverage of {workloads:,} workloads", median(one.cpu for one in runs)
    seen = f"{len(arguments)} files of {size / 1e6:,.0f} MB; whole processes"
    yield Row(what=f"{what}: CPU", measured=cpu, limit=8, unit="s", seen=seen)
    peak = max(json.loads(one.last)[1] for one in runs)
    yield Row(what=f"{what}: memory at its peak", measured=peak / 1e6, limit=250, unit="MB")


def write_documents(directory: Path, scale: float) -> tuple[int, list[str], int]:
    """Writes the files; gives how many workloads they have, the arguments that name them, and how many bytes they are."""
    subscriptions = [f"/subscriptions/{UUID(int=number)}" for number in range(1, SUBSCRIPTIONS + 1)]

    def ids(type: str, name: str, many: int) -> list[str]:
        groups = (subscriptions[number % SUBSCRIPTIONS] for number in range(round(many * scale)))
        return [f"{group}/resourceGroups/rg/providers/{type}/{name}{n}" for n, group in enumerate(groups)]

    machines = ids("Microsoft.Compute/virtualMachines", "vm-", MACHINES)
    clusters = ids("Microsoft.ContainerService/managedClusters", "aks-", CLUSTERS)
    storage, registry = "Microsoft.Storage/storageAccounts", "Microsoft.ContainerRegistry/registries"
    accounts, registries = ids(storage, "st", STORAGE_ACCOUNTS), ids(registry, "acr", REGISTRIES)
    tags = {"team": "one"}
    answers = {
        "pricings.json": [_pricing(one, plan) for one in subscriptions for plan in _PLANS],
        "settings.json": [_setting(one, name) for one in subscriptions for name in ("WDATP", "MCAS", "Sentinel")],
        "machines.json": [machine(id, tags=tags, provisioningState="Succeeded") for id in machines],
        "extensions.json": [extension(of=id) for id in machines],
        "clusters.json": [managed_cluster(id, tags=tags) for id in clusters],
        "storage.json": [resource(id, storage, tags=tags) for id in accounts],
        "registries.json": [resource(id, registry, tags=tags) for id in registries],
    }
    for name, rows in answers.items():
        (directory / name).write_text(json.dumps({"value": rows}))
    arguments = [str(directory / name) for name in answers]
    objects = json.dumps(kubectl(*_objects()))
    for number, id in enumerate(clusters):
        file = directory / f"aks-{number}.json"
        file.write_text(objects)
        arguments.append(f"{id}={file}")
    workloads = sum(map(len, (subscriptions, machines, clusters, accounts, registries)))
    return workloads, arguments, sum(file.stat().st_size for file in directory.iterdir())


def _pricing(subscription: str, plan: str) -> Json:
    extension = {"name": "ContainerRegistriesVulnerabilityAssessments", "isEnabled": "True"}
    return pricing(
        plan, scope=subscription, subPlan="P2", resourcesCoverageStatus="FullyCovered", extensions=[extension]
    )


def _setting(subscription: str, name: str) -> Json:
    type = "Microsoft.Security/settings"
    return resource(f"{subscription}/providers/{type}/{name}", type, {"enabled": True})


def _objects() -> Iterator[Json]:
    """What kubectl prints of a cluster."""
    names = [f"node-{number}" for number in range(NODES)]
    yield from map(node, names)
    yield from sensor(ready=NODES, desired=NODES)
    yield from pods(names)
    app = {"name": "app", "image": "registry.example/app:1", "env": [{"name": "X" * 40, "value": "y" * 40}] * 20}
    for number in range(OTHER_PODS):
        spec = {"nodeName": names[number % NODES], "containers": [app]}
        yield of_kind("Pod", f"app-{number}", "shop", spec=spec, status={"phase": "Running"})
