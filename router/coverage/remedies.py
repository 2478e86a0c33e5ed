"""The command lines that answer a question or mend a gap. Whatever a document named is quoted for the shell. Pure.

Only what the API accepts today is proposed: never a plan or a sub-plan that it refuses since 2026-07-05.
https://learn.microsoft.com/cli/azure/reference-index#az-rest, https://learn.microsoft.com/cli/azure/security/pricing,
https://learn.microsoft.com/rest/api/defenderforcloud/pricings
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import replace

from router.coverage.plans.table import DefenderPlan, plan_named
from router.coverage.verdicts import Verdict, Workload
from router.coverage.workloads import ARC_MACHINE, VIRTUAL_MACHINE
from router.domain.recommendations import SQL_PROTECTED
from router.domain.resources import parse_resource_id

_PRICINGS = "2024-01-01"
"""The first version that says which resources differ from their subscription; `az security pricing list` asks an older one."""

_STORAGE = ("providers/Microsoft.Security/defenderForStorageSettings/current", "2025-01-01")
_THREAT_PROTECTION = ("providers/Microsoft.Security/advancedThreatProtectionSettings/current", "2019-01-01")

_PUBLISHER = "Microsoft.Azure.AzureDefenderForServers"

_SLOWLY = " && sleep 15"
"""What stands after a command that changes plans and before the next: the API wants to be left alone between them."""


def command_line(*words: str) -> str:
    """A line for the shell whose words stay what they are, whatever stands in them."""
    return shlex.join(words)


def file_name(name: str) -> str:
    """A file, without what its name ends in, for the answer of something that is called so."""
    return re.sub(r"[^A-Za-z0-9_.]+", "-", name).strip("-.") or "answer"


def rest(method: str, path: str, version: str, body: Mapping[str, object] | None = None) -> str:
    """The line that asks Azure Resource Manager for what is at a path, puts a body there, or deletes it."""
    words = ("az", "rest", "--method", method, "--url", f"/{path.strip('/')}?api-version={version}")
    return command_line(*words, *(() if body is None else ("--body", json.dumps(body))))


def graph_query(query: str) -> str:
    """A query of Resource Graph, of as many rows as a page may have: others come only where it has the column id."""
    return command_line("az", "graph", "query", "-q", query, "--first", "1000", "-o", "json")


def list_command(command: str, subscription: str, type: str) -> str:
    """The line that lists what there is of an ARM type in a subscription, by one of the list commands of `az`.

    What `az` prints of nothing is `[]`, so the answer is made to say what it is a list of.
    """
    query = f'{{id: `"/subscriptions/{subscription}/providers/{type}"`, value: @}}'
    return command_line("az", *command.split(), "--subscription", subscription, "--query", query, "--output", "json")


def resource_words(id: str | None) -> tuple[str, ...]:
    """The words by which `az` is told a resource: group, name and subscription; none where its id does not say them."""
    parts = parse_resource_id(id)
    if not (parts.resource_group and parts.name and parts.subscription):
        return ()
    return ("--resource-group", parts.resource_group, "--name", parts.name, "--subscription", parts.subscription)


def ask_resource(id: str) -> str:
    """The line that shows the document of a resource."""
    return command_line("az", "resource", "show", "--ids", id, "-o", "json")


ASK_CONNECTORS = graph_query("resources | where type =~ 'microsoft.security/securityconnectors'")

TYPES_QUERY = (
    "resourcecontainers | where type =~ 'microsoft.resources/subscriptions' | project id, subscriptionId"
    " | join kind=leftouter (resources | summarize resourceTypes = make_set(tolower(type), 1000) by subscriptionId)"
    " on subscriptionId | project id, subscriptionId, resourceTypes"
)
"""A row for each subscription with the types of all its resources."""

ASK_TYPES = graph_query(TYPES_QUERY)


def ask_plans(subscription: str) -> str:
    """Asks for all plans of a subscription."""
    return rest("get", f"subscriptions/{subscription}/providers/Microsoft.Security/pricings", _PRICINGS)


def ask_resource_plan(id: str, plan: DefenderPlan) -> str:
    """Asks a resource for its own plan."""
    return rest("get", f"{id}/providers/Microsoft.Security/pricings/{plan.name}", _PRICINGS)


def take_override_off(id: str, plan: DefenderPlan) -> str:
    """Takes a resource's own plan off, so that it has the one of its subscription again."""
    return rest("delete", f"{id}/providers/Microsoft.Security/pricings/{plan.name}", _PRICINGS)


