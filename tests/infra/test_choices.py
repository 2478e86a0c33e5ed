"""What people choose is read as they meant it, or refused by the name of the parameter before anything is made."""

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from infra.compiler import Compiler, find_compiler
from infra.variants import Variant
from router.app.settings import Settings
from router.domain.decisions import Outcome
from router.domain.errors import BadSetting
from tests.infra.predicted import INFRA, stored_answer

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
