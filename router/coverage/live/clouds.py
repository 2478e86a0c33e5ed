"""Azure's clouds: where Resource Manager and Log Analytics are, and which token opens each. Pure.

https://learn.microsoft.com/azure/azure-government/compare-azure-government-global-azure#guidance-for-developers,
https://learn.microsoft.com/azure/china/resources-developer-guide
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureCloud:
    """The endpoints of one of Azure's clouds.

    Attributes:
        resource_manager: that of Azure Resource Manager and Resource Graph, as `https://HOST`.
        log_analytics: that of the query API of Log Analytics, in the same form.
    """

    resource_manager: str = "https://management.azure.com"
    log_analytics: str = "https://api.loganalytics.io"

    def find_scope(self, url: str) -> str | None:
        """The scope of the token that a request needs; None where its host is none of the cloud's own."""
        try:
            parts = urlsplit(url)
        except ValueError:
            return None
        # Some services write the port of https into the link to their next page.
        host = parts.netloc.removesuffix(":443") if parts.scheme == "https" else parts.netloc
        for endpoint in (self.resource_manager, self.log_analytics):
            if f"{parts.scheme}://{host}".lower() == endpoint.lower():
                return f"{endpoint}/.default"
        return None


PUBLIC = AzureCloud()

_CLOUDS = (
    PUBLIC,
    AzureCloud(resource_manager="https://management.usgovcloudapi.net", log_analytics="https://api.loganalytics.us"),
    AzureCloud(
        resource_manager="https://management.chinacloudapi.cn", log_analytics="https://api.loganalytics.azure.cn"
    ),
)


def cloud_for(resource_manager: str | None, log_analytics: str | None) -> AzureCloud:
    """The cloud whose Resource Manager is there, by default the public one; another endpoint has both where it says."""
    manager = resource_manager or PUBLIC.resource_manager
    known = next((one for one in _CLOUDS if one.resource_manager == manager.lower()), None)
    return AzureCloud(
        resource_manager=manager,
        log_analytics=log_analytics or (known.log_analytics if known is not None else manager),
    )
