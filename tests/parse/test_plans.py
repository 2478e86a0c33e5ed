"""Whose an alert is, and of which Defender plan, in a row of the SecurityAlert table or another form; all constructed."""

import pytest

from router.domain.decisions import Code
from router.domain.signals import Alert
from router.parse import read_signals
from router.rulebook import load_catalogue
from tests.parse.messages import (
    MACHINE,
    SUBSCRIPTION,
    Message,
    a_flat_alert,
    a_graph_row,
    a_table_row,
    an_arm_alert,
    body_of,
    read_alert,
    read_quarantined,
)

CATALOGUE = load_catalogue()


def a_row(product: str | None = None, provider: str | None = None, vendor: str | None = "Microsoft") -> Message:
    """A row of the table with the three names that say whose it is."""
    return a_table_row(ProductName=product, ProviderName=provider, VendorName=vendor)


def without_sign(product: str | None = None, provider: str | None = "MDATP", **more: str) -> Message:
    """A row that is of no plan, no type and no resource that Defender for Cloud knows."""
    odd = {"ProductComponentName": "Scheduled Alerts", "AlertType": "A_Type_Of_Tomorrow", "ResourceId": ""}
    return a_row(product, provider) | odd | more


SENTINEL, XDR, ENDPOINT = "Microsoft Sentinel", "Microsoft Defender XDR", "Microsoft Defender for Endpoint"
THEIRS: list[tuple[Message, str, str]] = [
    (a_row("Azure Sentinel", "ASI Scheduled Alerts"), SENTINEL, "ProviderName"),
    (a_row("Azure Sentinel", "ASI NRT Alerts"), SENTINEL, "ProviderName"),
    (a_row("Microsoft Sentinel"), SENTINEL, "ProductName"),
    (a_row(None, "CustomAlertRule", "Alert Rule"), SENTINEL, "ProviderName"),
    (a_row(None, None, "Alert Rule"), SENTINEL, "VendorName"),
    # The author of a rule chooses what its rows say of a product.
    (a_row("Microsoft Defender for Cloud", "ASI Scheduled Alerts"), SENTINEL, "ProviderName"),
    (a_row("Microsoft Defender for Servers", "ASI Scheduled Alerts"), SENTINEL, "ProviderName"),
    (a_row("Azure Sentinel (Preview)"), SENTINEL, "ProductName"),
    (a_flat_alert(ProductName="Azure Sentinel"), SENTINEL, "ProductName"),
    (a_row("Microsoft 365 Defender", "Microsoft 365 Defender"), XDR, "ProductName"),
    (a_row("microsoft defender  XDR"), XDR, "ProductName"),
    (a_row("Microsoft Defender XDR", "MDATP"), XDR, "ProductName"),
    (a_row("Microsoft Defender Advanced Threat Protection", "MDATP"), ENDPOINT, "ProductName"),
    (a_row("Defender for Endpoint", "MDATP"), ENDPOINT, "ProductName"),
    (without_sign(), ENDPOINT, "ProviderName"),
    (without_sign(ResourceId=MACHINE), ENDPOINT, "ProviderName"),
    (without_sign(AlertType="VM_Example"), ENDPOINT, "ProviderName"),
    (a_row("Microsoft Cloud App Security", "MCAS"), "Microsoft Defender for Cloud Apps", "ProductName"),
    (a_row("Microsoft Defender for Cloud Apps (Preview)"), "Microsoft Defender for Cloud Apps", "ProductName"),
    (a_row("Azure Advanced Threat Protection"), "Microsoft Defender for Identity", "ProductName"),
    (a_row("Azure Active Directory Identity Protection", "IPC"), "Microsoft Entra ID Protection", "ProductName"),
    (a_row("Office 365 Advanced Threat Protection", "OATP"), "Microsoft Defender for Office 365", "ProductName"),
    (a_row("Azure Security Center for IoT", "IoTSecurity"), "Microsoft Defender for IoT", "ProductName"),
]


