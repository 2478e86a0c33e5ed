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
from infra.required import FRESH, _digest, is_checked
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


def test_where_all_is_there_nothing_is_said() -> None:
    """Who deploys reads what is wrong, and nothing else."""
    assert said() == []


def test_the_providers_are_those_of_what_is_deployed() -> None:
    """Every type's; Authorization and Resources every subscription has, and Microsoft.App is only delegated to."""
    several: dict[str, Sequence[str]] = {"default": (), "private": (*WITH_SENTINEL, *WITH_NETWORK)}
    for variant, more in several.items():
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


def test_a_provider_stops_it_only_where_it_is_plainly_not_registered(subtests: pytest.Subtests) -> None:
    """Whatever the case of its name; and the command says which."""
    providers = AZURE["provider list"]
    assert isinstance(providers, list)
    cases: dict[object, Weight] = dict.fromkeys(("NotRegistered", "Unregistered", "Unregistering"), Weight.STOPS)
    cases |= {"Registering": Weight.NOTE, "Moved": Weight.UNKNOWN, None: Weight.UNKNOWN}
    for state, weight in cases.items():
        with subtests.test(str(state)):
            answer = [{**one, "namespace": one["namespace"].lower()} for one in providers]
            answer[0]["registrationState"] = state
            (one,) = said(providers=answer)
            assert one.weight is weight
            mend = f"az provider register --wait --namespace Microsoft.{ALWAYS[0]} --subscription {SUBSCRIPTION}"
            assert mend in one.line


def test_a_missing_role_is_said_and_stops_nothing(subtests: pytest.Subtests) -> None:
    """One line each, with the command; a role of one's own may do as much. Whoever is told of no role is not without one."""
    giver = "Role Based Access Control Administrator"
    cases: dict[tuple[str, ...], tuple[str, ...]] = {
        ("Owner",): (),
        ("owner", "Reader"): (),
        ("Contributor", giver, "Security Admin"): (),
        ("Contributor", "User Access Administrator", "Security Admin"): (),
        ("Contributor", "Security Admin"): (giver,),
        ("Contributor",): (giver, "Security Admin"),
        ("Security Admin", "User Access Administrator"): ("Contributor",),
        ("Ours",): ("Contributor", giver, "Security Admin"),
    }
    for held, lacking in cases.items():
        with subtests.test(", ".join(held)):
            found = said(roles=[{"roleDefinitionName": name} for name in held])
            assert weights(found) == [Weight.NOTE] * len(lacking)
            for one, role in zip(found, lacking, strict=True):
                assert f'--assignee {WHO} --role "{role}" --scope /subscriptions/{SUBSCRIPTION}' in one.line
    assert weights(said(roles=[])) == [Weight.UNKNOWN]


def test_one_plan_that_raises_alerts_and_one_of_posture_are_enough(subtests: pytest.Subtests) -> None:
    """Also a runtime plan that can no longer be turned on, and in the form of REST; paid posture has what the free plan has."""
    for name in RUNTIME:
        with subtests.test(name):
            free = [plan("FoundationalCspm"), plan("Other", "Free")]
            assert said(plans={"value": [*free, plan(name.upper())]}) == []
            inside = [{"name": one, "properties": {"pricingTier": "Standard"}} for one in ("CloudPosture", name)]
            assert said(plans=inside) == []


def plan(name: str, tier: str = "Standard") -> Mapping[str, object]:
    """A plan of Defender's in an answer."""
    return {"name": name, "pricingTier": tier}


def test_a_plan_that_is_not_seen_is_said(subtests: pytest.Subtests) -> None:
    """With the command that turns it on. How the answer says that posture is off is not documented: it is unknown. A plan of
    another name, or neither on nor off, may be a runtime plan."""
    machines, posture = "VirtualMachines", "FoundationalCspm"
    off = plan(machines, "Free")
    cases: list[tuple[list[Mapping[str, object]], Weight, str]] = [
        ([plan("Arm")], Weight.UNKNOWN, posture),
        ([plan("Arm"), plan(posture, "Free")], Weight.UNKNOWN, posture),
        ([plan("Arm"), plan("Discovery")], Weight.UNKNOWN, posture),
        ([plan(posture), off, plan("Containers", "Free")], Weight.NOTE, machines),
        ([plan("CloudPosture"), off, plan("Discovery")], Weight.NOTE, machines),
        ([plan(posture), off, plan("Tomorrow")], Weight.UNKNOWN, machines),
        ([plan(posture), plan(machines, "Basic")], Weight.UNKNOWN, machines),
        ([plan(posture)], Weight.UNKNOWN, machines),
    ]
    for plans, weight, lacking in cases:
        with subtests.test(str(plans)):
            (one,) = said(plans=plans)
            assert one.weight is weight
            command = f"az security pricing create --tier standard --subscription {SUBSCRIPTION} --name {lacking}"
            assert one.line.endswith(command)


