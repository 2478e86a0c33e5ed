"""How Microsoft's clients send: by the client that sends everything else; and who we are to an endpoint that is not Azure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from azure.core.credentials import AccessToken
from azure.core.pipeline.transport import AioHttpTransport, AsyncHttpResponse, AsyncHttpTransport
from azure.core.rest import HttpRequest
from azure.core.utils import CaseInsensitiveDict

from router.deliver.http import way_to
from router.domain import conversation, urls
from router.domain.proxies import Proxy

if TYPE_CHECKING:
    from router.deliver.http import Http

_CONNECTED = 10.0
"""Seconds in which a connection is there, to an address at which maybe nobody is."""


class AzureTransport(AsyncHttpTransport[HttpRequest, AsyncHttpResponse]):
    """Sends the requests of one of Microsoft's clients; raises Unavailable when no answer came in time."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def send(self, request: HttpRequest, **options: Any) -> AsyncHttpResponse:
        """The whole answer, as much of it as is ever read."""
        answer = await self._http.send(
            conversation.HttpRequest(
                method=request.method, url=request.url, headers=dict(request.headers), body=request.content or b""
            )
        )
        return _Answer(request, answer)

    async def open(self) -> None:
        """The connections belong to the client that sends."""

    async def close(self) -> None:
        """As for `open`."""

    async def __aexit__(self, *fault: object) -> None:
        pass


class _Answer(AsyncHttpResponse):
    """An answer that was read, in the form in which Microsoft's clients look at it."""

    def __init__(self, request: Any, answer: conversation.HttpAnswer) -> None:
        super().__init__(request, None)
        self.status_code = answer.status
        self.headers = CaseInsensitiveDict(answer.headers)
        self.content_type = answer.headers.get("content-type")
        self._body = answer.body

    def body(self) -> bytes:
        """All of it."""
        return self._body

    def text(self, encoding: str | None = None) -> str:
        """All of it; what is no text of that encoding is replaced."""
        return self._body.decode(encoding or "utf-8", "replace")


class ProxiedTransport(AioHttpTransport):  # type: ignore[misc]  # which azure.core imports when it is asked for
    """Sends what an identity asks for its tokens, through a proxy where that leads there."""

    def __init__(self, proxy: Proxy, authorities: str | None) -> None:
        super().__init__(use_env_settings=False, connection_timeout=_CONNECTED, connection_verify=authorities or True)
        self._proxy = proxy

    async def send(self, request: Any, **options: Any) -> Any:
        """The answer."""
        return await super().send(request, **options, **way_to(urlsplit(request.url).hostname or "", self._proxy))


class LoopbackCredential:
    """Hands out a word that is no secret, so that no token of Azure's is ever sent to a server that is not Azure."""

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        """A token that never expires and opens nothing."""
        return AccessToken("loopback", 2**31)

    async def close(self) -> None:
        """Has nothing to close."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *fault: object) -> None:
        pass


def is_loopback(url: str) -> bool:
    """Whether a URL points at this machine."""
    return urls.is_loopback(urlsplit(url).hostname or "")
