"""Whether a workload has the plan that protects its kind, with the sub-plan and the extensions that are expected."""

from __future__ import annotations

from dataclasses import replace

from router.coverage.case import CoverageCase
from router.coverage.connectors.cluster_plan import judge_plan_of_cloud_cluster
from router.coverage.kubernetes.asks import ask_for_cluster
from router.coverage.plans.at_resource import on_part, resource_plan
from router.coverage.plans.details import extension_parts, remarks_of, sub_plan_part
from router.coverage.plans.joined import joined
from router.coverage.plans.table import PLAN_OF_KIND
from router.coverage.readers.cloud_clusters import CloudClusterFact
from router.coverage.verdicts import CoverageState, Verdict, unknown
from router.domain.coverage import Rung, WorkloadKind

RUNG = Rung.PLAN
KINDS = tuple(PLAN_OF_KIND)

_CONNECTOR = "/providers/microsoft.security/securityconnectors/"


def judge(case: CoverageCase) -> Verdict | None:
    """Covered where the plan is known to be on for this very workload."""
    workload = case.workload
    if elsewhere := case.about(CloudClusterFact):
        return judge_plan_of_cloud_cluster(case.facts, elsewhere[0])
    if workload.subscription is None or workload.id is None:
        ask = ask_for_cluster(workload.name) if workload.kind is WorkloadKind.CLUSTER else None
        return unknown("no document says in which subscription it is", remedy=ask)
    if _CONNECTOR in workload.subject:
        return unknown("it has the plan of its connector, and not of the connector's subscription", remedy=None)
    asked = resource_plan(case)
    is_on = on_part(asked)
    is_on = replace(is_on, remarks=(*is_on.remarks, *remarks_of(asked, is_on.state)))
    # Of a plan that is off, or that nobody asked about, it need not be said that its sub-plan is not known.
    if is_on.state is CoverageState.GAP or not asked.is_answered:
        return is_on
    return joined([is_on, *sub_plan_part(asked), *extension_parts(asked)])
