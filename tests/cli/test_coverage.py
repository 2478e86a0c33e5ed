"""`coverage check`: what goes in, what comes out, and when it fails."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.cli.house import House, commands_in
from tests.coverage.admission_builders import whole_gatekeeper
from tests.coverage.builders import CLUSTER, kubectl, managed_cluster, node, nodes, sensor

AT = ("--now", "2026-11-25T12:00:00Z")
RUNNING = "sensor-running"


@pytest.fixture
def dark(house: House) -> House:
    """A house with what kubectl printed of a healthy cluster and of a dark one, and a cluster of which only Azure speaks."""
    house.writes("healthy.json", json.dumps(kubectl(*sensor(), *nodes())))
    house.writes("unasked.json", json.dumps(managed_cluster()))
    house.writes("dark.json", json.dumps(kubectl(*sensor(ready=0), *nodes())))
    return house


def found(house: House, *arguments: str) -> Any:
    """What the command says for programs."""
    return json.loads(house.says("coverage", "check", *AT, "--format", "json", *arguments).out)


def rung(said: Any, name: str, rung: str = RUNNING) -> Any:
    """What is said of a workload on a rung."""
    (row,) = [one for one in said["workloads"] if one["name"] == name]
    return row["rungs"][rung]


def test_a_gap_is_1_also_beside_what_is_unknown(dark: House) -> None:
    """The first line says how many workloads of how many files were judged."""
    said = dark.says("coverage", "check", *AT, "unasked.json", "dark=dark.json")
    assert said.code == 1
    assert said.out.startswith("2 workloads of 2 files judged: 1 has a gap, 1 is unknown\n")


def test_unknown_is_2_unless_it_is_allowed(dark: House) -> None:
    """Nobody asked the cluster itself."""
    assert dark.says("coverage", "check", *AT, "unasked.json").code == 2
    assert dark.says("coverage", "check", *AT, "--allow-unknown", "unasked.json").code == 0
    assert dark.says("coverage", "check", *AT, "--allow-unknown", "dark=dark.json").code == 1


@pytest.mark.parametrize("allowed", [(), ("--allow-unknown",)])
def test_nothing_to_judge_is_2(house: House, allowed: tuple[str, ...]) -> None:
    """A gate that saw nothing has proved nothing."""
    house.writes("a.json", '{"hello": "world"}')
    said = house.says("coverage", "check", *AT, *allowed, "a.json")
    assert said.code == 2
    assert said.out.startswith("0 workloads of 1 file judged: there is nothing to judge\n")
    assert "a.json: not used" in said.out


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "is empty"),
        ("kind: List", "is no JSON"),
        ("[" * 100_000, "is nested too deeply"),
        ("9" * 5000, "is no JSON"),
        (None, "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_and_keeps_no_other_one_from_being_judged(
    dark: House, content: str | None, why: str
) -> None:
    """It is one line on standard error; beside a gap the exit code is that of the gap."""
    if content is not None:
        dark.writes("bad.json", content)
    said = dark.says("coverage", "check", *AT, "--allow-unknown", "healthy=healthy.json", "bad.json")
    assert said.code == 2
    assert said.err.startswith(f"bad.json: {why}")
    assert said.err.count("\n") == 1
    assert dark.says("coverage", "check", *AT, "dark=dark.json", "bad.json").code == 1


def test_a_name_before_a_file_says_which_cluster_it_is_of(dark: House) -> None:
    """A directory has files, and a file may itself have `=` in its name."""
    dark.writes("x=y.json", json.dumps(kubectl(*sensor(), *nodes())))
    assert rung(found(dark, "healthy=healthy.json"), "healthy")["state"] == "covered"
    assert [one["name"] for one in found(dark, "x=y.json")["workloads"]] == ["(unnamed cluster)"]
    dark.writes("many/sensor.json", json.dumps(kubectl(*sensor())))
    dark.writes("many/nodes.json", json.dumps(kubectl(*nodes())))
    assert rung(found(dark, "payments=many"), "payments")["state"] == "covered"


def test_junit_has_a_case_for_each_workload_and_rung(dark: House) -> None:
    """A gap fails, what is unknown is an error."""
    said = dark.says("coverage", "check", *AT, "--format", "junit", "healthy=healthy.json", "dark=dark.json")
    root = ElementTree.fromstring(said.out)  # noqa: S314 - our own
    cases = {case.get("name"): [child.tag for child in case] for case in root.iter("testcase")}
    assert cases["healthy: sensor running"] == []
    assert cases["dark: sensor running"] == ["failure"]
    assert root.get("failures") == "1"
    assert root.get("errors") == str(sum("error" in tags for tags in cases.values()))


STATES = {"healthy": "covered", "dark": "gap", "unasked": "unknown", "windows": "not coverable", "lab": "excused"}
MANIFEST = """
expect: [{kind: cluster, rungs: sensor-running}]
exceptions: [{kind: cluster, name: lab, owner: a@b.example, reason: rebuilt, ends: 2027-01-31}]
"""


@pytest.mark.parametrize("allowed", [(), ("--allow-unknown",)])
def test_every_format_tells_every_state_apart(dark: House, allowed: tuple[str, ...]) -> None:
    """In JUnit what is excused or not coverable is skipped; where unknown passes it is, too, and is a warning on GitHub."""
    dark.writes("rules/coverage.yaml", MANIFEST)
    dark.writes("windows.json", json.dumps(kubectl(*sensor(ready=0, desired=0), node("win", system="windows"))))
    dark.writes("unasked.json", json.dumps(kubectl(*nodes())))
    dark.writes("lab.json", json.dumps(kubectl(*sensor(ready=0), *nodes())))
    files = [f"{name}={name}.json" for name in STATES]

    def says(format: str) -> str:
        said = dark.says("coverage", "check", *AT, *allowed, "--format", format, *files)
        assert said.code == 1
        return said.out

    assert {one["name"]: one["rungs"][RUNNING]["state"] for one in json.loads(says("json"))["workloads"]} == STATES
    tags = {"covered": [], "gap": ["failure"], "unknown": ["skipped" if allowed else "error"]}
    root = ElementTree.fromstring(says("junit"))  # noqa: S314 - our own
    cases = {
        str(case.get("name")): [child.tag for child in case if child.tag != "system-out"]
        for case in root.iter("testcase")
    }
    assert cases == {f"{name}: sensor running": tags.get(state, ["skipped"]) for name, state in STATES.items()}
    lines = says("github").splitlines()
    assert [line.split(" ")[0] for line in lines] == ["::notice", "::error", "::warning" if allowed else "::error"]
    for line, name in zip(lines[1:], ("dark", "unasked"), strict=True):
        assert f"cluster {name}, sensor running: {STATES[name]}" in line
    table, text = says("markdown"), says("text")
    for name, state in STATES.items():
        (row,) = [line for line in table.splitlines() if f"`{name}`" in line and line.count("|") == 3]
        assert state in row
        assert any(name in line and state in line.lower() for line in text.splitlines()), name


@pytest.mark.parametrize("name", ["a|b`c", "x\n::error::y", "<img src=x>", "\u202egnp"])
def test_no_name_acts_wherever_it_is_printed(dark: House, name: str) -> None:
    """Names of clusters are anybody's words."""
    for format in ("text", "json", "junit", "github", "markdown"):
        said = dark.says("coverage", "check", *AT, "--format", format, f"{name}=dark.json").out
        assert "\u202e" not in said
        assert not any(line.startswith("::error::") for line in said.splitlines())
        if format == "markdown":
            assert "<img" not in said.replace("`<img src=x>`", "")