def ask_storage(id: str) -> str:
    """Asks a storage account for its own settings."""
    return rest("get", f"{id}/{_STORAGE[0]}", _STORAGE[1])


def follow_subscription_storage(id: str) -> str:
    """Makes a storage account follow its subscription again."""
    body = {"properties": {"isEnabled": True, "overrideSubscriptionLevelSettings": False}}
    return rest("put", f"{id}/{_STORAGE[0]}", _STORAGE[1], body)


def ask_threat_protection(id: str) -> str:
    """Asks an account of Cosmos DB for its own setting."""
    return rest("get", f"{id}/{_THREAT_PROTECTION[0]}", _THREAT_PROTECTION[1])


def enable_threat_protection(id: str) -> str:
    """Switches an account of Cosmos DB on."""
    return rest("put", f"{id}/{_THREAT_PROTECTION[0]}", _THREAT_PROTECTION[1], {"properties": {"isEnabled": True}})


def enable_plan(
    plan: DefenderPlan, subscription: str, sub_plan: str | None = None, extensions: Iterable[str] = ()
) -> str:
    """Switches a plan of a subscription on, or its successor, with the sub-plan that is needed or the fullest one."""
    offered = plan_named(plan.successor) if plan.successor else plan
    known = offered.find_sub_plan(sub_plan) if sub_plan else None
    if (sub_plan is None or offered is not plan or (known and not known.is_offered)) and offered.sub_plans:
        sub_plan = offered.sub_plans[0].name
    elif offered is not plan:
        sub_plan = None
    words = ["az", "security", "pricing", "create", "-n", offered.name, "--tier", "standard"]
    words += ["--subplan", sub_plan] if sub_plan else []
    for extension in extensions:
        words += ["--extensions", f"name={extension}", "isEnabled=True"]
    return command_line(*words, "--subscription", subscription)


def one_after_the_other(remedies: Iterable[str]) -> str | None:
    """Several commands that change plans as one line, of which each waits for the success of the one before; None for none."""
    return f"{_SLOWLY} && ".join(dict.fromkeys(remedies)) or None


def each_on_its_line(remedies: Iterable[str]) -> str | None:
    """Several commands that change plans, of which none needs another; None for none. One may have several lines already."""
    lines = (line.removesuffix(_SLOWLY) for one in remedies for line in one.split("\n"))
    return f"{_SLOWLY}\n".join(dict.fromkeys(lines)) or None


ASK_SENSOR = "mdatp health --output json"
"""On a Linux machine: what its sensor says of itself, of which `on_machine` says where it goes."""

ASK_DEVICES = (
    "az rest --method get --resource https://api.securitycenter.microsoft.com"
    " --url https://api.security.microsoft.com/api/machines"
)
"""What Defender for Endpoint says of all devices. https://learn.microsoft.com/defender-endpoint/api/get-machines"""

ASK_POWER = "az vm list -d -o json"
"""All virtual machines of a subscription with their power, also those of flexible scale sets."""

_EXTENSIONS = "type in~ ('microsoft.compute/virtualmachines/extensions', 'microsoft.hybridcompute/machines/extensions')"

ASK_ENDPOINT_EXTENSIONS = graph_query(
    "resources | where type in~ ('microsoft.compute/virtualmachines', 'microsoft.hybridcompute/machines')"
    " | project id, name, type, machine = tolower(id)"
    f" | join kind=leftouter (resources | where {_EXTENSIONS} and properties.type in~ ('MDE.Linux', 'MDE.Windows')"
    " | project machine = tostring(split(tolower(id), '/extensions/')[0]), name1 = name, properties1 = properties) on machine"
    " | project id, name, type, name1, properties1"
)
"""All machines, each with its extension of Defender for Endpoint or with none: a list of extensions leaves those machines out.

https://github.com/Azure/Microsoft-Defender-for-Cloud, its workbook of the deployment of Defender for Servers
"""

