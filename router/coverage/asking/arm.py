"""Questions to Azure Resource Manager: a list with all its pages, or one object.

https://learn.microsoft.com/rest/api/azure/#async-operations-throttling-and-paging
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import quote

from router.coverage.asking.azure_api import AzureCloud
from router.coverage.asking.patience import Send
from router.coverage.documents import CoverageDocument, Refusal, parsed_document, refusal_in
from router.coverage.fields import find, find_list, find_text
from router.domain.conversation import HttpAnswer, HttpRequest
from router.domain.errors import Unavailable
from router.domain.readable import one_line

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

PRICINGS_VERSION = "2024-01-01"
"""The first version that says whether some resource differs from the plan of its subscription."""

_MOST_PAGES = 100
"""Pages after which a list that still goes on is cut: each has hundreds of rows."""

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
            if len(seen) == _MOST_PAGES or url in seen:
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
    for row in rows:
        id = (find_text(row, "id") or "").lower()
        # Some are in a resource group, which stands between the two.
        if not id.startswith(f"{scope}/") or f"/providers/{provider}/" not in id:
            raise Unavailable("the answer is about something else")
    return rows


def _next_in(body: Mapping[str, object]) -> str | None:
    """Where the next page is; None after the last one. Raises Unavailable if two are named: one would be lost."""
    found: str | None = None
    for name in ("nextLink", "@odata.nextLink"):
        link = find(body, name)
        if link is not None and not isinstance(link, str):
            raise Unavailable(f"its {name} is no text")
        if found and link not in (None, "", found):
            raise Unavailable("its nextLink and its @odata.nextLink differ")
        found = found or link or None
    return found


def _get(url: str) -> HttpRequest:
    return HttpRequest(method="GET", url=url, headers={"accept": "application/json"})


def _url(cloud: AzureCloud, path: str, version: str) -> str:
    """The URL of a path, which may be an id that an answer named: nothing in it leaves the path."""
    return f"{cloud.resource_manager}/{quote(path.strip('/'))}?api-version={version}"
