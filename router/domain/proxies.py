"""The proxy through which hosts beyond this machine are asked, where the operator names one.

What is said of a wrong one never repeats it: it may hold a password.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import unquote

from router.domain.errors import BadSetting
from router.domain.patterns import find_address
from router.domain.urls import is_host, is_loopback, split_url
from router.domain.values import Value, repr_without

PROXY, NO_PROXY = "ALERT_ROUTER_PROXY", "ALERT_ROUTER_NO_PROXY"
"""The settings of the proxy, which may hold a password, and of the hosts that are asked without it."""

UNREACHED = "the proxy is not reached"

_FORM = "http://HOST:PORT, or https, with USER:PASSWORD@ in ASCII before the host if it wants to know who asks"
_WRITTEN = re.compile(r"(https?)://(?:([^:/?#\s][^/?#\s]*)@)?([^@/?#]+:[0-9]+)/?")


class Proxy(Value):
    """A proxy that is asked by CONNECT, and the hosts that are asked without it, each with every name under it.

    Attributes:
        url: where it is; it ends with the port.
        who: USER:PASSWORD, if it wants to know who asks, as a URL has them; in ASCII.
    """

    url: str
    who: str = ""
    direct: tuple[str, ...] = ()

    __repr__ = repr_without("who")

    @property
    def headers(self) -> Mapping[str, str]:
        """What it is told of who asks: https://www.rfc-editor.org/rfc/rfc7617"""
        user, _, password = map(unquote, self.who.partition(":"))
        basic = b64encode(f"{user}:{password}".encode()).decode()
        return {"Proxy-Authorization": f"Basic {basic}"} if self.who else {}

    def leads_to(self, host: str) -> bool:
        """Whether a host is asked through it: all are that are not `direct`, nor this machine, nor an address beside it.

        An identity gets its tokens at an address that only the machine itself can ask:
        https://learn.microsoft.com/azure/virtual-machines/instance-metadata-service#proxies
        """
        name = host.rstrip(".").lower()
        address = find_address(name)
        is_near = is_loopback(name) or (address is not None and address.is_link_local)
        return not is_near and not any(f".{name}".endswith(f".{one}") for one in self.direct)


def parse_proxy(written: str, direct: str) -> Proxy:
    """Return the proxy that the settings write; raises BadSetting, without the proxy."""
    hosts = tuple(host.strip(" .[]").lower() for host in direct.split(",") if host.strip())
    for host in hosts:
        if not is_host(host):
            raise BadSetting(f"{NO_PROXY}: {host!r} is no host, such as contoso.com, which stands for all under it")
    if (found := _WRITTEN.fullmatch(written)) is not None:
        scheme, who, place = found.groups("")
        with suppress(ValueError):
            split_url(f"https://{place}")  # As https, since http is not for loopback alone here.
            if unquote(who).isascii() and ":" not in unquote(who.partition(":")[0]):
                return Proxy(f"{scheme}://{place}", who, hosts)
    raise BadSetting(f"{PROXY}: is no address of a proxy; write {_FORM}")


def refusal_of(status: int) -> str:
    """What is said of a proxy that answers so, where it was to lead to a host."""
    if status == 407:
        return f"the proxy refuses our credentials (407); mend {PROXY}"
    return f"the proxy answered {status}"
