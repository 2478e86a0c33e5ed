"""The tokens that Azure gives to an identity, kept while they are good."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken
    from azure.core.credentials_async import AsyncTokenCredential

_EARLY = 300
"""Seconds before its end in which a token is asked for anew."""


class AzureTokens:
    """Asks a credential for the token of each scope once, and again shortly before its end. `clock` tells the time."""

    def __init__(self, credential: AsyncTokenCredential, clock: Callable[[], datetime]) -> None:
        self._credential = credential
        self._clock = clock
        self._held: dict[str, AccessToken] = {}
        self._asking = asyncio.Lock()

    async def token_for(self, scope: str) -> str:
        """The token for a scope; raises what the credential raises."""
        async with self._asking:
            held = self._held.get(scope)
            if held is None or held.expires_on - _EARLY <= self._clock().timestamp():
                held = self._held[scope] = await self._credential.get_token(scope)
        return held.token

    def forget(self, scope: str) -> bool:
        """Forgets the token for a scope, which was refused; False where there was none."""
        return self._held.pop(scope, None) is not None

    async def close(self) -> None:
        """Closes the credential."""
        await self._credential.close()
