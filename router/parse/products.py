"""Whose alert a row of the SecurityAlert table is: the table holds those of every product that a workspace is connected to.

What is another's is told by names that the table below has, never by a name that is merely unknown: partners' alerts that
Defender for Cloud relays, and products that are renamed, are read. A row that names no product is nobody else's.
"""

from __future__ import annotations

from router.domain.reasons import Code
from router.parse.fields import Fields, text_in
from router.parse.refusals import MessageRefused

_OURS = frozenset({"azuresecuritycenter", "microsoftdefenderforcloud", "azuredefender", "asc"})
"""What Defender for Cloud calls itself, or did."""

# Names as `_word_of` makes them. Products: what Sentinel's connectors write, as its incident creation rules and queries name it,
# https://learn.microsoft.com/azure/sentinel/create-incidents-from-alerts; providers: the same rows' ProviderName.
_SENTINEL = "Microsoft Sentinel"
_XDR = "Microsoft Defender XDR"
_ENDPOINT = "Microsoft Defender for Endpoint"
_IDENTITY = "Microsoft Defender for Identity"
_CLOUD_APPS = "Microsoft Defender for Cloud Apps"
_OFFICE = "Microsoft Defender for Office 365"
_IOT = "Microsoft Defender for IoT"
_ENTRA = "Microsoft Entra ID Protection"
_PURVIEW = "Microsoft Purview"
_MONITOR = "Azure Monitor"

_PRODUCTS = {
    "azuresentinel": _SENTINEL,
    "microsoftsentinel": _SENTINEL,
    "microsoft365defender": _XDR,
    "microsoftdefenderxdr": _XDR,
    "microsoftxdr": _XDR,
    "m365defender": _XDR,
    "microsoftthreatprotection": _XDR,
    "microsoftdefenderadvancedthreatprotection": _ENDPOINT,
    "windowsdefenderadvancedthreatprotection": _ENDPOINT,
    "microsoftdefenderforendpoint": _ENDPOINT,
    "microsoftdefenderatp": _ENDPOINT,
    "windowsdefenderatp": _ENDPOINT,
    "azureadvancedthreatprotection": _IDENTITY,
    "microsoftdefenderforidentity": _IDENTITY,
    "azureatp": _IDENTITY,
    "microsoftcloudappsecurity": _CLOUD_APPS,
    "microsoftdefenderforcloudapps": _CLOUD_APPS,
    "office365advancedthreatprotection": _OFFICE,
    "microsoftdefenderforoffice365": _OFFICE,
    "office365": _OFFICE,
    "office365securityandcompliance": _PURVIEW,
    "microsoftpurview": _PURVIEW,
    "microsoftpurviewinsiderriskmanagement": _PURVIEW,
    "microsoftinsiderriskmanagement": _PURVIEW,
    "microsoft365insiderriskmanagement": _PURVIEW,
    "microsoftdatalossprevention": _PURVIEW,
    "microsoftpurviewdatalossprevention": _PURVIEW,
    "azuresecuritycenterforiot": _IOT,
    "azuredefenderforiot": _IOT,
    "microsoftdefenderforiot": _IOT,
    "azureactivedirectoryidentityprotection": _ENTRA,
    "azureadidentityprotection": _ENTRA,
    "aadidentityprotection": _ENTRA,
    "microsoftentraidprotection": _ENTRA,
    "entraidprotection": _ENTRA,
    "microsoftappgovernance": _CLOUD_APPS,
    "appgovernance": _CLOUD_APPS,
    "azuremonitor": _MONITOR,
}
"""Products that are not Defender for Cloud."""

_PROVIDERS = {
    **_PRODUCTS,
    "mdatp": _ENDPOINT,
    "aatp": _IDENTITY,
    "mcas": _CLOUD_APPS,
    "oatp": _OFFICE,
    "officeatp": _OFFICE,
    "ipc": _ENTRA,
    "microsoftendpointdlp": _PURVIEW,
    "iotsecurity": _IOT,
    "mtp": _XDR,
}
"""Providers of other products' alerts; Defender for Cloud relays some of them, and then it is the product."""

_RULES = {
    "asischeduledalerts": _SENTINEL,
    "asinrtalerts": _SENTINEL,
    "asifusionalerts": _SENTINEL,
    "asimlanalytics": _SENTINEL,
    "asithreatintelligence": _SENTINEL,
    "customalertrule": _SENTINEL,
}
"""Sentinel's rules: their authors choose what the row says of a product, so that the provider alone tells.

https://learn.microsoft.com/azure/sentinel/customize-alert-details
"""

_VENDORS = {"alertrule": _SENTINEL}
"""Vendors that stand for a product."""

_COLUMNS = ("ProductName", "ProviderName", "VendorName")


def refuse_foreign(fields: Fields) -> None:
    """Raises MessageRefused (unknown_shape), naming the product, where a row is another product's."""
    product, provider, vendor = (_word_of(text_in(fields, column.lower())) for column in _COLUMNS)
    for column, names, word in (
        ("ProviderName", _RULES, provider),
        *([] if _OURS & {product, provider} else [("ProductName", _PRODUCTS, product), ("ProviderName", _PROVIDERS, provider)]),
        *([] if product or provider in _OURS else [("VendorName", _VENDORS, vendor)]),
    ):
        if (whose := names.get(word)) is not None:
            written = (text_in(fields, column.lower()) or "").strip()[:100]
            words = f"an alert of {whose} ({column} {written}), not of Microsoft Defender for Cloud"
            raise MessageRefused(Code.UNKNOWN_SHAPE, words, column)


def _word_of(written: str | None) -> str:
    return "".join(letter for letter in (written or "").lower() if letter.isalnum())
