"""What must be there first, by what az says of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.preflight import (
    ALWAYS,
    RUNTIME,
    WITH_NETWORK,
    WITH_SENTINEL,
    Database,
    Finding,
    Found,
    Wanted,
    Weight,
    connections_of,
    findings,
    wanted_by,
)
from infra.programs import NoAnswer
from infra.required import FRESH, is_checked
from tests.infra.azd import AZURE, QUOTAS, SUBSCRIPTION, WHO
from tests.infra.test_choices import DATABASES
from tests.infra.variants import deployed

TRIAL = Database("Standard_B2s", "18", "Disabled", 250, is_there=False)
WANTED = Wanted(SUBSCRIPTION, "westeurope", tuple(f"Microsoft.{name}" for name in ALWAYS), (SUBSCRIPTION,), TRIAL)
D2 = {"name": "Standard_D2ds_v5"}
NOBODY = NoAnswer("ERROR: (AuthorizationFailed) no")


def said(database: Database = TRIAL, **answers: Any) -> list[Finding]:
    """What is said of a database where all is there, but for these answers."""
    found: dict[str, Any] = {
        "providers": AZURE["provider list"],
        "regions": AZURE["functionapp list-flexconsumption-locations"],
        "roles": AZURE["role assignment list"],
        "plans": AZURE["security pricing list"],
        "sizes": AZURE["postgres flexible-server list-skus"],
        "quotas": AZURE[QUOTAS],
        **answers,
    }
    plans = found.pop("plans")
    return list(findings(replace(WANTED, database=database), Found(**found, plans={SUBSCRIPTION: plans}, who=WHO)))


def weights(found: Sequence[Finding]) -> list[Weight]:
    """What becomes of each."""
    return [one.weight for one in found]


def roles(*names: str) -> list[Mapping[str, str]]:
    """An answer that names those roles."""
    return [{"roleDefinitionName": name} for name in names]


def plans(**tiers: str) -> Mapping[str, object]:
    """An answer with those plans, and Foundational CSPM on."""
    return {
        "value": [
            {"name": name, "pricingTier": tier} for name, tier in {"FoundationalCspm": "Standard", **tiers}.items()
        ]
    }


def test_where_all_is_there_nothing_is_said() -> None:
    """Who deploys reads what is wrong, and nothing else."""
    assert said() == []


@pytest.mark.parametrize(("variant", "more"), [("default", ()), ("private", (*WITH_SENTINEL, *WITH_NETWORK))])
def test_the_providers_are_those_of_what_is_deployed(variant: str, more: Sequence[str]) -> None:
    """Every type's; Authorization and Resources every subscription has, and Microsoft.App is only delegated to."""
    used = {one.kind.partition("/")[0].removeprefix("Microsoft.") for one in deployed(variant).resources}
    assert used - {"Authorization", "Resources"} == {*ALWAYS, *more} - {"App"}


def test_what_is_wanted_follows_the_choices() -> None:
    """Only what this deployment needs can stop it."""
    environment = {"AZURE_SUBSCRIPTION_ID": SUBSCRIPTION, "AZURE_LOCATION": "westeurope", "ROUTER_PRIVATE": "false"}
    assert wanted_by(environment) == WANTED
    chosen = wanted_by(
        {**environment, "ROUTER_PRIVATE": "T", "ROUTER_SENTINEL": "1", "ROUTER_EXPORT_SUBSCRIPTIONS": "B, a,,b"}
    )
    assert chosen is not None
    assert chosen.database == TRIAL
    assert chosen.providers[len(ALWAYS) :] == ("Microsoft.SecurityInsights", "Microsoft.App", "Microsoft.Network")
    assert chosen.exported == (SUBSCRIPTION, "b", "a")
    database = {"SIZE": "Standard_D2ds_v5", "VERSION": "17", "HIGH_AVAILABILITY": "SameZone"}
    numbers = {"MAXIMUM_INSTANCES": "100", "PARTITIONS": "8", "UPDATE_STRATEGY": "RollingUpdate"}
    chosen = wanted_by(
        environment
        | {f"ROUTER_DATABASE_{name}": value for name, value in database.items()}
        | {f"ROUTER_{name}": value for name, value in numbers.items()}
        | {"DATABASE_SERVER": "psql-test"}
    )
    assert chosen is not None
    assert chosen.database == Database("Standard_D2ds_v5", "17", "SameZone", 1236, is_there=True)
    for missing in ("AZURE_SUBSCRIPTION_ID", "AZURE_LOCATION"):
        assert wanted_by({**environment, missing: ""}) is None


