"""The console as function_app.py has it, through Microsoft's own worker."""

from __future__ import annotations

import asyncio
import json
import re
from urllib.parse import urlencode

from router.console.access import HEADERS
from tests.builders import RESOURCE, alert_body
from tests.console.principals import HOST, ID, SETTINGS, claims_of, principal
from tests.console.sites import OWN
from tests.stack.accounting import conditions
from tests.stack.functions_host import FunctionsHost, Outcome
from tests.stack.stack import Stack
from tests.stack.test_doors import publish

AT = "/api/console"


def test_the_console_shows_and_does_what_the_role_of_who_signed_in_allows(stack: Stack) -> None:
    """Pages, JSON and files at /api/console and below; a silence has who signed in as its author, and holds the next alert."""
    reader, operator = ({"Host": HOST, **principal(claims_of(role))} for role in ("Reader", "Operator"))

    async def post(host: FunctionsHost, headers: dict[str, str], **form: str) -> tuple[int, str]:
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = await host.request("POST", f"{AT}/silences/new", {**headers, **OWN, **kind}, urlencode(form).encode())
        return answer.status, answer.headers.get("location", "")

    async def run() -> None:
        async with stack.host(conditions=conditions(), **SETTINGS).running() as host:
            form = {"confirm": "yes", "stream": "cwpp", "resource": RESOURCE, "for": "1h", "reason": "a test"}
            assert await post(host, reader, **form) == (403, "")
            status, place = await post(host, operator, **form)
            assert (status, place.partition("?")[0].rpartition("/")[0]) == (303, f"{AT}/silences")
            await publish(stack, "cwpp", alert_body("one"), alert_body("two", AzureResourceId=f"{RESOURCE}0"))
            await host.idle()
            first = await host.request("GET", AT, reader)
            assert (first.status, first.headers["location"]) == (303, f"{AT}/alerts")
            page = await host.request("GET", f"{AT}/alerts?outcome=held", reader)
            assert (page.status, f"eva@contoso.example ({ID}), Reader" in page.text) == (200, True)
            assert HEADERS.items() <= page.headers.items()
            (style,) = re.findall(r'href="([^"]*style\.css)"', page.text)
            assert (await host.request("GET", style, {"Host": HOST})).headers["content-type"].startswith("text/css")
            assert (await host.request("HEAD", f"{AT}/alerts", reader)).status == 200
            (held,) = json.loads((await host.request("GET", f"{AT}/alerts.json?outcome=held", reader)).body)["signals"]
            assert held["resource"].lower() == RESOURCE.lower()
            changes = json.loads((await host.request("GET", f"{AT}/changes.json", reader)).body)
            assert changes["authors"] == [f"eva@contoso.example ({ID})"]
            assert (await host.request("GET", f"{AT}/alerts", {"Host": HOST})).status == 401
            assert {one.outcome for one in host.invocations} == {Outcome.OK}

    asyncio.run(run())


def test_a_forged_header_opens_nothing_where_the_platform_signs_nobody_in(stack: Stack) -> None:
    """Without the platform's own mark the console is closed; with it, one that cannot be read names nobody, and no state
    is opened for who is not let in."""
    forged = {"Host": HOST, **principal(claims_of("Admin")), **OWN}
    unsigned = {name: value for name, value in SETTINGS.items() if name != "WEBSITE_AUTH_ENABLED"}
    garbled = {**forged, "X-MS-CLIENT-PRINCIPAL": "\u202e" + forged["X-MS-CLIENT-PRINCIPAL"]}

    async def run() -> None:
        for settings, headers, status in ((unsigned, forged, 503), (SETTINGS, garbled, 401)):
            host = stack.host(conditions=conditions(), ALERT_ROUTER_STATE="", **settings)
            async with host.running():
                for method, path in (("GET", AT), ("GET", f"{AT}/alerts.json"), ("POST", f"{AT}/silences/new")):
                    answer = await host.request(method, path, headers, b"for=1h" if method == "POST" else b"")
                    assert (answer.status, answer.headers["x-content-type-options"]) == (status, "nosniff")
                if status == 401:  # Somebody who is let in is told what else is missing.
                    answer = await host.request("GET", f"{AT}/alerts", forged)
                    assert (answer.status, "ALERT_ROUTER_STATE" in answer.text) == (503, True)

    asyncio.run(run())
