"""How Microsoft's clients send: by the client that sends everything else; and who we are to an endpoint that is not Azure."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, MutableMapping
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError
from azure.core.pipeline.transport import AsyncHttpTransport
from azure.core.rest import AsyncHttpResponse, HttpRequest
from azure.core.utils import CaseInsensitiveDict

from router.domain import conversation, urls

if TYPE_CHECKING:
    from router.deliver.http import Http


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

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *fault: object) -> None:
        pass


class _Answer(AsyncHttpResponse):
    """An answer that was read, in the form in which Microsoft's clients look at it."""

    def __init__(self, request: HttpRequest, answer: conversation.HttpAnswer) -> None:
        self._request = request
        self._answer = answer
        self._headers: MutableMapping[str, str] = CaseInsensitiveDict(answer.headers)
        self._encoding: str | None = None

    @property
    def request(self) -> HttpRequest:
        return self._request

    @property
    def status_code(self) -> int:
        return self._answer.status

    @property
    def headers(self) -> MutableMapping[str, str]:
        return self._headers

    @property
    def reason(self) -> str:
        return ""

    @property
    def content_type(self) -> str | None:
        return self._headers.get("content-type")

    @property
    def is_closed(self) -> bool:
        return True

    @property
    def is_stream_consumed(self) -> bool:
        return True

    @property
    def encoding(self) -> str | None:
        return self._encoding

    @encoding.setter
    def encoding(self, value: str | None) -> None:
        self._encoding = value

    @property
    def url(self) -> str:
        return self._request.url

    @property
    def content(self) -> bytes:
        return self._answer.body

    def text(self, encoding: str | None = None) -> str:
        return self._answer.body.decode(encoding or self._encoding or "utf-8", "replace")

    def json(self) -> Any:
        return json.loads(self.text())

    def raise_for_status(self) -> None:
        if self.status_code >= 400:
            raise HttpResponseError(response=self)

    async def read(self) -> bytes:
        return self._answer.body

    async def iter_raw(self, **options: Any) -> AsyncIterator[bytes]:
        yield self._answer.body

    async def iter_bytes(self, **options: Any) -> AsyncIterator[bytes]:
        yield self._answer.body

    async def close(self) -> None:
        pass

    async def __aexit__(self, *fault: object) -> None:
        pass


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
