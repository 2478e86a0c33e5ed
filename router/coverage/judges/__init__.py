"""A case -> a verdict: one judge for each kind of workload and rung. A kind without a judge does not have the rung."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

from router.coverage.facts import CoverageCase
from router.coverage.verdicts import Verdict
from router.domain.coverage import Rung, WorkloadKind

type Judge = Callable[[CoverageCase], Verdict | None]
"""What is known of a workload on a rung.

None of a rung from plan to admission that audits: the workload does not have it, so nothing can be expected. None of any other
rung: nothing in the documents speaks of it, and the entry of the manifest does not name it either.
"""


@cache
def judges() -> Mapping[tuple[WorkloadKind, Rung], Judge]:
    """The judge of each rung that a kind of workload has; loaded when first asked for, since not every command judges."""
    from router.coverage.judges import (
        alerts,
        clusters,
        connectors,
        export,
        machines,
        plans,
        sql_on_machines,
        suppression,
    )
    from router.coverage.plans.table import PLAN_OF_KIND

    return {
        **{(kind, Rung.PLAN): plans.judge_plan for kind in PLAN_OF_KIND},
        (WorkloadKind.SUBSCRIPTION, Rung.PLAN): plans.judge_subscription_plans,
        (WorkloadKind.SUBSCRIPTION, Rung.SUPPRESSION): suppression.judge_suppression,
        (WorkloadKind.SUBSCRIPTION, Rung.EXPORT): export.judge_export,
        (WorkloadKind.SUBSCRIPTION, Rung.PATH): alerts.judge_path,
        (WorkloadKind.REGISTRY, Rung.INTEGRATION): plans.judge_registry_scans,
        (WorkloadKind.STORAGE_ACCOUNT, Rung.INTEGRATION): plans.judge_storage_extensions,
        (WorkloadKind.MACHINE, Rung.INTEGRATION): machines.judge_machine_integration,
        (WorkloadKind.MACHINE, Rung.SENSOR_INSTALLED): machines.judge_machine_installed,
        (WorkloadKind.MACHINE, Rung.SENSOR_RUNNING): machines.judge_machine_running,
        (WorkloadKind.SQL_ON_MACHINE, Rung.SENSOR_INSTALLED): sql_on_machines.judge_sql_installed,
        (WorkloadKind.SQL_ON_MACHINE, Rung.SENSOR_RUNNING): sql_on_machines.judge_sql_running,
        (WorkloadKind.CLUSTER, Rung.INTEGRATION): clusters.judge_cluster_integration,
        (WorkloadKind.CLUSTER, Rung.SENSOR_INSTALLED): clusters.judge_cluster_installed,
        (WorkloadKind.CLUSTER, Rung.SENSOR_RUNNING): clusters.judge_cluster_running,
        (WorkloadKind.CLUSTER, Rung.ADMISSION_AUDITS): clusters.judge_admission_audits,
        (WorkloadKind.CLUSTER, Rung.ADMISSION_DENIES): clusters.judge_admission_denies,
        **{(kind, Rung.PLAN): connectors.judge_connector_plans for kind in _CONNECTED},
        **{(kind, Rung.INTEGRATION): connectors.judge_connector_switches for kind in _CONNECTED},
        **{(kind, Rung.DETECTION): alerts.judge_detection for kind in WorkloadKind},
    }


_CONNECTED = (WorkloadKind.AWS_ACCOUNT, WorkloadKind.GCP_PROJECT)


def judged_rungs(kind: WorkloadKind) -> tuple[Rung, ...]:
    """The rungs that a kind of workload has, from the bottom up."""
    return tuple(rung for rung in Rung if (kind, rung) in judges())
