"""What must be there before anything is deployed, judged by what az says of it. Pure: infra/looking.py asks.

What Azure would refuse stops the deployment before anything is made: a provider that is not registered, a region without Flex
Consumption or without the size of the database, a quota that is used up. Roles and plans are only said: a role of one's own may
do as much, and a plan costs money. What cannot be told is unknown, and stops nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from infra.parameters import chosen, is_on
from infra.programs import NoAnswer

ALWAYS = (
    "DBforPostgreSQL",
    "EventHub",
    "Insights",
    "KeyVault",
    "ManagedIdentity",
    "OperationalInsights",
    "Security",
    "Storage",
    "Web",
)
WITH_SENTINEL = ("SecurityInsights",)
WITH_NETWORK = ("App", "Network")
"""Resource providers, after `Microsoft.`; a subnet of a Flex Consumption app is delegated to Microsoft.App."""

ROLES = {
    "Contributor": ("owner", "contributor"),
    "Role Based Access Control Administrator": (
        "owner",
        "role based access control administrator",
        "user access administrator",
    ),
    "Security Admin": ("owner", "security admin"),
}
"""What who deploys needs, and which roles bring it."""

POSTURE = ("foundationalcspm", "cloudposture")
UNTOLD = ("discovery",)
RUNTIME = (
    "virtualmachines",
    "sqlservers",
    "sqlservervirtualmachines",
    "opensourcerelationaldatabases",
    "cosmosdbs",
    "appservices",
    "storageaccounts",
    "keyvaults",
    "arm",
    "containers",
    "api",
    "ai",
    # Refused since 2026-07-05 where somebody turns them on; what is on stays on.
    "dns",
    "kubernetesservice",
    "containerregistry",
)
"""Plans by what comes of them; nothing by itself comes of those in the middle."""


class Weight(Enum):
    """What becomes of a finding: it is an error, a note, or unknown."""

    STOPS = ""
    NOTE = "note: "
    UNKNOWN = "unknown: "


class Finding(NamedTuple):
    """One line, with the command that mends it."""

    weight: Weight
    line: str

    def __str__(self) -> str:
        return f"{self.weight.value}{self.line}"


@dataclass(frozen=True, slots=True)
class Database:
    """The server that is about to be made.

    Attributes:
        size: its size, as Azure calls it.
        version: the major version of PostgreSQL.
        standby: where a second server stands by, as Azure calls it; Disabled for nowhere.
        connections: how many the router may open at a time.
        is_there: whether it was made before, so that the quota holds it already.
    """

    size: str
    version: str
    standby: str
    connections: int
    is_there: bool = field(repr=False)  # once it is, the same was looked at


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is about to be deployed, as far as something must be there for it first."""

    subscription: str
    location: str
    providers: tuple[str, ...]
    exported: tuple[str, ...]
    """The subscriptions whose alerts and posture are to come."""
    database: Database


@dataclass(frozen=True, slots=True)
class Found:
    """What az answered to each question, or why it did not."""

    providers: object
    regions: object
    roles: object
    plans: Mapping[str, object]
    sizes: object
    quotas: object
    who: str


def wanted_by(environment: Mapping[str, str]) -> Wanted | None:
    """What azd's environment asks for; None while it knows no subscription or no region."""
    subscription, location = environment.get("AZURE_SUBSCRIPTION_ID"), environment.get("AZURE_LOCATION")
    if not subscription or not location:
        return None
    sentinel = WITH_SENTINEL if is_on(environment, "ROUTER_SENTINEL") else ()
    network = WITH_NETWORK if is_on(environment, "ROUTER_PRIVATE") else ()
    more = [one.strip().lower() for one in environment.get("ROUTER_EXPORT_SUBSCRIPTIONS", "").split(",")]
    return Wanted(
        subscription,
        location,
        tuple(f"Microsoft.{name}" for name in (*ALWAYS, *sentinel, *network)),
        tuple(dict.fromkeys(one for one in (subscription.lower(), *more) if one)),
        Database(
            chosen("ROUTER_DATABASE_SIZE", environment),
            chosen("ROUTER_DATABASE_VERSION", environment),
            chosen("ROUTER_DATABASE_HIGH_AVAILABILITY", environment),
            connections_of(
                int(chosen("ROUTER_MAXIMUM_INSTANCES", environment)),
                int(chosen("ROUTER_PARTITIONS", environment)),
                chosen("ROUTER_UPDATE_STRATEGY", environment),
            ),
            is_there=bool(environment.get("DATABASE_SERVER")),
        ),
    )


@cache
def database_sizes() -> Mapping[str, Mapping[str, Any]]:
    """Tier, cores and connections for users of each size that may be chosen."""
    found: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("database-sizes.json").read_text("utf-8"))
    return found


