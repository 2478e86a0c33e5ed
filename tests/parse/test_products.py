"""Whose an alert is, in a row of the SecurityAlert table or another form; all of these are constructed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from router.domain.decisions import Code
from tests.parse.messages import (
    MACHINE,
    Message,
    a_flat_alert,
    a_graph_row,
    a_table_row,
    an_arm_alert,
    read_alert,
    read_quarantined,
)

OUR_NAMES = (
    "Defender for Cloud",
    "Microsoft Defender for Cloud (Preview)",
    "microsoft defender  for cloud",
    "Azure Defender for Storage",
    *(
        f"Microsoft Defender for {plan}"
        for plan in (
            "Servers", "Storage", "SQL", "Containers", "Key Vault", "App Service", "DNS", "Resource Manager",
            "Databases", "Azure Cosmos DB", "APIs", "AI", "a plan of tomorrow",
        )
    ),
)  # fmt: skip
"""What Defender for Cloud is called, plan by plan."""


def a_row(product: str | None = None, provider: str | None = None, vendor: str | None = "Microsoft") -> Message:
    """A row of the table with the three names that say whose it is."""
    return a_table_row(ProductName=product, ProviderName=provider, VendorName=vendor)


def without_sign(product: str | None = None, provider: str | None = None) -> Message:
    """A row that is of no plan, no type and no resource that Defender for Cloud knows."""
    odd = {"ProductComponentName": "Scheduled Alerts", "AlertType": "A_Type_Of_Tomorrow", "ResourceId": ""}
    return a_row(product, provider) | odd


@pytest.mark.parametrize(
    ("row", "named", "at_fault"),
    [
        (a_row("Azure Sentinel", "ASI Scheduled Alerts"), "Microsoft Sentinel", "ProviderName"),
        (a_row("Azure Sentinel", "ASI NRT Alerts"), "Microsoft Sentinel", "ProviderName"),
        (a_row("Microsoft Sentinel"), "Microsoft Sentinel", "ProductName"),
        (a_row(None, "CustomAlertRule", "Alert Rule"), "Microsoft Sentinel", "ProviderName"),
        (a_row(None, None, "Alert Rule"), "Microsoft Sentinel", "VendorName"),
        # The author of a rule chooses what its rows say of a product.
        (a_row("Microsoft Defender for Cloud", "ASI Scheduled Alerts"), "Microsoft Sentinel", "ProviderName"),
        (a_row("Microsoft 365 Defender", "Microsoft 365 Defender"), "Microsoft Defender XDR", "ProductName"),
        (a_row("microsoft defender  XDR"), "Microsoft Defender XDR", "ProductName"),
        (
            a_row("Microsoft Defender Advanced Threat Protection", "MDATP"),
            "Microsoft Defender for Endpoint",
            "ProductName",
        ),
        (without_sign(provider="MDATP"), "Microsoft Defender for Endpoint", "ProviderName"),
        (without_sign(provider="MDATP") | {"ResourceId": MACHINE}, "Microsoft Defender for Endpoint", "ProviderName"),
        (
            without_sign(provider="MDATP") | {"AlertType": "VM_Example"},
            "Microsoft Defender for Endpoint",
            "ProviderName",
        ),
        (a_row("Microsoft Cloud App Security", "MCAS"), "Microsoft Defender for Cloud Apps", "ProductName"),
        (a_row("Azure Advanced Threat Protection"), "Microsoft Defender for Identity", "ProductName"),
        (a_row("Azure Active Directory Identity Protection", "IPC"), "Microsoft Entra ID Protection", "ProductName"),
        (a_row("Office 365 Advanced Threat Protection", "OATP"), "Microsoft Defender for Office 365", "ProductName"),
        (a_row("Azure Security Center for IoT", "IoTSecurity"), "Microsoft Defender for IoT", "ProductName"),
        (a_flat_alert(ProductName="Azure Sentinel"), "Microsoft Sentinel", "ProductName"),
        (a_row("Azure Sentinel (Preview)"), "Microsoft Sentinel", "ProductName"),
        (a_row("Defender for Endpoint", "MDATP"), "Microsoft Defender for Endpoint", "ProductName"),
        (a_row("Microsoft Defender for Cloud Apps (Preview)"), "Microsoft Defender for Cloud Apps", "ProductName"),
        (a_row("Microsoft Defender for Servers", "ASI Scheduled Alerts"), "Microsoft Sentinel", "ProviderName"),
        (a_row("Microsoft Defender XDR", "MDATP"), "Microsoft Defender XDR", "ProductName"),
    ],
)
def test_another_products_row_is_quarantined(row: Message, named: str, at_fault: str) -> None:
    """It is of no shape of ours, and the reason names the product and the column that tells it."""
    refused = read_quarantined(row)
    assert (refused.reason.code, refused.at_fault) == (Code.UNKNOWN_SHAPE, at_fault)
    assert refused.reason.words.startswith(f"an alert of {named} ({at_fault} ")


@pytest.mark.parametrize(
    "row",
    [
        a_row("Azure Security Center", "Azure Security Center"),
        a_row("Microsoft Defender for Cloud", "Microsoft Defender for Cloud"),
        # What Defender for Cloud relays is its own.
        a_row("Azure Security Center", "MDATP"),
        a_row("Microsoft Defender for Cloud", "MDATP"),
        a_row("Microsoft Defender for Cloud", "Microsoft 365 Defender"),
        a_row("Microsoft 365 Defender", "Microsoft Defender for Cloud"),
        # It has plans, and other words for itself.
        *(a_row(name, provider) for name in OUR_NAMES for provider in ("MDATP", "Microsoft Defender XDR")),
        a_row("Microsoft 365 Defender", "Microsoft Defender for Servers"),
        without_sign("Microsoft Defender for Databases", "MDATP"),
        without_sign("A product of tomorrow", "MDATP"),
        without_sign(None, "MDATP") | {"ProductComponentName": " storage accounts"},
        without_sign(None, "MDATP") | {"AlertType": "VM_Example", "ResourceId": f" {MACHINE}"},
        # What is not known is nobody else's.
        a_row(None, "Detection"),
        a_row(None, "InternalDemo", "F5 WAF"),
        a_row(None, "InternalDemo", "Deep Security Agent"),
        a_row("A product of tomorrow", "Another provider", "A partner"),
        a_row(None, None, None),
        a_row("", " ", ""),
        a_flat_alert(ProductName=None),
        a_flat_alert(ProductName=["Azure Sentinel"]),
    ],
)
def test_whatever_is_not_named_as_anothers_is_read(row: Message) -> None:
    """Defender's names, what it relays, partners, unknown names and none at all are alerts."""
    assert read_alert(row).title


