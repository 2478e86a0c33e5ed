"""What Azure Resource Manager is asked: to raise sample alerts, to list alerts, and to dismiss them.

Nothing here waits: an order that Defender took and has not carried out is asked about by its address.
https://learn.microsoft.com/rest/api/defenderforcloud/alerts/simulate
https://learn.microsoft.com/azure/azure-resource-manager/management/async-operations
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote, urljoin, urlsplit

from router.domain.conversation import Asking, HttpAnswer, HttpRequest
from router.domain.errors import Unavailable
from router.domain.legible import one_line
from router.drill.listed import ListedAlert, alerts_in

ALERTS = "api-version=2022-01-01"
LOCATIONS = "api-version=2015-06-01-preview"

MOST_PAGES = 50
"""Pages of a list that are read."""

_ABSENT, _BUSY = 404, frozenset({409, 429})

_LONGEST = 300
"""Characters of Azure's own words that are repeated."""


class NotDone(NamedTuple):
    """That Azure did not do, or say, what it was asked.

    Attributes:
        why: why, in words that name what was asked.
        is_certain: whether it certainly did not; not so where no answer came, or Azure had trouble of its own.
        status: the status of its answer; None where none came.
    """

    why: str
    is_certain: bool = True
    status: int | None = None

    @property
    def is_busy(self) -> bool:
        """Whether the same may be done later: something else is under way there, or too much was asked."""
        return self.status in _BUSY


class Simulation(NamedTuple):
    """An order to raise sample alerts that Defender took.

    Attributes:
        location: where Defender keeps the subscription's data.
        poll: the address at which to ask whether it is carried out; None where there is nothing to ask.
    """

    location: str
    poll: str | None


class AlertList(NamedTuple):
    """Alerts that Defender lists.

    Attributes:
        alerts: the alerts.
        is_whole: whether those are all.
    """

    alerts: tuple[ListedAlert, ...]
    is_whole: bool


def find_location(base: str, subscription: str) -> Asking[str | NotDone]:
    """Where Defender keeps a subscription's data, which is not where its resources are."""
    what = "where Defender keeps the subscription's data"
    found = yield from _ask_json(
        HttpRequest(method="GET", url=f"{_security(base, subscription)}/locations?{LOCATIONS}"), what
    )
    if isinstance(found, NotDone):
        return found
    value = found.get("value") if isinstance(found, Mapping) else None
    first = value[0] if isinstance(value, list) and value else None
    name = first.get("name") if isinstance(first, Mapping) else None
    if isinstance(name, str) and name:
        return name
    return NotDone(f"{what}: Defender keeps nothing of this subscription yet; is a plan on?")


def raise_samples(base: str, subscription: str, location: str, bundle: str) -> Asking[Simulation | NotDone]:
    """Orders the sample alerts of one bundle."""
    url = f"{_alerts(base, subscription, location)}/default/simulate?{ALERTS}"
    body = json.dumps({"properties": {"kind": "Bundles", "bundles": [bundle]}}).encode()
    request = HttpRequest(method="POST", url=url, headers={"content-type": "application/json"}, body=body)
    answer = yield from _ask(request, "simulate")
    if isinstance(answer, NotDone):
        return answer
    return Simulation(location, _poll_address(url, answer) if answer.status == 202 else None)


def is_ended(poll: str) -> Asking[bool | NotDone]:
    """Whether there is nothing more to ask about an order; NotDone where Defender took it and it failed."""
    answer = yield from _ask(HttpRequest(method="GET", url=poll), "simulate, asked again")
    if isinstance(answer, NotDone):
        return answer.is_certain and not answer.is_busy
    body = _json_in(answer)
    status = body.get("status") if isinstance(body, Mapping) else None
    if isinstance(status, str) and status.lower() in ("failed", "canceled", "cancelled"):
        return NotDone(f"simulate: Defender says {status}{_words_in(body)}")
    return answer.status != 202 and not (isinstance(status, str) and status.lower() in ("inprogress", "running"))


def list_alerts(base: str, subscription: str, location: str) -> Asking[AlertList | NotDone]:
    """The alerts that Defender lists, of at most so many pages."""
    alerts: list[ListedAlert] = []
    url = f"{_alerts(base, subscription, location)}?{ALERTS}"
    for _ in range(MOST_PAGES):
        page = yield from _ask_json(HttpRequest(method="GET", url=url), "Defender's list of alerts")
        if isinstance(page, NotDone):
            return page
        alerts += alerts_in(page)
        next = page.get("nextLink") if isinstance(page, Mapping) else None
        if not isinstance(next, str) or not next:
            return AlertList(tuple(alerts), is_whole=True)
        if not _is_same_host(next, base):
            return NotDone("Defender's list of alerts: goes on at another host, which is not asked")
        url = next
    return AlertList(tuple(alerts), is_whole=False)


def dismiss(base: str, subscription: str, location: str, alert: ListedAlert) -> Asking[NotDone | None]:
    """Dismisses an alert, as its resource id has it; where nothing is found there, as one of the subscription."""
    own, _, _ = alert.path.rpartition("/")
    at = [f"{base}{quote(own, safe='/')}", _alerts(base, subscription, location)]
    found: HttpAnswer | NotDone = NotDone(f"dismiss {alert.name}: was not asked")
    for path in dict.fromkeys(at):
        request = HttpRequest(method="POST", url=f"{path}/{quote(alert.name, safe='')}/dismiss?{ALERTS}")
        found = yield from _ask(request, f"dismiss {alert.name}")
        if not isinstance(found, NotDone) or found.status != _ABSENT:
            break
    return found if isinstance(found, NotDone) else None


def _ask_json(request: HttpRequest, what: str) -> Asking[object | NotDone]:
    answer = yield from _ask(request, what)
    if isinstance(answer, NotDone):
        return answer
    body = _json_in(answer)
    return body if isinstance(body, Mapping) else NotDone(f"{what}: the answer is no JSON that says it")


def _ask(request: HttpRequest, what: str) -> Asking[HttpAnswer | NotDone]:
    """The answer where it is a good one."""
    try:
        answer = yield request
    except Unavailable as fault:
        return NotDone(f"{what}: {fault}", is_certain=False)
    if 200 <= answer.status < 300:
        return answer
    why = f"{what}: Azure answered {answer.status}{_words_in(_json_in(answer))}{_advice(answer.status)}"
    return NotDone(why, is_certain=answer.status < 500, status=answer.status)


def _advice(status: int) -> str:
    if status in (401, 403):
        return (
            "; whoever runs the drill needs a role in that subscription that may raise, read and dismiss alerts, such as "
            "Contributor or Security Admin"
        )
    return ""


def _words_in(body: object) -> str:
    error = body.get("error") if isinstance(body, Mapping) else None
    parts = [error.get(name) for name in ("code", "message")] if isinstance(error, Mapping) else []
    words = ": ".join(one for one in parts if isinstance(one, str) and one)
    return f" ({one_line(words)[:_LONGEST]})" if words else ""


def _json_in(answer: HttpAnswer) -> object:
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        return None


def _poll_address(asked: str, answer: HttpAnswer) -> str | None:
    """Where to ask again; never another host than the one that was asked."""
    written = answer.headers.get("azure-asyncoperation") or answer.headers.get("location")
    if not written:
        return None
    url = urljoin(asked, written)
    return url if _is_same_host(url, asked) else None


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