PLANS = ["Servers", "Storage", "SQL", "Containers", "DNS", "Databases", "APIs", "AI"]
OUR_NAMES = [
    "Azure Security Center",
    "Defender for Cloud",
    "Microsoft Defender for Cloud (Preview)",
    "microsoft defender  for cloud",
    "Azure Defender for Storage",
    *(f"Microsoft Defender for {plan}" for plan in (*PLANS, "Key Vault", "App Service", "a plan of tomorrow")),
]
"""What Defender for Cloud is called, plan by plan."""


def test_whatever_is_not_named_as_anothers_is_read(subtests: pytest.Subtests) -> None:
    """Defender's names, what it relays, partners, unknown names and none at all are alerts."""
    for row in (
        # What Defender for Cloud relays is its own.
        *(a_row(name, provider) for name in OUR_NAMES for provider in (name, "MDATP", "Microsoft Defender XDR")),
        a_row("Microsoft Defender for Cloud", "Microsoft 365 Defender"),
        a_row("Microsoft 365 Defender", "Microsoft Defender for Cloud"),
        a_row("Microsoft 365 Defender", "Microsoft Defender for Servers"),
        # It has plans, and other words for itself.
        without_sign("Microsoft Defender for Databases"),
        without_sign("A product of tomorrow"),
        without_sign(ProductComponentName=" storage accounts"),
        without_sign(AlertType="VM_Example", ResourceId=f" {MACHINE}"),
        # What is not known is no other product's.
        a_row(None, "InternalDemo", "F5 WAF"),
        a_row("A product of tomorrow", "Another provider", "A partner"),
        a_row(None, None, None),
        a_row("", " ", ""),
        a_flat_alert(ProductName=None),
        a_flat_alert(ProductName=["Azure Sentinel"]),
    ):
        with subtests.test(product=row["ProductName"], provider=row.get("ProviderName")):
            assert read_alert(row).title


def test_another_products_alert_is_refused_in_every_form(subtests: pytest.Subtests) -> None:
    """A document of Azure Resource Manager is written by hand as easily as a row; its type proves nothing."""
    for document in (an_arm_alert(), a_graph_row()):
        held = {key: one for key, one in document["properties"].items() if not key.lower().endswith("name")}
        for key, name, named in (
            ("productName", "Azure Sentinel", SENTINEL),
            ("providerName", "ASI Scheduled Alerts", SENTINEL),
            ("vendorName", "Alert Rule", SENTINEL),
            ("productName", "Microsoft Defender Advanced Threat Protection", ENDPOINT),
        ):
            with subtests.test(name, form=document["type"]):
                refused = read_quarantined(document | {"properties": held | {key: name}})
                at_fault = key[0].upper() + key[1:]
                assert (refused.reason.code, refused.at_fault) == (Code.UNKNOWN_SHAPE, f"properties.{at_fault}")
                assert refused.reason.words.startswith(f"an alert of {named} ({at_fault} ")
        for product in ("Microsoft Defender for Storage", "A product of tomorrow", None):
            named_so = document["properties"] | {"productName": product, "ProductName": product}
            assert read_alert(document | {"properties": named_so}).title


def test_another_products_row_is_quarantined(subtests: pytest.Subtests) -> None:
    """The reason names product and column. Who provides an alert of ours, such as `Detection`, is no product."""
    for row, named, at_fault in THEIRS:
        with subtests.test(product=row["ProductName"], provider=row.get("ProviderName"), named=named):
            refused = read_quarantined(row)
            assert (refused.reason.code, refused.at_fault) == (Code.UNKNOWN_SHAPE, at_fault)
            assert refused.reason.words.startswith(f"an alert of {named} ({at_fault} ")
    assert [read_alert(a_row(product, "Detection")).product for product in (None, "Azure Security Center")] == [
        None, "Azure Security Center",
    ]  # fmt: skip


def the_plan_of(type: str | None, resource: str | None, component: str | None = None, **extended: object) -> str | None:
    """The plan of an alert of a type, on a resource of a provider."""
    id = f"{SUBSCRIPTION}/resourceGroups/rg-web/providers/{resource}" if resource else None
    where = {"AzureResourceId": id, "ResourceIdentifiers": None, "ExtendedProperties": extended}
    message = a_flat_alert(AlertType=type, ProductComponentName=component, **where)
    (alert,) = read_signals(body_of(message), CATALOGUE)
    assert isinstance(alert, Alert), alert
    return alert.plan


