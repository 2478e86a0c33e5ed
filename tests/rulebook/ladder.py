"""Which rungs kinds of workloads have, where a test is about the manifest and not about what is judged."""

from __future__ import annotations

from collections.abc import Mapping

from router.domain.coverage import Rung, WorkloadKind

_OF_SENSORS = (Rung.PLAN, Rung.INTEGRATION, Rung.SENSOR_INSTALLED, Rung.SENSOR_RUNNING)
_RUNGS: Mapping[WorkloadKind, tuple[Rung, ...]] = {
    WorkloadKind.MACHINE: (*_OF_SENSORS, Rung.DETECTION),
    WorkloadKind.CLUSTER: (*_OF_SENSORS, Rung.ADMISSION_AUDITS, Rung.ADMISSION_DENIES, Rung.DETECTION),
    WorkloadKind.SUBSCRIPTION: (Rung.PLAN, Rung.INTEGRATION, Rung.SUPPRESSION, Rung.EXPORT, Rung.PATH),
}


def rungs_of(kind: WorkloadKind) -> tuple[Rung, ...]:
    """The rungs of a kind; those that are not named have a plan alone."""
    return _RUNGS.get(kind, (Rung.PLAN,))
