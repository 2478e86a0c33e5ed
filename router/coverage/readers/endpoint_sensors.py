"""What the sensor of a machine says of itself: `mdatp health --output json`, and the machines API of Defender for Endpoint.

https://learn.microsoft.com/defender-endpoint/health-status, https://learn.microsoft.com/defender-endpoint/api/machine
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from router.coverage.documents import Item
from router.coverage.facts import CoverageFact, Source, source_of
from router.coverage.fields import find, find_text, find_truth


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorHealthFact:
    """What `mdatp health` prints on a machine. It does not say which machine it is.

    Attributes:
        subject: the machine; None until `router.coverage.assignment.machines` has found it, and where it cannot.
        given: the name that was given before the document; None where none was.
        is_healthy: whether the sensor calls itself healthy; None where that is not said.
        is_licensed: whether it is onboarded to a tenant; None where that is not said.
        is_protecting: whether it looks at files in real time; None where that is not said.
        organization: the tenant's id in Defender for Endpoint; None where that is not said.
        issues: what it calls wrong.
        source: where it stands.
    """

    subject: str | None = None
    given: str | None
    is_healthy: bool | None
    is_licensed: bool | None
    is_protecting: bool | None
    organization: str | None
    issues: tuple[str, ...]
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointFact:
    """What Defender for Endpoint says of a device.

    Attributes:
        subject: the machine in lower case; None where the device names none by its ARM id.
        health: `active`, `inactive` and others, in lower case; None where that is not said.
        onboarding: `onboarded`, `canbeonboarded` and others, in lower case; None where that is not said.
        source: where it stands, and when the device last reported.
    """

    subject: str | None
    health: str | None
    onboarding: str | None
    source: Source


def reads(item: Item) -> bool:
    """Whether it is one of the two."""
    return _is_device(item) or _is_health(item)


def facts_in(item: Item) -> Iterator[CoverageFact]:
    """What the sensor says, or Defender for Endpoint of it."""
    yield _device(item) if _is_device(item) else _health(item)


def _is_device(item: Item) -> bool:
    names = ("healthStatus", "onboardingStatus")
    return all(find_text(item.body, name) for name in names) or (
        bool(find_text(item.body, "computerDnsName")) and any(find_text(item.body, name) for name in names)
    )


def _device(item: Item) -> EndpointFact:
    resource = find_text(item.body, "vmMetadata", "resourceId")
    return EndpointFact(
        subject=resource.lower().rstrip("/") if resource else None,
        health=(find_text(item.body, "healthStatus") or "").lower() or None,
        onboarding=(find_text(item.body, "onboardingStatus") or "").lower() or None,
        source=source_of(item, find_text(item.body, "lastSeen")),
    )


_BESIDE = ("licensed", "realtimeprotectionenabled", "edrmachineid", "orgid")
"""Fields of which `mdatp health` has some beside `healthy`, which many other answers have, too."""


def _is_health(item: Item) -> bool:
    if item.type or item.kind:
        return False
    said = _plain(item.body)
    return "healthy" in said and any(name in said for name in _BESIDE)


def _health(item: Item) -> SensorHealthFact:
    said = _plain(item.body)
    issues = said.get("healthissues")
    return SensorHealthFact(
        given=item.given,
        is_healthy=find_truth(said, "healthy"),
        is_licensed=find_truth(said, "licensed"),
        is_protecting=find_truth(said, "realtimeprotectionenabled"),
        organization=find_text(said, "orgid"),
        issues=tuple(one for one in issues if isinstance(one, str)) if isinstance(issues, list) else (),
        source=source_of(item),
    )


def _plain(body: Mapping[str, object]) -> Mapping[str, object]:
    """The fields by their names without underscores, as versions write them both ways; a setting is an object with a value."""
    return {
        name.replace("_", "").lower(): find(value, "value") if isinstance(value, Mapping) else value
        for name, value in body.items()
        if isinstance(name, str)
    }
