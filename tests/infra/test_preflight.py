"""What is chosen is read as it was meant or refused by name, and what must be there first is told by what az says of it."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from copy import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra import preflight
from infra.compiler import Compiler, find_compiler
from infra.preflight import ALWAYS, Database, Finding, Found, Wanted, Weight, connections_of, findings, wanted_by
from infra.programs import NoAnswer
from infra.required import FRESH, _digest, is_checked
from infra.variants import Variant
from router.app.settings import Settings
from router.domain.decisions import Outcome
from router.domain.errors import BadSetting
from tests.infra.azd import AZURE, QUOTAS, SUBSCRIPTION, WHO
from tests.infra.predicted import INFRA, deployed, stored_answer

WRONG = {
    "defenderPrincipalId": "000000000000000000000000000000000000",
    "secretNames": "PAGERDUTY_ROUTING_KEY,xoxb-what-nobody-may-see",
    "exportSubscriptions": "production",
    "alertSeverities": "High,Hihg",
    "existingWorkspaceId": "/subscriptions/00000000-0000-0000-0000-000000000009/resourceGroups/soc",
    "fileIntegrityWorkspaceId": "soc-logs",
    "operators": "ann",
    "senders": "00000000-0000-0000-0000-00000000000g",
    "emails": "soc@example.com,soc@",
    "pagerActionGroupId": "/subscriptions/00000000-0000-0000-0000-000000000009/resourceGroups/soc",
    "databaseSize": "Standard_B1ms",
    "databaseHighAvailability": "ZoneRedundant",
    "retention": "below_floor=never",
    "firstDeployed": "2026-11-24",
}

INSTANTS = {
    "": True,
    " none ": True,
    "2026-01-31T23:59:59Z": True,
    "2026-12-01T00:00:00Z": True,
    "2026-13-01T00:00:00Z": False,
    "2026-00-01T00:00:00Z": False,
    "2026-01-32T00:00:00Z": False,
    "2026-01-00T00:00:00Z": False,
    "2026-01-31T24:00:00Z": False,
    "2026-01-31T23:60:00Z": False,
    "2026-01-31T23:59:60Z": False,
    "2026-01-31T23:59:59+01:00": False,
    "2026-01-31 23:59:59Z": False,
    "yesterday": False,
}
"""Texts, and whether each may be an instant."""

NAMES = {
    "none": True,
    "PAGERDUTY_ROUTING_KEY": True,
    " ": False,
    ",": False,
    "none,PAGERDUTY_ROUTING_KEY": False,
    "pagerduty_routing_key": False,
}
"""Texts, and whether each may be the names of secrets."""

RETENTIONS = {
    "": True,
    " , ": True,
    "below_floor=1, routed = 9999": True,
    ",".join(f"{outcome}=30" for outcome in Outcome): True,
    "30": False,
    "Routed=30": False,
    "routed": False,
    "routed=": False,
    "routed=0": False,
    "routed=030": False,
    "routed=10000": False,
    "routed=90d": False,
    "routed=30=30": False,
    "routed=30,routed=60": False,
}
"""Texts, and whether each may be the days of outcomes."""


DATABASES = {
    # 6 x 40 + 2 x 4 + 2 = 250, and 75 % of 414 are 310.
    ("Standard_B2s", "Disabled", 40, 4, "Recreate"): True,
    ("Standard_B2s", "Disabled", 50, 4, "Recreate"): True,
    ("Standard_B2s", "Disabled", 50, 5, "Recreate"): False,
    ("Standard_B2s", "Disabled", 51, 1, "Recreate"): True,
    ("Standard_B2s", "Disabled", 51, 2, "Recreate"): False,
    ("Standard_B2s", "Disabled", 40, 4, "RollingUpdate"): False,
    ("Standard_B1ms", "Disabled", 40, 1, "Recreate"): False,
    ("Standard_D2ds_v5", "ZoneRedundant", 40, 4, "RollingUpdate"): True,
    ("Standard_D2ds_v5", "SameZone", 100, 15, "Recreate"): True,
    ("Standard_D2ds_v5", "SameZone", 100, 16, "Recreate"): False,
    ("Standard_B2s", "SameZone", 40, 4, "Recreate"): False,
    ("Standard_B2s", "ZoneRedundant", 40, 4, "Recreate"): False,
    ("standard_b2s", "Disabled", 40, 4, "Recreate"): False,
    ("", "Disabled", 40, 4, "Recreate"): False,
}
"""Sizes, what stands by, maximum of instances, partitions and strategies, and whether the deployment is let pass."""


type Wrong = dict[str, dict[Any, list[str]]]
"""What is said of each value of a kind."""


@pytest.fixture(scope="module")
def compiler() -> Compiler:
    """Microsoft's, which refuses what Azure would."""
    found = find_compiler()
    if found is None:
        pytest.skip("no Bicep compiler here")
    return found