ASK_EXTENSIONS = graph_query(f"resources | where {_EXTENSIONS} | project id, name, type, location, properties")

ASK_POSTURE = graph_query(
    "securityresources | where type =~ 'microsoft.security/pricings' | project id, name, type, properties"
)
"""The plans of every subscription, of which those of posture say whether recommendations come."""


def ask_recommendations(*keys: str) -> str:
    """The recommendations of these keys, of every subscription."""
    return _ask_assessments(f"name in~ ({', '.join(f"'{key}'" for key in keys)})")


def _ask_assessments(condition: str) -> str:
    return graph_query(
        f"securityresources | where type =~ 'microsoft.security/assessments' and {condition}"
        " | project id, name, type, properties"
    )


ASK_SQL_RECOMMENDATIONS = _ask_assessments(f"properties.displayName =~ '{SQL_PROTECTED}'")


def ask_sensor(system: str | None) -> str:
    """Asks whether the sensor of a machine of a system runs: on Linux the machine itself, else Defender for Endpoint."""
    return ASK_SENSOR if system == "linux" else ASK_DEVICES


def on_machine(verdict: Verdict, workload: Workload) -> Verdict:
    """A verdict whose line for a machine writes a file, and which says where it is to be run and how the file is given."""
    if verdict.remedy != ASK_SENSOR:
        return verdict
    file = f"{file_name(workload.name)}.json"
    remark = f"run it on {workload.name}, and give {file} as {workload.name}={file}"
    return replace(verdict, remedy=f"{ASK_SENSOR} > {file}", remarks=(*verdict.remarks, remark))


def restart_sensor(system: str | None) -> str:
    """What starts the sensor of a machine again, to be run on the machine."""
    return "sc.exe start sense" if system == "windows" else "systemctl restart mdatp"


def install_sensor(id: str | None, system: str | None) -> str | None:
    """What has Azure install the sensor on a virtual machine, as Defender for Cloud does; None for any other machine.

    https://github.com/Azure/Microsoft-Defender-for-Cloud, its scripts of the integration with Defender for Endpoint
    """
    parts = parse_resource_id(id)
    if (parts.type or "").lower() != VIRTUAL_MACHINE or system is None or not (words := resource_words(id)):
        return None
    name = system.capitalize()
    package = f"value[0].properties.onboardingPackage{name}"
    onboardings = f"/subscriptions/{parts.subscription}/providers/Microsoft.Security/mdeOnboardings"
    script = rest("get", onboardings, "2021-10-01-preview")
    settings = json.dumps({"azureResourceId": id, "vNextEnabled": "true"})
    return (
        command_line("az", "vm", "extension", "set", "--name", f"MDE.{name}", "--publisher", _PUBLISHER)
        + " "
        + command_line(words[0], words[1], "--vm-name", *words[3:], "--settings", settings)
        + f" --protected-settings \"$({script} --query '{{defenderForEndpointOnboardingScript: {package}}}' -o json)\""
    )


def remove_extension(machine: str, name: str) -> str:
    """What removes an extension of a machine, so that Defender for Cloud installs it anew."""
    parts = parse_resource_id(machine)
    is_arc = (parts.type or "").lower() == ARC_MACHINE
    words = ["az", "connectedmachine" if is_arc else "vm", "extension", "delete"]
    words += [
        "--resource-group",
        parts.resource_group or "",
        "--machine-name" if is_arc else "--vm-name",
        parts.name or "",
    ]
    words += ["--subscription", parts.subscription] if parts.subscription else []
    return command_line(*words, "--name", name, *(("--yes",) if is_arc else ()))


def remove_tag(resource: str, tag: str, value: str) -> str:
    """What removes a tag of a resource."""
    tags = ("--operation", "Delete", "--tags", f"{tag}={value}")
    return command_line("az", "tag", "update", "--resource-id", resource, *tags)