@pytest.mark.parametrize(
    ("state", "weight"),
    [
        ("NotRegistered", Weight.STOPS),
        ("Unregistered", Weight.STOPS),
        ("Unregistering", Weight.STOPS),
        ("Registering", Weight.NOTE),
        ("Moved", Weight.UNKNOWN),
        (None, Weight.UNKNOWN),
    ],
)
def test_a_provider_stops_it_only_where_it_is_plainly_not_registered(state: object, weight: Weight) -> None:
    """Whatever the case of its name; and the command says which."""
    providers = AZURE["provider list"]
    assert isinstance(providers, list)
    answer = [{**one, "namespace": one["namespace"].lower()} for one in providers]
    answer[0]["registrationState"] = state
    (one,) = said(providers=answer)
    assert one.weight is weight
    assert f"az provider register --wait --namespace Microsoft.{ALWAYS[0]} --subscription {SUBSCRIPTION}" in one.line


@pytest.mark.parametrize(
    ("region", "weight"),
    [
        ({"name": "West Europe"}, []),
        ({"name": "x", "displayName": "West Europe"}, []),
        ({"name": "northeurope"}, [Weight.STOPS]),
        ({}, [Weight.UNKNOWN]),
    ],
)
def test_a_region_stops_it_only_where_it_is_plainly_not_among_them(region: object, weight: list[Weight]) -> None:
    """By its name or the one that people read."""
    assert weights(said(regions=[region])) == weight


@pytest.mark.parametrize(
    ("held", "lacking"),
    [
        (("Owner",), ()),
        (("owner", "Reader"), ()),
        (("Contributor", "Role Based Access Control Administrator", "Security Admin"), ()),
        (("Contributor", "User Access Administrator", "Security Admin"), ()),
        (("Contributor", "Security Admin"), ("Role Based Access Control Administrator",)),
        (("Contributor",), ("Role Based Access Control Administrator", "Security Admin")),
        (("Security Admin", "User Access Administrator"), ("Contributor",)),
        (("Ours",), ("Contributor", "Role Based Access Control Administrator", "Security Admin")),
    ],
)
def test_a_missing_role_is_said_and_stops_nothing(held: Sequence[str], lacking: Sequence[str]) -> None:
    """One line each, with the command; a role of one's own may do as much."""
    found = said(roles=roles(*held))
    assert weights(found) == [Weight.NOTE] * len(lacking)
    for one, role in zip(found, lacking, strict=True):
        assert f'--assignee {WHO} --role "{role}" --scope /subscriptions/{SUBSCRIPTION}' in one.line


def test_whoever_is_told_of_no_role_is_not_without_one() -> None:
    """az could not have asked."""
    assert weights(said(roles=[])) == [Weight.UNKNOWN]


@pytest.mark.parametrize("name", ["FoundationalCspm", "CloudPosture"])
def test_posture_is_on_by_either_plan(name: str) -> None:
    """The paid one has what the free one has."""
    assert said(plans=[{"name": name, "pricingTier": "Standard"}, {"name": "Arm", "pricingTier": "Standard"}]) == []


@pytest.mark.parametrize(
    "rows",
    [[], [{"name": "FoundationalCspm", "pricingTier": "Free"}], [{"name": "Discovery", "pricingTier": "Standard"}]],
)
def test_posture_is_never_said_to_be_off(rows: list[object]) -> None:
    """How the answer says so is not documented: it is unknown, with the command that turns it on."""
    (one,) = said(plans=[*rows, {"name": "Arm", "pricingTier": "Standard"}])
    assert one.weight is Weight.UNKNOWN
    assert one.line.endswith(
        f"az security pricing create --tier standard --subscription {SUBSCRIPTION} --name FoundationalCspm"
    )


