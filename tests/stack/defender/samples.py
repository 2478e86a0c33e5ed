"""The sample alerts of the double: made-up values in the shapes of exports and of the API."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from uuid import UUID

GROUP, LOCATION = "Sample-RG", "centralus"

_NUMBERS = count(1)
_TICKS_AT_THE_END = 3_155_378_975_999_999_999

_KINDS = {
    "VirtualMachines": (
        ("Microsoft.Compute/virtualMachines", "Sample-VM"),
        (
            ("SIMULATED_VM_DigitalCurrencyMining", "Digital currency mining related behavior detected", "High"),
            ("SIMULATED_VM_SuspiciousLogin", "Suspicious sign-in to a virtual machine", "Medium"),
        ),
    ),
    "KeyVaults": (
        ("Microsoft.KeyVault/vaults", "Sample-KV"),
        (("KV_OperationVolumeAnomaly", "High volume of operations in a key vault", "Medium"),),
    ),
}
"""By bundle: the type and the name of the resource, and type, title and severity of each alert."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A sample alert.

    Attributes:
        id: its id.
        subscription: the subscription that it was ordered in.
        resource: the resource that it is about, which nobody has.
        component: the plan that it is of.
        type, title, severity: what it says.
        at: when it was made.
    """

    id: str
    subscription: str
    resource: str
    component: str
    type: str
    title: str
    severity: str
    at: datetime

    @property
    def path(self) -> str:
        """Its resource id."""
        group = f"/subscriptions/{self.subscription}/resourceGroups/{GROUP}"
        return f"{group}/providers/Microsoft.Security/locations/{LOCATION}/alerts/{self.id}"

    @property
    def description(self) -> str:
        """Its description."""
        return f"THIS IS A SAMPLE ALERT: {self.title}."

    def exported(self, status: str = "New") -> bytes:
        """The sample as continuous export publishes it."""
        at = f"{self.at:%Y-%m-%dT%H:%M:%S.%fZ}"
        identifier = {"$id": "2", "AzureResourceId": self.resource, "Type": "AzureResource"}
        nothing = dict.fromkeys(
            (
                "ProviderAlertStatus",
                "ConfidenceLevel",
                "ConfidenceScore",
                "ConfidenceReasons",
                "CorrelationKey",
                "AgentId",
            )
        ) | dict.fromkeys(("WorkspaceId", "WorkspaceSubscriptionId", "WorkspaceResourceGroup", "ExtendedLinks"))
        times = dict.fromkeys(("StartTimeUtc", "EndTimeUtc", "TimeGenerated", "ProcessingEndTime"), at)
        body = {
            "VendorName": "Microsoft",
            "AlertType": self.type,
            "ProductName": "Microsoft Defender for Cloud",
            "ProductComponentName": self.component,
            "Severity": self.severity,
            "Status": status,
            "IsIncident": False,
            "SystemAlertId": self.id,
            "Intent": "Execution",
            "AzureResourceId": self.resource,
            "CompromisedEntity": self.resource.rpartition("/")[2],
            "AlertDisplayName": self.title,
            "Description": self.description,
            "Entities": [{"$id": "3", "ResourceId": self.resource, "Type": "azure-resource"}],
            "RemediationSteps": [],
            "ResourceIdentifiers": [identifier],
            "AlertUri": f"https://portal.azure.com/#blade/Microsoft_Azure_Security/AlertBlade/alertId/{self.id}",
            "ExtendedProperties": {"Compromised Host": self.resource.rpartition("/")[2]},
        }
        return json.dumps(body | nothing | times).encode()

    def listed(self, status: str) -> dict[str, object]:
        """The sample as the API has it."""
        at = f"{self.at:%Y-%m-%dT%H:%M:%S.%f0Z}"
        properties = {
            "version": "2022-01-01.0",
            "alertType": self.type,
            "systemAlertId": self.id,
            "productComponentName": self.component,
            "alertDisplayName": self.title,
            "description": self.description,
            "severity": self.severity,
            "intent": "Execution",
            "resourceIdentifiers": [{"azureResourceId": self.resource, "type": "AzureResource"}],
            "vendorName": "Microsoft",
            "status": status,
            "alertUri": f"https://portal.azure.com/#blade/Microsoft_Azure_Security/AlertBlade/alertId/{self.id}",
            "productName": "Microsoft Defender for Cloud",
            "isIncident": False,
            "extendedProperties": {},
            "compromisedEntity": self.resource.rpartition("/")[2],
            **{name: [] for name in ("remediationSteps", "extendedLinks", "entities")},
            **dict.fromkeys(("startTimeUtc", "endTimeUtc", "timeGeneratedUtc", "processingEndTimeUtc"), at),
        }
        return {
            "id": self.path,
            "name": self.id,
            "type": "Microsoft.Security/Locations/alerts",
            "properties": properties,
        }


def samples_of_bundle(bundle: str, subscription: str, at: datetime) -> list[Sample]:
    """The samples of a bundle; of one that the double does not know, none."""
    (type_of_resource, name), kinds = _KINDS.get(bundle, (("", ""), ()))
    resource = f"/SUBSCRIPTIONS/{subscription}/RESOURCEGROUPS/{GROUP}/providers/{type_of_resource}/{name}"
    given = {"subscription": subscription, "resource": resource, "component": bundle}
    return [
        Sample(id=_new_id(at), type=type, title=f"[SAMPLE ALERT] {title}", severity=severity, at=at, **given)
        for type, title, severity in kinds
    ]


def _new_id(at: datetime) -> str:
    """An id as Defender makes them: how far it is to the end of .NET's time, and a GUID."""
    ticks = int(at.timestamp() * 10_000_000) + 621_355_968_000_000_000
    return f"{_TICKS_AT_THE_END - ticks}_{UUID(int=next(_NUMBERS))}"
