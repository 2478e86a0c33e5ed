"""The shell lines that ask for plans, and that switch them on.

Only what the API accepts today is proposed: never a plan or a sub-plan that it refuses since 2026-07-05. Names come from
documents that anybody may have written, so each is quoted.
https://learn.microsoft.com/cli/azure/security/pricing, https://learn.microsoft.com/rest/api/defenderforcloud/pricings,
https://learn.microsoft.com/rest/api/defenderforcloud/defender-for-storage
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator

from router.coverage.plans.table import DefenderPlan, plan_named

_PRICINGS = "api-version=2024-01-01"
"""The first version that says which resources differ from their subscription; `az security pricing list` asks an older one."""

_SLOWLY = " && sleep 15"
"""What stands after a command that changes plans and before the next: the API wants to be left alone between them."""

_STORAGE = "providers/Microsoft.Security/defenderForStorageSettings/current?api-version=2025-01-01"
_THREAT_PROTECTION = "providers/Microsoft.Security/advancedThreatProtectionSettings/current?api-version=2019-01-01"


def ask_plans(subscription: str) -> str:
    """Asks for all plans of a subscription."""
    return _rest("get", f"/subscriptions/{subscription}/providers/Microsoft.Security/pricings?{_PRICINGS}")


def ask_resource_plan(id: str, plan: DefenderPlan) -> str:
    """Asks a resource for its own plan."""
    return _rest("get", f"{_rooted(id)}/providers/Microsoft.Security/pricings/{plan.name}?{_PRICINGS}")


def ask_storage(id: str) -> str:
    """Asks a storage account for its own settings."""
    return _rest("get", f"{_rooted(id)}/{_STORAGE}")


def ask_threat_protection(id: str) -> str:
    """Asks an account of Cosmos DB for its own setting."""
    return _rest("get", f"{_rooted(id)}/{_THREAT_PROTECTION}")


def take_override_off(id: str, plan: DefenderPlan) -> str:
    """Takes a resource's own plan off, so that it has the one of its subscription again."""
    return _rest("delete", f"{_rooted(id)}/providers/Microsoft.Security/pricings/{plan.name}?{_PRICINGS}")


def follow_subscription_storage(id: str) -> str:
    """Makes a storage account follow its subscription again."""
    body = '{"properties":{"isEnabled":true,"overrideSubscriptionLevelSettings":false}}'
    return f"{_rest('put', f'{_rooted(id)}/{_STORAGE}')} --body {shlex.quote(body)}"


def enable_threat_protection(id: str) -> str:
    """Switches an account of Cosmos DB on."""
    return f"{_rest('put', f'{_rooted(id)}/{_THREAT_PROTECTION}')} --body {shlex.quote('{"properties":{"isEnabled":true}}')}"


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
    parts = ["az", "security", "pricing", "create", "-n", offered.name, "--tier", "standard"]
    parts += ["--subplan", sub_plan] if sub_plan else []
    for extension in extensions:
        parts += ["--extensions", f"name={extension}", "isEnabled=True"]
    return shlex.join([*parts, "--subscription", subscription])


def one_after_the_other(remedies: Iterable[str]) -> str | None:
    """Several commands that change plans as one line, of which each waits for the success of the one before; None for none."""
    return f"{_SLOWLY} && ".join(dict.fromkeys(remedies)) or None


def each_on_its_line(remedies: Iterable[str]) -> str | None:
    """Several commands that change plans, of which none needs another; None for none."""
    return f"{_SLOWLY}\n".join(dict.fromkeys(line for one in remedies for line in _lines(one))) or None


def _lines(remedy: str) -> Iterator[str]:
    """The lines of a remedy, which may be several already, without the wait between them."""
    return (line.removesuffix(_SLOWLY) for line in remedy.split("\n"))


def _rest(method: str, url: str) -> str:
    return f"az rest --method {method} --url {shlex.quote(url)}"


def _rooted(id: str) -> str:
    return f"/{id.strip('/')}"
