"""Which Defender plan an alert is of: by its component, its type, or the resource that it is about."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator

import pytest

from router.domain.signals import Alert
from router.parse import read_signals
from router.rulebook import load_catalogue
from tests.parse.messages import SUBSCRIPTION, Message, a_flat_alert, body_of
from tests.samples import SAMPLES

CATALOGUE = load_catalogue()


def the_plan_of(message: object) -> str | None:
    """The plan of the alert that a message becomes."""
    (alert,) = read_signals(body_of(message), CATALOGUE)
    assert isinstance(alert, Alert), alert
    return alert.plan


def an_alert(type: str, resource: str | None, **changes: object) -> Message:
    """An alert without a component, of a type, on a resource of a provider."""
    id = f"{SUBSCRIPTION}/resourceGroups/rg-web/providers/{resource}" if resource else None
    return a_flat_alert(
        AlertType=type, ProductComponentName=None, AzureResourceId=id, ResourceIdentifiers=None, **changes
    )


@pytest.mark.parametrize(
    ("type", "resource", "plan"),
    [
        ("VM.Windows_NeverListed", "Microsoft.Compute/virtualMachines/vm-01", "VirtualMachines"),
        ("SUSPECT_SVCHOST", "microsoft.compute/VIRTUALMACHINES/vm-01", "VirtualMachines"),
        ("X", "Microsoft.Compute/virtualMachineScaleSets/vmss/virtualMachines/0", "VirtualMachines"),
        ("X", "Microsoft.Compute/virtualMachines/vm-01/extensions/script", "VirtualMachines"),
        ("X", "Microsoft.HybridCompute/machines/arc-01", "VirtualMachines"),
        ("SIMULATED_AKS_NeverListed", "Microsoft.ContainerService/managedClusters/aks", "Containers"),
        ("X", "Microsoft.Kubernetes/connectedClusters/arc", "Containers"),
        ("X", "Microsoft.ContainerRegistry/registries/acr", "Containers"),
        ("APPS_NeverListed", "Microsoft.Web/sites/shop", "AppServices"),
        ("X", "Microsoft.Web/sites/shop/slots/green", "AppServices"),
        ("X", "Microsoft.Storage/storageAccounts/st", "StorageAccounts"),
        ("X", "Microsoft.Sql/servers/sql", "SqlServers"),
        ("X", "Microsoft.Sql/servers/sql/databases/db", "SqlServers"),
        ("X", "Microsoft.Sql/managedInstances/mi", "SqlServers"),
        ("X", "Microsoft.SqlVirtualMachine/sqlVirtualMachines/vm-01", "SqlServerVirtualMachines"),
        ("X", "Microsoft.KeyVault/vaults/kv", "KeyVaults"),
        ("X", "Microsoft.DocumentDB/databaseAccounts/cosmos", "CosmosDbs"),
        ("X", "Microsoft.DBforPostgreSQL/flexibleServers/pg", "OpenSourceRelationalDatabases"),
        ("X", "Microsoft.DBforMySQL/servers/my", "OpenSourceRelationalDatabases"),
        ("X", "Microsoft.CognitiveServices/accounts/openai", "AI"),
        ("X", "Microsoft.ApiManagement/service/apim/apis/orders", "Api"),
        ("X", "Microsoft.Logic/workflows/flow", None),
        ("X", None, None),
    ],
)
def test_an_unknown_type_has_the_plan_of_its_resource(type: str, resource: str | None, plan: str | None) -> None:
    """Where neither component nor type names a plan, the resource's type does, whatever its case, or the type above it."""
    assert the_plan_of(an_alert(type, resource)) == plan


