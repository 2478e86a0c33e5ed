"""Lists of the API of Kubernetes, page by page, as one list each. Pure.

https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import quote

from router.coverage.fields import find, find_text
from router.coverage.readers.kubernetes import without_ballast
from router.domain.conversation import Asking, HttpAnswer, HttpRequest
from router.domain.errors import RouterError, Unavailable

PAGE = 500
"""Objects of a page, as kubectl asks for them."""

_MOST_PAGES = 1_000
"""A list that is longer is given up: a cluster has 150,000 pods at the most.
https://kubernetes.io/docs/setup/best-practices/cluster-large/"""

type Json = Mapping[str, object]


class NotListed(RouterError):
    """What was asked for was not answered; its text says why, as a clause."""


class NobodyAnswers(NotListed):
    """Nor would anything else be: the API server is not reached, or refuses who asks."""


class _Expired(NotListed):
    """The page before the next one is too old to go on from."""


def list_objects(server: str, path: str, kind: str, what: str) -> Asking[list[Json]]:
    """All objects of a list, such as those of `DaemonSetList`; raises NotListed.

    A list that changes for too long while its pages are asked for is begun anew, once.
    """
    try:
        return (yield from _pages(server, path, kind, what))
    except _Expired:
        return (yield from _pages(server, path, kind, what))


def ask_object(server: str, path: str, what: str) -> Asking[Json]:
    """The object at a path; raises NotListed."""
    url = f"{server}{path}"
    try:
        answer = yield HttpRequest(method="GET", url=url, headers={"accept": "application/json"})
    except Unavailable as fault:
        raise NobodyAnswers(f"the API server was not reached: {fault}") from fault
    if answer.status != 200:
        raise _refused(answer, what)
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise NotListed(f"asked for {what}, it answered what is no object in JSON")
    return found


def _pages(server: str, path: str, kind: str, what: str) -> Asking[list[Json]]:
    found: list[Json] = []
    token: str | None = None
    for _ in range(_MOST_PAGES):
        query = f"?limit={PAGE}" + (f"&continue={quote(token, safe='')}" if token else "")
        page = yield from ask_object(server, f"{path}{query}", what)
        items = page.get("items")
        if page.get("kind") != kind or not isinstance(items, list | None) or "items" not in page:
            raise NotListed(f"asked for {what}, it answered what is no {kind}")
        if not all(isinstance(one, Mapping) for one in items or ()):
            raise NotListed(f"asked for {what}, it answered a {kind} of something else than objects")
        version = find_text(page, "apiVersion") or ""
        found += [_slim(one, version, kind.removesuffix("List")) for one in items or ()]
        last, token = token, find_text(page, "metadata", "continue")
        if token is None:
            if any(find(page, "metadata", name) not in (None, "", 0) for name in ("continue", "remainingItemCount")):
                raise NotListed(f"its list of {what} says that more follows, and not where")
            return found
        if token == last:
            break
    raise NotListed(f"its list of {what} has no end")


def _refused(answer: HttpAnswer, what: str) -> NotListed:
    match answer.status:
        case 401:
            return NobodyAnswers(
                "the API server does not know who asks (401): sign in anew, or mend the user of the kubeconfig"
            )
        case 403:
            return NotListed(f"who asks may not list {what} (403): bind a ClusterRole that allows get and list of it")
        case 404:
            return NotListed(f"the API server has no {what} (404): is its server in the kubeconfig that of a cluster?")
        case 410:
            return _Expired(f"its list of {what} changed for too long while it was asked for (410)")
        case status if status >= 500 or status == 429:
            return NotListed(f"asked for {what}, the API server is not able to answer just now ({status})")
        case status:
            return NotListed(f"asked for {what}, the API server answered {status}")


def _slim(item: Json, version: str, kind: str) -> Json:
    """An object with its own kind, which lists leave out, and without what nobody asks and fills memory."""
    metadata = find(item, "metadata")
    if isinstance(metadata, Mapping):
        metadata = {name: value for name, value in metadata.items() if name != "managedFields"}
    body = {"apiVersion": version, "kind": kind, **item, "metadata": metadata}
    return without_ballast(kind, body)
