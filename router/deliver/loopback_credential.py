"""Who we are to a logs endpoint on this machine, which is not Azure."""

from __future__ import annotations

from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from azure.core.credentials import AccessToken

from router.domain import urls


class LoopbackCredential:
    """Hands out a word that is no secret, so that no token of Azure's is ever sent to a server that is not Azure."""

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        """A token that never expires and opens nothing."""
        return AccessToken("loopback", 2**31)

    async def close(self) -> None:
        """Has nothing to close."""

    async def __aenter__(self) -> LoopbackCredential:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.close()


def is_loopback(url: str) -> bool:
    """Whether a URL points at this machine."""
    return urls.is_loopback(urlsplit(url).hostname or "")
