"""Alerts and suppression rules, the same in every run.

Alerts are flat messages of 4.9 KB, as Event Hubs carries them. Rule number k is the same however many rules there are:
an alert type, part of a host's name and an address, with an expiry. Every tenth alert is held by one of the first ten
rules; every tenth comes from the address of a rule but from another host, so that a rule is asked and says no.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

SIZE = 4_900  # bytes
NOWHERE = "http://127.0.0.1:9/hook"

TYPES = (
    ("SQL.DB_BruteForce", "SqlServers", "PreAttack", "High"),
    ("VM_SuspectNohup", "VirtualMachines", "Persistence", "Medium"),
    ("VM_SshBruteForceSuccess", "VirtualMachines", "Exploitation", "High"),
    ("VM_CryptoCoinMinerArtifacts", "VirtualMachines", "Execution", "Medium"),
    ("K8S.NODE_FirewallDisabled", "Containers", "DefenseEvasion, Exfiltration", "Medium"),
    ("K8S_CoreDnsModification", "Containers", "LateralMovement", "Low"),
    ("Storage.Blob_SuspiciousIp", "StorageAccounts", "PreAttack", "High"),
    ("AppServices_PhishingContent", "AppServices", "Collection", "High"),
    ("KV_SuspiciousIPAccessDenied", "KeyVaults", "CredentialAccess", "Low"),
    ("ARM_OperationFromSuspiciousIP", "Arm", "Execution", "Medium"),
)
"""Few types, so that every alert meets rules for its type, however few rules there are."""

POLICY = """\
stream: cwpp
floor: {{default: Low}}
destinations:
  soc: {{kind: webhook, url: "{url}", secret: {{secret: BENCH_WEBHOOK_SECRET}}}}
routes:
  - {{name: high, when: {{at_least: High}}, to: [soc]}}
  - {{name: late-stage, when: {{at_least: Medium, tactics: [Impact, Exfiltration, CredentialAccess]}}, to: [soc]}}
  - {{name: production, when: {{resource: "*/resourceGroups/rg-prod-*"}}, to: [soc]}}
