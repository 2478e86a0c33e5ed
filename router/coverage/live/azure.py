"""Everything that Azure is asked for the gate, in the order in which one answer leads to the next question. Pure.

1. which subscriptions there are; the workspaces
2. Resource Graph over all of them, and three lists of Resource Manager for each
3. the plans of those subscriptions of which Resource Graph did not say enough
4. each resource whose plan may have been switched off there
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from router.coverage.documents import CoverageDocument
from router.coverage.expected.manifest import CoverageManifest
from router.coverage.facts import CoverageFact, Facts
from router.coverage.live.answers import SECURITY_READER
from router.coverage.live.arm import object_probe
from router.coverage.live.clouds import AzureCloud
from router.coverage.live.graph_queries import QUERIES, SUBSCRIPTIONS
from router.coverage.live.overrides import plan_facts_of, resources_to_ask, subscriptions_to_ask
from router.coverage.live.probes import Documents, Inquiry, refused
from router.coverage.live.resource_graph import graph_probes
from router.coverage.live.security_reads import pricings_probe, security_probes
from router.coverage.live.subscriptions import asked_subscriptions, seen_subscriptions, vanished
from router.coverage.live.workspaces import workspace_probe

MOST_RESOURCES = 2000
"""Resources that are asked for a plan of their own at the most, at some ten a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureScope:
    """What of Azure is asked.

    Attributes:
        cloud: the endpoints.
        subscriptions: the subscriptions by id; none for those that the manifest names, or for all that can be read.
        workspaces: the workspaces of Log Analytics by id.
        manifest: what is expected.
        now: the time.
        most_resources: how many resources are asked for a plan of their own at the most; that there were more is said.
    """

    cloud: AzureCloud
    subscriptions: tuple[str, ...] = ()
    workspaces: tuple[str, ...] = ()
    manifest: CoverageManifest
    now: datetime
    most_resources: int = MOST_RESOURCES


def azure_inquiry(scope: AzureScope) -> Inquiry:
    """All questions; what is expected and does not appear in any answer is a document of its own."""
    cloud, asked = scope.cloud, asked_subscriptions(scope.subscriptions, scope.manifest)
    opening = yield [
        *graph_probes(cloud, SUBSCRIPTIONS, asked.ids if asked.are_all else ()),
        *(workspace_probe(cloud, workspace) for workspace in scope.workspaces),
    ]
    seen = seen_subscriptions(_flat(opening))
    subscriptions = tuple(dict.fromkeys((*asked.ids, *seen.ids)))
    if not subscriptions:
        return (refused("subscriptions", "none can be read; name one with --subscription, or give the role Reader"),)
    enabled = [one for one in subscriptions if one not in seen.disabled]
    answers = yield [
        *(probe for query in QUERIES for probe in graph_probes(cloud, query, subscriptions)),
        *(probe for one in enabled for probe in security_probes(cloud, one)),
    ]
    known: list[CoverageFact] = [*plan_facts_of(_flat(answers))]
    to_ask = subscriptions_to_ask(Facts.of(known), enabled, scope.now)
    answers = yield [pricings_probe(cloud, one) for one in to_ask]
    known += plan_facts_of(_flat(answers))
    resources = resources_to_ask(Facts.of(known), scope.now)
    asked_each = resources[: scope.most_resources]
    yield [object_probe(cloud, path, version, SECURITY_READER) for path, version in asked_each]
    return (*vanished(one for one in asked.ids if one not in seen.ids), *_beyond(len(asked_each), len(resources)))


def _flat(answers: Sequence[Documents]) -> list[CoverageDocument]:
    return [document for documents in answers for document in documents]


def _beyond(asked: int, resources: int) -> Documents:
    if asked == resources:
        return ()
    reason = f"{asked:,} of {resources:,} were asked; name fewer subscriptions with --subscription"
    return (refused("plans of single resources", reason),)
