"""What coverage is judged from beside files: clusters that are asked, the state of a router, and Azure."""

from __future__ import annotations

from argparse import Namespace
from datetime import datetime

from router.cli.coverage_clusters import ask_meant, find_clusters
from router.cli.coverage_documents import OtherDocuments
from router.cli.coverage_live import ask_live
from router.cli.coverage_state import open_coverage_state
from router.domain.coverage_manifest import CoverageManifest
from router.domain.errors import BadUsage


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
