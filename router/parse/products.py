"""Whose alert a message is: Microsoft's tables and APIs of alerts hold those of every product that somebody is connected to.

What is another's is told by names that the tables below have, never by a name that is merely unknown: partners' alerts that
Defender for Cloud relays, products that are renamed, and its plans' own names are read. What names no product is nobody else's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from router.domain.catalogue import Catalogue
from router.domain.memoize import remembered
from router.domain.reasons import Code
from router.parse.fields import Fields, name_in, text_in
from router.parse.refusals import MessageRefused

_OURS = frozenset({"azuresecuritycenter", "microsoftdefenderforcloud", "azuredefender", "asc"})
"""What Defender for Cloud calls itself, or did; its plans, and all else that is `Defender for` something, are its own, too."""

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
_COLUMNS = ("ProductName", "ProviderName", "VendorName")
_ASIDE = re.compile(r"\([^()]{0,100}\)")
_AZURE = "/subscriptions/"


def refuse_foreign(fields: Fields, catalogue: Catalogue, within: str = "") -> None:
    """Raises MessageRefused (unknown_shape), naming the product, where an alert is another product's.

    `within` is the path to the fields in the message, for whoever looks for the one at fault.
    """
    product, provider, vendor = (text_in(fields, name) or "" for name in ("productname", "providername", "vendorname"))
    found = _find_foreign(_BETWEEN.join((product, provider, vendor)))
    if found is None or (found.is_doubtful and _has_sign_of_ours(fields, catalogue)):
        return
    written = (product, provider, vendor)[_COLUMNS.index(found.column)].strip()[:100]
    words = f"an alert of {found.whose} ({found.column} {written}), not of Microsoft Defender for Cloud"
    raise MessageRefused(Code.UNKNOWN_SHAPE, words, within + found.column)


class _Foreign(NamedTuple):
    """That names say another product: the column that tells it, the product, and whether other fields may outweigh it."""

    column: str
    whose: str
    is_doubtful: bool = False


@remembered
def _find_foreign(names: str) -> _Foreign | None:
    """What the three names say; None for an alert of ours."""
    product, provider, vendor, *_ = (_word_of(written) for written in names.split(_BETWEEN))
    if provider in _RULES:
        return _Foreign("ProviderName", _RULES[provider])
    if _is_ours(product) or _is_ours(provider):
        return None
    if whose := _find_in(_PRODUCTS, product):
        return _Foreign("ProductName", whose)
    if not product and (whose := _find_in(_PROVIDERS, provider)):
        return _Foreign("ProviderName", whose, is_doubtful=True)
    return _Foreign("VendorName", _VENDORS[vendor]) if vendor in _VENDORS else None


def _is_ours(word: str) -> bool:
    bare = word.removeprefix("microsoft").removeprefix("azure")
    return word in _OURS or (bare.startswith("defenderfor") and _find_in(_PRODUCTS, word) is None)


def _find_in(table: Mapping[str, str], word: str) -> str | None:
    """The product that a word stands for, with its maker's name or without."""
    return table.get(word) or table.get(f"microsoft{word}")


def _has_sign_of_ours(fields: Fields, catalogue: Catalogue) -> bool:
    """Whether an alert that names no product is of a plan of Defender for Cloud, or of a known type on a resource in Azure."""
    if (name_in(fields, "productcomponentname") or "").lower() in catalogue.plan_names:
        return True
    resource = name_in(fields, "azureresourceid", "resourceid") or ""
    type = name_in(fields, "alerttype") or ""
    return resource.lower().startswith(_AZURE) and catalogue.find_type(type) is not None


def _word_of(written: str) -> str:
    """A name without case, blanks, punctuation, and what stands in brackets, such as (Preview)."""
    return "".join(letter for letter in _ASIDE.sub("", written).lower() if letter.isalnum())
