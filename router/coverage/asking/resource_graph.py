"""Questions to Azure Resource Graph: few calls over many subscriptions, with all their pages.

A page has 1,000 rows at the most, and the next one comes only if a query projects `id`. What cannot be read is missing from
the rows without a word, so that it must be known which subscriptions to expect.
https://learn.microsoft.com/azure/governance/resource-graph/concepts/work-with-data,
https://learn.microsoft.com/rest/api/azureresourcegraph/resourcegraph/resources/resources,
https://learn.microsoft.com/azure/governance/resource-graph/reference/supported-tables-resources
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import batched
from typing import NamedTuple

from router.coverage.asking.arm import READER, Documents, object_in, partly, refused
from router.coverage.asking.azure_api import AzureCloud
from router.coverage.asking.patience import Send
from router.coverage.documents import parsed_document, rows_in
from router.coverage.fields import find, find_count, find_text, find_truth
from router.coverage.remedies import TYPES_QUERY
from router.coverage.workloads import (
    AKS_CLUSTER,
    ARC_CLUSTER,
    ARC_MACHINE,
    RESOURCE_KINDS,
    SCALE_SET,
    SQL_ON_MACHINES,
    VIRTUAL_MACHINE,
)
from router.domain.conversation import HttpRequest
from router.domain.errors import Unavailable
from router.domain.recommendations import RECOMMENDATIONS
from router.domain.resources import parse_resource_id

LARGEST_BATCH = 1000
"""Subscriptions that one query may name."""

_PATH = "/providers/Microsoft.ResourceGraph/resources?api-version=2022-10-01"
_TOP = 1000
_MOST_PAGES = 500
"""Pages after which an answer that still goes on is cut: half a million rows."""


class GraphQuery(NamedTuple):
    """A query that projects `id`, and what it asks for."""

    title: str
    text: str


def batch_subscriptions(query: GraphQuery, subscriptions: Sequence[str]) -> Iterator[tuple[str, Sequence[str]]]:
    """Return the subscriptions that are asked at once, each with what is asked; one empty batch asks all that can be read."""
    batches = list(batched(subscriptions, LARGEST_BATCH, strict=False)) or [()]
    for number, batch in enumerate(batches):
        first = number * LARGEST_BATCH + 1
        some = f", subscriptions {first:,} to {first + len(batch) - 1:,}" if len(batches) > 1 else ""
        yield f"Resource Graph: {query.title}{some}", batch


async def ask_graph(
    send: Send, cloud: AzureCloud, query: GraphQuery, subscriptions: Sequence[str], name: str
) -> Documents:
    """Return all rows of a query as one document; no document if there are none."""
    rows: list[Mapping[str, object]] = []
    total, tokens, is_cut = 0, [""], False
    reason = ""
    try:
        while True:
            page = await _ask_page(send, cloud, query, subscriptions, tokens[-1])
            rows += page.rows
            total, is_cut = max(total, page.total), page.is_cut
            if page.token is None:
                break
            if page.token in tokens or len(tokens) == _MOST_PAGES:
                raise Unavailable("it goes on, and was not asked further")
            tokens.append(page.token)
        if _count(rows) > total:
            raise Unavailable(f"{_count(rows):,} rows were given, and it says that there are {total:,}")
        if is_cut or _count(rows) < total:
            raise Unavailable(f"cut: {_count(rows):,} of {max(total, _count(rows)):,} rows were given")
    except Unavailable as fault:
        reason = f"page {len(tokens)}: {fault}" if len(tokens) > 1 else str(fault)
    if not rows:
        return (refused(name, reason),) if reason else ()
    answer = {
        "totalRecords": total if reason else _count(rows),
        "count": len(rows),
        "resultTruncated": "true" if reason else "false",
        "data": rows,
    }
    document = parsed_document(answer, name)
    return (partly(document, reason) if reason else document,)


class _GraphPage(NamedTuple):
    rows: Sequence[Mapping[str, object]]
    total: int
    token: str | None
    is_cut: bool


async def _ask_page(
    send: Send, cloud: AzureCloud, query: GraphQuery, subscriptions: Sequence[str], token: str
) -> _GraphPage:
    """One page; raises Unavailable if there is none that says how many rows there are, and is of what was asked."""
    options: dict[str, object] = {"resultFormat": "objectArray", "$top": _TOP, "allowPartialScopes": False}
    if token:
        options["$skipToken"] = token
    asked: dict[str, object] = {"query": query.text, "options": options}
    if subscriptions:
        asked["subscriptions"] = list(subscriptions)
    answer = await send(post(f"{cloud.resource_manager}{_PATH}", asked))
    body = object_in(answer, READER)
    if answer.headers.get("x-ms-tenant-subscription-limit-hit", "").strip().lower() == "true":
        raise Unavailable("cut: the tenant has more subscriptions than one query takes; name them with --subscription")
    found, total = rows_in(body), find_count(body, "totalRecords")
    if found is None or total is None:
        raise Unavailable("the answer has no rows, or does not say how many there are")
    rows = [row for row in found[1] if isinstance(row, Mapping)]
    if len(rows) < len(found[1]):
        raise Unavailable("the answer has rows that are no objects")
    known = frozenset(subscriptions)
    if known and any(_subscription_in(row) not in (None, *known) for row in rows):
        raise Unavailable("the answer is about something else")
    next_token = find_text(body, "$skipToken")
    if next_token is None and find(body, "$skipToken") not in (None, ""):
        raise Unavailable("its $skipToken is no text")
    is_whole = find(body, "resultTruncated") is None or find_truth(body, "resultTruncated") is False
    return _GraphPage(rows, total, next_token, not is_whole and next_token is None)


def post(url: str, body: Mapping[str, object]) -> HttpRequest:
    """Return a question that is asked with a body."""
    headers = {"accept": "application/json", "content-type": "application/json"}
    return HttpRequest(method="POST", url=url, headers=headers, body=json.dumps(body).encode())


def _subscription_in(row: Mapping[str, object]) -> str | None:
    subscription = parse_resource_id(find_text(row, "id")).subscription
    return subscription.lower() if subscription is not None else None


def _count(rows: Sequence[Mapping[str, object]]) -> int:
    """How many rows there are; one that came on two pages counts once."""
    return len({(find_text(row, "id") or f"[{number}]").lower() for number, row in enumerate(rows)})


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
    GraphQuery(
        "pricings",
        "securityresources | where type =~ 'microsoft.security/pricings' | project id, name, type, properties",
    ),
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
