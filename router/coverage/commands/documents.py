"""What coverage is judged from: files, the state of a router, clusters and Azure, as the options name them."""

from __future__ import annotations

import asyncio
import errno
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from router.app.settings import Settings
from router.cli.open_state import store_in
from router.cli.screen import Count, progress_of
from router.coverage.asking.clusters import ask_clusters
from router.coverage.asking.kubeconfig import contexts_for, open_kubeconfig
from router.coverage.asking.retries import TimeLimit
from router.coverage.commands.tags import keep_tags_read, wants_tags
from router.coverage.documents import CoverageDocument, dated, read_document
from router.coverage.expected.manifest import CoverageManifest
from router.coverage.facts import name_of_state
from router.coverage.stored import READ_KINDS, documents_of_state
from router.domain.errors import BadFile, BadUsage
from router.domain.readable import counted
from router.store.documents import list_documents
from router.store.sources import list_sources

TIMEOUT = 300.0
"""Seconds after which what was not answered is unknown."""

_ONLY_LIVE = ("subscription", "workspace", "timeout", "keep_tags")

STDIN = "-"

_LARGEST = 1_000_000_000
"""Bytes of a document beyond which it is refused; an answer on 5,000 machines has a hundredth of that."""


class OpenedDocuments(NamedTuple):
    """All documents, of which files are read one after the other: those of many clusters do not fit into memory.

    Attributes:
        refused: the files that could not be read so far, a line each; whole once the documents are.
        others: the documents that are no files, by their names, each with its name in a sentence.
    """

    documents: Iterable[CoverageDocument]
    refused: list[str]
    others: Mapping[str, str]


type _Answers = tuple[str, Iterable[CoverageDocument], Sequence[str]]
"""Documents that are no files: their name in a sentence, they, and their names."""


def open_documents(options: Namespace, manifest: CoverageManifest, now: datetime) -> OpenedDocuments:
    """Read and ask what the options name; what is not there is refused before anything is asked.

    Raises BadUsage if they name nothing, if an option of `--live` stands without it, or if no identity is signed in.
    """
    state, asking = _read_state(options), _clusters_to_ask(options, now)
    live = _ask_live(options, manifest, now)
    found = [one for one in (asking() if asking is not None else None, state, live) if one is not None]
    if not options.files and not found:
        raise BadUsage(
            "name files, clusters with --context, or the state of a router with --state, or ask Azure with --live: "
            "there is nothing to judge"
        )
    refused: list[str] = []
    files = _read_files(list(_find_files(options.files)), refused)
    others = {name: words for words, _, names in found for name in names}
    return OpenedDocuments(chain(files, *(documents for _, documents, _ in found)), refused, others)


