"""What people choose is read as they meant it, or refused by the name of the parameter before anything is made."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from infra.compiler import Answer, Compiler, find_compiler
from infra.variants import SUBSCRIPTION, Variant
from router.app.settings import Settings
from router.domain.decisions import Outcome
from router.domain.errors import BadSetting
from tests.infra.predicted import Deployment
from tests.infra.test_app_settings import settings_of
from tests.infra.test_export import exports
from tests.infra.variants import INFRA, OPERATORS, TEMPLATE, deployed

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


def predict(compiler: Compiler, at: Path, **chosen: str) -> Answer:
    """What the compiler says of a deployment with some parameters."""
    given = {"environmentName": "test", "location": "westeurope", **chosen}
    lines = [f"using '{os.path.relpath(INFRA / 'main.bicep', at)}'", *(f"param {k} = '{v}'" for k, v in given.items())]
    path = at / "chosen.bicepparam"
    path.write_text("\n".join(lines) + "\n")
    return compiler.snapshot(Variant(path))


@pytest.mark.tools
def test_whatever_is_wrong_is_named_before_anything_is_made(compiler: Compiler, tmp_path: Path) -> None:
    """One refusal names every parameter that is wrong, and repeats nothing of what may be a secret."""
    answer = predict(compiler, tmp_path, **WRONG)
    said = " ".join(one.said for one in answer.diagnostics)
    assert not answer.done
    assert [name for name in WRONG if f"{name}: " not in said] == []
    assert "Hihg".lower() in said.lower()
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
    variant = Variant(path)
    assert compiler.snapshot(variant).done
    outputs = json.loads(variant.snapshot.read_text())["outputs"]
    return {name: dict(zip(of, outputs[name], strict=True)) for name, of in {**texts, "databases": DATABASES}.items()}


def _array(values: Iterable[str | int]) -> str:
    return f"[{', '.join(f"'{value}'" if isinstance(value, str) else str(value) for value in values)}]"


@pytest.mark.tools
def test_names_that_are_missing_or_no_names_empty_nothing(wrong: Wrong) -> None:
    """An empty list would take every reference to the vault away from the app: only `none` says that there are none."""
    assert {text: not said for text, said in wrong["names"].items()} == NAMES
    assert all(line.startswith("secretNames: ") for said in wrong["names"].values() for line in said)


@pytest.mark.tools
def test_an_instant_is_one_in_utc(wrong: Wrong) -> None:
    """What is none would be taken for no instant by the queries, and be quiet for nobody."""
    assert {text: not said for text, said in wrong["instants"].items()} == INSTANTS
    assert all(line.startswith("firstDeployed: ") for said in wrong["instants"].values() for line in said)


@pytest.mark.tools
def test_days_are_what_the_app_reads(wrong: Wrong) -> None:
    """What the app would refuse at its start is refused before it is deployed, and nothing else."""
    assert {text: not said for text, said in wrong["days"].items()} == RETENTIONS
    assert all(line.startswith("retention: ") for said in wrong["days"].values() for line in said)
    for text, is_right in RETENTIONS.items():
        with nullcontext() if is_right else pytest.raises(BadSetting, match=r"^ALERT_ROUTER_RETENTION: "):
            assert Settings({"ALERT_ROUTER_RETENTION": text}).retention


@pytest.mark.tools
def test_a_database_that_has_too_few_connections_is_refused(wrong: Wrong) -> None:
    """Three quarters of those for users must be enough for every instance of every function, twice where versions overlap."""
    assert {one: not said for one, said in wrong["databases"].items()} == DATABASES
    assert all(line.startswith("database") for said in wrong["databases"].values() for line in said)


def test_the_size_of_the_database_and_what_stands_by_are_the_user_s() -> None:
    """A trial where nobody chose; production with a server that stands by in another zone."""
    kind = "Microsoft.DBforPostgreSQL/flexibleServers"
    usual, chosen = (deployed(variant).one(kind) for variant in ("default", "private"))
    assert usual.body["sku"] == {"name": "Standard_B2s", "tier": "Burstable"}
    assert usual.properties["highAvailability"] == {"mode": "Disabled"}
    assert (usual.properties["version"], usual.properties["storage"]["storageSizeGB"]) == ("18", 32)
    assert usual.properties["backup"]["backupRetentionDays"] == 7
    assert chosen.body["sku"] == {"name": "Standard_D2ds_v5", "tier": "GeneralPurpose"}
    assert chosen.properties["highAvailability"] == {"mode": "ZoneRedundant"}
    assert (chosen.properties["version"], chosen.properties["storage"]["storageSizeGB"]) == ("17", 128)
    assert chosen.properties["backup"]["backupRetentionDays"] == 35


def test_how_long_decisions_stay_is_the_user_s() -> None:
    """The app's own choice where nobody chose."""
    assert "ALERT_ROUTER_RETENTION" not in settings_of(deployed("default"))
    assert settings_of(deployed("several-subscriptions"))["ALERT_ROUTER_RETENTION"] == "routed = 365, below_floor=30"


