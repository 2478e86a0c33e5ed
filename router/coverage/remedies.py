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
from copy import replace

from router.coverage.plans.table import DefenderPlan, plan_named, read_toml
from router.coverage.verdicts import Verdict, Workload
from router.coverage.workloads import ARC_MACHINE
from router.domain.recommendations import EDR_RUNNING, SQL_PROTECTED
from router.domain.resources import parse_resource_id

PRICINGS_VERSION = "2024-01-01"
"""The first version that says which resources differ from their subscription; `az security pricing list` asks an older one."""

STORAGE = ("providers/Microsoft.Security/defenderForStorageSettings/current", "2025-01-01")
THREAT_PROTECTION = ("providers/Microsoft.Security/advancedThreatProtectionSettings/current", "2019-01-01")
"""The switches of accounts: their paths, and the versions of the API."""

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


_QUERIES = read_toml("queries.toml")
ASK_CONNECTORS = graph_query(_QUERIES["remedies"]["connectors"])
ASK_TYPES = graph_query(_QUERIES["asked"]["types of resources"])
ASK_ENDPOINT_EXTENSIONS = graph_query(_QUERIES["remedies"]["endpoint_extensions"])
ASK_EXTENSIONS = graph_query(_QUERIES["remedies"]["extensions"])
ASK_POSTURE = graph_query(_QUERIES["asked"]["pricings"])
ASK_POWER = "az vm list -d -o json"
"""All virtual machines of a subscription with their power, also those of flexible scale sets."""

ASK_SENSOR = "mdatp health --output json"
"""On a Linux machine: what its sensor says of itself, of which `on_machine` says where it goes."""

ASK_DEVICES = (
    "az rest --method get --resource https://api.securitycenter.microsoft.com"
    " --url https://api.security.microsoft.com/api/machines"
)
"""What Defender for Endpoint says of all devices. https://learn.microsoft.com/defender-endpoint/api/get-machines"""


def ask_recommendations(*keys: str) -> str:
    """The recommendations of these keys, of every subscription."""
    return _ask_assessments(f"name in~ ({', '.join(f"'{key}'" for key in keys)})")


def _ask_assessments(condition: str) -> str:
    return graph_query(_QUERIES["remedies"]["recommendations"].format(condition=condition))


ASK_SQL_RECOMMENDATIONS = _ask_assessments(f"properties.displayName =~ '{SQL_PROTECTED}'")


def ask_sensor(system: str | None) -> str:
    """Asks whether the sensor of a machine of a system runs: on Linux the machine itself, else Defender for Endpoint."""
    return ASK_SENSOR if system == "linux" else ASK_DEVICES


def ask_plans(subscription: str) -> str:
    """Asks for all plans of a subscription."""
    return rest("get", f"subscriptions/{subscription}/providers/Microsoft.Security/pricings", PRICINGS_VERSION)


def ask_resource_plan(id: str, plan: DefenderPlan) -> str:
    """Asks a resource for its own plan."""
    return rest("get", f"{id}/providers/Microsoft.Security/pricings/{plan.name}", PRICINGS_VERSION)


def take_override_off(id: str, plan: DefenderPlan) -> str:
    """Takes a resource's own plan off, so that it has the one of its subscription again."""
    return rest("delete", f"{id}/providers/Microsoft.Security/pricings/{plan.name}", PRICINGS_VERSION)


def follow_subscription_storage(id: str) -> str:
    """Makes a storage account follow its subscription again."""
    body = {"properties": {"isEnabled": True, "overrideSubscriptionLevelSettings": False}}
    return rest("put", f"{id}/{STORAGE[0]}", STORAGE[1], body)


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


_ON_MACHINES = ("azcmagent ", "mdatp ", "powershell.exe ", "sc.exe ", "systemctl ")


