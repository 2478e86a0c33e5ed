"""Facts of a workload -> a verdict. A judge is a file here with `RUNG`, `KINDS` and `judge(case)`; its existence is enough.

A rung may have several judges, each for other kinds of workloads; a kind that none of them names does not have that rung.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Protocol, cast

from router.coverage.facts import CoverageFact, Facts
from router.domain.coverage import Rung, Verdict, Workload, WorkloadKind
from router.domain.coverage_manifest import CoverageManifest, Expectation


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
        return self.facts.about(kind, f"/subscriptions/{subscription}" if subscription else None)


class Judge(Protocol):
    """A module that judges one rung for some kinds of workloads."""

    RUNG: Rung
    KINDS: Collection[WorkloadKind]

    def judge(self, case: CoverageCase) -> Verdict | None:
        """What is known.

        None of a rung from plan to admission control that audits: the workload does not have it, so nobody can expect it. None
        of any other rung: nothing in the documents speaks of it, so that only a manifest can expect it.
        """
        ...


@cache
def judges() -> Mapping[tuple[WorkloadKind, Rung], Judge]:
    """The judge of each rung that a kind of workload has."""
    names = sorted(module.name for module in iter_modules(__path__) if not module.ispkg)
    modules = [import_module(f"{__name__}.{name}") for name in names]
    found = [cast("Judge", module) for module in modules if hasattr(module, "RUNG")]
    return {(kind, one.RUNG): one for one in found for kind in one.KINDS}


def rungs_of(kind: WorkloadKind) -> tuple[Rung, ...]:
    """The rungs that a kind of workload has, from the bottom up."""
    return tuple(rung for rung in Rung if (kind, rung) in judges())