@pytest.mark.tools
def test_whatever_is_wrong_is_named_before_anything_is_made(compiler: Compiler, tmp_path: Path) -> None:
    """One refusal names every parameter that is wrong, and repeats nothing of what may be a secret."""
    given = {"environmentName": "test", "location": "westeurope", **WRONG}
    lines = [
        f"using '{os.path.relpath(INFRA / 'main.bicep', tmp_path)}'",
        *(f"param {k} = '{v}'" for k, v in given.items()),
    ]
    path = tmp_path / "chosen.bicepparam"
    path.write_text("\n".join(lines) + "\n")

    def asked() -> object:
        answer = compiler.snapshot(Variant(path))
        return answer.done, " ".join(one.said for one in answer.diagnostics)

    done, said = stored_answer(INFRA, compiler, repr(WRONG), asked)
    assert not done
    assert [name for name in WRONG if f"{name}: " not in said] == []
    assert "hihg" in said.lower()
    assert "xoxb" not in said


@pytest.fixture(scope="module")
def wrong(compiler: Compiler, tmp_path_factory: pytest.TempPathFactory) -> Wrong:
    """What is said of each text: of instants, of names, and of days. The compiler is slow to start, and is asked once."""
    at = tmp_path_factory.mktemp("wrong")
    choices = os.path.relpath(INFRA / "choices.bicep", at)
    (at / "wrong.bicep").write_text(
        "targetScope = 'subscription'\n"
        f"import {{ connectionsOf, wrongDatabase, wrongInstant, wrongNames, wrongRetention }} from '{choices}'\n"
        "param instants string[]\nparam names string[]\nparam days string[]\nparam databases array\n"
        "output instants string[][] = map(instants, text => wrongInstant('firstDeployed', text))\n"
        "output names string[][] = map(names, text => wrongNames('secretNames', text))\n"
        "output days string[][] = map(days, text => wrongRetention('retention', text))\n"
        "output databases string[][] = "
        "map(databases, one => wrongDatabase(one[0], one[1], connectionsOf(one[2], one[3], one[4])))\n"
    )
    texts = {"instants": [*INSTANTS], "names": [*NAMES], "days": [*RETENTIONS]}
    path = at / "wrong.bicepparam"
    lines = [f"param {name} = {_array(of)}" for name, of in texts.items()]
    lines += [f"param databases = [{', '.join(_array(one) for one in DATABASES)}]"]
    path.write_text("\n".join(["using 'wrong.bicep'", *lines, ""]))

    def asked() -> object:
        variant = Variant(path)
        assert compiler.snapshot(variant).done
        return json.loads(variant.snapshot.read_text())["outputs"]

    outputs = stored_answer(
        INFRA, compiler, path.read_text() + path.with_suffix(".bicep").read_text().replace(choices, ""), asked
    )
    return {name: dict(zip(of, outputs[name], strict=True)) for name, of in {**texts, "databases": DATABASES}.items()}


