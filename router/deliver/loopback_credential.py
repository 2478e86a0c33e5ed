"""Who we are to a logs endpoint on this machine, which is not Azure."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from urllib.parse import urlsplit

from router.domain import urls

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken


class _LoopbackToken(NamedTuple):
    """An AccessToken, where no client of Azure's is installed."""

    token: str
    expires_on: int


class LoopbackCredential:
    """Hands out a word that is no secret, so that no token of Azure's is ever sent to a server that is not Azure."""

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        """A token that never expires and opens nothing."""
        return cast("AccessToken", _LoopbackToken("loopback", 2**31))

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
