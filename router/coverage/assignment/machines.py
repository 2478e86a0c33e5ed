"""Which machine a sensor reports on, since `mdatp health` does not say it: `NAME=FILE` does. Pure.

A file without a name belongs to no machine, even where the call has but one: the document of the other one may be missing. Nor
does the host name of a device prove anything, since two machines may share it: it is found by the ARM id that it names.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from router.coverage.facts import CoverageFact, ResourceFact
from router.coverage.readers.endpoint_sensors import SensorHealthFact
from router.domain.coverage import WorkloadKind
from router.domain.errors import BadUsage
from router.domain.resources import parse_resource_id


@dataclass(frozen=True, slots=True)
class MachineAssignment:
    """Facts whose sensors know their machines.

    Attributes:
        facts: all facts; those of no known machine keep no subject.
        unassigned: the documents that are of no known machine, each with the reason.
    """

    facts: tuple[CoverageFact, ...]
    unassigned: Mapping[str, str]


def assign_machines(facts: Sequence[CoverageFact]) -> MachineAssignment:
    """Gives each sensor its machine; raises BadUsage where a name means several machines."""
    names = _by_name(facts)
    found: list[CoverageFact] = []
    unassigned: dict[str, str] = {}
    for fact in facts:
        if not isinstance(fact, SensorHealthFact):
            found.append(fact)
            continue
        subject = _find_machine(fact.given, names)
        if subject is None:
            unassigned.setdefault(fact.source.file, _why_unassigned(fact.given))
        found.append(replace(fact, subject=subject))
    return MachineAssignment(tuple(found), unassigned)


def _find_machine(given: str | None, names: Mapping[str, Sequence[str]]) -> str | None:
    fits = names.get(given.lower(), ()) if given else ()
    if len(fits) > 1:
        raise BadUsage(f"{given}: is the name of several machines; write one of their ids before =: {', '.join(fits)}")
    return fits[0] if fits else None


def _why_unassigned(given: str | None) -> str:
    if given is None:
        return "does not say which machine it is of; write NAME=FILE"
    return f"is of {given}, a machine that no other document names"


def _by_name(facts: Sequence[CoverageFact]) -> Mapping[str, Sequence[str]]:
    """The machines by all names that may mean them: the id, the name, and the name after its resource group."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for fact in facts:
        if isinstance(fact, ResourceFact) and fact.workload.kind is WorkloadKind.MACHINE:
            subject, name = fact.subject, fact.workload.name.lower()
            group = (parse_resource_id(subject).resource_group or "").lower()
            for text in (subject, name, f"{group}/{name}"):
                found[text].setdefault(subject)
    return {name: tuple(subjects) for name, subjects in found.items()}
