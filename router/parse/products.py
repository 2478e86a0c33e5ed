"""Whose alert a row of the SecurityAlert table is: the table holds those of every product that a workspace is connected to.

What is another's is told by names that the table below has, never by a name that is merely unknown: partners' alerts that
Defender for Cloud relays, and products that are renamed, are read. A row that names no product is nobody else's.
"""

from __future__ import annotations

from router.domain.memoize import remembered
from router.domain.reasons import Code
from router.parse.fields import Fields, text_in
from router.parse.refusals import MessageRefused

_OURS = frozenset({"azuresecuritycenter", "microsoftdefenderforcloud", "azuredefender", "asc"})
"""What Defender for Cloud calls itself, or did."""

# Names as `_word_of` makes them. Products: what Sentinel's connectors write, as rules that create incidents name it; providers:
# the ProviderName of the same rows. https://learn.microsoft.com/azure/sentinel/create-incidents-from-alerts
_SENTINEL = "Microsoft Sentinel"
_XDR = "Microsoft Defender XDR"
_ENDPOINT = "Microsoft Defender for Endpoint"
_IDENTITY = "Microsoft Defender for Identity"
_CLOUD_APPS = "Microsoft Defender for Cloud Apps"
_OFFICE = "Microsoft Defender for Office 365"
_IOT = "Microsoft Defender for IoT"
_ENTRA = "Microsoft Entra ID Protection"
_PURVIEW = "Microsoft Purview"

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

_BETWEEN = "\x1f"


def refuse_foreign(fields: Fields) -> None:
    """Raises MessageRefused (unknown_shape), naming the product, where a row is another product's."""
    product, provider, vendor = (text_in(fields, name) or "" for name in ("productname", "providername", "vendorname"))
    found = _find_foreign(_BETWEEN.join((product, provider, vendor)))
    if found is not None:
        column, whose = found
        written = (text_in(fields, column.lower()) or "").strip()[:100]
        words = f"an alert of {whose} ({column} {written}), not of Microsoft Defender for Cloud"
        raise MessageRefused(Code.UNKNOWN_SHAPE, words, column)


@remembered
def _find_foreign(names: str) -> tuple[str, str] | None:
    """The column that tells another product, and the product, by the three names; None for an alert of ours."""
    product, provider, vendor, *_ = (_word_of(written) for written in names.split(_BETWEEN))
    if provider in _RULES:
        return "ProviderName", _RULES[provider]
    if not _OURS.isdisjoint((product, provider)):
        return None
    tables = (
        ("ProductName", _PRODUCTS, product),
        ("ProviderName", _PROVIDERS, provider),
        ("VendorName", _VENDORS, vendor),
    )
    return next(((column, table[word]) for column, table, word in tables if word in table), None)


def _word_of(written: str) -> str:
    """A name without case, blanks and punctuation."""
    return "".join(letter for letter in written.lower() if letter.isalnum())
