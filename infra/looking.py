"""Asks az what must be there before anything is deployed; infra/preflight.py judges what it says."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from infra.preflight import Finding, Found, Wanted, Weight, findings
from infra.programs import NoAnswer, document_of


def look(wanted: Wanted) -> list[Finding]:
    """All that is missing or cannot be told. Where az cannot be asked at all, that is said once."""
    try:
        who = _signed_in(document_of("account", "show", "--subscription", wanted.subscription))
    except NoAnswer as fault:
        return [Finding(Weight.UNKNOWN, f"what must be there first was not looked at ({fault})")]
    here = ("--subscription", wanted.subscription)
    # Registered or not, by the state: a query for the registered ones would leave out what is being registered.
    questions: list[tuple[str, ...]] = [
        ("provider", "list", *here),
        ("functionapp", "list-flexconsumption-locations", *here),
        (
            *("role", "assignment", "list", "--assignee", who, "--include-inherited", "--include-groups"),
            *("--scope", f"/subscriptions/{wanted.subscription}", *here),
        ),
        ("postgres", "flexible-server", "list-skus", "--location", wanted.location, *here),
        ("rest", "--method", "get", "--url", _quotas_of(wanted)),
        *(("security", "pricing", "list", "--subscription", one) for one in wanted.exported),
    ]
    with ThreadPoolExecutor(len(questions)) as pool:
        providers, regions, roles, sizes, quotas, *plans = pool.map(_asked, questions)
    found = Found(providers, regions, roles, dict(zip(wanted.exported, plans, strict=True)), sizes, quotas, who)
    return list(findings(wanted, found))


def _quotas_of(wanted: Wanted) -> str:
    # https://learn.microsoft.com/rest/api/postgresql/quota-usages/list
    provider = f"subscriptions/{wanted.subscription}/providers/Microsoft.DBforPostgreSQL"
    kind = f"locations/{wanted.location}/resourceType/flexibleServers"
    return f"https://management.azure.com/{provider}/{kind}/usages?api-version=2025-08-01"


def _asked(question: tuple[str, ...]) -> object:
    try:
        return document_of(*question)
    except NoAnswer as fault:
        return fault


def _signed_in(account: object) -> str:
    user = account.get("user") if isinstance(account, Mapping) else None
    name = user.get("name") if isinstance(user, Mapping) else None
    if not isinstance(name, str) or not name:
        raise NoAnswer("az account show: it does not say who is signed in")
    return name
