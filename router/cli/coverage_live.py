"""What `coverage check --live` asks Azure, with a bar on a terminal."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from router.app.settings import Settings
from router.cli.coverage_documents import OtherDocuments, asked_documents
from router.cli.coverage_tags import keep_tags_read, refuse_unwritable, wants_tags
from router.cli.progress import Count, progress_of
from router.coverage.documents import CoverageDocument
from router.coverage.live.azure import AzureScope, azure_inquiry
from router.coverage.live.clouds import AzureCloud
from router.coverage.live.graph_queries import TAGS
from router.coverage.live.resource_graph import graph_probes
from router.coverage.live.subscriptions import seen_subscriptions
from router.domain.coverage_manifest import CoverageManifest
from router.domain.errors import BadUsage

if TYPE_CHECKING:
    from router.app.patience import Send

TIMEOUT = 300.0
"""Seconds after which what was not answered is unknown."""

_ONLY_LIVE = ("subscription", "workspace", "timeout", "keep_tags")


class _Answers(NamedTuple):
    """What Azure answered.

    Attributes:
        documents: what the gate judges.
        tags: the tags of every resource, resource group and subscription, where they were wanted; nothing is judged by them.
    """

    documents: tuple[CoverageDocument, ...]
    tags: tuple[CoverageDocument, ...]


def ask_live(options: Namespace, manifest: CoverageManifest, now: datetime) -> OtherDocuments | None:
    """What Azure answers; None where nobody asks it.

    Raises BadUsage where nobody is signed in, or an option of `--live` stands without it, and BadSetting.
    """
    if not options.live:
        # How long to ask is said of clusters, too.
        names = (name for name in _ONLY_LIVE if name != "timeout" or not options.context)
        if given := next((name for name in names if getattr(options, name)), None):
            raise BadUsage(f"--{given.replace('_', '-')}: says what is asked, and nobody is; add --live")
        return None
    if options.keep_tags is not None:
        refuse_unwritable(options.keep_tags, "the tags")
    with progress_of("asking Azure") as advance:
        answers = asyncio.run(_ask(options, manifest, now, advance))
    lacking = keep_tags_read(options, answers.tags) if wants_tags(options) else ()
    return asked_documents("what Azure answered", (*answers.documents, *lacking), now)


async def _ask(options: Namespace, manifest: CoverageManifest, now: datetime, advance: Count) -> _Answers:
    from router.app.asking import run_inquiry
    from router.app.azure_api import azure_over  # for which nobody waits who only reads files
    from router.app.patience import TimeLimit

    async with azure_over(Settings(), TimeLimit(options.timeout or TIMEOUT)) as (cloud, send):
        scope = AzureScope(
            cloud=cloud,
            subscriptions=tuple(options.subscription or ()),
            workspaces=tuple(options.workspace or ()),
            manifest=manifest,
            now=now,
        )
        documents = await run_inquiry(azure_inquiry(scope), send, advance)
        tags = await _ask_tags(cloud, send, documents) if wants_tags(options) else ()
    return _Answers(documents, tags)


async def _ask_tags(
    cloud: AzureCloud, send: Send, documents: Iterable[CoverageDocument]
) -> tuple[CoverageDocument, ...]:
    """The tags of the subscriptions that were asked."""
    from router.app.asking import run_probes

    if not (subscriptions := seen_subscriptions(documents).ids):
        return ()
    answers = await run_probes(list(graph_probes(cloud, TAGS, subscriptions)), send)
    return tuple(document for one in answers for document in one)