CLUSTERS = [f"aks-{number:02}" for number in range(40)]


def test_what_is_alike_of_many_is_said_once(house: House) -> None:
    """Also where the command has the name of each: three are shown, the others counted; a cluster that differs stands alone."""
    unasked = [managed_cluster(f"{CLUSTER.rpartition('/')[0]}/{name}") for name in CLUSTERS]
    house.writes("clusters.json", json.dumps(unasked))
    said = house.says("coverage", "check", *AT, "clusters.json").out.splitlines()
    (line,) = [one for one in said if "nobody asked the cluster itself" in one]
    assert line.startswith("  cluster aks-00, ")
    assert ", cluster aks-04 and 35 more, sensor installed, sensor running: " in line
    asked = [one for one in said[said.index(line) :] if one.strip().startswith("ask")]
    assert asked[0].endswith("> aks-00.json")
    assert asked[4].strip() == "ask    36 more like it: in --format json"
    house.writes("dark.json", json.dumps(kubectl(*sensor(ready=0), *nodes())))
    other = house.says("coverage", "check", *AT, "clusters.json", "aks-07=dark.json").out
    assert "  cluster aks-07, sensor running: " in other
    assert " and 34 more, sensor installed, sensor running: nobody asked the cluster itself" in other


def test_what_passes_a_gate_that_covers_is_said_where_people_read_it(house: House) -> None:
    """Once for all clusters of which it is so, in text, on the page and in a summary, as in JSON."""
    for name in ("shop", "pay"):
        house.writes(f"{name}.json", json.dumps(kubectl(*whole_gatekeeper(), *sensor(), *nodes())))
    files = ("shop=shop.json", "pay=pay.json")
    limits = "while no pod answers it, everything is admitted; Gatekeeper: 1 of 1 constraints refuse nothing: 1 dryrun"
    text = house.says("coverage", "check", *AT, *files).out
    head = "\nCovered within limits\n  cluster pay, cluster shop, admission audits: Gatekeeper: "
    assert head in text and text.count(limits) == 1
    house.says("coverage", "report", *AT, "--out", "page.html", *files)
    page = (house.directory / "page.html").read_text()
    assert "<h2>Covered within limits</h2>" in page and page.count(limits) == 1
    summary = house.says("coverage", "check", *AT, "--format", "markdown", *files).out
    assert "| covered within limits |" in summary and summary.count(limits) == 1
    remarks = rung(found(house, *files), "shop", "admission-audits")["remarks"]
    assert "Gatekeeper: 1 of 1 constraints refuse nothing: 1 dryrun" in remarks


