"""Questions to Azure Resource Manager: lists with all their pages, single objects, and queries of Resource Graph.

A page of Resource Graph has 1,000 rows at the most. What may not be read is missing from the rows without a word, so that it
must be known which subscriptions to expect.
https://learn.microsoft.com/rest/api/azure/#async-operations-throttling-and-paging,
https://learn.microsoft.com/azure/governance/resource-graph/concepts/work-with-data,
https://learn.microsoft.com/rest/api/azureresourcegraph/resourcegraph/resources/resources
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from copy import replace
from itertools import batched
from typing import NamedTuple
from urllib.parse import quote

from router.coverage.asking.azure_api import AzureCloud
from router.coverage.asking.retries import Send
from router.coverage.documents import CoverageDocument, Refusal, parsed_document, refusal_in, rows_in
from router.coverage.fields import find, find_count, find_list, find_text, find_truth
from router.coverage.plans.table import read_toml
from router.coverage.workloads import RESOURCE_KINDS
from router.domain.conversation import HttpAnswer, HttpRequest
from router.domain.errors import Unavailable
from router.domain.readable import one_line
from router.domain.recommendations import RECOMMENDATIONS
from router.domain.resources import parse_resource_id

READER = "Reader"
SECURITY_READER = "Security Reader"
LOG_ANALYTICS_READER = "Log Analytics Reader"
"""The roles that open what is asked, and nothing that could be changed.
https://learn.microsoft.com/azure/role-based-access-control/built-in-roles"""

SECURITY_LISTS = {
    "settings": "2022-05-01",
    "automations": "2023-12-01-preview",
    "alertsSuppressionRules": "2019-01-01-preview",
}
"""What is asked of each subscription since Resource Graph does not have it, with the version of its API.
https://learn.microsoft.com/rest/api/defenderforcloud/"""

LARGEST_BATCH = 1000
"""Subscriptions that one query of Resource Graph may name."""

_GRAPH = "/providers/Microsoft.ResourceGraph/resources?api-version=2022-10-01"
_MOST_LIST_PAGES, _MOST_GRAPH_PAGES = 100, 500
"""Pages after which an answer that still goes on is cut: of a list each has hundreds of rows, of a query 1,000."""

_LONGEST = 300
"""How much of a refusal is repeated."""

type Documents = tuple[CoverageDocument, ...]


def refused(name: str, reason: str) -> CoverageDocument:
    """Return the document of a question that was not answered; its name says what was asked."""
    return CoverageDocument(name=name, refusals=(Refusal(name, reason),))


def partly(document: CoverageDocument, reason: str) -> CoverageDocument:
    """Return a document of which a part is missing; what it has counts, and what it lacks is unknown."""
    return replace(document, refusals=(*document.refusals, Refusal(document.name, reason)))


def object_in(answer: HttpAnswer, role: str) -> Mapping[str, object]:
    """Return the object in an answer; raises Unavailable, which says why there is none. A 403 means that `role` is missing."""
    try:
        body = json.loads(answer.body)
    except (ValueError, RecursionError):
        body = None
    said = refusal_in(body) if isinstance(body, Mapping) else None
    words = f": {one_line(said)[:_LONGEST]}" if said else ""
    if answer.status == 403:
        raise Unavailable(f"403, so that the role {role} is missing{words}")
    if 300 <= answer.status < 400:
        raise Unavailable(f"{answer.status}, and redirects are not followed")
    if answer.status != 200 or said:
        raise Unavailable(f"{answer.status}{words}")
    if not isinstance(body, Mapping):
        raise Unavailable("the answer is no object of JSON")
    return body


async def ask_security_list(send: Send, cloud: AzureCloud, subscription: str, name: str, version: str) -> Documents:
    """Return all rows of one of Defender's lists, as one document that says what it is a list of, also if it is empty."""
    path = f"/subscriptions/{subscription}/providers/Microsoft.Security/{name}"
    rows: list[object] = []
    url: str | None = _url(cloud, path, version)
    seen: set[str] = set()
    try:
        while url is not None:
            seen.add(url)
            body = object_in(await send(_get(url)), SECURITY_READER)
            rows += _rows_in(body, path)
            url = _next_in(body)
            if len(seen) == _MOST_LIST_PAGES or url in seen:
                raise Unavailable("it goes on, and was not asked further")
    except Unavailable as fault:
        if not rows:
            return (refused(f"GET {path}", str(fault)),)
        cut = parsed_document({"id": path, "value": rows, "nextLink": "not asked"}, f"GET {path}")
        return (partly(cut, f"page {len(seen)}: {fault}"),)
    return (parsed_document({"id": path, "value": rows}, f"GET {path}"),)


async def ask_object(send: Send, cloud: AzureCloud, path: str, version: str) -> Documents:
    """Return one object, whose id must be the path: an answer about something else proves nothing."""
    name = f"GET {path}"
    try:
        body = object_in(await send(_get(_url(cloud, path, version))), SECURITY_READER)
        if (find_text(body, "id") or "").strip("/").lower() != path.strip("/").lower():
            raise Unavailable("the answer is about something else")
    except Unavailable as fault:
        return (refused(name, str(fault)),)
    return (parsed_document(body, name),)


