"""Whether a cluster of EKS or GKE is meant to be watched: its nodes by the sensor, its control plane by its logs. Pure.

EKS logs nothing of its control plane until somebody turns that on, and without it no alert of the control plane comes. The
sensor comes from the connector of the account or the project, or by Helm. GKE Autopilot takes none.
https://learn.microsoft.com/azure/defender-for-cloud/defender-for-containers-troubleshoot,
https://docs.aws.amazon.com/eks/latest/userguide/control-plane-logs.html
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from router.coverage.case import CoverageCase
from router.coverage.connectors.offerings import (
    CONTAINER_OFFERINGS,
    SENSOR_SWITCH,
    ConnectorOfferings,
    find_connector_ask,
)
from router.coverage.kubernetes.asks import ASK_CLUSTER
from router.coverage.readers.cloud_clusters import CloudClusterFact
from router.coverage.remedies import command_line
from router.coverage.verdicts import Verdict, covered, gap, not_coverable, unknown

_NEEDED = ("audit", "authenticator")
_OFFERINGS = tuple(name.lower() for name in CONTAINER_OFFERINGS)


def judge_cloud_cluster(
    case: CoverageCase, said: Sequence[CloudClusterFact], *, reasons: Sequence[str], has_sensor: bool
) -> Verdict:
    """Covered where the control plane is logged and something brings the sensor; `reasons` say why nothing may."""
    is_eks = case.workload.subject.startswith("arn:")
    logged = {one.logged for one in said if one.logged is not None}
    missing = [log for log in _NEEDED if any(log not in some for some in logged)]
    evidence = [one.source.shows("cluster.logging.clusterLogging", ", ".join(sorted(one.logged or ()))) for one in said]
    if is_eks and missing:
        reason = f"its control plane writes no {' and no '.join(missing)} log, so no alert of it can come"
        return gap("; ".join([reason, *reasons]), *evidence, remedy=_log(case, said[0]))
    if is_eks and not logged:
        return unknown("no document says which logs its control plane writes", remedy=_describe(case, said[0]))
    autopilot = next((one for one in said if one.is_autopilot), None)
    if autopilot is not None and not has_sensor:
        return not_coverable("GKE Autopilot takes no sensor", autopilot.source.shows("autopilot.enabled", True))
    shown = evidence if is_eks else []
    if has_sensor:
        return covered("the sensor is in the cluster", *shown)
    return _by_connector(case, said, reasons)


def _by_connector(case: CoverageCase, said: Sequence[CloudClusterFact], reasons: Sequence[str]) -> Verdict:
    offerings = ConnectorOfferings.about(case.facts, said[0].environment)
    if not offerings.connectors:
        ask = find_connector_ask(case.facts)
        others = "" if ask else ", and the connectors that were given are of others"
        reason = "; ".join([f"no document says what brings it the sensor{others}", *reasons])
        # Where the connectors were asked, the cluster itself may show a sensor that came by Helm.
        return unknown(reason, remedy=ask or ASK_CLUSTER)
    names = [name for name in offerings.names() if name in _OFFERINGS]
    if not names:
        why = "the connector has no plan for containers, and no document says what else brings it the sensor"
        return unknown("; ".join([why, *reasons]), *offerings.shows_types(), remedy=ASK_CLUSTER)
    answers = [offerings.is_on(name, *SENSOR_SWITCH) for name in names]
    evidence = [one for name in names for one in offerings.shows(name, *SENSOR_SWITCH)]
    if True in answers:
        return covered("the connector brings the sensor", *evidence)
    if False in answers:
        reason = "the connector does not bring the sensor, and none is seen in the cluster"
        return gap("; ".join([reason, *reasons]), *evidence)
    why = "the connector does not say whether it brings the sensor"
    return unknown("; ".join([why, *reasons]), *offerings.shows_types(), remedy=offerings.ask)


def _describe(case: CoverageCase, said: CloudClusterFact) -> str:
    name = (case.workload.id or "").rpartition("/")[2]
    return command_line("aws", "eks", "describe-cluster", "--region", said.region, "--name", name, "--output", "json")


def _log(case: CoverageCase, said: CloudClusterFact) -> str:
    name = (case.workload.id or "").rpartition("/")[2]
    logging = json.dumps({"clusterLogging": [{"types": list(_NEEDED), "enabled": True}]})
    return command_line(
        "aws", "eks", "update-cluster-config", "--region", said.region, "--name", name, "--logging", logging
    )
