"""Azure's own endpoints, asked by the identity that is signed in, and no others: for the live gate and for drills.

Tokens go to the endpoints of the chosen cloud alone. What an answer points to, as `nextLink` does, is asked only if it is
there, too; redirects are not followed, and the environment's proxies are not used.
https://learn.microsoft.com/azure/azure-government/compare-azure-government-global-azure#guidance-for-developers,
https://learn.microsoft.com/azure/china/resources-developer-guide
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from copy import replace
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from router.app.certificates import identity_for, trust_for
from router.app.optional_packages import refuse_absent
from router.app.settings import Settings, now
from router.coverage.asking.retries import ATTEMPTS, PatientSender, Send, TimeLimit
from router.deliver.http import Http
from router.domain.conversation import HttpAnswer, HttpRequest
from router.domain.errors import BadUsage, Unavailable
from router.domain.values import Value

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken
    from azure.core.credentials_async import AsyncTokenCredential

LONGEST_ANSWER = 32 * 1024 * 1024
"""Bytes of an answer that are read: a page of Resource Graph has 1,000 rows, of some KB each."""

_TIMEOUT = 60.0
"""Seconds for one request, or for one token."""

_EARLY = 300
"""Seconds before its end in which a token is asked for anew."""

# That an identity is signed in is said once, by us; the libraries say it on stderr if no logging is set up.
logging.getLogger("azure").setLevel(logging.CRITICAL + 1)


class AzureCloud(Value, kw_only=True):
    """The endpoints of one of Azure's clouds, each as `https://HOST`."""

    resource_manager: str = "https://management.azure.com"
    log_analytics: str = "https://api.loganalytics.io"

    def find_scope(self, url: str) -> str | None:
        """Return the scope of the token that a request needs; None if its host is none of the cloud's own."""
        try:
            parts = urlsplit(url)
        except ValueError:
            return None
        # Some services write the port of https into the link to their next page.
        host = parts.netloc.removesuffix(":443") if parts.scheme == "https" else parts.netloc
        asked = f"{parts.scheme}://{host}".lower()
        return next(
            (f"{one}/.default" for one in (self.resource_manager, self.log_analytics) if one.lower() == asked), None
        )


PUBLIC = AzureCloud()

_CLOUDS = (
    PUBLIC,
    AzureCloud(resource_manager="https://management.usgovcloudapi.net", log_analytics="https://api.loganalytics.us"),
    AzureCloud(
        resource_manager="https://management.chinacloudapi.cn", log_analytics="https://api.loganalytics.azure.cn"
    ),
)


def cloud_for(resource_manager: str | None, log_analytics: str | None) -> AzureCloud:
    """Return the cloud of a Resource Manager, by default the public one; another endpoint has Log Analytics there, too."""
    manager = resource_manager or PUBLIC.resource_manager
    known = next((one.log_analytics for one in _CLOUDS if one.resource_manager == manager.lower()), manager)
    return AzureCloud(resource_manager=manager, log_analytics=log_analytics or known)


class AzureApi:
    """Sends a request to the endpoint of the cloud whose it is, with the token for it."""

    def __init__(
        self,
        send: Send,
        cloud: AzureCloud,
        credential: AsyncTokenCredential,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self.cloud = cloud
        self._send = send
        self._credential = credential
        self._clock = clock
        self._tokens: dict[str, AccessToken] = {}
        self._signing_in = asyncio.Lock()

    async def sign_in(self, asker: str = "--live") -> None:
        """Get the token for Azure Resource Manager; raises BadUsage, which begins with `asker`, if no identity is signed in."""
        try:
            await self._token(f"{self.cloud.resource_manager}/.default")
        except Unavailable as fault:
            raise BadUsage(f"{asker}: {fault}; sign in with `az login`, or give this job an identity") from fault

    async def send(self, request: HttpRequest) -> HttpAnswer:
        """Return the answer, whatever its status; raises Unavailable if none came, or the host is none of the cloud's."""
        scope = self.cloud.find_scope(request.url)
        if scope is None:
            raise Unavailable(f"{_host_in(request.url)} is no endpoint of Azure's, and was not asked")
        answer = await self._send(await self._signed(request, scope))
        if answer.status == 401 and self._tokens.pop(scope, None) is not None:
            answer = await self._send(await self._signed(request, scope))
        if len(answer.body) >= LONGEST_ANSWER:
            raise Unavailable(f"the answer is longer than {LONGEST_ANSWER >> 20} MB")
        return answer

    async def _signed(self, request: HttpRequest, scope: str) -> HttpRequest:
        return replace(request, headers={**request.headers, "authorization": f"Bearer {await self._token(scope)}"})

    async def _token(self, scope: str) -> str:
        """The token for a scope, asked for once and kept until shortly before its end."""
        from azure.core.exceptions import AzureError

        async with self._signing_in:
            held = self._tokens.get(scope)
            if held is None or held.expires_on - _EARLY <= self._clock().timestamp():
                try:
                    async with asyncio.timeout(_TIMEOUT):
                        held = self._tokens[scope] = await self._credential.get_token(scope)
                except (AzureError, TimeoutError, ValueError, OSError) as fault:
                    raise Unavailable(f"nobody is signed in to Azure ({type(fault).__name__})") from fault
        return held.token


@asynccontextmanager
async def azure_over(
    settings: Settings, limit: TimeLimit, attempts: int = ATTEMPTS, asker: str = "--live"
) -> AsyncIterator[tuple[AzureCloud, Send]]:
    """Open the cloud that the settings name; yields it, and what asks it as long as the context lasts.

    Raises BadUsage, which begins with `asker`, if no identity is signed in or the extra is not installed. What changes
    something is asked once, so that `attempts` is 1.
    """
    refuse_absent(("azure.identity",), asker)
    from router.deliver.azure_transport import LoopbackCredential, is_loopback

    cloud = cloud_for(settings.resource_manager, settings.log_analytics)
    # An endpoint on loopback is no Azure, so then no token of Azure's is sent at all.
    is_local = is_loopback(cloud.resource_manager) or is_loopback(cloud.log_analytics)
    credential = LoopbackCredential() if is_local else identity_for(settings, settings.identity)
    async with Http(trust_for(settings), settings.proxy, timeout=_TIMEOUT, longest=LONGEST_ANSWER) as http:
        api = AzureApi(PatientSender(http.send, limit, attempts=attempts).send, cloud, credential)
        try:
            await api.sign_in(asker)
            yield cloud, api.send
        finally:
            await credential.close()


def _host_in(url: str) -> str:
    try:
        return urlsplit(url).hostname or "what is no URL"
    except ValueError:
        return "what is no URL"
