"""The commands that answer what is unknown of a machine, or mend what is missing. Names are quoted for a shell. Pure."""

from __future__ import annotations

import shlex
from dataclasses import replace

from router.coverage.remedies import file_name
from router.coverage.verdicts import Verdict, Workload
from router.coverage.workloads import ARC_MACHINE
from router.domain.recommendation_table import SQL_PROTECTED
from router.domain.resources import ResourceId, parse_resource_id

ASK_SENSOR = "mdatp health --output json"
"""On a Linux machine: what its sensor says of itself, of which `on_machine` says where it goes."""

ASK_DEVICES = (
    "az rest --method get --resource https://api.securitycenter.microsoft.com"
    " --url https://api.security.microsoft.com/api/machines"
)
"""What Defender for Endpoint says of all devices. https://learn.microsoft.com/defender-endpoint/api/get-machines"""

ASK_POWER = "az vm list -d -o json"
"""All virtual machines of a subscription with their power, also those of flexible scale sets."""


def _query(query: str) -> str:
    """A query of Resource Graph, of as many rows as a page may have: others come only where it has the column id."""
    return f"az graph query -q {shlex.quote(query)} --first 1000 -o json"


_EXTENSIONS = "type in~ ('microsoft.compute/virtualmachines/extensions', 'microsoft.hybridcompute/machines/extensions')"

ASK_ENDPOINT_EXTENSIONS = _query(
    "resources | where type in~ ('microsoft.compute/virtualmachines', 'microsoft.hybridcompute/machines')"
    " | project id, name, type, machine = tolower(id)"
    f" | join kind=leftouter (resources | where {_EXTENSIONS} and properties.type in~ ('MDE.Linux', 'MDE.Windows')"
    " | project machine = tostring(split(tolower(id), '/extensions/')[0]), name1 = name, properties1 = properties) on machine"
    " | project id, name, type, name1, properties1"
)
"""All machines, each with its extension of Defender for Endpoint or with none: a list of extensions leaves those machines out.

https://github.com/Azure/Microsoft-Defender-for-Cloud, its workbook of the deployment of Defender for Servers
"""

ASK_EXTENSIONS = _query(f"resources | where {_EXTENSIONS} | project id, name, type, location, properties")
"""All extensions of all machines."""

ASK_POSTURE = _query(
    "securityresources | where type =~ 'microsoft.security/pricings' | project id, name, type, properties"
)
"""The plans of every subscription, of which those of posture say whether recommendations come."""


def ask_recommendations(*keys: str) -> str:
    """The recommendations of these keys, of every subscription."""
    names = ", ".join(f"'{key}'" for key in keys)
    return _query(
        f"securityresources | where type =~ 'microsoft.security/assessments' and name in~ ({names})"
        " | project id, name, type, properties"
    )


ASK_SQL_RECOMMENDATIONS = _query(
    f"securityresources | where type =~ 'microsoft.security/assessments' and properties.displayName =~ '{SQL_PROTECTED}'"
    " | project id, name, type, properties"
)
"""The recommendation on the protection of SQL servers on machines, of every subscription."""


def on_machine(verdict: Verdict, workload: Workload) -> Verdict:
    """A verdict whose line for a machine writes a file, and which says where it is to be run and how the file is given."""
    if verdict.remedy != ASK_SENSOR:
        return verdict
    file = f"{file_name(workload.name)}.json"
    remark = f"run it on {workload.name}, and give {file} as {workload.name}={file}"
    return replace(verdict, remedy=f"{ASK_SENSOR} > {file}", remarks=(*verdict.remarks, remark))


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
