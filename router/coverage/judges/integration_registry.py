"""Whether the images of a registry are scanned."""

from __future__ import annotations

from router.coverage.case import CoverageCase
from router.coverage.plans.extensions import judge_extension
from router.coverage.verdicts import Verdict
from router.domain.coverage import Rung, WorkloadKind

RUNG = Rung.INTEGRATION
KINDS = (WorkloadKind.REGISTRY,)


def judge(case: CoverageCase) -> Verdict | None:
    """Covered where the plan Containers scans registries."""
    return judge_extension(case, "ContainerRegistriesVulnerabilityAssessments", "nobody scans its images")
