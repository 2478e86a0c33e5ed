"""What is known of a machine: whether it is on, new, tagged out or out of reach, and whether its sensor is seen to run. Pure.

Only what the sensor itself and Defender for Endpoint report proves that it runs; everything else says that it was meant to.
https://learn.microsoft.com/azure/defender-for-cloud/enable-defender-for-endpoint
"""

from __future__ import annotations

from datetime import datetime, timedelta

from router.coverage.expected.manifest import HEARD_WITHIN
from router.coverage.facts import Facts, ResourceFact
from router.coverage.fields import parse_time
from router.coverage.readers.machines import EndpointFact, MachineFact, SensorHealthFact
from router.coverage.stored import StoredTagsFact
from router.coverage.verdicts import CoverageEvidence
from router.coverage.workloads import ARC_MACHINE, OFF_MACHINES, excluding
from router.domain.clocks import is_plausible
from router.domain.values import Value

ONBOARDING = timedelta(hours=12)
"""How long the sensor of a new machine may take: an hour, and twelve for the first subscription of a tenant."""

SILENCE = timedelta(days=7)
"""How old the last report of a device may be: it sends one a day, and Defender for Endpoint calls it inactive after seven."""

_SILENT = ("inactive", "impairedcommunication", "nosensordata", "nosensordataimpairedcommunication")


class MachineState(Value, kw_only=True):
    """What is known of a machine's condition: its system, and where it stands that a tag leaves it out, that Azure Arc lost it.

    Attributes:
        stopped: where it stands that it is switched off; None where any document says that it is on, or none says anything.
        is_new: whether it was made so lately that its sensor may still come.
        is_in_reach: whether it is no machine of Azure Arc's, or all documents that say it say that it is connected.
    """

    stopped: CoverageEvidence | None
    exclusion: CoverageEvidence | None
    has_known_tags: bool
    is_new: bool
    system: str | None
    lost: CoverageEvidence | None
    is_in_reach: bool

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is to be said of it where its sensor is covered all the same."""
        remarks = (
            f"is switched off, says {self.stopped.document}" if self.stopped else None,
            f"the tag {tag_name(self.exclusion)} would leave it out" if self.exclusion else None,
            f"is {self.lost.value} in Azure Arc" if self.lost else None,
        )
        return tuple(filter(None, remarks))


def machine_state_for(facts: Facts, machine: str | None, now: datetime) -> MachineState:
    """What is known of a machine, which is named by its ARM id in lower case."""
    resources = facts.about(ResourceFact, machine)
    power = [one for one in resources if one.is_stopped is not None]
    connections = [one for one in facts.about(MachineFact, machine) if one.connection is not None]
    lost = next((one for one in connections if one.connection != "connected"), None)
    # A tag that was read long ago may have been taken off since.
    stored = [one for one in facts.about(StoredTagsFact, machine) if not one.source.is_stale(now, HEARD_WITHIN)]
    tagged: list[ResourceFact | StoredTagsFact] = [*resources, *stored]
    is_off = bool(power) and all(one.is_stopped for one in power)
    made = [time for one in resources if one.time and (time := parse_time(one.time))]
    return MachineState(
        stopped=power[0].source.shows("powerState", "stopped") if is_off else None,
        exclusion=next((tag for one in tagged if (tag := find_exclusion_tag(one))), None),
        has_known_tags=any(one.tags is not None for one in resources),
        is_new=any(is_plausible(time, now) and now - time < ONBOARDING for time in made),
        system=next((one.system for one in resources if one.system), None),
        lost=lost.source.shows("properties.status", lost.connection) if lost else None,
        is_in_reach=f"/providers/{ARC_MACHINE}/" not in (machine or "") or (bool(connections) and lost is None),
    )


def find_exclusion_tag(resource: ResourceFact | StoredTagsFact) -> CoverageEvidence | None:
    """The tag that keeps Defender for Endpoint off a machine, as one document shows it; None where it shows none."""
    tags = excluding(resource.tags or {}, OFF_MACHINES).items()
    return next((resource.source.shows(f"tags.{name}", value) for name, value in tags), None)


def tag_name(tag: CoverageEvidence) -> str:
    """The name of a tag, as it is written."""
    return tag.field.removeprefix("tags.")


class SensorReport(Value, kw_only=True):
    """Where it stands that a sensor runs, that it fails and why, and that it ran once.

    Attributes:
        fails: a device's old record only where it has no new one.
        is_certain_failure: whether the sensor itself says so, which one on a machine that is switched off cannot.
    """

    runs: tuple[CoverageEvidence, ...]
    fails: tuple[tuple[str, CoverageEvidence], ...]
    is_certain_failure: bool
    stale: tuple[CoverageEvidence, ...]
    remarks: tuple[str, ...]

    @property
    def is_proof(self) -> bool:
        """Whether it is proved that the sensor runs."""
        return bool(self.runs) and not self.fails


def sensor_report_for(facts: Facts, machine: str | None, now: datetime) -> SensorReport:
    """What was said of the sensor of a machine, which is named by its ARM id in lower case."""
    health = facts.about(SensorHealthFact, machine)
    devices = facts.about(EndpointFact, machine)
    recent = [one for one in devices if one.source.is_recent(now, SILENCE)]
    # A machine that was made anew leaves the record of its former self behind, which falls silent.
    wrong = [fault for one in health if (fault := _fault_of_sensor(one))]
    silent = [fault for one in recent or devices if (fault := _fault_of_device(one))]
    own = [
        one.source.shows("healthy, licensed, orgId", f"true, true, {one.organization or ''}".rstrip(", "))
        for one in health
        if one.is_healthy and one.is_licensed
    ]
    seen = [_device_evidence(one) for one in recent if one.health == "active" and one.onboarding == "onboarded"]
    is_idle = any(one.is_protecting is False for one in health)
    return SensorReport(
        runs=(*own, *seen),
        fails=(*wrong, *silent),
        is_certain_failure=bool(wrong),
        stale=tuple(_device_evidence(one) for one in devices if one not in recent),
        remarks=("its antivirus does not look at files in real time",) if is_idle else (),
    )


def _device_evidence(device: EndpointFact) -> CoverageEvidence:
    return device.source.shows("healthStatus, onboardingStatus", f"{device.health or ''}, {device.onboarding or ''}")


def _fault_of_sensor(health: SensorHealthFact) -> tuple[str, CoverageEvidence] | None:
    if health.is_healthy is False:
        issues = f": {', '.join(health.issues)}" if health.issues else ""
        return f"its sensor calls itself not healthy{issues}", health.source.shows("healthy", False)
    if health.is_licensed is False:
        return "its sensor is onboarded to no tenant", health.source.shows("licensed", False)
    return None


def _fault_of_device(device: EndpointFact) -> tuple[str, CoverageEvidence] | None:
    if device.health in _SILENT:
        return f"Defender for Endpoint calls its sensor {device.health}", _device_evidence(device)
    if device.onboarding not in (None, "onboarded"):
        return f"Defender for Endpoint knows it, and calls it {device.onboarding}", _device_evidence(device)
    return None
