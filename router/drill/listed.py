"""Defender's own list of a subscription's alerts, as Azure Resource Manager gives it, and which of them are a drill's.

https://learn.microsoft.com/rest/api/defenderforcloud/alerts/list-subscription-level-by-region
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from router.domain.catalogue import Catalogue
from router.domain.clocks import SKEW
from router.domain.samples import is_sample
from router.drill.subjects import DrillSubject

_TIMES = ("timeGeneratedUtc", "processingEndTimeUtc", "startTimeUtc")
_OVER = frozenset({"dismissed", "resolved"})


class ListedAlert(NamedTuple):
    """An alert as Defender lists it.

    Attributes:
        name: its name, by which it is dismissed; the id that an export of it bears.
        path: its resource id.
        title: its title.
        component: what Defender says raised it; empty where it does not.
        type: its type.
        generated: when Defender wrote it; None where it does not say.
        is_sample: whether it bears a mark of Defender's that it is a sample.
        is_over: whether it was dismissed or resolved.
    """

    name: str
    path: str
    title: str
    component: str
    type: str
    generated: datetime | None
    is_sample: bool
    is_over: bool


def alerts_in(page: object) -> Iterator[ListedAlert]:
    """The alerts on a page of the list; what is none is left out."""
    value = page.get("value") if isinstance(page, Mapping) else None
    for one in value if isinstance(value, list) else ():
        if isinstance(one, Mapping) and (found := _find_alert(one)) is not None:
            yield found


def own_alerts(
    listed: Sequence[ListedAlert],
    subject: DrillSubject,
    since: datetime,
    before: Collection[str] | None,
    catalogue: Catalogue,
) -> list[ListedAlert]:
    """Those that can be told to be the drill's: samples of its plan that Defender wrote since, and did not list before it.

    `before` are the names that were listed before; None where nobody knows. Then only what says that it was written since
    is the drill's, though clocks differ.
    """
    if subject.is_real:
        return []
    earliest = since - SKEW if before is not None else since
    return [
        one
        for one in listed
        if one.is_sample
        and one.name not in (before or ())
        and catalogue.find_plan(one.component, one.type) == subject.plan
        and (one.generated >= earliest if one.generated is not None else before is not None)
    ]


def without_anothers(alerts: Sequence[ListedAlert]) -> tuple[list[ListedAlert], list[ListedAlert]]:
    """Of a drill's alerts those that are its alone, and those of which another one raised the same at the same time.

    One order raises an alert of one title and type once.
    """
    times = Counter((one.type, one.title) for one in alerts)
    own = [one for one in alerts if times[one.type, one.title] == 1]
    return own, [one for one in alerts if times[one.type, one.title] > 1]


def _find_alert(body: Mapping[str, object]) -> ListedAlert | None:
    properties = body.get("properties")
    if not isinstance(properties, Mapping):
        return None
    name, path = _text(properties, "systemAlertId") or _text(body, "name"), _text(body, "id")
    if not name or not path.startswith("/"):
        return None
    title, type = _text(properties, "alertDisplayName"), _text(properties, "alertType")
    return ListedAlert(
        name=name,
        path=path,
        title=title,
        component=_text(properties, "productComponentName"),
        type=type,
        generated=next((found for one in _TIMES if (found := _instant(_text(properties, one))) is not None), None),
        is_sample=is_sample(type, title, _resources(properties)),
        is_over=_text(properties, "status").lower() in _OVER,
    )


def _resources(properties: Mapping[str, object]) -> Iterator[str]:
    listed = properties.get("resourceIdentifiers")
    for one in listed if isinstance(listed, list) else ():
        if isinstance(one, Mapping):
            yield _text(one, "azureResourceId")


def _text(body: Mapping[str, object], name: str) -> str:
    value = body.get(name)
    return value.strip() if isinstance(value, str) else ""


def _instant(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
        return found.astimezone(UTC) if found.tzinfo is not None else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
