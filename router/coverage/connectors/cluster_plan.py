"""Whether the plan for containers is on for a cluster of EKS or GKE: at the connector of its account or project. Pure.

Such a cluster has no subscription, so that no plan of a subscription says anything of it.
"""

from __future__ import annotations

from router.coverage.connectors.offerings import CONTAINER_OFFERINGS, ConnectorOfferings
from router.coverage.facts import Facts
from router.coverage.readers.cloud_clusters import CloudClusterFact
from router.coverage.remedies import ASK_CONNECTORS
from router.coverage.verdicts import Verdict, covered, gap, unknown


def judge_plan_of_cloud_cluster(facts: Facts, cluster: CloudClusterFact) -> Verdict:
    """Covered where the connector has the offering."""
    offerings = ConnectorOfferings.about(facts, cluster.environment)
    if not offerings.connectors:
        return unknown(
            "no document says which plans the connector of its account or project has", remedy=ASK_CONNECTORS
        )
    on = [name for name in CONTAINER_OFFERINGS if name.lower() in offerings.names()]
    evidence = offerings.shows_types()
    return covered(f"{on[0]} is on", *evidence) if on else gap("the connector has no plan for containers", *evidence)
