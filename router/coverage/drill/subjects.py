"""What a drill is about, and which decisions on record are about its alerts."""

from __future__ import annotations

from collections.abc import Collection
from itertools import pairwise
from shlex import quote

from router.domain.catalogue import NO_SUBSCRIPTION
from router.domain.notices import RecordEntry
from router.domain.resources import parse_resource_id
from router.domain.values import Value

LINUX_SIGNAL = "curl --output /tmp/eicar.com.txt https://secure.eicar.org/eicar.com.txt"
"""Raises a real alert: downloads the test file of EICAR. https://learn.microsoft.com/defender-endpoint/linux-install-manually"""

WINDOWS_SIGNAL = (
    "powershell.exe -NoExit -ExecutionPolicy Bypass -WindowStyle Hidden \"$ErrorActionPreference = 'silentlycontinue'; "
    "(New-Object System.Net.WebClient).DownloadFile('http://127.0.0.1/1.exe', 'C:\\test-MDATP-test\\invoice.exe'); "
    "Start-Process 'C:\\test-MDATP-test\\invoice.exe'\""
)
"""Starts a program that is not there. https://learn.microsoft.com/azure/defender-for-cloud/alert-validation"""

BUNDLES = {
    "AppServices": "AppServices",
    "CosmosDbs": "CosmosDbs",
    "DNS": "Dns",
    "KeyVaults": "KeyVaults",
    "KubernetesService": "Containers",
    "ResourceManager": "Arm",
    "SqlServers": "SqlServers",
    "StorageAccounts": "StorageAccounts",
    "VirtualMachines": "VirtualMachines",
}
"""The plan that each bundle of sample alerts is of, as `az security pricing` calls it."""

CONTAINERS, MACHINES = "Containers", "VirtualMachines"

NAMESPACE = "asc-alerttest-662jfi039n"
"""The namespace that Defender watches for: a request for its pods, of which there are none, raises the test alert.
https://learn.microsoft.com/azure/defender-for-cloud/alerts-containers"""

_COLONS_OF_A_HUB = 3
"""Colons in the key of a message from a hub: hub, partition, epoch and sequence number."""


class DrillSubject(Value, kw_only=True):
    """What a drill is about. Exactly one of `bundle`, `cluster` and `machine` is set; the last two are of real alerts.

    Attributes:
        subscription: its id in lower case; None only for a cluster that is called by its name.
        cluster: its name or resource id; `machine` is a resource id.
    """

    subscription: str | None = None
    bundle: str | None = None
    plan: str
    cluster: str | None = None
    machine: str | None = None

    @property
    def is_real(self) -> bool:
        """Whether its alerts are real ones, which the people that they page cannot tell from others."""
        return self.bundle is None

    @property
    def words(self) -> str:
        """Return the subject for people."""
        if self.bundle is not None:
            return f"sample alerts of {self.bundle} in subscription {self.subscription}"
        return f"the test alert of {'cluster' if self.cluster else 'machine'} {self.cluster or self.machine}"


def sample_drill(subscription: str, bundle: str) -> DrillSubject:
    """Return the drill of one bundle in one subscription; raises KeyError for an unknown bundle."""
    return DrillSubject(plan=BUNDLES[bundle], subscription=subscription.lower(), bundle=bundle)


def may_belong_to(entry: RecordEntry, subject: DrillSubject, listed: Collection[str] = ()) -> bool:
    """Return whether an alert that a hub brought may be the drill's: its id is listed, or its plan and resource fit."""
    if entry.sample is subject.is_real or entry.key.count(":") != _COLONS_OF_A_HUB:
        return False
    if (entry.id or "").lower() in listed:
        return True
    resource = (entry.resource or "").lower().rstrip("/")
    subscription = (parse_resource_id(resource).subscription or "").lower()
    if subject.machine is not None:
        return resource == subject.machine.lower().rstrip("/")
    if subscription not in (subject.subscription or subscription, "", NO_SUBSCRIPTION):
        return False
    if subject.cluster is None:
        return entry.plan == subject.plan
    wanted = subject.cluster.lower().rstrip("/")
    parts = pairwise(resource.split("/"))
    named = {name for kind, name in parts if kind.rpartition(":")[2].endswith(("clusters", "cluster"))}
    is_of_kubernetes = entry.plan == CONTAINERS or (entry.type or "").upper().startswith("K8S")
    return is_of_kubernetes and (resource == wanted or wanted in named)


def instructions(subject: DrillSubject, context: str) -> list[str]:
    """Return what a person runs to raise the alert, line by line; nothing for samples. An id is no name of a context."""
    if subject.cluster is not None:
        named = quote(context.rstrip("/").rpartition("/")[2] if context == subject.cluster else context)
        return [
            "Ask the cluster for the pods of a namespace that is not there. It proves the audit log of the control plane,",
            'and no sensor; the answer is "No resources found", and the alert comes 5 to 30 minutes later:',
            "",
            f"  kubectl --context {named} get pods --namespace={NAMESPACE}",
        ]
    if subject.machine is None:
        return []
    return [
        "On the machine, with real-time protection on; the alert comes within minutes.",
        "Linux, which downloads the test file of EICAR:",
        "",
        f"  {LINUX_SIGNAL}",
        "",
        "Windows, which starts a program that is not there:",
        "",
        f"  {WINDOWS_SIGNAL}",
    ]
