"""Documents about machines as people have them, each showing only what the test is about."""

from datetime import timedelta
from functools import partial

from router.coverage.documents import CoverageDocument
from router.domain.recommendations import EDR_RUNNING
from tests.coverage.builders import GROUP, MACHINE, NOW, Json, document, pricing, resource

ARC = f"{GROUP}/Microsoft.HybridCompute/machines/till-1"
SET = f"{GROUP}/Microsoft.Compute/virtualMachineScaleSets/batch"
SQL = f"{GROUP}/Microsoft.SqlVirtualMachine/sqlVirtualMachines/ledger"
ARC_SQL = f"{GROUP}/Microsoft.AzureArcData/sqlServerInstances/till-1_TILL"

POSTURE = pricing("FoundationalCspm")
EXCLUDED = {"ExcludeMdeAutoProvisioning": "True"}


def ago(**span: float) -> str:
    """An instant before the one at which the tests judge."""
    return (NOW - timedelta(**span)).isoformat()


def machine(id: str = MACHINE, *, power: str | None = None, **fields: object) -> Json:
    """A virtual machine of Linux as ARM answers it."""
    properties: dict[str, object] = {"storageProfile": {"osDisk": {"osType": "Linux"}}}
    if power is not None:
        properties["instanceView"] = {"statuses": [{"code": f"PowerState/{power}"}]}
    for name in ("timeCreated", "virtualMachineScaleSet"):
        if name in fields:
            properties[name] = fields.pop(name)
    return resource(id, "Microsoft.Compute/virtualMachines", properties, **{"tags": {}, **fields})


def arc_machine(status: str = "Connected", **fields: object) -> Json:
    """A server of Azure Arc."""
    properties = {"status": status, "osType": "windows", "lastStatusChange": ago(days=20)}
    return resource(ARC, "Microsoft.HybridCompute/machines", properties, **{"tags": {}, **fields})


def scale_set(mode: str, capacity: int | None = 1) -> Json:
    """A scale set."""
    properties = {"orchestrationMode": mode}
    return resource(SET, "Microsoft.Compute/virtualMachineScaleSets", properties, sku={"capacity": capacity})


def extension(
    state: str = "Succeeded",
    *,
    of: str = MACHINE,
    type: str = "MDE.Linux",
    publisher: str = "Microsoft.Azure.AzureDefenderForServers",
    **properties: object,
) -> Json:
    """An extension as ARM answers it."""
    kind = "Microsoft.HybridCompute/machines" if "HybridCompute" in of else "Microsoft.Compute/virtualMachines"
    said = {"type": type, "publisher": publisher, "provisioningState": state, **properties}
    return resource(f"{of}/extensions/{type}", f"{kind}/extensions", said)


def joined(name: str | None, state: str | None, *, of: str = MACHINE) -> Json:
    """A row of the gate's own query that joins machines with their extensions of Defender for Endpoint."""
    type = "microsoft.hybridcompute/machines" if "HybridCompute" in of else "microsoft.compute/virtualmachines"
    properties = {"type": name, "provisioningState": state} if name else None
    row = {"id": of.lower(), "name": of.rpartition("/")[2], "type": type}
    return {**row, "name1": name or "", "properties1": properties}


def assessment(
    key: str,
    code: str = "Healthy",
    *,
    of: str = MACHINE,
    cause: str = "",
    title: str = "",
    type: str | None = "BuiltIn",
    at: str | None = None,
) -> Json:
    """A recommendation as the REST API answers it; one with a title says of what type it is."""
    return {
        "id": f"{of}/providers/Microsoft.Security/assessments/{key}",
        "name": key,
        "type": "Microsoft.Security/assessments",
        "properties": {
            "displayName": title,
            "resourceDetails": {"Source": "Azure", "Id": of},
            "status": {"code": code, "cause": cause, **({"statusChangeDate": at} if at else {})},
            **({"metadata": {"assessmentType": type}} if title and type else {}),
        },
    }


def all_healthy(of: str = MACHINE) -> list[Json]:
    """The recommendations on the sensor of a machine."""
    return [assessment(key, of=of) for key in EDR_RUNNING]


def health(given: str | None = "web-1", **fields: object) -> CoverageDocument:
    """What `mdatp health` prints on a machine, with the name that was given before the file."""
    said = {"healthy": True, "licensed": True, "orgId": "aaaa", "realTimeProtectionEnabled": {"value": True}}
    return document({**said, **fields}, "health.json", given)


def device(of: str | None = MACHINE, *, seen: str | None = None, **fields: object) -> Json:
    """A device of Defender for Endpoint."""
    return {
        "id": "cafe",
        "computerDnsName": "web-1",
        "healthStatus": "Active",
        "onboardingStatus": "Onboarded",
        "lastSeen": seen or ago(hours=3),
        "vmMetadata": {"resourceId": of},
        **fields,
    }


def sql_machine(machine_id: str = MACHINE) -> Json:
    """A SQL Server on a virtual machine."""
    return resource(SQL, "Microsoft.SqlVirtualMachine/sqlVirtualMachines", {"virtualMachineResourceId": machine_id})


def arc_sql(status: str | None = None, *, at: str | None = None) -> Json:
    """A SQL Server that Azure Arc found."""
    properties = {"containerResourceId": ARC, "azureDefenderStatus": status, "azureDefenderStatusLastUpdated": at}
    return resource(ARC_SQL, "Microsoft.AzureArcData/sqlServerInstances", properties)


sql_extension = partial(
    extension, type="AdvancedThreatProtection.Windows", publisher="Microsoft.Azure.AzureDefenderForSQL"
)
"""The extension of Defender for SQL."""