def _rows_in(body: Mapping[str, object], path: str) -> list[object]:
    """The rows of a page; raises Unavailable if there are none, or one that is not of the list at the path."""
    rows = find_list(body, "value")
    if rows is None or not all(isinstance(row, Mapping) for row in rows):
        raise Unavailable("the answer is no list of objects")
    scope, _, provider = path.lower().partition("/providers/")
    ids = [(find_text(row, "id") or "").lower() for row in rows]
    # Some are in a resource group, which stands between the two.
    if not all(id.startswith(f"{scope}/") and f"/providers/{provider}/" in id for id in ids):
        raise Unavailable("the answer is about something else")
    return rows


def _next_in(body: Mapping[str, object]) -> str | None:
    """Where the next page is; None after the last one. Raises Unavailable if two are named: one would be lost."""
    links = [link for name in ("nextLink", "@odata.nextLink") if (link := find(body, name)) not in (None, "")]
    if not all(isinstance(link, str) for link in links):
        raise Unavailable("its nextLink is no text")
    if links != links[:1] * len(links):
        raise Unavailable("its nextLink and its @odata.nextLink differ")
    return str(links[0]) if links else None


def _get(url: str) -> HttpRequest:
    return HttpRequest(method="GET", url=url, headers={"accept": "application/json"})


def post(url: str, body: Mapping[str, object]) -> HttpRequest:
    """Return a question that is asked with a body."""
    headers = {"accept": "application/json", "content-type": "application/json"}
    return HttpRequest(method="POST", url=url, headers=headers, body=json.dumps(body).encode())


def _url(cloud: AzureCloud, path: str, version: str) -> str:
    """The URL of a path, which may be an id that an answer named: nothing in it leaves the path."""
    return f"{cloud.resource_manager}/{quote(path.strip('/'))}?api-version={version}"


class GraphQuery(NamedTuple):
    """A query that projects `id`, and what it asks for."""

    title: str
    text: str


def _text(text: str) -> str:
    """A text as the query language writes it. https://learn.microsoft.com/kusto/query/scalar-data-types/string"""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _recommendations() -> str:
    """Which recommendations mean that something is missing, by key, and by title where Microsoft documents no key."""
    asked = [one for one in RECOMMENDATIONS if one.retired != "deprecated"]
    keys = [_text(one.key) for one in asked if one.key is not None]
    titles = [
        _text(form.format(one.title))
        for one in asked
        if one.key is None and one.has_official_title
        for form in ("{}", "[Preview] {}", "[Preview]: {}", "(Preview) {}", "{} (Preview)")
    ]
    by_title = f" or tostring(properties.displayName) in~ ({', '.join(titles)})" if titles else ""
    return f"name in~ ({', '.join(keys)}){by_title}"


_TEXTS = read_toml("queries.toml")
_BLANKS = {"types": ", ".join(map(_text, RESOURCE_KINDS)), "recommendations": _recommendations()}

SUBSCRIPTIONS, TAGS = (GraphQuery(title, text) for title, text in _TEXTS["others"].items())
"""The subscriptions that can be read, and the tags of every resource, resource group and subscription."""

QUERIES = tuple(GraphQuery(title, text.format_map(_BLANKS)) for title, text in _TEXTS["asked"].items())
"""What is asked of the subscriptions that are known."""


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
    total, reason, tokens = 0, "", [""]
    try:
        while True:
            page = await _ask_page(send, cloud, query, subscriptions, tokens[-1])
            rows += page.rows
            total = max(total, page.total)
            if page.token is None:
                break
            if page.token in tokens or len(tokens) == _MOST_GRAPH_PAGES:
                raise Unavailable("it goes on, and was not asked further")
            tokens.append(page.token)
        if _count(rows) > total:
            raise Unavailable(f"{_count(rows):,} rows were given, and it says that there are {total:,}")
        if page.is_cut or _count(rows) < total:
            raise Unavailable(f"cut: {_count(rows):,} of {total:,} rows were given")
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
    options = {"resultFormat": "objectArray", "$top": 1000, "allowPartialScopes": False}
    options |= {"$skipToken": token} if token else {}
    asked = {"query": query.text, "options": options, **({"subscriptions": [*subscriptions]} if subscriptions else {})}
    answer = await send(post(f"{cloud.resource_manager}{_GRAPH}", asked))
    body = object_in(answer, READER)
    if answer.headers.get("x-ms-tenant-subscription-limit-hit", "").strip().lower() == "true":
        raise Unavailable("cut: the tenant has more subscriptions than one query takes; name them with --subscription")
    found, total = rows_in(body), find_count(body, "totalRecords")
    if found is None or total is None:
        raise Unavailable("the answer has no rows, or does not say how many there are")
    rows = [row for row in found[1] if isinstance(row, Mapping)]
    if len(rows) < len(found[1]):
        raise Unavailable("the answer has rows that are no objects")
    named = {(parse_resource_id(find_text(row, "id")).subscription or "").lower() for row in rows}
    if subscriptions and not named <= {"", *subscriptions}:
        raise Unavailable("the answer is about something else")
    next_token = find_text(body, "$skipToken")
    if next_token is None and find(body, "$skipToken") not in (None, ""):
        raise Unavailable("its $skipToken is no text")
    is_whole = find(body, "resultTruncated") is None or find_truth(body, "resultTruncated") is False
    return _GraphPage(rows, total, next_token, not is_whole and next_token is None)


def _count(rows: Sequence[Mapping[str, object]]) -> int:
    """How many rows there are; one that came on two pages counts once."""
    return len({(find_text(row, "id") or f"[{number}]").lower() for number, row in enumerate(rows)})
