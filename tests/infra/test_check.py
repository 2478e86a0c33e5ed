"""`make infra-check` says what is wrong with infra/ in a line that names it, and what it could not look at."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from infra import checkov
from infra.check import CHECKOV, Said, compiled, heading, judged
from infra.compiler import Compiler, find_compiler
from infra.differences import differences
from infra.generate import generate
from infra.sources import RECORD, recorded, stale
from tests.infra.variants import INFRA

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


@pytest.fixture(scope="module")
def compiler() -> Compiler:
    """A compiler of the version that made what is in git."""
    found = find_compiler()
    if found is None:
        pytest.skip("no Bicep compiler here")
    return replace(found, version=recorded(INFRA)["compiler"])


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


@pytest.fixture(scope="module")
def found(broken: Path, compiler: Compiler) -> list[Said]:
    """What the compiler finds in it."""
    return list(compiled(broken, compiler))


@pytest.mark.tools
@pytest.mark.parametrize(
    "said",
    [
        "infra/azuredeploy.json: is not what main.bicep compiles to",
        "properties.enablePurgeProtection: true => false (default)",
        ANOTHER_ROLE,
        "infra/predicted: + rg-alert-router-test/providers/Microsoft.EventHub/namespaces/evhns-x",
        "infra/predicted: - rg-alert-router-test/providers/Microsoft.EventHub/namespaces/evhns-",
        'infra/predicted: ~ outputs: AZURE_LOCATION: "westeurope" => "nowhere"',
        "infra/alone.bicep:1,7: no-unused-params: ",
        "infra/main.bicep: run `bicep format infra/main.bicep`",
    ],
)
def test_what_is_otherwise_than_in_git_is_named(said: str, found: list[Said]) -> None:
    """A resource, a role, a name, an output, a warning and a layout: each in a line of its own, and each a fault."""
    faults = [one.said for one in judged(found, same=True) if one.is_fault]
    assert [line for line in faults if said in line]
    assert not [line for line in faults if "\n" in line]


def test_without_a_compiler_the_same_change_is_named_by_its_files(broken: Path) -> None:
    """So that nobody forgets `make infra`."""
    named = {line.partition(":")[0] for line in stale(broken)}
    assert {"infra/key-vault.bicep", "infra/roles.json", "infra/main.bicep"} < named


@pytest.mark.tools
def test_what_another_version_finds_is_shown_and_fails_nothing(found: list[Said], compiler: Compiler) -> None:
    """Nobody needs the compiler that we had."""
    shown = list(judged(found, same=False))
    assert [one.said for one in shown] == [one.line for one in found]
    assert not [one for one in shown if one.is_fault]
    assert heading(INFRA, compiler) == str(compiler)
    assert "99.0.0" in heading(INFRA, replace(compiler, version="99.0.0"))


@pytest.mark.tools
def test_what_does_not_compile_fails_whatever_the_version(tmp_path: Path, compiler: Compiler) -> None:
    """With its file and line, also in a file that no module uses."""
    infra = copied(tmp_path)
    (infra / "alone.bicep").write_text("output location string = nowhere\n")
    (fault,) = [one.said for one in judged(compiled(infra, compiler), same=False) if one.is_fault]
    assert fault.startswith("infra/alone.bicep:1,26: BCP057: ")


def test_no_compiler_is_said(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Neither check nor `make infra` looks as if it had compiled; what can be made without one is made."""
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

    def put(at: str, script: str) -> None:
        path = tmp_path / at / "bicep"
        path.parent.mkdir(parents=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def taken() -> str:
        found = find_compiler(
            tmp_path / "project", {"PATH": str(tmp_path / "path"), "AZURE_CONFIG_DIR": str(tmp_path / "az")}
        )
        return str(found)

    put("shared/bin", "echo 'Bicep CLI version 1.0.0 (abc)'")
    assert taken() == "bicep 1.0.0, in ../shared/bin"
    put("az/bin", "echo 'Bicep CLI version 2.0.0 (abc)'")
    assert taken() == "bicep 2.0.0, of az bicep"
    put("path", "echo 'made for another machine'; exit 1")
    assert taken() == "bicep 2.0.0, of az bicep"
    edit(tmp_path / "path" / "bicep", "echo 'made for another machine'; exit 1", "echo 'Bicep CLI version 3.0.0 (abc)'")
    assert taken() == "bicep 3.0.0, on the PATH"


def test_a_compiler_that_is_too_old_says_so_and_fails_nothing(tmp_path: Path) -> None:
    """It may know no snapshots; what it cannot do is no fault of infra/."""
    old = tmp_path / "bicep"
    old.write_text("#!/bin/sh\necho \"Unrecognized command or argument '$1'.\" >&2\nexit 1\n")
    old.chmod(0o755)
    said = list(compiled(INFRA, Compiler(old, "on the PATH", "0.1.0")))
    assert [one.line for one in said] == ["bicep lint: Unrecognized command or argument 'lint'."]
    assert not [one for one in judged(said, same=False) if one.is_fault]


def test_predictions_that_are_alike_have_no_difference() -> None:
    """In whatever order the compiler wrote their outputs."""
    predicted = json.loads((INFRA / "predicted" / "default.snapshot.json").read_text())
    turned = {**predicted, "outputs": dict(reversed(predicted["outputs"].items()))}
    assert list(differences(predicted, turned)) == []


@pytest.fixture(scope="module")
def said_by_checkov(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What checkov has against an account that takes old TLS, with an exception too few and one too many."""
    if not CHECKOV.exists():
        pytest.skip("no checkov here; `make infra-check` brings it")
    infra = copied(tmp_path_factory.mktemp("checkov"))
    edit(
        infra / "predicted" / "private.snapshot.json", '"minimumTlsVersion": "TLS1_2"', '"minimumTlsVersion": "TLS1_0"'
    )
    listed = yaml.safe_load((infra / checkov.EXCEPTIONS).read_text())
    kept = [one for one in listed if (one["variant"], one["check"]) != ("default", "CKV_AZURE_225")]
    kept.append({**kept[0], "check": "CKV_AZURE_3", "reason": "It once failed."})
    (infra / checkov.EXCEPTIONS).write_text(yaml.safe_dump(kept))
    return list(checkov.problems(infra, CHECKOV))


@pytest.mark.tools
@pytest.mark.parametrize(
    ("variant", "check", "what"),
    [
        ("private", "CKV_AZURE_44", "TLS"),
        ("default", "CKV_AZURE_225", "zone redundant"),
        ("default", "CKV_AZURE_3", "remove the exception"),
    ],
)
def test_checkov_is_believed_but_for_the_exceptions(
    variant: str, check: str, what: str, said_by_checkov: list[str]
) -> None:
    """What fails and is not listed, and what is listed and does not fail, are a line each; nothing else is said."""
    (line,) = [line for line in said_by_checkov if f"{check}" in line.replace(":", " ").split()]
    assert variant in line.replace(":", " ").split()
    assert what in line
    assert len(said_by_checkov) == 3


PASSED = {"check_id": "CKV_AZURE_3", "file_path": "/default.json"}


@pytest.mark.parametrize(
    ("report", "aside", "said"),
    [
        ({"results": {"passed_checks": [PASSED]}}, "", []),
        (
            {"results": {"passed_checks": [PASSED], "parsing_errors": ["/x/default.json"]}},
            "",
            ["could not read default"],
        ),
        ({"results": {"passed_checks": [PASSED]}}, "Failed to run check CKV_AZURE_189", ["Failed to run check"]),
        ({"results": {"passed_checks": [PASSED]}}, "Error parsing file default.json", ["Error parsing"]),
        ({"passed": 0, "failed": 0}, "", ["checked nothing of default"]),
    ],
)
def test_what_checkov_could_not_read_fails(report: object, aside: str, said: list[str]) -> None:
    """By itself it leaves out what it cannot read, and ends as if all were well."""
    lines = list(checkov.unread(json.dumps(report), aside, ["default"]))
    assert len(lines) == len(said)
    assert all(part in line for part, line in zip(said, lines, strict=True))


def test_every_exception_has_a_reason(tmp_path: Path) -> None:
    """One without a reason is nobody's decision, and one that says more than it may is none."""
    shipped = yaml.safe_load((INFRA / checkov.EXCEPTIONS).read_text())
    assert checkov.exceptions(INFRA / checkov.EXCEPTIONS)[1] == []
    assert all(len(one["reason"]) > 20 for one in shipped)

    def listed(*entries: dict[str, object]) -> list[str]:
        path = tmp_path / checkov.EXCEPTIONS
        path.write_text(yaml.safe_dump(list(entries)))
        return checkov.exceptions(path)[1]

    (one, *_) = shipped
    assert "must say" in listed({**one, "reason": ""})[0]
    assert "must say" in listed({**one, "variant": ["default", "private"], "until": "2030"})[0]
    assert "twice" in listed(one, one)[0]
