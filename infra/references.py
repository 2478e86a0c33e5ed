"""Has the app read its vault: its settings that are references to Key Vault, and what became of each.

Azure keeps for a day what it found there, also that it found nothing (https://github.com/Azure/azure-functions-host/issues/11188),
unless it is told to look again: https://learn.microsoft.com/azure/app-service/app-service-key-vault-references#rotation
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from infra.programs import NoAnswer, document_of

VERSION = "2022-03-01"
RESOLVED = "Resolved"

type Ask = Callable[..., object]
"""What asks az, and raises NoAnswer."""


def address_of(outputs: Mapping[str, str]) -> str:
    """Where Azure says what became of the app's references; raises KeyError where an output is missing."""
    group = f"subscriptions/{outputs['AZURE_SUBSCRIPTION_ID']}/resourceGroups/{outputs['AZURE_RESOURCE_GROUP']}"
    site = f"{group}/providers/Microsoft.Web/sites/{outputs['FUNCTION_APP_NAME']}"
    return f"https://management.azure.com/{site}/config/configreferences/appsettings"


def refresh(outputs: Mapping[str, str], ask: Ask = document_of) -> Mapping[str, str]:
    """What became of each reference, by the name of its setting, after Azure looked again; raises NoAnswer.

    The app is restarted where one was found that was not found before: a worker reads its settings once.
    """
    address = address_of(outputs)
    before = _statuses(ask("rest", "--method", "get", "--url", f"{address}?api-version={VERSION}"))
    ask("rest", "--method", "post", "--url", f"{address}/refresh?api-version={VERSION}")
    after = _statuses(ask("rest", "--method", "get", "--url", f"{address}?api-version={VERSION}"))
    if _resolved(after) - _resolved(before):
        where = (
            "--resource-group",
            outputs["AZURE_RESOURCE_GROUP"],
            "--subscription",
            outputs["AZURE_SUBSCRIPTION_ID"],
        )
        ask("functionapp", "restart", "--name", outputs["FUNCTION_APP_NAME"], *where)
    return after


def _resolved(statuses: Mapping[str, str]) -> set[str]:
    return {name for name, status in statuses.items() if status == RESOLVED}


def _statuses(answer: object) -> dict[str, str]:
    listed = answer.get("value") if isinstance(answer, Mapping) else None
    if not isinstance(listed, list):
        raise NoAnswer("az rest: no list of references")
    found: dict[str, str] = {}
    for one in listed:
        inner = one.get("properties") if isinstance(one, Mapping) else None
        if isinstance(inner, Mapping):
            name = str(one.get("name") or one.get("id") or "").rpartition("/")[2]
            found[name] = str(inner.get("status"))
    return found