@pytest.mark.parametrize(
    ("type", "resource", "plan"),
    [
        ("SQL.VM_BruteForce", "Microsoft.Compute/virtualMachines/vm-01", "SqlServerVirtualMachines"),
        ("SQL.VM_NeverListed", "Microsoft.Compute/virtualMachines/vm-01", "SqlServerVirtualMachines"),
        ("AzureDNS_NeverListed", "Microsoft.Compute/virtualMachines/vm-01", "Dns"),
        ("AppServices_CurlToDisk", "Microsoft.Compute/virtualMachines/vm-01", "AppServices"),
    ],
)
def test_the_plan_of_the_type_wins(type: str, resource: str, plan: str) -> None:
    """A listed type, a deprecated one, or one of a known family says more than the resource that it was seen on."""
    assert the_plan_of(an_alert(type, resource)) == plan


def test_the_component_wins_over_both() -> None:
    """What the message itself names is the plan; a component that names none leaves the question to the others."""
    message = an_alert("X", "Microsoft.Compute/virtualMachines/vm-01")
    assert the_plan_of(message | {"ProductComponentName": "Containers"}) == "Containers"
    assert the_plan_of(message | {"ProductComponentName": "testName"}) == "VirtualMachines"


@pytest.mark.parametrize(
    ("word", "plan"),
    [
        ("Virtual Machine", "VirtualMachines"),
        ("AWS EKS Cluster", "Containers"),
        ("GCP GKE Cluster", "Containers"),
        ("Kubernetes – Azure Arc", "Containers"),
        ("Spaceship", None),
        (["Virtual Machine"], None),
    ],
)
def test_where_the_id_says_nothing_defenders_word_does(word: object, plan: str | None) -> None:
    """A resource outside Azure has no ARM type of its own, but Defender says what it is."""
    connector = "Microsoft.Security/securityConnectors/aws/securityentitydata/prod"
    assert the_plan_of(an_alert("X", connector, ExtendedProperties={"resourceType": word})) == plan
    assert (
        the_plan_of(an_alert("X", "Microsoft.Web/sites/shop", ExtendedProperties={"resourceType": word}))
        == "AppServices"
    )


def the_alerts() -> Iterator[tuple[str, Alert]]:
    """Each alert of the real messages, with the folder that it is from."""
    for path in sorted((SAMPLES / "azure-rest-api-specs").rglob("*.json")):
        for answer in json.loads(path.read_bytes())["responses"].values():
            body = answer.get("body")
            yield from _alerts_in("azure-rest-api-specs", body.get("value", [body]) if body else [])
    with (SAMPLES / "azure-sentinel-notebooks" / "alertlist.csv").open(encoding="utf-8", newline="") as file:
        yield from _alerts_in("azure-sentinel-notebooks", list(csv.DictReader(file)))
    for folder, name in (
        ("demisto-content", "alerts_2022-01-01_api_excerpt.json"),
        ("stix-shifter", "security_alert_rows.json"),
    ):
        yield from _alerts_in(folder, json.loads((SAMPLES / folder / name).read_bytes()))


def _alerts_in(folder: str, messages: list[object]) -> Iterator[tuple[str, Alert]]:
    for message in messages:
        yield from ((folder, one) for one in read_signals(body_of(message), CATALOGUE) if isinstance(one, Alert))


@pytest.mark.shared
def test_how_many_real_alerts_have_their_plan_from_their_resource() -> None:
    """173 of 210 real alerts are of no known type, and each has its plan from its resource.

    39 more rows, which are on no resource, are other products'.
    """
    told, found = Counter[str](), Counter[tuple[str, str]]()
    for folder, alert in the_alerts():
        told[folder] += 1
        if CATALOGUE.find_plan(None, alert.type) is None:
            found[folder, alert.plan or "none"] += 1
    assert told == {
        "azure-rest-api-specs": 52,
        "azure-sentinel-notebooks": 189 - 36,
        "demisto-content": 3,
        "stix-shifter": 5 - 3,
    }
    assert found == {
        ("azure-rest-api-specs", "VirtualMachines"): 20,
        ("azure-sentinel-notebooks", "VirtualMachines"): 152,
        ("azure-sentinel-notebooks", "SqlServers"): 1,
    }
