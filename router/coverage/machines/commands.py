"""The commands that answer what is unknown of a machine, or mend what is missing. Names are quoted for a shell. Pure."""

from __future__ import annotations

import shlex

from router.coverage.plans.remedies import ask_plans
from router.coverage.workloads import ARC_MACHINE
from router.domain.coverage import Workload
from router.domain.resources import ResourceId, parse_resource_id

ASK_SENSOR = "mdatp health --output json"
"""On a Linux machine: what its sensor says of itself."""

ASK_DEVICES = (
    "az rest --method get --resource https://api.securitycenter.microsoft.com"
    " --url https://api.security.microsoft.com/api/machines"
)
"""What Defender for Endpoint says of all devices. https://learn.microsoft.com/defender-endpoint/api/get-machines"""

ASK_POWER = "az vm list -d -o json"
"""All virtual machines of a subscription with their power, also those of flexible scale sets."""


def ask_extensions(machine: str) -> str:
    """What lists the extensions of a machine, which is named by its ARM id."""
    parts = parse_resource_id(machine)
    return _line("az", *_command(parts), "list", *_names(parts), "-o", "json")


def remove_extension(machine: str, name: str) -> str:
    """What removes an extension of a machine, so that Defender for Cloud installs it anew."""
    parts = parse_resource_id(machine)
    sure = ("--yes",) if _is_arc(parts) else ()
    return _line("az", *_command(parts), "delete", *_names(parts), "--name", name, *sure)


def remove_tag(resource: str, tag: str, value: str) -> str:
    """What removes a tag of a resource."""
    tags = ("--operation", "Delete", "--tags", f"{tag}={value}")
    return _line("az", "tag", "update", "--resource-id", resource, *tags)


def ask_sensor(system: str | None) -> str:
    """What says whether the sensor of a machine of a system runs."""
    return ASK_SENSOR if system == "linux" else ASK_DEVICES


def ask_recommendations(workload: Workload) -> str:
    """What lists the recommendations of a workload's subscription."""
    within = ("--subscription", workload.subscription) if workload.subscription else ()
    return _line("az", "security", "assessment", "list", *within, "-o", "json")


def ask_posture(workload: Workload) -> str | None:
    """What says whether the workload's subscription has foundational CSPM; None where the subscription is not known."""
    return ask_plans(workload.subscription) if workload.subscription else None


def ask_resource(id: str) -> str:
    """What shows the document of a resource."""
    return _line("az", "resource", "show", "--ids", id, "-o", "json")


def _line(*words: str) -> str:
    return shlex.join(words)


def _is_arc(parts: ResourceId) -> bool:
    return (parts.type or "").lower() == ARC_MACHINE


def _command(parts: ResourceId) -> tuple[str, str]:
    return ("connectedmachine" if _is_arc(parts) else "vm", "extension")


def _names(parts: ResourceId) -> tuple[str, ...]:
    option = "--machine-name" if _is_arc(parts) else "--vm-name"
    within = ("--subscription", parts.subscription) if parts.subscription else ()
    return ("--resource-group", parts.resource_group or "", option, parts.name or "", *within)
