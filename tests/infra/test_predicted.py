"""What is compiled and predicted is what infra/ says today, and every file of it is deployed by somebody."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from infra.check import generated
from infra.generate import documents
from infra.sources import RECORD, record, recorded, stale
from infra.variants import GROUP, variants
from tests.infra.predicted import EVERY, INFRA, deployed


def test_what_is_made_of_infra_or_of_the_program_is_not_stale(tmp_path: Path) -> None:
    """`make infra` after a change, where a compiler is, and commit what it writes. What Bicep reads of the program is named
    where it says something else, or is not there."""
    assert [*stale(INFRA), *generated(INFRA)] == []
    infra = shutil.copytree(INFRA / "generated", tmp_path / "generated").parent
    (infra / "generated" / "log-streams.json").write_text("{}\n")
    (infra / "generated" / "log-tables.json").unlink()
    assert {line.partition(":")[0] for line in generated(infra)} == {f"infra/generated/{name}" for name in documents()}


def test_every_source_is_on_record(tmp_path: Path) -> None:
    """Also one that is read by no name: whoever changes, adds or removes a file hears of it. Line ends make no difference."""
    infra = shutil.copytree(INFRA, tmp_path / "infra")
    for name in recorded(INFRA)["sources"]:
        (infra / name).write_bytes((infra / name).read_bytes().replace(b"\n", b"\r\n"))
    assert list(stale(infra)) == []
    for name in ("alerts.bicep", "roles.json", "queries/alert-lag.kql", "predicted/private.bicepparam"):
        (infra / name).write_text("// changed")
    (infra / "workbook.json").unlink()
    (infra / "new.bicep").touch()
    (infra / "azuredeploy.json").write_text("{}")
    said = [line.partition(":")[0] for line in stale(infra)]
    assert said == [
        "infra/alerts.bicep",
        "infra/new.bicep",
        "infra/predicted/private.bicepparam",
        "infra/queries/alert-lag.kql",
        "infra/roles.json",
        "infra/workbook.json",
        "infra/azuredeploy.json",
    ]


def test_every_variant_has_its_prediction_and_what_nobody_compiles_is_no_source() -> None:
    """No prediction has outlived its variant; the parameters of azd may change without a new compilation."""
    made = record(INFRA, "1.0.0")
    assert not {"main.parameters.json", RECORD.as_posix()} & (made["sources"].keys() | made["made"].keys())
    assert {one.snapshot for one in variants(INFRA)} == set((INFRA / "predicted").glob("*.snapshot.json"))
    assert set(EVERY) == {"default", "private", "several-subscriptions", "file-integrity-elsewhere"}


def test_every_file_is_deployed() -> None:
    """Each is used by another, or deployed by itself and then predicted, too."""
    files = {path.name: path.read_text() for path in INFRA.glob("*.bicep")}
    used = {
        name for text in files.values() for name in re.findall(r"(?:^module \w+|\bfrom) '([\w-]+\.bicep)'", text, re.M)
    }
    alone = {one.template.name for one in variants(INFRA)}
    assert used | alone == files.keys()
    assert "az deployment mg create" in files["export-policy.bicep"]


def test_the_policy_exports_each_stream_to_its_hub() -> None:
    """A group of subscriptions sends alerts to one hub and posture to the other, from a resource group each."""
    policy = deployed("export-policy")
    assignments = policy.of("Microsoft.Authorization/policyAssignments")
    assert all(f"/managementGroups/{GROUP}/" in one.id for one in assignments)
    given = {
        one.name: {key: held["value"] for key, held in one.properties["parameters"].items()} for one in assignments
    }
    assert {name: found["eventHubDetails"].rpartition("/")[2] for name, found in given.items()} == {
        "alert-router-cwpp": "cwpp",
        "alert-router-cspm": "cspm",
    }
    assert given["alert-router-cwpp"]["exportedDataTypes"] == ["Security alerts"]
    scores = {"Overall secure score", "Secure score controls", "Regulatory compliance", "Security recommendations"}
    assert set(given["alert-router-cspm"]["exportedDataTypes"]) == scores | {f"{one} - snapshot" for one in scores} | {
        "Security findings - snapshot"
    }
    assert len({found["resourceGroupName"] for found in given.values()}) == 2