def connections_of(instances: int, partitions: int, strategy: str) -> int:
    """How many connections the router may open at a time, as choices.bicep reckons it."""
    return (6 * instances + 2 * partitions + 2) * (2 if strategy == "RollingUpdate" else 1)


def findings(wanted: Wanted, found: Found) -> Iterator[Finding]:
    """All that is missing or cannot be told."""
    yield from _providers(wanted, found.providers)
    yield from _region(wanted, found.regions)
    yield from _connections(wanted.database)
    yield from _size(wanted, found.sizes)
    yield from _quota(wanted, found.quotas)
    yield from _roles(wanted, found)
    for subscription in wanted.exported:
        yield from _plans(subscription, found.plans[subscription])


def _providers(wanted: Wanted, answer: object) -> Iterator[Finding]:
    if isinstance(answer, NoAnswer) or not (rows := _rows(answer)):
        yield _unknown("whether the resource providers are registered", answer)
        return
    states = {_text(row, "namespace"): _text(row, "registrationState") for row in rows}
    for name in wanted.providers:
        mend = f"az provider register --wait --namespace {name} --subscription {wanted.subscription}"
        match states.get(name.lower(), ""):
            case "registered":
                continue
            case "notregistered" | "unregistered" | "unregistering":
                yield Finding(Weight.STOPS, f"{name}: is not registered in the subscription; {mend}")
            case "registering":
                yield Finding(Weight.NOTE, f"{name}: is still being registered; {mend}")
            case _:
                yield Finding(Weight.UNKNOWN, f"whether {name} is registered; {mend}")


def _region(wanted: Wanted, answer: object) -> Iterator[Finding]:
    names = {_squeezed(_text(row, key)) for row in _rows(answer) for key in ("name", "displayName")} - {""}
    if not names:
        yield _unknown(f"whether {wanted.location} has Flex Consumption", answer)
    elif _squeezed(wanted.location.lower()) not in names:
        yield Finding(
            Weight.STOPS,
            f"AZURE_LOCATION: {wanted.location} has no Flex Consumption; choose one of "
            "`az functionapp list-flexconsumption-locations --output table`, then: azd env set AZURE_LOCATION REGION",
        )


def _connections(database: Database) -> Iterator[Finding]:
    there = database_sizes().get(database.size)
    if there is None:
        yield Finding(
            Weight.STOPS,
            f"ROUTER_DATABASE_SIZE: {database.size} is none of {', '.join(database_sizes())}; "
            "azd env set ROUTER_DATABASE_SIZE SIZE",
        )
    elif 4 * database.connections > 3 * there["connections"]:
        enough = [name for name, one in database_sizes().items() if 4 * database.connections <= 3 * one["connections"]]
        mend = (
            f"azd env set ROUTER_DATABASE_SIZE {enough[0]}" if enough else "azd env set ROUTER_MAXIMUM_INSTANCES LESS"
        )
        yield Finding(
            Weight.STOPS,
            f"ROUTER_DATABASE_SIZE: {database.size} has {there['connections']} connections for users, and the router may open "
            f"{database.connections}, more than 75 % of them; {mend}",
        )


def _size(wanted: Wanted, answer: object) -> Iterator[Finding]:
    database = wanted.database
    offers = _rows(answer)
    sizes = {
        str(size.get("name")): size
        for offer in offers
        for edition in _rows(offer.get("supportedServerEditions"))
        for size in _rows(edition.get("supportedServerSkus"))
        if _text(size, "status") != "disabled"
    }
    why = next((f" ({' '.join(str(one['reason']).split())})" for one in offers if one.get("reason")), "")
    other = f"az postgres flexible-server list-skus --location {wanted.location} --output table"
    if not sizes and not why:
        yield _unknown(f"whether {wanted.location} offers {database.size}", answer)
        return
    if database.size not in sizes:
        yield Finding(
            Weight.STOPS,
            f"ROUTER_DATABASE_SIZE: {wanted.location} does not offer {database.size} to this subscription{why}; choose one of "
            f"`{other}`, then: azd env set ROUTER_DATABASE_SIZE SIZE; or another region: azd env set AZURE_LOCATION REGION",
        )
        return
    modes = sizes[database.size].get("supportedHaMode")
    if database.standby != "Disabled" and isinstance(modes, list) and database.standby not in modes:
        yield Finding(
            Weight.STOPS,
            f"ROUTER_DATABASE_HIGH_AVAILABILITY: {database.size} has no {database.standby} in {wanted.location}; "
            f"azd env set ROUTER_DATABASE_HIGH_AVAILABILITY {_first_text(modes) or 'Disabled'}",
        )
    versions = {str(one.get("name")) for offer in offers for one in _rows(offer.get("supportedServerVersions"))}
    if versions and database.version not in versions:
        yield Finding(
            Weight.STOPS,
            f"ROUTER_DATABASE_VERSION: {wanted.location} does not offer PostgreSQL {database.version}; "
            "azd env set ROUTER_DATABASE_VERSION 17",
        )