def test_a_size_with_too_few_connections_stops_it(subtests: pytest.Subtests) -> None:
    """As main.bicep refuses it; that a size has no server that stands by, the region says."""
    for (size, standby, instances, partitions, strategy), is_let_pass in DATABASES.items():
        if standby == "Disabled" or "_B" not in size:
            with subtests.test(size, instances=instances, partitions=partitions, strategy=strategy):
                connections = connections_of(instances, partitions, strategy)
                found = said(replace(TRIAL, size=size, connections=connections))
                refused = [one for one in found if " connections for users" in one.line or " is none of " in one.line]
                assert weights(refused) == [Weight.STOPS] * (not is_let_pass)
                assert all("; azd env set ROUTER_" in one.line for one in refused)


def test_what_a_region_does_not_offer_stops_it_only_where_that_is_plain(subtests: pytest.Subtests) -> None:
    """By the name of the region or the one that people read; a size with Azure's own words, where it has any."""

    def offering(*sizes: dict[str, str]) -> list[object]:
        return [{"supportedServerEditions": [{"supportedServerSkus": [*sizes]}]}]

    cases: list[tuple[str, object, list[Weight]]] = [
        ("regions", [{"name": "West Europe"}], []),
        ("regions", [{"name": "x", "displayName": "West Europe"}], []),
        ("regions", [{"name": "northeurope"}], [Weight.STOPS]),
        ("regions", [{}], [Weight.UNKNOWN]),
        ("sizes", [{"reason": "Provisioning is restricted in this\n region."}], [Weight.STOPS]),
        ("sizes", offering({"name": "Standard_B2s", "status": "Disabled"}, D2), [Weight.STOPS]),
        ("sizes", offering(D2), [Weight.STOPS]),
        ("sizes", offering({"name": "Standard_B2s"}), []),
        ("sizes", [{"supportedServerEditions": []}], [Weight.UNKNOWN]),
        ("sizes", None, [Weight.UNKNOWN]),
    ]
    for what, answer, weight in cases:
        with subtests.test(what, answer=answer):
            answers: dict[str, Any] = {what: answer}
            found = said(**answers)
            assert weights(found) == weight
            assert "restricted" not in str(answer) or "Provisioning is restricted in this region." in found[0].line


def test_what_the_region_does_not_offer_of_a_size_stops_it(subtests: pytest.Subtests) -> None:
    """The variable is named, and what to set it to."""
    cases: list[tuple[dict[str, Any], set[str]]] = [
        ({"size": "Standard_D2ds_v5", "standby": "SameZone"}, set()),
        ({"size": "Standard_D2ds_v5", "standby": "ZoneRedundant"}, {"ROUTER_DATABASE_HIGH_AVAILABILITY"}),
        ({"standby": "SameZone"}, {"ROUTER_DATABASE_HIGH_AVAILABILITY"}),
        ({"version": "19"}, {"ROUTER_DATABASE_VERSION"}),
        ({"size": "Standard_B3s"}, {"ROUTER_DATABASE_SIZE"}),
    ]
    for chosen, variables in cases:
        with subtests.test(str(chosen)):
            found = [one for one in said(replace(TRIAL, **chosen)) if one.weight is Weight.STOPS]
            assert {one.line.partition(":")[0] for one in found} == variables
            assert all("azd env set " in one.line for one in found)


def test_a_quota_that_is_used_up_stops_it(subtests: pytest.Subtests) -> None:
    """Twice the cores where a second server stands by, and none for a server that is there already."""
    limits = {"cores": 20, "standardBSFamily": 10, "standardDDSv5Family": 4}
    large = {"size": "Standard_D2ds_v5", "standby": "SameZone"}
    cases: list[tuple[dict[str, int], dict[str, Any], list[str]]] = [
        ({"cores": 18, "standardBSFamily": 8}, {}, []),
        ({"cores": 19}, {}, ["cores"]),
        ({"standardBSFamily": 9}, {}, ["standardBSFamily"]),
        ({"cores": 99, "standardBSFamily": 99}, {}, ["cores", "standardBSFamily"]),
        ({"cores": 99, "standardBSFamily": 99}, {"is_there": True}, []),
        ({"standardDDSv5Family": 0}, large, []),
        ({"standardDDSv5Family": 1}, large, ["standardDDSv5Family"]),
        ({"standardDDSv5Family": 1}, {"size": "Standard_D2ds_v5"}, []),
    ]
    for used, chosen, lacking in cases:
        with subtests.test(str(used), **chosen):
            quotas = [
                {"name": {"value": name}, "limit": most, "currentValue": used.get(name, 0)}
                for name, most in limits.items()
            ]
            found = said(replace(TRIAL, **chosen), quotas={"value": quotas})
            assert weights(found) == [Weight.STOPS] * len(lacking)
            assert all(f" of {name} are left" in one.line for one, name in zip(found, lacking, strict=True))


KEYS = ("value", "name", "namespace", "roleDefinitionName", "properties", "supportedServerEditions", "limit")
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=8,
)


@given(
    answer=st.just(NOBODY) | ANYTHING,
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
