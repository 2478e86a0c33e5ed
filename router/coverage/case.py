"""What a judge is asked: one workload, what is expected of it, and all facts. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from router.coverage.expected.manifest import CoverageManifest, Expectation
from router.coverage.facts import CoverageFact, Facts, subscription_subject
from router.coverage.verdicts import Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageCase:
    """What a judge is asked about.

    Attributes:
        workload: of which workload.
        expectation: what is expected of it.
        manifest: what is expected of all.
        facts: all facts; removing any of them must make nothing covered.
        now: the time to judge at.
    """

    workload: Workload
    expectation: Expectation
    manifest: CoverageManifest
    facts: Facts
    now: datetime

    def about[F: CoverageFact](self, kind: type[F]) -> tuple[F, ...]:
        """The facts of a class about the workload itself."""
        return self.facts.about(kind, self.workload.subject)

    def of_subscription[F: CoverageFact](self, kind: type[F]) -> tuple[F, ...]:
        """The facts of a class about the workload's subscription."""
        subscription = self.workload.subscription
        return self.facts.about(kind, subscription_subject(subscription) if subscription else None)
