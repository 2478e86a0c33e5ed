"""A case -> a verdict. Every file here is a judge, with `RUNG`, `KINDS` and `judge(case)`: its existence is enough.

A rung may have several judges, each for other kinds of workloads; a kind that none of them names does not have that rung.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Protocol, cast

from router.coverage.case import CoverageCase
from router.coverage.verdicts import Verdict
from router.domain.coverage import Rung, WorkloadKind


class Judge(Protocol):
    """A module that judges one rung for some kinds of workloads."""

    RUNG: Rung
    KINDS: Collection[WorkloadKind]

    def judge(self, case: CoverageCase) -> Verdict | None:
        """What is known.

        None of a rung from plan to admission control that audits: the workload does not have it, so nobody can expect it. None
        of any other rung: nothing in the documents speaks of it, and the entry of the manifest does not name it either.
        """
        ...


@cache
def judges() -> Mapping[tuple[WorkloadKind, Rung], Judge]:
    """The judge of each rung that a kind of workload has."""
    names = sorted(module.name for module in iter_modules(__path__) if not module.ispkg)
    found = [cast("Judge", import_module(f"{__name__}.{name}")) for name in names]
    return {(kind, one.RUNG): one for one in found for kind in one.KINDS}


def rungs_of(kind: WorkloadKind) -> tuple[Rung, ...]:
    """The rungs that a kind of workload has, from the bottom up."""
    return tuple(rung for rung in Rung if (kind, rung) in judges())
