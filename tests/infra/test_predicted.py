"""What is compiled and predicted is what infra/ says today; `make infra-check` says what is wrong in a line that names it."""

import json
import re
import shutil
from copy import replace
from dataclasses import astuple
from pathlib import Path

import pytest
import yaml

from infra import checkov
from infra.check import CHECKOV, Said, charts, compiled, generated, heading, judged
from infra.compiler import Compiler, find_compiler
from infra.differences import differences
from infra.generate import documents, generate
from infra.sources import RECORD, record, recorded, stale
from infra.variants import GROUP, variants
from tests.infra.predicted import EVERY, INFRA, deployed, stored_answer


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


ANOTHER_ROLE = "00000000-0000-0000-0000-00000000401e"
KEPT = "default.bicepparam"
"""The one variant that a copy has, to save time."""


def copied(to: Path) -> Path:
    """A copy of infra/ with one variant."""
    infra = shutil.copytree(INFRA, to / "infra")
    for path in (infra / "predicted").glob("*.bicepparam"):
        if path.name != KEPT:
            path.unlink()
    return infra


def edit(path: Path, old: str, new: str) -> None:
    """Puts something in the place of something that is there once."""
    text = path.read_text()
    assert text.count(old) == 1, f"{path.name}: {old}"
    path.write_text(text.replace(old, new))


