"""What a compiler would say of infra/, as far as it can be said without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.infra.bicep import read
from tests.infra.deployment import BicepFault, deploy
from tests.infra.variants import GIVEN, INFRA, VARIANTS, deployed

FILES = sorted(INFRA.glob("*.bicep"))
BY_THEMSELVES = {"main.bicep", "export-policy.bicep"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_name_stands_for_something_and_is_used(path: Path) -> None:
    """A name that nothing declares does not compile, and a parameter that nobody reads changes nothing."""
    file = read(path)
    assert file.undeclared() == set()
    assert file.unused() == set()


def test_every_file_is_deployed() -> None:
    """Each is a module of main.bicep, or deployed by itself and says how."""
    modules = {one.reference for path in FILES for one in read(path).of("module").values()}
    assert modules | BY_THEMSELVES == {path.name for path in FILES}
    assert "az deployment mg create" in (INFRA / "export-policy.bicep").read_text()


@pytest.mark.parametrize("chosen", VARIANTS.values(), ids=VARIANTS.keys())
def test_whatever_is_chosen_every_module_gets_what_it_asks_for(chosen: dict[str, object]) -> None:
    """No parameter is missing or unknown, no output that is asked for is missing, and nothing is made twice."""
    made = [one for one in deployed(**chosen).resources if not one.existing]
    places = [(one.kind, one.name, one.scope) for one in made]
    assert len(places) == len(set(places))


def test_the_policy_exports_each_stream_to_its_hub() -> None:
    """A group of subscriptions sends alerts to one hub and posture to the other, from a resource group each."""
    policy = deploy(
        INFRA / "export-policy.bicep", {"cwppHubId": "/cwpp", "cspmHubId": "/cspm", "location": "westeurope"}
    )
    given = {
        one.name: {key: held["value"] for key, held in one.properties["parameters"].items()}
        for one in policy.of("Microsoft.Authorization/policyAssignments")
    }
    assert {name: found["eventHubDetails"] for name, found in given.items()} == {
        "alert-router-cwpp": "/cwpp",
        "alert-router-cspm": "/cspm",
    }
    assert given["alert-router-cwpp"]["exportedDataTypes"] == ["Security alerts"]
    assert "Security alerts" not in given["alert-router-cspm"]["exportedDataTypes"]
    assert len({found["resourceGroupName"] for found in given.values()}) == 2


def test_a_parameter_that_a_module_lacks_is_found() -> None:
    """The evaluation refuses what a compiler would."""
    with pytest.raises(BicepFault, match="has no parameter"):
        deploy(INFRA / "main.bicep", {**GIVEN, "colour": "red"})
    with pytest.raises(BicepFault, match="is not given"):
        deploy(INFRA / "identity.bicep", {"name": "x"})
