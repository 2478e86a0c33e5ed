"""Questions to Azure Resource Manager: a list with all its pages, or one object. Pure.

https://learn.microsoft.com/rest/api/azure/#async-operations-throttling-and-paging
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from router.coverage.documents import document_of
from router.coverage.fields import find, find_list, find_text
from router.coverage.live.answers import object_in
from router.coverage.live.clouds import AzureCloud
from router.coverage.live.probes import Documents, Probe, partly, refused
from router.domain.conversation import HttpRequest
from router.domain.errors import Unavailable

_MOST_PAGES = 100
"""Pages after which a list that still goes on is cut: each has hundreds of rows."""


def list_probe(cloud: AzureCloud, path: str, version: str, role: str) -> Probe:
    """All rows of a list, as one document that says what it is a list of, also where it is empty."""
    name = f"GET {path}"
    rows: list[object] = []
    url: str | None = _url(cloud, path, version)
    seen: set[str] = set()
    while url is not None and url not in seen:
        seen.add(url)
        try:
            body = object_in((yield _get(url)), role)
            rows += _rows_in(body, path)
            url = _next_in(body)
            if len(seen) == _MOST_PAGES or url in seen:
                raise Unavailable("it goes on, and was not asked further")
        except Unavailable as fault:
            return _listed(name, path, rows, f"page {len(seen)}: {fault}" if rows else str(fault))
    return _listed(name, path, rows, None)


def object_probe(cloud: AzureCloud, path: str, version: str, role: str) -> Probe:
    """One object, whose id must be the path: an answer about something else proves nothing."""
    name = f"GET {path}"
    try:
        body = object_in((yield _get(_url(cloud, path, version))), role)
        if (find_text(body, "id") or "").strip("/").lower() != path.strip("/").lower():
            raise Unavailable("the answer is about something else")
    except Unavailable as fault:
        return (refused(name, str(fault)),)
    return (document_of(body, name),)


def _listed(name: str, path: str, rows: list[object], fault: str | None) -> Documents:
    if fault is not None and not rows:
        return (refused(name, fault),)
    if fault is None:
        return (document_of({"id": path, "value": rows}, name),)
    return (partly(document_of({"id": path, "value": rows, "nextLink": "not asked"}, name), fault),)


def _rows_in(body: Mapping[str, object], path: str) -> list[object]:
    """The rows of a page; raises Unavailable where there are none, or one that is not of the list at the path."""
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
    """Where the next page is; None after the last one."""
    for name in ("nextLink", "@odata.nextLink"):
        link = find(body, name)
        if link is not None and not isinstance(link, str):
            raise Unavailable(f"its {name} is no text")
        if link:
            return link
    return None


def _get(url: str) -> HttpRequest:
    return HttpRequest(method="GET", url=url, headers={"accept": "application/json"})


def _url(cloud: AzureCloud, path: str, version: str) -> str:
    """The URL of a path, which may be an id that an answer named: nothing in it leaves the path."""
    return f"{cloud.resource_manager}/{quote(path.strip('/'))}?api-version={version}"