def _array(values: Iterable[str | int]) -> str:
    return f"[{', '.join(f"'{value}'" if isinstance(value, str) else str(value) for value in values)}]"


KINDS: Mapping[str, tuple[str, Mapping[Any, bool]]] = {
    "names": ("secretNames: ", NAMES),
    "instants": ("firstDeployed: ", INSTANTS),
    "days": ("retention: ", RETENTIONS),
    "databases": ("database", DATABASES),
}
"""How the refusal of each kind begins, and which of its values are let pass."""


@pytest.mark.tools
def test_only_what_is_wrong_is_refused_and_by_its_name(wrong: Wrong, subtests: pytest.Subtests) -> None:
    """An empty list would take every reference to the vault away from the app: only `none` says that there are none. What is no
    instant in UTC would be quiet for nobody. A database has connections for every instance of every function."""
    for kind, (refusal, values) in KINDS.items():
        with subtests.test(kind):
            assert {value: not said for value, said in wrong[kind].items()} == values
            assert all(line.startswith(refusal) for said in wrong[kind].values() for line in said)


def test_days_are_what_the_app_reads(subtests: pytest.Subtests) -> None:
    """What the app would refuse at its start is refused before it is deployed, and nothing else."""
    for text, is_right in RETENTIONS.items():
        refused = nullcontext() if is_right else pytest.raises(BadSetting, match=r"^ALERT_ROUTER_RETENTION: ")
        with subtests.test(text), refused:
            assert Settings({"ALERT_ROUTER_RETENTION": text}).retention


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


def test_where_all_is_there_nothing_is_said() -> None:
    """Who deploys reads what is wrong, and nothing else."""
    assert said() == []


def test_the_providers_are_those_of_what_is_deployed() -> None:
    """Every type's; Authorization and Resources every subscription has, and Microsoft.App is only delegated to."""
    several: dict[str, Sequence[str]] = {"default": (), "private": (*preflight.WITH_SENTINEL, *preflight.WITH_NETWORK)}
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


STOPS, NOTE, UNKNOWN = Weight.STOPS, Weight.NOTE, Weight.UNKNOWN
GIVER = "Role Based Access Control Administrator"
LARGE = {"size": "Standard_D2ds_v5", "standby": "SameZone"}
REGISTER = f"az provider register --wait --namespace Microsoft.{ALWAYS[0]} --subscription {SUBSCRIPTION}"
TURN_ON = f"az security pricing create --tier standard --subscription {SUBSCRIPTION} --name"

type Said = list[tuple[Weight, str]]
"""The weight of each finding, and what stands in its line."""


def of_provider(state: object) -> Sequence[Mapping[str, object]]:
    """Providers in other letters, of which the first is in that state."""
    lower = [{"namespace": f"microsoft.{one.lower()}", "registrationState": "Registered"} for one in ALWAYS]
    return [{**lower[0], "registrationState": state}, *lower[1:]]


def roles(*names: str) -> list[Mapping[str, str]]:
    """An answer that names those roles."""
    return [{"roleDefinitionName": name} for name in names]


def lacks(*names: str) -> Said:
    """The command for each role."""
    return [(NOTE, f'--assignee {WHO} --role "{name}" --scope /subscriptions/{SUBSCRIPTION}') for name in names]


def plans(**tiers: str) -> Mapping[str, object]:
    """An answer with those plans."""
    return {"value": [{"name": name, "pricingTier": tier} for name, tier in tiers.items()]}


def sizes(*found: dict[str, str]) -> list[object]:
    """An answer with those sizes."""
    return [{"supportedServerEditions": [{"supportedServerSkus": [*found]}]}]


def quotas(**used: int) -> Mapping[str, object]:
    """An answer with what is used of each quota."""
    limits = {"cores": 20, "standardBSFamily": 10, "standardDDSv5Family": 4}
    return {"value": [{"name": {"value": k}, "limit": v, "currentValue": used.get(k, 0)} for k, v in limits.items()]}


