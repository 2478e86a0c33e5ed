"""Scale sets: what can be judged of them. Pure.

The instances of a flexible set are virtual machines of their own, each with its extensions. Those of a uniform set are not: no
list has their extensions as resources. But Defender for Endpoint names each of them by its ARM id.
https://learn.microsoft.com/azure/virtual-machine-scale-sets/virtual-machine-scale-sets-orchestration-modes
"""

from __future__ import annotations

from router.coverage.case import CoverageCase
from router.coverage.machines.commands import ASK_DEVICES, ASK_POWER
from router.coverage.machines.sensor_reports import sensor_report_for
from router.coverage.readers.endpoint_sensors import EndpointFact
from router.coverage.readers.machines import MachineFact, ScaleSetFact
from router.coverage.verdicts import CoverageEvidence, Verdict, covered, not_coverable, unknown
from router.coverage.workloads import SCALE_SET


def judge_scale_set(case: CoverageCase) -> Verdict | None:
    """What is known of a scale set's sensors; None for any other machine."""
    if f"/providers/{SCALE_SET}/" not in case.workload.subject:
        return None
    sets = case.about(ScaleSetFact)
    capacity = max((one.capacity for one in sets if one.capacity is not None), default=None)
    is_flexible = {one.is_flexible for one in sets if one.is_flexible is not None} == {True}
    return _flexible(case, sets, capacity) if is_flexible else _uniform(case, sets, capacity)


def _flexible(case: CoverageCase, sets: tuple[ScaleSetFact, ...], capacity: int | None) -> Verdict:
    instances = {one.subject for one in case.facts.every(MachineFact) if one.scale_set == case.workload.subject}
    evidence = [one.source.shows("sku.capacity", one.capacity) for one in sets]
    if capacity is None or len(instances) < capacity:
        many = f"{len(instances)} of {_number(capacity)}"
        return unknown(f"its instances are machines of their own, and {many} are here", *evidence, remedy=ASK_POWER)
    return not_coverable(f"its {len(instances)} instances are machines of their own, each judged by itself", *evidence)


def _uniform(case: CoverageCase, sets: tuple[ScaleSetFact, ...], capacity: int | None) -> Verdict:
    running = _running_instances(case)
    many = f"{len(running)} of {_number(capacity)}"
    if capacity and len(running) >= capacity:
        return covered(f"the sensors of {many} instances are seen to run", *running.values())
    evidence = [one.source.shows("properties.orchestrationMode", "Uniform") for one in sets if one.is_flexible is False]
    return unknown(
        f"no list shows extensions of a uniform scale set's instances, and the sensors of {many} are seen to run",
        *evidence,
        *running.values(),
        remedy=ASK_DEVICES,
    )


def _number(capacity: int | None) -> str:
    return "an unknown number" if capacity is None else str(capacity)


def _running_instances(case: CoverageCase) -> dict[str, CoverageEvidence]:
    """The instances whose sensors are seen to run, each with where that stands. One that is gone leaves its record behind."""
    inside = f"{case.workload.subject}/virtualmachines/"
    named = {one.subject for one in case.facts.every(EndpointFact) if one.subject and one.subject.startswith(inside)}
    reports = {instance: sensor_report_for(case.facts, instance, case.now) for instance in sorted(named)}
    return {instance: said.runs[0] for instance, said in reports.items() if said.is_proof}