@pytest.mark.parametrize("name", RUNTIME)
def test_one_runtime_plan_is_enough(name: str) -> None:
    """Also one that can no longer be turned on, and in the form of REST."""
    assert said(plans=plans(**{name.upper(): "Standard", "Other": "Free"})) == []
    inside = {"name": name, "properties": {"pricingTier": "Standard"}}
    assert said(plans=[{"name": "CloudPosture", "properties": {"pricingTier": "Standard"}}, inside]) == []


@pytest.mark.parametrize(
    ("tiers", "weight"),
    [
        ({"VirtualMachines": "Free", "Containers": "Free"}, Weight.NOTE),
        ({"VirtualMachines": "Free", "Discovery": "Standard", "CloudPosture": "Standard"}, Weight.NOTE),
        ({"VirtualMachines": "Free", "Tomorrow": "Standard"}, Weight.UNKNOWN),
        ({"VirtualMachines": "Basic"}, Weight.UNKNOWN),
        ({}, Weight.UNKNOWN),
    ],
)
def test_without_a_runtime_plan_it_is_said(tiers: Mapping[str, str], weight: Weight) -> None:
    """A plan that nobody knows, or neither on nor off, may be one."""
    (one,) = said(plans=plans(**tiers))
    assert one.weight is weight
    assert one.line.endswith("--name VirtualMachines")


@pytest.mark.parametrize("chosen", [one for one in DATABASES if one[1] == "Disabled" or "_B" not in one[0]])
def test_a_size_with_too_few_connections_stops_it(chosen: tuple[str, str, int, int, str]) -> None:
    """As main.bicep refuses it; that a size has no server that stands by, the region says."""
    size, _, instances, partitions, strategy = chosen
    found = said(replace(TRIAL, size=size, connections=connections_of(instances, partitions, strategy)))
    refused = [one for one in found if " connections for users" in one.line or " is none of " in one.line]
    assert weights(refused) == [Weight.STOPS] * (not DATABASES[chosen])
    assert all("; azd env set ROUTER_" in one.line for one in refused)


@pytest.mark.parametrize(
    ("sizes", "weight"),
    [
        ([{"reason": "Provisioning is restricted in this\n region."}], [Weight.STOPS]),
        (
            [
                {
                    "supportedServerEditions": [
                        {"supportedServerSkus": [{"name": "Standard_B2s", "status": "Disabled"}, D2]}
                    ]
                }
            ],
            [Weight.STOPS],
        ),
        ([{"supportedServerEditions": [{"supportedServerSkus": [D2]}]}], [Weight.STOPS]),
        ([{"supportedServerEditions": [{"supportedServerSkus": [{"name": "Standard_B2s"}]}]}], []),
        ([{"supportedServerEditions": []}], [Weight.UNKNOWN]),
        (None, [Weight.UNKNOWN]),
    ],
)
def test_a_size_stops_it_only_where_the_region_plainly_does_not_offer_it(sizes: object, weight: list[Weight]) -> None:
    """With Azure's own words, where it has any."""
    found = said(sizes=sizes)
    assert weights(found) == weight
    assert "restricted" not in str(sizes) or "Provisioning is restricted in this region." in found[0].line


@pytest.mark.parametrize(
    ("chosen", "variable"),
    [
        ({"size": "Standard_D2ds_v5", "standby": "SameZone"}, None),
        ({"size": "Standard_D2ds_v5", "standby": "ZoneRedundant"}, "ROUTER_DATABASE_HIGH_AVAILABILITY"),
        ({"standby": "SameZone"}, "ROUTER_DATABASE_HIGH_AVAILABILITY"),
        ({"version": "19"}, "ROUTER_DATABASE_VERSION"),
        ({"size": "Standard_B3s"}, "ROUTER_DATABASE_SIZE"),
    ],
)
def test_what_the_region_does_not_offer_of_a_size_stops_it(chosen: Mapping[str, Any], variable: str | None) -> None:
    """The variable is named, and what to set it to."""
    found = [one for one in said(replace(TRIAL, **chosen)) if one.weight is Weight.STOPS]
    assert {one.line.partition(":")[0] for one in found} == ({variable} if variable else set())
    assert all("azd env set " in one.line for one in found)