def on_machine(verdict: Verdict, workload: Workload) -> Verdict:
    """A verdict that says of a line for the machine itself where to run it, and how the file that it writes is given."""
    remedy = verdict.remedy or ""
    if not remedy.startswith(_ON_MACHINES):
        return verdict
    remark = f"run it on {workload.name}"
    if remedy == ASK_SENSOR:
        file = f"{file_name(workload.name)}.json"
        remedy, remark = f"{ASK_SENSOR} > {file}", f"{remark}, and give {file} as {workload.name}={file}"
    return replace(verdict, remedy=remedy, remarks=(*verdict.remarks, remark))


MENDS: Mapping[str, tuple[str, str]] = {
    EDR_RUNNING[0]: ("mdatp scan quick", "powershell.exe Start-MpScan -ScanType QuickScan"),
    EDR_RUNNING[1]: ("mdatp definitions update", "powershell.exe Update-MpSignature"),
    EDR_RUNNING[2]: (
        "mdatp config real-time-protection --value enabled",
        "powershell.exe Set-MpPreference -DisableRealtimeMonitoring 0",
    ),
}
"""By the recommendation on a machine's sensor: what mends it on Linux, and on Windows.
https://learn.microsoft.com/defender-endpoint/linux-resources, https://learn.microsoft.com/powershell/module/defender"""


def install_sensor(machine: str, system: str | None) -> str:
    """What has Azure install the sensor on a machine, as Defender for Cloud does it; on one of unknown system, as on Linux.

    https://github.com/Azure/Microsoft-Defender-for-Cloud, its scripts of the integration with Defender for Endpoint
    """
    name = "Windows" if system == "windows" else "Linux"
    onboardings = f"subscriptions/{parse_resource_id(machine).subscription}/providers/Microsoft.Security/mdeOnboardings"
    query = f"{{defenderForEndpointOnboardingScript: value[0].properties.onboardingPackage{name}}}"
    package = f"{rest('get', onboardings, '2021-10-01-preview')} --query {shlex.quote(query)} -o json"
    settings = shlex.quote(json.dumps({"azureResourceId": machine, "vNextEnabled": "true"}))
    install = _install(machine, f"MDE.{name}", "Microsoft.Azure.AzureDefenderForServers")
    return f'{install} --settings {settings} --protected-settings "$({package})"'


def install_sql_sensor(machine: str) -> str:
    """What has Azure install Defender for SQL on the machine of a SQL Server.

    https://learn.microsoft.com/azure/defender-for-cloud/defender-for-sql-usage
    """
    return _install(machine, "AdvancedThreatProtection.Windows", "Microsoft.Azure.AzureDefenderForSQL")


def _install(machine: str, type: str, publisher: str) -> str:
    if (parse_resource_id(machine).type or "").lower() != ARC_MACHINE:
        return command_line(*_extension_words(machine, "set"), "--publisher", publisher, "--name", type)
    where = command_line("az", "resource", "show", "--ids", machine, "--query", "location", "-o", "tsv")
    words = ("--publisher", publisher, "--type", type, "--name", type)
    return f'{command_line(*_extension_words(machine, "create"), *words)} --location "$({where})"'


def remove_extension(machine: str, name: str) -> str:
    """What removes an extension of a machine, so that Defender for Cloud installs it anew."""
    words = _extension_words(machine, "delete")
    return command_line(*words, "--name", name, *(("--yes",) if words[1] == "connectedmachine" else ()))


def _extension_words(machine: str, verb: str) -> tuple[str, ...]:
    """The command for extensions of a machine, of Azure or of Azure Arc, and the words that say which machine it is."""
    parts = parse_resource_id(machine)
    is_arc = (parts.type or "").lower() == ARC_MACHINE
    kind, name = ("connectedmachine", "--machine-name") if is_arc else ("vm", "--vm-name")
    within = ("--subscription", parts.subscription) if parts.subscription else ()
    group = ("--resource-group", parts.resource_group or "")
    return ("az", kind, "extension", verb, *group, name, parts.name or "", *within)


def remove_tag(resource: str, tag: str, value: str) -> str:
    """What removes a tag of a resource."""
    tags = ("--operation", "Delete", "--tags", f"{tag}={value}")
    return command_line("az", "tag", "update", "--resource-id", resource, *tags)