def test_an_unknown_type_has_the_plan_of_its_resource() -> None:
    """Where neither component nor type names a plan, the resource's type does, whatever its case, or the type above it."""
    resources = {
        "Microsoft.Compute/virtualMachines/vm-01": "VirtualMachines",
        "microsoft.compute/VIRTUALMACHINES/vm-01": "VirtualMachines",
        "Microsoft.Compute/virtualMachineScaleSets/vmss/virtualMachines/0": "VirtualMachines",
        "Microsoft.Compute/virtualMachines/vm-01/extensions/script": "VirtualMachines",
        "Microsoft.HybridCompute/machines/arc-01": "VirtualMachines",
        "Microsoft.ContainerService/managedClusters/aks": "Containers",
        "Microsoft.Kubernetes/connectedClusters/arc": "Containers",
        "Microsoft.ContainerRegistry/registries/acr": "Containers",
        "Microsoft.Web/sites/shop": "AppServices",
        "Microsoft.Web/sites/shop/slots/green": "AppServices",
        "Microsoft.Storage/storageAccounts/st": "StorageAccounts",
        "Microsoft.Sql/servers/sql": "SqlServers",
        "Microsoft.Sql/servers/sql/databases/db": "SqlServers",
        "Microsoft.Sql/managedInstances/mi": "SqlServers",
        "Microsoft.SqlVirtualMachine/sqlVirtualMachines/vm-01": "SqlServerVirtualMachines",
        "Microsoft.KeyVault/vaults/kv": "KeyVaults",
        "Microsoft.DocumentDB/databaseAccounts/cosmos": "CosmosDbs",
        "Microsoft.DBforPostgreSQL/flexibleServers/pg": "OpenSourceRelationalDatabases",
        "Microsoft.DBforMySQL/servers/my": "OpenSourceRelationalDatabases",
        "Microsoft.CognitiveServices/accounts/openai": "AI",
        "Microsoft.ApiManagement/service/apim/apis/orders": "Api",
        "Microsoft.Logic/workflows/flow": None,
        None: None,
    }
    for type in ("X", "SUSPECT_SVCHOST", "SIMULATED_AKS_NeverListed"):
        assert {resource: the_plan_of(type, resource) for resource in resources} == resources


def test_the_plan_of_the_component_and_then_that_of_the_type_wins() -> None:
    """A type says more than the resource that it was seen on. Outside Azure Defender's word does, where the id says nothing."""
    machine = "Microsoft.Compute/virtualMachines/vm-01"
    plans = {
        "SQL.VM_BruteForce": "SqlServerVirtualMachines",
        "SQL.VM_NeverListed": "SqlServerVirtualMachines",
        "AzureDNS_NeverListed": "Dns",
        "AppServices_CurlToDisk": "AppServices",
    }
    assert {type: the_plan_of(type, machine) for type in plans} == plans
    assert the_plan_of("SQL.VM_BruteForce", machine, "Containers") == "Containers"
    assert the_plan_of("X", machine, "testName") == "VirtualMachines"
    assert the_plan_of("X", machine, "", ProductComponentName="Storage Accounts") == "StorageAccounts"
    connector = "Microsoft.Security/securityConnectors/aws/securityentitydata/prod"
    words: dict[str, str | None] = {
        "Virtual Machine": "VirtualMachines",
        "AWS EKS Cluster": "Containers",
        "GCP GKE Cluster": "Containers",
        "Kubernetes – Azure Arc": "Containers",
        "Spaceship": None,
    }
    assert {word: the_plan_of("X", connector, resourceType=word) for word in words} == words
    assert the_plan_of("X", connector, resourceType=["Virtual Machine"]) is None
    assert {the_plan_of("X", "Microsoft.Web/sites/shop", resourceType=word) for word in words} == {"AppServices"}
