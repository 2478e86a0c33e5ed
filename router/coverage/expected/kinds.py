"""What people write for a kind of workload that is called something else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from router.domain.coverage import WorkloadKind
from router.rulebook.problems import KeyPath

_CALLED: Mapping[WorkloadKind, tuple[str, ...]] = {
    WorkloadKind.MACHINE: ("vm", "vms", "vmss", "virtualmachine", "virtualmachines", "server", "servers", "arcserver"),
    WorkloadKind.CLUSTER: ("aks", "eks", "gke", "k8s", "kubernetes", "managedcluster", "managedclusters"),
    WorkloadKind.REGISTRY: ("acr", "acrs", "containerregistry", "containerregistries"),
    WorkloadKind.SQL_SERVER: ("sql", "azuresql", "sqldb", "sqldatabase"),
    WorkloadKind.SQL_ON_MACHINE: ("sqlvm", "sqlonvm", "sqliaas"),
    WorkloadKind.COSMOS_DB: ("cosmos", "documentdb"),
    WorkloadKind.OPEN_SOURCE_DATABASE: ("postgres", "postgresql", "mysql", "mariadb"),
    WorkloadKind.STORAGE_ACCOUNT: ("storage", "blob", "blobs"),
    WorkloadKind.SUBSCRIPTION: ("sub", "subs"),
    WorkloadKind.AWS_ACCOUNT: ("aws",),
    WorkloadKind.GCP_PROJECT: ("gcp",),
}

_MEANT = {word: kind for kind, words in _CALLED.items() for word in words}


def kind_meant(document: object, path: KeyPath) -> str:
    """Which kind a word at a path was meant to be that is none, as the end of a sentence; empty where nothing says it."""
    if "kind" not in path[-2:]:
        return ""
    value = document
    for step in path:
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, Sequence) and isinstance(step, int) and step < len(value):
            value = value[step]
    word = "".join(filter(str.isalnum, value.lower())) if isinstance(value, str) else ""
    return f"; did you mean {_MEANT[word].value!r}?" if word in _MEANT else ""