def test_files_that_are_not_used_for_one_reason_are_one_line(house: House) -> None:
    """Forty files of kubectl without a name before them are one mistake."""
    for name in CLUSTERS[:7]:
        house.writes(f"many/{name}.json", '{"hello": "world"}')
    said = house.says("coverage", "check", *AT, "many").out
    assert said.endswith("many/aks-04.json and 2 more: not used: each says nothing of what is judged\n")
    assert said.count("not used") == 1


@pytest.mark.parametrize("name", ["coverage.yml", "coverage.json"])
def test_a_manifest_that_would_not_be_read_is_no_silence(dark: House, name: str) -> None:
    """Without it less would be missed: a name that is nearly right is refused, and so is a directory that is not there."""
    dark.writes(f"mine/{name}", "expect: [{kind: cluster, name: aks-forgotten}]")
    for command in ("check", "report"):
        said = dark.says("coverage", command, *AT, "--rules", "mine", "healthy=healthy.json")
        assert said.code == 2
        assert said.err == f"mine/{name}: is not read; call it coverage.yaml\n"
    gone = dark.says("coverage", "check", *AT, "--rules", "nowhere", "healthy=healthy.json")
    assert gone.code == 2
    assert gone.err.startswith("nowhere: is no directory")


def test_it_says_when_nobody_wrote_down_what_is_expected(dark: House) -> None:
    """A gate without a manifest misses nothing that no file names; programs read which one counted."""
    assert "There is no manifest" in dark.says("coverage", "check", *AT, "healthy=healthy.json").out
    assert found(dark, "healthy=healthy.json")["manifest"] is None
    dark.writes("mine/coverage.yaml", "expect: [{kind: cluster, name: healthy}]")
    said = ("--rules", "mine", "healthy=healthy.json")
    assert "There is no manifest" not in dark.says("coverage", "check", *AT, *said).out
    assert found(dark, *said)["manifest"] == "mine/coverage.yaml"


