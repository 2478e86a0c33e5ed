"""What is known of a machine's condition: whether it is on, new, tagged out, or out of reach. Pure.

https://learn.microsoft.com/azure/defender-for-cloud/enable-defender-for-endpoint
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from router.coverage.exclusion_tags import OFF_MACHINES, excluding
from router.coverage.expected.manifest import HEARD_WITHIN
from router.coverage.facts import Facts, ResourceFact
from router.coverage.fields import time_of
from router.coverage.readers.machines import MachineFact
from router.coverage.readers.stored_tags import StoredTagsFact
from router.coverage.verdicts import CoverageEvidence
from router.coverage.workloads import ARC_MACHINE
from router.domain.clocks import is_plausible

ONBOARDING = timedelta(hours=12)
"""How long the sensor of a new machine may take: an hour, and twelve for the first subscription of a tenant."""


@dataclass(frozen=True, slots=True)
class ExclusionTag:
    """A tag that leaves a machine out.

    Attributes:
        name: its name as it is written.
        value: its value as it is written.
        evidence: where it stands.
    """

    name: str
    value: str
    evidence: CoverageEvidence


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineState:
    """What is known of a machine's condition.

    Attributes:
        stopped: where it stands that it is switched off; None where any document says that it is on, or none says anything.
        exclusion: the tag that leaves it out; None where it has none, or its tags are not known.
        has_known_tags: whether a document says which tags it has.
        is_new: whether it was made so lately that its sensor may still come.
        system: `linux` or `windows`; None where that is not known.
        lost: where it stands that Azure Arc has lost it; None where it has not, or does not say.
        is_in_reach: whether it is no machine of Azure Arc's, or all documents that say it say that it is connected.
    """

    stopped: CoverageEvidence | None
    exclusion: ExclusionTag | None
    has_known_tags: bool
    is_new: bool
    system: str | None
    lost: CoverageEvidence | None
    is_in_reach: bool

    @property
    def is_expired(self) -> bool:
        """Whether Azure Arc has lost it for so long that it must be connected anew."""
        return self.lost is not None and self.lost.value.lower() == "expired"

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is to be said of it where its sensor is covered all the same."""
        said = (
            f"is switched off, says {self.stopped.document}" if self.stopped else None,
            f"the tag {self.exclusion.name} would leave it out" if self.exclusion else None,
            f"is {self.lost.value} in Azure Arc" if self.lost else None,
        )
        return tuple(one for one in said if one)


def machine_state_for(facts: Facts, machine: str | None, now: datetime) -> MachineState:
    """What is known of a machine, which is named by its ARM id in lower case."""
    resources = facts.about(ResourceFact, machine)
    power = [one for one in resources if one.is_stopped is not None]
    connections = [one for one in facts.about(MachineFact, machine) if one.connection is not None]
    lost = next((one for one in connections if one.connection != "connected"), None)
    # A tag that was read long ago may have been taken off since.
    stored = [one for one in facts.about(StoredTagsFact, machine) if not one.source.is_stale(now, HEARD_WITHIN)]
    tagged: list[ResourceFact | StoredTagsFact] = [*resources, *stored]
    is_arc = f"/providers/{ARC_MACHINE}/" in (machine or "")
    made = [time for one in resources if one.time and (time := time_of(one.time))]
    return MachineState(
        stopped=power[0].source.shows("powerState", "stopped")
        if power and all(one.is_stopped for one in power)
        else None,
        exclusion=next((tag for one in tagged if (tag := find_exclusion_tag(one))), None),
        has_known_tags=any(one.tags is not None for one in resources),
        is_new=any(is_plausible(time, now) and now - time < ONBOARDING for time in made),
        system=next((one.system for one in resources if one.system), None),
        lost=lost.source.shows("properties.status", lost.connection) if lost else None,
        is_in_reach=not is_arc or (bool(connections) and lost is None),
    )


def find_exclusion_tag(resource: ResourceFact | StoredTagsFact) -> ExclusionTag | None:
    """The tag that keeps Defender for Endpoint off a machine, as one document shows it; None where it shows none."""
    for name, value in excluding(resource.tags or {}, OFF_MACHINES).items():
        return ExclusionTag(name, value, resource.source.shows(f"tags.{name}", value))
    return None
