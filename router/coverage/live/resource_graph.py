"""Questions to Azure Resource Graph: few calls over many subscriptions, with all their pages. Pure.

A page has 1,000 rows at the most, and the next one comes only where a query projects `id`. What cannot be read is missing from
the rows without a word, so that whoever asks must know which subscriptions to expect.
https://learn.microsoft.com/azure/governance/resource-graph/concepts/work-with-data,
https://learn.microsoft.com/rest/api/azureresourcegraph/resourcegraph/resources/resources
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import batched

from router.coverage.documents import document_of
from router.coverage.envelopes import rows_in
from router.coverage.fields import find, find_count, find_text, find_truth
from router.coverage.live.answers import READER, object_in
from router.coverage.live.clouds import AzureCloud
from router.coverage.live.probes import Documents, Probe, partly, refused
from router.domain.conversation import HttpAnswer, HttpRequest
from router.domain.errors import Unavailable
from router.domain.resources import parse_resource_id

LARGEST_BATCH = 1000
"""Subscriptions that one query may name."""

_PATH = "/providers/Microsoft.ResourceGraph/resources?api-version=2022-10-01"
_TOP = 1000
_MOST_PAGES = 500
"""Pages after which an answer that still goes on is cut: half a million rows."""


@dataclass(frozen=True, slots=True)
class GraphQuery:
    """A query.

    Attributes:
        title: what it asks for.
        text: the query; it projects `id`.
    """

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class _GraphPage:
    rows: Sequence[Mapping[str, object]]
    total: int
    token: str | None
    is_cut: bool


def graph_probes(cloud: AzureCloud, query: GraphQuery, subscriptions: Sequence[str]) -> Iterator[Probe]:
    """The question over some subscriptions, or over all that can be read where none is named."""
    batches = list(batched(subscriptions, LARGEST_BATCH, strict=False)) or [()]
    for number, batch in enumerate(batches):
        first = number * LARGEST_BATCH + 1
        of = f", subscriptions {first:,} to {first + len(batch) - 1:,}" if len(batches) > 1 else ""
        yield graph_probe(cloud, query, batch, f"Resource Graph: {query.title}{of}")


def graph_probe(cloud: AzureCloud, query: GraphQuery, subscriptions: Sequence[str], name: str) -> Probe:
    """All rows of a query as one document; no document where there are none."""
    rows: list[Mapping[str, object]] = []
    total, tokens = 0, [""]
    try:
        while True:
            page = _page_in((yield _request(cloud, query, subscriptions, tokens[-1])), subscriptions)
            rows += page.rows
            total = max(total, page.total)
            if page.token is None:
                break
            if page.token in tokens or len(tokens) == _MOST_PAGES:
                raise Unavailable("it goes on, and was not asked further")
            tokens.append(page.token)
        if _count(rows) > total:
            raise Unavailable(f"{_count(rows):,} rows were given, and it says that there are {total:,}")
        if page.is_cut or _count(rows) < total:
            raise Unavailable(f"cut: {_count(rows):,} of {max(total, _count(rows)):,} rows were given")
    except Unavailable as fault:
        return _cut(name, rows, total, f"page {len(tokens)}: {fault}" if len(tokens) > 1 else str(fault))
    answer = {"totalRecords": _count(rows), "count": len(rows), "resultTruncated": "false", "data": rows}
    return (document_of(answer, name),) if rows else ()


def _cut(name: str, rows: Sequence[Mapping[str, object]], total: int, reason: str) -> Documents:
    if not rows:
        return (refused(name, reason),)
    answer = {"totalRecords": total, "count": len(rows), "resultTruncated": "true", "data": rows}
    return (partly(document_of(answer, name), reason),)


def _request(cloud: AzureCloud, query: GraphQuery, subscriptions: Sequence[str], token: str) -> HttpRequest:
    options: dict[str, object] = {"resultFormat": "objectArray", "$top": _TOP, "allowPartialScopes": False}
    if token:
        options["$skipToken"] = token
    body: dict[str, object] = {"query": query.text, "options": options}
    if subscriptions:
        body["subscriptions"] = list(subscriptions)
    return HttpRequest(
        method="POST",
        url=f"{cloud.resource_manager}{_PATH}",
        headers={"accept": "application/json", "content-type": "application/json"},
        body=json.dumps(body).encode(),
    )


def _page_in(answer: HttpAnswer, subscriptions: Sequence[str]) -> _GraphPage:
    """One page; raises Unavailable where there is none that says how many rows there are, and is of what was asked."""
    body = object_in(answer, READER)
    if answer.headers.get("x-ms-tenant-subscription-limit-hit", "").strip().lower() == "true":
        raise Unavailable("cut: the tenant has more subscriptions than one query takes; name them with --subscription")
    found = rows_in(body)
    total = find_count(body, "totalRecords")
    if found is None or total is None:
        raise Unavailable("the answer has no rows, or does not say how many there are")
    rows = [row for row in found[1] if isinstance(row, Mapping)]
    if len(rows) < len(found[1]):
        raise Unavailable("the answer has rows that are no objects")
    if subscriptions and any(_is_elsewhere(row, frozenset(subscriptions)) for row in rows):
        raise Unavailable("the answer is about something else")
    token = find_text(body, "$skipToken")
    if token is None and find(body, "$skipToken") not in (None, ""):
        raise Unavailable("its $skipToken is no text")
    is_whole = find(body, "resultTruncated") is None or find_truth(body, "resultTruncated") is False
    is_cut = not is_whole and token is None
    return _GraphPage(rows, total, token, is_cut)


def _is_elsewhere(row: Mapping[str, object], subscriptions: Set[str]) -> bool:
    """Whether a row is of a subscription that was not asked."""
    subscription = parse_resource_id(find_text(row, "id")).subscription
    return subscription is not None and subscription.lower() not in subscriptions


def _count(rows: Sequence[Mapping[str, object]]) -> int:
    """How many rows there are; one that came on two pages counts once."""
    return len({(find_text(row, "id") or f"[{number}]").lower() for number, row in enumerate(rows)})