def test_a_matrix_of_many_counts_those_that_stand_alike(house: House) -> None:
    """Up to sixty workloads each have a line; of more, the first five of those that stand alike, whatever else is there."""
    dark = json.dumps(kubectl(*sensor(ready=0), *nodes()))
    house.writes("dark.json", dark)
    for many, lines in ((59, 60), (60, 7)):
        ids = [f"{CLUSTER.rpartition('/')[0]}/aks-{number:02}" for number in range(many)]
        house.writes("clusters.json", json.dumps([managed_cluster(id) for id in ids]))
        said = house.says("coverage", "check", *AT, "clusters.json", "zz-dark=dark.json").out
        matrix = said.split("\n\n")[1].splitlines()[1:]
        assert len(matrix) == lines
        assert any(line.startswith("  cluster zz-dark ") and "GAP" in line for line in matrix)
    assert any(line.startswith("  and 55 more that stand so ") for line in matrix)


def test_a_file_with_a_name_that_is_in_a_directory_too_is_what_its_name_says(dark: House) -> None:
    """It is read once."""
    dark.writes("many/a.json", json.dumps(kubectl(*sensor(), *nodes())))
    dark.writes("many/b.json", json.dumps(managed_cluster()))
    for arguments in (("many", "healthy=many/a.json"), ("healthy=many/a.json", "many")):
        said = found(dark, *arguments)
        assert rung(said, "healthy")["state"] == "covered"
        assert sorted(said["files"]["used"]) == ["many/a.json", "many/b.json"]
        assert said["files"]["unused"] == []


def test_ci_shows_what_is_alike_of_many_once_and_counts_the_commands(house: House) -> None:
    """GitHub shows ten errors of a step: forty clusters that nobody asked leave room for the one that is dark."""
    ids = [f"{CLUSTER.rpartition('/')[0]}/{name}" for name in CLUSTERS]
    house.writes("clusters.json", json.dumps([managed_cluster(id) for id in ids]))
    house.writes("dark.json", json.dumps(kubectl(*sensor(ready=0), *nodes())))
    files = ("clusters.json", "aks-07=dark.json")
    errors = house.says("coverage", "check", *AT, "--format", "github", *files).out.splitlines()[1:]
    assert len(errors) < 10
    assert "cluster aks-07, sensor running: gap:" in errors[0]
    assert any("and 34 more, sensor installed, sensor running: unknown:" in error for error in errors)
    assert any(error.endswith("> aks-00.json (and 38 more like it)") for error in errors)
    summary = house.says("coverage", "check", *AT, "--format", "markdown", *files).out
    assert summary.count("nobody asked the cluster itself") == 1
    cases = house.says("coverage", "check", *AT, "--format", "junit", *files).out
    assert all(f'name="{name}: sensor running"' in cases for name in CLUSTERS)


def test_an_exception_that_excuses_nothing_is_told(dark: House) -> None:
    """One for a cluster that is mended would excuse the next gap, too; one whose name is misspelt excuses nobody."""
    answer = "owner: platform@contoso.example, reason: CHG-1, ends: 2027-01-31"
    entries = "".join(f"  - {{kind: cluster, name: {name}, {answer}}}\n" for name in ("dark", "healthy", "darc*"))
    dark.writes("mine/coverage.yaml", f"expect: [{{kind: cluster, rungs: sensor-running}}]\nexceptions:\n{entries}")
    files = ("--rules", "mine", "dark=dark.json", "healthy=healthy.json")
    said = dark.says("coverage", "check", *AT, *files)
    assert said.code == 0
    assert "Exceptions 2 and 3 of the manifest excuse nothing today; remove them, or mend their names.\n" in said.out
    assert found(dark, *files)["idle_exceptions"] == [2, 3]
    mended = found(dark, "--rules", "mine", "dark=healthy.json")
    assert mended["idle_exceptions"] == [1, 2, 3]


def test_what_is_excused_is_asked_for_where_nobody_knows_it(dark: House) -> None:
    """A gap is mended; what is unknown is not mended by asking."""
    answer = "owner: platform@contoso.example, reason: CHG-1, ends: 2027-01-31"
    entries = "".join(f"  - {{kind: cluster, name: {name}, {answer}}}\n" for name in ("dark", "new"))
    expected = "expect: [{kind: cluster, name: [dark, new], rungs: sensor-running}]"
    dark.writes("mine/coverage.yaml", f"{expected}\nexceptions:\n{entries}")
    out = dark.says("coverage", "check", *AT, "--rules", "mine", "dark=dark.json").out
    of_dark, _, of_new = out.partition("\nExcused\n")[2].partition("  cluster new, ")
    assert ("      mend   " in of_dark, "      ask    " in of_dark) == (True, False)
    assert ("      mend   " in of_new, "      ask    " in of_new) == (False, True)


