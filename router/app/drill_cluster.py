"""The read that raises the test alert of a cluster's control plane, by a context of a kubeconfig: a GET, and the only one."""

from __future__ import annotations

import asyncio

from router.app.kubernetes_connection import ClusterConnection
from router.app.patience import TimeLimit
from router.app.settings import Settings
from router.coverage.live.contexts import NamedContext
from router.coverage.live.kubeconfig import Kubeconfig
from router.domain.conversation import HttpRequest
from router.domain.errors import BadFile, Unavailable
from router.drill.instructions import NAMESPACE

_LIMIT = 90.0
"""Seconds for signing in and the answer."""


class ClusterReader:
    """Asks the API server of one context for the pods of a namespace that is not there."""

    def __init__(self, named: NamedContext, kubeconfig: Kubeconfig, settings: Settings) -> None:
        self._named = named
        self._kubeconfig = kubeconfig
        self._settings = settings

    async def read(self) -> str | None:
        """Asks; why it was not answered, where it was not."""
        where, limit = f"context {self._named.context}", TimeLimit(_LIMIT)
        try:
            access = self._kubeconfig.access_for(self._named.context)
            connection = ClusterConnection(access, self._settings, limit, asyncio.Lock())
            url = f"{connection.server}/api/v1/namespaces/{NAMESPACE}/pods?limit=1"
            try:
                async with asyncio.timeout(limit.left):
                    await connection.open()
                answer = await connection.send(HttpRequest(method="GET", url=url))
            finally:
                await connection.close()
        except TimeoutError:
            return f"{where}: {limit.over()}"
        except BadFile as fault:
            return str(fault)
        except Unavailable as fault:
            return f"{where}: {fault}"
        if answer.status == 200:
            return None
        return f"{where}: the API server answered {answer.status}; whoever asks must be allowed to list pods in all namespaces"
