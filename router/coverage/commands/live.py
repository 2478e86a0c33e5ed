"""What `coverage check --live` asks Azure, with a bar on a terminal."""

from __future__ import annotations

import asyncio
import errno
import os
from argparse import Namespace
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from router.app.settings import Settings
from router.app.tags import keep_tags
from router.cli.given import clock_for
from router.cli.opened_state import store_in
from router.cli.screen import Count, progress_of
from router.cli.streams import complain
from router.coverage.asking.arm import refused
from router.coverage.asking.clusters import ask_clusters
from router.coverage.asking.kubeconfig import Kubeconfig, NamedContext, contexts_for, open_kubeconfig
from router.coverage.asking.patience import TimeLimit
from router.coverage.commands.files import OtherDocuments, asked_documents
from router.coverage.documents import CoverageDocument
from router.coverage.expected.manifest import CoverageManifest
from router.coverage.facts import name_of_state
from router.coverage.stored import READ_KINDS, documents_of_state
from router.coverage.tags import tag_file_of
from router.domain.documents import StoredDocument
from router.domain.errors import BadFile, BadUsage
from router.domain.source_turns import KnownSource
from router.domain.texts import counted
from router.store.documents import list_documents
from router.store.sources import list_sources


def wants_tags(options: Namespace) -> bool:
    """Whether anybody is there who would find owners by them."""
    return options.keep_tags is not None or options.state is not None


def refuse_unwritable(file: Path, what: str) -> None:
    """Raises BadFile where a file is to be written into a directory that is not there: before anybody waits for Azure."""
    if not file.parent.is_dir():
        raise BadFile(f"{file}: {what} cannot be written there: {os.strerror(errno.ENOENT)}")


def keep_tags_read(options: Namespace, tags: Iterable[CoverageDocument]) -> tuple[CoverageDocument, ...]:
    """Keeps tags where the options say, and returns what is lacking of a file that was asked for.

    A state keeps what it had of whatever was not answered; a file is written whole, or stays as it is. Raises BadFile and
    StoreError.
    """
    documents = tuple(tags)
    lacking = tuple(refused(one.name, one.refusals[0].reason) for one in documents if one.refusals)
    if options.state is not None:
        asyncio.run(_keep_in_state(options, documents))
        if lacking:
            complain("tags: not every one was answered; the state keeps what it had of the others")
    if options.keep_tags is None:
        return ()
    if lacking:
        complain(f"{options.keep_tags}: is not written, as not every tag was answered")
    else:
        _write(options.keep_tags, tag_file_of(documents))
    return lacking


async def _keep_in_state(options: Namespace, documents: Iterable[CoverageDocument]) -> None:
    async with store_in(options) as store:
        await keep_tags(store, documents, clock_for(options.now, store.now)())


def _write(file: Path, data: bytes) -> None:
    """Writes a file whole or not at all: whoever reads it meanwhile reads the one before."""
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        beside.write_bytes(data)
        beside.replace(file)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise BadFile(f"{file}: the tags cannot be written there: {error.strerror}") from error


TIMEOUT = 300.0
"""Seconds after which what was not answered is unknown."""

_ONLY_LIVE = ("subscription", "workspace", "timeout", "keep_tags")


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
        documents, tags = asyncio.run(_ask(options, manifest, now, advance))
    lacking = keep_tags_read(options, tags) if wants_tags(options) else ()
    return asked_documents("what Azure answered", (*documents, *lacking), now)


async def _ask(
    options: Namespace, manifest: CoverageManifest, now: datetime, advance: Count
) -> tuple[Sequence[CoverageDocument], Sequence[CoverageDocument]]:
    """Return what the gate judges, and the tags of all resources, resource groups and subscriptions if they are wanted."""
    from router.coverage.asking.azure import AzureQuestions, AzureScope, ask_azure, seen_subscriptions
    from router.coverage.asking.azure_api import azure_over  # who only reads files does not wait for it
    from router.coverage.asking.resource_graph import TAGS

    async with azure_over(Settings(), TimeLimit(options.timeout or TIMEOUT)) as (cloud, send):
        scope = AzureScope(
            cloud=cloud,
            subscriptions=tuple(options.subscription or ()),
            workspaces=tuple(options.workspace or ()),
            manifest=manifest,
            now=now,
        )
        documents = await ask_azure(scope, send, advance)
        subscriptions = tuple(seen_subscriptions(documents)) if wants_tags(options) else ()
        azure = AzureQuestions(send, cloud)
        return documents, await azure.ask(azure.graph(TAGS, subscriptions)) if subscriptions else ()


class MeantClusters(NamedTuple):
    """The clusters that are to be asked.

    Attributes:
        kubeconfig: how each is asked.
        contexts: their contexts.
    """

    kubeconfig: Kubeconfig
    contexts: tuple[NamedContext, ...]


def find_clusters(options: Namespace) -> MeantClusters | None:
    """The clusters that the options name; None where they name none. Raises BadUsage where a context is not there.

    None is asked that nobody named: to ask one runs the programs that its kubeconfig says.
    """
    if not options.context:
        if options.kubeconfig is not None:
            raise BadUsage("--kubeconfig: says where contexts are; name those that are to be asked with --context")
        return None
    kubeconfig = open_kubeconfig(options.kubeconfig, Settings())
    return MeantClusters(kubeconfig, contexts_for(options.context, kubeconfig.contexts))


def ask_meant(clusters: MeantClusters, options: Namespace, now: datetime) -> OtherDocuments:
    """What the clusters answer."""
    kubeconfig, contexts = clusters
    limit = TimeLimit(options.timeout or TIMEOUT)
    with progress_of("asking clusters") as advance:
        answers = asyncio.run(ask_clusters(contexts, kubeconfig, Settings(), limit, advance))
    return asked_documents(counted(len(contexts), "cluster"), answers, now)


def open_coverage_state(options: Namespace) -> OtherDocuments | None:
    """What the state knows that is meant; None where none is. Raises BadFile, BadUsage, BadSetting and StoreError."""
    if options.state is None:
        return None
    name = name_of_state(str(options.state))
    stored, sources = asyncio.run(_stored(options))
    return OtherDocuments(f"the state {options.state}", (name,), documents_of_state(name, stored, sources))


async def _stored(options: Namespace) -> tuple[Sequence[StoredDocument], Sequence[KnownSource]]:
    async with store_in(options) as store, store.session() as tx:
        stored = [one for kind in READ_KINDS for one in await list_documents(tx, kind)]
        return stored, await list_sources(tx)


def documents_beside_files(options: Namespace, manifest: CoverageManifest, now: datetime) -> list[OtherDocuments]:
    """What the options name that is no file; what is not there is said before anybody is asked.

    Raises BadUsage where they name no file either.
    """
    state, meant = open_coverage_state(options), find_clusters(options)
    live = ask_live(options, manifest, now)
    clusters = ask_meant(meant, options, now) if meant is not None else None
    found = [one for one in (clusters, state, live) if one is not None]
    if not options.files and not found:
        raise BadUsage(
            "name files, clusters with --context, or the state of a router with --state, or ask Azure with --live: "
            "there is nothing to judge"
        )
    return found
