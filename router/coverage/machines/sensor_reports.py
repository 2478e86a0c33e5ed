"""What the sensor of a machine, and Defender for Endpoint, report of that sensor. Pure.

Nothing else proves that a sensor runs: everything else says that somebody meant it to.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from router.coverage.facts import Facts
from router.coverage.readers.endpoint_sensors import EndpointFact, SensorHealthFact
from router.coverage.verdicts import CoverageEvidence

SILENCE = timedelta(days=7)
"""How old the last report of a device may be: it sends one a day, and Defender for Endpoint calls it inactive after seven."""

_SILENT = ("inactive", "impairedcommunication", "nosensordata", "nosensordataimpairedcommunication")


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorReport:
    """What was said of one sensor.

    Attributes:
        runs: where it stands that it runs.
        fails: where it stands that it does not, each with what is wrong; a device's old record only where it has no new one.
        is_certain_failure: whether the sensor itself says so, which one on a machine that is switched off cannot.
        stale: where it stands that it ran once.
        remarks: what else is to be said of it.
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
    own = tuple(
        one.source.shows("healthy, licensed, orgId", f"true, true, {one.organization or ''}".rstrip(", "))
        for one in health
        if one.is_healthy and one.is_licensed
    )
    seen = tuple(_evidence(one) for one in recent if one.health == "active" and one.onboarding == "onboarded")
    return SensorReport(
        runs=(*own, *seen),
        fails=(*wrong, *silent),
        is_certain_failure=bool(wrong),
        stale=tuple(_evidence(one) for one in devices if not one.source.is_recent(now, SILENCE)),
        remarks=tuple(_remarks(health)),
    )


def _evidence(device: EndpointFact) -> CoverageEvidence:
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
        return f"Defender for Endpoint calls its sensor {device.health}", _evidence(device)
    if device.onboarding not in (None, "onboarded"):
        return f"Defender for Endpoint knows it, and calls it {device.onboarding}", _evidence(device)
    return None


def _remarks(health: tuple[SensorHealthFact, ...]) -> Iterator[str]:
    if any(one.is_protecting is False for one in health):
        yield "its antivirus does not look at files in real time"
