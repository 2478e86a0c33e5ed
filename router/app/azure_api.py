"""Azure's own endpoints, asked by whoever is signed in, and nobody else's: for the live gate and for drills.

Tokens go to the endpoints of the chosen cloud alone. Whatever an answer points to, as `nextLink` does, is asked only if it is
there, too; redirects are not followed.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from router.app.extras import refuse_absent
from router.app.patience import ATTEMPTS, PatientSender, Send, TimeLimit
from router.app.settings import Settings, now
from router.app.trust import identity_for, trust_for
from router.coverage.live.clouds import AzureCloud, cloud_for
from router.deliver.http import Http
from router.domain.conversation import HttpAnswer, HttpRequest
from router.domain.errors import BadUsage, Unavailable

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken
    from azure.core.credentials_async import AsyncTokenCredential

LONGEST_ANSWER = 32 * 1024 * 1024
"""Bytes of an answer that are read: a page of Resource Graph has 1,000 rows, of some KB each."""

_TIMEOUT = 60.0
"""Seconds for one request, or for one token."""

_EARLY = 300
"""Seconds before its end in which a token is asked for anew."""

_RESETS = re.compile(r"(\d{1,2}):(\d{2}):(\d{2})(?:\.\d+)?")

# Whether somebody is signed in is said once, by us; the libraries say it on stderr where nobody set up logging.
logging.getLogger("azure").setLevel(logging.CRITICAL + 1)


class AzureApi:
    """Sends a request to the endpoint of the cloud whose it is, with the token for it.

    Where Resource Graph says that nothing is left of its quota, the next query waits until it is filled again:
    https://learn.microsoft.com/azure/governance/resource-graph/concepts/guidance-for-throttled-requests
    """

    def __init__(
        self,
        send: Send,
        cloud: AzureCloud,
        credential: AsyncTokenCredential,
        limit: TimeLimit,
        *,
        clock: Callable[[], datetime] = now,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.cloud = cloud
        self._send = send
        self._credential = credential
        self._limit = limit
        self._clock = clock
        self._sleep = sleep
        self._tokens: dict[str, AccessToken] = {}
        self._signing_in = asyncio.Lock()
        self._graph_is_free = 0.0

    async def sign_in(self, asker: str = "--live") -> None:
        """Gets the token for Azure Resource Manager; raises BadUsage, which begins with who asks, where nobody is signed in."""
        try:
            await self._token(f"{self.cloud.resource_manager}/.default")
        except Unavailable as fault:
            raise BadUsage(f"{asker}: {fault}; sign in with `az login`, or give this job an identity") from fault

    async def send(self, request: HttpRequest) -> HttpAnswer:
        """The answer, whatever its status; raises Unavailable where none came, or the host is none of the cloud's."""
        scope = self.cloud.find_scope(request.url)
        if scope is None:
            raise Unavailable(f"{_host_of(request.url)} is no endpoint of Azure's, and was not asked")
        is_query = "/microsoft.resourcegraph/" in request.url.lower()
        if is_query:
            await self._wait_for_quota()
        answer = await self._send(await self._signed(request, scope))
        if answer.status == 401 and self._tokens.pop(scope, None) is not None:
            answer = await self._send(await self._signed(request, scope))
        if is_query:
            self._heed(answer)
        if len(answer.body) >= LONGEST_ANSWER:
            raise Unavailable(f"the answer is longer than {LONGEST_ANSWER >> 20} MB")
        return answer

    async def close(self) -> None:
        """Closes what gives out tokens."""
        await self._credential.close()

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

    async def _wait_for_quota(self) -> None:
        seconds = self._graph_is_free - self._clock().timestamp()
        if seconds >= self._limit.left:
            raise self._limit.over()
        if seconds > 0:
            await self._sleep(seconds)

    def _heed(self, answer: HttpAnswer) -> None:
        found = _RESETS.fullmatch(answer.headers.get("x-ms-user-quota-resets-after", "").strip())
        if found and answer.headers.get("x-ms-user-quota-remaining", "").strip() == "0":
            hours, minutes, seconds = map(int, found.groups())
            self._graph_is_free = self._clock().timestamp() + hours * 3600 + minutes * 60 + seconds


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or "what is no URL"
    except ValueError:
        return "what is no URL"


@asynccontextmanager
async def azure_over(
    settings: Settings, limit: TimeLimit, attempts: int = ATTEMPTS, asker: str = "--live"
) -> AsyncIterator[tuple[AzureCloud, Send]]:
    """The cloud that the settings name, and what asks it as long as the context lasts.

    Raises BadUsage, which names who asks, where nobody is signed in or the extra is not installed. What changes something
    is asked once, so that `attempts` is 1.
    """
    refuse_absent(("azure.identity",), asker)
    cloud = cloud_for(settings.resource_manager, settings.log_analytics)
    async with Http(trust_for(settings), timeout=_TIMEOUT, longest=LONGEST_ANSWER) as http:
        patient = PatientSender(http.send, limit, attempts=attempts)
        api = AzureApi(patient.send, cloud, _credential_for(settings, cloud), limit)
        try:
            await api.sign_in(asker)
            yield cloud, api.send
        finally:
            await api.close()


def _credential_for(settings: Settings, cloud: AzureCloud) -> AsyncTokenCredential:
    """Whoever is signed in; an endpoint on loopback is no Azure, so then no token of Azure's is sent at all."""
    from router.deliver.azure_transport import LoopbackCredential, is_loopback

    if is_loopback(cloud.resource_manager) or is_loopback(cloud.log_analytics):
        return LoopbackCredential()
    return identity_for(settings.identity)
