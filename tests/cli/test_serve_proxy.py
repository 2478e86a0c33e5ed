"""`serve` where nothing is reached but a proxy: what is in the hubs comes out at the SOC, and no password in what it says."""

import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

import pytest
from aiohttp import web

from alert_router_demo.soc.endpoint import served
from tests.cli.test_serve import (
    assert_nothing_was_received_twice,
    has_received,
    publish,
    serving,
)
from tests.egress import EgressProxy
from tests.stack.event_hubs.threads import in_thread
from tests.stack.event_hubs.websocket import websocket_served
from tests.stack.stack import POLICIES, Stack, stack_running

USER, PASSWORD = "alert-router", "pa:ss@canary"
WHO = "alert-router:pa%3Ass%40canary@"
IDENTITY = {
    "AZURE_TENANT_ID": "soc.test",
    "AZURE_CLIENT_ID": "the-router",
    "AZURE_CLIENT_SECRET": "client-canary",
    "AZURE_AUTHORITY_HOST": "https://login.test",
}


def entra() -> web.Application:
    """Gives out tokens, of the kind that opens what is on this machine."""

    async def give(request: web.Request) -> web.Response:
        form = await request.post()
        assert form["client_secret"] == IDENTITY["AZURE_CLIENT_SECRET"]
        return web.json_response({"access_token": "loopback", "expires_in": 3600, "token_type": "Bearer"})

    application = web.Application()
    application.router.add_post("/soc.test/oauth2/v2.0/token", give)
    return application


@contextmanager
def behind_a_proxy(stack: Stack) -> Iterator[EgressProxy]:
    """The hosts of a stack under names that only a proxy knows, which does not run yet; the rules lead there."""
    addresses = stack.soc.addresses
    with ExitStack() as held:

        def given[T](running: AbstractContextManager[T]) -> T:
            return held.enter_context(running)

        proxy = EgressProxy(
            {
                "hubs.test": given(in_thread(websocket_served(stack.hubs), "websockets")),
                "login.test": given(in_thread(served(entra()), "entra")),
                "logs.test": given(in_thread(served(stack.soc.logs.application()), "logs")),
                "pager.test": addresses.pagerduty,
                "tickets.test": addresses.servicenow,
            },
            credentials=f"{USER}:{PASSWORD}",
        )
        proxy.authority.cert_pem.write_to_path(str(stack.directory / "proxy.pem"))
        for stream, policy in POLICIES.items():
            names = {
                "pagerduty": "https://pager.test",
                "servicenow": "https://tickets.test",
                "logs": "https://logs.test",
            }
            (stack.rules / stream / "policy.yaml").write_text(policy.format_map({**stack.addresses(stream), **names}))
        yield proxy


def test_all_that_it_asks_is_asked_through_the_proxy(postgresql: str) -> None:
    """Hubs, tokens, pager, tickets and rows. While it is away, and while it wants another password, one line says so; then
    everything comes out, once. What the system's variables call a proxy hears nothing."""
    with (
        stack_running(postgresql) as stack,
        behind_a_proxy(stack) as proxy,
        socket.create_server(("127.0.0.1", 0)) as trap,
    ):
        running = ExitStack()
        running.enter_context(in_thread(proxy.running(), "proxy"))
        trapped = f"http://127.0.0.1:{trap.getsockname()[1]}"
        names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "WSS_PROXY")
        settings = {
            **IDENTITY,
            **dict.fromkeys((*names, *map(str.lower, names)), trapped),
            "EVENT_HUBS": "",
            "EVENT_HUBS__fullyQualifiedNamespace": "hubs.test",
            "ALERT_ROUTER_PROXY": proxy.url(WHO),
            "ALERT_ROUTER_CA_FILE": str(stack.directory / "proxy.pem"),
        }
        with serving(stack, "tests.cli.hasty", **settings) as one:
            publish(stack, range(2))
            one.until(lambda: has_received(stack, range(2)))
            running.close()
            publish(stack, range(2, 4))
            one.until(lambda: one.says(f"the proxy is not reached: 127.0.0.1:{proxy.port}: the connection was refused"))
            proxy.credentials = "alert-router:another"
            running.enter_context(in_thread(proxy.running(), "proxy"))
            one.until(lambda: one.says("the proxy refuses our credentials (407); mend ALERT_ROUTER_PROXY"))
            proxy.credentials = f"{USER}:{PASSWORD}"
            one.until(lambda: has_received(stack, range(4)))
            assert one.stop() == 0
            said = one.log.read_text()
        running.close()
        assert_nothing_was_received_twice(stack)
        assert {target.partition(":")[0] for target in proxy.targets} == proxy.hosts.keys()
        assert [word for word in ("canary", WHO, PASSWORD, "loopback") if word in said] == []
        trap.setblocking(False)
        with pytest.raises(BlockingIOError):
            trap.accept()
