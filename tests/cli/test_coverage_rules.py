"""`rules check` reads and judges rules/coverage.yaml with the other rules, in every format."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

from tests.cli.house import House

AT = ("--now", "2026-11-25T12:00:00Z")
BROKEN = "expect:\n  - kind: clusters\n"
WARNED = "exceptions:\n  - {kind: cluster, owner: a@b.example, reason: rebuilt, ends: 2026-11-25}\n"


@pytest.fixture
def broken(house: House) -> House:
    """A house in which the manifest has a mistake on its second line."""
    house.writes("rules/coverage.yaml", BROKEN)
    return house


def test_a_mistake_is_a_line_and_ends_with_1(broken: House) -> None:
    """With its file and its line; the rules of the streams are not to blame."""
    said = broken.says("rules", "check", *AT)
    assert said.code == 1
    assert said.out.startswith("rules/coverage.yaml:2: expect[0].kind: must be ")
    assert "rules: 1 problem; " in said.out
    assert "coverage" not in said.out.splitlines()[-1]


def test_a_warning_ends_with_0_unless_it_is_strict(house: House) -> None:
    """As a warning about any other rule."""
    house.writes("rules/coverage.yaml", WARNED)
    said = house.says("rules", "check", *AT)
    assert said.code == 0
    assert said.out.startswith("rules/coverage.yaml:2: warning: exceptions[0].ends: has passed")
    assert "; coverage 1 expectation, 1 exception" in said.out
    assert house.says("rules", "check", *AT, "--strict").code == 1


def test_github_annotates_the_line(broken: House) -> None:
    """Where the mistake is."""
    assert "::error file=rules/coverage.yaml,line=2," in broken.says("rules", "check", *AT, "--format", "github").out


def test_junit_has_a_case_for_the_file(broken: House) -> None:
    """It fails; and passes where the file has no problem."""
    for text, failures in ((BROKEN, 1), (WARNED, 0)):
        broken.writes("rules/coverage.yaml", text)
        report = ElementTree.fromstring(broken.says("rules", "check", *AT, "--format", "junit").out)  # noqa: S314 - our own report
        (case,) = report.findall(".//testcase[@name='coverage.yaml']")
        assert len(case.findall("failure")) == failures


def test_the_rules_of_a_stream_run_whatever_is_expected_of_defender(broken: House) -> None:
    """A broken manifest stops the gate, and no alert."""
    assert broken.says("rules", "test", *AT).code == 0


def test_its_schema_is_printed(house: House) -> None:
    """For editors."""
    schema = json.loads(house.says("rules", "schema", "coverage").out)
    assert set(schema["properties"]) == {"$schema", "export", "posture", "heard_within", "expect", "exceptions"}


def test_a_directory_with_a_manifest_alone_is_checked(house: House) -> None:
    """Whoever runs the gate alone has no streams; other files are rules of streams that are missing."""
    house.writes("gate/coverage.yaml", "expect: [{kind: cluster}]")
    house.writes("gate/README.md", "who owns it")
    said = house.says("rules", "check", *AT, "gate")
    assert (said.code, said.out) == (0, "gate: 0 problems; 0 warnings; coverage 1 expectation, 0 exceptions\n")
    house.writes("gate/coverage.yaml", BROKEN)
    assert house.says("rules", "check", *AT, "gate").code == 1
    for name in ("owners.yaml", "cwpp"):
        house.writes(f"{name}-gate/coverage.yaml", BROKEN)
        house.writes(f"{name}-gate/{name}", "")
        assert "has neither cwpp/ nor cspm/" in house.says("rules", "check", *AT, f"{name}-gate").complaint
    assert "has neither cwpp/ nor cspm/" in house.says("rules", "test", *AT, "gate").complaint


@pytest.mark.parametrize(
    ("word", "kind"),
    [("vm", "machine"), ("VMs", "machine"), ("aks", "cluster"), ("acr", "registry"), ("clusters", "cluster")],
)
@pytest.mark.parametrize("form", ["{}", "[machine, {}]"])
def test_a_kind_is_known_by_what_azure_calls_it(house: House, word: str, kind: str, form: str) -> None:
    """Alone and in a list."""
    house.writes("rules/coverage.yaml", f"expect:\n  - kind: {form.format(word)}\n")
    assert f"; did you mean '{kind}'?" in house.says("rules", "check", *AT).out


def test_a_word_that_means_nothing_has_no_hint(house: House) -> None:
    """Nor has what is no word."""
    for written in ("xyz", "[[vm]]", "3", "{vm: 1}"):
        house.writes("rules/coverage.yaml", f"expect:\n  - kind: {written}\n")
        said = house.says("rules", "check", *AT)
        assert said.code == 1
        assert "did you mean" not in said.out
