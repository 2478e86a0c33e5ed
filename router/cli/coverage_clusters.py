"""The clusters that `--context` names are asked, beside the files or instead of them."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from datetime import datetime
from typing import NamedTuple

from router.app.kubeconfig_files import open_kubeconfig
from router.app.kubernetes_live import ask_clusters
from router.app.patience import TimeLimit
from router.app.settings import Settings
from router.cli.coverage_documents import OtherDocuments, asked_documents
from router.cli.coverage_live import TIMEOUT
from router.cli.progress import progress_of
from router.coverage.live.contexts import NamedContext, contexts_for
from router.coverage.live.kubeconfig import Kubeconfig
from router.domain.errors import BadUsage
from router.domain.plurals import counted


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
