"""Whose a row of the SecurityAlert table is; all of these rows are constructed."""

from __future__ import annotations

import pytest

from router.domain.reasons import Code
from tests.parse.messages import (
    Message,
    a_flat_alert,
    a_graph_row,
    a_table_row,
    an_arm_alert,
    read_alert,
    read_quarantined,
)


def a_row(product: str | None = None, provider: str | None = None, vendor: str | None = "Microsoft") -> Message:
    """A row of the table with the three names that say whose it is."""
    return a_table_row(ProductName=product, ProviderName=provider, VendorName=vendor)


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
        (a_row(None, "MDATP"), "Microsoft Defender for Endpoint", "ProviderName"),
        (a_row("Microsoft Cloud App Security", "MCAS"), "Microsoft Defender for Cloud Apps", "ProductName"),
        (a_row("Azure Advanced Threat Protection"), "Microsoft Defender for Identity", "ProductName"),
        (a_row("Azure Active Directory Identity Protection", "IPC"), "Microsoft Entra ID Protection", "ProductName"),
        (a_row("Office 365 Advanced Threat Protection", "OATP"), "Microsoft Defender for Office 365", "ProductName"),
        (a_row("Azure Security Center for IoT", "IoTSecurity"), "Microsoft Defender for IoT", "ProductName"),
        (a_flat_alert(ProductName="Azure Sentinel"), "Microsoft Sentinel", "ProductName"),
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
def test_what_defenders_own_api_gives_is_defenders(build: object) -> None:
    """Only the table is shared: an alert of Microsoft.Security is Defender's, whatever product it names."""
    assert callable(build)
    assert read_alert(build(productName="Microsoft Defender Advanced Threat Protection")).title