def test_how_many_instances_and_how_a_version_takes_over_are_the_user_s() -> None:
    """The lowest that Flex Consumption knows, and what is no preview, where nobody chose; Azure's types know no strategy."""
    usual, chosen = (
        deployed(variant).one("Microsoft.Web/sites").properties["functionAppConfig"]
        for variant in ("default", "several-subscriptions")
    )
    assert usual["scaleAndConcurrency"]["maximumInstanceCount"] == 40
    assert "siteUpdateStrategy" not in usual
    assert chosen["scaleAndConcurrency"]["maximumInstanceCount"] == 100
    assert chosen["siteUpdateStrategy"] == {"type": "RollingUpdate"}
    assert "ALERT_ROUTER_AT_A_TIME" not in settings_of(deployed("default"))
    assert settings_of(deployed("several-subscriptions"))["ALERT_ROUTER_AT_A_TIME"] == "2"
    given = TEMPLATE["parameters"]
    assert (given["maximumInstances"]["minValue"], given["maximumInstances"]["maxValue"]) == (40, 1000)
    assert given["updateStrategy"]["allowedValues"] == ["Recreate", "RollingUpdate"]


def test_the_secrets_names_have_no_default() -> None:
    """What a build once read of somebody's rules is never what another's app gets."""
    assert "defaultValue" not in TEMPLATE["parameters"]["secretNames"]
    assert TEMPLATE["parameters"]["secretNames"]["minLength"] == 1


def test_rules_without_secrets_make_an_app_without_references() -> None:
    """Said with the word none."""
    settings = settings_of(deployed("several-subscriptions"))
    assert not [name for name, value in settings.items() if "KeyVault" in value]


def test_severities_are_what_defender_calls_them_however_they_are_written() -> None:
    """The variant says ' high , MEDIUM,,high'."""
    (source,) = exports(deployed("several-subscriptions"))["cwpp"]["sources"]
    assert [rule["expectedValue"] for one in source["ruleSets"] for rule in one["rules"]] == ["High", "Medium"]


def test_people_who_are_named_twice_get_their_roles_once() -> None:
    """The variant repeats one of them in capitals, with blanks."""
    assigned = [
        one.properties["principalId"]
        for one in deployed("private").of("Microsoft.Authorization/roleAssignments")
        if one.properties["principalId"] in OPERATORS
    ]
    assert sorted(assigned) == sorted(OPERATORS)


def test_the_deployment_s_own_subscription_may_be_named() -> None:
    """It is exported anyhow, and once."""
    several = deployed("several-subscriptions")
    groups = [one.id.split("/")[2] for one in several.of("Microsoft.Resources/resourceGroups")]
    assert groups.count(SUBSCRIPTION) == 1
    assert sorted(set(groups)) == sorted(groups)


def units(azure: Deployment) -> tuple[int, int]:
    """What a deployment sets, and how far a burst may raise it."""
    namespace = azure.one("Microsoft.EventHub/namespaces")
    return namespace.body["sku"]["capacity"], namespace.properties["maximumThroughputUnits"]


def test_throughput_units_are_the_user_s() -> None:
    """A hub that needs six is not set back to one by each deployment, and its maximum is never below that."""
    assert units(deployed("default")) == (1, 4)
    assert units(deployed("several-subscriptions")) == (6, 6)