def _find_files(arguments: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """Yield each path that the arguments name, once, with the name that is given for it.

    A file that is given with a name, and again in a directory without one, is what its name says.
    """
    files = dict.fromkeys(one for argument in arguments for one in _files_of(argument))
    named = {path for path, given in files if given is not None}
    yield from ((path, given) for path, given in files if given is not None or path not in named)


def _files_of(argument: str) -> Iterator[tuple[str, str | None]]:
    """Yield the files of an argument, with the name before its first `=`, which may be an ARM id."""
    name, separator, path = argument.partition("=")
    given: str | None = name.strip()
    if not separator or Path(argument).exists():
        given, path = None, argument
    elif not given or not path:
        raise BadUsage(f"{argument}: has nothing on one side of =; write NAME=FILE")
    found: list[Path] = []
    if Path(path).is_dir():
        found = sorted(one for one in Path(path).iterdir() if one.suffix.lower() == ".json" and one.is_file())
    # An empty directory is a file that says nothing: it is refused by its name.
    yield from ((one, given) for one in [*map(str, found)] or [path])


def _read_files(files: Iterable[tuple[str, str | None]], refused: list[str]) -> Iterator[CoverageDocument]:
    """Yield the documents in files; one that cannot be read stops no other."""
    for path, given in files:
        try:
            document = read_document(_read_bytes(path), path, given)
        except BadFile as error:
            refused.append(str(error))
        else:
            yield document


def _read_bytes(path: str) -> bytes:
    if path == STDIN:
        return sys.stdin.buffer.read()
    try:
        if Path(path).is_dir():
            raise BadFile(f"{path}: is a directory without .json files")
        if Path(path).stat().st_size > _LARGEST:
            raise BadFile(f"{path}: is larger than a gigabyte; give it in parts")
        return Path(path).read_bytes()
    except OSError as error:
        raise BadFile(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise BadFile(f"{path!r}: is no name of a file") from error


def refuse_unwritable(file: Path, what: str) -> None:
    """Raise BadFile if the directory of a file to be written is not there, before Azure is asked for minutes."""
    if not file.parent.is_dir():
        raise BadFile(f"{file}: {what} cannot be written there: {os.strerror(errno.ENOENT)}")


def _dated_answers(words: str, answers: Sequence[CoverageDocument], now: datetime) -> _Answers:
    return words, [dated(one, now) for one in answers], [one.name for one in answers]


def _read_state(options: Namespace) -> _Answers | None:
    if options.state is None:
        return None
    name = name_of_state(str(options.state))

    async def read() -> Iterable[CoverageDocument]:
        async with store_in(options) as store, store.session() as tx:
            stored = [one for kind in READ_KINDS for one in await list_documents(tx, kind)]
            return documents_of_state(name, stored, await list_sources(tx))

    return f"the state {options.state}", asyncio.run(read()), [name]


def _clusters_to_ask(options: Namespace, now: datetime) -> Callable[[], _Answers] | None:
    """Return what asks the named clusters; raises BadUsage if a context is not there.

    No other cluster is asked: to ask one runs the programs of its kubeconfig.
    """
    if not options.context:
        if options.kubeconfig is not None:
            raise BadUsage("--kubeconfig: says where contexts are; name those that are to be asked with --context")
        return None
    kubeconfig = open_kubeconfig(options.kubeconfig, Settings())
    contexts = contexts_for(options.context, kubeconfig.contexts)

    def ask() -> _Answers:
        limit = TimeLimit(options.timeout or TIMEOUT)
        with progress_of("asking clusters") as advance:
            answers = asyncio.run(ask_clusters(contexts, kubeconfig, Settings(), limit, advance))
        return _dated_answers(counted(len(contexts), "cluster"), answers, now)

    return ask


def _ask_live(options: Namespace, manifest: CoverageManifest, now: datetime) -> _Answers | None:
    if not options.live:
        # Clusters have a timeout, too.
        names = (name for name in _ONLY_LIVE if name != "timeout" or not options.context)
        if given := next((name for name in names if getattr(options, name)), None):
            raise BadUsage(f"--{given.replace('_', '-')}: says what is asked, and nobody is; add --live")
        return None
    if options.keep_tags is not None:
        refuse_unwritable(options.keep_tags, "the tags")
    with progress_of("asking Azure") as advance:
        documents, tags = asyncio.run(_ask(options, manifest, now, advance))
    lacking = keep_tags_read(options, tags) if wants_tags(options) else ()
    return _dated_answers("what Azure answered", (*documents, *lacking), now)


async def _ask(
    options: Namespace, manifest: CoverageManifest, now: datetime, advance: Count
) -> tuple[Sequence[CoverageDocument], Sequence[CoverageDocument]]:
    """Return what the gate judges, and the tags of all resources, resource groups and subscriptions if they are wanted."""
    from router.coverage.asking.arm import TAGS
    from router.coverage.asking.azure import AzureQuestions, AzureScope, ask_azure, seen_subscriptions
    from router.coverage.asking.azure_api import azure_over  # who only reads files does not wait for it

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