@pytest.mark.parametrize("form", ["text", "json", "junit"])
def test_no_text_of_a_resource_commands_a_pipeline(house: House, form: str) -> None:
    """Its agent looks for commands anywhere in a line, so that a tag could make the gate pass; data stay what they are."""
    evil = "##vso[task.complete]##[add-mask]x\n::stop-commands::y"
    house.writes("dark.json", json.dumps(kubectl(*sensor(ready=0, namespace=evil), *nodes())))
    house.writes("refused.json", json.dumps({"error": {"code": "Denied", "message": evil}}))
    said = house.says("coverage", "check", *AT, "--format", form, f"{evil}=dark.json", "refused.json", f"{evil}.json")
    assert commands_in(said.out) == []
    if form == "json":
        assert evil in {row["name"] for row in json.loads(said.out)["workloads"]}
    if form == "junit":
        root = ElementTree.fromstring(said.out)  # noqa: S314  # our own report
        assert any(evil.replace("\n", " ") in case.get("name", "") for case in root.iter("testcase"))


def test_a_pattern_that_fits_nothing_is_unknown(dark: House) -> None:
    """Somebody knows of machines called so, and the file that would name them is missing: no gate may pass over that."""
    dark.writes("mine/coverage.yaml", EXPECTED.replace("NAME", "[healthy, 'h*', 'vm-*']"))
    files = ("--rules", "mine", "healthy=healthy.json")
    said = dark.says("coverage", "check", *AT, *files)
    assert said.code == 2
    assert said.out.startswith("1 workload of 1 file judged: 1 is covered, 1 pattern of the manifest fits nothing\n")
    sentence = "Entry 1 of the manifest expects vm-*, which fits nothing that the files name."
    assert sentence in said.out
    assert found(dark, *files)["unmatched"] == [{"entry": 1, "name": "vm-*"}]
    errors = dark.says("coverage", "check", *AT, "--format", "github", *files).out.splitlines()
    assert [line for line in errors if line.startswith("::error")] == [f"::error title=coverage manifest::{sentence}"]
    assert case_of(dark, "entry 1: vm-*", *files) == ["error"]
    assert "fits nothing" in dark.says("coverage", "check", *AT, "--format", "markdown", *files).out
    assert dark.says("coverage", "check", *AT, "--allow-unknown", *files).code == 0
    assert case_of(dark, "entry 1: vm-*", "--allow-unknown", *files) == ["skipped"]


@pytest.mark.parametrize("name", ["'h*'", "[healthy, '*']"])
def test_a_pattern_that_fits_and_a_kind_of_which_there_is_none_fail_nothing(dark: House, name: str) -> None:
    """Who expects a kind says what would be expected of such a workload, and not that there is one."""
    entries = EXPECTED.replace("NAME", name) + "  - {kind: machine}\n  - {kind: registry, subscription: '6f*'}\n"
    dark.writes("mine/coverage.yaml", entries)
    said = dark.says("coverage", "check", *AT, "--rules", "mine", "healthy=healthy.json")
    assert said.code == 0
    assert said.out.startswith("1 workload of 1 file judged: 1 is covered\n")
    assert "Entry 2 of the manifest expects *, which fits nothing that the files name." in said.out


EXPECTED = "expect:\n  - {kind: cluster, name: NAME, rungs: sensor-running}\n"


def case_of(house: House, name: str, *arguments: str) -> list[str]:
    """What JUnit has in the case of that name."""
    said = house.says("coverage", "check", *AT, "--format", "junit", *arguments)
    root = ElementTree.fromstring(said.out)  # noqa: S314  # our own report
    (case,) = [one for one in root.iter("testcase") if one.get("name") == name]
    return [child.tag for child in case]
