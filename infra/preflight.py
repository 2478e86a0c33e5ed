"""What must be there before anything is deployed, judged by what az says of it. Pure: infra/looking.py asks.

What Azure would refuse stops the deployment before anything is made: a provider that is not registered, a region without Flex
Consumption. Roles and plans are only said: a role of one's own may do as much, and a plan costs money. What cannot be told is
unknown, and stops nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from infra.parameters import is_on
from infra.programs import NoAnswer

ALWAYS = ("EventHub", "Insights", "KeyVault", "ManagedIdentity", "OperationalInsights", "Security", "Storage", "Web")
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
class Wanted:
    """What is about to be deployed, as far as something must be there for it first."""

    subscription: str
    location: str
    providers: tuple[str, ...]
    exported: tuple[str, ...]
    """The subscriptions whose alerts and posture are to come."""


@dataclass(frozen=True, slots=True)
class Found:
    """What az answered to each question, or why it did not."""

    providers: object
    regions: object
    roles: object
    plans: Mapping[str, object]
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
    )


def findings(wanted: Wanted, found: Found) -> Iterator[Finding]:
    """All that is missing or cannot be told."""
    yield from _providers(wanted, found.providers)
    yield from _region(wanted, found.regions)
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


def _unknown(what: str, answer: object) -> Finding:
    why = str(answer) if isinstance(answer, NoAnswer) else "az gave no answer that can be read"
    return Finding(Weight.UNKNOWN, f"{what} ({why})")