def _quota(wanted: Wanted, answer: object) -> Iterator[Finding]:
    database = wanted.database
    size = database_sizes().get(database.size)
    if database.is_there or size is None:
        return
    needed = size["cores"] * (1 if database.standby == "Disabled" else 2)
    family = _family_of(database.size)
    free = {
        _text(name, "value"): limit - used
        for row in _rows(answer)
        if isinstance(name := row.get("name"), Mapping)
        and isinstance(limit := row.get("limit"), int)
        and isinstance(used := row.get("currentValue"), int)
    }
    if family.lower() not in free:
        yield _unknown(f"how many cores of {family} are left in {wanted.location}", answer)
    for name in ("cores", family):
        if needed > free.get(name.lower(), needed):
            yield Finding(
                Weight.STOPS,
                f"ROUTER_DATABASE_SIZE: {database.size} takes {needed} cores, and {max(free[name.lower()], 0)} of {name} "
                f"are left in {wanted.location}; ask for more (the portal: Quotas, Azure Database for PostgreSQL), "
                "or choose another size or region: azd env set AZURE_LOCATION REGION",
            )


def _family_of(size: str) -> str:
    """What a quota calls the sizes that are alike: Standard_D2ds_v5 is of standardDDSv5Family."""
    found = re.fullmatch(r"Standard_([A-Z])\d+([a-z]+)(?:_(v\d+))?", size)
    if found is None or found[1] == "B":
        return "standardBSFamily"
    return f"standard{found[1]}{found[2].upper()}{found[3] or ''}Family"


def _roles(wanted: Wanted, found: Found) -> Iterator[Finding]:
    # Who is told of no role at all has one that is not told: without any az could not have asked.
    held = sorted({name for row in _rows(found.roles) if (name := str(row.get("roleDefinitionName") or ""))})
    if not held:
        yield _unknown(f"the roles of {found.who}", found.roles)
        return
    for role, enough in ROLES.items():
        if not {name.lower() for name in held} & set(enough):
            yield Finding(
                Weight.NOTE,
                f"{found.who}, as whom az is signed in, has {', '.join(held)} and not {role}; unless that does as much: "
                f'az role assignment create --assignee {found.who} --role "{role}" '
                f"--scope /subscriptions/{wanted.subscription}",
            )


def _plans(subscription: str, answer: object) -> Iterator[Finding]:
    tiers = {_text(row, "name"): _tier(row) for row in _rows(answer)} if not isinstance(answer, NoAnswer) else {}
    if not tiers:
        yield _unknown(f"which plans of Defender are on in {subscription}", answer)
        return
    turn_on = f"az security pricing create --tier standard --subscription {subscription} --name"
    if not any(tiers.get(name) == "standard" for name in POSTURE):
        # How the answer says that it is off is not documented.
        yield Finding(
            Weight.UNKNOWN,
            f"whether Foundational CSPM is on in {subscription}: without it no recommendation comes, and it is off where the "
            f"subscription was made since 2026-10-27; {turn_on} FoundationalCspm",
        )
    on = {name for name, tier in tiers.items() if tier != "free"} - {*POSTURE, *UNTOLD}
    if any(tiers[name] == "standard" for name in on & set(RUNTIME)):
        return
    if on or not tiers.keys() & set(RUNTIME):
        yield Finding(
            Weight.UNKNOWN,
            f"whether a plan is on in {subscription} that raises alerts; for machines: {turn_on} VirtualMachines",
        )
    else:
        yield Finding(
            Weight.NOTE,
            f"{subscription} has no plan that raises alerts, but for what a single resource may have; for machines, at "
            f"Defender's price: {turn_on} VirtualMachines",
        )


def _tier(row: Mapping[str, object]) -> str:
    # az says it flat, REST under properties.
    inner = row.get("properties")
    return _text(row, "pricingTier") or (_text(inner, "pricingTier") if isinstance(inner, Mapping) else "")


def _rows(answer: object) -> list[Mapping[str, object]]:
    listed = answer.get("value") if isinstance(answer, Mapping) else answer
    return [row for row in listed if isinstance(row, Mapping)] if isinstance(listed, list) else []


def _text(row: Mapping[str, object], key: str) -> str:
    value = row.get(key)
    return value.lower() if isinstance(value, str) else ""


def _squeezed(name: str) -> str:
    return name.replace(" ", "")


def _first_text(values: list[object]) -> str:
    return next((one for one in values if isinstance(one, str)), "")


def _unknown(what: str, answer: object) -> Finding:
    why = str(answer) if isinstance(answer, NoAnswer) else "az gave no answer that can be read"
    return Finding(Weight.UNKNOWN, f"{what} ({why})")
