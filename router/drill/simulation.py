"""What Azure Resource Manager is asked: to raise sample alerts, to list alerts, and to dismiss them.

https://learn.microsoft.com/rest/api/defenderforcloud/alerts/simulate
https://learn.microsoft.com/rest/api/defenderforcloud/alerts/list-subscription-level-by-region
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from router.domain.catalogue import Catalogue
from router.domain.conversation import Asking, HttpAnswer, HttpRequest
from router.domain.errors import Unavailable
from router.domain.legible import one_line
from router.domain.samples import is_sample
from router.drill.subjects import DrillSubject

ALERTS = "api-version=2022-01-01"
LOCATIONS = "api-version=2015-06-01-preview"

MOST_PAGES = 200
"""Pages of a list that are read."""

_ABSENT, _BUSY = 404, frozenset({409, 429})
_LONGEST = 300
"""Characters of Azure's own words that are repeated."""


class NotDone(NamedTuple):
    """The reason why Azure did not do what it was asked; `status` is None if no answer came."""

    why: str
    status: int | None = None

    @property
    def is_certain(self) -> bool:
        """Whether it certainly was not done: Azure refused it, and had no trouble of its own."""
        return self.status is not None and self.status < 500

    @property
    def is_busy(self) -> bool:
        """Whether the same may be done later."""
        return self.status in _BUSY


class ListedAlert(NamedTuple):
    """An alert as Defender lists it.

    Attributes:
        name: its name, which an export of it has as its id.
        path: its resource id.
        component: the product component that raised it.
        is_sample: whether it has one of Defender's marks of a sample.
        is_over: whether it was dismissed or resolved.
    """

    name: str
    path: str
    title: str
    component: str
    type: str
    is_sample: bool
    is_over: bool

    def is_of(self, subject: DrillSubject, catalogue: Catalogue) -> bool:
        """Return whether it is a sample of a drill's plan."""
        return not subject.is_real and self.is_sample and catalogue.find_plan(self.component, self.type) == subject.plan


def find_location(base: str, subscription: str) -> Asking[str | NotDone]:
    """Return where Defender keeps a subscription's data, which is not where its resources are."""
    what = "where Defender keeps the subscription's data"
    request = HttpRequest(method="GET", url=f"{_security(base, subscription)}/locations?{LOCATIONS}")
    found = yield from _ask_json(request, what)
    if isinstance(found, NotDone):
        return found
    value = found.get("value")
    first = value[0] if isinstance(value, list) and value else None
    name = first.get("name") if isinstance(first, Mapping) else None
    if isinstance(name, str) and name:
        return name
    return NotDone(f"{what}: Defender keeps nothing of this subscription yet; is a plan on?")


def raise_samples(base: str, subscription: str, location: str, bundle: str) -> Asking[NotDone | None]:
    """Order the sample alerts of one bundle; None if Defender took the order."""
    body = json.dumps({"properties": {"kind": "Bundles", "bundles": [bundle]}}).encode()
    url = f"{_alerts(base, subscription, location)}/default/simulate?{ALERTS}"
    answer = yield from _ask(
        HttpRequest(method="POST", url=url, headers={"content-type": "application/json"}, body=body), "simulate"
    )
    return answer if isinstance(answer, NotDone) else None


def list_alerts(base: str, subscription: str, location: str) -> Asking[tuple[ListedAlert, ...] | NotDone]:
    """Return all alerts that Defender lists."""
    what, alerts = "Defender's list of alerts", list[ListedAlert]()
    url = f"{_alerts(base, subscription, location)}?{ALERTS}"
    for _ in range(MOST_PAGES):
        page = yield from _ask_json(HttpRequest(method="GET", url=url), what)
        if isinstance(page, NotDone):
            return page
        alerts += alerts_in(page)
        next = page.get("nextLink")
        if not isinstance(next, str) or not next:
            return tuple(alerts)
        if not _is_same_host(next, base):
            return NotDone(f"{what}: goes on at another host, which is not asked")
        url = next
    return NotDone(f"{what}: has more than {MOST_PAGES} pages")


def dismiss(base: str, subscription: str, location: str, alert: ListedAlert) -> Asking[NotDone | None]:
    """Dismiss an alert by its resource id; if Azure finds nothing there, as one of the subscription."""
    own, _, _ = alert.path.rpartition("/")
    for path in (f"{base}{quote(own, safe='/')}", _alerts(base, subscription, location)):
        request = HttpRequest(method="POST", url=f"{path}/{quote(alert.name, safe='')}/dismiss?{ALERTS}")
        answer = yield from _ask(request, f"dismiss {alert.name}")
        if not isinstance(answer, NotDone) or answer.status != _ABSENT:
            break
    return answer if isinstance(answer, NotDone) else None


def alerts_in(page: Mapping[str, object]) -> Iterator[ListedAlert]:
    """Return the alerts on a page of the list; anything else is left out."""
    value = page.get("value")
    for body in value if isinstance(value, list) else ():
        properties = body.get("properties") if isinstance(body, Mapping) else None
        if not isinstance(properties, Mapping):
            continue
        name, path = _text(properties, "systemAlertId") or _text(body, "name"), _text(body, "id")
        title, type = _text(properties, "alertDisplayName"), _text(properties, "alertType")
        resources = properties.get("resourceIdentifiers")
        ids = (
            [_text(one, "azureResourceId") for one in resources if isinstance(one, Mapping)]
            if isinstance(resources, list)
            else []
        )
        if name and path.startswith("/"):
            yield ListedAlert(
                name=name,
                path=path,
                title=title,
                component=_text(properties, "productComponentName"),
                type=type,
                is_sample=is_sample(type, title, ids),
                is_over=_text(properties, "status").lower() in ("dismissed", "resolved"),
            )


def _text(body: Mapping[str, object], name: str) -> str:
    value = body.get(name)
    return value.strip() if isinstance(value, str) else ""


def _ask_json(request: HttpRequest, what: str) -> Asking[Mapping[str, object] | NotDone]:
    answer = yield from _ask(request, what)
    if isinstance(answer, NotDone):
        return answer
    body = _json_in(answer)
    return body if isinstance(body, Mapping) else NotDone(f"{what}: the answer is no object of JSON")


def _ask(request: HttpRequest, what: str) -> Asking[HttpAnswer | NotDone]:
    try:
        answer = yield request
    except Unavailable as fault:
        return NotDone(f"{what}: {fault}")
    if 200 <= answer.status < 300:
        return answer
    body = _json_in(answer)
    error = body.get("error") if isinstance(body, Mapping) else None
    parts = (_text(error, "code"), _text(error, "message")) if isinstance(error, Mapping) else ()
    words = one_line(": ".join(filter(None, parts)))[:_LONGEST]
    why = f"{what}: Azure answered {answer.status}{f' ({words})' if words else ''}"
    if answer.status in (401, 403):
        why += (
            "; the drill needs a role in that subscription that may raise, read and dismiss alerts, such as Contributor or "
            "Security Admin"
        )
    return NotDone(why, answer.status)


def _json_in(answer: HttpAnswer) -> object:
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        return None


def _is_same_host(url: str, other: str) -> bool:
    try:
        one, two = urlsplit(url), urlsplit(other)
    except ValueError:
        return False
    return (one.scheme, one.netloc.lower()) == (two.scheme, two.netloc.lower())


def _security(base: str, subscription: str) -> str:
    return f"{base}/subscriptions/{quote(subscription, safe='')}/providers/Microsoft.Security"


def _alerts(base: str, subscription: str, location: str) -> str:
    return f"{_security(base, subscription)}/locations/{quote(location, safe='')}/alerts"
