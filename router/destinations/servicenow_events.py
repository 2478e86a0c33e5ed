"""ServiceNow Event Management: one alert for each signal, by events that are pushed to the instance.

Deduplicates on the server, by `message_key` (the signal key): events under one key update one alert, and severity 0 (Clear)
closes it. An event under the key of a closed alert opens it again, and cannot ask whether people closed it; so nothing is sent
where only the signal's status changed. A Clear that finds no alert makes none. A success means that the event was taken; a job
of the instance makes alerts of events later.

Retried: no answer, 408, 425, 429, 5xx, a success that is no JSON, one whose error says "Transaction cancelled", and one that
says that no event was inserted. A 404, and a 400 that knows no such resource, pauses: Event Management is not active there.
Truncated: source, node, type, resource, metric_name and event_class at 100 characters, description at 4,000,
additional_info at 4,000, of which each value has at most 500; what has no room is named in its `cut`.

https://www.servicenow.com/docs/r/it-operations-management/event-management/send-events-via-web-service.html
https://www.servicenow.com/docs/r/it-operations-management/event-management/c_EMIntegrateRequirementEvent.html (limits)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC
from typing import Annotated, ClassVar, Literal
from urllib.parse import quote

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from router.destinations.base import OneByOne
from router.destinations.config import AiAlerts, Auth, HttpsUrl, OneByOneConfig, base_of
from router.destinations.requests import Exchange, authorized, json_object
from router.destinations.servicenow import HEADERS, find_error
from router.destinations.wording.escaping import journal, without_code
from router.destinations.wording.facts import evidence_of, find_time, words_of_posture
from router.destinations.wording.fitting import json_bytes, lines_of, shorten
from router.destinations.wording.headlines import location_of, reporter_of, severity_of
from router.destinations.wording.notice_text import Briefing, link_of, tactics_of
from router.destinations.wording.plain_text import text_of
from router.domain.conversation import Deduplication, HttpAnswer, HttpRequest
from router.domain.decisions import Change
from router.domain.deliveries import Attempt, Receipt
from router.domain.errors import DeliveryError, Rejected, Unauthorized, Unavailable
from router.domain.notices import ANNOUNCEMENT, Notice
from router.domain.resources import parse_resource_id
from router.domain.rulebook import Lane
from router.domain.signals import AZURE_MONITOR

NAME_LIMIT = 100  # characters; the vendor names it for source, node, type and resource, and none for the other two
TEXT_LIMIT = 4_000  # characters of the description
INFO_LIMIT = 4_000  # characters; ours, since the vendor names none, and what it cuts itself is no JSON any more
VALUE_LIMIT = 500  # characters; ours

# 1 Critical, 2 Major, 3 Minor, 4 Warning, 5 OK or Info; 0 Clear closes. Unknown is loud.
SEVERITIES = {"Critical": "1", "High": "2", "Medium": "3", "Low": "4", "Informational": "5"}
_LOUDEST, _CLEAR = "1", "0"

_NAMES_OF_WHAT_IS_CUT = 400  # characters that `cut` takes when it names every value there is
_INSERTED_NONE = re.compile(r"\b0 events? (?:was|were) inserted", re.IGNORECASE)
_NO_SUCH_API = re.compile(r"does not represent any resource", re.IGNORECASE)


type Source = Annotated[str, Field(min_length=1, max_length=NAME_LIMIT)]


class ServiceNowEventsConfig(OneByOneConfig):
    """`{kind: servicenow_events, url: https://..., auth: {...}}`; `source` is the name that event rules know us by.

    Without one it is the product that says it.
    """

    kind: Literal["servicenow_events"]
    url: HttpsUrl
    auth: Auth
    source: Source | SkipJsonSchema[None] = None


class ServiceNowEvents(OneByOne):
    """Tells Event Management, which makes alerts of what it is told."""

    name: ClassVar[str] = "servicenow_events"
    lane: ClassVar[Lane] = Lane.TICKET
    deduplicates: ClassVar[Deduplication] = Deduplication.SERVER
    ai: ClassVar[AiAlerts] = AiAlerts.WHOLE
    words = staticmethod(journal)
    Config: ClassVar[type[ServiceNowEventsConfig]] = ServiceNowEventsConfig

    def __init__(self, config: ServiceNowEventsConfig) -> None:
        super().__init__(config)
        base = base_of(config.url)
        self.address = f"{base}/api/global/em/jsonv2"
        self._alerts = f"{base}/nav_to.do?uri=" + quote("em_alert_list.do?sysparm_query=message_key=", safe="")
        self._auth = config.auth
        self._source = config.source

    def deliver(self, attempt: Attempt) -> Exchange[Receipt]:
        """The exchange that pushes one event, or none."""
        briefing = self.briefing_in(attempt)
        notice = briefing.notice
        if attempt.is_note:
            return Receipt(reference="only the status changed, no event")
        events = [self._event_for(briefing, attempt)]
        if attempt.is_untold:
            # What clears nothing makes no alert.
            events.insert(0, events[0] | {"severity": _severity_of(notice)})
        body = json_bytes({"records": events})
        request = HttpRequest(method="POST", url=self.address, headers=HEADERS, body=body)
        answer = yield from authorized(request, self._auth, attempt, self.name)
        if (error := self._find_error(answer, attempt)) is not None:
            raise error
        return Receipt(reference=notice.key, link=self._alerts + quote(notice.key, safe=""))

    def preview(self, attempt: Attempt) -> str:
        """The columns of the event."""
        return "\n".join(lines_of(self._event_for(self.briefing_in(attempt), attempt)))

    def _event_for(self, briefing: Briefing, attempt: Attempt) -> dict[str, str]:
        notice = briefing.notice
        is_over = attempt.delivery.change is Change.RESOLVED
        names = {
            "source": self._source or reporter_of(notice),
            "event_class": notice.subscription or notice.stream,
            "node": location_of(notice),
            "resource": parse_resource_id(notice.resource).name or notice.compromised_entity or "",
            "type": notice.type,
            "metric_name": notice.title,
        }
        event = {name: shorten(" ".join(text.split()), NAME_LIMIT) for name, text in names.items()}
        event |= {
            "message_key": notice.key,
            "severity": _CLEAR if is_over else _severity_of(notice),
            "description": text_of(briefing, TEXT_LIMIT),
            "additional_info": additional_info_of(notice),
            "time_of_event": _time_of(notice, attempt),
        }
        return {name: without_code(text) for name, text in event.items() if text}

    def _find_error(self, answer: HttpAnswer, attempt: Attempt) -> DeliveryError | None:
        error = find_error(answer, self.name, attempt)
        if isinstance(error, Rejected) and (answer.status == 404 or _NO_SUCH_API.search(str(error))):
            return Unauthorized(f"{error}; check that Event Management is active at this address")
        if error is None and _INSERTED_NONE.search(str(json_object(answer).get("result"))):
            return Unavailable(f"{self.name}: answered {answer.status} and inserted no event")
        return error


def _severity_of(notice: Notice) -> str:
    return SEVERITIES.get(notice.severity or "", _LOUDEST)


def additional_info_of(notice: Notice) -> str:
    """What the columns of an event have no place for: JSON as a text, its values texts too, as the vendor asks.

    It is at most INFO_LIMIT characters long. Values are told in the order in which event rules need them; those for
    which no room is left are named in `cut`.
    """
    told: dict[str, str] = {}
    cut: list[str] = []
    for name, value in _values_of(notice).items():
        longer = {**told, name: shorten(value, VALUE_LIMIT)} if value else told
        if len(json_bytes(longer).decode()) <= INFO_LIMIT - _NAMES_OF_WHAT_IS_CUT:
            told = longer
        else:
            cut.append(name)
    return json_bytes(told | {"cut": ", ".join(cut)} if cut else told).decode()


def _values_of(notice: Notice) -> Mapping[str, str | None]:
    owner, is_ours = notice.owner, notice.kind == ANNOUNCEMENT
    return {
        "severity": severity_of(notice),
        "status": notice.status,
        "kind": notice.kind,
        "stream": notice.stream,
        "azure_monitor_id" if notice.product == AZURE_MONITOR else "defender_id": notice.id if not is_ours else None,
        "turn": str(notice.turn),
        "resource_id": notice.resource,
        "resource_type": notice.resource_type,
        "resource_group": notice.resource_group,
        "subscription": notice.subscription,
        "plan": notice.plan,
        "owner_group": owner.group if owner else None,
        "owner_service": owner.service if owner else None,
        "tactics": ", ".join(tactics_of(notice)),
        "techniques": ", ".join(notice.techniques),
        "link": link if (link := link_of(notice)) and len(link) <= VALUE_LIMIT else None,
        "reason": notice.reason,
        "rulebook": notice.rulebook,
        "sample": "true" if notice.sample else None,
        **{name.lower(): words for name, words in words_of_posture(notice).items()},
        **{name: ", ".join(values) for name, values in evidence_of(notice).items()},
    }


def _time_of(notice: Notice, attempt: Attempt) -> str:
    """When the state held, as the vendor writes times: GMT, without a zone."""
    time = find_time(notice.changed or notice.started) or attempt.now
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