def bicep(at: Path, script: str) -> Path:
    """Puts a program in the place of a compiler."""
    at.mkdir(parents=True, exist_ok=True)
    (at / "bicep").write_text(f"#!/bin/sh\n{script}\n")
    (at / "bicep").chmod(0o755)
    return at / "bicep"


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy in which a resource, a role and a name are others, a parameter is read by nobody, and a line is laid out badly."""
    infra = copied(tmp_path_factory.mktemp("broken"))
    edit(infra / "key-vault.bicep", "enablePurgeProtection: true", "enablePurgeProtection: false")
    edit(infra / "roles.json", "4633458b-17de-408a-b874-0445c86b69e6", ANOTHER_ROLE)
    edit(infra / "main.bicep", "'evhns-${token}'", "'evhns-x${token}'")
    (infra / "alone.bicep").write_text("param unread string\n")
    edit(infra / "main.bicep", "output AZURE_LOCATION string = location", "output AZURE_LOCATION  string = 'nowhere'")
    return infra


def said_of(infra: Path, compiler: Compiler) -> list[Said]:
    """What a compiler finds in a copy."""
    said = stored_answer(infra, compiler, "all of it", lambda: [astuple(one) for one in compiled(infra, compiler)])
    return [Said(*one) for one in said]


@pytest.mark.tools
def test_what_is_otherwise_than_in_git_is_named(broken: Path, tmp_path: Path, subtests: pytest.Subtests) -> None:
    """A resource, a role, a name, an output, a warning and a layout: each in a line of its own, and each a fault. What another
    version of the compiler finds is shown and fails nothing, but what does not compile."""
    compiler = find_compiler()
    if compiler is None:
        pytest.skip("no Bicep compiler here")
    ours = replace(compiler, version=recorded(INFRA)["compiler"])
    found = said_of(broken, ours)
    faults = [one.said for one in judged(found, same=True) if one.is_fault]
    assert not [line for line in faults if "\n" in line]
    for said in (
        "infra/azuredeploy.json: is not what main.bicep compiles to",
        "properties.enablePurgeProtection: true => false (default)",
        ANOTHER_ROLE,
        "infra/predicted: + rg-alert-router-test/providers/Microsoft.EventHub/namespaces/evhns-x",
        "infra/predicted: - rg-alert-router-test/providers/Microsoft.EventHub/namespaces/evhns-",
        'infra/predicted: ~ outputs: AZURE_LOCATION: "westeurope" => "nowhere"',
        "infra/alone.bicep:1,7: no-unused-params: ",
        "infra/main.bicep: run `bicep format infra/main.bicep`",
    ):
        with subtests.test(said):
            assert [line for line in faults if said in line]
    shown = list(judged(found, same=False))
    assert [one.said for one in shown] == [one.line for one in found]
    assert not [one for one in shown if one.is_fault]
    shutil.copy(broken / "bicepconfig.json", tmp_path)
    (tmp_path / "alone.bicep").write_text("output location string = nowhere\n")
    (fault,) = [one.said for one in judged(said_of(tmp_path, ours), same=False) if one.is_fault]
    assert fault.startswith("infra/alone.bicep:1,26: BCP057: ")
    assert heading(INFRA, ours) == str(ours)
    assert "99.0.0" in heading(INFRA, replace(ours, version="99.0.0"))


def test_without_a_compiler_a_change_is_named_by_its_files(
    broken: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """So that `make infra` is not forgotten. Neither check nor `make infra` looks as if it had compiled; what can be made
    without a compiler is made."""
    named = {line.partition(":")[0] for line in stale(broken)}
    assert {"infra/key-vault.bicep", "infra/roles.json", "infra/main.bicep"} < named
    assert find_compiler(tmp_path / "project", {"PATH": "", "AZURE_CONFIG_DIR": str(tmp_path)}) is None
    assert heading(INFRA, None).startswith("bicep: no compiler ")
    infra = copied(tmp_path)
    before = (infra / RECORD).read_text()
    (infra / "generated" / "log-tables.json").unlink()
    assert generate(infra, None) == 0
    assert "were not made anew" in capsys.readouterr().err
    assert (infra / "generated" / "log-tables.json").exists()
    assert (infra / RECORD).read_text() == before


def test_the_first_compiler_that_runs_is_taken(tmp_path: Path) -> None:
    """On the PATH, else of `az bicep`, else the one beside the project; one that does not run here is passed over."""
    place = {"PATH": str(tmp_path / "path"), "AZURE_CONFIG_DIR": str(tmp_path / "az")}
    for at, script, taken in (
        ("shared/bin", "echo 'Bicep CLI version 1.0.0 (abc)'", "bicep 1.0.0, in ../shared/bin"),
        ("az/bin", "echo 'Bicep CLI version 2.0.0 (abc)'", "bicep 2.0.0, of az bicep"),
        ("path", "echo 'made for another machine'; exit 1", "bicep 2.0.0, of az bicep"),
        ("path", "echo 'Bicep CLI version 3.0.0 (abc)'; exit 0", "bicep 3.0.0, on the PATH"),
    ):
        bicep(tmp_path / at, script)
        assert str(find_compiler(tmp_path / "project", place)) == taken


def test_a_compiler_that_is_too_old_says_so_and_fails_nothing(tmp_path: Path) -> None:
    """It may know no snapshots; what it cannot do is no fault of infra/."""
    old = bicep(tmp_path, "echo \"Unrecognized command or argument '$1'.\" >&2\nexit 1")
    said = list(compiled(INFRA, Compiler(old, "on the PATH", "0.1.0")))
    assert [one.line for one in said] == ["bicep lint: Unrecognized command or argument 'lint'."]
    assert not [one for one in judged(said, same=False) if one.is_fault]


def test_predictions_that_are_alike_have_no_difference() -> None:
    """In whatever order the compiler wrote their outputs."""
    predicted = json.loads((INFRA / "predicted" / "default.snapshot.json").read_text())
    turned = {**predicted, "outputs": dict(reversed(predicted["outputs"].items()))}
    assert list(differences(predicted, turned)) == []


@pytest.mark.tools
def test_checkov_is_believed_but_for_the_exceptions(tmp_path: Path) -> None:
    """What fails and is not listed, and what is listed and does not fail, are a line each; nothing else is said."""
    if not CHECKOV.exists():
        pytest.skip("no checkov here; `make infra-check` brings it")
    infra = copied(tmp_path)
    edit(infra / "predicted/private.snapshot.json", '"minimumTlsVersion": "TLS1_2"', '"minimumTlsVersion": "TLS1_0"')
    listed = yaml.safe_load((infra / checkov.EXCEPTIONS).read_text())
    kept = [one for one in listed if (one["variant"], one["check"]) != ("default", "CKV_AZURE_225")]
    kept.append({**kept[0], "check": "CKV_AZURE_3", "reason": "It once failed."})
    (infra / checkov.EXCEPTIONS).write_text(yaml.safe_dump(kept))
    lines = list(checkov.problems(infra, CHECKOV, charts(infra)))
    assert len(lines) == 3
    for variant, check, what in (
        ("private", "CKV_AZURE_44", "TLS"),
        ("default", "CKV_AZURE_225", "zone redundant"),
        ("default", "CKV_AZURE_3", "remove the exception"),
    ):
        (line,) = [line for line in lines if {variant, check} <= set(line.replace(":", " ").split())]
        assert what in line


def test_what_checkov_could_not_read_fails(subtests: pytest.Subtests) -> None:
    """By itself it leaves out what it cannot read, and ends as if all were well."""
    passed = {"passed_checks": [{"check_id": "CKV_AZURE_3", "file_path": "/default.json"}]}
    cases: list[tuple[dict[str, object], str, list[str]]] = [
        ({"results": passed}, "", []),
        ({"results": {**passed, "parsing_errors": ["/x/default.json"]}}, "", ["could not read default"]),
        ({"results": passed}, "Failed to run check CKV_AZURE_189", ["Failed to run check"]),
        ({"results": passed}, "Error parsing file default.json", ["Error parsing"]),
        ({"passed": 0, "failed": 0}, "", ["checked nothing of default"]),
    ]
    for report, aside, said in cases:
        with subtests.test(f"{report} {aside}"):
            lines = list(checkov.unread(json.dumps(report), aside, ["default"]))
            assert all(part in line for part, line in zip(said, lines, strict=True))


def test_every_exception_has_a_reason(tmp_path: Path) -> None:
    """One without a reason is no decision, and one that says more than it may is none."""
    shipped = yaml.safe_load((INFRA / checkov.EXCEPTIONS).read_text())
    assert checkov.exceptions(INFRA / checkov.EXCEPTIONS)[1] == []
    assert all(len(one["reason"]) > 20 for one in shipped)
    one = shipped[0]
    for entries, said in (
        ([{**one, "reason": ""}], "must say"),
        ([{**one, "variant": ["default", "private"], "until": "2030"}], "must say"),
        ([one, one], "twice"),
    ):
        (tmp_path / "listed").write_text(yaml.safe_dump(entries))
        assert said in checkov.exceptions(tmp_path / "listed")[1][0]
