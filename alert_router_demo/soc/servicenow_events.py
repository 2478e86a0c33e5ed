"""A double of ServiceNow's Event Management: events are taken at once, and alerts are made of them by a job.

https://www.servicenow.com/docs/r/it-operations-management/event-management/send-events-via-web-service.html
https://www.servicenow.com/docs/r/it-operations-management/event-management/c_EMIntegrateRequirementEvent.html
https://www.servicenow.com/docs/r/it-operations-management/event-management/t_EMSetTheAlertActiveInterval.html
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

from alert_router_demo.soc.accounts import SocAccount, basic_credentials
from alert_router_demo.soc.endpoint import Endpoint, json_answer

PATH = "/api/global/em/jsonv2"
LENGTHS = {"source": 100, "node": 100, "type": 100, "resource": 100, "message_key": 1024, "description": 4000}
"""Longest value of a column, in characters; the platform cuts what is longer without a word."""

CLEAR = "0"
SEVERITIES = frozenset("012345")


@dataclass(slots=True)
class EventAlert:
    """One alert of Event Management.

    Attributes:
        key: its message key.
        severity, description: as its newest event says.
        updated: when its newest event was processed or a person closed it, in seconds of the clock.
        state: `Open`, `Reopen` or `Closed`.
        events: the events that it was made of.
    """

    key: str
    severity: str
    description: str
    updated: float
    state: str = "Open"
    events: list[dict[str, str]] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        """Whether people still see it as a trouble."""
        return self.state != "Closed"


class EventManagementDouble(Endpoint):
    """An instance with Event Management.

    Attributes:
        active_interval: for how many seconds after it was closed an event opens an alert again.
        is_prompt: whether the job runs by itself.
        events: every event that was accepted, as its columns keep it.
        waiting: those that the job has not seen yet.
        alerts: what the job made of them.
        cut: how often a value was too long for its column, by column.
    """

    name = "servicenow_events"
    holds = "em_alerts"

    def __init__(
        self,
        accounts: Iterable[SocAccount],
        *,
        clock: Callable[[], float] = time.monotonic,
        active_interval: float = 3600.0,
    ) -> None:
        super().__init__()
        self._known = basic_credentials(accounts)
        self._clock = clock
        self.active_interval = active_interval
        self.is_prompt = True
        self.events: list[dict[str, str]] = []
        self.waiting: list[dict[str, str]] = []
        self.alerts: list[EventAlert] = []
        self.cut: Counter[str] = Counter()

    def count(self) -> int:
        """Gives how many alerts were made."""
        return len(self.alerts)

    def routes(self) -> Iterable[web.RouteDef]:
        """Gives the event collector's path."""
        return (web.post(PATH, self._collect),)

    def error_body(self, status: int, message: str, detail: str | None = None) -> Any:
        """Gives `{"error": {"message", "detail"}, "status": "failure"}`."""
        return {"error": {"message": message, "detail": detail}, "status": "failure"}

    def open_alerts(self, key: str) -> list[EventAlert]:
        """Gives the alerts under a message key that are not closed."""
        return [alert for alert in self.alerts if alert.key == key and alert.is_open]

    def close(self, key: str) -> None:
        """Closes alerts as a person does."""
        for alert in self.open_alerts(key):
            alert.state, alert.updated = "Closed", self._clock()

    def run_job(self) -> None:
        """Makes alerts of the events that wait."""
        waiting, self.waiting = self.waiting, []
        for event in waiting:
            self._process(event)

    async def _collect(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") not in self._known:
            return self.error(401, "User Not Authenticated")
        try:
            records = orjson.loads(await request.read())["records"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return self.error(400, "Exception while reading request")
        taken = [self._as_columns(record) for record in records]
        self.events += taken
        self.waiting += taken
        if self.is_prompt:
            self.run_job()
        return json_answer({"result": {"Default Bulk Endpoint": f"{len(taken)} events were inserted"}})

    def _as_columns(self, record: dict[str, Any]) -> dict[str, str]:
        event = {name: str(value) for name, value in record.items()}
        for name, longest in LENGTHS.items():
            if len(event.get(name, "")) > longest:
                self.cut[name] += 1
                event[name] = event[name][:longest]
        event["additional_info"] = _normalized(event.get("additional_info", ""))
        event["state"] = "Ready"
        return event

    def _process(self, event: dict[str, str]) -> None:
        if event.get("severity") not in SEVERITIES:
            event["state"] = "Error"
            return
        event["state"] = "Processed"
        names = ("source", "node", "type", "resource", "metric_name")
        key = event.get("message_key") or "".join(event.get(name, "") for name in names)
        alert = next((alert for alert in reversed(self.alerts) if alert.key == key), None)
        now = self._clock()
        if alert is not None and not alert.is_open and now - alert.updated > self.active_interval:
            alert = None
        if event["severity"] == CLEAR:
            if alert is not None:
                alert.state, alert.severity, alert.updated = "Closed", CLEAR, now
                alert.events.append(event)
            return
        if alert is None:
            alert = EventAlert(key, "", "", now)
            self.alerts.append(alert)
        elif not alert.is_open:
            alert.state = "Reopen"
        alert.severity, alert.description, alert.updated = event["severity"], event["description"], now
        alert.events.append(event)


def _normalized(text: str) -> str:
    """Gives additional information as the platform keeps it: JSON of texts, or the whole of it as one value."""
    try:
        values = orjson.loads(text)
    except orjson.JSONDecodeError:
        values = None
    if isinstance(values, dict) and all(isinstance(value, str) for value in values.values()):
        return text
    return orjson.dumps({"additional_content": text}).decode()