@pytest.mark.parametrize("build", [an_arm_alert, a_graph_row])
@pytest.mark.parametrize(
    ("names", "named", "at_fault"),
    [
        ({"productName": "Azure Sentinel"}, "Microsoft Sentinel", "ProductName"),
        ({"productName": None, "providerName": "ASI Scheduled Alerts"}, "Microsoft Sentinel", "ProviderName"),
        ({"productName": None, "vendorName": "Alert Rule"}, "Microsoft Sentinel", "VendorName"),
        (
            {"productName": "Microsoft Defender Advanced Threat Protection"},
            "Microsoft Defender for Endpoint",
            "ProductName",
        ),
    ],
)
def test_another_products_alert_is_refused_in_every_form(
    build: Callable[..., Message], names: Message, named: str, at_fault: str
) -> None:
    """A document of Azure Resource Manager is written by hand as easily as a row; its type proves nothing."""
    document = build()
    properties = {key: held for key, held in document["properties"].items() if not key.lower().endswith("name")}
    refused = read_quarantined(document | {"properties": properties | names})
    assert (refused.reason.code, refused.at_fault) == (Code.UNKNOWN_SHAPE, f"properties.{at_fault}")
    assert refused.reason.words.startswith(f"an alert of {named} ({at_fault} ")


@pytest.mark.parametrize("build", [an_arm_alert, a_graph_row])
@pytest.mark.parametrize("product", ["Microsoft Defender for Storage", "A product of tomorrow", None])
def test_whatever_is_not_anothers_is_read_in_every_form(build: Callable[..., Message], product: str | None) -> None:
    """Plans, unknown products and none at all are alerts there, too."""
    document = build()
    properties = {key: held for key, held in document["properties"].items() if key.lower() != "productname"}
    assert read_alert(document | {"properties": properties | {"productName": product}}).title


@pytest.mark.parametrize(("product", "told"), [(None, None), ("Azure Security Center", "Azure Security Center")])
def test_who_provides_an_alert_is_no_product(product: str | None, told: str | None) -> None:
    """A row's provider may be a detector of Defender's own, `Detection`, which is the name of nothing that people know."""
    assert read_alert(a_row(product, "Detection")).product == told