ON, OFF = "Standard", "Free"
ANSWERS: Sequence[tuple[str, object, Mapping[str, Any], Said]] = [
    # A provider stops it only where it is plainly not registered, whatever the case of its name.
    *(
        ("providers", of_provider(state), {}, [(STOPS, REGISTER)])
        for state in ("NotRegistered", "Unregistered", "Unregistering")
    ),
    ("providers", of_provider("Registering"), {}, [(NOTE, REGISTER)]),
    *(("providers", of_provider(state), {}, [(UNKNOWN, REGISTER)]) for state in ("Moved", None)),
    # A region only where it is plainly not among them, by its name or the one that people read.
    ("regions", [{"name": "West Europe"}], {}, []),
    ("regions", [{"name": "x", "displayName": "West Europe"}], {}, []),
    ("regions", [{"name": "northeurope"}], {}, [(STOPS, "")]),
    ("regions", [{}], {}, [(UNKNOWN, "")]),
    # A missing role is said and stops nothing: one of one's own may do as much. Whoever is told of no role is not without one.
    ("roles", roles("Owner"), {}, []),
    ("roles", roles("owner", "Reader"), {}, []),
    ("roles", roles("Contributor", GIVER, "Security Admin"), {}, []),
    ("roles", roles("Contributor", "User Access Administrator", "Security Admin"), {}, []),
    ("roles", roles("Contributor", "Security Admin"), {}, lacks(GIVER)),
    ("roles", roles("Contributor"), {}, lacks(GIVER, "Security Admin")),
    ("roles", roles("Security Admin", "User Access Administrator"), {}, lacks("Contributor")),
    ("roles", roles("Ours"), {}, lacks("Contributor", GIVER, "Security Admin")),
    ("roles", [], {}, [(UNKNOWN, "")]),
    # One runtime plan is enough, also one that can no longer be turned on, and in the form of REST; so is one of posture.
    *(("plans", plans(FoundationalCspm=ON, Other=OFF, **{name.upper(): ON}), {}, []) for name in preflight.RUNTIME),
    *(
        ("plans", [{"name": one, "properties": {"pricingTier": ON}} for one in ("CloudPosture", name)], {}, [])
        for name in preflight.RUNTIME
    ),
    # Posture is never said to be off: how the answer says so is not documented.
    ("plans", plans(Arm=ON), {}, [(UNKNOWN, f"{TURN_ON} FoundationalCspm")]),
    ("plans", plans(Arm=ON, FoundationalCspm=OFF), {}, [(UNKNOWN, f"{TURN_ON} FoundationalCspm")]),
    ("plans", plans(Arm=ON, Discovery=ON), {}, [(UNKNOWN, f"{TURN_ON} FoundationalCspm")]),
    # A plan of another name, or neither on nor off, may raise alerts.
    (
        "plans",
        plans(FoundationalCspm=ON, VirtualMachines=OFF, Containers=OFF),
        {},
        [(NOTE, f"{TURN_ON} VirtualMachines")],
    ),
    ("plans", plans(CloudPosture=ON, VirtualMachines=OFF, Discovery=ON), {}, [(NOTE, f"{TURN_ON} VirtualMachines")]),
    (
        "plans",
        plans(FoundationalCspm=ON, VirtualMachines=OFF, Tomorrow=ON),
        {},
        [(UNKNOWN, f"{TURN_ON} VirtualMachines")],
    ),
    ("plans", plans(FoundationalCspm=ON, VirtualMachines="Basic"), {}, [(UNKNOWN, f"{TURN_ON} VirtualMachines")]),
    ("plans", plans(FoundationalCspm=ON), {}, [(UNKNOWN, f"{TURN_ON} VirtualMachines")]),
    # A size only where the region plainly does not offer it, with Azure's own words, where it has any.
    (
        "sizes",
        [{"reason": "Provisioning is restricted in this\n region."}],
        {},
        [(STOPS, "is restricted in this region.")],
    ),
    ("sizes", sizes({"name": "Standard_B2s", "status": "Disabled"}, D2), {}, [(STOPS, "")]),
    ("sizes", sizes(D2), {}, [(STOPS, "")]),
    ("sizes", sizes({"name": "Standard_B2s"}), {}, []),
    ("sizes", [{"supportedServerEditions": []}], {}, [(UNKNOWN, "")]),
    ("sizes", None, {}, [(UNKNOWN, "")]),
    # Quotas: twice the cores where a second server stands by, and none for a server that is there already.
    ("quotas", quotas(cores=18, standardBSFamily=8), {}, []),
    ("quotas", quotas(cores=19), {}, [(STOPS, " of cores are left")]),
    ("quotas", quotas(standardBSFamily=9), {}, [(STOPS, " of standardBSFamily are left")]),
    (
        "quotas",
        quotas(cores=99, standardBSFamily=99),
        {},
        [(STOPS, " of cores are left"), (STOPS, " of standardBSFamily are left")],
    ),
    ("quotas", quotas(cores=99, standardBSFamily=99), {"is_there": True}, []),
    ("quotas", quotas(), LARGE, []),
    ("quotas", quotas(standardDDSv5Family=1), LARGE, [(STOPS, " of standardDDSv5Family are left")]),
    ("quotas", quotas(standardDDSv5Family=1), {"size": "Standard_D2ds_v5"}, []),
]
"""What az was asked for, its answer, how another database is chosen, and what is said then."""


