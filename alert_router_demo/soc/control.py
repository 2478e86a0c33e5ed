"""The SOC's own door: its state and its faults, for a process that is not its own."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, PositiveInt, ValidationError

from alert_router_demo.soc.endpoint import READ_LIMIT, Double, json_answer
from alert_router_demo.soc.faults import Fault

type EndpointName = Literal[
    "servicenow",
    "pagerduty",
    "logs",
    "webhook",
    "servicenow_events",
    "jira",
    "jsm_ops",
    "slack",
    "teams",
    "splunk_hec",
    "email",
]


class FaultOrder(BaseModel):
    """The body of `POST /_faults`; `times` null means until cleared."""

    model_config = ConfigDict(extra="forbid")

    endpoint: EndpointName
    fault: Fault
    times: PositiveInt | None = 1
    method: str | None = None


class Control:
    """`GET /_state` and `GET /_counts` show what arrived; `POST` and `DELETE /_faults` order and end trouble."""

    def __init__(
        self, endpoints: Iterable[Double], state: Callable[[], Mapping[str, Any]], counts: Callable[[], Any]
    ) -> None:
        self._endpoints = {endpoint.name: endpoint for endpoint in endpoints}
        self._state = state
        self._counts = counts

    def application(self) -> web.Application:
        """Gives the door as an aiohttp application."""
        application = web.Application(client_max_size=READ_LIMIT)
        application.add_routes(
            (
                web.get("/_state", self._show_state),
                web.get("/_counts", self._show_counts),
                web.post("/_faults", self._add_fault),
                web.delete("/_faults", self._clear_faults),
            )
        )
        return application

    async def _show_state(self, _: web.Request) -> web.Response:
        return json_answer(self._state())

    async def _show_counts(self, _: web.Request) -> web.Response:
        return json_answer(self._counts())

    async def _add_fault(self, request: web.Request) -> web.Response:
        try:
            order = FaultOrder.model_validate_json(await request.read())
        except ValidationError as refused:
            errors = refused.errors(include_url=False, include_context=False, include_input=False)
            problems = [f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in errors]
            return json_answer({"error": "; ".join(problems)}, status=400)
        self._endpoints[order.endpoint].faults.add(order.fault, times=order.times, method=order.method)
        return web.Response(status=204)

    async def _clear_faults(self, request: web.Request) -> web.Response:
        wanted = request.query.get("endpoint")
        if wanted is not None and wanted not in self._endpoints:
            return json_answer({"error": f"endpoint: {wanted} is none of {', '.join(self._endpoints)}"}, status=400)
        for name, endpoint in self._endpoints.items():
            if wanted in (None, name):
                endpoint.faults.clear()
        return web.Response(status=204)