otherwise: [soc]
"""


@dataclass(frozen=True, slots=True)
class Origin:
    """What a rule asks for and an alert has: where it happened."""

    type: int
    host: str
    address: str


def origin_of_rule(k: int) -> Origin:
    """What rule number k holds back."""
    return Origin(k % len(TYPES), f"srv-{k:06d}", f"10.{k >> 16}.{k >> 8 & 255}.{k & 255}")


def alert_origins(count: int) -> Iterator[Origin]:
    """Where each of some alerts happened."""
    chance = random.Random(20_261_124)
    for number in range(count):
        rule = origin_of_rule(number // 10 % 10)
        stranger = Origin(chance.randrange(len(TYPES)), f"web-{chance.randrange(10**6):06d}", _address(chance))
        yield {0: rule, 5: Origin(rule.type, stranger.host, rule.address)}.get(number % 10, stranger)


def _address(chance: random.Random) -> str:
    return f"172.{chance.randrange(16, 32)}.{chance.randrange(256)}.{chance.randrange(256)}"


def alerts(count: int) -> list[bytes]:
    """Alert messages of about SIZE bytes, each of another signal."""
    return [alert_at(number, origin) for number, origin in enumerate(alert_origins(count))]


def alert_at(number: int, origin: Origin) -> bytes:
    """The message of alert number so-and-so."""
    type, component, intent, severity = TYPES[origin.type]
    machine = f"/subscriptions/{number % 7:08d}-1111-4222-8333-444444444444/resourceGroups/rg-prod-{number % 40}"
    machine += f"/providers/Microsoft.Compute/virtualMachines/{origin.host}"
    message = {
        "VendorName": "Microsoft",
        "AlertType": type,
        "ProductName": "Microsoft Defender for Cloud",
        "ProductComponentName": component,
        "StartTimeUtc": "2026-11-24T08:14:03.9503210Z",
        "EndTimeUtc": "2026-11-24T08:19:41.1180000Z",
        "TimeGenerated": "2026-11-24T08:20:07.4850000Z",
        "ProcessingEndTime": "2026-11-24T08:20:06.9503210Z",
        "Severity": severity,
        "Status": "New",
        "ProviderAlertStatus": None,
        "ConfidenceLevel": None,
        "ConfidenceScore": None,
        "ConfidenceReasons": None,
        "IsIncident": False,
        "SystemAlertId": f"25171848985498{number:05d}_{number:08x}-7d1c-4b0e-9a55-0f3a5c1e2b77",
        "CorrelationKey": None,
        "Intent": intent,
        "AzureResourceId": machine,
        "WorkspaceId": "3f0a7d52-91c4-4a58-8e3e-5d1c7b9a2f60",
        "WorkspaceSubscriptionId": "00000003-1111-4222-8333-444444444444",
        "WorkspaceResourceGroup": "rg-security",
        "AgentId": None,
        "CompromisedEntity": origin.host,
        "AlertDisplayName": f"Suspicious activity on {origin.host}",
        "Description": "",
        "RemediationSteps": [
            "Check with the owner of the machine whether the activity is expected.",
            "If it is not, isolate the machine and rotate the credentials that were used on it.",
            "Look for the same command line and the same address on other machines of the subscription.",
        ],
        "AlertUri": f"https://portal.azure.com/#blade/Microsoft_Azure_Security/AlertBlade/alertId/{number}",
        "Entities": _entities(origin, machine),
        "ExtendedLinks": None,
        "ResourceIdentifiers": [
            {"$id": "2", "AzureResourceId": machine, "Type": "AzureResource"},
            {"$id": "3", "WorkspaceId": "3f0a7d52-91c4-4a58-8e3e-5d1c7b9a2f60", "Type": "LogAnalytics"},
        ],
        "ExtendedProperties": {
            "Suspicious Process": "/usr/bin/python3.11",
            "Suspicious Command Line": f"python3 -c 'import socket; socket.connect((\"{origin.address}\", 4444))'",
            "Account Session Id": "0x427d8dd9",
            "Number of failed attempts": "48",
            "resourceType": "Virtual Machine",
            "killChainIntent": intent,
        },
    }
    words = "The machine was seen doing what an attacker does after the first foothold. "
    message["Description"] = (words * 60)[: SIZE - len(json.dumps(message))]
    return json.dumps(message).encode()


def _entities(origin: Origin, machine: str) -> list[dict[str, object]]:
    return [
        {"$id": "4", "ResourceId": machine, "Type": "azure-resource"},
        {
            "$id": "5",
            "DnsDomain": "corp.example.com",
            "HostName": origin.host,
            "AzureID": machine,
            "OMSAgentID": "6c1f8f0e-58f4-4e27-bb8b-0a8f5b6f7f11",
            "OSFamily": "Linux",
            "OSVersion": "Ubuntu 24.04",
            "Type": "host",
        },
        {
            "$id": "6",
            "Address": origin.address,
            "Location": {"CountryCode": "US", "State": "Virginia", "City": "Boydton", "Asn": 8075},
            "Type": "ip",
        },
        {
            "$id": "7",
            "Name": "svc-deploy",
            "NTDomain": "CORP",
            "Host": {"$ref": "5"},
            "Sid": "S-1-5-21-1",
            "Type": "account",
        },
        {
            "$id": "8",
            "Directory": "/usr/bin",
            "Name": "python3.11",
            "FileHashes": [
                {"$id": "9", "Algorithm": "SHA256", "Value": "9f86d081884c7d659a2feaa0c55ad015", "Type": "filehash"}
            ],
            "Type": "file",
        },
        {
            "$id": "10",
            "ProcessId": "0x1e99b",
            "CommandLine": "python3 -c 'import socket'",
            "CreationTimeUtc": "2026-11-24T08:14:03.9503210Z",
            "ImageFile": {"$ref": "8"},
            "Account": {"$ref": "7"},
            "Host": {"$ref": "5"},
            "Type": "process",
        },
    ]


def rule_at(k: int, expires: datetime) -> dict[str, object]:
    """Rule number k as Defender's list answer holds it."""
    origin = origin_of_rule(k)
    return {
        "name": f"rule-{k:06d}",
        "properties": {
            "alertType": TYPES[origin.type][0],
            "state": "Enabled",
            "reason": "Noise",
            "expirationDateUtc": f"{expires:%Y-%m-%dT%H:%M:%SZ}",
            "comment": f"Scanner {origin.address}, ticket SEC-{k}, owner secops@example.com",
            "suppressionAlertsScope": {
                "allOf": [
                    {"field": "entities.host.hostname", "contains": origin.host},
                    {"field": "entities.ip.address", "in": [origin.address]},
                ]
            },
        },
    }


def write_rules(directory: Path, count: int, now: datetime, *, url: str = NOWHERE) -> Path:
    """A rules directory whose one destination is at `url`, with a file for each of `count` rules; returns it."""
    suppressions = _write_policy(directory, url)
    for rule in _rules(count, now):
        (suppressions / f"{rule['name']}.json").write_text(json.dumps({"properties": rule["properties"]}))
    return directory


def write_rule_list(directory: Path, count: int, now: datetime, *, url: str = NOWHERE) -> Path:
    """The same with all rules in one file, as Defender lists them."""
    suppressions = _write_policy(directory, url)
    (suppressions / "all.json").write_text(json.dumps({"value": list(_rules(count, now))}))
    return directory


def _rules(count: int, now: datetime) -> Iterator[dict[str, object]]:
    return (rule_at(k, now + timedelta(days=90)) for k in range(count))


def _write_policy(directory: Path, url: str) -> Path:
    suppressions = directory / "cwpp" / "suppressions"
    suppressions.mkdir(parents=True)
    (directory / "cwpp" / "policy.yaml").write_text(POLICY.format(url=url))
    return suppressions