def test_what_azure_would_refuse_is_said_with_the_command_that_mends_it(subtests: pytest.Subtests) -> None:
    """It stops what would plainly fail, and nothing else; each finding is one line."""
    for what, answer, chosen, expected in ANSWERS:
        with subtests.test(what, answer=answer, **chosen):
            answers: dict[str, Any] = {what: answer}
            found = said(replace(TRIAL, **chosen), **answers)
            assert [one.weight for one in found] == [weight for weight, _ in expected]
            assert all(part in one.line for one, (_, part) in zip(found, expected, strict=True))


def test_a_size_with_too_few_connections_stops_it(subtests: pytest.Subtests) -> None:
    """As main.bicep refuses it; that a size has no server that stands by, the region says."""
    for (size, standby, instances, partitions, strategy), is_let_pass in DATABASES.items():
        if standby == "Disabled" or "_B" not in size:
            with subtests.test(size, instances=instances, partitions=partitions, strategy=strategy):
                connections = connections_of(instances, partitions, strategy)
                found = said(replace(TRIAL, size=size, connections=connections))
                refused = [one for one in found if " connections for users" in one.line or " is none of " in one.line]
                assert [one.weight for one in refused] == [STOPS] * (not is_let_pass)
                assert all("; azd env set ROUTER_" in one.line for one in refused)


def test_what_the_region_does_not_offer_of_a_size_stops_it(subtests: pytest.Subtests) -> None:
    """The variable is named, and what to set it to."""
    for chosen, variables in (
        (LARGE, set()),
        ({"size": "Standard_D2ds_v5", "standby": "ZoneRedundant"}, {"ROUTER_DATABASE_HIGH_AVAILABILITY"}),
        ({"standby": "SameZone"}, {"ROUTER_DATABASE_HIGH_AVAILABILITY"}),
        ({"version": "19"}, {"ROUTER_DATABASE_VERSION"}),
        ({"size": "Standard_B3s"}, {"ROUTER_DATABASE_SIZE"}),
    ):
        with subtests.test(str(chosen)):
            database: Any = chosen
            found = [one for one in said(replace(TRIAL, **database)) if one.weight is STOPS]
            assert {one.line.partition(":")[0] for one in found} == variables
            assert all("azd env set " in one.line for one in found)


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
    assert what == "regions" or STOPS not in {one.weight for one in found}
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
