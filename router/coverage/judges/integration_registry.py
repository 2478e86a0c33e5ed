"""Whether the images of a registry are scanned."""

from __future__ import annotations

from router.coverage.judges import CoverageCase
from router.coverage.judges.integration_extension import judge_extension
from router.domain.coverage import Rung, Verdict, WorkloadKind

RUNG = Rung.INTEGRATION
KINDS = (WorkloadKind.REGISTRY,)


def judge(case: CoverageCase) -> Verdict | None:
    """Covered where the plan Containers scans registries."""
    return judge_extension(case, "ContainerRegistriesVulnerabilityAssessments", "nobody scans its images")
