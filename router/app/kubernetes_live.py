"""Asks the clusters of a kubeconfig, several side by side. One that cannot be asked is unknown, and stops no other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from router.app.asking import Advance, run_asking
from router.app.kubernetes_connection import ClusterConnection
from router.app.patience import TimeLimit
from router.app.settings import Settings
from router.coverage.documents import CoverageDocument
from router.coverage.live.cluster_probe import probe_cluster, refused_cluster
from router.coverage.live.contexts import NamedContext
from router.coverage.live.kubeconfig import Kubeconfig
from router.coverage.live.probes import Documents
from router.domain.errors import BadFile

_AT_A_TIME = 8
"""Clusters that are asked side by side."""


async def ask_clusters(
    contexts: Sequence[NamedContext],
    kubeconfig: Kubeconfig,
    settings: Settings,
    limit: TimeLimit,
    advance: Advance = lambda ended, known: None,
    *,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> list[CoverageDocument]:
    """What the clusters of some contexts answer, in the order of the contexts."""
    ended = 0
    free, signing_in = asyncio.Semaphore(_AT_A_TIME), asyncio.Lock()

    async def ask(one: NamedContext) -> Documents:
        nonlocal ended
        async with free:
            try:
                access = kubeconfig.access_for(one.context)
            except BadFile as fault:
                documents = refused_cluster(one.context, one.name, str(fault))
            else:
                documents = await _ask(one, ClusterConnection(access, settings, limit, signing_in, sleep=sleep), limit)
        ended += 1
        advance(ended, len(contexts))
        return documents

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(ask(one)) for one in contexts]
    return [document for task in tasks for document in task.result()]


async def _ask(one: NamedContext, connection: ClusterConnection, limit: TimeLimit) -> Documents:
    try:
        async with asyncio.timeout(limit.left):
            await connection.open()
        return await run_asking(probe_cluster(connection.server, one.context, one.name), connection.send)
    except TimeoutError:
        return refused_cluster(one.context, one.name, str(limit.over()))
    except BadFile as fault:
        return refused_cluster(one.context, one.name, str(fault))
    finally:
        await connection.close()
