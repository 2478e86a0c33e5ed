"""Verdicts that say the same of several workloads, said once. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from router.coverage.assess import Assessed
from router.domain.coverage import CoverageException, CoverageState, Rung, Verdict, Workload


@dataclass(frozen=True, slots=True)
class VerdictGroup:
    """Workloads of which the same is known on a rung, for the same reason.

    Attributes:
        rung: the rung.
        state: what is known.
        reason: why.
        remedy: what mends it or answers it; None where there is nothing.
        exception: who answers for it, where it is excused.
        members: the workloads, each with its own verdict; at least one.
    """

    rung: Rung
    state: CoverageState
    reason: str
    remedy: str | None
    exception: CoverageException | None
    members: tuple[tuple[Workload, Verdict], ...]


def groups_in(assessed: Assessed, state: CoverageState) -> Iterator[VerdictGroup]:
    """What is in that state, by rung from the bottom up; within a rung, what most workloads share comes first."""
    members: dict[tuple[Rung, str, str | None, CoverageException | None], list[tuple[Workload, Verdict]]] = {}
    for workload, rung, verdict in assessed.verdicts():
        if verdict.state is state:
            key = (rung, verdict.reason, verdict.remedy, verdict.exception)
            members.setdefault(key, []).append((workload, verdict))
    rungs = list(Rung)
    ordered = sorted(members.items(), key=lambda one: (rungs.index(one[0][0]), -len(one[1])))
    for (rung, reason, remedy, exception), some in ordered:
        yield VerdictGroup(rung, state, reason, remedy, exception, tuple(some))