@pytest.mark.parametrize(
    ("used", "chosen", "lacking"),
    [
        ({"cores": 18, "standardBSFamily": 8}, {}, []),
        ({"cores": 19}, {}, ["cores"]),
        ({"standardBSFamily": 9}, {}, ["standardBSFamily"]),
        ({"cores": 99, "standardBSFamily": 99}, {}, ["cores", "standardBSFamily"]),
        ({"cores": 99, "standardBSFamily": 99}, {"is_there": True}, []),
        ({"standardDDSv5Family": 0}, {"size": "Standard_D2ds_v5", "standby": "SameZone"}, []),
        ({"standardDDSv5Family": 1}, {"size": "Standard_D2ds_v5", "standby": "SameZone"}, ["standardDDSv5Family"]),
        ({"standardDDSv5Family": 1}, {"size": "Standard_D2ds_v5"}, []),
    ],
)
def test_a_quota_that_is_used_up_stops_it(
    used: Mapping[str, int], chosen: Mapping[str, Any], lacking: list[str]
) -> None:
    """Twice the cores where a second server stands by, and none for a server that is there already."""
    limits = {"cores": 20, "standardBSFamily": 10, "standardDDSv5Family": 4}
    quotas = {
        "value": [
            {"name": {"value": name}, "limit": limit, "currentValue": used.get(name, 0)}
            for name, limit in limits.items()
        ]
    }
    found = said(replace(TRIAL, **chosen), quotas=quotas)
    assert weights(found) == [Weight.STOPS] * len(lacking)
    assert [name for one, name in zip(found, lacking, strict=True) if f" of {name} are left" not in one.line] == []


@given(
    answer=st.one_of(
        st.just(NOBODY),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(
                        [
                            "value",
                            "name",
                            "namespace",
                            "roleDefinitionName",
                            "properties",
                            "supportedServerEditions",
                            "limit",
                        ]
                    ),
                    inner,
                    max_size=3,
                )
            ),
            max_leaves=8,
        ),
    ),
    what=st.sampled_from(["providers", "regions", "roles", "plans", "sizes", "quotas"]),
)
def test_what_cannot_be_read_stops_nothing(answer: object, what: str) -> None:
    """Whatever az answers: a region is the one thing that may be plainly absent from a list that can be read."""
    answers: dict[str, Any] = {what: answer}
    found = said(**answers)
    assert found
    assert what == "regions" or Weight.STOPS not in weights(found)
    assert all("\n" not in one.line for one in found if isinstance(answer, NoAnswer))


def test_a_look_holds_for_a_moment_and_for_the_same() -> None:
    """Not for another choice, not after a while, and not by a clock that went back."""
    from infra.required import _digest

    now = datetime(2026, 11, 25, 12, tzinfo=UTC)
    stamp = f"{now.isoformat()} {_digest(WANTED)}"
    assert is_checked(stamp, WANTED, now)
    assert is_checked(stamp, WANTED, now + FRESH - timedelta(seconds=1))
    assert not is_checked(stamp, WANTED, now + FRESH)
    assert not is_checked(stamp, WANTED, now - timedelta(seconds=1))
    assert not is_checked(stamp, replace(WANTED, location="northeurope"), now)
    assert not is_checked(stamp, replace(WANTED, database=replace(TRIAL, size="Standard_D2ds_v5")), now)
    for broken in ("", "x", "2026-11-25T12:00:00 x", f"2026-11-25 {_digest(WANTED)}"):
        assert not is_checked(broken, WANTED, now)
