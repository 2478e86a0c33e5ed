"""What Resource Graph is asked: each query projects `id`, without which it would give no page but the first. Pure.

https://learn.microsoft.com/azure/governance/resource-graph/reference/supported-tables-resources
"""

from __future__ import annotations

from router.coverage.live.resource_graph import GraphQuery
from router.coverage.plans.needs import TYPES_QUERY
from router.coverage.workloads import (
    AKS_CLUSTER,
    ARC_CLUSTER,
    ARC_MACHINE,
    RESOURCE_KINDS,
    SCALE_SET,
    SQL_ON_MACHINES,
    VIRTUAL_MACHINE,
)
from router.domain.recommendation_table import RECOMMENDATIONS


def _types(*types: str) -> str:
    return f"type in~ ({', '.join(_text(one) for one in types)})"


def _text(text: str) -> str:
    """A text as the query language writes it. https://learn.microsoft.com/kusto/query/scalar-data-types/string"""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _recommendations() -> str:
    """Those that mean that something is missing, by key, and by title where Microsoft documents no key."""
    asked = [one for one in RECOMMENDATIONS if one.retired != "deprecated"]
    keys = [_text(one.key) for one in asked if one.key is not None]
    titles = [
        _text(form.format(one.title))
        for one in asked
        if one.key is None and one.has_official_title
        for form in ("{}", "[Preview] {}", "[Preview]: {}", "(Preview) {}", "{} (Preview)")
    ]
    by_title = f" or tostring(properties.displayName) in~ ({', '.join(titles)})" if titles else ""
    return (
        "securityresources | where type =~ 'microsoft.security/assessments'"
        f" | where name in~ ({', '.join(keys)}){by_title}"
        " | project id, name, type, displayName = properties.displayName, status = properties.status,"
        " resourceDetails = properties.resourceDetails, assessmentType = properties.metadata.assessmentType"
    )


_EXTENSIONS = (f"{VIRTUAL_MACHINE}/extensions", f"{ARC_MACHINE}/extensions")

SUBSCRIPTIONS = GraphQuery(
    "subscriptions",
    "resourcecontainers | where type =~ 'microsoft.resources/subscriptions'"
    " | project id, name, type, subscriptionId, tags, state = properties.state",
)
"""The subscriptions that can be read."""

PRICINGS = GraphQuery(
    "pricings",
    "securityresources | where type =~ 'microsoft.security/pricings' | project id, name, type, properties",
)
"""The plans of subscriptions."""

_MACHINES = (
    f"resources | where {_types(VIRTUAL_MACHINE, ARC_MACHINE)}"
    " | project id, name, type, location, tags, properties, machine = tolower(id)"
    f" | join kind=leftouter (resources | where {_types(*_EXTENSIONS)}"
    " and properties.type in~ ('MDE.Linux', 'MDE.Windows')"
    " | project machine = tostring(split(tolower(id), '/extensions/')[0]), name1 = name, properties1 = properties) on machine"
    " | project id, name, type, location, tags, properties, name1, properties1"
)
"""Each machine with its extension of Defender for Endpoint, or with none: a list of extensions leaves those machines out.
https://github.com/Azure/Microsoft-Defender-for-Cloud, its workbook of the deployment of Defender for Servers"""

QUERIES = (
    PRICINGS,
    GraphQuery("types of resources", TYPES_QUERY),
    GraphQuery("recommendations", _recommendations()),
    GraphQuery(
        "clusters",
        f"resources | where {_types(AKS_CLUSTER, ARC_CLUSTER)} | project id, name, type, location, tags, properties",
    ),
    GraphQuery(
        "extensions of clusters",
        "kubernetesconfigurationresources | where type =~ 'microsoft.kubernetesconfiguration/extensions'"
        " | project id, name, type, properties",
    ),
    GraphQuery("machines", _MACHINES),
    GraphQuery(
        "scale sets",
        f"resources | where {_types(SCALE_SET)} | project id, name, type, location, tags, sku, properties",
    ),
    GraphQuery(
        "extensions of machines",
        f"resources | where {_types(*_EXTENSIONS)}"
        " and properties.publisher in~ ('Microsoft.Azure.AzureDefenderForServers', 'Microsoft.Azure.AzureDefenderForSQL')"
        " | project id, name, type, location, properties",
    ),
    GraphQuery(
        "SQL Servers on machines",
        f"resources | where {_types(*SQL_ON_MACHINES)} | project id, name, type, location, tags, properties",
    ),
    GraphQuery(
        "databases, storage accounts and registries",
        f"resources | where {_types(*RESOURCE_KINDS)} | project id, name, type, location, tags",
    ),
    GraphQuery(
        "connectors",
        "resources | where type =~ 'microsoft.security/securityconnectors' | project id, name, type, tags, properties",
    ),
)
"""What is asked of the subscriptions that are known."""

TAGS = GraphQuery(
    "tags",
    "resources | union resourcecontainers | project id, tags",
)
"""The tags of every resource, resource group and subscription, also of those without any, so that a tag which was taken off is
known to be gone. A query may unite these two tables.
https://learn.microsoft.com/azure/governance/resource-graph/concepts/query-language"""
