"""The clusters that `--context` names are asked, beside the files or instead of them."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from typing import NamedTuple

from router.app.kubeconfig_files import open_kubeconfig
from router.app.kubernetes_live import ask_clusters
from router.app.patience import TimeLimit
from router.app.settings import Settings
from router.cli.coverage_live import TIMEOUT
from router.cli.progress import progress_of
from router.coverage.documents import CoverageDocument
from router.coverage.live.contexts import contexts_for
from router.domain.errors import BadUsage
from router.domain.plurals import counted


class AskedClusters(NamedTuple):
    """What clusters answered.

    Attributes:
        documents: the documents.
        words: what the clusters are called in a sentence.
    """

    documents: tuple[CoverageDocument, ...] = ()
    words: str = ""


def ask_contexts(options: Namespace) -> AskedClusters:
    """What the clusters answer that the options name; raises BadUsage where a context is not there.

    None is asked that nobody named: to ask one runs the programs that its kubeconfig says.
    """
    if not options.context:
        if options.kubeconfig is not None:
            raise BadUsage("--kubeconfig: says where contexts are; name those that are to be asked with --context")
        return AskedClusters()
    settings = Settings()
    kubeconfig = open_kubeconfig(options.kubeconfig, settings)
    contexts = contexts_for(options.context, kubeconfig.contexts)
    limit = TimeLimit(options.timeout or TIMEOUT)
    with progress_of("asking clusters") as advance:
        found = asyncio.run(ask_clusters(contexts, kubeconfig, settings, limit, advance))
    return AskedClusters(tuple(found), counted(len(contexts), "cluster"))
